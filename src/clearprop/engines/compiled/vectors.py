"""SIMD vectors as values in Numba code: arithmetic, comparison, selection, loads and stores.

Numba leaves it to LLVM whether a loop over numbers becomes a loop over vectors, and an elementary
function written with branches never does. Here a *vector*, as many numbers as fit one register of
the processor, is a Numba type of its own, so that what is written with vectors is vector code by
construction. It has Python's operators; a plain number in an operation is broadcast to all lanes.
A comparison gives a *mask*, one bit for each lane, which ``&``, ``|`` and ``~`` combine and
:func:`select` reads.

No operation here may be reordered or approximated ("fast math"): the elementary functions rely on
how each of them rounds. NaN is never lost: a comparison with NaN is false, and
:func:`maximum` and :func:`minimum` give NaN where either number is.

In the functions that build code, ``b`` is an LLVM IR builder, ``ctx`` Numba's target context and
``args`` the LLVM values of the arguments. An *address* is an integer, in bytes; an *index* counts
numbers from there.
"""

import operator

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from clearprop.engines.compiled import machine

__all__ = [
    "FLOATS",
    "I32",
    "I64",
    "V32",
    "V64",
    "Mask",
    "Vector",
    "absolute",
    "below",
    "broadcast",
    "copysign",
    "first",
    "fma",
    "load1_32",
    "load1_64",
    "load32",
    "load64",
    "max_lanes",
    "maximum",
    "minimum",
    "polynomial",
    "select",
    "sign",
    "splat",
    "split",
    "sqrt",
    "store1_32",
    "store1_64",
    "store32",
    "store64",
    "sum_lanes",
    "times_power_of_two",
]

I64, I32, I1 = ir.IntType(64), ir.IntType(32), ir.IntType(1)
FLOATS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


class Vector(types.Type):
    """The type of a vector of ``scalar`` (float32 or float64)."""

    def __init__(self, scalar):
        self.scalar, self.lanes = scalar, machine.lanes(scalar)
        super().__init__(f"vector({scalar} x {self.lanes})")


class Mask(types.Type):
    """The type of a truth value for each lane."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(f"mask({lanes})")


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, dmm, fe):
        super().__init__(dmm, fe, ir.VectorType(FLOATS[fe.scalar], fe.lanes))


@register_model(Mask)
class _MaskModel(PrimitiveModel):
    def __init__(self, dmm, fe):
        super().__init__(dmm, fe, ir.VectorType(I1, fe.lanes))


V32, V64 = Vector(types.float32), Vector(types.float64)


# --- building blocks of LLVM code ----------------------------------------------------------------


def broadcast(b, x, lanes):
    """The LLVM vector whose lanes are all the LLVM number x."""
    vector = ir.VectorType(x.type, lanes)
    undefined = ir.Constant(vector, ir.Undefined)
    one_lane = b.insert_element(undefined, x, ir.Constant(I32, 0))
    lane_0_everywhere = ir.Constant(ir.VectorType(I32, lanes), None)
    return b.shuffle_vector(one_lane, undefined, lane_0_everywhere)


def _constant(vector, value):
    """The LLVM constant of an LLVM vector type whose lanes are all ``value``."""
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def _vector_of(args):
    """The vector type that the arguments share: a number becomes a vector of the other's type."""
    vectors = {a for a in args if isinstance(a, Vector)}
    if len(vectors) == 1 and all(isinstance(a, Vector | types.Number) for a in args):
        return vectors.pop()
    return None


def _as_vectors(ctx, b, arg_types, args, vector):
    """The arguments, each of them a vector now."""
    return [
        x if isinstance(t, Vector) else broadcast(b, ctx.cast(b, x, t, vector.scalar), vector.lanes)
        for t, x in zip(arg_types, args, strict=True)
    ]


def _llvm_function(module, name, result, arguments):
    """LLVM's own function of that name for these types, such as ``llvm.sqrt.v16f32``."""
    kind = result if isinstance(result, ir.VectorType) else arguments[-1]
    if isinstance(kind, ir.VectorType):
        prefix, number = f"v{kind.count}", kind.element
    else:
        prefix, number = "", kind
    bits = 32 if isinstance(number, ir.FloatType) else 64
    full_name = f"llvm.{name}.{prefix}f{bits}"
    if full_name in module.globals:
        return module.globals[full_name]
    return ir.Function(module, ir.FunctionType(result, arguments), full_name)


def _multiply_add(b, x, y, z):
    """X * y + z of LLVM values, rounded once where the processor has an instruction for it."""
    function = _llvm_function(b.module, "fmuladd", x.type, [x.type] * 3)
    return b.call(function, [x, y, z])


# --- operators -----------------------------------------------------------------------------------


def _define_binary(symbol, result_of, emit):
    """Give vectors the operator ``symbol``; ``emit(b, x, y)`` builds it."""

    @infer_global(symbol)
    class _Typing(AbstractTemplate):
        def generic(self, args, kws):
            vector = _vector_of(args) if len(args) == 2 else None
            return None if vector is None else signature(result_of(vector), *args)

    def lower(ctx, b, sig, args):
        return emit(b, *_as_vectors(ctx, b, sig.args, args, _vector_of(sig.args)))

    for pair in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(symbol, *pair)(lower)


def _define_logic(symbol, emit):
    """Give masks the operator ``symbol``."""

    @infer_global(symbol)
    class _Typing(AbstractTemplate):
        def generic(self, args, kws):
            alike = len(args) == 2 and isinstance(args[0], Mask) and args[0] == args[1]
            return signature(args[0], *args) if alike else None

    @lower_builtin(symbol, Mask, Mask)
    def _lower(ctx, b, sig, args):
        return emit(b, *args)


def _define_unary(symbol, kind, emit):
    """Give the types of class ``kind`` the operator ``symbol``."""

    @infer_global(symbol)
    class _Typing(AbstractTemplate):
        def generic(self, args, kws):
            return signature(args[0], *args) if isinstance(args[0], kind) else None

    @lower_builtin(symbol, kind)
    def _lower(ctx, b, sig, args):
        return emit(b, *args)


def _define_comparison(symbol, sign):
    # Only "not equal" is true of a NaN.
    compare = ir.IRBuilder.fcmp_unordered if sign == "!=" else ir.IRBuilder.fcmp_ordered
    _define_binary(symbol, lambda v: Mask(v.lanes), lambda b, x, y: compare(b, sign, x, y))


def _same(vector):
    return vector


_define_binary(operator.add, _same, ir.IRBuilder.fadd)
_define_binary(operator.sub, _same, ir.IRBuilder.fsub)
_define_binary(operator.mul, _same, ir.IRBuilder.fmul)
_define_binary(operator.truediv, _same, ir.IRBuilder.fdiv)
_define_unary(operator.neg, Vector, ir.IRBuilder.fneg)
_define_comparison(operator.lt, "<")
_define_comparison(operator.le, "<=")
_define_comparison(operator.gt, ">")
_define_comparison(operator.ge, ">=")
_define_comparison(operator.eq, "==")
_define_comparison(operator.ne, "!=")
_define_logic(operator.and_, ir.IRBuilder.and_)
_define_logic(operator.or_, ir.IRBuilder.or_)
_define_unary(operator.invert, Mask, ir.IRBuilder.not_)


# --- memory --------------------------------------------------------------------------------------


def _define_memory(scalar):
    """Loads and stores of vectors, and of single numbers, of one type.

    They need no more alignment than a number has.
    """
    vector = Vector(scalar)
    number_bytes = scalar.bitwidth // 8

    def place(b, address, index):
        return b.gep(b.inttoptr(address, FLOATS[scalar].as_pointer()), [index])

    @intrinsic
    def load(tc, address, index):
        def codegen(ctx, b, sig, args):
            kind = ir.VectorType(FLOATS[scalar], vector.lanes)
            return b.load(b.bitcast(place(b, *args), kind.as_pointer()), align=number_bytes)

        return vector(types.intp, types.intp), codegen

    @intrinsic
    def store(tc, address, index, value):
        def codegen(ctx, b, sig, args):
            *where, what = args
            b.store(what, b.bitcast(place(b, *where), what.type.as_pointer()), align=number_bytes)
            return ctx.get_dummy_value()

        return types.void(types.intp, types.intp, vector), codegen

    @intrinsic
    def load_one(tc, address, index):
        def codegen(ctx, b, sig, args):
            return b.load(place(b, *args))

        return scalar(types.intp, types.intp), codegen

    @intrinsic
    def store_one(tc, address, index, value):
        def codegen(ctx, b, sig, args):
            *where, what = args
            b.store(what, place(b, *where))
            return ctx.get_dummy_value()

        return types.void(types.intp, types.intp, scalar), codegen

    return load, store, load_one, store_one


load32, store32, load1_32, store1_32 = _define_memory(types.float32)
load64, store64, load1_64, store1_64 = _define_memory(types.float64)


# --- lanes ---------------------------------------------------------------------------------------


@intrinsic
def splat(tc, x):
    """The vector whose lanes are all x."""
    vector = Vector(x)

    def codegen(ctx, b, sig, args):
        return broadcast(b, args[0], vector.lanes)

    return vector(x), codegen


@intrinsic
def first(tc, v):
    """The first lane."""

    def codegen(ctx, b, sig, args):
        return b.extract_element(args[0], ir.Constant(I32, 0))

    return v.scalar(v), codegen


@intrinsic
def select(tc, mask, yes, no):
    """Lane by lane, ``yes`` where the mask holds, else ``no``; one of them may be a number."""
    vector = _vector_of((yes, no))
    if vector is None or not isinstance(mask, Mask):
        return None

    def codegen(ctx, b, sig, args):
        return b.select(args[0], *_as_vectors(ctx, b, sig.args[1:], args[1:], vector))

    return vector(mask, yes, no), codegen


@intrinsic
def below(tc, n, like):
    """The mask of the lanes whose own number, from 0, is below n; as wide as ``like``."""
    lanes = like.lanes

    def codegen(ctx, b, sig, args):
        own_number = ir.Constant(ir.VectorType(I32, lanes), list(range(lanes)))
        return b.icmp_signed("<", own_number, broadcast(b, b.trunc(args[0], I32), lanes))

    return Mask(lanes)(types.intp, like), codegen


@intrinsic
def sum_lanes(tc, v):
    """The sum of the lanes, added in pairs."""

    def codegen(ctx, b, sig, args):
        vector = args[0].type
        function = _llvm_function(
            b.module, "vector.reduce.fadd", vector.element, [vector.element, vector]
        )
        # -0 is what leaves every number as it is, -0 included.
        start = ir.Constant(vector.element, -0.0)
        return b.call(function, [start, args[0]], fastmath=("reassoc",))

    return v.scalar(v), codegen


@intrinsic
def max_lanes(tc, v):
    """The largest lane; NaN where there is one."""

    def codegen(ctx, b, sig, args):
        (x,) = args
        undefined = ir.Constant(x.type, ir.Undefined)
        distance = v.lanes
        # Each lane against the one half a vector on, then a quarter, …: the largest is everywhere.
        while distance > 1:
            distance //= 2
            turned = [(i + distance) % v.lanes for i in range(v.lanes)]
            y = b.shuffle_vector(x, undefined, ir.Constant(ir.VectorType(I32, v.lanes), turned))
            x = _larger_of(b, ">", x, y)
        return b.extract_element(x, ir.Constant(I32, 0))

    return v.scalar(v), codegen


# --- arithmetic ----------------------------------------------------------------------------------


def _larger_of(b, sign, x, y):
    """The larger (">") or smaller ("<") of two LLVM values; NaN where either is."""
    take_x = b.or_(b.fcmp_ordered(sign, x, y), b.fcmp_unordered("!=", x, x))
    return b.select(take_x, x, y)


def _define_choice(sign):
    @intrinsic
    def choice(tc, x, y):
        """The larger (smaller) of two; NaN where either is."""
        vector = _vector_of((x, y))

        def codegen(ctx, b, sig, args):
            return _larger_of(b, sign, *_as_vectors(ctx, b, sig.args, args, vector))

        return vector(x, y), codegen

    return choice


maximum, minimum = _define_choice(">"), _define_choice("<")


def _define_llvm_function(name):
    @intrinsic
    def function(tc, x):
        """LLVM's function of that name, which the processor has an instruction for."""

        def codegen(ctx, b, sig, args):
            kind = args[0].type
            return b.call(_llvm_function(b.module, name, kind, [kind]), args)

        return x(x), codegen

    return function


sqrt, absolute = _define_llvm_function("sqrt"), _define_llvm_function("fabs")


@intrinsic
def copysign(tc, size, sign_of):
    """``size`` with the sign of ``sign_of``."""

    def codegen(ctx, b, sig, args):
        kind = args[0].type
        return b.call(_llvm_function(b.module, "copysign", kind, [kind, kind]), args)

    return size(size, size), codegen


@intrinsic
def sign(tc, x):
    """-1, 0 or 1; NaN of a NaN."""

    def codegen(ctx, b, sig, args):
        (value,) = args
        zero, one, minus_one = (_constant(value.type, c) for c in (0.0, 1.0, -1.0))
        negative_done = b.select(b.fcmp_ordered("<", value, zero), minus_one, value)
        return b.select(b.fcmp_ordered(">", value, zero), one, negative_done)

    return x(x), codegen


@intrinsic
def fma(tc, x, y, z):
    """``x * y + z``, rounded once where the processor has an instruction for it."""
    vector = _vector_of((x, y, z))

    def codegen(ctx, b, sig, args):
        return _multiply_add(b, *_as_vectors(ctx, b, sig.args, args, vector))

    return vector(x, y, z), codegen


def polynomial(coefficients, dtype):
    """A function of a vector x: c_0 + c_1 x + c_2 x² + …, by Horner's rule.

    Parameters
    ----------
    coefficients : sequence of float
        From c_0 on; each is rounded to ``dtype``.
    dtype : type
        ``numpy.float32`` or ``numpy.float64``, that of the vectors.
    """
    rounded = [float(dtype(c)) for c in coefficients]

    @intrinsic
    def evaluate(tc, x):
        def codegen(ctx, b, sig, args):
            (value,) = args
            *lower, highest = (_constant(value.type, c) for c in rounded)
            result = highest
            for coefficient in reversed(lower):
                result = _multiply_add(b, result, value, coefficient)
            return result

        return x(x), codegen

    return evaluate


# --- the parts of a floating-point number --------------------------------------------------------

# For each type: the integer as wide, the bits of the mantissa, and what is added to the exponent.
_PARTS = {types.float32: (ir.IntType(32), 23, 127), types.float64: (ir.IntType(64), 52, 1023)}


@intrinsic
def times_power_of_two(tc, p, t):
    """``p * 2**n`` for the integer n in ``t = n + 1.5 * 2**mantissa_bits``.

    Adding that large number is how n was rounded to an integer; its last bits then are n. The
    power is multiplied in two halves, because a result may be subnormal where 2**n alone is 0.
    """

    def codegen(ctx, b, sig, args):
        integer, mantissa, bias = _PARTS[t.scalar]
        integers = ir.VectorType(integer, t.lanes)
        product, shifted = _as_vectors(ctx, b, sig.args, args, t)
        bits_of_shift = (mantissa + bias << mantissa) + (1 << mantissa - 1)
        n = b.sub(b.bitcast(shifted, integers), _constant(integers, bits_of_shift))
        half = b.ashr(n, _constant(integers, 1))
        for part in (half, b.sub(n, half)):
            biased = b.add(part, _constant(integers, bias))
            power = b.bitcast(b.shl(biased, _constant(integers, mantissa)), product.type)
            product = b.fmul(product, power)
        return product

    return t(p, t), codegen


@intrinsic
def split(tc, x):
    """(m, e) with ``x = m * 2**e`` and m in [√½, √2), for positive normal x."""

    def codegen(ctx, b, sig, args):
        integer, mantissa, _ = _PARTS[x.scalar]
        integers = ir.VectorType(integer, x.lanes)
        (value,) = args
        root_half = np.array(np.sqrt(0.5), x.scalar.name).view(f"u{integer.width // 8}")
        bits = b.bitcast(value, integers)
        # As integers, positive numbers are ordered as they are: from √½ on the exponent is 0.
        above_root = b.sub(bits, _constant(integers, int(root_half)))
        e = b.ashr(above_root, _constant(integers, mantissa))
        m = b.sub(bits, b.shl(e, _constant(integers, mantissa)))
        parts = [b.bitcast(m, value.type), b.sitofp(e, value.type)]
        return ctx.make_tuple(b, sig.return_type, parts)

    return types.UniTuple(x, 2)(x), codegen
