"""What keeps a network from learning its samples by heart, and its steps from being too long.

Penalties (L2, L1) and clipping turn the mean gradient of the loss into the gradient of a step;
dropout silences neurons at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.architecture import Architecture
from clearprop.arrays import is_number
from clearprop.errors import InputError

__all__ = [
    "Dropout",
    "StepRules",
    "check_bound",
    "check_penalty",
    "dropout_for",
    "frozen_parameters",
    "weight_mask",
]


@dataclass(frozen=True)
class StepRules:
    r"""From the mean gradient of the loss to the gradient that a step uses.

    The total cost is :math:`C + \frac{\lambda}{2n}\sum w^2 + \frac{\lambda_1}{n}\sum|w|` with n
    the size of the training set, over the weights and never the biases (Nielsen, ch. 3 (87, 95)).
    Then frozen parameters lose their gradient, each component is clipped to ``clip_value``, and the
    whole gradient is shortened to the length ``clip_norm`` (Pascanu et al., *On the difficulty of
    training recurrent neural networks*, 2013).

    Parameters
    ----------
    l2, l1 : float
        λ/n and λ₁/n: already divided by n.
    clip_norm, clip_value : float or None
        The largest Euclidean norm, and the largest absolute component.
    is_weight : array of bool, shape (n_parameters,)
        Which parameters are weights.
    frozen : array of bool, shape (n_parameters,), or None
        Which parameters never change.
    """

    is_weight: NDArray[np.bool_]
    l2: float = 0.0
    l1: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    frozen: NDArray[np.bool_] | None = None

    def penalty(self, parameters: NDArray[Any]) -> float:
        """What L2 and L1 add to the cost."""
        if not (self.l2 or self.l1):
            return 0.0
        weights = parameters[self.is_weight]
        return float(self.l2 / 2 * (weights @ weights) + self.l1 * np.abs(weights).sum())

    def gradient(self, parameters: NDArray[Any], mean_gradient: NDArray[Any]) -> NDArray[Any]:
        """The gradient that a step uses, of shape (n_parameters,)."""
        g = mean_gradient
        if self.l2:
            g = g + self.l2 * (parameters * self.is_weight)
        if self.l1:
            g = g + self.l1 * (np.sign(parameters) * self.is_weight)
        if self.frozen is not None:
            g = np.where(self.frozen, np.zeros_like(g), g)
        if self.clip_value is not None:
            g = np.clip(g, -self.clip_value, self.clip_value)
        if self.clip_norm is not None:
            # In float64: the squares of a gradient that needs clipping may overflow float32.
            norm = float(np.linalg.norm(g.astype(np.float64, copy=False)))
            if norm > self.clip_norm:
                g = g * (self.clip_norm / norm)
        return g


def frozen_parameters(architecture: Architecture, names: Any) -> NDArray[np.bool_] | None:
    """Which parameters ``freeze=[...]`` names, as a mask over the flat vector; None for none.

    Parameters
    ----------
    names : sequence of str
        ``"weights"``, ``"biases"``, ``"weights[2]"``, ``"biases[3]"``, …

    Raises
    ------
    InputError
        For a name that is none of these, or a layer that does not exist.

    Examples
    --------
    >>> from clearprop.architecture import design
    >>> frozen_parameters(design([2, 1, 1], "sigmoid", "quadratic"), ["biases", "weights[3]"])
    array([False, False,  True,  True,  True])
    """
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, Sequence):
        raise InputError(f"freeze is {names!r}; expected a list such as ['biases', 'weights[2]']")
    if not names:
        return None
    mask = np.zeros(architecture.n_parameters, dtype=bool)
    places = {
        f"{kind}[{layer}]": where(layer)
        for kind, where in (
            ("weights", architecture.weights_at),
            ("biases", architecture.biases_at),
        )
        for layer in architecture.layers
    }
    for name in names:
        chosen = [key for key in places if key == name or key.partition("[")[0] == name]
        if not chosen:
            raise InputError(
                f"freeze names {name!r}; expected 'weights', 'biases' or one of {', '.join(places)}"
            )
        for key in chosen:
            mask[places[key]] = True
    return mask


def weight_mask(architecture: Architecture) -> NDArray[np.bool_]:
    """Which parameters of the flat vector are weights."""
    mask = np.zeros(architecture.n_parameters, dtype=bool)
    for layer in architecture.layers:
        mask[architecture.weights_at(layer)] = True
    return mask


@dataclass(frozen=True)
class Dropout:
    """Neurons silenced at random in training; the others are scaled up, and predicting needs none.

    Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, 2014.
    Whether neuron j of layer l is silent for a sample is a function of (seed, step, l, place in the
    batch, j) alone, computed with SplitMix64 (Steele et al., *Fast splittable pseudorandom number
    generators*, 2014): the same whichever engine or thread asks.

    Parameters
    ----------
    probabilities : dict
        Layer number to the probability of silence, from 0 to below 1. Layer 1 is the input; the
        output layer has none.
    seed : int
        Below 2**64.
    """

    probabilities: dict[int, float] = field(default_factory=dict)
    seed: int = 0

    def mask(
        self, step: int, layer: int, rows: int, width: int, dtype: str, first_row: int = 0
    ) -> NDArray[Any]:
        """What the activations of a layer are multiplied by: 0, or 1/(1 - p); (rows, width).

        ``first_row`` is the place in the batch of the first row: a shard asks for its own rows.

        Examples
        --------
        >>> Dropout({2: 0.5}, seed=1).mask(step=1, layer=2, rows=2, width=4, dtype="float64")
        array([[2., 0., 2., 0.],
               [2., 0., 0., 0.]])
        """
        p = self.probabilities[layer]
        count = np.arange(first_row * width, (first_row + rows) * width, dtype=np.uint64)
        with np.errstate(over="ignore"):  # arithmetic is modulo 2**64
            key = split_mix(split_mix(np.uint64(self.seed) + np.uint64(step)) + np.uint64(layer))
        uniform = (split_mix(key + count) >> np.uint64(11)) * 2.0**-53
        kept = np.where(uniform >= p, 1 / (1 - p), 0.0)
        return kept.reshape(rows, width).astype(dtype)


def split_mix(state: Any) -> Any:
    """One output of SplitMix64 for each 64-bit state; arithmetic is modulo 2**64."""
    with np.errstate(over="ignore"):
        z = state + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def dropout_for(architecture: Architecture, given: Any, seed: int) -> Dropout | None:
    """The dropout that ``dropout=`` asks for: one probability for all hidden layers, or by layer.

    Raises
    ------
    InputError
        For a probability outside [0, 1) or a layer that cannot drop.
    """
    hidden = range(2, architecture.n_layers)
    if isinstance(given, dict):
        by_layer = given
    else:
        _check_probability("dropout", given)
        by_layer = dict.fromkeys(hidden, given)
    for layer, p in by_layer.items():
        if layer not in range(1, architecture.n_layers):
            raise InputError(
                f"dropout names layer {layer!r}; expected layers 1 to {architecture.n_layers - 1} "
                "(the output layer is never dropped)"
            )
        _check_probability(f"the dropout of layer {layer}", p)
    chosen = {layer: float(p) for layer, p in sorted(by_layer.items()) if p > 0}
    return Dropout(chosen, seed) if chosen else None


def _check_probability(what: str, given: Any) -> None:
    if not (is_number(given) and 0 <= given < 1):
        raise InputError(f"{what} is {given!r}; expected a probability from 0 to below 1")


def check_bound(name: str, value: Any) -> float | None:
    """``value`` where it is None or a positive number.

    Raises
    ------
    InputError
        Otherwise.
    """
    if value is None:
        return None
    if is_number(value) and value > 0:
        return float(value)
    raise InputError(f"{name} is {value!r}; expected a positive number, or None for no clipping")


def check_penalty(name: str, value: Any) -> float:
    """``value`` where it is a number of at least 0.

    Raises
    ------
    InputError
        Otherwise.
    """
    if is_number(value) and value >= 0:
        return float(value)
    raise InputError(f"{name} is {value!r}; expected a number of at least 0")
