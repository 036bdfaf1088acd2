"""Far into saturation every number is finite and right, and nothing warns.

What is right is worked out with mpmath from the definitions, with 60 digits: the loss C_x and the
error δ^L of every activation with every loss. "The logarithm" of an output is the logarithm itself
where the activation keeps it positive (log a of a sigmoid, a softplus or a softmax; log(1 - a) of a
sigmoid, a tanh or a softmax), and elsewhere continued by its tangent below ε, as the module of the
losses says. At a kink the slope is the one that the activation states.

How right: to 64 units of rounding, relative; or absolute, where the number itself is a small
difference of numbers around 1, such as a - y or the slope a (1 - a) of a saturated neuron. Then 8
units are allowed of what that slope is multiplied with, but at least of 1.
"""

import functools
import itertools
import warnings

import mpmath as mp
import numpy as np
import pytest

import clearprop as cp
from clearprop.activations import ACTIVATIONS
from clearprop.losses import LOSSES

POINTS = (0.0, 1.0, -1.0, 40.0, -40.0, 800.0, -800.0, 1e4, -1e4)
TARGETS = (
    (1, 0, 0),
    (0, 1, 0),
    (0.25, 0.375, 0.375),  # no output rounds to these: the loss |a - y| has its kink at a = y
    (0.375, 0.25, 1),
    (1, 1, 1),
    (0, 0, 0),
    (-0.5, 1.5, 0.75),
)
DTYPES = ("float64", "float32")

every_dtype = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture(autouse=True)
def _nothing_warns():
    # An underflow to 0 is what a saturated neuron means.
    with np.errstate(all="raise", under="ignore"), warnings.catch_warnings(), mp.workdps(60):
        warnings.simplefilter("error")
        yield


# --- The definitions, exactly --------------------------------------------------------------------


def sigma(z):
    return 1 / (1 + mp.exp(-z))


def normal(z):
    """The probability below z, and its density at z."""
    return mp.erfc(-z / mp.sqrt(2)) / 2, mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


# z -> a, 1 - a, f'(z)
DEFINITIONS = {
    "identity": lambda z: (z, 1 - z, mp.mpf(1)),
    "sigmoid": lambda z: (sigma(z), sigma(-z), sigma(z) * sigma(-z)),
    "tanh": lambda z: (mp.tanh(z), 2 * sigma(-2 * z), 4 * sigma(2 * z) * sigma(-2 * z)),
    "relu": lambda z: (max(z, 0), 1 - max(z, 0), mp.mpf(z > 0)),
    "leaky_relu": lambda z: (z, 1 - z, mp.mpf(1)) if z > 0 else (LEAK * z, 1 - LEAK * z, LEAK),
    "elu": lambda z: (z, 1 - z, mp.mpf(1)) if z > 0 else (mp.expm1(z), 2 - mp.exp(z), mp.exp(z)),
    "softplus": lambda z: (mp.log1p(mp.exp(z)), 1 - mp.log1p(mp.exp(z)), sigma(z)),
    "silu": lambda z: (z * sigma(z), 1 - z * sigma(z), sigma(z) + z * sigma(z) * sigma(-z)),
    "gelu": lambda z: (
        z * normal(z)[0],
        1 - z * normal(z)[0],
        normal(z)[0] + z * normal(z)[1],
    ),
}
DEFINED = (*DEFINITIONS, "softmax")
DEFINED_LOSSES = ("quadratic", "absolute", "huber", "cross_entropy", "binary_cross_entropy")
LEAK = mp.mpf(0.01)  # the double, which is what the definition says

POSITIVE = {
    "log a": ("sigmoid", "softplus", "softmax"),
    "log(1 - a)": ("sigmoid", "tanh", "softmax"),
}


@functools.cache
def output(activation, z):
    """a and 1 - a of the neurons of one sample, and how an error g of a becomes one of z."""
    z = [mp.mpf(one) for one in z]
    if activation == "softmax":
        powers = [mp.exp(one - max(z)) for one in z]
        a = [p / sum(powers) for p in powers]
        rest = [sum(a[:j]) + sum(a[j + 1 :]) for j in range(len(a))]

        def pull(g):
            flow = [gj * aj for gj, aj in zip(g, a, strict=True)]
            return [
                a[j] * (g[j] * rest[j] - sum(flow[:j]) - sum(flow[j + 1 :])) for j in range(len(a))
            ]

        return a, rest, pull
    a, rest, slopes = zip(*(DEFINITIONS[activation](one) for one in z), strict=True)
    return a, rest, lambda g: [gj * fj for gj, fj in zip(g, slopes, strict=True)]


def log(x, *, positive, edge):
    """The logarithm and its slope; continued below the edge unless x is sure to be positive."""
    if positive or x >= edge:
        return mp.log(x), 1 / x
    return mp.log(edge) + (x - edge) / edge, 1 / edge


def judge(loss, activation, a, rest, y, edge):
    """One output's part of C_x, and its derivative with respect to a."""
    r = a - y
    if loss == "quadratic":
        return r * r / 2, r
    if loss == "absolute":
        return abs(r), mp.sign(r)
    if loss == "huber":
        return (r * r / 2, r) if abs(r) <= 1 else (abs(r) - mp.mpf(1) / 2, mp.sign(r))
    log_a, slope_a = log(a, positive=activation in POSITIVE["log a"], edge=edge)
    if loss == "cross_entropy":
        return -y * log_a, -y * slope_a
    log_b, slope_b = log(rest, positive=activation in POSITIVE["log(1 - a)"], edge=edge)
    return -y * log_a - (1 - y) * log_b, (1 - y) * slope_b - y * slope_a


# --- The tests -----------------------------------------------------------------------------------


def extremes(activation, dtype):
    """Extreme z of a layer: all pairs, or all triples where the neurons are coupled."""
    n = 2 if ACTIVATIONS[activation].elementwise else 3
    return np.array(list(itertools.product(POINTS, repeat=n)), dtype=dtype)


def saturated(activation, loss, dtype):
    """A layer with extreme z, each pair with every target and each triple with one; its Trace."""
    z = extremes(activation, dtype)
    n = z.shape[1]
    z = np.repeat(z, len(TARGETS) if n == 2 else 1, axis=0)
    y = np.resize(np.array(TARGETS)[:, :n], z.shape)
    net = cp.Network([n, n], activations=activation, loss=loss, dtype=dtype)
    net.weights[2], net.biases[2] = np.eye(n), np.zeros(n)
    trace = net.backprop(z, y)
    assert np.array_equal(trace.z[2], z)
    return trace


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@every_dtype
def test_every_number_of_the_pass_is_finite(activation, loss, dtype):
    trace = saturated(activation, loss, dtype)
    assert trace.first_non_finite() is None
    assert np.isfinite(trace.loss)


@pytest.mark.parametrize("loss", DEFINED_LOSSES)
@pytest.mark.parametrize("activation", DEFINED)
@every_dtype
def test_loss_and_error_are_right(activation, loss, dtype):
    trace = saturated(activation, loss, dtype)
    unit = float(np.finfo(dtype).eps)
    edge = mp.sqrt(mp.mpf(float(np.finfo(dtype).smallest_normal)))
    for x, (z, y) in enumerate(zip(trace.z[2].tolist(), trace.y.tolist(), strict=True)):
        a, rest, pull = output(activation, tuple(z))
        terms, g = zip(
            *(
                judge(loss, activation, *one, edge)
                for one in zip(a, rest, map(mp.mpf, y), strict=True)
            ),
            strict=True,
        )
        C, delta = sum(terms), pull(g)
        fused = activation in LOSSES[loss].fused
        strength = 1 if fused else max(1, *map(abs, g))
        where = f"z = {trace.z[2][x]}, y = {trace.y[x]}"
        check(trace.sample_losses[x], C, 64 * unit, 8 * unit, f"C at {where}")
        for j, right in enumerate(delta):
            check(trace.delta[2][x, j], right, 64 * unit, 8 * unit * strength, f"δ[{j}] at {where}")


def check(found, right, relative, absolute, what):
    off = abs(mp.mpf(float(found)) - right)
    assert off <= relative * abs(right) + absolute, (
        f"{what} is {found}; expected {mp.nstr(right, 20)}"
    )


@pytest.mark.parametrize("activation", DEFINED)
@every_dtype
def test_activation_and_pullback_are_right(activation, dtype):
    unit = float(np.finfo(dtype).eps)
    z = extremes(activation, dtype)
    g = np.broadcast_to(np.array([1.0, -0.5, 2.0], dtype=dtype)[: z.shape[1]], z.shape)
    f = ACTIVATIONS[activation]
    a = f(z)
    pulled = f.pullback(z, a, g)
    assert a.dtype == pulled.dtype == dtype
    for x, row in enumerate(z.tolist()):
        values, _, pull = output(activation, tuple(row))
        slopes = pull([mp.mpf(one) for one in g[x].tolist()])
        for j, (value, slope) in enumerate(zip(values, slopes, strict=True)):
            check(a[x, j], value, 64 * unit, unit, f"a[{j}] at z = {row}")
            check(pulled[x, j], slope, 64 * unit, 8 * unit, f"Jᵀg[{j}] at z = {row}")
