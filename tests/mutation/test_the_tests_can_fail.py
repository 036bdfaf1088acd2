"""The comparisons of ``conformance`` would notice: each catches every fault that is planted here.

A fault is a function that damages one equation or one row of a table by monkeypatching. Some are
the mistakes that people make; the others are a factor that is wrong by 1e-8 in any one place.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import pytest
from conformance.cases import smooth_case
from conformance.truths import TOLERANCE, TRUTHS, disagreement, from_trace

import clearprop as cp
from clearprop import equations
from clearprop.activations import ACTIVATIONS
from clearprop.arrays import exp, where
from clearprop.engines import _base, reference
from clearprop.losses import LOSSES

SLIGHTLY = 1 + 1e-8


def case_of(activation, loss):
    """Two weighted samples, three layers of three neurons: every matrix is square.

    With other shapes many a fault would not even run.
    """
    net = cp.Network([3, 3, 3, 3], activations=activation, loss=loss)
    case = smooth_case(net, 2, np.random.default_rng(1), weighted=True)
    assert case is not None
    return case


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is damaged, and a network that uses it."""

    name: str
    plant: Callable[[pytest.MonkeyPatch], None]
    activation: str = "sigmoid"
    loss: str = "quadratic"


# --- How to damage something ---------------------------------------------------------------------


def equation(name, damaged):
    """Put ``damaged`` in the place of an equation, wherever it is called from."""

    def plant(monkeypatch):
        for module in (equations, reference):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, damaged)

    return plant


def activation(name, **damaged):
    """Put an activation with another derivative in the place of a row."""
    if ACTIVATIONS[name].elementwise:
        damaged.setdefault("pullback", None)  # which makes it of df again

    def plant(monkeypatch):
        row = dataclasses.replace(ACTIVATIONS[name], **damaged)
        monkeypatch.setitem(ACTIVATIONS, name, row)

    return plant


def loss(name, **damaged):
    """Put a loss with another value or gradient in the place of a row."""
    return lambda monkeypatch: monkeypatch.setitem(
        LOSSES, name, dataclasses.replace(LOSSES[name], **damaged)
    )


def fused(name, with_activation, **damaged):
    """Put another fused pair in the place of one."""
    pair = dataclasses.replace(LOSSES[name].fused[with_activation], **damaged)
    return loss(name, fused={**LOSSES[name].fused, with_activation: pair})


# --- Mistakes that people make -------------------------------------------------------------------


def gradient_from_the_layer_itself(monkeypatch):
    """BP4 with a^l where a^{l-1} belongs."""
    seen = []

    def forward(W, b, a_before):
        seen.append(a_before)
        return equations.forward(W, b, a_before)

    def bp4(delta, a_before, weight=None):
        places = [i for i, a in enumerate(seen) if a is a_before]
        own = seen[places[-1] + 1] if places[-1] + 1 < len(seen) else a_before
        return equations.bp4(delta, own, weight)

    monkeypatch.setattr(reference, "forward", forward)
    monkeypatch.setattr(reference, "bp4", bp4)


def sum_for_mean(monkeypatch):
    """The division by m is forgotten."""

    def as_trace(architecture, sums, keep):
        kept = {**sums.kept, "gradient": sums.gradient}
        return cp.Trace(
            architecture, keep=keep, loss=sums.loss / sums.count, count=sums.count, **kept
        )

    monkeypatch.setattr(_base, "as_trace", as_trace)


bp1, bp2, bp3, bp4 = equations.bp1, equations.bp2, equations.bp3, equations.bp4
softmax_pullback = ACTIVATIONS["softmax"].pullback


def sigma(z):
    return 1 / (1 + exp(-z))


MISTAKES = [
    Fault("BP1 without f'", equation("bp1", lambda f, z, a, g: g)),
    Fault("BP1 with f'(a)", equation("bp1", lambda f, z, a, g: bp1(f, a, f(a), g))),
    Fault("BP1 of y - a", equation("bp1", lambda f, z, a, g: bp1(f, z, a, -g))),
    Fault(
        "BP2 without the transpose",
        equation("bp2", lambda f, z, a, W, d, mask=None: bp2(f, z, a, W.T, d, mask)),
    ),
    Fault("BP2 without f'", equation("bp2", lambda f, z, a, W, d, mask=None: d @ W)),
    Fault(
        "BP2 with f'(a)",
        equation("bp2", lambda f, z, a, W, d, mask=None: bp2(f, a, f(a), W, d, mask)),
    ),
    Fault(
        "BP2 with weights that are updated already",
        equation("bp2", lambda f, z, a, W, d, mask=None: bp2(f, z, a, 0.99 * W, d, mask)),
    ),
    Fault(
        "BP2 with the samples mixed up",
        equation("bp2", lambda f, z, a, W, d, mask=None: bp2(f, z, a, W, d[::-1], mask)),
    ),
    Fault("BP3 of one sample", equation("bp3", lambda d, w=None: bp3(d[:1], w[:1]))),
    Fault("BP3 without the last sample", equation("bp3", lambda d, w=None: bp3(d[:-1], w[:-1]))),
    Fault("BP3 as a mean", equation("bp3", lambda d, w=None: bp3(d, w) / len(d))),
    Fault("BP3 without the sample weights", equation("bp3", lambda d, w=None: bp3(d))),
    Fault("BP4 with the activation of the layer itself", gradient_from_the_layer_itself),
    Fault("BP4 transposed", equation("bp4", lambda d, a, w=None: bp4(d, a, w).T)),
    Fault("BP4 of one sample", equation("bp4", lambda d, a, w=None: bp4(d[:1], a[:1], w[:1]))),
    Fault("BP4 as a mean", equation("bp4", lambda d, a, w=None: bp4(d, a, w) / len(d))),
    Fault("BP4 without the sample weights", equation("bp4", lambda d, a, w=None: bp4(d, a))),
    Fault("BP4 without δ", equation("bp4", lambda d, a, w=None: bp4(0 * d + 1, a, w))),
    Fault("a sum where the mean belongs", sum_for_mean),
    Fault("identity' = z", activation("identity", df=lambda z, a: z), "identity"),
    Fault("σ' of a", activation("sigmoid", df=lambda z, a: sigma(a) * (1 - sigma(a)))),
    Fault("σ' = a", activation("sigmoid", df=lambda z, a: a)),
    Fault("σ' = z (1 - z)", activation("sigmoid", df=lambda z, a: z * (1 - z))),
    Fault("tanh' = 1 - a", activation("tanh", df=lambda z, a: 1 - a), "tanh"),
    Fault("tanh' = 1 - z²", activation("tanh", df=lambda z, a: 1 - z * z), "tanh"),
    Fault("relu' = 1", activation("relu", df=lambda z, a: 0 * z + 1), "relu"),
    Fault("relu' on the wrong side", activation("relu", df=lambda z, a: 1.0 * (z < 0)), "relu"),
    Fault(
        "leaky relu' without the leak",
        activation("leaky_relu", df=lambda z, a: 1.0 * (z > 0)),
        "leaky_relu",
    ),
    Fault("elu' = a", activation("elu", df=lambda z, a: where(z > 0, 0 * z + 1, a)), "elu"),
    Fault("softplus' = a", activation("softplus", df=lambda z, a: a), "softplus"),
    Fault("silu' = σ", activation("silu", df=lambda z, a: sigma(z)), "silu"),
    Fault("gelu' = a / z", activation("gelu", df=lambda z, a: a / z), "gelu"),
    Fault(
        "softmax' without its coupling",
        activation("softmax", pullback=lambda z, a, g: g * a * (1 - a)),
        "softmax",
    ),
    Fault(
        "softmax' with the wrong sign",
        activation("softmax", pullback=lambda z, a, g: -softmax_pullback(z, a, g)),
        "softmax",
    ),
    Fault("quadratic' = y - a", loss("quadratic", gradient=lambda a, y: y - a)),
    Fault("quadratic' = 2 (a - y)", loss("quadratic", gradient=lambda a, y: 2 * (a - y))),
    Fault("quadratic as a mean over outputs", loss("quadratic", gradient=lambda a, y: (a - y) / 3)),
    Fault("absolute' = a - y", loss("absolute", gradient=lambda a, y: a - y), loss="absolute"),
    Fault("huber' = a - y", loss("huber", gradient=lambda a, y: a - y), "identity", "huber"),
    Fault(
        "cross-entropy' = -1/a",
        loss("cross_entropy", gradient=lambda a, y: -1 / a),
        "gelu",
        "cross_entropy",
    ),
    Fault(
        "cross-entropy of softmax: a - y though Σy is not 1",
        fused("cross_entropy", "softmax", delta=lambda z, a, y: a - y),
        "softmax",
        "cross_entropy",
    ),
    Fault(
        "cross-entropy of sigmoid as if it were the binary one",
        fused("cross_entropy", "sigmoid", delta=lambda z, a, y: a - y),
        loss="cross_entropy",
    ),
    Fault(
        "binary cross-entropy without 1 - y",
        fused("binary_cross_entropy", "sigmoid", delta=lambda z, a, y: -y * (1 - a)),
        loss="binary_cross_entropy",
    ),
    Fault(
        "binary cross-entropy: f' once too often",
        fused("binary_cross_entropy", "sigmoid", delta=lambda z, a, y: (a - y) * a * (1 - a)),
        loss="binary_cross_entropy",
    ),
    Fault(
        "binary cross-entropy of softmax as if of sigmoid",
        fused("binary_cross_entropy", "softmax", delta=lambda z, a, y: a - y),
        "softmax",
        "binary_cross_entropy",
    ),
]


# --- A factor that is wrong by 1e-8, in any one place --------------------------------------------


def slightly(function):
    return lambda *given: SLIGHTLY * function(*given)


SLIPS = [
    *(
        Fault(f"{name} times {SLIGHTLY}", equation(name, slightly(getattr(equations, name))))
        for name in ("bp1", "bp2", "bp3", "bp4")
    ),
    *(
        Fault(f"{name}' times {SLIGHTLY}", activation(name, pullback=slightly(row.pullback)), name)
        for name, row in ACTIVATIONS.items()
    ),
    *(
        # identity is fused with no loss
        Fault(
            f"{name}' times {SLIGHTLY}",
            loss(name, gradient=slightly(row.gradient)),
            "identity",
            name,
        )
        for name, row in LOSSES.items()
    ),
    *(
        Fault(
            f"δ of {name} with {one} times {SLIGHTLY}",
            fused(name, one, delta=slightly(pair.delta)),
            one,
            name,
        )
        for name, row in LOSSES.items()
        for one, pair in row.fused.items()
    ),
    *(
        Fault(
            f"{name} of {one} times {SLIGHTLY}",
            fused(name, one, value=slightly(pair.value)),
            one,
            name,
        )
        for name, row in LOSSES.items()
        for one, pair in row.fused.items()
    ),
]


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("fault", [*MISTAKES, *SLIPS], ids=lambda fault: fault.name)
def test_the_fault_is_caught(fault, truth, monkeypatch):
    parameters, sound = without_fault(truth, fault.activation, fault.loss)
    assert sound <= TOLERANCE

    fault.plant(monkeypatch)
    case = case_of(fault.activation, fault.loss)
    assert np.array_equal(case.net.parameters, parameters)
    assert disagreement(from_trace(case.backprop()), TRUTHS[truth](case)) > TOLERANCE


@functools.cache
def without_fault(truth, activation, loss):
    """The parameters of the case, and the disagreement when all is as it should be."""
    case = case_of(activation, loss)
    return case.net.parameters, disagreement(from_trace(case.backprop()), TRUTHS[truth](case))
