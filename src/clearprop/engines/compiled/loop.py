"""Many steps of training in one compiled call.

Everything here works on addresses, as C does: it allocates nothing, cannot fail, and runs with the
GIL released. :mod:`~clearprop.engines.compiled.plan` owns the memory and fills in the records.
``like`` is a number of the run's dtype; Numba compiles each function once for each dtype.

With several threads, each has its own samples in the forward and backward pass, and its own rows of
every weight gradient; the gradient of a weight is always summed by one thread, sample after sample,
so that the bits depend on how many threads there are but not on how fast they run.
"""

import numpy as np
from numba import njit, uint64

from clearprop.engines.compiled import machine
from clearprop.engines.compiled.kernels import (
    add_outer,
    arrive,
    call,
    is_float32,
    number,
    put,
    read,
    read_column,
    read_index,
    relax,
    rows_times_panel,
    strip_of,
    subnormals,
    transpose_tile,
    typed,
    vload,
    vstore,
    write_index,
    yield_processor,
)
from clearprop.engines.compiled.vectors import splat

__all__ = ["CHUNK", "LAYER", "RUN", "steps", "transpose_all"]

ROWS = machine.ROWS
CHUNK = 128  # samples whose activations fit the second-level cache together with a panel

# One record for each layer l = 2 … L. All fields are counts or addresses; 0 is "none".
LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            "n_in",  # n_{l-1}
            "n",  # n_l
            "k_pad",  # n_{l-1} and n_l in whole vectors
            "n_pad",
            "ld",  # from one row of z, a, delta to the next, in numbers
            "weights",  # panels of W^l, then b^l
            "bias",
            "gradient",  # ∂C/∂W^l and ∂C/∂b^l, laid out in the same way
            "gradient_bias",
            "transposed",  # panels of the transposed W^l, for BP2
            "rows",  # addresses of the rows of a^{l-1}
            "delta_rows",  # addresses of the rows of δ^l
            "z",
            "a",
            "delta",
            "scaled",  # δ^l times the weight of its sample, over the count
            "mask",  # what dropout multiplies a^l by, and the product; 0 without dropout
            "masked",
            "drop_below",  # the largest of 2^53 equal shares that silences
            "forward",  # compiled: a = f(z)
            "backward",  # compiled: g ← f'(z)ᵀ g
            "train_weights",  # whether they change
            "train_bias",
        )
    ]
)
RUN = np.dtype(
    [
        (name, np.int64)
        for name in (
            "x",  # the training data, and from one row to the next, in bytes
            "x_step",
            "values",  # or, where x is sparse (CSR): its values, their columns (int32), and where
            "columns",  # each row begins (int64)
            "begins",
            "touched_only",  # whether the rule leaves alone what has no gradient
            "y",
            "y_step",
            "n_y",
            "sample_weight",
            "order",  # which samples, in which order
            "n_order",
            "batch",
            "counts",  # for each step: what sums are divided by, constants of the rule, loss
            "constants",
            "n_constants",
            "losses",
            "keys",  # for each step and layer, where dropout's random stream starts
            "copies",  # room for the rows of a batch, and from one to the next, in bytes
            "copy_step",
            "input_mask",
            "input_drop_below",
            "y_rows",  # the targets of a batch, laid out as δ^L
            "terms",  # C_x of each sample of a batch
            "output",  # compiled: δ^L and C_x
            "rule",  # compiled: gradient and update, for weights and for biases
            "bias_rule",
            "parameters",  # the whole vector, and others laid out in the same way
            "slot0",
            "slot1",
            "kept",  # where gradients go that somebody wants to see
            "gradient_only",
            "scratch",  # for each thread
            "scratch_step",
            "zeros",
            "ahead",  # addresses of the next batch's rows
            "flags",  # for each thread: 0, or NaN once a number was not finite
            "counter",  # of threads that have arrived
            "spin",
            "yield_",
            "size",  # bytes of a number
        )
    ]
)


@njit(inline="always")
def _lanes(like):
    return machine.LANES32 if is_float32(like) else machine.LANES64


@njit(inline="never")
def product(like, rows, m, panels, k, k_pad, n_pad, start, start_step, out, ld):
    """out = start + rows @ panels."""
    lanes = _lanes(like)
    size = machine.VECTOR_BYTES // lanes
    blocks = (m + ROWS - 1) // ROWS
    p = 0
    while p < n_pad:
        vectors = 2 if n_pad - p >= 2 * lanes else 1
        i = 0
        for block in range(blocks):
            # blocks of equal size, to within one row
            end = m * (block + 1) // blocks
            rows_times_panel(
                like,
                rows + 8 * i,
                end - i,
                vectors,
                panels + p * k_pad * size,
                k,
                start + p * size,
                start_step,
                out + (i * ld + p) * size,
                ld,
            )
            i = end
        p += 2 * lanes


@njit(inline="never")
def outer(like, rows, first, last, m, panels, k_pad, n_pad, delta, ld):
    """panels[first:last] = rows.T @ delta: BP4."""
    lanes = _lanes(like)
    size = machine.VECTOR_BYTES // lanes
    i = 0
    while i < m:
        count = min(CHUNK, m - i)
        decay = typed(like, 0 if i == 0 else 1)
        p = 0
        while p < n_pad:
            vectors = 2 if n_pad - p >= 2 * lanes else 1
            k = first
            while k < last:
                strip = strip_of(last - k)
                add_outer(
                    like,
                    rows + 8 * i,
                    0,
                    k,
                    strip,
                    vectors,
                    delta + (i * ld + p) * size,
                    ld,
                    count,
                    panels + p * k_pad * size,
                    decay,
                )
                k += strip
            p += 2 * lanes
        i += count


@njit(inline="never")
def sum_rows(like, delta, ld, m, n_pad, out):
    """out = the sum of the rows of delta: BP3."""
    lanes = _lanes(like)
    for c in range(0, n_pad, lanes):
        total = splat(typed(like, 0))
        for i in range(m):
            total = total + vload(like, delta, i * ld + c)
        vstore(like, out, c, total)


@njit(inline="never")
def transpose(like, panels, first, last, k_pad, n_pad, out):
    """Panels over k of rows j, from panels over j of rows k, for first <= k < last, whole tiles."""
    lanes = _lanes(like)
    size = machine.VECTOR_BYTES // lanes
    for k in range(first, last, lanes):
        q = k // (2 * lanes) * 2 * lanes
        out_width = min(2 * lanes, k_pad - q)
        for j in range(0, n_pad, lanes):
            p = j // (2 * lanes) * 2 * lanes
            width = min(2 * lanes, n_pad - p)
            transpose_tile(
                like,
                panels + (p * k_pad + k * width + j - p) * size,
                width,
                out + (q * n_pad + j * out_width + k - q) * size,
                out_width,
            )


@njit(inline="never")
def scale_rows(like, delta, scaled, first, last, ld, n_pad, factor, weights, order):
    """scaled = delta times each sample's share of the mean."""
    lanes = _lanes(like)
    for i in range(first, last):
        share_of_mean = factor
        if weights != 0:
            share_of_mean *= number(like, weights, read_index(order, i))
        for c in range(0, n_pad, lanes):
            vstore(like, scaled, i * ld + c, vload(like, delta, i * ld + c) * share_of_mean)


@njit(inline="never")
def multiply(like, x, y, out, first, last, ld, n_pad):
    """out = x ⊙ y, row by row."""
    lanes = _lanes(like)
    for i in range(first, last):
        for c in range(0, n_pad, lanes):
            at = i * ld + c
            vstore(like, out, at, vload(like, x, at) * vload(like, y, at))


@njit(inline="never")
def draw_mask(like, mask, first, last, ld, n, key, drop_below):
    """0 or 1/(1 - p) for each neuron: SplitMix64, as in clearprop.regularization.Dropout."""
    share = float(drop_below) / 9007199254740992.0
    kept, silent = typed(like, 1.0 / (1.0 - share)), typed(like, 0.0)
    for i in range(first, last):
        for j in range(n):
            z = uint64(key) + uint64(i * n + j) + uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
            z = (z ^ (z >> uint64(31))) >> uint64(11)
            put(like, mask, i * ld + j, silent if z < uint64(drop_below) else kept)


@njit(inline="never")
def meet(run, threads, goal):
    """Wait until all threads have come here."""
    if threads > 1:
        arrive(run.counter)
        spins = 0
        while read(run.counter) < goal:
            relax()
            spins += 1
            if spins > run.spin:
                yield_processor(run.yield_)


@njit(inline="never")
def share(n, part, parts, unit):
    """Where the part-th of `parts` nearly equal shares of n begins, in whole units."""
    units = (n + unit - 1) // unit
    return min(n, units * part // parts * unit)


@njit(inline="never")
def gather(like, layers, run, first, last, start):
    """The rows of the samples first <= i < last of the batch, and their targets."""
    lanes = _lanes(like)
    rows, n_in = layers[0].rows, layers[0].n_in
    ld = layers[len(layers) - 1].ld
    for i in range(first, last):
        sample = read_index(run.order, start + i)
        source = run.x + sample * run.x_step
        if run.begins != 0:
            pass
        elif run.copies == 0:
            write_index(rows, i, source)
        else:
            # The rows of a wide batch are visited often: close together they need few pages.
            target = run.copies + i * run.copy_step
            write_index(rows, i, target)
            c = 0
            while c + lanes <= n_in:
                vstore(like, target, c, vload(like, source, c))
                c += lanes
            while c < n_in:
                put(like, target, c, number(like, source, c))
                c += 1
        for j in range(run.n_y):
            y = number(like, run.y + sample * run.y_step, j)
            put(like, run.y_rows, i * ld + j, y)


@njit(inline="never")
def shard(like, layers, run, scratch, first, last, start, factor, keys):
    """Forward and backward for the samples first <= i < last of the batch that begins at start."""
    size = run.size
    depth = len(layers)
    bad = 0.0
    m = last - first
    gather(like, layers, run, first, last, start)
    if run.input_mask != 0:
        ld = run.copy_step // size
        n = layers[0].n_in
        mask = run.input_mask
        draw_mask(like, mask, first, last, ld, n, read_index(keys, 0), run.input_drop_below)
        multiply(like, run.copies, mask, run.copies, first, last, ld, ld)
    for l in range(depth):
        layer = layers[l]
        at = first * layer.ld * size
        if l == 0 and run.begins != 0:
            sparse_product(like, run, layer, first, last, start)
        else:
            product(
                like,
                layer.rows + 8 * first,
                m,
                layer.weights,
                layer.n_in,
                layer.k_pad,
                layer.n_pad,
                layer.bias,
                0,
                layer.z + at,
                layer.ld,
            )
        bad += call(layer.forward, (layer.z + at, layer.a + at, scratch, m, layer.n, layer.ld))
        if layer.mask != 0:
            key = read_index(keys, l + 1)
            draw_mask(like, layer.mask, first, last, layer.ld, layer.n, key, layer.drop_below)
            multiply(like, layer.a, layer.mask, layer.masked, first, last, layer.ld, layer.n_pad)
    layer = layers[depth - 1]
    at = first * layer.ld * size
    terms = run.terms + first * size
    y = run.y_rows + at
    bad += call(
        run.output,
        (layer.z + at, layer.a + at, y, layer.delta + at, terms, scratch, m, layer.n, layer.ld),
    )
    for l in range(depth - 1, 0, -1):
        layer, before = layers[l], layers[l - 1]
        at = first * before.ld * size
        # BP2: g = Wᵀ δ, then f'(z)ᵀ g in place
        product(
            like,
            layer.delta_rows + 8 * first,
            m,
            layer.transposed,
            layer.n,
            layer.n_pad,
            layer.k_pad,
            run.zeros,
            0,
            before.delta + at,
            before.ld,
        )
        if before.mask != 0:
            mask, g = before.mask, before.delta
            multiply(like, g, mask, g, first, last, before.ld, before.n_pad)
        g = before.delta + at
        bad += call(
            before.backward, (before.z + at, before.a + at, g, scratch, m, before.n, before.ld)
        )
    order = run.order + 8 * start
    weights = run.sample_weight
    for l in range(depth):
        layer = layers[l]
        delta, scaled = layer.delta, layer.scaled
        scale_rows(like, delta, scaled, first, last, layer.ld, layer.n_pad, factor, weights, order)
    return bad


@njit(inline="never")
def sparse_product(like, run, layer, first, last, start):
    """z = b + W x, where each x is a few values and their columns."""
    lanes = _lanes(like)
    size = run.size
    for i in range(first, last):
        sample = read_index(run.order, start + i)
        begin, end = read_index(run.begins, sample), read_index(run.begins, sample + 1)
        p = 0
        while p < layer.n_pad:
            width = min(2 * lanes, layer.n_pad - p)
            panel = layer.weights + p * layer.k_pad * size
            for v in range(0, width, lanes):
                z = vload(like, layer.bias, p + v)
                for t in range(begin, end):
                    w = vload(like, panel, read_column(run.columns, t) * width + v)
                    z = z + w * number(like, run.values, t)
                vstore(like, layer.z, i * layer.ld + p + v, z)
            p += width


@njit(inline="never")
def sparse_learn(like, run, layer, start, m, constants):
    """BP4 and the update of the first weights, where x is sparse."""
    lanes = _lanes(like)
    size = run.size
    p = 0
    while p < layer.n_pad:
        width = min(2 * lanes, layer.n_pad - p)
        offset = p * layer.k_pad * size
        panel, gradient = layer.weights + offset, layer.gradient + offset
        at = panel - run.parameters
        s0, s1, kept = run.slot0 + at, run.slot1 + at, run.kept + at
        if run.touched_only == 0:
            for c in range(0, layer.k_pad * width, lanes):
                vstore(like, gradient, c, splat(typed(like, 0)))
        for i in range(m):
            sample = read_index(run.order, start + i)
            for t in range(read_index(run.begins, sample), read_index(run.begins, sample + 1)):
                place = read_column(run.columns, t) * width
                x = number(like, run.values, t)
                for v in range(0, width, lanes):
                    g = vload(like, gradient, place + v)
                    delta = vload(like, layer.scaled, i * layer.ld + p + v)
                    vstore(like, gradient, place + v, g + delta * x)
        if run.gradient_only != 0 or layer.train_weights == 0:
            pass
        elif run.touched_only == 0:
            count = layer.k_pad * width
            call(run.rule, (0, 0, 0, 0, count, 0, 0, 0, gradient, constants, panel, s0, s1, kept))
        else:
            for i in range(m):
                sample = read_index(run.order, start + i)
                for t in range(read_index(run.begins, sample), read_index(run.begins, sample + 1)):
                    # A column that comes a second time has gradient 0 by then, and stays.
                    to = read_column(run.columns, t) * width * size
                    g, w = gradient + to, panel + to
                    call(run.rule, (0, 0, 0, 0, width, 0, 0, 0, g, constants, w, s0, s1, kept))
                    for v in range(0, width, lanes):
                        vstore(like, g, v, splat(typed(like, 0)))
        p += width


@njit(inline="never")
def learn(like, layers, run, l, thread, threads, start, m, constants, scratch, ahead):
    """BP3 and BP4 of one layer, and the update: this thread's rows of its weights."""
    lanes = _lanes(like)
    size = run.size
    layer = layers[l]
    first = share(layer.n_in, thread, threads, lanes)
    last = share(layer.n_in, thread + 1, threads, lanes)
    if l == 0 and run.begins != 0:
        sparse_learn(like, run, layer, start, m, constants)
    elif first < last:
        if run.gradient_only != 0 or layer.train_weights == 0:
            if run.kept != 0:
                to, ld = layer.gradient, layer.ld
                outer(
                    like, layer.rows, first, last, m, to, layer.k_pad, layer.n_pad, layer.scaled, ld
                )
        else:
            p = 0
            while p < layer.n_pad:
                width = min(2 * lanes, layer.n_pad - p)
                panel = layer.weights + p * layer.k_pad * size
                at = panel - run.parameters
                call(
                    run.rule,
                    (
                        layer.rows,
                        ahead if l == 0 and p == 0 else 0,
                        first,
                        last,
                        width,
                        layer.scaled + p * size,
                        layer.ld,
                        m,
                        scratch,
                        constants,
                        panel,
                        run.slot0 + at,
                        run.slot1 + at,
                        run.kept + at,
                    ),
                )
                p += width
    if thread == threads - 1:
        sum_rows(like, layer.scaled, layer.ld, m, layer.n_pad, layer.gradient_bias)
        if run.gradient_only == 0 and layer.train_bias != 0:
            at = layer.bias - run.parameters
            call(
                run.bias_rule,
                (
                    0,
                    0,
                    0,
                    0,
                    layer.n_pad,
                    0,
                    0,
                    0,
                    layer.gradient_bias,
                    constants,
                    layer.bias,
                    run.slot0 + at,
                    run.slot1 + at,
                    run.kept + at,
                ),
            )
    if l > 0 and first < last and run.gradient_only == 0 and layer.train_weights != 0:
        end = min(layer.k_pad, (last + lanes - 1) // lanes * lanes)
        k_pad, n_pad = layer.k_pad, layer.n_pad
        transpose(like, layer.weights, first, end, k_pad, n_pad, layer.transposed)


@njit(nogil=True, cache=True)
def steps(like, layers, runs, thread, threads, first_step, last_step):
    """Steps first_step <= s < last_step, as the thread-th of ``threads``."""
    run = runs[0]
    depth = len(layers)
    scratch = run.scratch + thread * run.scratch_step
    goal = 0
    for s in range(first_step, last_step):
        start = s * run.batch
        m = min(run.batch, run.n_order - start)
        i = share(m, thread, threads, 1)
        end = share(m, thread + 1, threads, 1)
        bad = 0.0
        count = number(0.0, run.counts, s)
        # A pass alone gives sums; a step divides them.
        factor = typed(like, 1.0 if run.gradient_only != 0 else 1.0 / count)
        keys = run.keys + 8 * s * (depth + 1)
        while i < end:
            now = min(CHUNK, end - i)
            bad += shard(like, layers, run, scratch, i, i + now, start, factor, keys)
            i += now
        ahead = 0
        if start + 2 * m <= run.n_order and run.copies == 0 and run.begins == 0:
            ahead = run.ahead
            for i in range(share(m, thread, threads, 1), end):
                write_index(ahead, i, run.x + read_index(run.order, start + m + i) * run.x_step)
        put(0.0, run.flags, thread, number(0.0, run.flags, thread) + bad)
        goal += threads
        meet(run, threads, goal)
        if thread == 0:
            loss = 0.0
            for i in range(m):
                term = float(number(like, run.terms, i))
                if run.sample_weight != 0:
                    term *= number(like, run.sample_weight, read_index(run.order, start + i))
                loss += term
            put(0.0, run.losses, s, loss / count)
        constants = run.constants + 8 * s * run.n_constants
        # The fading moments of Adam would end in numbers too small to be fast.
        subnormals(False)
        for l in range(depth):
            learn(like, layers, run, l, thread, threads, start, m, constants, scratch, ahead)
        subnormals(True)
        goal += threads
        meet(run, threads, goal)


@njit(nogil=True, cache=True)
def transpose_all(like, layers):
    """Bring the transposed weights of all layers up to date."""
    for l in range(1, len(layers)):
        layer = layers[l]
        k_pad, n_pad = layer.k_pad, layer.n_pad
        transpose(like, layer.weights, 0, k_pad, k_pad, n_pad, layer.transposed)
