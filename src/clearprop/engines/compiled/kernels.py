"""Matrix products as blocks of vector registers, and the few other things that need LLVM.

A product of small matrices is bound by how often numbers travel between registers and memory. Here
a block of the result, some rows high and two vectors wide, stays in registers while a loop over the
inner index adds to it: each step loads two vectors and one number per row, and multiplies and adds
as many vectors as the block has, which keeps the arithmetic units busy.

- Forward and BP2: :func:`rows_times_panel`, a block of samples times a panel of neurons.
- BP4: :func:`add_outer` and :func:`outer_sums`, a strip of rows of the gradient, samples inside.

Each sum runs in order of its index, whatever the block is, so that numbers do not depend on how
rows are cut into blocks or given to threads.

Weights lie in panels two vectors wide (the last may be one vector wide), see :mod:`.layout`; each
of these functions works on one panel. They take addresses, in bytes; ``ld``, steps, counts and
indices count numbers; nothing is allocated or checked. ``like`` is a number of the dtype at hand.

In the functions that build code, ``b`` is an LLVM IR builder, ``ctx`` Numba's target context and
``args`` the LLVM values of the arguments.
"""

from functools import partial

from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from clearprop.engines.compiled import machine
from clearprop.engines.compiled.vectors import FLOATS, I32, I64, Vector, broadcast

__all__ = [
    "add_outer",
    "arrive",
    "call",
    "is_float32",
    "number",
    "outer_sums",
    "put",
    "read",
    "read_column",
    "read_index",
    "relax",
    "rows_times_panel",
    "strip_of",
    "subnormals",
    "transpose_tile",
    "typed",
    "vload",
    "vstore",
    "write_index",
    "yield_processor",
]

# A product and the sum it is added to may be rounded once.
_FUSE = ("contract",)
_ADDRESS_BYTES = 8
# Bits of the x86 register MXCSR: results below the smallest normal number become 0, and so do such
# operands.
_FLUSH_TO_ZERO, _DENORMALS_ARE_ZERO = 0x8000, 0x0040
_X86 = ("x86", "i386", "i686", "amd64")
_ARM = ("aarch64", "arm64")


def _int(n):
    return ir.Constant(I64, n)


class _Emit:
    """Builds loads, stores and loops for one dtype.

    Parameters
    ----------
    b : llvmlite.ir.IRBuilder
    scalar : Numba type
        float32 or float64.
    """

    def __init__(self, b, scalar):
        self.b, self.size = b, scalar.bitwidth // 8
        self.lanes = machine.lanes(scalar)
        self.scalar = FLOATS[scalar]
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def at(self, address, *counts):
        """The address that many numbers further on."""
        for count in counts:
            address = self.b.add(address, self.b.mul(count, _int(self.size)))
        return address

    def load(self, address):
        """The vector at an address."""
        return self.b.load(self.b.inttoptr(address, self.vector.as_pointer()), align=self.size)

    def store(self, value, address):
        """Put a vector at an address."""
        self.b.store(value, self.b.inttoptr(address, self.vector.as_pointer()), align=self.size)

    def spread(self, address):
        """The vector whose lanes are all the number at an address."""
        x = self.b.load(self.b.inttoptr(address, self.scalar.as_pointer()), align=self.size)
        return broadcast(self.b, x, self.lanes)

    def entry(self, table, i):
        """The i-th of the addresses in a table."""
        place = self.b.add(table, self.b.mul(i, _int(_ADDRESS_BYTES)))
        return self.b.load(self.b.inttoptr(place, I64.as_pointer()))

    def add_product(self, x, y, z):
        """Z + x * y."""
        return self.b.fadd(z, self.b.fmul(x, y, flags=_FUSE), flags=_FUSE)

    def add_products(self, xs, ys, sums):
        """Add the product of each of ``xs`` and ``ys`` to its sum, for one x after the other."""
        sums, new = iter(sums), []
        for x in xs:  # each is loaded when it is needed, so that few registers hold one
            new += [self.add_product(x, y, next(sums)) for y in ys]
        return new

    def zero(self):
        """The vector of zeros."""
        return ir.Constant(self.vector, [ir.Constant(self.scalar, 0.0)] * self.lanes)

    def loop(self, count, carried, body):
        """``for i in range(count): carried = body(i, carried)``, with what is carried in registers.

        Returns the values carried at the end.
        """
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

    def switch(self, value, cases, emit):
        """Build ``emit(case)`` for each case, of which the one equal to ``value`` will run."""
        b = self.b
        done = b.append_basic_block("done")
        table = b.switch(value, done)
        for case in cases:
            block = b.append_basic_block(f"case{case}")
            table.add_case(_int(case), block)
            b.position_at_end(block)
            emit(case)
            b.branch(done)
        b.position_at_end(done)

    def prefetch(self, address):
        """Fetch a cache line, to be read soon, into the second-level cache."""
        b = self.b
        byte = ir.IntType(8).as_pointer()
        name = "llvm.prefetch.p0"
        function = b.module.globals.get(name) or ir.Function(
            b.module, ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32]), name
        )
        reading, locality, data = 0, 2, 1
        settings = [ir.Constant(I32, v) for v in (reading, locality, data)]
        b.call(function, [b.inttoptr(address, byte), *settings])


# --- products ------------------------------------------------------------------------------------


@intrinsic
def rows_times_panel(tc, like, rows, m, vectors, panel, count, start, start_step, out, ld):
    """``out[i, :] = start[i] + Σ_k x_i[k] panel[k, :]`` for i < m ≤ ROWS and k < count.

    ``rows`` is the address of the addresses of the x_i; ``vectors``, 1 or 2, the panel's width.
    ``start`` is the address of what the sums begin with, ``start_step`` numbers from one row to the
    next: 0 where it is the same for all, as the biases are.
    """

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, rows, m, vectors, panel, count, start, start_step, out, ld = args

        def block(width, height):
            xs = [e.entry(rows, _int(i)) for i in range(height)]
            offsets = [_int(v * e.lanes) for v in range(width)]
            sums = [
                e.load(e.at(start, b.mul(start_step, _int(i)), offset))
                for i in range(height)
                for offset in offsets
            ]

            def body(k, sums):
                row = b.mul(k, _int(width * e.lanes))
                weights = [e.load(e.at(panel, row, offset)) for offset in offsets]
                return e.add_products((e.spread(e.at(x, k)) for x in xs), weights, sums)

            sums = iter(e.loop(count, sums, body))
            for i in range(height):
                for offset in offsets:
                    e.store(next(sums), e.at(out, b.mul(ld, _int(i)), offset))

        def of_width(width):
            e.switch(m, range(1, machine.ROWS + 1), partial(block, width))

        e.switch(vectors, (1, 2), of_width)
        return ctx.get_dummy_value()

    return types.void(like, *[types.intp] * 9), codegen


def _add_samples(e, rows, ahead, first, delta, ld, m, width, sums):
    """Add ``Σ_i x_i[k] delta[i, :]`` to the sums of the rows k from ``first`` on, i < m.

    Parameters
    ----------
    e : _Emit
    rows, ahead : LLVM values
        Addresses of the addresses of the rows x_i, and of those to be fetched into the cache
        meanwhile (or None).
    first, delta, ld, m : LLVM values
    width : int
        Vectors in a row of the panel.
    sums : list of LLVM vectors
        For each row k, its vectors.
    """
    b = e.b
    offsets = [_int(v * e.lanes) for v in range(width)]

    def body(i, sums):
        x = e.at(e.entry(rows, i), first)
        if ahead is not None:
            e.prefetch(e.at(e.entry(ahead, i), first))
        row = e.at(delta, b.mul(i, ld))
        deltas = [e.load(e.at(row, offset)) for offset in offsets]
        ks = range(len(sums) // width)
        return e.add_products((e.spread(e.at(x, _int(k))) for k in ks), deltas, sums)

    return e.loop(m, sums, body)


@intrinsic
def add_outer(tc, like, rows, ahead, first, strip, vectors, delta, ld, m, panel, decay):
    """``panel[k, :] = decay * panel[k, :] + Σ_i x_i[k] delta[i, :]`` for first ≤ k < first + strip.

    ``rows`` is the address of the addresses of the x_i, i < m; ``ahead`` of those of rows to be
    fetched into the cache meanwhile, or 0. ``strip`` is what :func:`strip_of` gives.
    """

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, rows, ahead, first, strip, vectors, delta, ld, m, panel, decay = args

        def block(width, height, fetched):
            cells = [
                e.at(panel, b.mul(b.add(first, _int(k)), _int(width * e.lanes)), _int(v * e.lanes))
                for k in range(height)
                for v in range(width)
            ]
            scale = broadcast(b, decay, e.lanes)
            # A decay of 0 starts afresh, whatever lies there, NaN included.
            fresh = b.fcmp_ordered("==", decay, ir.Constant(e.scalar, 0.0))
            sums = [b.select(fresh, e.zero(), b.fmul(e.load(cell), scale)) for cell in cells]
            sums = _add_samples(e, rows, fetched, first, delta, ld, m, width, sums)
            for value, cell in zip(sums, cells, strict=True):
                e.store(value, cell)

        def of_height(width, height):
            if height < machine.STRIP:
                block(width, height, None)
                return
            with b.if_else(b.icmp_signed("!=", ahead, _int(0))) as (fetch, fetch_nothing):
                with fetch:
                    block(width, height, ahead)
                with fetch_nothing:
                    block(width, height, None)

        def of_width(width):
            heights = sorted({machine.STRIP, machine.STRIP // 2, 1})
            e.switch(strip, heights, partial(of_height, width))

        e.switch(vectors, (1, 2), of_width)
        return ctx.get_dummy_value()

    return types.void(like, *[types.intp] * 9, like), codegen


@intrinsic
def outer_sums(tc, like, rows, ahead, first, delta, ld, m):
    """``Σ_i x_i[k] delta[i, :]`` for STRIP rows k from ``first``: a tuple of vectors, two for each.

    ``rows`` and ``ahead`` as in :func:`add_outer`; ``ahead`` must be given.
    """
    width = 2
    result = types.UniTuple(Vector(like), width * machine.STRIP)

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        zeros = [e.zero()] * len(result)
        _, *addresses = args
        sums = _add_samples(e, *addresses, width, zeros)
        return ctx.make_tuple(b, sig.return_type, sums)

    return result(like, *[types.intp] * 6), codegen


@njit(forceinline=True)
def strip_of(left):
    """How many of the rows that are left the next strip takes."""
    if left >= machine.STRIP:
        return machine.STRIP
    if left >= machine.STRIP // 2:
        return machine.STRIP // 2
    return 1


@intrinsic
def transpose_tile(tc, like, source, source_ld, target, target_ld):
    """``target[j, i] = source[i, j]`` for a square tile of as many rows as a vector has lanes."""

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, source, source_ld, target, target_ld = args
        n = e.lanes
        rows = [e.load(e.at(source, b.mul(source_ld, _int(i)))) for i in range(n)]
        # Swap the two off-diagonal blocks of the tile, then those of each quarter, and so on. In a
        # shuffle, the lanes from n on are those of the second vector.
        half = n // 2
        while half:
            low_lanes = [j if not j & half else n + j - half for j in range(n)]
            high_lanes = [j + half if not j & half else n + j for j in range(n)]
            low_order, high_order = (
                ir.Constant(ir.VectorType(I32, n), order) for order in (low_lanes, high_lanes)
            )
            for i in range(n):
                if not i & half:
                    low, high = rows[i], rows[i + half]
                    rows[i] = b.shuffle_vector(low, high, low_order)
                    rows[i + half] = b.shuffle_vector(low, high, high_order)
            half //= 2
        for i, row in enumerate(rows):
            e.store(row, e.at(target, b.mul(target_ld, _int(i))))
        return ctx.get_dummy_value()

    return types.void(like, *[types.intp] * 4), codegen


# --- numbers in memory ---------------------------------------------------------------------------


@intrinsic
def vload(tc, like, address, index):
    """The vector that begins ``index`` numbers after an address."""

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        return e.load(e.at(*args[1:]))

    return Vector(like)(like, types.intp, types.intp), codegen


@intrinsic
def vstore(tc, like, address, index, value):
    """Put a vector ``index`` numbers after an address."""

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, *where, what = args
        e.store(what, e.at(*where))
        return ctx.get_dummy_value()

    return types.void(like, types.intp, types.intp, value), codegen


@intrinsic
def number(tc, like, address, index):
    """The number ``index`` numbers after an address."""

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        return b.load(b.inttoptr(e.at(*args[1:]), e.scalar.as_pointer()))

    return like(like, types.intp, types.intp), codegen


@intrinsic
def put(tc, like, address, index, value):
    """Put a number ``index`` numbers after an address."""

    def codegen(ctx, b, sig, args):
        e = _Emit(b, like)
        _, *where, what = args
        b.store(what, b.inttoptr(e.at(*where), e.scalar.as_pointer()))
        return ctx.get_dummy_value()

    return types.void(like, types.intp, types.intp, like), codegen


@intrinsic
def read_index(tc, address, i):
    """The i-th of the 64-bit integers at an address."""

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
    """Make ``value`` the i-th of the 64-bit integers at an address."""

    def codegen(ctx, b, sig, args):
        p = b.inttoptr(args[0], I64.as_pointer())
        b.store(args[2], b.gep(p, [args[1]]))
        return ctx.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), codegen


# --- dtypes --------------------------------------------------------------------------------------


@intrinsic
def is_float32(tc, like):
    """Whether ``like`` is of float32: a constant, so that only one branch is compiled."""

    def codegen(ctx, b, sig, args):
        return ir.Constant(ir.IntType(1), like == types.float32)

    return types.boolean(like), codegen


@intrinsic
def typed(tc, like, value):
    """``value`` as a number of the type of ``like``."""

    def codegen(ctx, b, sig, args):
        return ctx.cast(b, args[1], value, like)

    return like(like, value), codegen


# --- calls, threads and the state of the processor -----------------------------------------------


@intrinsic
def call(tc, function, arguments):
    """Call the compiled loop at an address with a tuple of addresses and counts."""

    def codegen(ctx, b, sig, args):
        n = len(arguments)
        loop = ir.FunctionType(ir.DoubleType(), [I64] * n)
        values = [b.extract_value(args[1], i) for i in range(n)]
        return b.call(b.inttoptr(args[0], loop.as_pointer()), values)

    return types.float64(types.intp, arguments), codegen


@intrinsic
def arrive(tc, address):
    """Add 1 to the counter there, in one indivisible step that all earlier writes precede."""

    def codegen(ctx, b, sig, args):
        return b.atomic_rmw("add", b.inttoptr(args[0], I64.as_pointer()), _int(1), "seq_cst")

    return types.intp(types.intp), codegen


@intrinsic
def read(tc, address):
    """The counter there; what other threads wrote before they arrived is seen from then on."""

    def codegen(ctx, b, sig, args):
        return b.load_atomic(b.inttoptr(args[0], I64.as_pointer()), "acquire", 8)

    return types.intp(types.intp), codegen


@intrinsic
def relax(tc):
    """Tell the processor that this is a waiting loop."""

    def codegen(ctx, b, sig, args):
        if b.module.triple.startswith(_X86):
            pause = ir.FunctionType(ir.VoidType(), [])
            b.call(cgutils.get_or_insert_function(b.module, pause, "llvm.x86.sse2.pause"), [])
        elif b.module.triple.startswith(_ARM):
            hint = ir.FunctionType(ir.VoidType(), [I32])
            yield_hint = ir.Constant(I32, 1)
            function = cgutils.get_or_insert_function(b.module, hint, "llvm.aarch64.hint")
            b.call(function, [yield_hint])
        return ctx.get_dummy_value()

    return types.void(), codegen


@intrinsic
def yield_processor(tc, function):
    """Call the operating system's function at an address, which lets other threads run."""

    def codegen(ctx, b, sig, args):
        kind = ir.FunctionType(I32, [])
        b.call(b.inttoptr(args[0], kind.as_pointer()), [])
        return ctx.get_dummy_value()

    return types.void(types.intp), codegen


@intrinsic
def subnormals(tc, keep):
    """Whether numbers below the smallest normal one are kept (True) or become 0, which is faster.

    Only x86 processors are asked: on others they are kept.
    """

    def codegen(ctx, b, sig, args):
        if b.module.triple.startswith(_X86):
            word = cgutils.alloca_once(b, I32)
            byte = ir.IntType(8).as_pointer()
            access = ir.FunctionType(ir.VoidType(), [byte])
            store, load = (
                cgutils.get_or_insert_function(b.module, access, f"llvm.x86.sse.{name}")
                for name in ("stmxcsr", "ldmxcsr")
            )
            place = b.bitcast(word, byte)
            b.call(store, [place])
            now = b.load(word)
            bits = ir.Constant(I32, _FLUSH_TO_ZERO | _DENORMALS_ARE_ZERO)
            b.store(b.select(args[0], b.and_(now, b.not_(bits)), b.or_(now, bits)), word)
            b.call(load, [place])
        return ctx.get_dummy_value()

    return types.void(types.boolean), codegen
