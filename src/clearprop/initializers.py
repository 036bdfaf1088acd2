r"""How weights and biases start: records, and the table of them.

``weights(rng, n_out, n_in)`` and ``biases(rng, n_out)`` draw from a NumPy generator, in float64.
To add one, add a row to :data:`INITIALIZERS`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clearprop.arrays import is_number
from clearprop.errors import InputError, unknown_name

__all__ = ["INITIALIZERS", "Initializer", "constant", "get_initializer"]

Drawn = NDArray[np.float64]


@dataclass(frozen=True)
class Initializer:
    """How one layer's parameters are drawn.

    Parameters
    ----------
    name : str
        The name by which messages and tables call it.
    weights : callable
        ``weights(rng, n_out, n_in) -> (n_out, n_in)`` array.
    biases : callable
        ``biases(rng, n_out) -> (n_out,)`` array.
    summary : str
        What it draws, in one line.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> INITIALIZERS["zeros"].weights(rng, 2, 3)
    array([[0., 0., 0.],
           [0., 0., 0.]])
    """

    name: str
    weights: Callable[[Generator, int, int], Drawn]
    biases: Callable[[Generator, int], Drawn]
    summary: str = ""


def _normal_biases(rng: Generator, n_out: int) -> Drawn:
    return rng.standard_normal(n_out)


def _zero_biases(rng: Generator, n_out: int) -> Drawn:
    return np.zeros(n_out)


def _uniform(limit: float) -> Callable[[Generator, tuple[int, int]], Drawn]:
    return lambda rng, shape: rng.uniform(-limit, limit, shape)


def _orthogonal(rng: Generator, n_out: int, n_in: int) -> Drawn:
    long, short = max(n_out, n_in), min(n_out, n_in)
    q, r = np.linalg.qr(rng.standard_normal((long, short)))
    # QR is unique only with positive diagonal: without this the draw is not uniform.
    q = q * np.sign(np.diag(r))
    return q if n_out >= n_in else q.T.copy()


def constant(value: float) -> Initializer:
    """Every weight and bias starts as ``value``: hand calculations, and symmetry that never breaks.

    Examples
    --------
    >>> constant(0.5).biases(np.random.default_rng(0), 2)
    array([0.5, 0.5])
    """
    return Initializer(
        f"constant({value})",
        lambda rng, n_out, n_in: np.full((n_out, n_in), float(value)),
        lambda rng, n_out: np.full(n_out, float(value)),
        f"every weight and bias is {value}",
    )


INITIALIZERS: dict[str, Initializer] = {
    record.name: record
    for record in (
        # Nielsen, ch. 1
        Initializer(
            "standard_normal",
            lambda rng, n_out, n_in: rng.standard_normal((n_out, n_in)),
            _normal_biases,
            "weights and biases from N(0, 1)",
        ),
        # Nielsen, ch. 3, "Weight initialization"
        Initializer(
            "scaled_normal",
            lambda rng, n_out, n_in: rng.standard_normal((n_out, n_in)) / math.sqrt(n_in),
            _normal_biases,
            "weights from N(0, 1/fan-in), biases from N(0, 1)",
        ),
        # Glorot & Bengio, Understanding the difficulty of training deep feedforward networks, 2010
        Initializer(
            "xavier_uniform",
            lambda rng, n_out, n_in: _uniform(math.sqrt(6 / (n_in + n_out)))(rng, (n_out, n_in)),
            _zero_biases,
            "weights from ±√(6/(fan-in + fan-out)), biases 0",
        ),
        Initializer(
            "xavier_normal",
            lambda rng, n_out, n_in: (
                rng.standard_normal((n_out, n_in)) * math.sqrt(2 / (n_in + n_out))
            ),
            _zero_biases,
            "weights from N(0, 2/(fan-in + fan-out)), biases 0",
        ),
        # He et al., Delving deep into rectifiers, 2015
        Initializer(
            "he_uniform",
            lambda rng, n_out, n_in: _uniform(math.sqrt(6 / n_in))(rng, (n_out, n_in)),
            _zero_biases,
            "weights from ±√(6/fan-in), biases 0",
        ),
        Initializer(
            "he_normal",
            lambda rng, n_out, n_in: rng.standard_normal((n_out, n_in)) * math.sqrt(2 / n_in),
            _zero_biases,
            "weights from N(0, 2/fan-in), biases 0",
        ),
        # Saxe et al., Exact solutions to the nonlinear dynamics of learning, 2014
        Initializer(
            "orthogonal",
            _orthogonal,
            _zero_biases,
            "a random matrix with orthonormal rows or columns, biases 0",
        ),
        Initializer(
            "zeros",
            lambda rng, n_out, n_in: np.zeros((n_out, n_in)),
            _zero_biases,
            "every weight and bias is 0",
        ),
    )
}


def get_initializer(choice: Any) -> Initializer:
    """The initializer that a name, a number (a constant) or a record stands for.

    Raises
    ------
    UnknownNameError
        For a name that :data:`INITIALIZERS` does not hold.
    InputError
        For anything that is neither a name, a finite number nor a record.
    """
    if isinstance(choice, Initializer):
        return choice
    if isinstance(choice, str):
        try:
            return INITIALIZERS[choice]
        except KeyError:
            raise unknown_name("initializer", choice, INITIALIZERS) from None
    if is_number(choice):
        return constant(float(choice))
    raise InputError(
        f"an initializer is a name ({', '.join(INITIALIZERS)}), a number for a constant start, or "
        f"a cp.Initializer; given {choice!r}"
    )
