"""What a reader hands over, and how it becomes the parts of a data set."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clearprop.datasets.dataset import Classes, Dataset, Labels, Part, Task
from clearprop.errors import DataError, InputError
from clearprop.scaling import Scaling

__all__ = ["BuiltIn", "Options", "Source", "divide", "integer_seed"]


@dataclass(frozen=True)
class Options:
    """What a built-in data set may be asked for; ``None`` leaves it at its own default."""

    seed: np.random.SeedSequence
    samples: int | None = None
    noise: float | None = None
    folder: str | os.PathLike[str] | None = None


@dataclass(frozen=True)
class Source:
    """All the samples that a reader found, before any split.

    ``test`` is there where the source has a test part of its own. ``scaling`` is the kind that
    ``"auto"`` stands for. ``split`` says how the other parts are made: ``"random"`` draws them,
    ``"last"`` takes validation from the end of the training samples, ``"none"`` gives every part
    all the samples (four points are too few to divide).
    """

    name: str
    task: Task
    train: Part
    test: Part | None = None
    classes: Classes | None = None
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    target_names: tuple[str, ...] = ()
    scaling: str = "standard"
    split: Literal["random", "last", "none"] = "random"


@dataclass(frozen=True)
class BuiltIn:
    """A data set that has a name: a row of the table.

    ``options`` names the fields of :class:`Options` that ``read`` makes use of.
    """

    description: str
    read: Callable[[Options], Source]
    options: tuple[str, ...] = ()


def integer_seed(sequence: np.random.SeedSequence) -> int:
    """An integer for libraries that take no SeedSequence."""
    return int(sequence.generate_state(1)[0])


def divide(
    source: Source,
    *,
    test_fraction: float,
    validation_fraction: float,
    scaling: str,
    seed: np.random.SeedSequence,
) -> Dataset:
    """The data set with its parts, and with its scaling learnt on the training part alone.

    Raises
    ------
    DataError
        Where there are too few samples for such parts.
    """
    # Spawned whether used or not, so that asking for validation does not change the test part.
    test_seed, validation_seed = seed.spawn(2)
    train, test, validation = source.train, source.test, None
    if source.split == "none":
        test = train
        validation = train if validation_fraction else None
    else:
        if test is None:
            train, test = _hold_out(train, test_fraction, "test", test_seed)
        if validation_fraction and source.split == "last":
            start = len(train) - _count(train, validation_fraction, "validation", kept=1)
            train, validation = train.take(slice(start)), train.take(slice(start, None))
        elif validation_fraction:
            train, validation = _hold_out(train, validation_fraction, "validation", validation_seed)
    kind = source.scaling if scaling == "auto" else scaling
    try:
        learnt = Scaling.learn(kind, train.x)
    except InputError as error:
        raise DataError(f"{source.name}: {error}") from None
    return Dataset(
        name=source.name,
        task=source.task,
        train=train,
        test=test,
        validation=validation,
        classes=source.classes,
        feature_names=source.feature_names,
        image_shape=source.image_shape,
        scaling=learnt,
        target_names=source.target_names,
    )


def _hold_out(
    part: Part, fraction: float, purpose: str, seed: np.random.SeedSequence
) -> tuple[Part, Part]:
    """The part in two, at random: what stays for training, and what is held out."""
    if fraction == 0:
        return part, part.take(slice(0))
    classes = 1 if part.labels is None else len(np.unique(part.labels))
    count = _count(part, fraction, purpose, kept=classes)
    order = np.random.default_rng(seed).permutation(len(part))
    if part.labels is None:
        held_out = np.arange(len(part)) < count
    else:
        held_out = _stratified(part.labels[order], count)
    return part.take(order[~held_out]), part.take(order[held_out])


def _stratified(labels: Labels, count: int) -> NDArray[np.bool_]:
    """Which ``count`` of these labels to hold out: the first few of each class, in proportion.

    Every class keeps at least one member: what training never sees cannot be learnt, so a class
    of one is never held out. The seats are dealt by largest remainder.
    """
    sizes = np.bincount(labels)
    most = np.maximum(sizes - 1, 0)
    fair = sizes * (count / len(labels))
    seats = np.minimum(np.floor(fair).astype(np.intp), most)
    while seats.sum() < count:
        seats[np.argmax(np.where(seats < most, fair - seats, -np.inf))] += 1
    by_class = np.argsort(labels, kind="stable")
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[by_class[rank < np.repeat(seats, sizes)]] = True
    return held_out


def _count(part: Part, fraction: float, purpose: str, *, kept: int) -> int:
    """How many samples to hold out: at least one, and so few that ``kept`` can stay."""
    count = max(1, round(len(part) * fraction))
    if count > len(part) - kept:
        of_each = f" (one for each of the {kept} classes)" if kept > 1 else ""
        raise DataError(
            f"{purpose}_fraction={fraction:g} holds out {count} of {len(part)} samples, but at "
            f"least {kept} must be left to train on{of_each}: give more data, or lower "
            f"{purpose}_fraction (0 holds out nothing)"
        )
    return count
