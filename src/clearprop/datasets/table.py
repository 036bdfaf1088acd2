"""CSV and TSV tables: a sample a line, a column for each feature and for the target.

What is read without being told: the delimiter (comma, semicolon or tab), whether the first line
names the columns, which column is the target, and whether it holds classes or numbers. Every one
of these rules is in the docstring of :func:`clearprop.datasets.load`.
"""

import csv
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO, TypeAlias

import numpy as np

from clearprop.datasets.dataset import Floats, Task
from clearprop.datasets.source import Source
from clearprop.datasets.targets import Measured, Targets, classify, few_distinct, file_source
from clearprop.errors import DataError, UnknownNameError, unknown_name

__all__ = ["MAX_BYTES", "TARGET_NAMES", "Target", "read_columns", "read_table"]

#: The largest file that is read. Its numbers take about four times as much memory at worst.
MAX_BYTES = 2 * 1024**3

#: A column of this name (in upper or lower case) is the target if none is named.
TARGET_NAMES = ("target", "label", "class", "y")

#: A column by its name, or by its position: 0 is the first, -1 the last.
Target: TypeAlias = str | int

# Those of them that, seen in the first line, can only be the name of a column: "y" may mean yes.
HEADER_WORDS = TARGET_NAMES[:3]

# What people and programs write where a value is missing; in lower case.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})

# In this order where two of them cut the first line into as many cells: a comma is the likeliest
# to stand inside a cell, as a decimal mark.
DELIMITERS = ("\t", ";", ",")

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")

Cells: TypeAlias = list[str]
Line: TypeAlias = tuple[int, Cells]


def read_table(
    path: Path, *, target: Target | Sequence[Target] | None = None, task: Task | None = None
) -> Source:
    """The samples of a table, with one target column or, for a regression, several.

    Raises
    ------
    DataError
        For a file that is missing, too large, or no table of numbers with a target.
    UnknownNameError
        For a target column that is not there.
    """
    with _opened(path) as lines:
        names, rows = _names_and_rows(path, lines, _wanted(target))
        positions = _positions(path, names, target)
        x, line_of, texts = _parsed(path, names, rows, positions)
    columns = [
        _Column(path, names[position], line_of, cells)
        for position, cells in zip(positions, texts, strict=True)
    ]
    return file_source(
        path.name,
        x,
        _targets(columns, task),
        feature_names=tuple(n for i, n in enumerate(names) if i not in positions),
    )


def read_columns(
    path: Path, n_inputs: int, *, target: Target | Sequence[Target] | None = None
) -> Floats:
    """The inputs of a table, whether or not it has its target columns too.

    Raises
    ------
    DataError
        For a file that cannot be read, or that has neither ``n_inputs`` columns nor the target
        columns beside these.
    UnknownNameError
        For a target column that is not there.
    """
    with _opened(path) as lines:
        names, rows = _names_and_rows(path, lines, _wanted(target))
        with_targets = n_inputs + max(1, len(_as_list(target)))
        if len(names) not in (n_inputs, with_targets):
            raise DataError(
                f"{path} has {len(names)} columns; expected {n_inputs}, one for each input, or "
                f"{with_targets} with the target, which is passed over"
            )
        positions = [] if len(names) == n_inputs else _positions(path, names, target)
        return _parsed(path, names, rows, positions, least=1)[0]


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[Line]]:
    """The lines of the table, cut into cells; every way in which reading can fail is ours."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(
                f"{path} has {size:,} bytes; expected at most {MAX_BYTES:,}: give fewer rows, or "
                "write the arrays into an .npz file"
            )
        delimiter = _delimiter(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield _lines(file, delimiter)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is no text in UTF-8 (byte 0x{error.object[error.start]:02x}): save it as "
            "UTF-8, which spreadsheets call 'CSV UTF-8'"
        ) from None
    except csv.Error as error:
        raise DataError(
            f"{path} is no well-formed table ({error}): is a quotation mark left open?"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _delimiter(path: Path) -> str:
    """The delimiter that cuts the first line into the most cells."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next((line for line in file if line.strip()), "")
    return max(DELIMITERS, key=lambda d: len(next(csv.reader([first], delimiter=d), [])))


def _lines(file: TextIO, delimiter: str) -> Iterator[Line]:
    """Each line that is not blank, with its number in the file."""
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    for cells in reader:
        if any(cell and not cell.isspace() for cell in cells):
            yield reader.line_num, cells


def _names_and_rows(
    path: Path, lines: Iterator[Line], wanted: Sequence[str]
) -> tuple[Cells, Iterator[Line]]:
    """The names of the columns, and the lines that hold samples."""
    head = list(islice(lines, 2))
    if not head:
        raise DataError(f"{path} is empty; expected a line for each sample, with the target in it")
    first = [cell.strip() for cell in head[0][1]]
    second = [cell.strip() for cell in head[1][1]] if len(head) > 1 else []
    if _is_header(first, second, wanted):
        nameless = [i for i, name in enumerate(first, 1) if not name]
        if nameless:
            raise DataError(
                f"{path}: column {nameless[0]} has no name in the header (line {head[0][0]}); "
                "expected a name for every column: name it, or leave it out if it only counts the "
                "rows (pandas: to_csv(..., index=False))"
            )
        names, rows = first, head[1:]
    else:
        names, rows = [f"column {i}" for i in range(1, len(first) + 1)], head
    return names, _rectangular(path, names, head[0][0], rows, lines)


def _rectangular(
    path: Path, names: Cells, first: int, head: list[Line], tail: Iterator[Line]
) -> Iterator[Line]:
    for lines in (head, tail):
        for number, cells in lines:
            if len(cells) != len(names):
                raise DataError(
                    f"{path}: line {number} has {len(cells)} columns; expected {len(names)}, as in "
                    f"line {first}: a cell that holds the delimiter must stand in quotation marks"
                )
            yield number, cells


def _is_header(first: Cells, second: Cells, wanted: Sequence[str]) -> bool:
    """Whether the first line names the columns.

    It does where it holds no number at all; or where it has a text above a number; or where it has
    the name of the target.
    """
    if not any(_is_number(cell) for cell in first):
        return True
    if any(cell in wanted or cell.lower() in HEADER_WORDS for cell in first):
        return True
    return any(
        not _is_number(above) and not _is_missing(above) and _is_number(below)
        for above, below in zip(first, second, strict=False)
    )


def _wanted(target: Target | Sequence[Target] | None) -> list[str]:
    """The names, rather than positions, among the wanted targets."""
    return [t for t in _as_list(target) if isinstance(t, str) and not INTEGER.fullmatch(t)]


def _as_list(target: Target | Sequence[Target] | None) -> list[Target]:
    if target is None:
        return []
    return [target] if isinstance(target, str | int) else list(target)


def _positions(path: Path, names: Cells, target: Target | Sequence[Target] | None) -> list[int]:
    """Where the target columns are, in the order in which they were asked for."""
    if len(names) == 1:
        raise DataError(
            f"{path} has one column, {_shown(names[0])}; expected at least two, a feature and the "
            "target, divided by commas, semicolons or tabs (in a .tsv file by tabs alone)"
        )
    if target is None:
        usual = [i for i, name in enumerate(names) if name.lower() in TARGET_NAMES]
        return usual[:1] or [len(names) - 1]
    positions = [_position(path, names, t) for t in _as_list(target)]
    if len(set(positions)) != len(positions) or not 0 < len(positions) < len(names):
        raise DataError(
            f"{path}: target={target!r} asks for {len(positions)} columns, numbers {positions}; "
            f"expected different ones, at least one and at most {len(names) - 1} of the "
            f"{len(names)}, so that a feature is left"
        )
    return positions


def _position(path: Path, names: Cells, target: Target) -> int:
    if isinstance(target, str):
        if names.count(target) > 1:
            raise DataError(
                f"{path} has {names.count(target)} columns named {target!r}; expected one: name "
                "the target by its position"
            )
        if target in names:
            return names.index(target)
        # A command line knows only text, so a position may come as one.
        if INTEGER.fullmatch(target) is None:
            hint = f"; or give its position, 0 to {len(names) - 1}, or -1 for the last"
            raise UnknownNameError(f"{path}: {unknown_name('column', target, names)}{hint}")
    position = int(target)
    if not -len(names) <= position < len(names):
        raise UnknownNameError(
            f"{path} has no column number {position}; expected 0 to {len(names) - 1}, or "
            f"{-len(names)} to -1 counted from the end; the columns are {', '.join(names)}"
        )
    return position % len(names)


def _parsed(
    path: Path, names: Cells, rows: Iterator[Line], positions: Sequence[int], least: int = 2
) -> tuple[Floats, "array[int]", list[Cells]]:
    """The features as numbers, the line of each sample, and the texts of the target columns."""
    values, line_of = array("d"), array("q")
    texts: list[Cells] = [[] for _ in positions]
    # Taken out from the right, so that the positions to the left stay what they are.
    taken = sorted(zip(positions, texts, strict=True), key=lambda pair: -pair[0])
    features = [name for i, name in enumerate(names) if i not in positions]
    for number, cells in rows:
        for position, column in taken:
            column.append(cells.pop(position).strip())
        try:
            values.extend(map(float, cells))
            # Python reads 1_000 as a number; a table that holds it means something else.
            plain = not any("_" in cell for cell in cells)
        except ValueError:
            plain = False
        if not plain:
            raise _not_a_number(path, number, features, cells)
        line_of.append(number)
    if len(line_of) < least:
        few = "1 row" if len(line_of) == 1 else "no rows"
        raise DataError(
            f"{path} holds {few} of data; expected at least {least}"
            f"{', some to train on and some to test with' if least > 1 else ''}"
        )
    x = np.frombuffer(values, dtype=np.float64).reshape(len(line_of), len(features))
    if not np.isfinite(x).all():
        bad = tuple(np.argwhere(~np.isfinite(x))[0])
        raise _not_finite(path, line_of[bad[0]], features[bad[1]], float(x[bad]))
    return x, line_of, texts


def _not_a_number(path: Path, line: int, names: Cells, cells: Cells) -> DataError:
    name, cell = next(
        (name, cell.strip())
        for name, cell in zip(names, cells, strict=True)
        if not _is_number(cell)
    )
    if _is_missing(cell):
        return _missing(path, line, name, cell)
    if DECIMAL_COMMA.fullmatch(cell):
        advice = "write decimal points instead of decimal commas"
    else:
        advice = (
            "turn it into numbers, leave the column out, or, if it is the target, say so with "
            f"target={name!r}"
        )
    return DataError(
        f"{path}: line {line} has {_shown(cell)} in column {name!r}; expected a number, as in "
        f"every feature: {advice}"
    )


def _missing(path: Path, line: int, name: str, cell: str) -> DataError:
    return DataError(
        f"{path}: line {line} has no value in column {name!r} ({cell!r}); expected one in every "
        "cell: fill it in, or remove the line"
    )


def _not_finite(path: Path, line: int, name: str, value: float) -> DataError:
    if math.isnan(value):
        return _missing(path, line, name, "nan")
    return DataError(
        f"{path}: line {line} has {value} in column {name!r}; expected a finite number: correct "
        "it, or remove the line"
    )


class _Column:
    """The texts of a target column, and where they are."""

    def __init__(self, path: Path, name: str, line_of: Sequence[int], cells: Cells) -> None:
        self.path = path
        self.name = name
        self.cells = cells
        self.line_of = line_of
        self.what = f"{path}: column {name!r}"
        for line, cell in zip(line_of, cells, strict=True):
            if _is_missing(cell):
                raise _missing(path, line, name, cell)

    @property
    def first_text(self) -> Line | None:
        """The first cell that is no number, with its line."""
        pairs = zip(self.line_of, self.cells, strict=True)
        return next(((line, [cell]) for line, cell in pairs if not _is_number(cell)), None)

    def integers(self) -> list[int] | None:
        """The cells as integers, if they are all written as such."""
        if all(INTEGER.fullmatch(cell) for cell in self.cells):
            return [int(cell) for cell in self.cells]
        return None

    def numbers(self) -> Floats:
        found = self.first_text
        if found is not None:
            line, (cell,) = found
            raise DataError(
                f"{self.what} has {_shown(cell)} in line {line}; expected numbers, for a "
                "regression: correct it, or say task='classification' if these are classes"
            )
        numbers = np.array([float(cell) for cell in self.cells])
        if not np.isfinite(numbers).all():
            bad = int(np.argmin(np.isfinite(numbers)))
            raise _not_finite(self.path, self.line_of[bad], self.name, float(numbers[bad]))
        return numbers


def _targets(columns: Sequence[_Column], task: Task | None) -> Targets:
    if len(columns) > 1 and task == "classification":
        raise DataError(
            f"{columns[0].path}: {len(columns)} target columns were given for a classification; "
            "expected one, which holds the class"
        )
    column = columns[0]
    if len(columns) > 1 or task == "regression":
        return _measured(columns)
    integers = column.integers()
    if integers is not None:
        classes = task == "classification" or few_distinct(integers)
        return classify(integers, column.what) if classes else _measured(columns)
    if column.first_text is None:
        return _whole(column) if task == "classification" else _measured(columns)
    fraction = next((c for c in column.cells if _is_number(c) and not INTEGER.fullmatch(c)), None)
    if fraction is not None and task is None:
        line, (cell,) = column.first_text
        raise DataError(
            f"{column.what} mixes numbers such as {fraction} with text ({_shown(cell)} in line "
            f"{line}); expected one or the other: correct it, or say task='classification' if all "
            "of these are classes"
        )
    return classify(column.cells, column.what)


def _measured(columns: Sequence[_Column]) -> Measured:
    numbers = np.stack([column.numbers() for column in columns], axis=1)
    return Measured(numbers, tuple(column.name for column in columns))


def _whole(column: _Column) -> Targets:
    """Classes that are written as 1.0, 2.0 and so on."""
    numbers = column.numbers()
    if not (numbers == np.floor(numbers)).all():
        bad = int(np.argmax(numbers != np.floor(numbers)))
        raise DataError(
            f"{column.what} has {column.cells[bad]} in line {column.line_of[bad]}; expected whole "
            "numbers or texts, for a classification: say task='regression' to learn the numbers"
        )
    return classify([int(number) for number in numbers], column.what)


def _is_number(cell: str) -> bool:
    """Whether the cell is written as a number, be it infinite; NaN marks a missing value."""
    try:
        return not math.isnan(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _is_missing(cell: str) -> bool:
    return cell.lower() in MISSING


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
