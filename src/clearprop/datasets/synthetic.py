"""Points in the plane that are drawn, not read: small problems with a shape that one can see."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clearprop.datasets.dataset import Floats, Labels, Part, frozen, one_hot
from clearprop.datasets.source import BuiltIn, Options, Source, integer_seed
from clearprop.errors import InputError

__all__ = ["SYNTHETIC", "spirals"]

SAMPLES = 1000
MAX_SAMPLES = 10_000_000
ARMS = 3
BLOBS = 3
TURNS = 0.75


def spirals(
    samples: int, *, arms: int = ARMS, noise: float = 0.02, seed: int | np.random.SeedSequence = 0
) -> tuple[Floats, Labels]:
    """Spiral arms that wind around each other from the centre out; each arm is a class.

    A point at the fraction t of its arm lies at radius t, three quarters of a turn times t beyond
    the direction in which its arm starts.

    Parameters
    ----------
    samples : int
        How many points in all; the arms get equally many, give or take one.
    arms : int
    noise : float
        The standard deviation of the noise that is added to each coordinate; the longest radius
        is 1.
    seed : int or SeedSequence

    Returns
    -------
    x : array of shape (samples, 2)
    labels : array of int of shape (samples,)

    Examples
    --------
    >>> x, labels = spirals(4, arms=2, noise=0)
    >>> labels
    array([0, 1, 0, 1])
    >>> x.round(12) + 0.0  # the centre twice, then the two ends
    array([[ 0.,  0.],
           [ 0.,  0.],
           [ 0., -1.],
           [ 0.,  1.]])
    """
    labels = np.arange(samples) % arms
    position = np.arange(samples) // arms
    radius = position / max(1, position[-1])
    angle = 2 * np.pi * (labels / arms + TURNS * radius)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + noise * np.random.default_rng(seed).standard_normal(x.shape), labels


def _xor(options: Options) -> Source:
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return _source("xor", x, np.array([0, 1, 1, 0]), scaling="none", split="none")


def _moons(options: Options) -> Source:
    from sklearn.datasets import make_moons

    x, labels = make_moons(
        _samples(options, 2), noise=_noise(options, 0.1), random_state=integer_seed(options.seed)
    )
    return _source("moons", x, labels, scaling="none")


def _circles(options: Options) -> Source:
    from sklearn.datasets import make_circles

    x, labels = make_circles(
        _samples(options, 2),
        noise=_noise(options, 0.05),
        factor=0.5,
        random_state=integer_seed(options.seed),
    )
    return _source("circles", x, labels, scaling="none")


def _blobs(options: Options) -> Source:
    from sklearn.datasets import make_blobs

    x, labels = make_blobs(
        _samples(options, BLOBS),
        centers=BLOBS,
        cluster_std=_noise(options, 1.0),
        random_state=integer_seed(options.seed),
    )
    return _source("blobs", x, labels, scaling="standard")


def _spirals(options: Options) -> Source:
    x, labels = spirals(_samples(options, ARMS), noise=_noise(options, 0.02), seed=options.seed)
    return _source("spirals", x, labels, scaling="none")


def _source(
    name: str,
    x: Floats,
    labels: NDArray[np.integer],
    *,
    scaling: str,
    split: Literal["random", "none"] = "random",
) -> Source:
    indices = labels.astype(np.intp)
    n_classes = int(indices.max()) + 1
    return Source(
        name=name,
        task="classification",
        train=Part(frozen(x), frozen(one_hot(indices, n_classes)), frozen(indices)),
        classes=tuple(range(n_classes)),
        scaling=scaling,
        split=split,
    )


def _samples(options: Options, classes: int) -> int:
    given: Any = SAMPLES if options.samples is None else options.samples
    least = 2 * classes
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise InputError(f"samples is {given!r}; expected an integer, such as {SAMPLES}")
    if not least <= given <= MAX_SAMPLES:
        raise InputError(f"samples is {given:,}; expected {least} to {MAX_SAMPLES:,}")
    return int(given)


def _noise(options: Options, default: float) -> float:
    given: Any = default if options.noise is None else options.noise
    number = isinstance(given, int | float | np.number) and not isinstance(given, bool)
    if not (number and np.isfinite(given) and given >= 0):
        raise InputError(
            f"noise is {given!r}; expected a number from 0 up, the standard deviation of the points"
        )
    return float(given)


SYNTHETIC: Mapping[str, BuiltIn] = {
    "xor": BuiltIn("the exclusive or: four points that no straight line divides", _xor),
    "moons": BuiltIn("two interleaved half circles", _moons, ("samples", "noise")),
    "circles": BuiltIn("a circle inside another", _circles, ("samples", "noise")),
    "spirals": BuiltIn("three spiral arms around one centre", _spirals, ("samples", "noise")),
    "blobs": BuiltIn("three round clouds of points", _blobs, ("samples", "noise")),
}
