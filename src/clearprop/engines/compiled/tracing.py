"""A small array library whose arrays record what is done to them.

Calling a formula (an activation, a loss, an optimizer's rule) with a `Traced` runs it once as
ordinary Python and leaves a graph of the operations, whatever helpers, closures or records the
formula is made of. A formula that works on whole NumPy arrays cannot branch on their values, so
one run shows all there is.
"""

import math
import operator
from types import ModuleType

import numpy as np


class CannotTrace(Exception):
    """Why a formula cannot be compiled."""


# What a value varies with.
SCALAR, ROW, ELEMENT = 0, 1, 2


class Traced:
    """A node of the graph: an operation on other nodes and Python numbers."""

    __array_priority__ = 1000.0
    device = "cpu"
    ndim = 2

    def __init__(
        self,
        op,
        args=(),
        *,
        level=None,
        stage=None,
        shape=(None, None),
        dtype="float64",
        boolean=False,
    ):
        self.op, self.args, self.boolean = op, tuple(args), boolean
        nodes = [a for a in self.args if isinstance(a, Traced)]
        self.level = level if level is not None else max((n.level for n in nodes), default=SCALAR)
        self.stage = stage if stage is not None else max((n.stage for n in nodes), default=0)
        self.width = shape[-1]
        self.float_dtype = dtype

    # --- what formulas ask of an array
    @property
    def shape(self):
        return (None, 1 if self.level == ROW else self.width)

    @property
    def dtype(self):
        return np.dtype(bool) if self.boolean else np.dtype(self.float_dtype)

    @property
    def T(self):
        raise CannotTrace("it transposes its argument")

    def __array_namespace__(self, api_version=None):
        return NAMESPACE

    def __array__(self, *args, **kwargs):
        raise CannotTrace("it turns its argument into a NumPy array")

    def __bool__(self):
        raise CannotTrace("it branches on the values of its argument (use where())")

    def __float__(self):
        raise CannotTrace("it turns its argument into one number")

    __int__ = __index__ = __float__

    def __iter__(self):
        raise CannotTrace("it goes through its argument element by element")

    __len__ = __getitem__ = __setitem__ = lambda self, *_: self.__iter__()

    def __hash__(self):
        return id(self)

    def new(self, op, *args, **kw):
        like = next(a for a in args if isinstance(a, Traced))
        return Traced(op, args, shape=(None, like.width), dtype=like.float_dtype, **kw)

    # --- NumPy's functions called on it directly
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = _UFUNCS.get(ufunc.__name__)
        if method != "__call__" or kwargs or name is None:
            raise CannotTrace(f"it calls {ufunc.__name__}, which has no compiled form")
        return getattr(NAMESPACE, name)(*inputs)

    def __array_function__(self, function, types, args, kwargs):
        name = function.__name__
        if name in ("where", "sum", "max", "amax", "clip", "zeros_like", "ones_like", "full_like"):
            return getattr(NAMESPACE, {"amax": "max"}.get(name, name))(*args, **kwargs)
        raise CannotTrace(f"it calls {name}, which has no compiled form")


def _lift(x):
    if isinstance(x, Traced):
        return x
    if isinstance(x, (bool, int, float, np.generic)) or (isinstance(x, np.ndarray) and x.ndim == 0):
        return float(x)
    raise CannotTrace(f"it mixes its argument with {type(x).__name__} {x!r}")


def _make(op, boolean=False):
    def method(*args):
        args = [_lift(a) for a in args]
        like = next(a for a in args if isinstance(a, Traced))
        if not boolean:
            args = [_number(a) for a in args]
        return like.new(op, *args, boolean=boolean)

    return method


def _number(x):
    """A comparison used as a number is 1 or 0."""
    if isinstance(x, Traced) and x.boolean:
        return x.new("where", x, 1.0, 0.0)
    return x


def _reversed(op):
    make = _make(op)
    return lambda self, other: make(other, self)


for _name, _op in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")):
    setattr(Traced, f"__{_name}__", _make(_op))
    setattr(Traced, f"__r{_name}__", _reversed(_op))
for _name, _op in (
    ("lt", "<"),
    ("le", "<="),
    ("gt", ">"),
    ("ge", ">="),
    ("eq", "=="),
    ("ne", "!="),
):
    setattr(Traced, f"__{_name}__", _make(_op, boolean=True))
for _name, _op in (("and", "&"), ("or", "|")):
    setattr(Traced, f"__{_name}__", _make(_op, boolean=True))
    setattr(Traced, f"__r{_name}__", _reversed(_op))
Traced.__invert__ = _make("~", boolean=True)
Traced.__neg__ = _make("neg")
Traced.__pos__ = lambda self: self
Traced.__abs__ = _make("abs")


def _power(base, exponent):
    if not isinstance(base, Traced):
        if isinstance(base, (int, float)) and base > 0:
            return NAMESPACE.exp(exponent * math.log(base))
        raise CannotTrace(f"it raises {base!r} to a power")
    if isinstance(exponent, Traced):
        raise CannotTrace("it raises to a power that varies")
    if exponent == 0.5:
        return NAMESPACE.sqrt(base)
    if exponent == -0.5:
        return 1 / NAMESPACE.sqrt(base)
    if exponent != int(exponent) or abs(exponent) > 64:
        raise CannotTrace(f"it raises to the power {exponent!r}")
    n = abs(int(exponent))
    result, square = None, base
    while n:
        if n & 1:
            result = square if result is None else result * square
        n >>= 1
        square = square * square if n else square
    result = base * 0.0 + 1.0 if result is None else result
    return 1 / result if exponent < 0 else result


Traced.__pow__ = _power
Traced.__rpow__ = lambda self, base: _power(base, self)


def _reduction(op):
    def reduce(x, axis=None, keepdims=False, **_):
        if axis not in (-1, 1) or not keepdims:
            raise CannotTrace(f"it reduces with {op} over another axis than the last, or drops it")
        if x.level < ELEMENT:
            raise CannotTrace(f"it reduces with {op} what is already one number a sample")
        return Traced(
            op,
            (_number(x),),
            level=ROW,
            stage=x.stage + 1,
            shape=(None, x.width),
            dtype=x.float_dtype,
        )

    return reduce


def _asarray(value, dtype=None, device=None, copy=None):
    return _lift(value)


def _full_like(like, value, **_):
    return _lift(value)


def _clip(x, low=None, high=None):
    x = x if low is None else NAMESPACE.maximum(x, low)
    return x if high is None else NAMESPACE.minimum(x, high)


def _where(condition, yes, no):
    if not isinstance(condition, Traced):
        return yes if condition else no
    args = [condition, _number(_lift(yes)), _number(_lift(no))]
    return condition.new("where", *args)


def _expit(z):
    return 1 / (1 + NAMESPACE.exp(-z))


def _logaddexp(x, y):
    return NAMESPACE.maximum(x, y) + NAMESPACE.log1p(NAMESPACE.exp(-abs(x - y)))


FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "erf", "sqrt", "sign", "maximum", "minimum")
NAMESPACE = ModuleType("clearprop traced arrays")
vars(NAMESPACE).update(
    **{name: _make(name) for name in FUNCTIONS},
    abs=abs,
    negative=operator.neg,
    add=operator.add,
    subtract=operator.sub,
    multiply=operator.mul,
    divide=operator.truediv,
    power=_power,
    square=lambda x: x * x,
    reciprocal=lambda x: 1 / x,
    positive=lambda x: x,
    less=operator.lt,
    less_equal=operator.le,
    greater=operator.gt,
    greater_equal=operator.ge,
    equal=operator.eq,
    not_equal=operator.ne,
    logical_and=operator.and_,
    logical_or=operator.or_,
    logical_not=operator.invert,
    where=_where,
    sum=_reduction("sum"),
    max=_reduction("max"),
    clip=_clip,
    asarray=_asarray,
    full_like=_full_like,
    zeros_like=lambda x, **_: 0.0,
    ones_like=lambda x, **_: 1.0,
    finfo=np.finfo,
    expit=_expit,
    logaddexp=_logaddexp,
    float32=np.float32,
    float64=np.float64,
    exp2=lambda x: NAMESPACE.exp(x * math.log(2)),
    cosh=lambda x: 0.5 * (NAMESPACE.exp(x) + NAMESPACE.exp(-x)),
)
_UFUNCS = {name: name for name in vars(NAMESPACE)} | {
    "absolute": "abs",
    "fabs": "abs",
    "true_divide": "divide",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "invert": "logical_not",
    "fmax": "maximum",
    "fmin": "minimum",
}


def argument(name, level=ELEMENT, width=None, dtype="float64"):
    return Traced(name, level=level, stage=0, shape=(None, width), dtype=dtype)
