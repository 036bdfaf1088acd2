"""Trace: all that one forward and one backward pass computed."""

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from clearprop.architecture import Architecture
from clearprop.arrays import (
    Array,
    all_finite,
    concat_columns,
    dense,
    max_last,
    maximum,
    sqrt,
    sum_last,
    tiny_root,
)
from clearprop.errors import InputError, NotKeptError
from clearprop.layered import Layered

__all__ = ["KEEP", "Keep", "Trace", "check_keep"]

Keep: TypeAlias = Literal["nothing", "gradients", "all"]

# keep -> which of a Trace's fields are retained, beyond its loss
KEEP: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "gradients": ("gradient", "grad_weights", "grad_biases", "sample_losses"),
    "all": (
        "gradient",
        "grad_weights",
        "grad_biases",
        "sample_losses",
        "parameters",
        "weights",
        "biases",
        "z",
        "a",
        "delta",
        "y",
        "sample_weight",
        "masks",
    ),
}


class Trace:
    r"""Every number of one pass, in the book's letters. Frozen; it owns its arrays.

    ``z``, ``a``, … are indexed by the layer's own number (layer 1 is the input). Rows of a batch
    are samples; m is their number. An engine makes it; nobody else needs to.

    Attributes
    ----------
    architecture : Architecture
        Sizes, activations, loss.
    keep : str
        What was retained: ``"nothing"`` (the loss), ``"gradients"``, or ``"all"``.
    loss : float
        C: the mean of ``sample_losses``, weighted with ``sample_weight`` where that is given.
    count : float
        m, or the sum of the sample weights: what the sums over samples were divided by.
    sample_losses : array, shape (m,)
        C_x of each sample.
    gradient : array, shape (n_parameters,)
        ∂C/∂parameters as one flat vector.
    grad_weights : Layered of arrays, shape (n_l, n_{l-1})
        BP4: ∂C/∂W^l of the mean loss, l = 2 … L.
    grad_biases : Layered of arrays, shape (n_l,)
        BP3: ∂C/∂b^l of the mean loss, l = 2 … L.
    parameters : array, shape (n_parameters,)
        The parameters that the pass used, copied; ``weights`` and ``biases`` are its parts.
    z : Layered of arrays, shape (m, n_l)
        Weighted inputs, l = 2 … L.
    a : Layered of arrays, shape (m, n_l)
        Activations, l = 1 … L; ``a[1]`` is the input x. With dropout, ``a[l]`` is
        ``f(z[l]) * masks[l]``.
    delta : Layered of arrays, shape (m, n_l)
        The error ∂C_x/∂z^l of each sample, l = 2 … L.
    y : array, shape (m, n_L)
        The targets.
    sample_weight : array, shape (m,), or None
        The weight of each sample.
    masks : Layered of arrays, shape (m, n_l)
        What dropout multiplied the activations by: 0, or 1/(1 - p). Empty without dropout.

    Raises
    ------
    NotKeptError
        Where what is asked for was not retained.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 2, 1], seed=0)
    >>> trace = net.backprop([[0.0, 1.0], [1.0, 1.0]], [[1.0], [0.0]])
    >>> trace.delta[3].shape, trace.grad_weights[2].shape
    ((2, 1), (2, 2))
    """

    architecture: Architecture
    keep: str
    loss: float
    count: float
    sample_losses: Array
    gradient: Array
    grad_weights: Layered[Array]
    grad_biases: Layered[Array]
    parameters: Array
    weights: Layered[Array]
    biases: Layered[Array]
    z: Layered[Array]
    a: Layered[Array]
    delta: Layered[Array]
    y: Array
    sample_weight: Array | None
    masks: Layered[Array]

    def __init__(
        self,
        architecture: Architecture,
        *,
        keep: str,
        loss: float,
        count: float,
        **kept: Any,
    ) -> None:
        if "gradient" in kept:
            flat = _own(kept["gradient"])
            kept["grad_weights"] = architecture.weights(flat, "grad_weights")
            kept["grad_biases"] = architecture.biases(flat, "grad_biases")
        if "parameters" in kept:
            flat = kept["parameters"]
            # The pass used the network's own vector; training goes on changing that one.
            flat = _own(flat.copy() if isinstance(flat, np.ndarray) else flat)
            kept["parameters"] = flat
            kept["weights"] = architecture.weights(flat)
            kept["biases"] = architecture.biases(flat)
        for name in ("z", "a", "delta", "masks"):
            if name in kept:
                kept[name] = Layered(name, {i: _own(v) for i, v in kept[name].items()})
        for name in ("y", "sample_weight", "sample_losses"):
            if name in kept:
                _own(kept[name])
        self.__dict__.update(architecture=architecture, keep=keep, loss=loss, count=count, **kept)

    def __getattr__(self, name: str) -> Any:
        # Reached only for an attribute that is not there.
        if name in KEEP["all"]:
            raise NotKeptError(
                f"this trace was made with keep={self.keep!r} and did not retain {name!r}; "
                "make it with keep='all'"
            )
        raise AttributeError(f"a Trace has no {name!r}; it has {', '.join(KEEP['all'])}, loss")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Trace is frozen: {name!r} cannot be assigned")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Trace is frozen: {name!r} cannot be deleted")

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.architecture.sizes))
        return f"<Trace of {sizes}: loss {self.loss:.6g} over {self.count:g}, keep={self.keep!r}>"

    @property
    def n_layers(self) -> int:
        """L, the number of layers, the input layer included."""
        return self.architecture.n_layers

    def sample_gradients(self, layer: int) -> Array:
        r"""∂C_x/∂W^l of every sample: δ ⊗ a, shape (m, n_l, n_{l-1}).

        Their (weighted) mean over the samples is ``grad_weights[layer]``. This is m times the
        memory of W^l; for norms alone, :meth:`sample_gradient_norms` does without.

        Raises
        ------
        InputError
            For a layer without weights.
        NotKeptError
            Unless made with ``keep="all"``.
        """
        delta = self.delta[layer]
        return delta[:, :, None] * dense(self.a[layer - 1])[:, None, :]

    def sample_gradient_norms(self, layer: int | None = None) -> Array:
        r"""The Euclidean norm of each sample's gradient, shape (m,), without forming it.

        A rank-one matrix has the norm :math:`\|\delta a^\top\| = \|\delta\| \|a\|` (Goodfellow,
        *Efficient per-example gradient computations*, 2015).

        Parameters
        ----------
        layer : int, optional
            The norm of ∂C_x/∂W^l of this layer; by default, of all weights and biases together.

        Raises
        ------
        InputError
            For a layer without weights.
        NotKeptError
            Unless made with ``keep="all"``.

        Examples
        --------
        >>> import clearprop as cp
        >>> trace = cp.Network([2, 2, 1], seed=0).backprop([[0.0, 1.0]], [[1.0]])
        >>> bool(abs(trace.sample_gradient_norms()[0] ** 2 - (trace.gradient**2).sum()) < 1e-15)
        True
        """
        if layer is not None:
            return (_norms(self.delta[layer]) * _norms(dense(self.a[layer - 1])))[:, 0]
        # Each layer adds ‖δ‖‖a‖ for its weights and ‖δ‖ for its biases.
        parts = [
            _norms(delta) * factor
            for i, delta in self.delta.items()
            for factor in (_norms(dense(self.a[i - 1])), 1.0)
        ]
        return _norms(concat_columns(parts))[:, 0]

    def first_non_finite(self) -> tuple[str, int] | None:
        """The first quantity that is NaN or infinite, in the order of computation, and its layer.

        ``None`` where everything is finite.

        Raises
        ------
        NotKeptError
            Unless made with ``keep="all"``.
        """
        last = self.n_layers
        forward = [(name, i) for i in self.z for name in ("z", "a")]
        backward = [("delta", i) for i in reversed(self.z)]
        gradients = [(name, i) for i in self.z for name in ("grad_weights", "grad_biases")]
        for name, layer in [("a", 1), *forward]:
            if not all_finite(getattr(self, name)[layer]):
                return name, layer
        if not (all_finite(self.sample_losses) and math.isfinite(self.loss)):
            return "loss", last
        for name, layer in backward + gradients:
            if not all_finite(getattr(self, name)[layer]):
                return name, layer
        return None


def _norms(rows: Array) -> Array:
    """The Euclidean norm of each row, kept as a column."""
    # Divided by its largest element, a row has a norm even where its squares overflow.
    largest = maximum(max_last(abs(rows)), tiny_root(rows))
    unit = rows / largest
    return largest * sqrt(sum_last(unit * unit))


def _own(array: Array) -> Array:
    """The array itself, which nobody may write to from here on (where its library can say so)."""
    if isinstance(array, np.ndarray):
        array.flags.writeable = False
    return array


def check_keep(keep: str) -> None:
    """Raise where ``keep`` is none of :data:`KEEP`."""
    if keep not in tuple(KEEP):
        raise InputError(f"keep is {keep!r}; expected one of {', '.join(KEEP)}")
