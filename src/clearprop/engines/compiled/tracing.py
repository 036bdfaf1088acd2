"""A small array library whose arrays record what is done to them.

Calling a formula (an activation, a loss, an optimizer's rule) with a :class:`Traced` runs it once
as ordinary Python and leaves a graph of the operations, whatever helpers, closures or records the
formula is made of. A formula that works on whole NumPy arrays cannot branch on their values, so
one run shows all there is.

A Traced stands for a batch, of shape (m, n) with m unknown. It has Python's operators, is taken by
NumPy's functions, and has an array-API namespace, :data:`NAMESPACE`, which is how the functions of
:mod:`clearprop.arrays` find their way here. Whatever else a formula does raises
:class:`CannotTraceError`, whose message completes "the formula cannot be compiled: …".

Python numbers in a formula stay Python numbers: as in NumPy, they take the dtype of the array that
they meet.
"""

import math
import operator
from types import ModuleType

import numpy as np

__all__ = [
    "ELEMENT",
    "NAMESPACE",
    "ROW",
    "SCALAR",
    "CannotTraceError",
    "Traced",
    "argument",
    "as_element",
    "as_number",
    "reduce",
]

# What a value varies with: nothing, the sample, or the sample and the neuron.
SCALAR, ROW, ELEMENT = 0, 1, 2

# Integer powers up to this one become multiplications.
_LARGEST_POWER = 64


class CannotTraceError(Exception):
    """Why a formula cannot be compiled."""


# --- what the operators of a Traced are made of --------------------------------------------------


def _lift(value):
    """A Traced as it is; a number as a float."""
    if isinstance(value, Traced):
        return value
    zero_axes = isinstance(value, np.ndarray) and value.ndim == 0
    if zero_axes or isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
        return float(value)
    what = type(value).__name__
    if isinstance(value, np.ndarray):
        what = f"an array of shape {value.shape}"
    raise CannotTraceError(f"it combines its argument with {what}; only numbers can be compiled")


def as_number(value):
    """``value``, where a comparison becomes 1 or 0."""
    if isinstance(value, Traced) and value.boolean:
        return value.new("where", value, 1.0, 0.0)
    return value


def _operation(op):
    """A function of arrays and numbers whose result is a number, elementwise."""

    def apply(*args):
        args = [as_number(_lift(a)) for a in args]
        return _first_traced(args).new(op, *args)

    return apply


def _comparison(op):
    """A function of two arrays or numbers whose result is true or false, elementwise."""

    def apply(x, y):
        args = [as_number(_lift(x)), as_number(_lift(y))]
        return _first_traced(args).new(op, *args, boolean=True)

    return apply


def _logic(op):
    """A function of comparisons whose result is true or false, elementwise."""

    def apply(*args):
        if not all(isinstance(a, Traced) and a.boolean for a in args):
            raise CannotTraceError(f"it uses {op} on what is no comparison")
        return args[0].new(op, *args, boolean=True)

    return apply


def _reflected(apply):
    """The same function, with its two arguments the other way round."""

    def reflected(x, y):
        return apply(y, x)

    return reflected


def _first_traced(args):
    return next(a for a in args if isinstance(a, Traced))


def _power(base, exponent):
    """Powers by multiplication, as far as that gives NumPy's numbers."""
    if not isinstance(base, Traced):
        base = _lift(base)
        if base <= 0:
            raise CannotTraceError(f"it raises {base!r} to a power; only a number above 0 can be")
        return NAMESPACE.exp(exponent * math.log(base))
    if isinstance(exponent, Traced):
        raise CannotTraceError("it raises its argument to a power that varies")
    exponent, base = _lift(exponent), as_number(base)
    if exponent == 0.5:
        return NAMESPACE.sqrt(base)
    if exponent == -0.5:
        return 1 / NAMESPACE.sqrt(base)
    if not exponent.is_integer() or abs(exponent) > _LARGEST_POWER:
        raise CannotTraceError(
            f"it raises its argument to the power {exponent:g}; only integers up to "
            f"{_LARGEST_POWER} and ±0.5 can be compiled"
        )
    if exponent == 0:
        return 1.0  # of infinity and NaN, too
    positive = _integer_power(base, int(abs(exponent)))
    return 1 / positive if exponent < 0 else positive


def _integer_power(base, exponent):
    """``base**exponent`` for exponent ≥ 1: the product of the squares that its bits select."""
    result, square = None, base
    while True:
        if exponent & 1:
            result = square if result is None else result * square
        exponent >>= 1
        if not exponent:
            return result
        square = square * square


class Traced:
    """A node of the graph: an operation on other nodes and Python numbers.

    Parameters
    ----------
    op : str
        The name of a function or the sign of an operator; of an argument, its name.
    args : sequence of Traced or float
    level : int, optional
        SCALAR, ROW or ELEMENT; by default that of the arguments.
    stage : int, optional
        How many sums or maxima over a whole row must be known before; by default as the arguments.
    width : int, optional
        The number of neurons n.
    dtype : str
    boolean : bool
        Whether it is true or false instead of a number.
    """

    # NumPy's own arrays leave operators with a Traced to the Traced.
    __array_priority__ = 1000.0
    device = "cpu"
    ndim = 2

    def __init__(
        self, op, args=(), *, level=None, stage=None, width=None, dtype="float64", boolean=False
    ):
        self.op, self.args, self.boolean = op, tuple(args), boolean
        nodes = self.nodes()
        self.level = max((n.level for n in nodes), default=SCALAR) if level is None else level
        self.stage = max((n.stage for n in nodes), default=0) if stage is None else stage
        self.width, self.float_dtype = width, dtype

    def nodes(self):
        """Those of the arguments that are nodes themselves."""
        return [a for a in self.args if isinstance(a, Traced)]

    def new(self, op, *args, **settings):
        """A node of the same width and dtype as this one."""
        return Traced(op, args, width=self.width, dtype=self.float_dtype, **settings)

    # --- operators ---

    __add__, __radd__ = _operation("+"), _reflected(_operation("+"))
    __sub__, __rsub__ = _operation("-"), _reflected(_operation("-"))
    __mul__, __rmul__ = _operation("*"), _reflected(_operation("*"))
    __truediv__, __rtruediv__ = _operation("/"), _reflected(_operation("/"))
    __pow__, __rpow__ = _power, _reflected(_power)
    __neg__, __abs__ = _operation("neg"), _operation("abs")
    __lt__, __le__ = _comparison("<"), _comparison("<=")
    __gt__, __ge__ = _comparison(">"), _comparison(">=")
    __eq__, __ne__ = _comparison("=="), _comparison("!=")
    __and__, __rand__ = _logic("&"), _reflected(_logic("&"))
    __or__, __ror__ = _logic("|"), _reflected(_logic("|"))
    __invert__ = _logic("~")

    def __pos__(self):
        return self

    def __hash__(self):
        # Nodes are keys of dictionaries by identity; == is part of the graph.
        return id(self)

    # --- what else formulas ask of an array ---

    @property
    def shape(self):
        """(None, n), or (None, 1) for one number a sample."""
        return (None, 1 if self.level == ROW else self.width)

    @property
    def dtype(self):
        """The NumPy dtype."""
        return np.dtype(bool) if self.boolean else np.dtype(self.float_dtype)

    def __getattr__(self, name):
        # Double underscores are how libraries ask what an object is: there "no" is an answer.
        if not name.startswith("__") and hasattr(np.ndarray, name):
            raise CannotTraceError(f"it uses .{name} of its argument, which has no compiled form")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __array__(self, *args, **kwargs):
        raise CannotTraceError("it turns its argument into a NumPy array")

    def __bool__(self):
        raise CannotTraceError("it branches on the values of its argument (use where())")

    def __float__(self):
        raise CannotTraceError("it turns its argument into one number")

    __int__ = __index__ = __float__

    def __iter__(self):
        raise CannotTraceError("it takes its argument apart, element by element")

    def __len__(self):
        raise CannotTraceError("it asks how many samples there are")

    def __getitem__(self, index):
        raise CannotTraceError("it picks elements of its argument by an index")

    def __setitem__(self, index, value):
        raise CannotTraceError("it changes its argument in place (use where())")

    # --- the ways in which libraries find the functions below ---

    def __array_namespace__(self, api_version=None):
        return NAMESPACE

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = _UFUNCS.get(ufunc.__name__)
        called = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        if method != "__call__" or name is None:
            raise CannotTraceError(f"it calls {called}, which has no compiled form")
        if kwargs:
            options = " and ".join(f"{option}=" for option in kwargs)
            raise CannotTraceError(f"it calls {called} with {options}, which has no compiled form")
        return getattr(NAMESPACE, name)(*map(_lift, inputs))

    def __array_function__(self, function, types, args, kwargs):
        name = _ARRAY_FUNCTIONS.get(function.__name__)
        if name is None:
            raise CannotTraceError(f"it calls {function.__name__}, which has no compiled form")
        return getattr(NAMESPACE, name)(*args, **kwargs)


def argument(name, level=ELEMENT, width=None, dtype="float64"):
    """An argument of a formula.

    Parameters
    ----------
    name : str
    level : int
        What it varies with: SCALAR, ROW or ELEMENT.
    width : int, optional
        The number of neurons.
    dtype : str
    """
    return Traced(name, level=level, width=width, dtype=dtype)


# --- the namespace -------------------------------------------------------------------------------


def reduce(op, x):
    """The "sum" or "max" of each row of x: one number a sample.

    Raises
    ------
    CannotTraceError
        Where x is one number a sample already.
    """
    if not isinstance(x, Traced) or x.level < ELEMENT:
        raise CannotTraceError(f"it reduces with {op} what is already one number a sample")
    return x.new(op, as_number(x), level=ROW, stage=x.stage + 1)


def as_element(value, like):
    """``value`` as a number for each sample and neuron of ``like``, whatever it varied with."""
    value = as_number(_lift(value))
    if isinstance(value, Traced) and value.level == ELEMENT:
        return value
    return like.new("spread", value, level=ELEMENT)


def _reduction(op):
    def apply(x, axis=None, keepdims=False, **options):
        options = {name: value for name, value in options.items() if value is not None}
        if axis not in (-1, 1) or not keepdims or options:
            raise CannotTraceError(
                f"it reduces with {op} otherwise than with axis=-1 and keepdims=True"
            )
        return reduce(op, x)

    return apply


def _where(condition, *branches):
    if len(branches) != 2:
        raise CannotTraceError("it asks where its argument is true; where() needs two branches")
    yes, no = (as_number(_lift(branch)) for branch in branches)
    if not isinstance(condition, Traced):
        return yes if condition else no
    if not condition.boolean:
        condition = condition != 0
    return condition.new("where", condition, yes, no)


def _clip(x, a_min=None, a_max=None, **bounds):
    """The bounds are also called ``min`` and ``max``."""
    low, high = bounds.get("min", a_min), bounds.get("max", a_max)
    x = x if low is None else NAMESPACE.maximum(x, low)
    return x if high is None else NAMESPACE.minimum(x, high)


def _asarray(value, **_):
    return _lift(value)


# A constant array is its number: it takes the shape of what it meets.
def _full_like(like, value, **_):
    return _lift(value)


def _zeros_like(like, **_):
    return 0.0


def _ones_like(like, **_):
    return 1.0


def _positive(x):
    return x


def _square(x):
    return x * x


def _reciprocal(x):
    return 1 / x


def _expit(z):
    """The logistic function, SciPy's name for it."""
    return 1 / (1 + NAMESPACE.exp(-z))


def _logaddexp(x, y):
    """log(e^x + e^y), where nothing overflows."""
    return NAMESPACE.maximum(x, y) + NAMESPACE.log1p(NAMESPACE.exp(-abs(x - y)))


def _exp2(x):
    return NAMESPACE.exp(x * math.log(2))


def _cosh(x):
    return 0.5 * (NAMESPACE.exp(x) + NAMESPACE.exp(-x))


_ELEMENTARY = ("exp", "expm1", "log", "log1p", "tanh", "erf", "sqrt", "sign", "maximum", "minimum")

# The names of the array-API standard, and a few of NumPy's and SciPy's.
_FUNCTIONS = {name: _operation(name) for name in _ELEMENTARY} | {
    "abs": operator.abs,
    "negative": operator.neg,
    "positive": _positive,
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": _power,
    "square": _square,
    "reciprocal": _reciprocal,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "logical_and": operator.and_,
    "logical_or": operator.or_,
    "logical_not": operator.invert,
    "where": _where,
    "sum": _reduction("sum"),
    "max": _reduction("max"),
    "clip": _clip,
    "asarray": _asarray,
    "full_like": _full_like,
    "zeros_like": _zeros_like,
    "ones_like": _ones_like,
    "expit": _expit,
    "logaddexp": _logaddexp,
    "exp2": _exp2,
    "cosh": _cosh,
}

NAMESPACE = ModuleType("clearprop traced arrays")
vars(NAMESPACE).update(_FUNCTIONS, finfo=np.finfo, float32=np.float32, float64=np.float64)

# By the names that NumPy gives its ufuncs, and its other functions.
_UFUNCS = {name: name for name in _FUNCTIONS} | {
    "absolute": "abs",
    "fabs": "abs",
    "true_divide": "divide",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "invert": "logical_not",
    "fmax": "maximum",
    "fmin": "minimum",
}
_ARRAY_FUNCTIONS = {
    name: name for name in ("where", "sum", "max", "clip", "zeros_like", "ones_like", "full_like")
} | {"amax": "max"}
