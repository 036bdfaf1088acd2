"""Targets as files have them, turned into classes or into numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np

from clearprop.datasets.dataset import Classes, Floats, Labels, Part, frozen, one_hot
from clearprop.datasets.source import Source
from clearprop.errors import DataError, InputError

__all__ = [
    "MAX_CLASSES",
    "Classified",
    "Measured",
    "Targets",
    "classify",
    "few_distinct",
    "file_source",
]

#: A column with more different values than this is taken for names or numbers, not for classes.
MAX_CLASSES = 1000

# Whole numbers are taken for classes up to this many different ones.
FEW = 20


@dataclass(frozen=True)
class Classified:
    """For each sample, the index of its class: ``labels`` of shape (m,)."""

    labels: Labels
    classes: Classes


@dataclass(frozen=True)
class Measured:
    """For each sample, one or more numbers: ``numbers`` of shape (m, n_L)."""

    numbers: Floats
    names: tuple[str, ...] = ()


Targets: TypeAlias = Classified | Measured

Value = TypeVar("Value", str, int)


def classify(values: Sequence[Value], what: str) -> Classified:
    """The values of a column as classes, in sorted order.

    Raises
    ------
    DataError
        For a single class, or for more than :data:`MAX_CLASSES`. ``what`` names the column.
    """
    classes = tuple(sorted(set(values)))
    if len(classes) == 1:
        raise DataError(
            f"{what} holds one class only, {classes[0]!r}; expected at least two: there is "
            "nothing to tell apart"
        )
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"{what} holds {len(classes):,} different values, such as {classes[0]!r} and "
            f"{classes[-1]!r}; expected at most {MAX_CLASSES:,} classes: is another column the "
            "target, or is this a regression (task='regression')?"
        )
    index = {value: i for i, value in enumerate(classes)}
    labels = np.fromiter((index[v] for v in values), dtype=np.intp, count=len(values))
    return Classified(labels, classes)


def few_distinct(integers: Sequence[int]) -> bool:
    """Whether whole numbers look like classes: few of them, and each seen more than once.

    At most 20 different ones, and on average two samples of each.
    """
    distinct = len(set(integers))
    return distinct <= FEW and 2 * distinct <= len(integers)


def file_source(
    name: str,
    x: Floats,
    targets: Targets,
    *,
    test: tuple[Floats, Targets] | None = None,
    feature_names: tuple[str, ...] = (),
    image_shape: tuple[int, int] | None = None,
) -> Source:
    """What a reader of files hands over. It gives up its arrays: they become read-only.

    Raises
    ------
    DataError
        For numbers that are too large for the dtype of ``x``.
    """
    try:
        train = _part(x, targets)
        test_part = None if test is None else _part(*test)
    except InputError as error:
        raise DataError(f"{name}: {error}") from None
    return Source(
        name=name,
        task="classification" if isinstance(targets, Classified) else "regression",
        train=train,
        test=test_part,
        classes=targets.classes if isinstance(targets, Classified) else None,
        feature_names=feature_names,
        image_shape=image_shape,
        target_names=targets.names if isinstance(targets, Measured) else (),
        scaling="standard" if image_shape is None else "none",
    )


def _part(x: Floats, targets: Targets) -> Part:
    if isinstance(targets, Measured):
        return Part(frozen(x), frozen(targets.numbers))
    y = one_hot(targets.labels, len(targets.classes), x.dtype.name)
    return Part(frozen(x), frozen(y), frozen(targets.labels))
