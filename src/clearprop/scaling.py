"""Scaling of the inputs: learnt on the training part alone, and carried with the model.

A network that has a :class:`Scaling` takes raw inputs everywhere and applies it first, so that
nobody who uses the model later has to know, or remember, how its training data were prepared.

To add a way to learn one, add a row to :data:`SCALINGS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.arrays import Array, asarray_like, is_array, namespace
from clearprop.errors import InputError, unknown_name

__all__ = ["SCALINGS", "Scaling"]

Floats: TypeAlias = NDArray[np.float64]


def _standard(x: Floats) -> tuple[Floats, Floats]:
    """Mean 0 and standard deviation 1 (of the population: divided by m, not by m - 1)."""
    return x.mean(axis=0), x.std(axis=0)


def _minmax(x: Floats) -> tuple[Floats, Floats]:
    """The smallest value becomes 0 and the largest 1."""
    low = x.min(axis=0)
    return low, x.max(axis=0) - low


#: What a scaling is called, and how its offset and scale are learnt from x of shape (m, n_1).
SCALINGS: Mapping[str, Callable[[Floats], tuple[Floats, Floats]] | None] = {
    "none": None,
    "standard": _standard,
    "minmax": _minmax,
}


@dataclass(frozen=True, eq=False)
class Scaling:
    """An offset and a scale for each input: ``(x - offset) / scale``.

    Parameters
    ----------
    kind : str
        How it was learnt: a name in :data:`SCALINGS`, or any name for offsets and scales of
        your own.
    offset, scale : array_like of shape (n_1,)
        One number per input, in the units of that input. Finite; ``scale`` is above 0.

    Raises
    ------
    InputError
        For an empty ``kind``, different lengths, another rank, a number that is not finite, or a
        scale that is not above 0.

    Examples
    --------
    >>> pixels = Scaling("pixels", offset=[0, 0], scale=[255, 255])
    >>> pixels.apply(np.array([[51.0, 255.0]]))
    array([[0.2, 1. ]])
    """

    kind: str
    offset: Floats
    scale: Floats

    def __post_init__(self) -> None:
        if not self.kind:
            raise InputError("kind is empty; expected a name, such as 'standard'")
        # The dataclass is frozen, so that its own arrays replace what was given only here.
        object.__setattr__(self, "offset", _numbers("offset", self.offset))
        object.__setattr__(self, "scale", _numbers("scale", self.scale))
        if self.offset.shape != self.scale.shape:
            raise InputError(
                f"offset has {len(self.offset)} numbers and scale has {len(self.scale)}; expected "
                "as many of one as of the other: one for each input"
            )
        if not (self.scale > 0).all():
            bad = int(np.argmin(self.scale > 0))
            raise InputError(f"scale[{bad}] is {self.scale[bad]:g}; expected a number above 0")

    @classmethod
    def learn(cls, kind: str, x: ArrayLike) -> "Scaling | None":
        """The scaling of this kind for these samples; ``None`` for the kind ``"none"``.

        A column that is constant in ``x`` says nothing about its scale: it is moved to 0 and
        keeps a scale of 1.

        Parameters
        ----------
        kind : str
            A name in :data:`SCALINGS`: ``"none"``, ``"standard"`` (mean 0, standard deviation 1)
            or ``"minmax"`` (0 to 1).
        x : array_like of shape (m, n_1)
            The training samples, and nothing but these: a scaling that has seen the test part
            leaks it into training.

        Raises
        ------
        UnknownNameError
            For a kind that is not in the table.
        InputError
            For a wrong rank, no samples, a NaN or an infinity, or numbers so large that their
            spread overflows.

        Examples
        --------
        >>> scaling = Scaling.learn("standard", [[1.0, 7.0], [3.0, 7.0]])
        >>> scaling.offset, scaling.scale
        (array([2., 7.]), array([1., 1.]))
        """
        if kind not in SCALINGS:
            raise unknown_name("scaling", kind, SCALINGS)
        rule = SCALINGS[kind]
        if rule is None:
            return None
        samples = _samples(x)
        with np.errstate(over="ignore", invalid="ignore"):
            offset, scale = rule(samples)
        low, high = samples.min(axis=0), samples.max(axis=0)
        too_wide = ~(np.isfinite(offset) & np.isfinite(scale))
        if too_wide.any():
            column = int(np.argmax(too_wide))
            raise InputError(
                f"x runs from {low[column]:g} to {high[column]:g} in column {column}, too far for "
                f"its {kind} scaling to be computed; expected numbers of ordinary size: measure "
                "this column in a larger unit, or take its logarithm"
            )
        # Rounding in a mean of equal numbers must not turn a constant column into noise. A spread
        # below the smallest number that exists is no spread either.
        constant = low == high
        offset = np.where(constant, low, offset)
        scale = np.where(constant | (scale == 0), 1.0, scale)
        return cls(kind, offset, scale)

    def apply(self, x: Any) -> Array:
        """``(x - offset) / scale``, computed in the library and dtype of ``x``.

        Parameters
        ----------
        x : array of shape (m, n_1)
            Raw inputs: NumPy, PyTorch or JAX, or anything that NumPy makes an array of. Integers
            become float64.

        Returns
        -------
        array of shape (m, n_1)

        Raises
        ------
        InputError
            For another rank or width, or for values that are no real numbers.
        """
        array = x if is_array(x) else _as_array(x)
        shape = tuple(array.shape)
        if len(shape) != 2 or shape[1] != len(self.offset):
            advice = "; for one sample write x[None, :]" if shape == self.offset.shape else ""
            raise InputError(
                f"x has shape {shape}; expected (samples, {len(self.offset)}), a column for each "
                f"input of the {self.kind} scaling{advice}"
            )
        xp = namespace(array)
        if xp.isdtype(array.dtype, ("integral", "bool")):
            array = xp.astype(array, xp.float64)
        elif not xp.isdtype(array.dtype, "real floating"):
            raise InputError(f"x has dtype {array.dtype}; expected real numbers")
        return (array - asarray_like(self.offset, array)) / asarray_like(self.scale, array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scaling):
            return NotImplemented
        return (
            self.kind == other.kind
            and np.array_equal(self.offset, other.offset)
            and np.array_equal(self.scale, other.scale)
        )

    def __hash__(self) -> int:
        return hash((self.kind, tuple(self.offset.tolist()), tuple(self.scale.tolist())))


def _numbers(name: str, values: ArrayLike) -> Floats:
    array = _as_array(values, name).astype(np.float64, copy=True)
    if array.ndim != 1:
        raise InputError(
            f"{name} has shape {array.shape}; expected one axis, with one number for each input"
        )
    if not np.isfinite(array).all():
        bad = int(np.argmin(np.isfinite(array)))
        raise InputError(f"{name}[{bad}] is {array[bad]}; expected a finite number")
    array.flags.writeable = False
    return array


def _samples(x: ArrayLike) -> Floats:
    array = _as_array(x).astype(np.float64, copy=False)
    if array.ndim != 2 or array.size == 0:
        raise InputError(
            f"x has shape {array.shape}; expected (samples, inputs), with at least one of each"
        )
    if not np.isfinite(array).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"x holds {array[row, column]} at row {row}, column {column}; expected finite numbers: "
            "remove or fill in such samples first"
        )
    return array


def _as_array(values: ArrayLike, name: str = "x") -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} is no rectangular array of numbers ({error})") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {array.dtype}; expected real numbers")
    return array
