"""From a graph of traced operations to the source text of one compiled loop."""

from clearprop.engines.compiled import machine
from clearprop.engines.compiled.tracing import ELEMENT, ROW, SCALAR, Traced

_INFIX = {"+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "&", "|"}
_COSTLY = {"exp", "expm1", "log", "log1p", "tanh", "erf", "sqrt", "/"}


def _inner(node):
    return [a for a in node.args if isinstance(a, Traced)]


class Loop:
    """Source of a function over rows of padded matrices.

    inputs: {name: Traced argument}   elements, read at [i, j]
    outputs: [(name, Traced)]   an ELEMENT result is stored at [i, j], a ROW result at [i]
    """

    def __init__(self, inputs, outputs, constants=(), *, flat=False, bits=32, watch=True):
        self.inputs, self.outputs, self.constants = inputs, outputs, constants
        self.flat, self.bits, self.watch = flat, bits, watch
        self.names = {}
        self.lines = []
        self.slots = {}

    def source(self, what):
        depth = max((n.stage for _, n in self.outputs if isinstance(n, Traced)), default=0)
        roots = [[] for _ in range(depth + 1)]
        reductions = self._reductions()
        for r in reductions:
            roots[r.stage - 1] += _inner(r)
        roots[depth] += [n for _, n in self.outputs if isinstance(n, Traced) and n.level == ELEMENT]
        needed = [self._needed(rs) for rs in roots]
        for k, nodes in enumerate(needed):
            for node in nodes:
                if (
                    node.op in _COSTLY
                    and node not in self.slots
                    and any(node in later for later in needed[k + 1 :])
                ):
                    self.slots[node] = len(self.slots)
        body = []
        for node in self.constants:
            self.names[node] = node.op
        scalars = []
        for name, node in self.outputs:
            self._scalars(node, scalars)
        indent = "    " if self.flat else "        "
        done = set()
        for k in range(depth + 1):
            here = [r for r in reductions if r.stage == k + 1]
            for r in here:
                self.names[r] = f"r{len([n for n in self.names.values() if n.startswith('r')])}"
                body.append(
                    f"{indent}{self.names[r]} = splat({self._type}({'0' if r.op == 'sum' else '-inf'}))"
                )
            if here or k == depth:
                inner = self._element_lines(roots[k], done, k, needed)
                if here or any(n.level == ELEMENT for _, n in self.outputs):
                    body.append(f"{indent}for c in range(0, n, {self._lanes}):")
                    body += [f"{indent}    {line}" for line in inner]
                    for r in here:
                        value = self._ref(r.args[0])
                        if r.op == "sum":
                            body.append(
                                f"{indent}    {self.names[r]} = {self.names[r]} + select(lane, {value}, 0.0)"
                            )
                        else:
                            body.append(
                                f"{indent}    {self.names[r]} = maximum({self.names[r]}, select(lane, {value}, -inf))"
                            )
                    if k == depth:
                        body += [f"{indent}    {line}" for line in self._stores()]
                for r in here:
                    body.append(f"{indent}{self.names[r]} = splat({r.op}_lanes({self.names[r]}))")
                body += self._row_lines(k + 1, indent)
        for name, node in self.outputs:
            if node.level == ROW:
                body.append(f"{indent}store1(out_{name}, i, first({self._ref(node)}))")
        pointers = [f"in_{n}" for n in self.inputs] + [
            f"out_{n}" for n, _ in self.outputs if f"in_{n}" not in [f"in_{m}" for m in self.inputs]
        ]
        # one address may be both read and written
        both = set(self.inputs) & {n for n, _ in self.outputs}
        args = (
            pointers
            + (["constants"] if self.constants else [])
            + (["scratch"] if not self.flat else [])
            + (["n"] if self.flat else ["rows", "n", "ld"])
        )
        head = [f"def loop({', '.join(args)}):", f'    """{what}"""']
        if self.watch:
            head.append(f"    bad = splat({self._type}(0))")
        for i, node in enumerate(self.constants):
            head.append(f"    {node.op} = load1_64(constants, {i})")
        head += ["    " + s for s in scalars]
        if not self.flat:
            head.append("    for i in range(rows):")
        text = "\n".join(
            head + body + [f"    return {'float64(sum_lanes(bad))' if self.watch else '0.0'}", ""]
        )
        for n in both:
            text = text.replace(f"out_{n}", f"in_{n}")
        return text, args

    @property
    def _lanes(self):
        return "LANES"

    @property
    def _type(self):
        return f"float{self.bits}"

    def _reductions(self):
        found, seen = [], set()

        def visit(n):
            if id(n) in seen:
                return
            seen.add(id(n))
            for a in _inner(n):
                visit(a)
            if n.op in ("sum", "max") and n.level == ROW:
                found.append(n)

        for _, n in self.outputs:
            visit(n)
        return sorted(found, key=lambda r: r.stage)

    def _needed(self, roots):
        out = {}

        def visit(n):
            if n in out or n.level != ELEMENT:
                return
            for a in _inner(n):
                visit(a)
            out[n] = None

        for r in roots:
            visit(r)
        return out

    def _scalars(self, node, lines):
        if node in self.names:
            return
        for a in _inner(node):
            self._scalars(a, lines)
        if node.level == SCALAR:
            self.names[node] = f"s{len(lines)}"
            lines.append(f"{self.names[node]} = {self._expression(node)}")

    def _row_lines(self, stage, indent):
        lines = []

        def visit(n):
            if n in self.names or n.level != ROW or n.stage > stage:
                return
            for a in _inner(n):
                visit(a)
            if all(a in self.names for a in _inner(n)):
                self.names[n] = f"q{sum(v.startswith('q') for v in self.names.values())}"
                lines.append(f"{indent}{self.names[n]} = {self._expression(n)}")

        def walk(n, seen):
            if id(n) in seen:
                return
            seen.add(id(n))
            for a in _inner(n):
                walk(a, seen)
            visit(n)

        for _, n in self.outputs:
            walk(n, set())
        return lines

    def _element_lines(self, roots, done, k, needed):
        lines = (
            [] if self.flat else ["at = i * ld + c", f"lane = below(n - c, splat({self._type}(0)))"]
        )
        if self.flat:
            lines = ["at = c"]
        local = {}
        self.local = local
        texts = {}

        def visit(n):
            if n.level != ELEMENT or n in local:
                return
            if n in self.slots and n in done:
                local[n] = f"k{self.slots[n]}"
                lines.append(f"{local[n]} = load(scratch, {self.slots[n]} * ld + c)")
                return
            for name, arg in self.inputs.items():
                if n is arg:
                    local[n] = f"{name}"
                    lines.append(f"{name} = load(in_{name}, at)")
                    return
            for a in _inner(n):
                visit(a)
            text = self._expression(n)
            if text in texts:
                local[n] = texts[text]
                return
            local[n] = texts[text] = f"t{len(texts)}"
            lines.append(f"{local[n]} = {text}")
            if n in self.slots:
                lines.append(f"store(scratch, {self.slots[n]} * ld + c, {local[n]})")
                done.add(n)

        for r in roots:
            visit(r)
        return lines

    def _stores(self):
        lines = []
        for name, n in self.outputs:
            if n.level == ELEMENT:
                value = self._ref(n)
                lines.append(
                    f"store(out_{name}, at, {value if self.flat else f'select(lane, {value}, 0.0)'})"
                )
                if self.watch:
                    lines.append(
                        "bad = bad + "
                        + (f"{value} * 0.0" if self.flat else f"select(lane, {value} * 0.0, 0.0)")
                    )
        return lines

    def _ref(self, a):
        if not isinstance(a, Traced):
            return (
                repr(a)
                if a == a and abs(a) != float("inf")
                else {"inf": "inf", "-inf": "-inf", "nan": "nan"}[str(a)]
            )
        return self.local[a] if a.level == ELEMENT else self.names[a]

    def _expression(self, n):
        args = [self._ref(a) for a in n.args]
        if n.op in _INFIX:
            return f"{args[0]} {n.op} {args[1]}"
        if n.op == "neg":
            return f"-{args[0]}"
        if n.op == "~":
            return f"~{args[0]}"
        if n.op == "abs":
            return f"absolute({args[0]})"
        if n.op == "where":
            return f"select({', '.join(args)})"
        return f"{n.op}({', '.join(args)})"


class Rule(Loop):
    """Source of an optimizer's step on one panel: the gradient of a strip, then the rule on it.

    With first == last it is the rule alone, on `width` gradients that lie at `piece`.
    """

    def source(self, what):
        for node in self.constants:
            self.names[node] = node.op
        scalars = []
        for _, node in self.outputs:
            self._scalars(node, scalars)
        lines = self._element_lines([n for _, n in self.outputs], set(), 0, None)[1:]
        lines = [l.replace("load(in_g, at)", "load(piece, c)") for l in lines]
        stores = [f"store(in_{name}, at, {self._ref(n)})" for name, n in self.outputs]
        slots = [f"in_{n}" for n in self.inputs if n != "g"]
        slots += [f"unused{i}" for i in range(3 - len(slots))]
        slots.append("in_kept")
        args = [
            "rows",
            "ahead",
            "first",
            "last",
            "width",
            "delta",
            "ld",
            "m",
            "piece",
            "constants",
        ] + slots
        head = [
            f"def loop({', '.join(args)}):",
            f'    """{what}"""',
            f"    zero, one = {self._type}(0), {self._type}(1)",
        ]
        for i, node in enumerate(self.constants):
            head.append(f"    {node.op} = load1_64(constants, {i})")
        names = [n.op for n in self.constants] + [f"s{i}" for i in range(len(scalars))]
        helper = [
            "@njit(forceinline=True, fastmath={'contract'})",
            f"def rule({', '.join(slots + names)}, at, g):",
        ]
        helper += (
            ["    " + l for l in lines if not l.startswith("g = ")]
            + ["    " + l for l in stores]
            + ["", "", "DECORATOR"]
        )
        given = ", ".join(slots + names)
        body = ["    " + s for s in scalars] + [
            "    k = first",
            "    if width == 2 * LANES:",
            "        while k + STRIP <= last:",
            "            t = outer_sums(one, rows, ahead if ahead else rows, k, delta, ld, m)",
        ]
        body += [
            f"            rule({given}, k * width + {i} * LANES, t[{i}])"
            for i in range(2 * machine.STRIP)
        ]
        body += [
            "            k += STRIP",
            "    while k < last:",
            "        strip = strip_of(last - k)",
            "        i = 0",
            "        while i < m:",
            "            count = min(CHUNK, m - i)",
            f"            add_outer(one, rows + 8 * i, 0, k, strip, width // LANES, delta + i * ld * {self.bits // 8}, ld, count,",
            f"                      piece - k * width * {self.bits // 8}, zero if i == 0 else one)",
            "            i += count",
            "        for c in range(0, strip * width, LANES):",
            f"            rule({given}, k * width + c, load(piece, c))",
            "        k += strip",
            "    if first == last:",
            "        for c in range(0, width, LANES):",
            f"            rule({given}, c, load(piece, c))",
            "    return 0.0",
            "",
        ]
        return "\n".join(helper + head + body), args
