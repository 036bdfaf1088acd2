"""Training: a generator of Steps, and fit() which drives it."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.arrays import Array, as_numbers, as_numpy, is_sparse, is_whole_number
from clearprop.datasets import Dataset
from clearprop.engines import Batch, Engine, Job, choose_engine
from clearprop.errors import InputError, NonFiniteError
from clearprop.evaluation import Evaluation, as_pair, holds_numbers, score
from clearprop.history import EpochReport, History
from clearprop.lbfgs import lbfgs_iterations
from clearprop.network import Network
from clearprop.optimizers import LBFGS, Adam, Optimizer, get_optimizer
from clearprop.progress import choose_progress
from clearprop.randomness import generator, stream
from clearprop.regularization import (
    StepRules,
    check_bound,
    check_penalty,
    dropout_for,
    frozen_parameters,
    weight_mask,
)
from clearprop.schedules import Plateaus, ReduceOnPlateau, require, require_whole
from clearprop.trace import Trace, check_keep

__all__ = ["EarlyStopping", "Step", "Training", "fit", "train"]

Order = Callable[[int], Any]
Callback = Callable[[Network, EpochReport], Any]

# How many steps fit() asks of the engine at once: few enough that a bar moves and Ctrl-C is heard.
_STEPS_A_CALL = 1000


@dataclass(frozen=True)
class EarlyStopping:
    """Stop where the validation loss no longer falls, and go back to the best parameters.

    Without validation data the training loss is watched. Prechelt, *Early stopping — but when?*,
    1998; Nielsen, ch. 3.

    Parameters
    ----------
    patience : int
        How many epochs without a new best are borne.
    min_delta : float
        By how much a loss must be lower to count as a new best.

    Raises
    ------
    InputError
        Where a parameter is out of its range.
    """

    patience: int = 10
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        require_whole(self, "patience")
        require(self, "min_delta", "at least 0", lambda delta: delta >= 0)


@dataclass(frozen=True)
class Step:
    """One update of the parameters.

    Attributes
    ----------
    epoch, batch : int
        Where in training it is, both counted from 1.
    batches : int
        How many batches the epoch has.
    loss : float
        The mean loss of the batch, before the update, without penalties.
    learning_rate : float
    trace : Trace or None
        The pass that the update used, where ``keep`` asks for one.
    report : EpochReport or None
        At the last step of an epoch, what the epoch came to.
    """

    epoch: int
    batch: int
    batches: int
    loss: float
    learning_rate: float
    trace: Trace | None = None
    report: EpochReport | None = None


class Training(Iterator[Step]):
    """A checked training run: an iterator of Steps. Made by :func:`train`, which documents it.

    Attributes
    ----------
    net : Network
    history : History
        What has been reported so far.
    epochs, batches : int
        How many epochs the run is planned for, and how many batches each of them has.
    taken : int
        How many steps have been taken.
    """

    def __init__(
        self,
        net: Network,
        data: Any,
        *,
        epochs: int,
        batch_size: int | None,
        optimizer: str | Optimizer,
        seed: int | None,
        shuffle: bool | Order,
        validation_data: Any,
        evaluate_training: bool,
        sample_weight: Any,
        l2: float,
        l1: float,
        dropout: float | dict[int, float],
        clip_norm: float | None,
        clip_value: float | None,
        freeze: Sequence[str] | str,
        early_stopping: EarlyStopping | int | None,
        keep: str,
        engine: str | Engine,
        history: History | None,
    ) -> None:
        check_keep(keep)
        optimizer = get_optimizer(optimizer)
        full_batch = isinstance(optimizer, LBFGS)
        if isinstance(data, Dataset):
            _adopt(net, data)
            if validation_data is None:
                validation_data = data.validation
            data = data.train
        self._numbers = holds_numbers(net, data)
        batch = net.batch(*as_pair(data), sample_weight)
        self.engine = choose_engine(engine, net.architecture, net.dtype, batch.x)
        n = len(batch.y)
        if batch_size is not None:
            _check_count("batch_size", batch_size)
        self.net = net
        self.epochs = _check_count("epochs", epochs)
        self.batch_size = n if batch_size is None or full_batch else min(batch_size, n)
        self.batches = math.ceil(n / self.batch_size)
        self.evaluate_training = evaluate_training
        self.keep = keep
        self.validation: Batch | None = None
        if validation_data is not None:
            if isinstance(validation_data, Dataset):
                validation_data = validation_data.validation or validation_data.test
            self.validation = net.batch(*as_pair(validation_data))
        if is_whole_number(early_stopping):
            early_stopping = EarlyStopping(early_stopping)
        if not isinstance(early_stopping, EarlyStopping | None):
            raise InputError(
                f"early_stopping is {early_stopping!r}; expected a number of epochs or "
                "cp.EarlyStopping(...)"
            )
        self.early_stopping = early_stopping
        architecture = net.architecture
        self.job = Job(
            architecture,
            net.parameters,
            batch.x,
            batch.y,
            batch.sample_weight,
            optimizer,
            optimizer.init(net.parameters),
            StepRules(
                is_weight=weight_mask(architecture),
                l2=check_penalty("l2", l2) / n,
                l1=check_penalty("l1", l1) / n,
                clip_norm=check_bound("clip_norm", clip_norm),
                clip_value=check_bound("clip_value", clip_value),
                frozen=frozen_parameters(architecture, freeze),
            ),
            dropout_for(
                architecture, dropout, int(stream(seed, "dropout").generate_state(1, np.uint64)[0])
            ),
        )
        if is_sparse(batch.x) and self.job.dropout and 1 in self.job.dropout.probabilities:
            raise InputError(
                "dropout names layer 1, the input, which is sparse; expected dropout in hidden "
                "layers only, or X.toarray()"
            )
        if full_batch and (self.job.dropout or clip_norm or clip_value):
            raise InputError(
                "L-BFGS compares the cost at several points and chooses its own step lengths; "
                "expected no dropout and no clipping with it"
            )
        self._order = _order_of(shuffle, n, generator(seed, "order"))
        self.history = History() if history is None else history
        if not isinstance(self.history, History):
            raise InputError(f"history is {history!r}; expected a History, or None for a new one")
        # What an earlier run came to is no reason to stop this one.
        self.history.stopped = self.history.best_epoch = None
        self.history.engine = self.engine.name
        self.taken = 0
        schedule = optimizer.schedule
        self._plateaus = (
            Plateaus(schedule.patience, schedule.min_delta)
            if isinstance(schedule, ReduceOnPlateau)
            else Plateaus(patience=1)
        )
        stopping = early_stopping or EarlyStopping()
        self._best = Plateaus(stopping.patience, stopping.min_delta)
        self._best_parameters: NDArray[Any] | None = None
        self._started = time.perf_counter()
        self._steps = self.chunks(1)

    def __next__(self) -> Step:
        return next(self._steps)

    def close(self) -> None:
        """End the run here. With early stopping, the best parameters so far are restored."""
        self._steps.close()
        self._restore_best()

    def chunks(self, steps: int) -> Generator[Step]:
        """Run up to so many steps at a time, within an epoch; the Step of the last one each time.

        How many changes no bit of the parameters.
        """
        updates = self._lbfgs() if isinstance(self.job.optimizer, LBFGS) else self._descend(steps)
        try:
            for step in updates:
                self.taken = (step.epoch - 1) * self.batches + step.batch
                yield step
                if self.history.stopped:
                    return
            if self.taken < self.epochs * self.batches:
                self.history.stopped = "converged"
        finally:
            updates.close()
            self._restore_best()

    def _descend(self, steps: int) -> Generator[Step]:
        """Mini-batches, each followed by one update of the optimizer."""
        job, size = self.job, self.batch_size
        for epoch in range(1, self.epochs + 1):
            order = self._order(epoch)
            losses, counts = [], []
            for first in range(0, self.batches, steps):
                last = min(first + steps, self.batches)
                rates = self._rates(epoch, first, last)
                rows = order[first * size : last * size]
                outcome = self.engine.run(job, rows, size, rates, self.keep)
                if outcome.failed is not None:
                    at = outcome.failed
                    raise self._non_finite(
                        epoch, first + at + 1, rows[at * size : (at + 1) * size], rates[at]
                    )
                losses.append(outcome.losses)
                counts.append(outcome.counts)
                report = None
                if last == self.batches:
                    report = self._report(
                        np.average(np.concatenate(losses), weights=np.concatenate(counts)),
                        rates[-1],
                    )
                yield Step(
                    epoch,
                    last,
                    self.batches,
                    float(outcome.losses[-1]),
                    float(rates[-1]),
                    outcome.traces[-1] if outcome.traces else None,
                    report,
                )

    def _rates(self, epoch: int, first: int, last: int) -> NDArray[np.float64]:
        """The learning rates of steps first … last - 1 of an epoch, which counts from 1."""
        schedule, plateaus = self.job.optimizer.schedule, self._plateaus.count
        if not schedule.within_epochs:
            return np.full(last - first, schedule.rate(epoch - 1, self.epochs, plateaus))
        times = epoch - 1 + np.arange(first, last) / self.batches
        return np.array([schedule.rate(t, self.epochs, plateaus) for t in times.tolist()])

    def _lbfgs(self) -> Generator[Step]:
        """The whole training set at once; SciPy finds the next point."""
        job = self.job
        assert isinstance(job.optimizer, LBFGS)
        whole = job.batch(np.arange(len(job.y)))
        architecture, dtype = job.architecture, job.parameters.dtype
        start = job.parameters.astype(np.float64)
        # What SciPy's thread holds on to must not be self: an abandoned run is to be collected.
        engine = self.engine

        def pass_at(point: NDArray[np.float64], keep: str) -> Trace:
            with np.errstate(all="ignore"):  # SciPy backs away from an infinite cost
                return engine.trace(architecture, point.astype(dtype), whole, keep)

        def cost(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            trace = pass_at(point, "gradients")
            gradient = job.rules.gradient(point, as_numpy(trace.gradient).astype(np.float64))
            return trace.loss + job.rules.penalty(point), gradient

        at_start = pass_at(start, "all")
        if (found := at_start.first_non_finite()) is not None:
            raise self._non_finite_at(*found, epoch=1, batch=1)
        loss = at_start.loss
        points = lbfgs_iterations(cost, start, job.optimizer, self.epochs)
        for epoch, (point, value) in enumerate(points, start=1):
            trace = pass_at(job.parameters, self.keep) if self.keep != "nothing" else None
            job.parameters[...] = point
            report = self._report(loss, 1.0)
            yield Step(epoch, 1, 1, loss, 1.0, trace, report)
            loss = value - job.rules.penalty(point)

    def _report(self, loss: float, rate: float) -> EpochReport:
        """Evaluate, write the epoch's report, and see whether it was the last."""
        job, validation = self.job, self.validation
        of_validation = None if validation is None else self._score(validation.x, validation.y)
        of_training = self._score(job.x, job.y) if self.evaluate_training else None
        report = EpochReport(
            epoch=len(self.history) + 1,
            loss=float(loss),
            learning_rate=float(rate),
            seconds=time.perf_counter() - self._started,
            validation_loss=None if of_validation is None else of_validation.loss,
            validation_accuracy=None if of_validation is None else of_validation.accuracy,
            training_loss=None if of_training is None else of_training.loss,
            training_accuracy=None if of_training is None else of_training.accuracy,
        )
        self.history.epochs.append(report)
        watched = report.loss if report.validation_loss is None else report.validation_loss
        self._plateaus.observe(watched)
        if self.early_stopping is not None:
            if watched < self._best.best - self._best.min_delta:
                self._best_parameters = self.job.parameters.copy()
                self.history.best_epoch = report.epoch
            if self._best.observe(watched):
                self.history.stopped = "early stopping"
        return report

    def _score(self, x: Array, y: Array) -> Evaluation:
        """How good the network is now; where its numbers overflow, the loss says so."""
        with np.errstate(all="ignore"):
            return score(self.net, x, y, numbers=self._numbers)

    def _restore_best(self) -> None:
        if self._best_parameters is not None:
            self.job.parameters[...] = self._best_parameters
            self._best_parameters = None

    def _non_finite(
        self, epoch: int, batch: int, rows: NDArray[np.intp], rate: float
    ) -> NonFiniteError:
        """The error for a step that met a NaN or an infinity, naming where it appeared first."""
        job = self.job
        with np.errstate(all="ignore"):
            trace = self.engine.trace(job.architecture, job.parameters, job.batch(rows), "all")
            found = trace.first_non_finite()
            if found is None:  # the pass is sound: it is the update that overflows
                gradient = job.rules.gradient(job.parameters, as_numpy(trace.gradient))
                updated, state = job.optimizer.update(job.parameters, gradient, job.state, rate)
                finite = np.isfinite([updated, *state.slots]).all(axis=0)
                found = job.architecture.locate(int(np.argmin(finite)))
        return self._non_finite_at(*found, epoch=epoch, batch=batch)

    def _non_finite_at(
        self, quantity: str, layer: int, *, epoch: int, batch: int
    ) -> NonFiniteError:
        what = "the loss" if quantity == "loss" else f"{quantity}[{layer}]"
        return NonFiniteError(
            f"{what} became NaN or infinite in epoch {epoch}, batch {batch}; the "
            "network keeps its last good parameters. A smaller learning rate, clip_norm, or scaled "
            "inputs usually help",
            quantity=quantity,
            layer=layer,
            epoch=epoch,
            batch=batch,
        )


def train(
    net: Network,
    data: Any,
    *,
    epochs: int = 30,
    batch_size: int | None = 10,
    optimizer: str | Optimizer = Adam(),  # noqa: B008 - frozen
    seed: int | None = None,
    shuffle: bool | Order = True,
    validation_data: Any = None,
    evaluate_training: bool = False,
    sample_weight: Any = None,
    l2: float = 0.0,
    l1: float = 0.0,
    dropout: float | dict[int, float] = 0.0,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    freeze: Sequence[str] | str = (),
    early_stopping: EarlyStopping | int | None = None,
    keep: str = "nothing",
    engine: str | Engine = "auto",
    history: History | None = None,
) -> Training:
    r"""Train a network, step by step: a generator with one :class:`Step` per update.

    ``net`` is updated in place and may be looked at between steps. The arguments are checked at
    the call, before the first step.

    Parameters
    ----------
    net : Network
        A network without ``scaling`` or ``classes`` adopts those of the data set.
    data : Dataset, Part, or pair (X, Y) of array-likes, shapes (m, n_1) and (m, n_L)
        Of a Dataset the training part is used.
    epochs : int
        How often every sample is used.
    batch_size : int or None
        m, the samples of a mini-batch; the last batch may be smaller and is used. None is all.
    optimizer : str or Optimizer
        A name of :data:`~clearprop.optimizers.OPTIMIZERS`, or a record such as ``cp.SGD(3.0)``.
    seed : int, optional
        What the order of the samples and dropout are drawn from. None draws afresh each time.
    shuffle : bool or callable
        Whether each epoch has a new random order; or ``shuffle(epoch)``, with the epoch counted
        from 1, gives the order itself: a permutation of 0 … n-1.
    validation_data : like ``data``, optional
        What the network is evaluated on after each epoch. By default the data set's validation
        part, if it has one.
    evaluate_training : bool
        Whether to evaluate the network on the training data after each epoch.
    sample_weight : array-like, shape (n,), optional
        Non-negative weights; the loss of a batch is the weighted mean.
    l2, l1 : float
        λ and λ₁ of the penalties :math:`\frac{\lambda}{2n}\sum w^2` and
        :math:`\frac{\lambda_1}{n}\sum|w|`, n the number of training samples.
    dropout : float or dict
        The probability that a hidden neuron is silenced, or one by layer: ``{1: 0.2, 2: 0.5}``.
    clip_norm, clip_value : float, optional
        The largest norm of the whole gradient, and the largest absolute component.
    freeze : sequence of str
        Parameters that stay: ``"biases"``, ``"weights"``, ``"weights[2]"``, …
    early_stopping : EarlyStopping or int, optional
        When to stop before the last epoch; a number is the patience.
    keep : str
        What each step's Trace retains: ``"nothing"`` (there is none), ``"gradients"``, ``"all"``.
    engine : str or Engine
        What computes the passes: ``"compiled"``, ``"reference"``, an engine, or ``"auto"``, the
        compiled one wherever it can. ``history.engine`` names the one that did.
    history : History, optional
        Where the reports go; an earlier one is gone on with.

    Yields
    ------
    Step

    Raises
    ------
    InputError
        Where an argument is unusable. The message says which and why.
    NonFiniteError
        At the first NaN or infinity; the network keeps its last good parameters.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 4, 2], seed=1)
    >>> xor = cp.datasets.load("xor")
    >>> steps = list(cp.train(net, xor, epochs=2, batch_size=3, optimizer=cp.SGD(0.5), seed=1))
    >>> [(step.epoch, step.batch) for step in steps]
    [(1, 1), (1, 2), (2, 1), (2, 2)]
    """
    return Training(
        net,
        data,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        seed=seed,
        shuffle=shuffle,
        validation_data=validation_data,
        evaluate_training=evaluate_training,
        sample_weight=sample_weight,
        l2=l2,
        l1=l1,
        dropout=dropout,
        clip_norm=clip_norm,
        clip_value=clip_value,
        freeze=freeze,
        early_stopping=early_stopping,
        keep=keep,
        engine=engine,
        history=history,
    )


def fit(
    net: Network,
    data: Any,
    *,
    progress: bool | None = None,
    callbacks: Sequence[Callback] = (),
    **settings: Any,
) -> History:
    """Train a network to the end.

    Parameters
    ----------
    net, data
        As for :func:`train`.
    progress : bool, optional
        Whether to show a bar. By default, where standard error is a terminal.
    callbacks : sequence of callables
        Each is called as ``callback(net, report)`` after every epoch; one that returns True stops
        training.
    **settings
        Every other argument of :func:`train`.

    Returns
    -------
    History

    Raises
    ------
    InputError
        Where an argument is unusable. The message says which and why.
    NonFiniteError
        At the first NaN or infinity; the network keeps its last good parameters.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 8, 2], seed=3)
    >>> history = cp.fit(net, cp.datasets.load("xor"), epochs=300, optimizer=cp.Adam(0.1), seed=3)
    >>> cp.evaluate(net, cp.datasets.load("xor").train).accuracy
    1.0
    """
    training = train(net, data, **settings)
    history, taken = training.history, 0
    with choose_progress(progress, total=training.epochs * training.batches) as shown:
        try:
            # Nobody sees the traces of the steps in between: a thousand of them need not be kept.
            for step in training.chunks(_STEPS_A_CALL if training.keep == "nothing" else 1):
                shown.advance(training.taken - taken)
                taken = training.taken
                if step.report is not None:
                    shown.describe(str(step.report))
                    # All of them first: every callback hears of every epoch.
                    answers = [callback(net, step.report) for callback in callbacks]
                    if any(answers):
                        history.stopped = "callback"
                        break
        except KeyboardInterrupt:
            history.stopped = "interrupted"
            raise
        finally:
            training.close()
    return history


def _adopt(net: Network, data: Dataset) -> None:
    """A network that does not know its classes or scaling takes those of the data set."""
    if net.scaling is None:
        net.scaling = data.scaling
    if net.classes is None and data.classes is not None:
        net.classes = data.classes


def _order_of(
    shuffle: bool | Order, n: int, rng: np.random.Generator
) -> Callable[[int], NDArray[np.intp]]:
    """The order of the samples in an epoch, counted from 1."""
    if shuffle is True:
        return lambda epoch: rng.permutation(n)
    if shuffle is False:
        return lambda epoch: np.arange(n)
    if not callable(shuffle):
        raise InputError(f"shuffle is {shuffle!r}; expected True, False or a function of the epoch")

    def own(epoch: int) -> NDArray[np.intp]:
        order = as_numbers(shuffle(epoch), f"what shuffle({epoch}) gave")
        if order.shape != (n,) or not _is_permutation(order):
            raise InputError(
                f"shuffle({epoch}) gave {_brief(order)}; expected a permutation of 0 … {n - 1}"
            )
        return order.astype(np.intp)

    return own


def _is_permutation(order: NDArray[Any]) -> bool:
    whole = order.astype(np.intp)
    if not np.array_equal(whole, order) or whole.min() < 0 or whole.max() >= len(whole):
        return False
    return bool((np.bincount(whole, minlength=len(whole)) == 1).all())


def _brief(order: NDArray[Any]) -> str:
    return f"an array of shape {order.shape}" if order.size > 12 else str(order.tolist())


def _check_count(name: str, value: Any) -> int:
    if not (is_whole_number(value) and value >= 1):
        raise InputError(f"{name} is {value!r}; expected a whole number, at least 1")
    return int(value)
