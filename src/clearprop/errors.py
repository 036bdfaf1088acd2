"""Every error that clearprop raises on purpose.

::

    ClearpropError
    ├── InputError (ValueError)          a wrong shape, rank, dtype or value; a NaN in the data
    │   └── UnknownNameError             a name that no table knows
    ├── DataError (ValueError)           a data set that cannot be read
    │   └── DownloadError                a data set that cannot be fetched
    ├── ModelFileError (ValueError)      a model file that is foreign, truncated or altered
    ├── NonFiniteError (ArithmeticError) training met the first NaN or infinity
    ├── NotKeptError (AttributeError)    a Trace was asked for what it did not retain
    └── MissingDependencyError (ImportError)

Each message says what was given, what was expected, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ClearpropError",
    "DataError",
    "DownloadError",
    "InputError",
    "MissingDependencyError",
    "ModelFileError",
    "NonFiniteError",
    "NotKeptError",
    "UnknownNameError",
    "unknown_name",
]


class ClearpropError(Exception):
    """The root of the tree: catch it to catch everything that clearprop raises on purpose."""


class InputError(ClearpropError, ValueError):
    """An argument has the wrong shape, rank, dtype or value."""


class UnknownNameError(InputError):
    """A name that the table it was looked up in does not hold."""


class DataError(ClearpropError, ValueError):
    """A data set that cannot be read: missing, malformed, truncated or too large."""


class DownloadError(DataError):
    """A data set that is not on this machine and could not be fetched."""


class ModelFileError(ClearpropError, ValueError):
    """A model file that is foreign, truncated, altered, or cannot be written."""


class NonFiniteError(ClearpropError, ArithmeticError):
    """Training met a NaN or an infinity; the network keeps its last good parameters.

    Attributes
    ----------
    quantity : str
        What became non-finite first, in the book's letters: ``"z"``, ``"a"``, ``"loss"``,
        ``"delta"``, ``"grad_weights"``, ``"grad_biases"``, ``"weights"`` or ``"biases"``.
    layer : int
        The layer it belongs to.
    epoch, batch : int
        Where in training it happened, both counted from 1.
    """

    def __init__(self, message: str, *, quantity: str, layer: int, epoch: int, batch: int) -> None:
        super().__init__(message)
        self.quantity = quantity
        self.layer = layer
        self.epoch = epoch
        self.batch = batch


class NotKeptError(ClearpropError, AttributeError):
    """A Trace was asked for a quantity that it was told not to retain."""


class MissingDependencyError(ClearpropError, ImportError):
    """An optional library is needed for this and is not installed."""


def unknown_name(kind: str, given: object, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that a table does not hold, with the nearest names it does hold.

    Examples
    --------
    >>> print(unknown_name("activation", "sigmod", ["relu", "sigmoid"]))
    unknown activation 'sigmod'; did you mean 'sigmoid'? Known: relu, sigmoid
    """
    names = list(known)
    in_small_letters = {name.lower(): name for name in names}
    near = get_close_matches(str(given).lower(), in_small_letters, n=1)
    hint = f"; did you mean {in_small_letters[near[0]]!r}?" if near else "."
    return UnknownNameError(f"unknown {kind} {given!r}{hint} Known: {', '.join(names)}")
