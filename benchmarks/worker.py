"""One library in a process of its own, so that no other library's threads disturb it.

Lines of JSON: on standard input ``"go N"`` starts the next N epochs and ``"parameters PATH"`` asks
for the parameters; on standard output comes what was measured. The process ends with its input.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.problem import CONFIGURATIONS, Parameters, restore


def main() -> None:
    """``python -m benchmarks.worker PEER CONFIGURATION FOLDER``."""
    name, configuration, folder = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    problem = restore(Path(folder), CONFIGURATIONS[configuration])
    epochs, left, started, busy = 1, 1, 0.0, 0.0

    def tell(**answer: Any) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    def wait(parameters: Callable[[], Parameters]) -> bool:
        nonlocal epochs, left, started, busy
        for line in sys.stdin:
            command, _, rest = json.loads(line).partition(" ")
            if command == "go":
                epochs = left = int(rest)
                started, busy = time.perf_counter(), time.process_time()
                return True
            np.savez(rest, *[array for pair in parameters() for array in pair])
            tell(done=True)
        return False

    def epoch_done(parameters: Callable[[], Parameters]) -> bool:
        nonlocal left
        left -= 1
        if left:
            return True
        seconds, cpu = time.perf_counter() - started, time.process_time() - busy
        tell(seconds=seconds / epochs, wall=seconds, cpu=cpu, blas=_blas())
        return wait(parameters)

    tell(ready=True)
    if wait(list):
        PEERS[name].run(problem, epoch_done)


def _blas() -> list[str]:
    """The BLAS and OpenMP libraries in use, their kernels and their numbers of threads."""
    from threadpoolctl import threadpool_info

    found = [
        f"{one['internal_api']} {one.get('version') or ''} {one.get('architecture', '')}, "
        f"threads: {one['num_threads']}"
        for one in threadpool_info()
    ]
    if "torch" in sys.modules:
        import torch

        found.append(f"torch threads: {torch.get_num_threads()}")
    return found


if __name__ == "__main__":
    main()
