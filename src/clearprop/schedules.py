"""The learning rate over time: records, and the table of them.

Time is measured in epochs and may be fractional: 2.5 is the middle of the third epoch. A schedule
is a pure function of the time, the length of the run, and how often learning has met a plateau.

To add one, add a class here and a row to :data:`SCHEDULES`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from clearprop.arrays import is_number, is_whole_number
from clearprop.errors import InputError, unknown_name

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "Plateaus",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "get_schedule",
    "require",
    "require_whole",
    "schedule_named",
]


@dataclass(frozen=True)
class Schedule:
    """A learning rate over time.

    Parameters
    ----------
    initial : float
        The learning rate η at the start (with warm-up: at its end). Positive and finite.

    Raises
    ------
    InputError
        Where a parameter is out of its range.
    """

    initial: float

    # Whether the rate changes within an epoch, and not only from one to the next.
    within_epochs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self, "initial", "above 0", lambda rate: rate > 0)

    def rate(self, epoch: float, epochs: int, plateaus: int = 0) -> float:
        """The learning rate at a time.

        Parameters
        ----------
        epoch : float
            Epochs passed since the start, fractional within an epoch.
        epochs : int
            How many epochs the run is planned for.
        plateaus : int
            How many plateaus learning has met so far.
        """
        raise NotImplementedError  # pragma: no cover - every schedule defines it


@dataclass(frozen=True)
class Constant(Schedule):
    """The same learning rate throughout.

    Examples
    --------
    >>> Constant(0.5).rate(epoch=3.2, epochs=10)
    0.5
    """

    def rate(self, epoch: float, epochs: int, plateaus: int = 0) -> float:
        """η, whatever the time."""
        return self.initial


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Multiplied by ``factor`` every ``every`` epochs.

    Examples
    --------
    >>> schedule = StepDecay(1.0, every=10, factor=0.5)
    >>> schedule.rate(9.9, 30), schedule.rate(10, 30), schedule.rate(25, 30)
    (1.0, 0.5, 0.25)
    """

    every: int = 10
    factor: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "every")
        require(self, "factor", "above 0, at most 1", lambda factor: 0 < factor <= 1)

    def rate(self, epoch: float, epochs: int, plateaus: int = 0) -> float:
        """η · factor^⌊epoch / every⌋."""
        return float(self.initial * self.factor ** (epoch // self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """Multiplied by ``decay`` from each epoch to the next.

    Examples
    --------
    >>> Exponential(1.0, decay=0.5).rate(2.7, 10)
    0.25
    """

    decay: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "decay", "above 0, at most 1", lambda decay: 0 < decay <= 1)

    def rate(self, epoch: float, epochs: int, plateaus: int = 0) -> float:
        """η · decay^⌊epoch⌋."""
        return float(self.initial * self.decay ** math.floor(epoch))


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from η down to ``final`` at the end of the run, after a linear warm-up.

    Loshchilov & Hutter, *SGDR: stochastic gradient descent with warm restarts*, 2017; the linear
    warm-up is that of Goyal et al., *Accurate, large minibatch SGD*, 2017.

    Parameters
    ----------
    warmup : float
        Epochs over which the rate rises linearly from 0 to η, counted within the run.
    final : float
        The rate at the end.

    Examples
    --------
    >>> schedule = Cosine(1.0, warmup=2)
    >>> schedule.rate(1, 10), schedule.rate(2, 10), round(schedule.rate(6, 10), 12)
    (0.5, 1.0, 0.5)
    """

    within_epochs: ClassVar[bool] = True

    warmup: float = 0.0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "warmup", "at least 0", lambda epochs: epochs >= 0)
        require(self, "final", "from 0 to initial", lambda rate: 0 <= rate <= self.initial)

    def rate(self, epoch: float, epochs: int, plateaus: int = 0) -> float:
        """The rising line, then the falling half cosine."""
        if epoch < self.warmup:
            return self.initial * epoch / self.warmup
        share = min((epoch - self.warmup) / max(epochs - self.warmup, 1e-9), 1.0)
        return self.final + (self.initial - self.final) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """Multiplied by ``factor`` whenever the loss has not improved for ``patience`` epochs.

    The validation loss is watched where there is validation data, else the training loss.

    Examples
    --------
    >>> ReduceOnPlateau(1.0, factor=0.1).rate(7, 30, plateaus=2)
    0.010000000000000002
    """

    factor: float = 0.5
    patience: int = 5
    min_delta: float = 0.0
    minimum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "factor", "above 0, below 1", lambda factor: 0 < factor < 1)
        require_whole(self, "patience")
        require(self, "min_delta", "at least 0", lambda delta: delta >= 0)
        require(self, "minimum", "from 0 to initial", lambda rate: 0 <= rate <= self.initial)

    def rate(self, epoch: float, epochs: int, plateaus: int = 0) -> float:
        """η · factor^plateaus, not below ``minimum``."""
        return float(max(self.initial * self.factor**plateaus, self.minimum))


class Plateaus:
    """Counts how often a loss has gone ``patience`` epochs without a new best.

    Examples
    --------
    >>> plateaus = Plateaus(patience=2)
    >>> [plateaus.observe(loss) for loss in (1.0, 0.9, 0.95, 0.91, 0.9, 0.9)]
    [0, 0, 0, 1, 1, 2]
    """

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience = patience
        self.min_delta = min_delta
        self.best = math.inf
        self.waited = 0
        self.count = 0

    def observe(self, loss: float) -> int:
        """Take note of an epoch's loss; return the plateaus met so far."""
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
            if self.waited >= self.patience:
                self.count, self.waited = self.count + 1, 0
        return self.count


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": StepDecay,
    "exponential": Exponential,
    "cosine": Cosine,
    "plateau": ReduceOnPlateau,
}


def get_schedule(choice: Any) -> Schedule:
    """The schedule that a number (constant) or a record stands for.

    Raises
    ------
    InputError
        For anything else.
    """
    if isinstance(choice, Schedule):
        return choice
    if is_number(choice) and choice > 0:
        return Constant(float(choice))
    raise InputError(
        f"a learning rate is a positive number or a schedule ({', '.join(SCHEDULES)}); "
        f"given {choice!r}"
    )


def schedule_named(name: str, initial: float) -> Schedule:
    """The schedule of that name with its own defaults.

    Raises
    ------
    UnknownNameError
        For a name that :data:`SCHEDULES` does not hold.
    """
    if name not in SCHEDULES:
        raise unknown_name("schedule", name, SCHEDULES)
    return SCHEDULES[name](initial)


def require(record: object, name: str, expected: str, holds: Callable[[float], bool]) -> None:
    """Raise where a parameter of a record is no number, or not in the range that is expected.

    Raises
    ------
    InputError
    """
    given = getattr(record, name)
    if not (is_number(given) and holds(given)):
        raise InputError(
            f"{type(record).__name__}: {name} is {given!r}; expected a number {expected}"
        )


def require_whole(record: object, name: str) -> None:
    """Raise where a parameter of a record is no whole number from 1 up.

    Raises
    ------
    InputError
    """
    given = getattr(record, name)
    if not (is_whole_number(given) and given >= 1):
        raise InputError(
            f"{type(record).__name__}: {name} is {given!r}; expected a whole number, at least 1"
        )
