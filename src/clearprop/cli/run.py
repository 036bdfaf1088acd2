"""One training run: what it learns from, what it is watched on, and what is remembered of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from clearprop.cli.target_scaling import fold_into_output, standardized
from clearprop.datasets import Dataset, Part
from clearprop.history import History
from clearprop.network import Network
from clearprop.optimizers import OPTIMIZERS, Optimizer
from clearprop.schedules import SCHEDULES, ReduceOnPlateau
from clearprop.training import fit, train

__all__ = ["Run"]


@dataclass
class Run:
    """A network, a data set, and the settings of its training.

    Attributes
    ----------
    net : Network
        Trained in place.
    dataset : Dataset
    source : mapping
        The arguments by which ``datasets.load`` made the data set.
    settings : mapping
        The keyword arguments of :func:`clearprop.fit`.
    initializer : str
    scale_targets : bool
        Whether to learn the targets standardized.
    threads : int
        How many threads a matrix product may use.
    history : History
        Filled as training goes on.

    Examples
    --------
    >>> from clearprop.datasets import load
    >>> from clearprop.optimizers import SGD
    >>> net = Network([2, 3, 2], seed=0)
    >>> run = Run(
    ...     net, load("xor"), {}, {"epochs": 2, "optimizer": SGD(1.0), "seed": 0}, "he_normal"
    ... )
    >>> run.fit(progress=False)
    >>> run.record()["epochs_run"], run.held_out()[0]
    (2, 'training samples: xor has no others')
    """

    net: Network
    dataset: Dataset
    source: Mapping[str, Any]
    settings: Mapping[str, Any]
    initializer: str
    scale_targets: bool = False
    threads: int = 1
    history: History = field(default_factory=History)

    @property
    def optimizer(self) -> Optimizer:
        """How gradients change the parameters."""
        chosen: Optimizer = self.settings["optimizer"]
        return chosen

    @property
    def chooses(self) -> bool:
        """Whether the run decides anything by the loss after an epoch."""
        stops = self.settings.get("early_stopping") is not None
        return stops or isinstance(self.optimizer.schedule, ReduceOnPlateau)

    @property
    def monitored(self) -> str | None:
        """The part that is evaluated after each epoch.

        The validation part, if there is one. Otherwise the test part, which is only looked at: a
        run that decides by what it sees goes without, and decides by the training loss.
        """
        data = self.dataset
        if data.validation is not None:
            return "validation"
        if data.test is data.train:
            return "train"
        return None if self.chooses or not len(data.test) else "test"

    def held_out(self) -> tuple[str, str, Part]:
        """What to call the samples that the result is judged by, their part, and themselves."""
        data = self.dataset
        if data.test is data.train:
            return f"training samples: {data.name} has no others", "train", data.train
        if not len(data.test):
            return "training samples: no others were held out", "train", data.train
        return "test samples", "test", data.test

    def check(self) -> None:
        """Raise where a setting is unusable, before anything is done or said."""
        first = self.dataset.train.take(slice(1))
        train(self.net, first, **self.settings)

    def fit(self, progress: bool | None) -> None:
        """Train. However that ends, the network then speaks in the units of the targets."""
        data, scaling = self.dataset, None
        if self.scale_targets:
            data, scaling = standardized(data)
        watched = None if self.monitored is None else data.parts[self.monitored]
        try:
            # A small product is done sooner by one thread than shared out, much sooner where other
            # programs keep the cores busy; and with a fixed number the sums have the same bits.
            with threadpool_limits(self.threads, user_api="blas"):
                fit(
                    self.net,
                    data,
                    validation_data=watched,
                    history=self.history,
                    progress=progress,
                    **self.settings,
                )
        finally:
            if scaling is not None:
                fold_into_output(self.net, scaling)

    def record(self) -> dict[str, Any]:
        """What the model file remembers: plain values, and no time or place."""
        data = self.dataset
        # Which engine was asked for says less than which it was.
        apart = ("optimizer", "engine")
        settings = {name: value for name, value in self.settings.items() if name not in apart}
        return {
            "data": {
                "name": data.name,
                "task": data.task,
                "target_names": list(data.target_names),
                "loaded_with": dict(self.source),
            },
            "initializer": self.initializer,
            "optimizer": _as_values(self.optimizer),
            **settings,
            "target_scaling": "standard" if self.scale_targets else "none",
            "monitored": self.monitored,
            "engine": self.history.engine,
            "threads": self.threads,
            "epochs_run": len(self.history),
            "best_epoch": self.history.best_epoch,
            "stopped": self.history.stopped,
        }

    def reports(self) -> list[dict[str, Any]]:
        """One mapping for each epoch, in which the part that was evaluated has its own name."""
        found = []
        for report in self.history:
            values = {name: value for name, value in asdict(report).items() if value is not None}
            found.append(
                {name.replace("validation", f"{self.monitored}"): v for name, v in values.items()}
            )
        return found


def _as_values(optimizer: Optimizer) -> dict[str, Any]:
    named = {kind: name for name, kind in OPTIMIZERS.items()}
    scheduled = {kind: name for name, kind in SCHEDULES.items()}
    return {
        "name": named[type(optimizer)],
        "schedule": scheduled[type(optimizer.schedule)],
        **asdict(optimizer),
    }
