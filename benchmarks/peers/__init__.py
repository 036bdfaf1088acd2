"""What is compared: one library, one way of using it, one file.

Each file has a function ``run(problem, epoch_done)`` that trains from ``problem.initial`` and calls
``epoch_done`` after every epoch with a function that gives the parameters; it returns where that
answers False. The time of an epoch is what passes between two calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.problem import Parameters, Problem

EpochDone = Callable[[Callable[[], Parameters]], bool]
Run = Callable[[Problem, EpochDone], None]


@dataclass(frozen=True)
class Peer:
    """One way to train.

    Attributes
    ----------
    title : str
        What the tables call it.
    module : str
        The file in this folder, and with a colon its function, else ``run``.
    needs : str
        The package that must be installed.
    own_threads : bool
        Whether it decides by itself how many threads to use. Otherwise one and all are tried.
    cross_entropy : bool
        Whether it can only train sigmoid outputs with cross-entropy. The work of an epoch is the
        same but for one product with a' in the output layer.
    """

    title: str
    module: str
    needs: str
    own_threads: bool = False
    cross_entropy: bool = False

    @property
    def run(self) -> Run:
        """The function that trains."""
        file, _, function = self.module.partition(":")
        found: Run = getattr(import_module(f"benchmarks.peers.{file}"), function or "run")
        return found


PEERS: dict[str, Peer] = {
    "clearprop": Peer("clearprop", "with_clearprop", "numba", own_threads=True),
    "book": Peer("book's loop", "book", "numpy"),
    "numpy": Peer("NumPy, buffered", "buffered_numpy", "numpy"),
    "torch": Peer("PyTorch eager", "pytorch", "torch"),
    "torch_compile": Peer("torch.compile", "pytorch:run_compiled", "torch"),
    "jax": Peer("JAX jit + scan", "jax_scan", "jax"),
    "sklearn": Peer("scikit-learn", "scikit", "sklearn", cross_entropy=True),
}
