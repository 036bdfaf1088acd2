"""How good a network is on samples it is given."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.arrays import Array, as_numpy
from clearprop.datasets import Part
from clearprop.engines import get_engine
from clearprop.equations import loss_terms
from clearprop.errors import InputError
from clearprop.network import Network

__all__ = ["Evaluation", "as_pair", "classify", "evaluate", "holds_numbers", "labels_of", "score"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What :func:`evaluate` found.

    Attributes
    ----------
    samples : int
        m, how many samples there were.
    loss : float
        The mean loss C, without penalties.
    accuracy : float or None
        The share of samples whose class is right; None where the targets are no classes.
    r2 : float or None
        The share of the targets' variance that is explained (uniform mean over outputs); None for
        classes, or where a target does not vary.
    predicted, labels : arrays of int, shape (m,), or None
        The index of the class predicted and of the class that is right.
    """

    samples: int
    loss: float
    accuracy: float | None
    r2: float | None
    predicted: NDArray[np.intp] | None
    labels: NDArray[np.intp] | None


def classify(output: Array) -> NDArray[np.intp]:
    """The index of the class that each row of a^L names, shape (m,).

    Of several outputs the largest names the class; a single output names class 1 above 1/2.

    Examples
    --------
    >>> classify(np.array([[0.1, 0.9], [0.8, 0.3]])), classify(np.array([[0.4]]))
    (array([1, 0]), array([0]))
    """
    a = as_numpy(output)
    if a.shape[1] == 1:
        return (a[:, 0] > 0.5).astype(np.intp)
    largest: NDArray[np.intp] = a.argmax(axis=1)
    return largest


def labels_of(y: NDArray[Any]) -> NDArray[np.intp] | None:
    """The classes that targets stand for, where every row is one-hot (or a single 0 or 1)."""
    if not ((y == 0) | (y == 1)).all() or (y.shape[1] > 1 and (y.sum(axis=1) != 1).any()):
        return None
    return classify(y)


def evaluate(net: Network, data: Any) -> Evaluation:
    """The loss of a network on samples, and its accuracy where they have classes.

    Targets of 0 and 1 are taken for classes, but for those of a Part that has no labels, where the
    network knows no classes either: that is a regression.

    Parameters
    ----------
    net : Network
    data : Part, or pair (X, Y) of array-likes, shapes (m, n_1) and (m, n_L)

    Raises
    ------
    InputError
        For a wrong shape or dtype, no samples, NaN or infinity.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 3, 2], seed=0)
    >>> evaluate(net, cp.datasets.load("xor").train).samples
    4
    """
    batch = net.batch(*as_pair(data))
    return score(net, batch.x, batch.y, numbers=holds_numbers(net, data))


def holds_numbers(net: Network, data: Any) -> bool:
    """Whether the targets of ``data`` are numbers even where each of them is 0 or 1."""
    return isinstance(data, Part) and data.labels is None and net.classes is None


def score(
    net: Network, x: Array, y: Array, engine: str = "reference", *, numbers: bool = False
) -> Evaluation:
    """:func:`evaluate` on network inputs that are checked and scaled already.

    ``numbers`` says that the targets are no classes, even if each of them is 0 or 1.
    """
    architecture = net.architecture
    z, a = get_engine(engine).output(architecture, net.parameters, x)
    last = architecture.activation(architecture.n_layers)
    loss = float(loss_terms(net.loss, last, z, a, y).sum()) / len(y)
    targets = as_numpy(y)
    labels = None if numbers else labels_of(targets)
    if labels is not None:
        predicted = classify(a)
        accuracy = float((predicted == labels).mean())
        return Evaluation(len(y), loss, accuracy, None, predicted, labels)
    spread = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
    residual = ((targets - as_numpy(a)) ** 2).sum(axis=0)
    r2 = float((1 - residual / spread).mean()) if spread.all() else None
    return Evaluation(len(y), loss, None, r2, None, None)


def as_pair(data: Any) -> tuple[Any, Any]:
    """The X and Y of a Part or a pair.

    Raises
    ------
    InputError
        For anything else.
    """
    if isinstance(data, Part):
        return data.x, data.y
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0], data[1]
    raise InputError(
        f"the data is a {type(data).__name__}; expected a pair (X, Y), or a part of a data set, "
        "such as data.train or data.test; to train, the data set itself will do"
    )
