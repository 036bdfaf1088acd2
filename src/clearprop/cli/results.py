"""How good a network is, as a line and as plain values."""

from typing import Any

import numpy as np

from clearprop.datasets import Part
from clearprop.evaluation import Evaluation, evaluate
from clearprop.network import Network

__all__ = ["as_line", "as_values", "measure"]


def measure(net: Network, part: Part) -> tuple[Evaluation, float | None]:
    """The evaluation of a network on samples and, for numbers, the mean absolute error."""
    found = evaluate(net, part)
    if found.accuracy is not None:
        return found, None
    return found, float(np.abs(np.asarray(net.predict(part.x)) - part.y).mean())


def as_line(found: Evaluation, error: float | None, which: str) -> str:
    """One line for people.

    Parameters
    ----------
    found : Evaluation
    error : float or None
        The mean absolute error.
    which : str
        What samples they were, such as ``"test samples"``.

    Examples
    --------
    >>> import clearprop as cp
    >>> xor = cp.datasets.load("xor")
    >>> net = cp.Network([2, 1, 2], initializer="zeros")
    >>> print(as_line(*measure(net, xor.train), "samples"))
    accuracy 50.00 % (2 of 4 samples), loss 0.25
    """
    if found.accuracy is not None:
        right = round(found.accuracy * found.samples)
        share = f"accuracy {found.accuracy:.2%}".replace("%", " %")
        return f"{share} ({right} of {found.samples} {which}), loss {found.loss:.4g}"
    explained = "R² undefined, since a target does not vary" if found.r2 is None else ""
    explained = explained or f"R² {found.r2:.4f}"
    return (
        f"{explained} ({found.samples} {which}), mean absolute error {error:.4g}, "
        f"loss {found.loss:.4g}"
    )


def as_values(found: Evaluation, error: float | None, part: str) -> dict[str, Any]:
    """Plain values, for JSON; ``part`` is where the samples come from."""
    return {
        "part": part,
        "samples": found.samples,
        "loss": found.loss,
        "accuracy": found.accuracy,
        "r2": found.r2,
        "mean_absolute_error": error,
    }
