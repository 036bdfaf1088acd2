"""What every library is asked to train, and the least work that this is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.datasets import load

Floats = NDArray[np.float32]
Parameters = list[tuple[Floats, Floats]]


@dataclass(frozen=True)
class Configuration:
    """A network and how it is trained: sigmoid everywhere, quadratic loss, plain SGD, float32.

    Attributes
    ----------
    sizes : tuple of int
        Neurons per layer, the input layer first.
    batch_size : int
    learning_rate : float
    all_cores : bool
        Whether every library may use all cores, or is expected to be best with one.
    by_the_book : bool
        Whether the book's loop over single samples takes part.
    """

    sizes: tuple[int, ...]
    batch_size: int
    learning_rate: float
    all_cores: bool = False
    by_the_book: bool = True

    @property
    def name(self) -> str:
        """What the tables call it."""
        return f"{'-'.join(map(str, self.sizes))}, {self.batch_size}"

    def flops(self, samples: int) -> float:
        """Multiplications and additions of one epoch's matrix products.

        For each weight and sample two in the forward pass, two for BP4, and two for BP2, which the
        first layer of weights has no use for.
        """
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        return float(samples) * sum((6 if i else 4) * k * n for i, (k, n) in enumerate(pairs))

    def bytes(self, samples: int) -> float:
        """What one epoch must at least fetch from memory: every sample once."""
        return 4.0 * samples * (self.sizes[0] + self.sizes[-1])


CONFIGURATIONS: dict[str, Configuration] = {
    one.name: one
    for one in (
        Configuration((784, 30, 10), 10, 0.5),
        Configuration((784, 100, 10), 10, 0.5),
        Configuration((784, 128, 10), 32, 0.5),
        Configuration((784, 512, 512, 10), 128, 0.5, all_cores=True, by_the_book=False),
        Configuration((784, 1024, 1024, 10), 1024, 0.5, all_cores=True, by_the_book=False),
    )
}


@dataclass(frozen=True)
class Problem:
    """A configuration with its data.

    Attributes
    ----------
    x, y : arrays, shapes (m, n_1) and (m, n_L)
    order : array of int, shape (m,)
        The order in which an epoch takes the samples; the same in every epoch.
    initial : list of (W, b)
        What training starts from; W of shape (n_l, n_{l-1}), b of shape (n_l,).
    """

    configuration: Configuration
    x: Floats
    y: Floats
    order: NDArray[np.int64]
    initial: Parameters

    def copy_of_initial(self) -> Parameters:
        """The initial parameters, to be trained in place."""
        return [(W.copy(), b.copy()) for W, b in self.initial]

    def batches(self) -> list[slice]:
        """The places in ``order`` that each batch takes; the last batch may be smaller."""
        m, size = len(self.order), self.configuration.batch_size
        return [slice(start, min(start + size, m)) for start in range(0, m, size)]


def mnist_or_alike(samples: int | None) -> tuple[Floats, Floats, str]:
    """The training images of MNIST and their one-hot digits; random ones of that shape if absent.

    Returns
    -------
    x, y, name
        ``name`` says which of the two it is.
    """
    try:
        part = load("mnist").train
        x, y, name = part.x.astype(np.float32), part.y.astype(np.float32), "MNIST"
    except Exception as error:  # noqa: BLE001 - without data, random data do: only time is measured
        rng = np.random.default_rng(0)
        # About one pixel in five of MNIST is not black.
        x = rng.random((60_000, 784), dtype=np.float32) * (rng.random((60_000, 784)) < 0.2)
        y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, len(x))]
        x, name = x.astype(np.float32), f"random data of MNIST's shape ({type(error).__name__})"
    return x[:samples], y[:samples], name


def pose(configuration: Configuration, x: Floats, y: Floats) -> Problem:
    """The problem of a configuration on given data: initial parameters and order by fixed seeds."""
    rng = np.random.default_rng(7)
    initial = [
        (
            (rng.standard_normal((n, k)) / np.sqrt(k)).astype(np.float32),
            rng.standard_normal(n).astype(np.float32),
        )
        for k, n in zip(configuration.sizes, configuration.sizes[1:], strict=False)
    ]
    order = np.random.default_rng(8).permutation(len(x)).astype(np.int64)
    return Problem(configuration, x, y, order, initial)


def store(folder: Path, x: Floats, y: Floats) -> None:
    """Put the data where the workers find them."""
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)


def restore(folder: Path, configuration: Configuration) -> Problem:
    """The problem in a worker."""
    return pose(configuration, np.load(folder / "x.npy"), np.load(folder / "y.npy"))


def loss_after(problem: Problem, parameters: Parameters) -> float:
    """The mean quadratic loss over the data, in float64."""
    total = 0.0
    for start in range(0, len(problem.x), 1000):
        a: NDArray[Any] = problem.x[start : start + 1000].astype(np.float64)
        for W, b in parameters:
            a = 1 / (1 + np.exp(-(a @ W.astype(np.float64).T + b)))
        total += 0.5 * float(((a - problem.y[start : start + 1000]) ** 2).sum())
    return total / len(problem.x)


def expected(problem: Problem, *, cross_entropy: bool) -> Parameters:
    """The parameters after one epoch, computed in float64 as plainly as can be."""
    parameters = [(W.astype(np.float64), b.astype(np.float64)) for W, b in problem.initial]
    for batch in problem.batches():
        rows = problem.order[batch]
        a = [problem.x[rows].astype(np.float64)]
        for W, b in parameters:
            a.append(1 / (1 + np.exp(-(a[-1] @ W.T + b))))
        delta = a[-1] - problem.y[rows]
        if not cross_entropy:
            delta *= a[-1] * (1 - a[-1])
        eta = problem.configuration.learning_rate / len(rows)
        for i in range(len(parameters) - 1, -1, -1):
            W, b = parameters[i]
            before = (delta @ W) * a[i] * (1 - a[i]) if i else delta
            parameters[i] = (W - eta * delta.T @ a[i], b - eta * delta.sum(axis=0))
            delta = before
    return [(W.astype(np.float32), b.astype(np.float32)) for W, b in parameters]
