"""Times whole epochs of training, side by side: ``python -m benchmarks.training``.

Each library trains in a process of its own. Their epochs alternate, round after round, so that all
of them see the same machine; the median counts. Where one thread is faster than all of them, a
library gets one. Before anything is timed, the loss after one epoch must be what float64 arithmetic
gives, from the same initial weights and in the same order of samples.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine, busy_seconds, cores, measure
from benchmarks.peers import PEERS
from benchmarks.problem import (
    CONFIGURATIONS,
    Configuration,
    Floats,
    Parameters,
    Problem,
    expected,
    loss_after,
    mnist_or_alike,
    pose,
    store,
)
from benchmarks.report import Report, Result
from clearprop.files import write_atomically

# With these set, OpenBLAS does not choose the kernels that suit the machine.
FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_VERBOSE", "NVPL_BLAS_DEBUG_CPU_TYPE")
# How far the loss after an epoch of float32 may be from that of float64, relative.
TOLERANCE = 1e-3
# A measurement lasts about as long as this: many short epochs, or one long one.
SECONDS = 0.3
# How many cores others may use without a measurement being repeated.
DISTURBED = 0.1


class Patience:
    """How many seconds may be spent on waiting for other processes."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def wait_for_quiet(self) -> bool:
        """Wait until nothing runs; False where patience ends first, or none of this is known."""
        while self.left > 0:
            started = time.perf_counter()
            before = busy_seconds()
            time.sleep(0.3)
            after = busy_seconds()
            seconds = time.perf_counter() - started
            if before is None or after is None:
                return False
            if after - before <= DISTURBED * seconds:
                return True
            self.left -= seconds
        return False


class Worker:
    """A library in a process of its own, ready to train one configuration."""

    def __init__(self, peer: str, threads: int | None, configuration: str, folder: Path) -> None:
        self.peer, self.threads, self.folder = peer, threads, folder
        environment = {key: value for key, value in os.environ.items() if key not in FORCED}
        if threads is not None:
            for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM"):
                environment[f"{library}_NUM_THREADS"] = str(threads)
            if threads == 1:
                environment["XLA_FLAGS"] = (
                    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
                )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", peer, configuration, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.peer} ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _tell(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def train(self, epochs: int = 1) -> dict[str, Any]:
        """Train; the seconds of an epoch, the cores kept busy by it and by others, and its BLAS."""
        time.sleep(0.05)  # the threads of the one before have gone to sleep
        before = busy_seconds()
        answer = self._tell(f"go {epochs}")
        after = busy_seconds()
        answer["busy"] = answer["cpu"] / answer["wall"]
        answer["others"] = 0.0
        if before is not None and after is not None:
            answer["others"] = max(0.0, (after - before - answer["cpu"]) / answer["wall"])
        return answer

    def train_undisturbed(self, epochs: int, patience: "Patience") -> dict[str, Any]:
        """Train when the machine is quiet, again where it did not stay so; the quietest counts."""
        patience.wait_for_quiet()
        best = self.train(epochs)
        while best["others"] > DISTURBED and patience.wait_for_quiet():
            best = min(best, self.train(epochs), key=lambda answer: answer["others"])
        return best

    def parameters(self) -> Parameters:
        """The parameters as they are now."""
        path = self.folder / f"{self.peer}.npz"
        self._tell(f"parameters {path}")
        with np.load(path) as file:
            flat = [file[name] for name in file.files]
        return list(zip(flat[::2], flat[1::2], strict=True))

    def end(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def fastest(
    peer: str, problem: Problem, folder: Path, losses: dict[bool, float], patience: Patience
) -> Iterator[tuple[Worker, Result]]:
    """A worker with the better number of threads, found to train the right thing."""
    everything = cores()
    choices: list[int | None] = [1, everything] if everything > 1 else [1]
    if PEERS[peer].own_threads:
        choices = [None]
    best: tuple[float, Worker, Result] | None = None
    workers = []
    try:
        for threads in choices:
            worker = Worker(peer, threads, problem.configuration.name, folder)
            workers.append(worker)
            first = worker.train()
            loss = loss_after(problem, worker.parameters())
            right = losses[PEERS[peer].cross_entropy]
            if not abs(loss - right) <= TOLERANCE * right:
                raise RuntimeError(
                    f"{PEERS[peer].title} has loss {loss:.6f} after one epoch of "
                    f"{problem.configuration.name}; expected {right:.6f}: it trains something else"
                )
            seconds = worker.train_undisturbed(1, patience)["seconds"]
            result = Result(
                peer=peer,
                threads=threads,
                first=first["seconds"],
                epochs=max(1, round(SECONDS / seconds)),
                loss=loss,
                loss_expected=right,
                blas=first["blas"],
            )
            if best is None or seconds < best[0]:
                if best is not None:
                    best[1].end()
                best = seconds, worker, result
            else:
                worker.end()
        assert best is not None
        yield best[1:]
    finally:
        for worker in workers:
            worker.end()


def compare(
    configuration: Configuration,
    peers: Sequence[str],
    rounds: int,
    data: tuple[Floats, Floats],
    folder: Path,
    patience: Patience,
) -> list[Result]:
    """The times of all libraries on one configuration."""
    problem = pose(configuration, *data)
    losses = {
        kind: loss_after(problem, expected(problem, cross_entropy=kind))
        for kind in {PEERS[peer].cross_entropy for peer in peers}
    }
    running: list[tuple[Worker, Result]] = []
    with ExitStack() as workers:
        for peer in peers:
            if peer == "book" and not configuration.by_the_book:
                continue
            say(f"  {PEERS[peer].title}: first epoch")
            running.append(workers.enter_context(fastest(peer, problem, folder, losses, patience)))
        for turn in range(rounds):
            say(f"  round {turn + 1} of {rounds}")
            start = turn % len(running)
            for worker, result in running[start:] + running[:start]:
                answer = worker.train_undisturbed(result.epochs, patience)
                result.seconds.append(answer["seconds"])
                result.busy.append(answer["busy"])
                result.others.append(answer["others"])
    return [result for _, result in running]


def available(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Which libraries are installed, and why the others cannot take part."""
    absent = {
        PEERS[name].title: f"{PEERS[name].needs} is not installed"
        for name in names
        if find_spec(PEERS[name].needs) is None
    }
    return [name for name in names if PEERS[name].title not in absent], absent


def versions() -> dict[str, str]:
    """The versions of everything that takes part."""
    found = {"Python": sys.version.split()[0]}
    for package in ("clearprop", "numpy", "numba", "scipy", "torch", "jax", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def say(text: str) -> None:
    """What is going on, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--config", action="append", choices=list(CONFIGURATIONS), metavar="NAME")
    parser.add_argument("--peer", action="append", choices=list(PEERS), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--patience",
        type=float,
        default=60,
        help="seconds, for each configuration, to wait for other processes to be quiet",
    )
    parser.add_argument("--quick", action="store_true", help="6,000 samples and 3 rounds")
    parser.add_argument("--json", type=Path, help="write everything that was measured")
    parser.add_argument("--markdown", type=Path, help="write the page for people")
    options = parser.parse_args(arguments)
    rounds = min(options.rounds, 3) if options.quick else options.rounds
    chosen = [CONFIGURATIONS[name] for name in options.config or CONFIGURATIONS]
    peers, absent = available(options.peer or list(PEERS))

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    say("measuring the machine")
    before = measure()
    x, y, name = mnist_or_alike(6_000 if options.quick else None)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        store(Path(folder), x, y)
        for configuration in chosen:
            say(configuration.name)
            results[configuration.name] = compare(
                configuration, peers, rounds, (x, y), Path(folder), Patience(options.patience)
            )
    after = measure()  # a machine that others use is not as fast at every moment
    rates = {k: max(v, vars(after)[k]) for k, v in vars(before).items() if isinstance(v, float)}
    machine = Machine(**(vars(before) | rates))

    report = Report(name, len(x), machine, load, versions(), results, absent)
    page = report.markdown(chosen)
    sys.stdout.write(page)
    if options.json:
        write_atomically(options.json, json.dumps(report.as_dict(), indent=1).encode())
    if options.markdown:
        write_atomically(options.markdown, page.encode())


if __name__ == "__main__":
    main()
