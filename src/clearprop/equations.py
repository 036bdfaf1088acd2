r"""The mathematics: the forward pass and the four equations of backpropagation.

Index legend: sample x is a row, j a neuron of layer l, k a neuron of layer l-1. ``W`` is
:math:`w^l_{jk}` of shape (n_l, n_{l-1}); ``b`` has shape (n_l,); ``a_before`` is :math:`a^{l-1}` of
shape (m, n_{l-1}); ``z``, ``a`` and ``delta`` belong to layer l and have shape (m, n_l);
``weight`` of shape (m,) is the weight of each sample. BP3 and BP4 give *sums* over the samples;
the division by m (or by the sum of the weights) happens once, in :class:`~clearprop.trace.Trace`
and in training, so that a batch may be cut into shards.

Source: Nielsen, Neural Networks and Deep Learning, ch. 2, with :math:`\sigma'` generalised to the
activation's pullback :math:`f'^\top` (its transposed Jacobian).
"""

from clearprop.activations import Activation, by_neuron
from clearprop.arrays import Array, sum_first
from clearprop.losses import Loss

__all__ = ["bp1", "bp2", "bp3", "bp4", "forward", "loss_terms", "output_error"]


def forward(W: Array, b: Array, a_before: Array) -> Array:
    r"""The weighted input :math:`z^l = W^l a^{l-1} + b^l`."""
    return a_before @ W.T + b


def bp1(activation: Activation, z: Array, a: Array, grad_a: Array) -> Array:
    r"""BP1, the error of the output layer: :math:`\delta^L = f'_L(z^L)^\top \nabla_a C`."""
    return activation.pullback(z, a, grad_a)


def bp2(
    activation: Activation,
    z: Array,
    a: Array,
    W_after: Array,
    delta_after: Array,
    mask: Array | None = None,
) -> Array:
    r"""BP2, the error one layer back.

    :math:`\delta^l = f'_l(z^l)^\top ((W^{l+1})^\top \delta^{l+1})`. A neuron that dropout silenced
    passes no error: ``mask`` is what its activation was multiplied by.
    """
    g = delta_after @ W_after
    return activation.pullback(z, a, g if mask is None else g * mask)


def bp3(delta: Array, weight: Array | None = None) -> Array:
    r"""BP3: :math:`\sum_x \delta^{x,l}`, which is m times :math:`\partial C/\partial b^l`."""
    return sum_first(delta if weight is None else delta * weight[:, None])


def bp4(delta: Array, a_before: Array, weight: Array | None = None) -> Array:
    r"""BP4: :math:`\sum_x \delta^{x,l} (a^{x,l-1})^\top`, which is m ∂C/∂W^l."""
    return (delta if weight is None else delta * weight[:, None]).T @ a_before


def loss_terms(loss: Loss, activation: Activation, z: Array, a: Array, y: Array) -> Array:
    """What each output adds to C_x, shape (m, n_L), from z where the pair is fused."""
    if activation.parts and loss.separable:
        return by_neuron(
            activation.parts, lambda one, z, a, y: loss_terms(loss, one, z, a, y), z, a, y
        )
    pair = loss.fused.get(activation.name)
    return loss.value(a, y) if pair is None else pair.value(z, y)


def output_error(loss: Loss, activation: Activation, z: Array, a: Array, y: Array) -> Array:
    """δ^L by BP1, or by the fused pair, which is the same number and exact when saturated."""
    if activation.parts and loss.separable:
        return by_neuron(
            activation.parts, lambda one, z, a, y: output_error(loss, one, z, a, y), z, a, y
        )
    pair = loss.fused.get(activation.name)
    if pair is not None:
        return pair.delta(z, a, y)
    return bp1(activation, z, a, loss.gradient(a, y))
