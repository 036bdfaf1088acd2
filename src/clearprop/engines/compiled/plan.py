"""The memory of a run, and the records by which the compiled code finds it."""

import ctypes
import os
import threading
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.architecture import Architecture
from clearprop.arrays import Array, is_sparse
from clearprop.engines.compiled import cache
from clearprop.engines.compiled.emit import Loop, Rule
from clearprop.engines.compiled.layout import Layout, aligned
from clearprop.engines.compiled.loop import LAYER, RUN, steps, transpose_all
from clearprop.engines.compiled.tracing import (
    ELEMENT,
    NAMESPACE,
    SCALAR,
    CannotTraceError,
    Traced,
    argument,
)
from clearprop.equations import loss_terms, output_error
from clearprop.optimizers import Optimizer
from clearprop.regularization import StepRules

__all__ = ["Plan", "trace_formulas"]

# From this batch size on, the rows of a batch are copied together.
_COPY_FROM = 64
_SPINS = 500  # of waiting for another thread before the processor is offered to others


def trace_formulas(architecture: Architecture, dtype: str) -> dict[str, Any]:
    """The loops of a network's activations and loss, as source.

    Raises
    ------
    CannotTraceError
        For a formula that cannot be compiled; the message says what it does.
    """
    try:
        return _loops(architecture, dtype)
    except CannotTraceError:
        raise
    except Exception as error:  # noqa: BLE001 - somebody else's formula may fail in any way
        raise CannotTraceError(f"it fails on arrays without numbers ({error})") from None


def _loops(architecture: Architecture, dtype: str) -> dict[str, Any]:
    bits = 32 if dtype == "float32" else 64
    last = architecture.n_layers
    loops: dict[str, Any] = {}
    for layer in architecture.layers:
        f, n = architecture.activation(layer), architecture.size(layer)
        z, a, g, y = (argument(name, width=n, dtype=dtype) for name in "zagy")
        loops[f"forward {layer}"] = Loop({"z": z}, [("a", f.f(z))], bits=bits)
        if layer < last:
            backward = Loop({"z": z, "a": a, "g": g}, [("g", f.pullback(z, a, g))], bits=bits)
            loops[f"backward {layer}"] = backward
            continue
        terms = loss_terms(architecture.loss, f, z, a, y)
        whole = _whole_loss(terms)
        delta = output_error(architecture.loss, f, z, a, y)
        loops["output"] = Loop(
            {"z": z, "a": a, "y": y}, [("delta", delta), ("C", whole)], bits=bits
        )
    return loops


def _whole_loss(terms: Any) -> Any:
    if isinstance(terms, Traced) and terms.level == ELEMENT:
        return NAMESPACE.sum(terms, axis=-1, keepdims=True)
    return terms


def _rule(
    optimizer: Optimizer, rules: StepRules, dtype: str, *, of_weights: bool, keep: bool
) -> Rule:
    """The loop that turns sums into a gradient, and the gradient into an update."""
    n = len(optimizer.constants(0.1, 1))
    c = [argument(f"c{i}", SCALAR) for i in range(n + 3)]
    p, g = argument("p", dtype=dtype), argument("g", dtype=dtype)
    slots = tuple(argument(f"s{i}_", dtype=dtype) for i in range(optimizer.slots))
    total: Any = g
    if of_weights and rules.l2:
        total = total + c[n] * p
    if of_weights and rules.l1:
        total = total + c[n + 1] * NAMESPACE.sign(p)
    if rules.clip_value is not None:
        total = NAMESPACE.maximum(NAMESPACE.minimum(total, c[n + 2]), -c[n + 2])
    updated, new_slots = optimizer.rule(p, total, slots, tuple(c[:n]))
    inputs = {"p": p, "g": g} | {f"s{i}_": slot for i, slot in enumerate(slots)}
    outputs = [("p", updated)] + [(f"s{i}_", slot) for i, slot in enumerate(new_slots)]
    if keep:
        outputs.append(("kept", g))
    return Rule(inputs, outputs, c, flat=True, bits=32 if dtype == "float32" else 64, watch=False)


class Plan:
    """Buffers for batches of up to ``batch`` samples, and the compiled loops of a network.

    Parameters
    ----------
    architecture : Architecture
    dtype : str
    batch : int
    threads : int
    optimizer, rules : Optimizer, StepRules, optional
        For training; a plan without them computes single passes.
    dropped : tuple of (layer, probability)
    keep : bool
        Whether gradients are to be seen.
    sparse : bool
        Whether the inputs are.

    Raises
    ------
    CannotTraceError
        For a formula that cannot be compiled.
    """

    def __init__(
        self,
        architecture: Architecture,
        dtype: str,
        batch: int,
        threads: int,
        *,
        optimizer: Optimizer | None = None,
        rules: StepRules | None = None,
        dropped: tuple[tuple[int, float], ...] = (),
        keep: bool = False,
        sparse: bool = False,
    ) -> None:
        self.sparse = sparse
        self.architecture, self.dtype, self.batch, self.threads = (
            architecture,
            dtype,
            batch,
            threads,
        )
        self.optimizer, self.rules, self.dropped, self.keep = optimizer, rules, dropped, keep
        self.layout = Layout(architecture.sizes, dtype)
        self.like = np.dtype(dtype).type(1)
        self._buffers: list[NDArray[Any]] = []
        self.parameters, parameters = self._buffer(self.layout.total)
        self.gradient, gradient = self._buffer(self.layout.total)
        self.slots = []
        self.layers = np.zeros(architecture.n_layers - 1, LAYER)
        self.run = np.zeros(1, RUN)
        run = self.run[0]
        run["parameters"] = parameters
        loops = {
            name: cache.load(loop, name)
            for name, loop in trace_formulas(architecture, dtype).items()
        }
        self._matrices: dict[str, dict[int, NDArray[Any]]] = {
            "z": {},
            "a": {},
            "delta": {},
            "mask": {},
        }
        self._lay_out_layers(loops, parameters, gradient)
        self._lay_out_run(run, loops, gradient)
        if optimizer is not None and rules is not None:
            for i in range(optimizer.slots):
                slot, run[f"slot{i}"] = self._buffer(self.layout.total)
                self.slots.append(slot)
            for name, of_weights in (("rule", True), ("bias_rule", False)):
                rule = _rule(optimizer, rules, dtype, of_weights=of_weights, keep=keep)
                run[name] = cache.load(rule, f"{type(optimizer).__name__}, {name}")
            self._freeze(rules)
        self._taken: NDArray[Any] | None = None
        self._slots_taken: tuple[NDArray[Any] | None, ...] = (None,) * len(self.slots)

    def _buffer(self, n: int, dtype: Any = None) -> tuple[NDArray[Any], int]:
        buffer = aligned(n, self.dtype if dtype is None else dtype)
        self._buffers.append(buffer)
        return buffer, buffer.ctypes.data

    def _matrix(self, rows: int, columns: int) -> tuple[NDArray[Any], int]:
        """A padded matrix: a view of what is in use, and its address."""
        step = self.layout.step(columns)
        # A vector may be loaded that begins in the last row and ends behind it.
        buffer, address = self._buffer(rows * step + 64)
        return buffer[: rows * step].reshape(rows, step)[:, :columns], address

    def _table(self, first: int, step: int) -> int:
        """Addresses of the rows of a matrix."""
        rows, address = self._buffer(self.batch, np.int64)
        rows[:] = first + np.arange(self.batch) * step
        return address

    def _lay_out_layers(self, loops: dict[str, int], parameters: int, gradient: int) -> None:
        layout, size, batch = self.layout, self.layout.size, self.batch
        dropped = dict(self.dropped)
        rows_before = self._table(0, 0)
        for i, (n_in, n_out) in enumerate(pairwise(self.architecture.sizes)):
            number, record = i + 2, self.layers[i]
            k_pad, n_pad, ld = layout.whole(n_in), layout.whole(n_out), layout.step(n_out)
            record["n_in"], record["n"], record["k_pad"], record["n_pad"] = (
                n_in,
                n_out,
                k_pad,
                n_pad,
            )
            record["ld"] = ld
            weights, biases = (at * size for at in layout.offsets[i])
            record["weights"], record["bias"] = parameters + weights, parameters + biases
            record["gradient"], record["gradient_bias"] = gradient + weights, gradient + biases
            record["transposed"] = self._buffer(k_pad * n_pad)[1] if i else 0
            for name in ("z", "a", "delta"):
                self._matrices[name][number], record[name] = self._matrix(batch, n_out)
            record["scaled"] = self._matrix(batch, n_out)[1]
            record["delta_rows"] = self._table(int(record["delta"]), ld * size)
            record["rows"] = rows_before
            record["forward"] = loops[f"forward {number}"]
            record["backward"] = loops.get(f"backward {number}", 0)
            record["train_weights"] = record["train_bias"] = 1
            seen = int(record["a"])
            if number in dropped:
                self._matrices["mask"][number], record["mask"] = self._matrix(batch, n_out)
                self._matrices["a"][number], seen = self._matrix(batch, n_out)
                record["masked"] = seen
                record["drop_below"] = drop_below(dropped[number])
            rows_before = self._table(seen, ld * size)

    def _lay_out_run(self, run: Any, loops: dict[str, int], gradient: int) -> None:
        layout, sizes, batch = self.layout, self.architecture.sizes, self.batch
        run["size"], run["batch"], run["n_y"] = layout.size, batch, sizes[-1]
        run["output"] = loops["output"]
        run["y_rows"] = self._matrix(batch, sizes[-1])[1]
        self.terms, run["terms"] = self._buffer(batch)
        scratch = layout.step(max(4096, 16 * max(map(layout.step, sizes))))
        run["scratch"], run["scratch_step"] = (
            self._buffer(self.threads * scratch)[1],
            scratch * layout.size,
        )
        run["zeros"] = self._buffer(max(map(layout.step, sizes)) + 64)[1]
        run["ahead"] = self._table(0, 0)
        self.flags, run["flags"] = self._buffer(self.threads, np.float64)
        self.counter, run["counter"] = self._buffer(8, np.int64)
        run["spin"], run["yield_"] = _SPINS, _YIELD
        run["kept"] = gradient if self.keep or self.optimizer is None else 0
        run["gradient_only"] = self.optimizer is None
        dropped = dict(self.dropped)
        if self.optimizer is not None and self.rules is not None:
            # Plain gradient descent moves nothing that has no gradient.
            alone = not (self.optimizer.slots or self.rules.l2 or self.rules.l1 or self.keep)
            run["touched_only"] = alone
        if not self.sparse and (batch >= _COPY_FROM or 1 in dropped):
            self.copies, run["copies"] = self._matrix(batch, sizes[0])
            run["copy_step"] = layout.step(sizes[0]) * layout.size
        if 1 in dropped:
            self._matrices["mask"][1], run["input_mask"] = self._matrix(batch, sizes[0])
            self._matrices["a"][1] = self.copies
            run["input_drop_below"] = drop_below(dropped[1])

    def _freeze(self, rules: StepRules) -> None:
        if rules.frozen is None:
            return
        for layer in self.architecture.layers:
            record = self.layers[layer - 2]
            record["train_weights"] = not rules.frozen[self.architecture.weights_at(layer)][0]
            record["train_bias"] = not rules.frozen[self.architecture.biases_at(layer)][0]

    # --- running ---

    def put(self, parameters: NDArray[Any], slots: tuple[NDArray[Any], ...]) -> None:
        """Take the parameters and the optimizer's state into the plan's layout."""
        # Where nobody has touched them since the last step, they are there already.
        if self._taken is None or not np.array_equal(parameters, self._taken):
            self.layout.put(parameters, self.parameters)
            transpose_all(self.like, self.layers)
        for slot, value, taken in zip(self.slots, slots, self._slots_taken, strict=True):
            if value is not taken:
                self.layout.put(value, slot)

    def take(self) -> tuple[NDArray[Any], tuple[NDArray[Any], ...]]:
        """The parameters and the optimizer's state, as flat vectors of the network."""
        parameters = self.layout.take(self.parameters)
        slots = tuple(map(self.layout.take, self.slots))
        self._taken, self._slots_taken = parameters, slots
        return parameters, slots

    def forget(self) -> None:
        """What was taken is not what the optimizer goes on with."""
        self._taken, self._slots_taken = None, (None,) * len(self.slots)

    def point_at(
        self,
        x: Array,
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        order: NDArray[np.intp],
        *,
        counts: NDArray[np.float64],
        constants: NDArray[np.float64],
        keys: NDArray[np.uint64],
    ) -> NDArray[np.float64]:
        """Tell the compiled code where the samples are; the array that losses will be put in."""
        run = self.run[0]
        losses = np.zeros(len(counts))
        order = np.ascontiguousarray(order, np.int64)
        # What the addresses below point at must live as long as they are in use.
        self._pointed_at: tuple[Any, ...] = (
            x,
            y,
            sample_weight,
            order,
            counts,
            constants,
            keys,
            losses,
        )
        if is_sparse(x):
            parts = x.data, x.indices.astype(np.int32, copy=False), x.indptr.astype(np.int64)
            self._pointed_at += parts
            run["values"], run["columns"], run["begins"] = (part.ctypes.data for part in parts)
        else:
            run["x"], run["x_step"] = x.ctypes.data, x.strides[0]
        run["y"], run["y_step"] = y.ctypes.data, y.strides[0]
        run["sample_weight"] = 0 if sample_weight is None else sample_weight.ctypes.data
        run["order"], run["n_order"] = order.ctypes.data, len(order)
        run["counts"], run["losses"] = counts.ctypes.data, losses.ctypes.data
        run["constants"], run["n_constants"] = constants.ctypes.data, constants.shape[1]
        run["keys"] = keys.ctypes.data
        return losses

    def go(self, first: int, last: int) -> bool:
        """Run steps first <= s < last; whether every number was finite."""
        self.counter[0] = 0
        self.flags[:] = 0
        arguments = (self.like, self.layers, self.run)
        others = [
            threading.Thread(target=steps, args=(*arguments, i, self.threads, first, last))
            for i in range(1, self.threads)
        ]
        for thread in others:
            thread.start()
        steps(*arguments, 0, self.threads, first, last)
        for thread in others:
            thread.join()
        return not np.isnan(self.flags.sum())

    def seen(self, name: str, m: int) -> dict[int, NDArray[Any]]:
        """Copies of z, a, delta or mask of the last batch, for each layer that has it."""
        return {layer: matrix[:m].copy() for layer, matrix in self._matrices[name].items()}


def drop_below(p: float) -> int:
    """How many of 2^53 equally likely draws silence a neuron."""
    return int(np.ceil(p * 2.0**53))


_YIELD = (
    ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value
    if os.name == "posix"
    else ctypes.cast(ctypes.windll.kernel32.SwitchToThread, ctypes.c_void_p).value  # type: ignore[attr-defined]
)
