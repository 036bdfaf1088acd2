"""Data sets: handwritten digits, MNIST, tables, NumPy archives, and shapes in the plane.

:func:`load` reads them all. What has a name is a row of :data:`DATASETS`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clearprop.datasets.dataset import TASKS, Dataset, Floats, Part, Task, one_hot
from clearprop.datasets.digits import DIGITS
from clearprop.datasets.mnist import MNIST, holds_idx_files, read_folder
from clearprop.datasets.npz import read_arrays, read_npz
from clearprop.datasets.source import BuiltIn, Options, Source, divide
from clearprop.datasets.synthetic import SYNTHETIC
from clearprop.datasets.table import Target, read_columns, read_table
from clearprop.errors import DataError, InputError, UnknownNameError, unknown_name
from clearprop.randomness import stream
from clearprop.scaling import SCALINGS

__all__ = ["DATASETS", "BuiltIn", "Dataset", "Part", "load", "load_inputs", "one_hot"]

#: The data sets that have a name. To add one, add a row.
DATASETS: Mapping[str, BuiltIn] = {"digits": DIGITS, "mnist": MNIST, **SYNTHETIC}

TABLES = (".csv", ".tsv")
SUFFIXES = (*TABLES, ".npz")
READABLE = "a path to a .csv, .tsv or .npz file, or to a folder with the four files of MNIST"


def load(
    name_or_path: str | os.PathLike[str],
    *,
    target: Target | Sequence[Target] | None = None,
    task: Task | None = None,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.0,
    scaling: str = "auto",
    seed: int | None = 0,
    samples: int | None = None,
    noise: float | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Dataset:
    """A data set, by its name or from a file.

    - A **name** in :data:`DATASETS`: digits, mnist, xor, moons, circles, spirals, blobs.
    - A **.csv or .tsv file** in UTF-8, with commas, semicolons or tabs. Its first line names the
      columns if it holds no number, has a text above a number, or has the name of the target
      column. Every feature is a finite number in every line.
    - An **.npz file** with ``x`` and ``y``, or ``x_train``, ``y_train`` and perhaps ``x_test``,
      ``y_test``. ``x`` has shape (m, n_1), or (m, height, width) for grey images, whose pixels are
      divided by 256 if they are uint8. ``y`` has shape (m,): integers or texts are classes and
      floats are numbers to predict; or (m, n_L): one-hot rows are classes.
    - A **folder** with the four IDX files of MNIST, or of a data set in the same form.

    In a table, texts in the target column are classes, and so are integers if there are at most
    20 different ones and on average two lines of each; other numbers are there to be predicted.
    Classes are sorted. Tables above 2 GiB and archives above 4 GiB unpacked are refused.

    Parameters
    ----------
    name_or_path : str or path
        A name goes before a file of the same name; ``./digits`` is the file.
    target : str or int, or a sequence of them
        For tables: the target column, by its name or position (0 is the first, -1 the last).
        Unless given, the first column named target, label, class or y, else the last column.
        Several columns make a regression with several outputs.
    task : {"classification", "regression"}, optional
        For tables and archives, what to do with the target where the rules above say otherwise.
    test_fraction : float
        The share of all samples to test with, 0 up to 1. It has no say over a data set with a test
        part of its own (mnist, an archive with ``x_test``), nor over xor, whose four samples are
        there to train and to test with alike. Where it is 0, the test part is empty and the
        samples stay in the order of the file.
    validation_fraction : float
        The share of the remaining training samples to set aside, 0 up to 1. They are drawn at
        random, except in mnist, where they are the last ones (the book takes 10,000: a sixth).
    scaling : {"auto", "none", "standard", "minmax"}
        How to scale the inputs: learnt on the training part alone, and carried with the data set
        for a network to adopt. The parts hold raw inputs. ``"auto"`` standardizes tables, archives
        and blobs, and leaves images and the other shapes as they are.
    seed : int or None
        Fixes which samples go to which part, and what is drawn. Drawn parts hold each class in
        proportion, and every class keeps at least one sample to train on. ``None`` draws anew
        each time.
    samples : int, optional
        For moons, circles, spirals and blobs: how many points (1000).
    noise : float, optional
        For the same: the standard deviation of each point.
    folder : path, optional
        For mnist: where its files are. Otherwise they are looked for in ``$CLEARPROP_DATA/mnist``
        and in the user's cache, and downloaded into the cache if they are not there.

    Raises
    ------
    UnknownNameError
        For a name, target column, task or scaling that does not exist.
    InputError
        For another argument out of its range, or one that this data set has no use for.
    DataError
        For a file that is missing or cannot be read.
    DownloadError
        Where MNIST is needed and no mirror can be reached.

    Examples
    --------
    >>> data = load("spirals", samples=300, validation_fraction=0.25, seed=1)
    >>> print(data)
    spirals: classification
      samples   180 to train, 60 to validate, 60 to test
      features  2 (x1, x2), float64
      classes   3 (0, 1, 2)
      scaling   none
    >>> data.train.x.shape, data.train.y.shape, data.train.labels.shape
    ((180, 2), (180, 3), (180,))
    """
    if task is not None and task not in TASKS:
        raise unknown_name("task", task, TASKS)
    if scaling != "auto" and scaling not in SCALINGS:
        raise unknown_name("scaling", scaling, ("auto", *SCALINGS))
    test_fraction = _fraction("test_fraction", test_fraction)
    validation_fraction = _fraction("validation_fraction", validation_fraction)
    drawn, divided = stream(seed, "data"), stream(seed, "split")
    options: dict[str, Any] = {"samples": samples, "noise": noise, "folder": folder}
    if isinstance(name_or_path, str) and name_or_path in DATASETS:
        row = DATASETS[name_or_path]
        if task == "regression":
            raise InputError(
                f"task='regression' was given for {name_or_path}, whose targets are classes; "
                "expected task='classification', or none"
            )
        _refuse(name_or_path, {**options, "target": target}, used=row.options)
        source = row.read(Options(drawn, **options))
    else:
        source = _read_path(_path(name_or_path), target, task, options)
    return divide(
        source,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
        scaling=scaling,
        seed=divided,
    )


def load_inputs(
    path: str | os.PathLike[str],
    n_inputs: int,
    *,
    target: Target | Sequence[Target] | None = None,
) -> Floats:
    r"""The inputs in a file, in its order, to predict with: targets may be there or not.

    Parameters
    ----------
    path : path
        A .csv or .tsv file with ``n_inputs`` columns, or with its target columns as well, which
        are passed over; or an .npz file with ``x``, or with ``x_test``.
    n_inputs : int
        How many inputs the network has.
    target : str or int, or a sequence of them
        For tables with targets: which columns they are, as for :func:`load`.

    Returns
    -------
    array of shape (m, n_inputs)

    Raises
    ------
    DataError
        For a file that is missing, cannot be read, or has another number of inputs.
    UnknownNameError
        For a target column that is not there.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as there:
    ...     written = Path(there, "new.csv").write_text("height,weight\n1.8,75\n1.6,58\n")
    ...     load_inputs(Path(there, "new.csv"), 2)
    array([[ 1.8, 75. ],
           [ 1.6, 58. ]])
    """
    if n_inputs < 1:
        raise InputError(f"n_inputs is {n_inputs!r}; expected 1 or more")
    file = _path(path)
    suffix = file.suffix.lower()
    if suffix == ".npz":
        _refuse(file.name, {"target": target}, used=())
        return read_arrays(file, n_inputs)
    if suffix not in TABLES:
        raise DataError(f"{file} has an unknown ending, {suffix!r}; expected .csv, .tsv or .npz")
    return read_columns(file, n_inputs, target=target)


def _path(given: str | os.PathLike[str]) -> Path:
    """The file or folder that was meant, which must be there."""
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{given!r} is no data set; expected its name, or {READABLE}")
    path = Path(given)
    if path.exists():
        return path
    looks_like_a_path = (
        isinstance(given, os.PathLike) or path.suffix.lower() in SUFFIXES or len(path.parts) > 1
    )
    if looks_like_a_path:
        raise DataError(
            f"there is no {path} (the current folder is {Path.cwd()}); expected {READABLE}, or one "
            f"of the names {', '.join(DATASETS)}"
        )
    raise UnknownNameError(f"{unknown_name('data set', given, DATASETS)}; or give {READABLE}")


def _read_path(
    path: Path,
    target: Target | Sequence[Target] | None,
    task: Task | None,
    options: Mapping[str, object],
) -> Source:
    suffix = path.suffix.lower()
    if path.is_dir():
        if not holds_idx_files(path):
            raise DataError(f"{path} is a folder without the files of MNIST; expected {READABLE}")
        _refuse(path.name, {**options, "target": target, "task": task}, used=())
        return read_folder(path, path.resolve().name)
    if suffix in TABLES:
        _refuse(path.name, options, used=())
        return read_table(path, target=target, task=task)
    if suffix == ".npz":
        _refuse(path.name, {**options, "target": target}, used=())
        return read_npz(path, task=task)
    raise DataError(f"{path} has an unknown ending, {suffix!r}; expected {READABLE}")


def _refuse(name: str, given: Mapping[str, object], *, used: Sequence[str]) -> None:
    """An argument that a data set has no use for is a misunderstanding; say so."""
    for argument, value in given.items():
        if value is not None and argument not in used:
            taken = f"{', '.join(used)} only" if used else "no such argument"
            raise InputError(
                f"{argument}={value!r} was given for {name}, which has no use for it; expected "
                f"{taken}: leave it out"
            )


def _fraction(name: str, given: Any) -> float:
    number = isinstance(given, int | float | np.number) and not isinstance(given, bool)
    if not (number and 0 <= given < 1):
        raise InputError(f"{name} is {given!r}; expected a share: at least 0, and below 1")
    return float(given)
