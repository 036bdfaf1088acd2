"""The samples that a model is to be judged by: which they are, and whether it has seen them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clearprop.cli.options import PARTS
from clearprop.datasets import DATASETS, Dataset, Part, load, one_hot
from clearprop.errors import InputError, unknown_name
from clearprop.network import Network

__all__ = ["in_terms_of", "load_again", "select", "trained_on"]


def trained_on(training: object, data: str) -> dict[str, Any] | None:
    """How the data set of this name was loaded to train the model; None if it was another one.

    Parameters
    ----------
    training : object
        What the model file remembers of the training.
    data : str
        The name or path that was given now. Files are told apart by their names.

    Examples
    --------
    >>> trained_on({"data": {"name": "iris.csv", "loaded_with": {"seed": 3}}}, "data/iris.csv")
    {'seed': 3}
    """
    name = data if data in DATASETS else Path(data).resolve().name
    match training:
        case {"data": {"name": str(known), "loaded_with": {**arguments}}} if known == name:
            return {str(key): value for key, value in arguments.items()}
    return None


def load_again(
    data: str, task: str | None, training: object, given: Mapping[str, Any]
) -> tuple[Dataset, str]:
    """The data set, divided as it was for the training; and a line that says so.

    Parameters
    ----------
    data : str
        A name or a path.
    task : str, optional
        What the model does.
    training : object
        What the model file remembers of the training.
    given : mapping
        Arguments of ``datasets.load`` that go before those of the training, unless they are None.

    Returns
    -------
    dataset : Dataset
        One that the model was not trained on is not divided: all of it is in ``train``.
    note : str
        What is known about the parts.

    Raises
    ------
    ClearpropError
        As ``datasets.load`` has them.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    before = trained_on(training, data)
    if before is not None:
        dataset = load(data, **{**before, **chosen})
        same = all(before.get(name) == value for name, value in chosen.items())
        seed = chosen.get("seed", before.get("seed"))
        return dataset, (
            f"{dataset.name} is divided as it was for the training (seed {seed})"
            if same
            else f"{dataset.name} is divided in another way than for the training (seed {seed}): "
            "any part may hold samples that the model was trained on"
        )
    if not Path(data).is_dir():
        chosen.setdefault("task", task)
    dataset = load(data, **{"test_fraction": 0.0, **chosen})
    match training:
        case {"data": {"name": str(known)}}:
            return dataset, f"the model was trained on {known}, not on {dataset.name}"
    return dataset, "the model file does not say what the model was trained on"


def select(dataset: Dataset, part: str) -> Part:
    """One part of a data set, or all of them as one.

    Raises
    ------
    UnknownNameError
        For a part that has another name than train, validation, test and all.
    InputError
        For a part that this data set does not have, or that is empty.

    Examples
    --------
    >>> len(select(load("moons", samples=10), "test")), len(select(load("xor"), "all"))
    (2, 4)
    """
    if part not in PARTS:
        raise unknown_name("part", part, PARTS)
    found = {name: p for name, p in dataset.parts.items() if len(p)}
    if part == "all":
        # The parts of xor are one and the same.
        different = list({id(p): p for p in found.values()}.values())
        return different[0] if len(different) == 1 else _together(different)
    if part not in found:
        raise InputError(
            f"{dataset.name} has no {part} samples; expected one of {', '.join(found)}, all"
        )
    return found[part]


def _together(parts: list[Part]) -> Part:
    labels = [p.labels for p in parts if p.labels is not None]
    return Part(
        np.concatenate([p.x for p in parts]),
        np.concatenate([p.y for p in parts]),
        np.concatenate(labels) if labels else None,
    )


def in_terms_of(net: Network, dataset: Dataset, part: Part) -> Part:
    """The part with its targets as the outputs of the network have them.

    A file may hold fewer classes than the network knows. One output stands for two classes.

    Raises
    ------
    InputError
        For another number of features, for a class that the network does not know, or for another
        number of them where it knows no names.
    """
    if part.x.shape[1] != net.sizes[0]:
        raise InputError(
            f"{dataset.name} has {part.x.shape[1]} features beside its target; expected "
            f"{net.sizes[0]}, as the model has inputs (samples without a target are for "
            "clearprop predict)"
        )
    if part.labels is None or dataset.classes is None:
        return part
    known = net.classes
    if known is None:
        expected = max(net.sizes[-1], 2)
        if len(dataset.classes) != expected:
            raise InputError(
                f"{dataset.name} has {len(dataset.classes)} classes; expected {expected}, as many "
                "as the model tells apart"
            )
        known = dataset.classes
    unknown = [name for name in dataset.classes if name not in known]
    if unknown:
        raise InputError(
            f"{dataset.name} holds the class {unknown[0]!r}, which the model does not know; "
            f"expected only {', '.join(map(repr, known))}"
        )
    labels = np.array([known.index(name) for name in dataset.classes])[part.labels]
    if net.sizes[-1] == 1:
        return Part(part.x, labels[:, None].astype(part.x.dtype))
    return Part(part.x, one_hot(labels, len(known), part.x.dtype.name), labels)
