"""Networks and batches to compare gradients on, for every row of the tables."""

import itertools
import zlib
from typing import NamedTuple

import numpy as np
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import clearprop as cp
from clearprop.activations import ACTIVATIONS
from clearprop.losses import LOSSES

# What no table holds: a user's own function, a formula, and a layer that mixes activations.
OWN = {
    "own function": cp.Activation(
        "rational",
        f=lambda z: z / (1 + z * z),
        df=lambda z, a: (1 - z * z) / ((1 + z * z) * (1 + z * z)),
        analytic=True,
    ),
    "own formula": cp.Activation.from_formula("hyperbola", "sqrt(z**2 + 1) + z/2"),
}
MIXED = "neuron by neuron"

CHOICES = [*ACTIVATIONS, *OWN, MIXED]
PAIRS = list(itertools.product(CHOICES, LOSSES))
DEPTHS = (1, 2, 3, 4)

# There are hundreds of pairs and depths: a few examples of each, and many in a thorough run.
FEW = settings(max_examples=settings().max_examples // 25)


class Case(NamedTuple):
    """A network, a batch, the weights of the samples (or None), and a step for differences."""

    net: cp.Network
    X: np.ndarray
    Y: np.ndarray
    weight: np.ndarray | None
    step: float = 0.0

    def backprop(self, keep="all"):
        return self.net.backprop(self.X, self.Y, sample_weight=self.weight, keep=keep)

    @property
    def mean_weights(self):
        """What each sample's loss counts in the mean, shape (m,)."""
        weight = np.ones(len(self.X)) if self.weight is None else self.weight
        return weight / weight.sum()


def layer_activation(choice, size):
    """The activation that a choice stands for in a layer of this size."""
    if choice == MIXED:
        elementwise = [name for name, f in ACTIVATIONS.items() if f.elementwise]
        # A stride that is coprime with the number of rows, so that few neurons show many of them.
        return [elementwise[4 * j % len(elementwise)] for j in range(size)]
    return OWN.get(choice, choice)


def turned(values, *by):
    """One of the values; which ones come first depends on ``by``.

    Hypothesis draws the same for every parameter of a test: so every pair gets networks of its own.
    """
    start = zlib.crc32(repr(by).encode()) % len(values)
    return st.sampled_from([*values[start:], *values[:start]])


@st.composite
def shapes(draw, output, loss, depth):
    """Sizes of a network with so many layers of neurons, and the number of samples."""
    sizes = [draw(turned((1, 2, 3), output, loss, depth, layer)) for layer in range(depth + 1)]
    return sizes, draw(turned((1, 3), output, loss, depth))


# Multiples of 1/64: zeros, ties and kinks occur, and are hit exactly; next to them is nothing.
UNIT = st.integers(-64, 64).map(lambda n: n / 64)


@st.composite
def cases(draw, output, loss, depth, shape=None):
    """A case whose every number is drawn, the sizes and the number of samples too unless given.

    The weights are halved where two neurons come in and quartered where three do, so that z stays
    within ±6: far into saturation the libraries that we compare with are not exact to 1e-10.
    """
    sizes, m = shape or draw(shapes(output, loss, depth))
    net = network(draw, sizes, output, loss)
    net.parameters[:] = draw(arrays(np.float64, net.n_parameters, elements=UNIT))
    for layer in net.architecture.layers:
        net.weights[layer] = net.weights[layer] / 2 ** (sizes[layer - 2] - 1).bit_length()
    X = 1.5 * draw(arrays(np.float64, (m, sizes[0]), elements=UNIT))
    Y = 1.5 * draw(arrays(np.float64, (m, sizes[-1]), elements=UNIT))
    weight = draw(st.none() | arrays(np.float64, m, elements=UNIT.map(abs)))
    assume(weight is None or weight.any())
    return Case(net, X, Y, weight)


@st.composite
def smooth_cases(draw, output, loss, depth):
    """A case in general position: no kink, and no edge of the loss's domain, is near."""
    sizes, m = draw(shapes(output, loss, depth))
    net = network(draw, sizes, output, loss)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    case = smooth_case(net, m, rng, weighted=draw(st.booleans()))
    assume(case is not None)
    return case


def smooth_case(net, m, rng, weighted):
    """A case in general position with this network, whose parameters are drawn; None if unlucky."""
    a = X = rng.uniform(-1.5, 1.5, (m, net.sizes[0]))
    for layer in net.activations:
        a = draw_layer(net, layer, a, rng)
        if a is None:
            return None
    weight = rng.uniform(0.5, 2, m) if weighted else None
    smooth = all(f.analytic for f in net.activations.values()) and net.loss.analytic
    step = 1 / 128 if smooth and not edges_inside(net) else 1 / 256
    for _ in range(1000):
        Y = rng.uniform(-0.2, 1.2, a.shape)
        distance = np.abs(a - Y)
        # |a - y| is where the absolute loss has its kink, and huber its joint
        if net.loss.analytic or (clear_of(distance, 0) and clear_of(distance, 1)):
            return Case(net, X, Y, weight, step)
    return None


def draw_layer(net, layer, a_before, rng):
    """Draw the parameters of a layer until it is in general position; its a, or None."""
    f = net.activations[layer]
    n, k = net.weights[layer].shape
    for _ in range(1000):
        net.weights[layer] = 1.5 * rng.uniform(-1, 1, (n, k)) / np.sqrt(k)
        net.biases[layer] = rng.uniform(-1, 1, n)
        z = a_before @ net.weights[layer].T + net.biases[layer]
        a = f(z)
        edges = edges_inside(net) if layer == net.n_layers else ()
        if all(clear_of(z[:, j], joint) for j, joint in joints(f, n)) and all(
            clear_of(a[:, j], edge) for j, edge in edges
        ):
            return a
    return None


def clear_of(values, point, margin=0.25):
    return bool((np.abs(values - point) >= margin).all())


def joints(f, n):
    """Where an activation is not smooth, by neuron of its layer."""
    return [
        (j, joint)
        for j, one in enumerate(f.parts or [f] * n)
        for joint in one.kinks or (() if one.analytic else (0.0,))
    ]


def network(draw, sizes, output, loss):
    """A network with the chosen output activation; the hidden ones are the same, or any."""
    depth = len(sizes) - 1
    hidden = [output] * (depth - 1)
    if draw(turned((True, False), output, loss, depth)):
        hidden = [draw(turned(CHOICES, output, loss, layer)) for layer in range(2, depth + 1)]
    activations = [
        layer_activation(choice, n) for choice, n in zip([*hidden, output], sizes[1:], strict=True)
    ]
    return cp.Network(sizes, activations=activations, loss=loss, initializer="zeros")


def edges_inside(net):
    """The edges of the loss's domain that an output may cross, by output neuron."""
    last = net.activations[net.n_layers]
    return [
        (j, edge)
        for j, one in enumerate(last.parts or [last] * net.sizes[-1])
        for edge in net.loss.domain
        if one.range[0] < edge < one.range[1] or one.name == "relu"
    ]
