"""Network: an architecture with parameters."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Activation
from clearprop.architecture import Architecture, design
from clearprop.arrays import (
    FLOAT_DTYPES,
    Array,
    as_batch,
    as_numbers,
    asarray_like,
    copied,
    is_sparse,
)
from clearprop.engines import Batch, choose_engine, get_engine
from clearprop.errors import InputError
from clearprop.initializers import get_initializer
from clearprop.layered import Layered, LayeredViews
from clearprop.losses import Loss
from clearprop.randomness import generator
from clearprop.scaling import Scaling
from clearprop.trace import Trace, check_keep

__all__ = ["Network", "as_sample_weight"]


class Network:
    r"""A fully connected feed-forward network.

    Parameters
    ----------
    sizes : sequence of int
        Neurons per layer, the input layer first: ``[784, 30, 10]``.
    activations : str, Activation, or sequence
        One for all layers, or one per layer after the input; a layer's may be a list with one per
        neuron. Names are those of :data:`~clearprop.activations.ACTIVATIONS`.
    loss : str or Loss
        A name of :data:`~clearprop.losses.LOSSES`, or a record.
    initializer : str, float or Initializer
        A name of :data:`~clearprop.initializers.INITIALIZERS`, or a number for every parameter.
    seed : int, optional
        What the initializer draws from. None draws afresh each time.
    dtype : str
        ``"float64"`` or ``"float32"``.
    classes : sequence, optional
        What each output neuron stands for.
    scaling : Scaling, optional
        How raw inputs become the activations of layer 1. With it, every method takes raw inputs.

    Attributes
    ----------
    parameters : NumPy array, shape (n_parameters,)
        All weights and biases in one vector.
    weights, biases : Layered of arrays, shapes (n_l, n_{l-1}) and (n_l,)
        Views into ``parameters``, indexed by the layer's number, 2 … L. Assignable:
        ``net.weights[2] = [[.15, .20], [.25, .30]]``.

    Raises
    ------
    InputError
        Where the arguments make no network. The message says which and why.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 2, 1], activations="sigmoid", seed=0)
    >>> net.weights[2].shape, net.predict([[0.0, 1.0], [1.0, 1.0]]).shape
    ((2, 2), (2, 1))
    >>> print(net)
    Network 2-2-1, quadratic loss, float64, 9 parameters
      layer  neurons  activation  weights  biases
          1        2  input
          2        2  sigmoid       2 × 2       2
          3        1  sigmoid       1 × 2       1
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activations: str | Activation | Sequence[Any] = "sigmoid",
        loss: str | Loss = "quadratic",
        initializer: Any = "standard_normal",
        seed: int | None = None,
        dtype: str = "float64",
        classes: Sequence[Any] | None = None,
        scaling: Scaling | None = None,
    ) -> None:
        self.architecture: Architecture = design(sizes, activations, loss)
        self.parameters: NDArray[Any] = _vector(self.architecture.n_parameters, _float_dtype(dtype))
        draw, rng = get_initializer(initializer), generator(seed, "parameters")
        for layer in self.architecture.layers:
            n_out, n_in = self.architecture.size(layer), self.architecture.size(layer - 1)
            self.weights[layer] = draw.weights(rng, n_out, n_in)
            self.biases[layer] = draw.biases(rng, n_out)
        self.classes = classes
        self.scaling = scaling

    # --- what it is ---

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons per layer, the input layer first."""
        return self.architecture.sizes

    @property
    def n_layers(self) -> int:
        """L, the number of layers, the input layer included."""
        return self.architecture.n_layers

    @property
    def n_parameters(self) -> int:
        """How many weights and biases there are."""
        return self.architecture.n_parameters

    @property
    def activations(self) -> Layered[Activation]:
        """f_l for each layer, l = 2 … L."""
        architecture = self.architecture
        return Layered("activations", {i: architecture.activation(i) for i in architecture.layers})

    @property
    def loss(self) -> Loss:
        """What the output is judged by."""
        return self.architecture.loss

    @property
    def dtype(self) -> str:
        """``"float64"`` or ``"float32"``."""
        return self.parameters.dtype.name

    @property
    def weights(self) -> LayeredViews[NDArray[Any]]:
        """W^l of shape (n_l, n_{l-1}) for l = 2 … L: views, assignable."""
        views = self.architecture.weights(self.parameters)
        return LayeredViews("weights", views, lambda i, v: _write(f"weights[{i}]", views[i], v))

    @property
    def biases(self) -> LayeredViews[NDArray[Any]]:
        """b^l of shape (n_l,) for l = 2 … L: views, assignable."""
        views = self.architecture.biases(self.parameters)
        return LayeredViews("biases", views, lambda i, v: _write(f"biases[{i}]", views[i], v))

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """What each output neuron stands for, or None. One output stands for two classes."""
        return self._classes

    @classes.setter
    def classes(self, classes: Sequence[Any] | None) -> None:
        outputs = self.sizes[-1]
        expected = 2 if outputs == 1 else outputs
        if classes is None:
            self._classes = None
            return
        if isinstance(classes, str) or not isinstance(classes, Iterable):
            raise InputError(f"classes is {classes!r}; expected a list of {expected} names")
        names = tuple(classes)
        if len(names) != expected:
            raise InputError(
                f"classes has {len(names)} names; expected {expected} for {outputs} output "
                f"neuron{'s' if outputs > 1 else ''}"
            )
        self._classes = names

    @property
    def scaling(self) -> Scaling | None:
        """How raw inputs become the activations of layer 1, or None where they are the same."""
        return self._scaling

    @scaling.setter
    def scaling(self, scaling: Scaling | None) -> None:
        given: Any = scaling
        if not isinstance(given, Scaling | None):
            raise InputError(f"scaling is {given!r}; expected a cp.Scaling, or None")
        if scaling is not None and len(scaling.offset) != self.sizes[0]:
            raise InputError(
                f"the scaling is for {len(scaling.offset)} inputs; expected {self.sizes[0]}, "
                "the neurons of the input layer"
            )
        self._scaling = scaling

    # --- what it does ---

    def predict(self, X: Any) -> Array:
        """The output a^L.

        Parameters
        ----------
        X : array-like, shape (m, n_1)
            Samples as rows. A PyTorch or JAX array is computed with in its own library.

        Returns
        -------
        array, shape (m, n_L)

        Raises
        ------
        InputError
            For a wrong shape or dtype, no samples, NaN or infinity.
        """
        x = self.inputs(X)
        return get_engine("reference").output(self.architecture, self.parameters, x)[1]

    def backprop(
        self,
        X: Any,
        Y: Any,
        *,
        sample_weight: Any = None,
        keep: str = "all",
        engine: Any = "reference",
    ) -> Trace:
        """One forward and one backward pass.

        Parameters
        ----------
        X : array-like, shape (m, n_1)
            Samples as rows. A PyTorch or JAX array is computed with in its own library.
        Y : array-like, shape (m, n_L)
            Targets as rows.
        sample_weight : array-like, shape (m,), optional
            Non-negative weights; losses and gradients are weighted means.
        keep : str
            What the Trace retains: ``"all"``, ``"gradients"`` or ``"nothing"`` (the loss).
        engine : str or Engine
            What computes the pass.

        Raises
        ------
        InputError
            For a wrong shape or dtype, no samples, NaN or infinity.
        """
        check_keep(keep)
        batch = self.batch(X, Y, sample_weight)
        chosen = choose_engine(engine, self.architecture, self.dtype, batch.x)
        return chosen.trace(self.architecture, self.parameters, batch, keep)

    def inputs(self, X: Any) -> Array:
        """a^1 of shape (m, n_1): X checked, scaled, and in the network's dtype."""
        x = as_batch(X, name="X", width=self.sizes[0], dtype=self.dtype)
        if self.scaling is not None and is_sparse(x):
            raise InputError(
                f"X is sparse and the network scales its inputs ({self.scaling.kind}), which would "
                "fill it; expected a network without scaling, or X.toarray()"
            )
        return x if self.scaling is None else self.scaling.apply(x)

    def batch(self, X: Any, Y: Any, sample_weight: Any = None) -> Batch:
        """Samples as an engine takes them; a Trace may keep them, so they are copies."""
        x = self.inputs(X)
        m = x.shape[0]
        y = as_batch(Y, name="Y", width=self.sizes[-1], dtype=self.dtype, rows=m)
        weight = None
        if sample_weight is not None:
            weight = asarray_like(as_sample_weight(sample_weight, m), x)
        return Batch(copied(x), copied(asarray_like(y, x)), weight)

    def copy(self) -> "Network":
        """A network with the same architecture and a copy of the parameters."""
        twin = object.__new__(Network)
        twin.architecture = self.architecture
        twin.parameters = self.parameters.copy()
        twin.classes, twin.scaling = self.classes, self.scaling
        return twin

    def __repr__(self) -> str:
        names = ", ".join(f.name for f in self.activations.values())
        sizes = "-".join(map(str, self.sizes))
        return f"<Network {sizes}: {names}; {self.loss.name}; {self.dtype}>"

    def __str__(self) -> str:
        rows = [("layer", "neurons", "activation", "weights", "biases")]
        first = "input" if self.scaling is None else f"input, scaled ({self.scaling.kind})"
        rows.append(("1", str(self.sizes[0]), first, "", ""))
        for i, f in self.activations.items():
            n_out, n_in = self.weights[i].shape
            rows.append((str(i), str(n_out), _short(f.name), f"{n_out} × {n_in}", str(n_out)))
        widths = [max(len(row[c]) for row in rows) for c in range(5)]
        lines = [
            f"  {a:>{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  "
            f"{d:>{widths[3]}}  {e:>{widths[4]}}".rstrip()
            for a, b, c, d, e in rows
        ]
        sizes = "-".join(map(str, self.sizes))
        head = (
            f"Network {sizes}, {self.loss.name} loss, {self.dtype}, "
            f"{self.n_parameters:,} parameters"
        )
        return "\n".join([head, *lines])


def _short(name: str, longest: int = 40) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _write(name: str, view: NDArray[Any], value: Any) -> None:
    """Copy ``value`` into a view of the parameters, checked."""
    given = as_numbers(value, name)
    if given.shape != view.shape:
        raise InputError(f"{name} is given shape {given.shape}; expected {view.shape}")
    with np.errstate(over="ignore"):  # too large for float32: found right below
        new = given.astype(view.dtype)
    if not np.isfinite(new).all():
        bad = given[~np.isfinite(new)][0]
        raise InputError(f"{name} is given {bad}; expected numbers that are finite in {view.dtype}")
    view[...] = new


def _float_dtype(choice: Any) -> str:
    """The name of a dtype that networks have, from its name or from NumPy's objects for it."""
    known = {
        key: name for name in FLOAT_DTYPES for key in (name, np.dtype(name), np.dtype(name).type)
    }
    try:
        return known[choice]
    except (KeyError, TypeError):
        raise InputError(
            f"dtype is {choice!r}; expected one of {', '.join(FLOAT_DTYPES)}"
        ) from None


def _vector(length: int, dtype: str) -> NDArray[Any]:
    """Room for so many parameters."""
    try:
        return np.empty(length, dtype=dtype)
    except (MemoryError, ValueError):
        raise InputError(
            f"the network would have {length:,} parameters, more than fit into memory; expected "
            "fewer neurons"
        ) from None


def as_sample_weight(value: Any, rows: int) -> NDArray[np.float64]:
    """Sample weights of shape (rows,), checked.

    Raises
    ------
    InputError
        For a wrong shape, a negative or non-finite weight, or weights that are all 0.
    """
    weight = as_numbers(value, "sample_weight").astype(np.float64)
    if weight.shape != (rows,):
        raise InputError(f"sample_weight has shape {weight.shape}; expected ({rows},)")
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise InputError(
            "sample_weight holds a negative, infinite or NaN weight, or only zeros; expected "
            "finite numbers of at least 0, one of them positive"
        )
    return weight
