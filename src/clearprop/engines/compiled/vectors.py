"""SIMD vectors as values in Numba code: arithmetic, comparison, selection, loads and stores."""

import operator

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from clearprop.engines.compiled import machine

I64, I32, I1 = ir.IntType(64), ir.IntType(32), ir.IntType(1)
FLOATS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


class Vector(types.Type):
    def __init__(self, scalar):
        self.scalar, self.lanes = scalar, machine.lanes(scalar)
        super().__init__(f"vector({scalar} x {self.lanes})")


class Mask(types.Type):
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


def _vector_of(args):
    """The vector type that the arguments share: a number becomes a vector of the other's type."""
    vectors = {a for a in args if isinstance(a, Vector)}
    if len(vectors) == 1 and all(isinstance(a, (Vector, types.Number)) for a in args):
        return vectors.pop()
    return None


def lift(ctx, b, sig_args, args, v):
    return [
        x if isinstance(t, Vector) else broadcast(b, ctx.cast(b, x, t, v.scalar), v.lanes)
        for t, x in zip(sig_args, args)
    ]


def _operator(op, result, emit):
    @infer_global(op)
    class _T(AbstractTemplate):
        def generic(self, args, kws):
            v = _vector_of(args) if len(args) == 2 else None
            return None if v is None else signature(result(v), *args)

    def lower(ctx, b, sig, args):
        return emit(b, *lift(ctx, b, sig.args, args, _vector_of(sig.args)))

    for pair in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(op, *pair)(lower)


def _logic(op, emit):
    @infer_global(op)
    class _T(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and isinstance(args[0], Mask) and args[0] == args[1]:
                return signature(args[0], *args)

    @lower_builtin(op, Mask, Mask)
    def _lower(ctx, b, sig, args):
        return emit(b, *args)


_same, _mask = (lambda v: v), (lambda v: Mask(v.lanes))
_operator(operator.add, _same, lambda b, x, y: b.fadd(x, y))
_operator(operator.sub, _same, lambda b, x, y: b.fsub(x, y))
_operator(operator.mul, _same, lambda b, x, y: b.fmul(x, y))
_operator(operator.truediv, _same, lambda b, x, y: b.fdiv(x, y))
_operator(operator.lt, _mask, lambda b, x, y: b.fcmp_ordered("<", x, y))
_operator(operator.le, _mask, lambda b, x, y: b.fcmp_ordered("<=", x, y))
_operator(operator.gt, _mask, lambda b, x, y: b.fcmp_ordered(">", x, y))
_operator(operator.ge, _mask, lambda b, x, y: b.fcmp_ordered(">=", x, y))
_operator(operator.eq, _mask, lambda b, x, y: b.fcmp_ordered("==", x, y))
_operator(operator.ne, _mask, lambda b, x, y: b.fcmp_unordered("!=", x, y))
_logic(operator.and_, lambda b, x, y: b.and_(x, y))
_logic(operator.or_, lambda b, x, y: b.or_(x, y))


@infer_global(operator.neg)
class _Neg(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Vector):
            return signature(args[0], *args)


@lower_builtin(operator.neg, Vector)
def _lower_neg(ctx, b, sig, args):
    return b.fneg(args[0])


@infer_global(operator.invert)
class _Invert(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Mask):
            return signature(args[0], *args)


@lower_builtin(operator.invert, Mask)
def _lower_invert(ctx, b, sig, args):
    return b.not_(args[0])


def broadcast(b, x, lanes):
    vt = ir.VectorType(x.type, lanes)
    v = b.insert_element(ir.Constant(vt, ir.Undefined), x, ir.Constant(I32, 0))
    return b.shuffle_vector(
        v, ir.Constant(vt, ir.Undefined), ir.Constant(ir.VectorType(I32, lanes), None)
    )


@intrinsic
def splat(tc, x):
    v = Vector(x)
    return v(x), lambda ctx, b, sig, args: broadcast(b, args[0], v.lanes)


def _memory(T):
    v = Vector(T)

    @intrinsic
    def load(tc, address, index):
        def codegen(ctx, b, sig, args):
            p = b.gep(b.inttoptr(args[0], FLOATS[T].as_pointer()), [args[1]])
            return b.load(
                b.bitcast(p, ir.VectorType(FLOATS[T], v.lanes).as_pointer()), align=T.bitwidth // 8
            )

        return v(types.intp, types.intp), codegen

    @intrinsic
    def store(tc, address, index, value):
        def codegen(ctx, b, sig, args):
            p = b.gep(b.inttoptr(args[0], FLOATS[T].as_pointer()), [args[1]])
            b.store(args[2], b.bitcast(p, args[2].type.as_pointer()), align=T.bitwidth // 8)
            return ctx.get_dummy_value()

        return types.void(types.intp, types.intp, v), codegen

    @intrinsic
    def load1(tc, address, index):
        def codegen(ctx, b, sig, args):
            return b.load(b.gep(b.inttoptr(args[0], FLOATS[T].as_pointer()), [args[1]]))

        return T(types.intp, types.intp), codegen

    @intrinsic
    def store1(tc, address, index, value):
        def codegen(ctx, b, sig, args):
            b.store(args[2], b.gep(b.inttoptr(args[0], FLOATS[T].as_pointer()), [args[1]]))
            return ctx.get_dummy_value()

        return types.void(types.intp, types.intp, T), codegen

    return load, store, load1, store1


load32, store32, load1_32, store1_32 = _memory(types.float32)
load64, store64, load1_64, store1_64 = _memory(types.float64)


@intrinsic
def select(tc, mask, yes, no):
    v = _vector_of((yes, no))
    if v is None or not isinstance(mask, Mask):
        return None

    def codegen(ctx, b, sig, args):
        return b.select(args[0], *lift(ctx, b, sig.args[1:], args[1:], v))

    return v(mask, yes, no), codegen


@intrinsic
def below(tc, n, like):
    """Which lanes have a number below n."""

    def codegen(ctx, b, sig, args):
        lanes = like.lanes
        n32 = b.trunc(args[0], I32)
        iota = ir.Constant(ir.VectorType(I32, lanes), list(range(lanes)))
        return b.icmp_signed("<", iota, broadcast(b, n32, lanes))

    return Mask(like.lanes)(types.intp, like), codegen


def _unary(name):
    @intrinsic
    def f(tc, x):
        def codegen(ctx, b, sig, args):
            t = args[0].type
            return b.call(named(b.module, name, t, [t]), args)

        return x(x), codegen

    return f


def named(module, name, result, arguments):
    t = result if isinstance(result, ir.VectorType) else arguments[-1]
    suffix = (
        f"v{t.count}f{32 if isinstance(t.element, ir.FloatType) else 64}"
        if isinstance(t, ir.VectorType)
        else f"f{32 if isinstance(t, ir.FloatType) else 64}"
    )
    full = f"llvm.{name}.{suffix}"
    if full in module.globals:
        return module.globals[full]
    return ir.Function(module, ir.FunctionType(result, arguments), full)


sqrt, absolute = _unary("sqrt"), _unary("fabs")


@intrinsic
def copysign(tc, a, s):
    def codegen(ctx, b, sig, args):
        t = args[0].type
        return b.call(named(b.module, "copysign", t, [t, t]), args)

    return a(a, a), codegen


@intrinsic
def fma(tc, x, y, z):
    """x * y + z, rounded once where the machine can."""
    v = _vector_of((x, y, z))

    def codegen(ctx, b, sig, args):
        args = lift(ctx, b, sig.args, args, v)
        t = args[0].type
        return b.call(named(b.module, "fmuladd", t, [t, t, t]), args)

    return v(x, y, z), codegen


@intrinsic
def sum_lanes(tc, v):
    def codegen(ctx, b, sig, args):
        t = args[0].type
        f = named(b.module, "vector.reduce.fadd", t.element, [t.element, t])
        return b.call(f, [ir.Constant(t.element, -0.0), args[0]], fastmath=("reassoc",))

    return v.scalar(v), codegen


@intrinsic
def max_lanes(tc, v):
    """The largest lane; NaN where there is one."""

    def codegen(ctx, b, sig, args):
        x = args[0]
        n = v.lanes
        while n > 1:
            n //= 2
            order = ir.Constant(
                ir.VectorType(I32, v.lanes), [(i + n) % v.lanes for i in range(v.lanes)]
            )
            y = b.shuffle_vector(x, ir.Constant(x.type, ir.Undefined), order)
            keep = b.or_(b.fcmp_ordered(">", x, y), b.fcmp_unordered("!=", x, x))
            x = b.select(keep, x, y)
        return b.extract_element(x, ir.Constant(I32, 0))

    return v.scalar(v), codegen


_BITS = {types.float32: (ir.IntType(32), 23, 127), types.float64: (ir.IntType(64), 52, 1023)}


def _ints(it, value, lanes):
    return ir.Constant(ir.VectorType(it, lanes), [value] * lanes)


@intrinsic
def times_power_of_two(tc, p, t):
    """p * 2**n, where t = n + 1.5 * 2**mantissa bits; in two factors, so that results may be subnormal."""

    def codegen(ctx, b, sig, args):
        it, mant, bias = _BITS[t.scalar]
        p_, t_ = lift(ctx, b, sig.args, args, t)
        c = lambda x: _ints(it, x, t.lanes)
        n = b.sub(
            b.bitcast(t_, ir.VectorType(it, t.lanes)), c((mant + bias << mant) + (1 << mant - 1))
        )
        half = b.ashr(n, c(1))
        for part in (half, b.sub(n, half)):
            p_ = b.fmul(p_, b.bitcast(b.shl(b.add(part, c(bias)), c(mant)), p_.type))
        return p_

    return t(p, t), codegen


@intrinsic
def split(tc, x):
    """(m, e) with x = m * 2**e and m in [sqrt(1/2), sqrt(2)), for positive normal x."""

    def codegen(ctx, b, sig, args):
        it, mant, bias = _BITS[x.scalar]
        (x_,) = args
        c = lambda v: _ints(it, v, x.lanes)
        root = int(np.array(np.sqrt(0.5), x.scalar.name).view("u4" if mant == 23 else "u8"))
        bits = b.bitcast(x_, ir.VectorType(it, x.lanes))
        e = b.ashr(b.sub(bits, c(root)), c(mant))
        m = b.sub(bits, b.shl(e, c(mant)))
        return ctx.make_tuple(b, sig.return_type, [b.bitcast(m, x_.type), b.sitofp(e, x_.type)])

    return types.UniTuple(x, 2)(x), codegen


@intrinsic
def first(tc, v):
    return v.scalar(v), lambda ctx, b, sig, args: b.extract_element(args[0], ir.Constant(I32, 0))


def _larger(symbol):
    @intrinsic
    def f(tc, x, y):
        """The larger (smaller) of two; NaN where either is."""
        v = _vector_of((x, y))

        def codegen(ctx, b, sig, args):
            p, q = lift(ctx, b, sig.args, args, v)
            return b.select(b.or_(b.fcmp_ordered(symbol, p, q), b.fcmp_unordered("!=", p, p)), p, q)

        return v(x, y), codegen

    return f


maximum, minimum = _larger(">"), _larger("<")


@intrinsic
def sign(tc, x):
    def codegen(ctx, b, sig, args):
        (p,) = args
        c = lambda k: ir.Constant(p.type, [ir.Constant(p.type.element, k)] * x.lanes)
        low = b.select(b.fcmp_ordered("<", p, c(0.0)), c(-1.0), p)
        return b.select(b.fcmp_ordered(">", p, c(0.0)), c(1.0), low)

    return x(x), codegen
