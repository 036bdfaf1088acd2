"""The shape of a network: sizes, activations, loss, and where each parameter lies in one vector.

All parameters are one flat vector, layer after layer, each layer's weights (row by row) before its
biases. An optimizer updates the vector; ``weights`` and ``biases`` are views into it.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clearprop.activations import ACTIVATIONS, Activation, get_activation, mixed
from clearprop.arrays import Array
from clearprop.errors import InputError
from clearprop.layered import Layered
from clearprop.losses import LOSSES, Loss, get_loss

__all__ = ["Architecture", "design"]


@dataclass(frozen=True)
class Architecture:
    """What a network is before it has parameters. Made by :func:`design`, which checks it.

    Attributes
    ----------
    sizes : tuple of int
        Neurons per layer, the input layer first.
    activations : tuple of Activation
        One for each layer after the input: ``activations[0]`` belongs to layer 2.
    loss : Loss
        What the output is judged by.
    """

    sizes: tuple[int, ...]
    activations: tuple[Activation, ...]
    loss: Loss

    @property
    def n_layers(self) -> int:
        """L, the number of layers, the input layer included."""
        return len(self.sizes)

    @property
    def layers(self) -> range:
        """The numbers of the layers that have parameters: 2 … L."""
        return range(2, self.n_layers + 1)

    @property
    def n_parameters(self) -> int:
        """How many weights and biases there are."""
        return self._biases_end(self.n_layers)

    def size(self, layer: int) -> int:
        """n_l, the neurons of layer l."""
        return self.sizes[layer - 1]

    def activation(self, layer: int) -> Activation:
        """f_l, the activation of layer l."""
        return self.activations[layer - 2]

    def weights_at(self, layer: int) -> slice:
        """Where W^l lies in the flat vector, row after row."""
        start = self._biases_end(layer - 1)
        return slice(start, start + self.size(layer - 1) * self.size(layer))

    def biases_at(self, layer: int) -> slice:
        """Where b^l lies in the flat vector."""
        end = self._biases_end(layer)
        return slice(end - self.size(layer), end)

    def _biases_end(self, layer: int) -> int:
        """How many parameters the layers up to this one have."""
        return sum((self.size(i - 1) + 1) * self.size(i) for i in range(2, layer + 1))

    def weights(self, flat: Array, name: str = "weights") -> Layered[Array]:
        """W^l of shape (n_l, n_{l-1}) for each layer, out of a flat vector (views in NumPy)."""
        return Layered(
            name,
            {
                layer: flat[self.weights_at(layer)].reshape(self.size(layer), self.size(layer - 1))
                for layer in self.layers
            },
        )

    def biases(self, flat: Array, name: str = "biases") -> Layered[Array]:
        """b^l of shape (n_l,) for each layer, out of a flat vector (views in NumPy)."""
        return Layered(name, {layer: flat[self.biases_at(layer)] for layer in self.layers})

    def locate(self, index: int) -> tuple[str, int]:
        """Which quantity (``"weights"`` or ``"biases"``) and layer a place in the vector is."""
        for layer in self.layers:
            if index < self.weights_at(layer).stop:
                return "weights", layer
            if index < self.biases_at(layer).stop:
                return "biases", layer
        raise InputError(f"parameter {index} does not exist; expected 0 to {self.n_parameters - 1}")


def design(sizes: Sequence[int], activations: Any, loss: Any) -> Architecture:
    """A checked :class:`Architecture`.

    Parameters
    ----------
    sizes : sequence of int
        Neurons per layer, at least an input and an output layer.
    activations : str, Activation, or sequence
        One for all layers, or one per layer after the input. The activation of a layer may itself
        be a list with one activation per neuron.
    loss : str or Loss
        A name of :data:`~clearprop.losses.LOSSES`, or a record.

    Raises
    ------
    InputError
        For sizes, activations or a loss that make no network.

    Examples
    --------
    >>> design([784, 30, 10], ["sigmoid", "softmax"], "cross_entropy").n_parameters
    23860
    """
    try:
        # A True among the sizes is a slip, though Python would count it as 1.
        whole = tuple(-1 if isinstance(size, bool) else operator.index(size) for size in sizes)
    except TypeError:
        whole = ()
    if len(whole) < 2 or min(whole) < 1:
        raise InputError(
            f"sizes is {sizes!r}; expected at least two whole numbers of neurons, "
            "such as [784, 30, 10]"
        )
    loss = get_loss(loss)
    if loss.name in LOSSES and LOSSES[loss.name] is not loss:
        raise InputError(f"the name {loss.name!r} belongs to a built-in loss; give yours another")
    return Architecture(whole, _activations(whole, activations), loss)


def _activations(sizes: tuple[int, ...], given: Any) -> tuple[Activation, ...]:
    depth = len(sizes) - 1
    if isinstance(given, str | Activation):
        given = [given] * depth
    if not isinstance(given, Sequence) or len(given) != depth:
        raise InputError(
            f"activations is {given!r}; expected one name for all layers, or a list of {depth}, "
            "one for each layer after the input"
        )
    chosen = []
    for layer, (size, choice) in enumerate(zip(sizes[1:], given, strict=True), start=2):
        if isinstance(choice, str | Activation):
            record = get_activation(choice)
        elif isinstance(choice, Sequence) and len(choice) == size:
            record = mixed([get_activation(one) for one in choice])
        else:
            raise InputError(
                f"the activation of layer {layer} is {choice!r}; expected a name, a cp.Activation, "
                f"or a list of {size}, one for each of its neurons"
            )
        for one in record.parts or (record,):
            if one.name in ACTIVATIONS and ACTIVATIONS[one.name] is not one:
                raise InputError(
                    f"the name {one.name!r} belongs to a built-in activation; give yours another"
                )
        if record.parts and len(record.parts) != size:
            raise InputError(
                f"layer {layer} has {size} neurons and {len(record.parts)} activations; "
                "expected one for each neuron"
            )
        chosen.append(record)
    return tuple(chosen)
