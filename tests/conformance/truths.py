"""The same numbers by other means: differences of the loss, and other people's differentiation.

Each truth takes a Case and gives a dict: ``"sample_losses"``, and ``(quantity, layer)`` for the
errors δ and the gradients. The definitions for PyTorch and JAX are written out here, and share no
line with those of clearprop; a row of a table that has none here is differentiated through its own
f.
"""

import contextlib
import math

import numpy as np
import pytest

from clearprop.equations import loss_terms

# How far the two may be apart, relatively.
TOLERANCE = 1e-10

TINY = math.sqrt(np.finfo(np.float64).tiny)


def from_trace(trace):
    """What clearprop says, in the form of a truth."""
    found = {"sample_losses": trace.sample_losses}
    for quantity in ("delta", "grad_weights", "grad_biases"):
        for layer, value in getattr(trace, quantity).items():
            found[quantity, layer] = value
    return found


def disagreement(found, truth):
    """The largest relative difference, over the losses and every error and gradient.

    Relative to the largest number of its array (of its sample, for δ): an element that is a
    difference of larger numbers has no digits of its own. Where a whole array vanishes before the
    loss or before those of other layers, 1/100 of these is what counts; and 1/100 for a loss that
    is smaller than that.
    """
    C = np.abs(truth["sample_losses"])
    worst = _relative(found["sample_losses"] - truth["sample_losses"], C, 1e-2)
    for quantities, axis, loss in (
        (("delta",), 1, C),
        (("grad_weights", "grad_biases"), None, C.max()),
    ):
        keys = [key for key in truth if key[0] in quantities]
        sizes = {key: np.abs(truth[key]).max(axis=axis) for key in keys}
        floor = 1e-2 * np.maximum(loss, np.max(list(sizes.values()), axis=0))
        for key in keys:
            off = np.abs(found[key] - truth[key]).max(axis=axis)
            worst = max(worst, _relative(off, sizes[key], floor))
    return worst


def _relative(off, size, floor):
    scale = np.maximum(size, floor)
    # Nothing is to be compared with: then only nothing is right.
    relative = np.abs(off) / np.where(scale > 0, scale, np.finfo(np.float64).tiny)
    return float(np.max(np.where(np.isnan(relative), np.inf, relative)))


# --- Differences of the loss ---------------------------------------------------------------------

# Central differences of order 10: f'(p) ≈ Σ c_k (f(p + kh) - f(p - kh)) / h is exact for
# polynomials up to degree 10 (Fornberg, Generation of finite difference formulas on arbitrarily
# spaced grids, 1988). So h may be long, and hardly any digit is lost to rounding.
COEFFICIENTS = {1: 5 / 6, 2: -5 / 21, 3: 5 / 84, 4: -5 / 504, 5: 1 / 1260}


def differences(case):
    """∂C_x/∂p of every sample and parameter by differences of C_x, and from these all the rest.

    δ^l is ∂C_x/∂b^l, so the biases' columns are BP1 and BP2; the weighted mean over the samples is
    BP3 and BP4.
    """
    net, p, h = case.net, case.net.parameters, case.step
    slopes = 0.0
    for k, c in COEFFICIENTS.items():
        moved = k * h * np.eye(p.size)
        slopes = slopes + c * (_losses(case, p + moved) - _losses(case, p - moved)).T / h
    mean = case.mean_weights @ slopes
    truth = {"sample_losses": _losses(case, p[None, :])[0]}
    for layer in net.architecture.layers:
        truth["delta", layer] = slopes[:, net.architecture.biases_at(layer)]
        truth["grad_weights", layer] = net.architecture.weights(mean)[layer]
        truth["grad_biases", layer] = net.architecture.biases(mean)[layer]
    return truth


def _losses(case, parameters):
    """C_x of every sample with each of many parameter vectors, by a forward pass of all at once.

    ``parameters`` has shape (P, n_parameters); the result has shape (P, m).
    """
    net, (P, m) = case.net, (len(parameters), len(case.X))
    a = np.broadcast_to(case.X, (P, *case.X.shape))
    for layer, f in net.activations.items():
        n, k = net.weights[layer].shape
        W = parameters[:, net.architecture.weights_at(layer)].reshape(P, n, k)
        b = parameters[:, net.architecture.biases_at(layer)].reshape(P, 1, n)
        z = (a @ W.transpose(0, 2, 1) + b).reshape(P * m, n)
        flat = f(z)
        a = flat.reshape(P, m, n)
    terms = loss_terms(net.loss, f, z, flat, np.tile(case.Y, (P, 1)))
    return terms.sum(axis=1).reshape(P, m)


# --- PyTorch -------------------------------------------------------------------------------------


def pytorch(case):
    """All the same by PyTorch's autograd."""
    torch = pytest.importorskip("torch", reason="compares gradients with PyTorch's")
    net = case.net
    x, y, mean = (torch.tensor(v, dtype=torch.float64) for v in (case.X, case.Y, case.mean_weights))
    W = {i: torch.tensor(net.weights[i], requires_grad=True) for i in net.weights}
    b = {i: torch.tensor(net.biases[i], requires_grad=True) for i in net.biases}
    z, a = {}, x
    for i, Wi in W.items():
        z[i] = torch.nn.functional.linear(a, Wi, b[i])
        a = _activate(net.activations[i], _torch_activations(torch), z[i], torch.stack)
    losses = _torch_losses(torch).get(net.loss.name, net.loss.value)(a, y).sum(dim=1)
    delta = torch.autograd.grad(losses.sum(), list(z.values()), retain_graph=True)
    grads = torch.autograd.grad(losses @ mean, [*W.values(), *b.values()])
    return {
        "sample_losses": losses.detach().numpy(),
        **{("delta", i): d.numpy() for i, d in zip(z, delta, strict=True)},
        **{("grad_weights", i): g.numpy() for i, g in zip(W, grads[: len(W)], strict=True)},
        **{("grad_biases", i): g.numpy() for i, g in zip(b, grads[len(W) :], strict=True)},
    }


def _torch_activations(torch):
    F = torch.nn.functional
    return {
        "identity": lambda z: z,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": F.relu,
        "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
        "elu": F.elu,
        "softplus": lambda z: F.softplus(z, threshold=1000),
        "silu": F.silu,
        "gelu": F.gelu,
        "softmax": lambda z: torch.softmax(z, dim=-1),
        "rational": lambda z: z / (1 + z**2),
        "hyperbola": lambda z: torch.sqrt(z**2 + 1) + z / 2,
    }


def _torch_losses(torch):
    def log(a):
        inside = a > TINY
        return torch.where(
            inside, torch.log(torch.where(inside, a, 1.0)), math.log(TINY) + (a - TINY) / TINY
        )

    return {
        "quadratic": lambda a, y: (y - a) ** 2 / 2,
        "absolute": lambda a, y: (y - a).abs(),
        "huber": lambda a, y: torch.nn.functional.huber_loss(a, y, reduction="none"),
        "cross_entropy": lambda a, y: -y * log(a),
        "binary_cross_entropy": lambda a, y: -y * log(a) - (1 - y) * log(1 - a),
    }


# --- JAX -----------------------------------------------------------------------------------------


def jax(case):
    """All the same by JAX: δ is the gradient of a zero that is added to z."""
    jax = pytest.importorskip("jax", reason="compares gradients with JAX's")
    jnp = jax.numpy
    net, layers = case.net, list(case.net.architecture.layers)
    activations, losses_table = _jax_activations(jax), _jax_losses(jnp)

    def losses(W, b, added):
        a = jnp.asarray(case.X)
        for i in layers:
            z = a @ W[i].T + b[i] + added[i]
            a = _activate(net.activations[i], activations, z, jnp.stack)
        return losses_table.get(net.loss.name, net.loss.value)(a, jnp.asarray(case.Y)).sum(axis=1)

    with double_precision(jax):
        W = {i: jnp.asarray(net.weights[i]) for i in layers}
        b = {i: jnp.asarray(net.biases[i]) for i in layers}
        zeros = {i: jnp.zeros((len(case.X), net.sizes[i - 1])) for i in layers}
        mean = jnp.asarray(case.mean_weights)
        found, pull = jax.vjp(losses, W, b, zeros)
        grad_weights, grad_biases, _ = pull(mean)
        _, _, delta = pull(jnp.ones_like(mean))
        truth = {"sample_losses": np.asarray(found)}
        for i in layers:
            truth["delta", i] = np.asarray(delta[i])
            truth["grad_weights", i] = np.asarray(grad_weights[i])
            truth["grad_biases", i] = np.asarray(grad_biases[i])
        return truth


@contextlib.contextmanager
def double_precision(jax):
    """JAX computes in float32 unless told otherwise; other tests may want it so."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _jax_activations(jax):
    nn, jnp = jax.nn, jax.numpy
    return {
        "identity": lambda z: z,
        "sigmoid": nn.sigmoid,
        "tanh": jnp.tanh,
        "relu": nn.relu,
        "leaky_relu": lambda z: jnp.where(z > 0, z, 0.01 * z),
        "elu": nn.elu,
        "softplus": nn.softplus,
        "silu": nn.silu,
        "gelu": lambda z: nn.gelu(z, approximate=False),
        "softmax": nn.softmax,
        "rational": lambda z: z / (1 + z**2),
        "hyperbola": lambda z: jnp.sqrt(z**2 + 1) + z / 2,
    }


def _jax_losses(jnp):
    def log(a):
        inside = a > TINY
        return jnp.where(
            inside, jnp.log(jnp.where(inside, a, 1.0)), math.log(TINY) + (a - TINY) / TINY
        )

    def huber(a, y):
        r = jnp.abs(a - y)
        return jnp.where(r < 1, r**2 / 2, r - 1 / 2)

    return {
        "quadratic": lambda a, y: (y - a) ** 2 / 2,
        # its slope at 0 is 0, which jnp.abs does not say
        "absolute": lambda a, y: jnp.where(a > y, a - y, jnp.where(a < y, y - a, 0.0)),
        "huber": huber,
        "cross_entropy": lambda a, y: -y * log(a),
        "binary_cross_entropy": lambda a, y: -y * log(a) - (1 - y) * log(1 - a),
    }


def _activate(activation, table, z, stack):
    """f(z) by the definitions of the table; neuron by neuron in a mixed layer."""
    if activation.parts:
        columns = [table.get(f.name, f.f)(z[:, j]) for j, f in enumerate(activation.parts)]
        return stack(columns, 1)
    return table.get(activation.name, activation.f)(z)


TRUTHS = {"differences": differences, "PyTorch": pytorch, "JAX": jax}
