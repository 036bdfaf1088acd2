"""What a data set is, whichever reader it came from."""

import math
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.errors import InputError, unknown_name
from clearprop.scaling import Scaling

__all__ = ["TASKS", "Classes", "Dataset", "Floats", "Labels", "Part", "Task", "one_hot"]

Task: TypeAlias = Literal["classification", "regression"]
TASKS: tuple[Task, ...] = ("classification", "regression")

Floats: TypeAlias = NDArray[np.floating[Any]]
Labels: TypeAlias = NDArray[np.intp]
Classes: TypeAlias = tuple[str, ...] | tuple[int, ...]

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """Samples of one purpose: to train on, to validate with, or to test with.

    The arrays are C-contiguous and read-only; what was given is copied where it is not.

    Parameters
    ----------
    x : array of shape (m, n_1)
        The raw inputs, a sample a row, in float32 or float64 (other numbers become float64).
    y : array of shape (m, n_L)
        The targets, in the dtype of ``x``: a one-hot row for a class, else the numbers themselves.
    labels : array of int of shape (m,), or None
        For classification, the index of each sample's class.

    Raises
    ------
    InputError
        For ranks or lengths that do not fit, a NaN or an infinity, or a label outside 0 … n_L - 1.

    Examples
    --------
    >>> part = Part(x=[[0.0, 1.0], [1.0, 1.0]], y=[[1.0], [0.0]])
    >>> part
    Part(2 samples, 2 features, 1 target)
    >>> len(part), part.x.shape, part.labels
    (2, (2, 2), None)
    """

    x: Floats
    y: Floats
    labels: Labels | None = None

    def __post_init__(self) -> None:
        x = _matrix("x", self.x)
        y = _matrix("y", self.y, x.dtype)
        if len(x) != len(y):
            raise InputError(
                f"x has {len(x)} rows and y has {len(y)}; expected one row of each for each sample"
            )
        # The dataclass is frozen, so that checked copies replace what was given only here.
        object.__setattr__(self, "x", read_only(x))
        object.__setattr__(self, "y", read_only(y))
        if self.labels is not None:
            labels = _indices(self.labels, below=y.shape[1])
            if len(labels) != len(x):
                raise InputError(
                    f"x has {len(x)} rows and there are {len(labels)} labels; expected one label "
                    "for each sample"
                )
            object.__setattr__(self, "labels", read_only(labels))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        outputs = "class" if self.labels is not None else "target"
        return (
            f"Part({_counted(len(self), 'sample')}, {_counted(self.x.shape[1], 'feature')}, "
            f"{_counted(self.y.shape[1], outputs)})"
        )

    def take(self, rows: Labels | slice) -> "Part":
        """The part that holds these rows, in this order."""
        return Part(
            frozen(self.x[rows]),
            frozen(self.y[rows]),
            None if self.labels is None else frozen(self.labels[rows]),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples to train, validate and test with, and what is known about them.

    ``print(dataset)`` gives a short table.

    Parameters
    ----------
    name : str
        What it was loaded by: a name in the table, or the name of its file.
    task : {"classification", "regression"}
    train, test : Part
        The inputs in them are raw. ``test`` is empty where ``test_fraction=0`` was asked for.
    validation : Part or None
    classes : tuple of str or of int, or None
        For classification, in the order of the columns of ``y``.
    feature_names : tuple of str
        One for each column of ``x``.
    image_shape : (height, width) or None
        For images, the shape that a row of ``x`` was flattened from, row by row.
    scaling : Scaling or None
        Learnt on ``train`` alone. A network that trains on this data set adopts it.
    target_names : tuple of str
        For regression, one for each column of ``y``; else empty.

    Raises
    ------
    InputError
        For parts, names or classes that do not fit each other.

    Examples
    --------
    >>> import clearprop.datasets
    >>> print(clearprop.datasets.load("xor"))
    xor: classification
      samples   4 to train, 4 to test
      features  2 (x1, x2), float64
      classes   2 (0, 1)
      scaling   none
    """

    name: str
    task: Task
    train: Part
    test: Part
    validation: Part | None = None
    classes: Classes | None = None
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    scaling: Scaling | None = None
    target_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise unknown_name("task", self.task, TASKS)
        features, outputs = self.train.x.shape[1], self.train.y.shape[1]
        for name, part in self.parts.items():
            if (part.x.shape[1], part.y.shape[1]) != (features, outputs):
                raise InputError(
                    f"{name} has {_counted(part.x.shape[1], 'feature')} and "
                    f"{_counted(part.y.shape[1], 'output')}; expected {features} and {outputs}, "
                    "as in train"
                )
            if (part.labels is not None) != (self.task == "classification"):
                expected = "labels" if self.task == "classification" else "no labels"
                raise InputError(f"{name} does not fit a {self.task}; expected {expected} in it")
        if not self.feature_names:
            object.__setattr__(self, "feature_names", numbered("x", features))
        _fits("feature_names", self.feature_names, features, "feature")
        if self.task == "classification":
            _fits("classes", self.classes or (), outputs, "column of y")
        elif self.classes is not None:
            raise InputError(f"classes is {self.classes}; expected None for a regression")
        else:
            if not self.target_names:
                object.__setattr__(self, "target_names", numbered("y", outputs))
            _fits("target_names", self.target_names, outputs, "column of y")
        if self.image_shape is not None and math.prod(self.image_shape) != features:
            raise InputError(
                f"image_shape is {self.image_shape}; expected a height and a width whose product "
                f"is the number of features, {features}"
            )
        if self.scaling is not None:
            _fits("scaling", self.scaling.offset, features, "feature")

    @property
    def parts(self) -> Mapping[str, Part]:
        """The parts that there are, by name: train, validation (if any), test."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in found.items() if part is not None}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={len(part)}" for name, part in self.parts.items())
        return f"Dataset({self.name!r}, {self.task}, {sizes})"

    def __str__(self) -> str:
        purpose = {"train": "to train", "validation": "to validate", "test": "to test"}
        samples = (f"{len(part)} {purpose[name]}" for name, part in self.parts.items())
        if self.image_shape:
            what = "images of {} × {} pixels".format(*self.image_shape)
        else:
            what = _listed(self.feature_names)
        lines = [
            f"{self.name}: {self.task}",
            f"  samples   {', '.join(samples)}",
            f"  features  {self.train.x.shape[1]} ({what}), {self.train.x.dtype}",
        ]
        if self.classes is not None:
            lines.append(f"  classes   {len(self.classes)} ({_listed(self.classes)})")
        else:
            lines.append(f"  targets   {len(self.target_names)} ({_listed(self.target_names)})")
        lines.append(f"  scaling   {self.scaling.kind if self.scaling else 'none'}")
        return "\n".join(lines)


def one_hot(labels: ArrayLike, n_classes: int, dtype: str = "float64") -> Floats:
    """A row per label: 1 in the column of its class, 0 elsewhere.

    Parameters
    ----------
    labels : array_like of int of shape (m,)
        Class indices, 0 … ``n_classes`` - 1.
    n_classes : int
    dtype : {"float64", "float32"}

    Returns
    -------
    array of shape (m, n_classes)

    Raises
    ------
    InputError
        For labels that are no integers of one axis, or outside 0 … ``n_classes`` - 1.

    Examples
    --------
    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    indices = _indices(labels, below=n_classes)
    y = np.zeros((len(indices), n_classes), dtype=dtype)
    y[np.arange(len(indices)), indices] = 1
    return y


def numbered(letter: str, count: int) -> tuple[str, ...]:
    """Names for columns that have none: x1, x2, … as the book writes them."""
    return tuple(f"{letter}{i}" for i in range(1, count + 1))


def pixel_names(height: int, width: int) -> tuple[str, ...]:
    """A name per pixel, row by row: the order in which images are flattened."""
    return tuple(f"pixel ({row}, {column})" for row in range(height) for column in range(width))


def pixels(images: NDArray[np.uint8]) -> Floats:
    """Images of shape (m, height, width) as rows of float32, pixel / 256.

    The divisor is a power of two, so that the quotient is exact in float32 too.
    """
    x: Floats = np.divide(images.reshape(len(images), -1), np.float32(256), dtype=np.float32)
    return x


def frozen(array: NDArray[Number]) -> NDArray[Number]:
    """The array itself, C-contiguous and read-only from now on. For arrays that nobody else has."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def read_only(array: NDArray[Number]) -> NDArray[Number]:
    """The array, or a copy of it where somebody else could still write into it."""
    if array.flags.c_contiguous and not array.flags.writeable:
        return array
    return frozen(array.copy())


def _matrix(name: str, values: ArrayLike, dtype: np.dtype[Any] | None = None) -> Floats:
    """The values as a finite matrix, in this dtype or else in their own if it is a usual one."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} is no rectangular array of numbers ({error})") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {array.dtype}; expected real numbers")
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(
            f"{name} has shape {array.shape}; expected two axes, (samples, columns), with at least "
            "one column"
        )
    if dtype is None:
        dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    with np.errstate(over="ignore"):
        array = array.astype(dtype, copy=False)
    if not np.isfinite(array).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"{name} holds {array[row, column]} at row {row}, column {column} (as {dtype}); "
            "expected finite numbers: remove or fill in such samples first"
        )
    return array


def _indices(labels: ArrayLike, *, below: int) -> Labels:
    array = np.asarray(labels)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise InputError(
            f"labels have shape {array.shape} and dtype {array.dtype}; expected one axis of "
            "integers, the index of a class for each sample"
        )
    if array.size and not (array.min() >= 0 and array.max() < below):
        bad = int(np.argmax((array < 0) | (array >= below)))
        raise InputError(
            f"label {array[bad]} of sample {bad} is out of range; expected 0 to {below - 1}, the "
            f"indices of {below} classes"
        )
    return array.astype(np.intp, copy=False)


def _fits(name: str, given: Sized, expected: int, per: str) -> None:
    if len(given) != expected:
        raise InputError(f"{name} has length {len(given)}; expected {expected}, one for each {per}")


def _counted(count: int, noun: str) -> str:
    plural = noun if count == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {plural}"


def _listed(items: Iterable[object], most: int = 10) -> str:
    names = [str(item) for item in items]
    shown = names if len(names) <= most else [*names[: most - 1], "…", names[-1]]
    return ", ".join(shown)
