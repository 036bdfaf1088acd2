"""Matrix products as blocks of vector registers, emitted as LLVM code. Addresses in, nothing allocated.

Weights lie in panels two vectors wide (the last may be one vector wide), see layout.py:
each of these functions works on one panel.
"""

from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from clearprop.engines.compiled import machine
from clearprop.engines.compiled.vectors import FLOATS, I32, I64, Vector, broadcast

FUSE = ("contract",)


def _int(n):
    return ir.Constant(I64, n)


class _Emit:
    """Loads, stores and loops for one dtype."""

    def __init__(self, b, T):
        self.b, self.T, self.size = b, T, T.bitwidth // 8
        self.lanes = machine.lanes(T)
        self.scalar = FLOATS[T]
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def at(self, address, *elements):
        """address + size * (sum of elements)"""
        for e in elements:
            address = self.b.add(address, self.b.mul(e, _int(self.size)))
        return address

    def load(self, address):
        return self.b.load(self.b.inttoptr(address, self.vector.as_pointer()), align=self.size)

    def store(self, value, address):
        self.b.store(value, self.b.inttoptr(address, self.vector.as_pointer()), align=self.size)

    def spread(self, address):
        x = self.b.load(self.b.inttoptr(address, self.scalar.as_pointer()), align=self.size)
        return broadcast(self.b, x, self.lanes)

    def add_product(self, x, y, z):
        return self.b.fadd(z, self.b.fmul(x, y, flags=FUSE), flags=FUSE)

    def zero(self):
        return ir.Constant(self.vector, [ir.Constant(self.scalar, 0.0)] * self.lanes)

    def loop(self, count, carried, body):
        """for i in range(count): carried = body(i, carried); the values are kept in registers."""
        b = self.b
        before = b.block
        head, inside, after = (b.append_basic_block(n) for n in ("head", "inside", "after"))
        b.branch(head)
        b.position_at_end(head)
        i = b.phi(I64)
        i.add_incoming(_int(0), before)
        phis = []
        for value in carried:
            phi = b.phi(value.type)
            phi.add_incoming(value, before)
            phis.append(phi)
        b.cbranch(b.icmp_signed("<", i, count), inside, after)
        b.position_at_end(inside)
        new = body(i, phis)
        end = b.block
        i.add_incoming(b.add(i, _int(1)), end)
        for phi, value in zip(phis, new, strict=True):
            phi.add_incoming(value, end)
        b.branch(head)
        b.position_at_end(after)
        return phis

    def switch(self, value, cases):
        """Run cases[value]()"""
        b = self.b
        start = b.block
        done = b.append_basic_block("done")
        table = b.switch(value, done)
        for key, emit in cases.items():
            block = b.append_basic_block(f"case{key}")
            table.add_case(_int(key), block)
            b.position_at_end(block)
            emit()
            b.branch(done)
        b.position_at_end(done)

    def prefetch(self, address):
        b = self.b
        byte = ir.IntType(8).as_pointer()
        name = "llvm.prefetch.p0"
        f = b.module.globals.get(name) or ir.Function(
            b.module, ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32]), name
        )
        b.call(f, [b.inttoptr(address, byte)] + [ir.Constant(I32, v) for v in (0, 2, 1)])


@intrinsic
def rows_times_panel(tc, like, rows, m, vectors, panel, count, start, start_step, out, ld):
    """out[i, :] = start[i] + sum_k x_i[k] panel[k, :]   for i < m <= ROWS, k < count.

    rows: address of the addresses of the x_i; start: address of the first accumulators, start_step
    elements apart (0: the same for every row, e.g. the biases); vectors: 1 or 2, the panel's width.
    """

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, rows, m, vectors, panel, count, start, start_step, out, ld = args

        def block(mb, nv):
            xs = [b.load(b.inttoptr(b.add(rows, _int(8 * i)), I64.as_pointer())) for i in range(mb)]
            offsets = [_int(v * e.lanes) for v in range(nv)]
            acc = [
                e.load(e.at(start, b.mul(start_step, _int(i)), o))
                for i in range(mb)
                for o in offsets
            ]

            def body(k, acc):
                w = [e.load(e.at(panel, b.mul(k, _int(nv * e.lanes)), o)) for o in offsets]
                new = []
                for i in range(mb):
                    x = e.spread(e.at(xs[i], k))
                    new += [e.add_product(x, w[v], acc[i * nv + v]) for v in range(nv)]
                return new

            acc = e.loop(count, acc, body)
            for i in range(mb):
                for v in range(nv):
                    e.store(acc[i * nv + v], e.at(out, b.mul(ld, _int(i)), offsets[v]))

        e.switch(
            vectors,
            {
                nv: (
                    lambda nv=nv: e.switch(
                        m, {mb: (lambda mb=mb: block(mb, nv)) for mb in range(1, machine.ROWS + 1)}
                    )
                )
                for nv in (1, 2)
            },
        )
        return ctx.get_dummy_value()

    return types.void(like, *[types.intp] * 9), codegen


@intrinsic
def add_outer(tc, like, rows, ahead, first, strip, vectors, delta, ld, m, panel, decay):
    """panel[k, :] = decay * panel[k, :] + sum_i x_i[k] delta[i, :]   for first <= k < first + strip.

    ahead: address of the addresses of rows to be fetched into the cache meanwhile, or 0.
    """
    strips = sorted({machine.STRIP, machine.STRIP // 2, 1})

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, rows, ahead, first, strip, vectors, delta, ld, m, panel, decay = args

        def block(kb, nv, fetch):
            offsets = [_int(v * e.lanes) for v in range(nv)]
            cells = [
                e.at(panel, b.mul(b.add(first, _int(r)), _int(nv * e.lanes)), o)
                for r in range(kb)
                for o in offsets
            ]
            scale = broadcast(b, decay, e.lanes)
            # A decay of 0 starts afresh, whatever lies there, NaN included.
            fresh = b.fcmp_ordered("==", decay, ir.Constant(e.scalar, 0.0))
            acc = [b.select(fresh, e.zero(), b.fmul(e.load(c), scale)) for c in cells]

            def body(i, acc):
                x = e.at(
                    b.load(b.inttoptr(b.add(rows, b.mul(i, _int(8))), I64.as_pointer())), first
                )
                if fetch:
                    e.prefetch(
                        e.at(
                            b.load(b.inttoptr(b.add(ahead, b.mul(i, _int(8))), I64.as_pointer())),
                            first,
                        )
                    )
                row = e.at(delta, b.mul(i, ld))
                d = [e.load(e.at(row, o)) for o in offsets]
                new = []
                for r in range(kb):
                    xr = e.spread(e.at(x, _int(r)))
                    new += [e.add_product(xr, d[v], acc[r * nv + v]) for v in range(nv)]
                return new

            acc = e.loop(m, acc, body)
            for value, cell in zip(acc, cells, strict=True):
                e.store(value, cell)

        def either(kb, nv):
            with b.if_else(b.icmp_signed("!=", ahead, _int(0))) as (yes, no):
                with yes:
                    block(kb, nv, True)
                with no:
                    block(kb, nv, False)

        def cases(nv):
            e.switch(
                strip,
                {
                    kb: (
                        lambda kb=kb: (
                            either(kb, nv) if kb == machine.STRIP else block(kb, nv, False)
                        )
                    )
                    for kb in strips
                },
            )

        e.switch(vectors, {nv: (lambda nv=nv: cases(nv)) for nv in (1, 2)})
        return ctx.get_dummy_value()

    return types.void(like, *[types.intp] * 9, like), codegen


@intrinsic
def outer_sums(tc, like, rows, ahead, first, delta, ld, m):
    """sum_i x_i[k] delta[i, :] for STRIP rows k from `first`, as a tuple of vectors, two for each k."""
    v = Vector(like)
    result = types.UniTuple(v, 2 * machine.STRIP)

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, rows, ahead, first, delta, ld, m = args

        def body(i, acc):
            x = e.at(b.load(b.inttoptr(b.add(rows, b.mul(i, _int(8))), I64.as_pointer())), first)
            e.prefetch(
                e.at(b.load(b.inttoptr(b.add(ahead, b.mul(i, _int(8))), I64.as_pointer())), first)
            )
            row = e.at(delta, b.mul(i, ld))
            d = [e.load(e.at(row, _int(v * e.lanes))) for v in range(2)]
            new = []
            for r in range(machine.STRIP):
                xr = e.spread(e.at(x, _int(r)))
                new += [e.add_product(xr, d[v], acc[r * 2 + v]) for v in range(2)]
            return new

        acc = e.loop(m, [e.zero()] * (2 * machine.STRIP), body)
        return ctx.make_tuple(b, sig.return_type, acc)

    return result(like, *[types.intp] * 6), codegen


@intrinsic
def transpose_tile(tc, like, source, source_ld, target, target_ld):
    """target[j, i] = source[i, j] for a square tile of as many rows as a vector has lanes."""

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, source, source_ld, target, target_ld = args
        n = e.lanes
        rows = [e.load(e.at(source, b.mul(source_ld, _int(i)))) for i in range(n)]
        # Swap the off-diagonal blocks of ever smaller halves.
        half = n // 2
        while half:
            new = list(rows)
            for i in range(n):
                if i & half:
                    continue
                low, high = rows[i], rows[i + half]
                a = [j if not j & half else n + j - half for j in range(n)]
                c = [j + half if not j & half else n + j for j in range(n)]
                order = lambda o: ir.Constant(ir.VectorType(I32, n), o)
                new[i] = b.shuffle_vector(low, high, order(a))
                new[i + half] = b.shuffle_vector(low, high, order(c))
            rows = new
            half //= 2
        for i, row in enumerate(rows):
            e.store(row, e.at(target, b.mul(target_ld, _int(i))))
        return ctx.get_dummy_value()

    return types.void(like, *[types.intp] * 4), codegen


@intrinsic
def call(tc, function, arguments):
    """Call the compiled loop at an address with a tuple of addresses and counts."""
    n = len(arguments)

    def codegen(ctx, b, sig, args):
        t = ir.FunctionType(ir.DoubleType(), [I64] * n)
        return b.call(
            b.inttoptr(args[0], t.as_pointer()), [b.extract_value(args[1], i) for i in range(n)]
        )

    return types.float64(types.intp, arguments), codegen


@intrinsic
def arrive(tc, address):
    """Add 1 to the counter there, in one indivisible step that all earlier writes precede."""

    def codegen(ctx, b, sig, args):
        return b.atomic_rmw("add", b.inttoptr(args[0], I64.as_pointer()), _int(1), "seq_cst")

    return types.intp(types.intp), codegen


@intrinsic
def read(tc, address):
    def codegen(ctx, b, sig, args):
        return b.load_atomic(b.inttoptr(args[0], I64.as_pointer()), "acquire", 8)

    return types.intp(types.intp), codegen


@intrinsic
def relax(tc):
    """Tell the processor that this is a waiting loop."""

    def codegen(ctx, b, sig, args):
        triple = b.module.triple
        if triple.startswith(("x86", "i386", "i686", "amd64")):
            t = ir.FunctionType(ir.VoidType(), [])
            b.call(cgutils.get_or_insert_function(b.module, t, "llvm.x86.sse2.pause"), [])
        elif triple.startswith(("aarch64", "arm64")):
            t = ir.FunctionType(ir.VoidType(), [I32])
            b.call(
                cgutils.get_or_insert_function(b.module, t, "llvm.aarch64.hint"),
                [ir.Constant(I32, 1)],
            )
        return ctx.get_dummy_value()

    return types.void(), codegen


@intrinsic
def yield_processor(tc, function):
    def codegen(ctx, b, sig, args):
        t = ir.FunctionType(I32, [])
        b.call(b.inttoptr(args[0], t.as_pointer()), [])
        return ctx.get_dummy_value()

    return types.void(types.intp), codegen


@intrinsic
def vload(tc, like, address, index):
    v = Vector(like)

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        return e.load(e.at(args[1], args[2]))

    return v(like, types.intp, types.intp), codegen


@intrinsic
def vstore(tc, like, address, index, value):
    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        e.store(args[3], e.at(args[1], args[2]))
        return ctx.get_dummy_value()

    return types.void(like, types.intp, types.intp, value), codegen


@intrinsic
def number(tc, like, address, index):
    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        return b.load(b.inttoptr(e.at(args[1], args[2]), e.scalar.as_pointer()))

    return like(like, types.intp, types.intp), codegen


@intrinsic
def put(tc, like, address, index, value):
    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        b.store(args[3], b.inttoptr(e.at(args[1], args[2]), e.scalar.as_pointer()))
        return ctx.get_dummy_value()

    return types.void(like, types.intp, types.intp, like), codegen


@intrinsic
def subnormals(tc, keep):
    """Whether numbers below the smallest normal one are kept (True) or become 0, which is faster."""

    def codegen(ctx, b, sig, args):
        if b.module.triple.startswith(("x86", "i386", "i686", "amd64")):
            word = cgutils.alloca_once(b, I32)
            byte = ir.IntType(8).as_pointer()
            t = ir.FunctionType(ir.VoidType(), [byte])
            p = b.bitcast(word, byte)
            b.call(cgutils.get_or_insert_function(b.module, t, "llvm.x86.sse.stmxcsr"), [p])
            now = b.load(word)
            bits = ir.Constant(I32, 0x8040)  # flush to zero, denormals are zero
            b.store(b.select(args[0], b.and_(now, b.not_(bits)), b.or_(now, bits)), word)
            b.call(cgutils.get_or_insert_function(b.module, t, "llvm.x86.sse.ldmxcsr"), [p])
        return ctx.get_dummy_value()

    return types.void(types.boolean), codegen


@njit(forceinline=True)
def strip_of(left):
    """How many of the rows left the next strip takes."""
    return (
        machine.STRIP
        if left >= machine.STRIP
        else machine.STRIP // 2
        if left >= machine.STRIP // 2
        else 1
    )


@intrinsic
def is_float32(tc, like):
    return types.boolean(like), lambda ctx, b, sig, args: ir.Constant(
        ir.IntType(1), like == types.float32
    )


@intrinsic
def typed(tc, like, value):
    """value as a number of the type of `like`"""
    return like(like, value), lambda ctx, b, sig, args: ctx.cast(b, args[1], value, like)


@intrinsic
def read_index(tc, address, i):
    def codegen(ctx, b, sig, args):
        p = b.inttoptr(args[0], I64.as_pointer())
        return b.load(b.gep(p, [args[1]]))

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def read_column(tc, address, i):
    """The i-th of the 32-bit integers at an address."""

    def codegen(ctx, b, sig, args):
        p = b.inttoptr(args[0], I32.as_pointer())
        return b.sext(b.load(b.gep(p, [args[1]])), I64)

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def write_index(tc, address, i, value):
    def codegen(ctx, b, sig, args):
        p = b.inttoptr(args[0], I64.as_pointer())
        b.store(args[2], b.gep(p, [args[1]]))
        return ctx.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), codegen
