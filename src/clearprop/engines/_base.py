"""The contract between an engine and everybody who uses one.

An engine computes a forward and a backward pass over a batch and returns *sums and counts*; the
division by m happens once, here and in no engine. What it is asked to keep never changes which
equations run, nor one bit of a result.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.architecture import Architecture
from clearprop.arrays import Array, as_numpy, take_rows
from clearprop.optimizers import Optimizer, OptimizerState
from clearprop.regularization import Dropout, StepRules
from clearprop.trace import Trace

__all__ = ["Batch", "Engine", "Job", "Outcome", "Sums"]


@dataclass(frozen=True)
class Batch:
    """Samples in network inputs: checked, scaled, and of the network's dtype.

    Attributes
    ----------
    x : array, shape (m, n_1)
    y : array, shape (m, n_L)
    sample_weight : array, shape (m,), or None
    masks : mapping of layer number to array, shape (m, n_l)
        What dropout multiplies the activations by.
    """

    x: Array
    y: Array
    sample_weight: Array | None = None
    masks: Mapping[int, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Sums:
    """What one pass over a batch, or over a shard of it, adds up to.

    Attributes
    ----------
    count : float
        m, or the sum of the sample weights.
    loss : float
        Σ_x C_x, weighted.
    gradient : array, shape (n_parameters,)
        Σ_x ∂C_x/∂parameters, weighted.
    kept : mapping of str to arrays
        The further fields of a :class:`~clearprop.trace.Trace` that were asked for.
    """

    count: float
    loss: float
    gradient: Array
    kept: Mapping[str, Any]


@dataclass
class Job:
    """A training run as an engine sees it: data, parameters, and how a step is made.

    Attributes
    ----------
    architecture : Architecture
    parameters : array, shape (n_parameters,)
        Updated in place, step by step.
    x, y, sample_weight : arrays
        The whole training data, as in :class:`Batch`.
    optimizer, state : Optimizer, OptimizerState
        ``state`` is replaced at each step.
    rules : StepRules
    dropout : Dropout or None
    plan : object
        What an engine wants to find again at the next steps; nobody else's business.
    """

    architecture: Architecture
    parameters: NDArray[Any]
    x: Array
    y: Array
    sample_weight: Array | None
    optimizer: Optimizer
    state: OptimizerState
    rules: StepRules
    dropout: Dropout | None
    plan: Any = None

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """The samples of the given rows, with the dropout masks of the coming step."""
        weight = self.sample_weight
        masks = {}
        if self.dropout is not None:
            masks = {
                layer: self.dropout.mask(
                    self.state.step + 1,
                    layer,
                    len(rows),
                    self.architecture.size(layer),
                    str(self.parameters.dtype),
                )
                for layer in self.dropout.probabilities
            }
        return Batch(
            take_rows(self.x, rows),
            take_rows(self.y, rows),
            None if weight is None else take_rows(weight, rows),
            masks,
        )


@dataclass(frozen=True)
class Outcome:
    """What a number of steps came to.

    Attributes
    ----------
    losses : array, shape (steps,)
        The mean loss of each batch, before its update.
    counts : array, shape (steps,)
        What each mean was divided by.
    traces : list of Trace
        One for each step where asked for, else empty.
    failed : int or None
        The step at which a non-finite number appeared. That step changed nothing.
    """

    losses: NDArray[np.float64]
    counts: NDArray[np.float64]
    traces: list[Trace]
    failed: int | None = None


class Engine(ABC):
    """Computes passes. ``name`` is what ``engine=`` calls it."""

    name: str

    def refuses(self, architecture: Architecture, dtype: str, x: Array) -> str | None:
        """Why it cannot compute with such a network and input; None where it can."""
        return None

    @abstractmethod
    def output(
        self, architecture: Architecture, parameters: Array, x: Array
    ) -> tuple[Array, Array]:
        """z^L and a^L, each of shape (m, n_L), for inputs x of shape (m, n_1)."""

    @abstractmethod
    def sums(self, architecture: Architecture, parameters: Array, batch: Batch, keep: str) -> Sums:
        """One forward and one backward pass."""

    def trace(
        self, architecture: Architecture, parameters: Array, batch: Batch, keep: str
    ) -> Trace:
        """One pass as a Trace, in means."""
        return as_trace(architecture, self.sums(architecture, parameters, batch, keep), keep)

    def run(
        self,
        job: Job,
        order: NDArray[np.intp],
        batch_size: int,
        rates: NDArray[np.float64],
        keep: str,
    ) -> Outcome:
        """Take one step for each learning rate in ``rates``.

        Step i uses the samples ``order[i * batch_size : (i + 1) * batch_size]``; the last batch
        may be smaller. The update of a step uses only gradients taken before it.
        """
        losses, counts = np.zeros(len(rates)), np.zeros(len(rates))
        traces: list[Trace] = []
        for i, rate in enumerate(rates):
            batch = job.batch(order[i * batch_size : (i + 1) * batch_size])
            with np.errstate(all="ignore"):  # step() finds what is not finite
                sums = self.sums(job.architecture, job.parameters, batch, keep)
            counts[i] = sums.count
            losses[i] = sums.loss / sums.count if sums.count else 0.0
            if keep != "nothing":  # before the step: a Trace holds the parameters that were used
                traces.append(as_trace(job.architecture, sums, keep))
            if not step(job, sums, float(rate)):
                return Outcome(losses, counts, traces, failed=i)
        return Outcome(losses, counts, traces)


def as_trace(architecture: Architecture, sums: Sums, keep: str) -> Trace:
    """The division by m: sums become means."""
    count = sums.count or 1.0  # a batch in which every weight is 0 has gradient 0
    kept = dict(sums.kept)
    if keep != "nothing":
        kept["gradient"] = sums.gradient / count
    return Trace(architecture, keep=keep, loss=sums.loss / count, count=sums.count, **kept)


def step(job: Job, sums: Sums, rate: float) -> bool:
    """Update the job's parameters in place; False, changing nothing, where a number is not finite.

    A batch in which every sample has weight 0 is no step.
    """
    if not sums.count:
        return True
    gradient = as_numpy(sums.gradient) / sums.count
    if not (np.isfinite(sums.loss) and np.isfinite(gradient).all()):
        return False
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is found right below
        gradient = job.rules.gradient(job.parameters, gradient)
        updated, state = job.optimizer.update(job.parameters, gradient, job.state, rate)
    if job.rules.frozen is not None:
        updated = np.where(job.rules.frozen, job.parameters, updated)
    # The slots too: a squared gradient that overflows would hold its parameter still for ever.
    if not all(np.isfinite(part).all() for part in (updated, *state.slots)):
        return False
    job.parameters[...] = updated
    job.state = state
    return True
