"""From a graph of traced operations to the source text of one loop, which Numba then compiles.

A loop goes over the rows of padded matrices, and along each row in steps of one vector::

    def loop(in_z, out_a, scratch, rows, n, ld):
        bad = splat(float32(0))
        for i in range(rows):
            for c in range(0, n, LANES):
                at = i * ld + c
                lane = below(n - c, splat(float32(0)))
                z = load(in_z, at)
                t0 = exp(z)
                store(out_a, at, select(lane, t0, 0.0))
                bad = bad + select(lane, t0 * 0.0, 0.0)
        return float64(sum_lanes(bad))

``in_…``, ``out_…`` and ``scratch`` are addresses in bytes; ``rows``, ``n`` (numbers in use in a
row) and ``ld`` (from one row to the next) count numbers. ``lane`` tells the numbers in use from the
padding, which stays zero. What is returned is 0, or NaN where a result was not finite: 0 times such
a number is NaN, and adding keeps it.

**Stages.** Softmax needs the largest z of a row before the first exponential, and the sum of the
exponentials before the first result. A formula that sums over a row so many times deep goes along
each row that many times, and once more for its results. What an earlier stage worked out at some
cost and a later one needs again waits in ``scratch``, one row for each such value.

**Scalars** (the learning rate, …) are read once, from the address ``constants``, in float64.
"""

from math import isfinite

from clearprop.engines.compiled import machine
from clearprop.engines.compiled.tracing import (
    ELEMENT,
    NAMESPACE,
    ROW,
    SCALAR,
    CannotTraceError,
    Traced,
    as_element,
    as_number,
)

__all__ = ["Loop", "Rule"]

_INFIX = {"+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "&", "|"}
_PREFIX = {"neg": "-", "~": "~"}
# Where a function is called by another name than in the graph.
_CALLED = {"abs": "absolute", "where": "select"}
# Worth keeping from one stage to the next; the others are worked out again sooner than loaded.
_COSTLY = {"exp", "expm1", "log", "log1p", "tanh", "erf", "sqrt", "/"}
# What a sum and a maximum over a row begin with, which is also what the padding counts as.
_NEUTRAL = {"sum": "0.0", "max": "-inf"}

# An optimizer's rule has room for two slots and the parameters.
_RULE_ARRAYS = 3


def _indented(lines, levels=1):
    return ["    " * levels + line for line in lines]


class Loop:
    """What one loop reads and writes.

    Parameters
    ----------
    inputs : dict of str to Traced
        The arguments that are matrices, by name.
    outputs : list of (str, Traced or float)
        The results, by name; one with the name of an input takes its place. A result is a number
        for each element, except those in ``per_row``.
    constants : sequence of Traced
        The arguments that are scalars, in the order in which they lie at ``constants``.
    flat : bool
        Whether it goes over one row of whole vectors instead.
    bits : int
        32 or 64.
    watch : bool
        Whether it reports results that are not finite.
    per_row : sequence of str
        Outputs of one number a row.

    Raises
    ------
    CannotTraceError
        Where a formula gives one number a sample instead of one for each neuron.
    """

    def __init__(
        self,
        inputs,
        outputs,
        constants=(),
        *,
        flat=False,
        bits=32,
        watch=True,
        per_row=("C",),
    ):
        self.inputs, self.constants = inputs, constants
        self.flat, self.bits, self.watch = flat, bits, watch
        like = next(iter(inputs.values()))
        self.outputs = [
            (name, _one_a_row(value, like) if name in per_row else _one_an_element(value, like))
            for name, value in outputs
        ]

    def source(self, what):
        """The text of the function ``loop``.

        Parameters
        ----------
        what : str
            Its docstring.

        Returns
        -------
        text : str
        arguments : list of str
            The names of its arguments, all of them 64-bit integers.
        """
        return _RowWriter(self).write(what)


class Rule(Loop):
    """An optimizer's step on one panel of weights: the gradient of a strip, then the rule on it.

    The gradient is summed in vector registers and the rule takes it from there. The inputs are the
    parameter ``p``, the sums ``g``, and the slots; an output ``kept`` is where the gradient goes
    that somebody wants to see. With first == last it is the rule alone, on ``width`` sums that lie
    at the address ``piece``.
    """

    def source(self, what):
        """The text of the function ``loop``, and of ``rule`` that it calls: see :class:`Loop`."""
        return _RuleWriter(self).write(what)


def _one_an_element(value, like):
    value = as_number(value)
    if isinstance(value, Traced) and value.level == ROW and value.width != 1:
        raise CannotTraceError("it gives one number a sample instead of one for each neuron")
    return as_element(value, like)


def _one_a_row(value, like):
    if isinstance(value, Traced) and value.level == ROW:
        return value
    return NAMESPACE.sum(as_element(value, like), axis=-1, keepdims=True)


class _Writer:
    """The lines of a loop, as they come to be; one for each text that is written."""

    def __init__(self, loop):
        self.loop = loop
        self.number = f"float{loop.bits}"  # the Numba type
        self.names = {}  # of what is known outside the innermost loop
        self.local = {}  # of what is known inside it
        self.scratch = {}  # node -> which row of the scratch memory it waits in
        self.waiting = set()  # the nodes that have been put there
        for node in loop.constants:
            self.names[node] = node.op
        self.scalar_lines = []
        for _, node in loop.outputs:
            self._add_scalars(node)

    def _add_scalars(self, node):
        """Lines for all that can be worked out before the loop begins."""
        if node in self.names:
            return
        for part in node.nodes():
            self._add_scalars(part)
        if node.level == SCALAR:
            self.names[node] = f"s{len(self.scalar_lines)}"
            self.scalar_lines.append(f"{self.names[node]} = {self.expression(node)}")

    def constant_lines(self):
        """The scalars, read from memory."""
        return [
            f"{node.op} = load1_64(constants, {i})" for i, node in enumerate(self.loop.constants)
        ]

    def address(self, name):
        """The argument for a result: that of the input of the same name where there is one."""
        return f"in_{name}" if name in self.loop.inputs else f"out_{name}"

    def element_lines(self, roots):
        """Lines of the innermost loop that work out ``roots``, each operation once."""
        self.local = {}
        lines, known = [], {}
        arguments = {node: name for name, node in self.loop.inputs.items()}

        def visit(node):
            if node.level != ELEMENT or node in self.local:
                return
            if node in self.waiting:
                row = self.scratch[node]
                self.local[node] = f"k{row}"
                lines.append(f"k{row} = load(scratch, {row} * ld + c)")
                return
            if node in arguments:
                name = self.local[node] = arguments[node]
                lines.append(self.load(name))
                return
            for part in node.nodes():
                visit(part)
            text = self.expression(node)
            if text in known:
                self.local[node] = known[text]
                return
            name = self.local[node] = known[text] = f"t{len(known)}"
            lines.append(f"{name} = {text}")
            if node in self.scratch:
                lines.append(f"store(scratch, {self.scratch[node]} * ld + c, {name})")
                self.waiting.add(node)

        for root in roots:
            visit(root)
        return lines

    def load(self, name):
        """The line that reads an input."""
        return f"{name} = load(in_{name}, at)"

    def reference(self, value):
        """The name of a node that is known, or a number."""
        if not isinstance(value, Traced):
            # Python writes infinities and NaN as inf, -inf and nan, which the module defines.
            return repr(value) if isfinite(value) else str(value)
        return self.local[value] if value.level == ELEMENT else self.names[value]

    def expression(self, node):
        """What a node is of its arguments."""
        args = [self.reference(a) for a in node.args]
        if node.op in _INFIX:
            return f"{args[0]} {node.op} {args[1]}"
        if node.op in _PREFIX:
            return f"{_PREFIX[node.op]}{args[0]}"
        if node.op == "spread":
            return args[0] if self._is_vector(node.args[0]) else self._splat(args[0])
        if node.op == "where" and not any(map(self._is_vector, node.args[1:])):
            args[1] = self._splat(args[1])
        return f"{_CALLED.get(node.op, node.op)}({', '.join(args)})"

    @staticmethod
    def _is_vector(value):
        return isinstance(value, Traced) and value.level > SCALAR

    def _splat(self, text):
        return f"splat({self.number}({text}))"


class _RowWriter(_Writer):
    """Writes a Loop."""

    def __init__(self, loop):
        super().__init__(loop)
        nodes = [node for _, node in loop.outputs]
        self.elements = [node for node in nodes if node.level == ELEMENT]
        self.reductions = self._find_reductions(nodes)
        self.depth = max((node.stage for node in nodes), default=0)
        # What each stage works out: the arguments of its sums, and at last the results.
        self.roots = [
            [part for r in self._reductions_of(stage) for part in r.nodes()]
            for stage in range(self.depth)
        ]
        self.roots.append(self.elements)
        self._choose_what_waits()
        self.reduced = []  # the sums and maxima that have a name
        self.row_values = 0  # how many other numbers of a row have one

    @staticmethod
    def _find_reductions(nodes):
        """All sums and maxima over rows, in the order in which they can be worked out."""
        found, seen = [], set()

        def visit(node):
            if node in seen:
                return
            seen.add(node)
            for part in node.nodes():
                visit(part)
            if node.op in _NEUTRAL and node.level == ROW:
                found.append(node)

        for node in nodes:
            visit(node)
        return sorted(found, key=lambda node: node.stage)

    def _reductions_of(self, stage):
        # A node's stage counts the reductions that must be known before, itself included.
        return [r for r in self.reductions if r.stage == stage + 1]

    def _choose_what_waits(self):
        """Give a row of scratch memory to what costs much and is needed in two stages."""
        needed = [self._needed(roots) for roots in self.roots]
        for stage, nodes in enumerate(needed):
            for node in nodes:
                again = any(node in later for later in needed[stage + 1 :])
                if again and node.op in _COSTLY:
                    self.scratch.setdefault(node, len(self.scratch))

    @staticmethod
    def _needed(roots):
        """The nodes that one stage works out for its roots; a dict, for their order."""
        found = {}

        def visit(node):
            if node.level == ELEMENT and node not in found:
                for part in node.nodes():
                    visit(part)
                found[node] = None

        for root in roots:
            visit(root)
        return found

    def write(self, what):
        """The text of the function, and the names of its arguments."""
        body = []
        for stage in range(self.depth):
            body += self._reduction_lines(stage)
        if self.elements:
            body += self._result_lines()
        body += [
            f"store1({self.address(name)}, i, first({self.reference(node)}))"
            for name, node in self.loop.outputs
            if node.level == ROW
        ]
        arguments = self._arguments()
        head = [f'"""{what}"""']
        if self.loop.watch:
            head.append(f"bad = {self._splat('0')}")
        head += self.constant_lines() + self.scalar_lines
        if not self.loop.flat:
            body = ["for i in range(rows):", *_indented(body)]
        end = "return float64(sum_lanes(bad))" if self.loop.watch else "return 0.0"
        lines = [f"def loop({', '.join(arguments)}):", *_indented([*head, *body, end]), ""]
        return "\n".join(lines), arguments

    def _arguments(self):
        addresses = [f"in_{name}" for name in self.loop.inputs]
        addresses += [
            f"out_{name}" for name, _ in self.loop.outputs if name not in self.loop.inputs
        ]
        if self.loop.constants:
            addresses.append("constants")
        return [*addresses, "n"] if self.loop.flat else [*addresses, "scratch", "rows", "n", "ld"]

    def _reduction_lines(self, stage):
        """One way along the row: the sums and maxima of a stage, and what follows from them."""
        reductions = self._reductions_of(stage)
        for r in reductions:
            self.names[r] = f"r{len(self.reduced)}"
            self.reduced.append(r)
        # Written first: the lines below need the names of what it works out.
        inside = self._inner_lines(self.roots[stage])
        before, after = [], []
        for r in reductions:
            name, value = self.names[r], self.reference(r.args[0])
            start = "0" if r.op == "sum" else _NEUTRAL[r.op]
            before.append(f"{name} = {self._splat(start)}")
            used = f"select(lane, {value}, {_NEUTRAL[r.op]})"
            inside.append(
                f"{name} = {name} + {used}"
                if r.op == "sum"
                else f"{name} = maximum({name}, {used})"
            )
            after.append(f"{name} = splat({r.op}_lanes({name}))")
        return before + self._along_the_row(inside) + after + self._row_lines(stage + 1)

    def _row_lines(self, stage):
        """What is one number a row and follows from the sums and maxima up to a stage."""
        lines, seen = [], set()

        def visit(node):
            if node in seen:
                return
            seen.add(node)
            for part in node.nodes():
                visit(part)
            if node.level == ROW and node.stage <= stage and node not in self.names:
                self.names[node] = f"q{self.row_values}"
                self.row_values += 1
                lines.append(f"{self.names[node]} = {self.expression(node)}")

        for _, node in self.loop.outputs:
            visit(node)
        return lines

    def _result_lines(self):
        """The last way along the row: the results."""
        lines = self._inner_lines(self.elements)
        for name, node in self.loop.outputs:
            if node.level != ELEMENT:
                continue
            value = self.reference(node)
            stored, zero = value, f"{value} * 0.0"
            if not self.loop.flat:
                stored, zero = f"select(lane, {value}, 0.0)", f"select(lane, {zero}, 0.0)"
            lines.append(f"store({self.address(name)}, at, {stored})")
            if self.loop.watch:
                lines.append(f"bad = bad + {zero}")
        return self._along_the_row(lines)

    def _inner_lines(self, roots):
        if self.loop.flat:
            return ["at = c", *self.element_lines(roots)]
        lane = f"lane = below(n - c, {self._splat('0')})"
        return ["at = i * ld + c", lane, *self.element_lines(roots)]

    def _along_the_row(self, lines):
        return ["for c in range(0, n, LANES):", *_indented(lines)]


class _RuleWriter(_Writer):
    """Writes a Rule."""

    def load(self, name):
        """The gradient is an argument of ``rule``, the others are read from memory."""
        return "" if name == "g" else super().load(name)

    def write(self, what):
        """The text of ``rule`` and ``loop``, and the names of the arguments of ``loop``."""
        slots = [f"in_{name}" for name in self.loop.inputs if name != "g"]
        slots += [f"unused{i}" for i in range(_RULE_ARRAYS - len(slots))]
        addresses = [*slots, "in_kept"]
        scalars = [node.op for node in self.loop.constants]
        scalars += [f"s{i}" for i in range(len(self.scalar_lines))]
        given = ", ".join(addresses + scalars)
        arguments = ["rows", "ahead", "first", "last", "width", "delta", "ld", "m", "piece"]
        arguments += ["constants", *addresses]
        head = [
            f'"""{what}"""',
            f"zero, one = {self.number}(0), {self.number}(1)",
            *self.constant_lines(),
            *self.scalar_lines,
        ]
        lines = [
            *self._rule_lines(given),
            "",
            "",
            "DECORATOR",
            f"def loop({', '.join(arguments)}):",
            *_indented([*head, *self._strip_lines(given)]),
            "",
        ]
        return "\n".join(lines), arguments

    def _rule_lines(self, given):
        """The optimizer's rule on one vector: parameters and slots at ``at``, the sums ``g``."""
        lines = [line for line in self.element_lines([n for _, n in self.loop.outputs]) if line]
        # Everything is read before anything is written.
        stores = [
            f"store(in_{name}, at, {self.reference(node)})" for name, node in self.loop.outputs
        ]
        return [
            "@njit(forceinline=True, fastmath={'contract'})",
            f"def rule({given}, at, g):",
            *_indented(lines + stores),
        ]

    def _strip_lines(self, given):
        """Strip by strip: whole ones out of registers, the rest through the memory at ``piece``."""
        size = self.loop.bits // 8
        whole_strip = [
            "t = outer_sums(one, rows, ahead if ahead else rows, k, delta, ld, m)",
            *(f"rule({given}, k * width + {i} * LANES, t[{i}])" for i in range(2 * machine.STRIP)),
            "k += STRIP",
        ]
        delta, cells = f"delta + i * ld * {size}", f"piece - k * width * {size}"
        sums_of_chunk = [
            "count = min(CHUNK, m - i)",
            f"add_outer(one, rows + 8 * i, 0, k, strip, width // LANES, {delta}, ld, count,",
            f"          {cells}, zero if i == 0 else one)",
            "i += count",
        ]
        rest_of_strip = [
            "strip = strip_of(last - k)",
            "i = 0",
            "while i < m:",
            *_indented(sums_of_chunk),
            "for c in range(0, strip * width, LANES):",
            f"    rule({given}, k * width + c, load(piece, c))",
            "k += strip",
        ]
        return [
            "k = first",
            "if width == 2 * LANES:",
            "    while k + STRIP <= last:",
            *_indented(whole_strip, 2),
            "while k < last:",
            *_indented(rest_of_strip),
            "if first == last:",
            "    for c in range(0, width, LANES):",
            f"        rule({given}, c, load(piece, c))",
            "return 0.0",
        ]
