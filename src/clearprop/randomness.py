"""Randomness: one seed, and a stream of its own for every use of it."""

from typing import Any, Literal

import numpy as np

from clearprop.errors import InputError

__all__ = ["Use", "generator", "stream"]

Use = Literal["parameters", "order", "dropout", "split", "data"]
_USES: tuple[Use, ...] = ("parameters", "order", "dropout", "split", "data")


def stream(seed: int | None, use: Use) -> np.random.SeedSequence:
    """The seed sequence of one use: two uses of the same seed share no random number.

    Raises
    ------
    InputError
        Where the seed is neither None (fresh randomness) nor a whole number of at least 0.

    Examples
    --------
    >>> stream(0, "order").spawn_key
    (1,)
    """
    given: Any = seed
    whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
    if given is not None and not (whole and given >= 0):
        raise InputError(f"seed is {given!r}; expected a whole number of at least 0, or None")
    entropy = None if given is None else int(given)
    return np.random.SeedSequence(entropy, spawn_key=(_USES.index(use),))


def generator(seed: int | None, use: Use) -> np.random.Generator:
    """A NumPy generator over :func:`stream`."""
    return np.random.default_rng(stream(seed, use))
