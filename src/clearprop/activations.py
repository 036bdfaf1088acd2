r"""Activation functions: records, and the table of them.

An activation is written once. ``f`` and ``df`` are ordinary Python functions over arrays, made of
operators and the functions of :mod:`clearprop.arrays`; the reference engine evaluates them as they
stand, the compiled engine compiles the same definition, and a derivation prints ``latex``.

Most activations work neuron by neuron (*elementwise*): the Jacobian :math:`\partial a/\partial z`
is diagonal and its transpose applied to an error g is the Hadamard product
:math:`g \odot f'(z)`. Softmax couples the neurons of its layer and brings its own *pullback*.

To add one, add a row to :data:`ACTIVATIONS`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clearprop.arrays import (
    Array,
    concat_columns,
    erf,
    exp,
    expm1,
    log1p,
    max_last,
    maximum,
    minimum,
    sum_last,
    take_columns,
    tanh,
    where,
)
from clearprop.errors import InputError, unknown_name
from clearprop.formula import parse_formula

__all__ = ["ACTIVATIONS", "Activation", "by_neuron", "get_activation", "mixed"]


@dataclass(frozen=True)
class Activation:
    r"""A function :math:`a = f(z)` and what is known about it.

    Parameters
    ----------
    name : str
        The name by which messages, tables and model files call it.
    f : callable
        ``f(z) -> a``. Elementwise on arrays of any shape, or, with ``pullback``, on the last axis.
    df : callable, optional
        ``df(z, a) -> f'(z)`` where ``a = f(z)`` is given because it often makes f' cheaper. Needed
        unless ``pullback`` is given. At a kink it gives the one-sided or middle slope chosen.
    pullback : callable, optional
        ``pullback(z, a, g) -> Jᵀ g``, the transposed Jacobian of f at z applied to g, sample by
        sample. Giving it says that f couples the neurons of its layer.
    latex, derivative_latex : str
        f(z) and f'(z) for people.
    range : tuple of float
        The infimum and supremum of f.
    steepest : float
        The largest |f'(z)|: how much of an error can pass (sigmoid: 1/4, the root of the vanishing
        gradient).
    flat : tuple of float
        Where |f'(z)| is below 1 % of ``steepest``: for z below the first number and above the
        second. ``-inf`` or ``inf`` where there is no such side.
    kinks : tuple of float
        Where f' jumps.
    analytic : bool
        Whether f is an analytic function, so that a complex step can differentiate it.
    formula : str, optional
        The text that it was made from, see :meth:`from_formula`.
    parts : tuple of Activation
        For a mixed layer, the activation of each neuron.

    Raises
    ------
    InputError
        For an unusable name or function.

    Examples
    --------
    >>> import numpy as np
    >>> cube = Activation("cube", f=lambda z: z**3, df=lambda z, a: 3 * z**2)
    >>> cube(np.array([1.0, 2.0])), cube.df(np.array([1.0, 2.0]), None)
    (array([1., 8.]), array([ 3., 12.]))
    """

    name: str
    f: Callable[[Array], Array]
    df: Callable[[Array, Array], Array] | None = None
    pullback: Callable[[Array, Array, Array], Array] = field(default=None, compare=False)  # type: ignore[assignment]
    latex: str = ""
    derivative_latex: str = ""
    range: tuple[float, float] = (-math.inf, math.inf)
    steepest: float = math.inf
    flat: tuple[float, float] = (-math.inf, math.inf)
    kinks: tuple[float, ...] = ()
    analytic: bool = False
    formula: str | None = None
    parts: tuple["Activation", ...] = ()
    elementwise: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        # Any: what a person gives is of any type, whatever is declared above.
        name: Any = self.name
        given: dict[str, Any] = {"f": self.f, "df": self.df, "pullback": self.pullback}
        if not isinstance(name, str) or not name:
            raise InputError(f"an activation's name is {name!r}; expected a text")
        for what, function in given.items():
            if function is not None and not callable(function):
                raise InputError(
                    f"{what} of the activation {name!r} is {function!r}; expected a function"
                )
        if given["f"] is None or (given["df"] is None and given["pullback"] is None):
            raise InputError(
                f"the activation {name!r} lacks f or its derivative; expected f(z) and df(z, a), "
                "or Activation.from_formula(name, formula), which works the derivative out"
            )
        object.__setattr__(self, "elementwise", given["pullback"] is None)
        if given["pullback"] is None:
            object.__setattr__(self, "pullback", self._hadamard)

    def _hadamard(self, z: Array, a: Array, g: Array) -> Array:
        assert self.df is not None
        return g * self.df(z, a)

    def __call__(self, z: Array) -> Array:
        """``f(z)``.

        Raises
        ------
        InputError
            Where f changes the shape.
        """
        a = self.f(z)
        if np.shape(a) != np.shape(z):
            raise InputError(
                f"the activation {self.name!r} made shape {np.shape(a)} of z with shape "
                f"{np.shape(z)}; expected the same shape"
            )
        return a

    def __repr__(self) -> str:
        return f"<activation {self.name}>"

    @classmethod
    def from_formula(cls, name: str, formula: str) -> "Activation":
        r"""An activation from its formula in z; SymPy derives f' and the LaTeX.

        Parameters
        ----------
        name : str
            The name by which to call it.
        formula : str
            Python arithmetic in ``z``, see :func:`clearprop.formula.parse_formula`.

        Raises
        ------
        InputError
            Where the formula holds anything but arithmetic and known functions.
        MissingDependencyError
            Where SymPy is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> bent = Activation.from_formula("bent", "(sqrt(z**2 + 1) - 1)/2 + z")
        >>> z = np.array([0.0, 0.75])
        >>> bent(z), bent.df(z, bent(z))
        (array([0.   , 0.875]), array([1. , 1.3]))
        >>> print(bent.derivative_latex)
        \frac{z}{2 \sqrt{z^{2} + 1}} + 1
        """
        parsed = parse_formula(formula, "z")
        return cls(
            name,
            f=parsed.f,
            df=parsed.df,
            latex=parsed.latex,
            derivative_latex=parsed.derivative_latex,
            analytic=parsed.analytic,
            formula=formula,
        )


# --- the definitions -----------------------------------------------------------------------------


def _identity(z: Array) -> Array:
    return z + 0.0  # a copy: an activation never shares memory with z


def _d_identity(z: Array, a: Array) -> Array:
    return z * 0.0 + 1.0


def _sigmoid(z: Array) -> Array:
    return 1 / (1 + exp(-z))


def _d_sigmoid(z: Array, a: Array) -> Array:
    return a * (1 - a)


def _d_tanh(z: Array, a: Array) -> Array:
    return 1 - a * a


def _relu(z: Array) -> Array:
    return maximum(z, 0.0)


def _d_relu(z: Array, a: Array) -> Array:
    return where(z > 0, z * 0.0 + 1.0, 0.0)


def _leaky_relu(z: Array) -> Array:
    return where(z > 0, z, 0.01 * z)


def _d_leaky_relu(z: Array, a: Array) -> Array:
    return where(z > 0, z * 0.0 + 1.0, 0.01)


def _elu(z: Array) -> Array:
    return where(z > 0, z, expm1(minimum(z, 0.0)))


def _d_elu(z: Array, a: Array) -> Array:
    return where(z > 0, z * 0.0 + 1.0, exp(minimum(z, 0.0)))


def _softplus(z: Array) -> Array:
    return maximum(z, 0.0) + log1p(exp(-abs(z)))


def _d_softplus(z: Array, a: Array) -> Array:
    return 1 / (1 + exp(-z))


def _silu(z: Array) -> Array:
    return z / (1 + exp(-z))


def _d_silu(z: Array, a: Array) -> Array:
    s = 1 / (1 + exp(-z))
    return s + a * (1 - s)


_ROOT_HALF = math.sqrt(0.5)
_NORMAL_PEAK = 1 / math.sqrt(2 * math.pi)  # the standard normal density at 0


def _gelu(z: Array) -> Array:
    return 0.5 * z * (1 + erf(z * _ROOT_HALF))


def _d_gelu(z: Array, a: Array) -> Array:
    return 0.5 * (1 + erf(z * _ROOT_HALF)) + z * _NORMAL_PEAK * exp(-0.5 * z * z)


def _softmax(z: Array) -> Array:
    # Subtracting the largest z changes nothing and keeps every power of e in range.
    e = exp(z - max_last(z))
    return e / sum_last(e)


def _softmax_pullback(z: Array, a: Array, g: Array) -> Array:
    # The Jacobian is diag(a) - a aᵀ, and symmetric.
    return a * (g - sum_last(g * a))


ACTIVATIONS: dict[str, Activation] = {
    record.name: record
    for record in (
        Activation(
            "identity",
            _identity,
            _d_identity,
            latex="z",
            derivative_latex="1",
            steepest=1.0,
            analytic=True,
        ),
        # Nielsen, Neural Networks and Deep Learning, ch. 1
        Activation(
            "sigmoid",
            _sigmoid,
            _d_sigmoid,
            latex=r"\frac{1}{1 + e^{-z}}",
            derivative_latex=r"\sigma(z)\,(1 - \sigma(z))",
            range=(0.0, 1.0),
            steepest=0.25,
            flat=(-5.99, 5.99),
            analytic=True,
        ),
        # LeCun et al., Efficient BackProp, 1998
        Activation(
            "tanh",
            tanh,
            _d_tanh,
            latex=r"\tanh(z)",
            derivative_latex=r"1 - \tanh^2(z)",
            range=(-1.0, 1.0),
            steepest=1.0,
            flat=(-3.00, 3.00),
            analytic=True,
        ),
        # Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, 2010
        Activation(
            "relu",
            _relu,
            _d_relu,
            latex=r"\max(z, 0)",
            derivative_latex=r"[z > 0]",
            range=(0.0, math.inf),
            steepest=1.0,
            flat=(0.0, math.inf),
            kinks=(0.0,),
        ),
        # Maas et al., Rectifier nonlinearities improve neural network acoustic models, 2013
        Activation(
            "leaky_relu",
            _leaky_relu,
            _d_leaky_relu,
            latex=r"\max(z, 0.01\,z)",
            derivative_latex=r"1 \text{ if } z > 0 \text{ else } 0.01",
            steepest=1.0,
            kinks=(0.0,),
        ),
        # Clevert et al., Fast and accurate deep network learning by ELUs, 2016
        Activation(
            "elu",
            _elu,
            _d_elu,
            latex=r"z \text{ if } z > 0 \text{ else } e^z - 1",
            derivative_latex=r"1 \text{ if } z > 0 \text{ else } e^z",
            range=(-1.0, math.inf),
            steepest=1.0,
            flat=(-4.61, math.inf),
        ),
        # Dugas et al., Incorporating second-order functional knowledge, 2000
        Activation(
            "softplus",
            _softplus,
            _d_softplus,
            latex=r"\ln(1 + e^z)",
            derivative_latex=r"\frac{1}{1 + e^{-z}}",
            range=(0.0, math.inf),
            steepest=1.0,
            flat=(-4.60, math.inf),
        ),
        # Hendrycks & Gimpel, Gaussian error linear units, 2016 (both silu and gelu)
        Activation(
            "silu",
            _silu,
            _d_silu,
            latex=r"\frac{z}{1 + e^{-z}}",
            derivative_latex=r"\sigma(z) + z\,\sigma(z)\,(1 - \sigma(z))",
            range=(-0.2784645427610738, math.inf),
            steepest=1.0998393194985847,
            flat=(-6.15, math.inf),
            analytic=True,
        ),
        Activation(
            "gelu",
            _gelu,
            _d_gelu,
            latex=r"z\,\Phi(z)",
            derivative_latex=r"\Phi(z) + z\,\varphi(z)",
            range=(-0.16997120747990369, math.inf),
            steepest=1.1289042145403286,
            flat=(-3.03, math.inf),
            analytic=True,
        ),
        # Bridle, Probabilistic interpretation of feedforward network outputs, 1990
        Activation(
            "softmax",
            _softmax,
            pullback=_softmax_pullback,
            latex=r"\frac{e^{z_j}}{\sum_k e^{z_k}}",
            derivative_latex=r"a_j\,([j = k] - a_k)",
            range=(0.0, 1.0),
            steepest=0.5,
            analytic=True,
        ),
    )
}


def mixed(parts: Sequence[Activation]) -> Activation:
    """One activation a neuron: the layer's neuron j uses ``parts[j]``.

    Nielsen's exercise *Backpropagation with a single modified neuron* (ch. 2).

    Raises
    ------
    InputError
        Where a part couples neurons (softmax) or is itself mixed: it has no meaning for one neuron.

    Examples
    --------
    >>> import numpy as np
    >>> layer = mixed([ACTIVATIONS["relu"], ACTIVATIONS["identity"]])
    >>> layer(np.array([[-2.0, -2.0]]))
    array([[ 0., -2.]])
    """
    for part in parts:
        if part.parts:
            raise InputError(
                f"{part.name} is a whole layer's; expected one activation for each neuron"
            )
        if not part.elementwise:
            raise InputError(
                f"{part.name} couples all neurons of its layer and cannot belong to one neuron of "
                "a mixed layer; expected elementwise activations"
            )
    if not parts:
        raise InputError("a mixed layer needs one activation for each of its neurons; given none")
    parts = tuple(parts)
    return Activation(
        "[" + ", ".join(part.name for part in parts) + "]",
        f=lambda z: by_neuron(parts, lambda one, z: one.f(z), z),
        df=lambda z, a: by_neuron(parts, lambda one, z, a: one.df(z, a), z, a),
        latex=r"f_j(z_j)",
        derivative_latex=r"f_j'(z_j)",
        range=(min(p.range[0] for p in parts), max(p.range[1] for p in parts)),
        steepest=max(p.steepest for p in parts),
        kinks=tuple(sorted({kink for p in parts for kink in p.kinks})),
        analytic=all(p.analytic for p in parts),
        parts=parts,
    )


def by_neuron(parts: Sequence[Activation], apply: Callable[..., Array], *arrays: Array) -> Array:
    """``apply(part, *columns)`` for each distinct part on the columns of its own neurons.

    ``arrays`` and the result have shape (m, n) with n = ``len(parts)``.
    """
    distinct = list(dict.fromkeys(parts))
    groups = [[j for j, part in enumerate(parts) if part == one] for one in distinct]
    position = [j for group in groups for j in group]
    pieces = [
        apply(one, *(take_columns(array, group) for array in arrays))
        for one, group in zip(distinct, groups, strict=True)
    ]
    back = sorted(range(len(parts)), key=position.__getitem__)
    return take_columns(concat_columns(pieces), back)


def get_activation(choice: Any) -> Activation:
    """The activation that a name, a record, or a list of them (one a neuron) stands for.

    Raises
    ------
    UnknownNameError
        For a name that :data:`ACTIVATIONS` does not hold.
    InputError
        For anything that is neither a name, a record nor a list of them.
    """
    if isinstance(choice, Activation):
        return choice
    if isinstance(choice, str):
        try:
            return ACTIVATIONS[choice]
        except KeyError:
            raise unknown_name("activation", choice, ACTIVATIONS) from None
    if isinstance(choice, Sequence):
        return mixed([get_activation(one) for one in choice])
    raise InputError(
        f"an activation is a name ({', '.join(ACTIVATIONS)}), a cp.Activation, or a list with one "
        f"of these for each neuron; given {choice!r}"
    )
