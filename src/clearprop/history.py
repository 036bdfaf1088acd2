"""What training was like: one report an epoch."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from clearprop.errors import unknown_name

__all__ = ["EpochReport", "History"]


@dataclass(frozen=True)
class EpochReport:
    """What one epoch came to.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    loss : float
        The mean loss of the epoch's samples, each as it was when its batch came up: before that
        batch's update, with dropout where that is on, without penalties.
    learning_rate : float
        That of the epoch's last step.
    seconds : float
        Wall time since training began.
    validation_loss, validation_accuracy : float or None
        After the epoch, on the validation data; the accuracy is a share of 1, of classes only.
    training_loss, training_accuracy : float or None
        After the epoch, on the whole training data, where ``evaluate_training`` asks for it.
    """

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    training_loss: float | None = None
    training_accuracy: float | None = None

    def __str__(self) -> str:
        text = f"epoch {self.epoch}  loss {self.loss:.4g}"
        if self.validation_accuracy is not None:
            return f"{text}  accuracy {self.validation_accuracy:.2%}"
        if self.validation_loss is not None:
            return f"{text}  validation loss {self.validation_loss:.4g}"
        return text


@dataclass(repr=False)
class History:
    """The reports of all epochs, in order.

    Attributes
    ----------
    epochs : list of EpochReport
    stopped : str or None
        Why training ended before its last epoch: ``"early stopping"``, ``"callback"``,
        ``"converged"``, ``"interrupted"``; None where it did not.
    best_epoch : int or None
        With early stopping, the epoch whose parameters the network now has.
    engine : str
        The engine that computed it.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 3, 2], seed=1)
    >>> history = cp.fit(net, cp.datasets.load("xor"), epochs=2, seed=1)
    >>> len(history), len(history["loss"])
    (2, 2)
    """

    epochs: list[EpochReport] = field(default_factory=list)
    stopped: str | None = None
    best_epoch: int | None = None
    engine: str = ""

    def __repr__(self) -> str:
        last = f"; {self.epochs[-1]}" if self.epochs else ""
        stopped = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"<History of {len(self)} epochs{last}{stopped}>"

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[EpochReport]:
        return iter(self.epochs)

    def __getitem__(self, name: str) -> list[Any]:
        """One field of all reports: ``history["loss"]``.

        Raises
        ------
        UnknownNameError
            For a name that is no field of :class:`EpochReport`.
        """
        known = [one.name for one in fields(EpochReport)]
        if name not in known:
            raise unknown_name("column of a history", name, known)
        return [getattr(report, name) for report in self.epochs]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)
