"""The compiled engine, as the rest of clearprop sees it."""

import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.architecture import Architecture
from clearprop.arrays import Array, is_sparse
from clearprop.engines._base import Batch, Engine, Job, Outcome, Sums
from clearprop.engines.compiled.loop import steps
from clearprop.engines.compiled.plan import Plan, trace_formulas
from clearprop.engines.compiled.tracing import CannotTraceError
from clearprop.engines.reference import ReferenceEngine
from clearprop.errors import InputError
from clearprop.regularization import split_mix
from clearprop.trace import KEEP, Trace

__all__ = ["CompiledEngine"]

# A second thread pays off from so many floating-point operations a batch and thread on.
_FLOPS_A_THREAD = 4_000_000


class CompiledEngine(Engine):
    """Many steps in one compiled call, with the numbers of the reference engine.

    Parameters
    ----------
    threads : int, optional
        How many threads to use at most; by default the processors that this process may run on,
        or ``OMP_NUM_THREADS`` where that is less. Small batches use one. The bits do not depend on
        how many there are.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 3, 2], seed=0)
    >>> xor = cp.datasets.load("xor")
    >>> history = cp.fit(net, xor, epochs=2, seed=0, engine=CompiledEngine(threads=1))
    >>> history.engine
    'compiled'
    """

    name = "compiled"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = _available_threads() if threads is None else threads

    def refuses(self, architecture: Architecture, dtype: str, x: Array) -> str | None:
        """Why this engine cannot compute with such a network and input; None where it can."""
        if not isinstance(x, np.ndarray) and not is_sparse(x):
            return f"its arrays are of another library ({type(x).__module__.partition('.')[0]})"
        for layer in architecture.layers:
            f = architecture.activation(layer)
            if f.parts:
                return f"layer {layer} has an activation for each neuron"
            try:
                trace_formulas(
                    Architecture(architecture.sizes[layer - 2 : layer], (f,), architecture.loss),
                    dtype,
                )
            except CannotTraceError as why:
                whose = f.name if layer < architecture.n_layers else f"{f.name} with this loss"
                return f"{whose} cannot be compiled: {why}"
        return None

    def output(
        self, architecture: Architecture, parameters: Array, x: Array
    ) -> tuple[Array, Array]:
        """z^L and a^L, each of shape (m, n_L): whole matrices, which the reference is fast at."""
        return ReferenceEngine().output(architecture, parameters, x)

    def sums(self, architecture: Architecture, parameters: Array, batch: Batch, keep: str) -> Sums:
        """One forward and one backward pass."""
        if batch.masks:
            # The compiled pass draws its masks itself; given ones are the reference's business.
            return ReferenceEngine().sums(architecture, parameters, batch, keep)
        self._check(architecture, parameters.dtype.name, batch.x)
        m = batch.x.shape[0]
        plan = self._plan(architecture, parameters.dtype.name, m, sparse=is_sparse(batch.x))
        plan.put(parameters, ())
        weight = batch.sample_weight
        count = float(m if weight is None else weight.sum())
        losses = plan.point_at(
            _with_rows(batch.x),
            _with_rows(batch.y),
            weight,
            np.arange(m),
            counts=np.array([count or 1.0]),
            constants=np.zeros((1, 1)),
            keys=np.zeros((1, architecture.n_layers), np.uint64),
        )
        plan.go(0, 1)
        gradient = plan.layout.take(plan.gradient)
        return Sums(
            count,
            float(losses[0]) * (count or 1.0),
            gradient,
            _kept(plan, keep, batch.x, batch.y, weight, parameters),
        )

    def run(
        self,
        job: Job,
        order: NDArray[np.intp],
        batch_size: int,
        rates: NDArray[np.float64],
        keep: str,
    ) -> Outcome:
        """Take one step for each learning rate in ``rates``: see :class:`Engine`."""
        counts = _counts(job, order, batch_size, len(rates))
        if job.rules.clip_norm is not None or not counts.all():
            # The norm of the whole gradient is needed before any of it is used; and a batch
            # without weight is no step. Both go step by step.
            return super().run(job, order, batch_size, rates, keep)
        plan = self._plan_of(job, batch_size, keep)
        n = len(rates)
        first_step = job.state.step + 1
        losses = plan.point_at(
            _with_rows(job.x),
            _with_rows(job.y),
            job.sample_weight,
            order,
            counts=counts,
            constants=_constants(job, rates, first_step),
            keys=_keys(job, first_step, n),
        )
        plan.put(job.parameters, job.state.slots)
        traces: list[Trace] = []
        if keep == "nothing":
            finite = plan.go(0, n)
            parameters, slots = plan.take()
        else:
            finite, parameters, slots = True, job.parameters.copy(), job.state.slots
            for s in range(n):
                finite = plan.go(s, s + 1) and finite
                rows = order[s * batch_size : (s + 1) * batch_size]
                traces.append(_trace(plan, job, rows, keep, losses[s], counts[s], parameters))
                parameters, slots = plan.take()
        if not (finite and all(np.isfinite(v).all() for v in (losses, parameters, *slots))):
            # Step by step, to stop where it happened, with the last good parameters.
            plan.forget()
            return super().run(job, order, batch_size, rates, keep)
        job.parameters[...] = parameters
        job.state = type(job.state)(slots, job.state.step + n)
        return Outcome(losses, counts, traces)

    def _check(self, architecture: Architecture, dtype: str, x: Array) -> None:
        why = self.refuses(architecture, dtype, x)
        if why is not None:
            raise InputError(
                f"the compiled engine cannot be used: {why}; expected engine='reference'"
            )

    def _plan_of(self, job: Job, batch_size: int, keep: str) -> Plan:
        """The job's own plan, made at its first step."""
        plan = job.plan
        if (
            not isinstance(plan, Plan)
            or plan.batch != batch_size
            or plan.keep != (keep != "nothing")
        ):
            self._check(job.architecture, job.parameters.dtype.name, job.x)
            dropped = () if job.dropout is None else tuple(job.dropout.probabilities.items())
            plan = job.plan = self._plan(
                job.architecture,
                job.parameters.dtype.name,
                batch_size,
                optimizer=job.optimizer,
                rules=job.rules,
                dropped=dropped,
                keep=keep != "nothing",
                sparse=is_sparse(job.x),
            )
        return plan

    def _plan(self, architecture: Architecture, dtype: str, batch: int, **training: Any) -> Plan:
        sizes = architecture.sizes
        flops = sum(4 * a * b for a, b in pairwise(sizes)) * batch
        threads = max(1, min(self.threads, flops // _FLOPS_A_THREAD, batch))
        if training.get("sparse"):
            threads = 1
        with _Announcement(dtype):
            plan = Plan(architecture, dtype, batch, threads, **training)
            if not steps.signatures:
                steps(plan.like, plan.layers, plan.run, 0, 1, 0, 0)
        return plan


def _available_threads() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed or 1, int(wanted)) if wanted.isdigit() and int(wanted) else allowed or 1


class _Announcement:
    """Says that the training loop is compiled, the first time that it is for this dtype."""

    def __init__(self, dtype: str) -> None:
        # Numba has no public name for where it keeps compiled code.
        place = Path(steps._cache.cache_path)  # type: ignore[attr-defined]
        self._marker = place / f"clearprop-{dtype}-{Path(__file__).stat().st_mtime_ns}.compiled"

    def __enter__(self) -> None:
        if not self._marker.exists() and sys.stderr is not None:
            sys.stderr.write("clearprop compiles its fast engine, once on this machine…\n")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            try:
                self._marker.parent.mkdir(parents=True, exist_ok=True)
                self._marker.touch()
            except OSError:
                pass  # then it is said again


def _with_rows(x: Array) -> Array:
    """The array with contiguous rows, which is what an address stands for; CSR has them."""
    return x if is_sparse(x) or x.strides[1] == x.itemsize else np.ascontiguousarray(x)


def _counts(job: Job, order: NDArray[np.intp], size: int, n: int) -> NDArray[np.float64]:
    """What the sums of each step are divided by."""
    starts = np.arange(n) * size
    if job.sample_weight is None:
        return np.minimum(size, len(order) - starts).astype(np.float64)
    weights: NDArray[np.float64] = np.add.reduceat(job.sample_weight[order[: n * size]], starts)
    return weights.astype(np.float64)


def _constants(job: Job, rates: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """For each step, the optimizer's constants, λ/n, λ₁/n and the largest component."""
    count = np.arange(first, first + len(rates))
    rules = job.rules
    clip = np.inf if rules.clip_value is None else rules.clip_value
    columns = (*job.optimizer.constants(rates, count), rules.l2, rules.l1, clip)
    return np.ascontiguousarray(np.stack(np.broadcast_arrays(*columns), axis=1), np.float64)


def _keys(job: Job, first: int, n: int) -> NDArray[np.uint64]:
    """For each step and layer, where dropout's random stream begins."""
    depth = job.architecture.n_layers
    if job.dropout is None:
        return np.zeros((1, depth), np.uint64)
    of_step = split_mix(np.uint64(job.dropout.seed) + np.arange(first, first + n, dtype=np.uint64))
    keys: NDArray[np.uint64] = split_mix(
        of_step[:, None] + np.arange(1, depth + 1, dtype=np.uint64)
    )
    return keys


def _kept(
    plan: Plan,
    keep: str,
    x: Array,
    y: NDArray[Any],
    weight: NDArray[Any] | None,
    parameters: NDArray[Any],
) -> dict[str, Any]:
    """The fields of a Trace of the last batch."""
    m = x.shape[0]
    everything: dict[str, Callable[[], Any]] = {
        "sample_losses": plan.terms[:m].copy,
        "parameters": parameters.copy,
        "z": lambda: plan.seen("z", m),
        "a": lambda: {1: x} | plan.seen("a", m),
        "delta": lambda: plan.seen("delta", m),
        "y": lambda: y,
        "sample_weight": lambda: weight,
        "masks": lambda: plan.seen("mask", m),
    }
    return {name: value() for name, value in everything.items() if name in KEEP[keep]}


def _trace(
    plan: Plan,
    job: Job,
    rows: NDArray[np.intp],
    keep: str,
    loss: float,
    count: float,
    parameters: NDArray[Any],
) -> Trace:
    x, y = job.x[rows], job.y[rows]
    weight = None if job.sample_weight is None else job.sample_weight[rows]
    kept = _kept(plan, keep, x, y, weight, parameters)
    kept["gradient"] = plan.layout.take(plan.gradient)
    if "a" in kept:
        kept["a"] = dict(sorted(kept["a"].items()))
    return Trace(job.architecture, keep=keep, loss=float(loss), count=float(count), **kept)
