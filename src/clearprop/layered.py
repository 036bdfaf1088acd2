"""Quantities that exist once a layer, indexed by the layer's own number."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from clearprop.errors import InputError

__all__ = ["Layered", "LayeredViews"]

T = TypeVar("T")


class Layered(Mapping[int, T], Generic[T]):
    """A read-only mapping from layer number to value.

    Layers are numbered from 1 (the input) as in the book, so the first weight matrix is
    ``weights[2]``: it leads *into* layer 2. Iterating yields the layer numbers, the lowest first.

    Parameters
    ----------
    name : str
        What the values are called in messages, such as ``"weights"``.
    values : Mapping[int, T]
        One value per layer number.

    Raises
    ------
    InputError
        When asked for a layer that has no such quantity.

    Examples
    --------
    >>> sizes = Layered("sizes", {1: 784, 2: 30, 3: 10})
    >>> sizes[2], list(sizes)
    (30, [1, 2, 3])
    >>> sizes[4]
    Traceback (most recent call last):
    ...
    clearprop.errors.InputError: there is no sizes[4]; sizes has layers 1 to 3
    """

    def __init__(self, name: str, values: Mapping[int, T]) -> None:
        self._name = name
        self._values = dict(sorted(values.items()))

    def __getitem__(self, layer: int) -> T:
        try:
            return self._values[layer]
        except (KeyError, TypeError):
            raise _no_such_layer(self._name, layer, self._values) from None

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __reversed__(self) -> Iterator[int]:
        return reversed(self._values)

    def __contains__(self, layer: object) -> bool:
        return layer in self._values

    def __repr__(self) -> str:
        inside = "\n".join(f"{self._name}[{layer}] = {v!r}" for layer, v in self._values.items())
        return inside or f"{self._name}: no layers"


class LayeredViews(Layered[T]):
    """A :class:`Layered` whose values may be assigned: assignment writes into the view.

    ``net.weights[2] = [[.15, .20], [.25, .30]]`` goes through ``assign(layer, value)``, which
    checks the shape and copies the numbers in place.
    """

    def __init__(
        self, name: str, values: Mapping[int, T], assign: Callable[[int, Any], None]
    ) -> None:
        super().__init__(name, values)
        self._assign = assign

    def __setitem__(self, layer: int, value: Any) -> None:
        if layer not in self._values:
            raise _no_such_layer(self._name, layer, self._values)
        self._assign(layer, value)


def _no_such_layer(name: str, layer: object, values: Mapping[int, Any]) -> InputError:
    where = f"{name} has layers {min(values)} to {max(values)}" if values else f"{name} is empty"
    return InputError(f"there is no {name}[{layer!r}]; {where}")
