r"""Loss functions: records, and the table of them.

A loss gives, for one sample, one *term* per output neuron; the sample's loss :math:`C_x` is their
sum, and the loss of a batch is the mean of :math:`C_x` (the book's assumption (a)). Its gradient is
taken with respect to the output :math:`a^L` (assumption (b)), so any loss goes with any activation:
BP1 multiplies the two.

Some pairs cancel: with a sigmoid, the 1/(a(1-a)) of the cross-entropy meets the a(1-a) of
:math:`\sigma'`. A *fused* pair computes the loss and :math:`\delta^L` from z, which is the same
number, and still exact where a has rounded to 0 or 1.

The logarithm of an output that is no probability (0 from a relu, -1 from a tanh) does not exist.
Below :func:`~clearprop.arrays.tiny_root` (1.5e-154 in float64) the logarithm is continued by its
tangent, so that loss and gradient stay finite, agree with each other, and point the right way. An
activation that keeps its output a probability is fused: its pairs have the logarithm itself.

To add one, add a row to :data:`LOSSES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clearprop.arrays import (
    Array,
    exp,
    log,
    log1p,
    max_last,
    maximum,
    minimum,
    sign,
    sum_last,
    tanh,
    tiny_root,
    where,
)
from clearprop.errors import InputError, unknown_name

__all__ = ["LOSSES", "Fused", "Loss", "get_loss"]


@dataclass(frozen=True)
class Fused:
    r"""A loss and :math:`\delta^L` computed from the weighted input of one activation.

    Parameters
    ----------
    value : callable
        ``value(z, y) -> terms`` of shape (m, n_L).
    delta : callable
        ``delta(z, a, y) -> δ^L`` of shape (m, n_L): BP1 with the activation's derivative cancelled.
    latex : str
        :math:`\delta^L` for people.
    """

    value: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array, Array], Array]
    latex: str


@dataclass(frozen=True)
class Loss:
    r"""A loss :math:`C_x(a^L, y)` and its gradient.

    Parameters
    ----------
    name : str
        The name by which messages, tables and model files call it.
    value : callable
        ``value(a, y) -> terms`` of shape (m, n_L), one per output neuron; their sum over the last
        axis is :math:`C_x`.
    gradient : callable
        ``gradient(a, y) -> ∂C_x/∂a`` of shape (m, n_L).
    latex, gradient_latex : str
        One term and its derivative for people.
    domain : tuple of float
        The outputs for which the loss is meant; outside it is continued, see the module's text.
    kinks : bool
        Whether the gradient jumps somewhere.
    analytic : bool
        Whether the loss is an analytic function of a, so that a complex step can differentiate it.
    separable : bool
        Whether term j depends on output j alone. A loss that couples the outputs says False; then
        ``value`` may also return one column, the whole of :math:`C_x`.
    fused : Mapping[str, Fused]
        For the name of an activation, the safer way to the same numbers.

    Raises
    ------
    InputError
        For an unusable name or function.

    Examples
    --------
    >>> import numpy as np
    >>> a, y = np.array([[0.75, 0.25]]), np.array([[1.0, 0.0]])
    >>> LOSSES["quadratic"].value(a, y)
    array([[0.03125, 0.03125]])
    >>> cubic = Loss("cubic", lambda a, y: abs(a - y) ** 3, lambda a, y: 3 * (a - y) * abs(a - y))
    >>> cubic.gradient(a, y)
    array([[-0.1875,  0.1875]])
    """

    name: str
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    latex: str = ""
    gradient_latex: str = ""
    domain: tuple[float, float] = (float("-inf"), float("inf"))
    kinks: bool = False
    analytic: bool = False
    separable: bool = True
    fused: Mapping[str, Fused] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        # Any: what a person gives is of any type, whatever is declared above.
        name: Any = self.name
        if not isinstance(name, str) or not name:
            raise InputError(f"a loss's name is {name!r}; expected a text")
        for what, function in (("value", self.value), ("gradient", self.gradient)):
            if not callable(function):
                raise InputError(
                    f"{what} of the loss {name!r} is {function!r}; expected a function"
                )

    def __repr__(self) -> str:
        return f"<loss {self.name}>"


# --- the definitions -----------------------------------------------------------------------------


def _quadratic(a: Array, y: Array) -> Array:
    return 0.5 * (a - y) * (a - y)


def _d_quadratic(a: Array, y: Array) -> Array:
    return a - y


def _absolute(a: Array, y: Array) -> Array:
    return abs(a - y)


def _d_absolute(a: Array, y: Array) -> Array:
    return sign(a - y)


def _huber(a: Array, y: Array) -> Array:
    r = abs(a - y)
    return where(r <= 1, 0.5 * r * r, r - 0.5)


def _d_huber(a: Array, y: Array) -> Array:
    return maximum(minimum(a - y, 1.0), -1.0)


def _safe_log(a: Array) -> Array:
    """log a, continued by its tangent below the smallest probability of interest."""
    e = tiny_root(a)
    return log(maximum(a, e)) + minimum(a - e, 0.0) / e


def _d_safe_log(a: Array) -> Array:
    return 1 / maximum(a, tiny_root(a))


def _cross_entropy(a: Array, y: Array) -> Array:
    return -y * _safe_log(a)


def _d_cross_entropy(a: Array, y: Array) -> Array:
    return -y * _d_safe_log(a)


def _binary_cross_entropy(a: Array, y: Array) -> Array:
    return -(y * _safe_log(a) + (1 - y) * _safe_log(1 - a))


def _d_binary_cross_entropy(a: Array, y: Array) -> Array:
    return (1 - y) * _d_safe_log(1 - a) - y * _d_safe_log(a)


def _softplus(z: Array) -> Array:
    return maximum(z, 0.0) + log1p(exp(-abs(z)))


def _sigmoid(z: Array) -> Array:
    return 1 / (1 + exp(-z))


def _log_softmax(z: Array) -> Array:
    # Only the distances from the largest z matter; z itself may be so large that it drowns them.
    z = z - max_last(z)
    return z - log(sum_last(exp(z)))


def _cross_entropy_softmax(z: Array, y: Array) -> Array:
    return -y * _log_softmax(z)


def _cross_entropy_softmax_delta(z: Array, a: Array, y: Array) -> Array:
    return a * sum_last(y) - y


def _cross_entropy_sigmoid(z: Array, y: Array) -> Array:
    return y * _softplus(-z)


def _cross_entropy_sigmoid_delta(z: Array, a: Array, y: Array) -> Array:
    return -y * _sigmoid(-z)  # 1 - a, without its rounding


def _binary_sigmoid(z: Array, y: Array) -> Array:
    # y log(1 + e^-z) + (1 - y) log(1 + e^z)
    return _softplus(z) - y * z


def _binary_sigmoid_delta(z: Array, a: Array, y: Array) -> Array:
    return a - y


def _log_softplus(z: Array) -> Array:
    # softplus(z) → e^z far to the left; the two agree to rounding from -37 on.
    return where(z < -37, z, log(_softplus(maximum(z, -37.0))))


def _cross_entropy_softplus(z: Array, y: Array) -> Array:
    return -y * _log_softplus(z)


def _cross_entropy_softplus_delta(z: Array, a: Array, y: Array) -> Array:
    near = maximum(z, -37.0)
    return -y * _sigmoid(near) / _softplus(near)


def _binary_tanh(z: Array, y: Array) -> Array:
    # 1 - tanh z = 2 / (1 + e^{2z})
    return (1 - y) * (_softplus(2 * z) - _LOG_2) - y * _safe_log(tanh(z))


def _binary_tanh_delta(z: Array, a: Array, y: Array) -> Array:
    above, below = 2 * _sigmoid(2 * z), 2 * _sigmoid(-2 * z)  # 1 + a and 1 - a, unrounded
    return (1 - y) * above - y * above * below * _d_safe_log(a)


def _binary_softplus(z: Array, y: Array) -> Array:
    return -y * _log_softplus(z) - (1 - y) * _safe_log(1 - _softplus(z))


def _binary_softplus_delta(z: Array, a: Array, y: Array) -> Array:
    return (1 - y) * _sigmoid(z) * _d_safe_log(1 - a) + _cross_entropy_softplus_delta(z, a, y)


def _others(z: Array) -> tuple[Array, Array, Array]:
    """For z whose largest is 0: which neuron alone is there, and what the neurons below it are.

    1 - a_j of a softmax is the sum over the other neurons. Only for the single largest neuron does
    subtracting from 1 lose digits; for it the others are summed on their own. They are given as the
    largest z of them, and the sum (at least 1) of e^z relative to that one.
    """
    below = z < 0
    second = max_last(where(below, z, -1e30))
    total = maximum(sum_last(where(below, exp(z - second), 0.0)), 1.0)
    alone = (z >= 0) & (sum_last(where(below, z * 0.0, 1.0)) < 1.5)
    return alone, second, total


def _binary_softmax(z: Array, y: Array) -> Array:
    if z.shape[-1] == 1:  # the only neuron is 1 whatever its z
        return _binary_cross_entropy(z * 0.0 + 1.0, y)
    z = z - max_last(z)
    alone, second, total = _others(z)
    log_a = _log_softmax(z)
    a = exp(log_a)
    # 1 - a is the sum of the others over that of all; the largest neuron's own part of it is e^0.
    log_complement = where(alone, second + log(total) + log_a, log1p(-where(alone, 0.0 * a, a)))
    return -y * log_a - (1 - y) * log_complement


def _binary_softmax_delta(z: Array, a: Array, y: Array) -> Array:
    # δ_j = (a_j - y_j) - Σ_{k≠j} (a_k - y_k) a_j / (1 - a_k); for the largest k the quotient is
    # e^{z_j} over the sum of the others, which exists even where 1 - a_k has rounded to 0.
    if z.shape[-1] == 1:
        return z * 0.0
    z = z - max_last(z)
    alone, second, total = _others(z)
    u = where(alone, 0.0 * a, (a - y) / where(alone, 0.0 * a + 1.0, 1 - a))
    largest = sum_last(where(alone, a - y, 0.0))
    share = where(alone, 0.0 * a, exp(minimum(z - second, 0.0)) / total)
    return (a - y) - a * (sum_last(u) - u) - share * largest


_LOG_2 = 0.6931471805599453

LOSSES: dict[str, Loss] = {
    record.name: record
    for record in (
        # Nielsen, ch. 1 (6), with the ½ of each sample
        Loss(
            "quadratic",
            _quadratic,
            _d_quadratic,
            latex=r"\tfrac12 (a_j - y_j)^2",
            gradient_latex=r"a_j - y_j",
            analytic=True,
        ),
        Loss(
            "absolute",
            _absolute,
            _d_absolute,
            latex=r"|a_j - y_j|",
            gradient_latex=r"\operatorname{sign}(a_j - y_j)",
            kinks=True,
        ),
        # The negative log-likelihood of one class: -yᵀ log a
        Loss(
            "cross_entropy",
            _cross_entropy,
            _d_cross_entropy,
            latex=r"-y_j \ln a_j",
            gradient_latex=r"-\frac{y_j}{a_j}",
            domain=(0.0, float("inf")),
            analytic=True,
            fused={
                "softmax": Fused(
                    _cross_entropy_softmax,
                    _cross_entropy_softmax_delta,
                    r"a_j \textstyle\sum_k y_k - y_j",
                ),
                "sigmoid": Fused(
                    _cross_entropy_sigmoid, _cross_entropy_sigmoid_delta, r"-y_j\,(1 - a_j)"
                ),
                "softplus": Fused(
                    _cross_entropy_softplus,
                    _cross_entropy_softplus_delta,
                    r"-y_j\,\frac{\sigma(z_j)}{a_j}",
                ),
            },
        ),
        # Nielsen, ch. 3 (63): every output is a probability of its own
        Loss(
            "binary_cross_entropy",
            _binary_cross_entropy,
            _d_binary_cross_entropy,
            latex=r"-\left(y_j \ln a_j + (1 - y_j) \ln(1 - a_j)\right)",
            gradient_latex=r"\frac{1 - y_j}{1 - a_j} - \frac{y_j}{a_j}",
            domain=(0.0, 1.0),
            analytic=True,
            fused={
                "sigmoid": Fused(_binary_sigmoid, _binary_sigmoid_delta, r"a_j - y_j"),
                "softmax": Fused(
                    _binary_softmax,
                    _binary_softmax_delta,
                    r"(a_j - y_j) - \textstyle\sum_{k \ne j} \frac{(a_k - y_k)\,a_j}{1 - a_k}",
                ),
                "tanh": Fused(
                    _binary_tanh,
                    _binary_tanh_delta,
                    r"(1 - y_j)(1 + a_j) - y_j\,\frac{1 - a_j^2}{a_j}",
                ),
                "softplus": Fused(
                    _binary_softplus,
                    _binary_softplus_delta,
                    r"\sigma(z_j)\left(\frac{1 - y_j}{1 - a_j} - \frac{y_j}{a_j}\right)",
                ),
            },
        ),
        # Huber, Robust estimation of a location parameter, 1964, with δ = 1
        Loss(
            "huber",
            _huber,
            _d_huber,
            latex=r"\tfrac12 r_j^2 \text{ if } |r_j| \le 1 \text{ else } |r_j| - \tfrac12,"
            r"\ r_j = a_j - y_j",
            gradient_latex=r"\max(-1, \min(1, a_j - y_j))",
        ),
    )
}


def get_loss(choice: Any) -> Loss:
    """The loss that a name or a record stands for.

    Raises
    ------
    UnknownNameError
        For a name that :data:`LOSSES` does not hold.
    InputError
        For anything that is neither a name nor a record.
    """
    if isinstance(choice, Loss):
        return choice
    if isinstance(choice, str):
        try:
            return LOSSES[choice]
        except KeyError:
            raise unknown_name("loss", choice, LOSSES) from None
    raise InputError(f"a loss is a name ({', '.join(LOSSES)}) or a cp.Loss; given {choice!r}")
