"""NumPy archives: ``x`` and ``y``, or ``x_train``, ``y_train`` and perhaps ``x_test``, ``y_test``.

An .npz file is a zip archive of .npy files. Nothing is unpickled. The header of an array is
compared with the length of its member before its numbers are read, and its member is read before
memory is set aside for what the header claims.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clearprop.datasets.dataset import Classes, Floats, Task, pixel_names, pixels
from clearprop.datasets.source import Source
from clearprop.datasets.targets import (
    MAX_CLASSES,
    Classified,
    Measured,
    Targets,
    classify,
    file_source,
)
from clearprop.errors import DataError

__all__ = ["MAX_BYTES", "read_arrays", "read_npz"]

#: The most that the arrays which are read may hold together, unpacked.
MAX_BYTES = 4 * 1024**3

# Kinds of dtype, as NumPy has them: booleans, signed and unsigned integers; floats; texts.
WHOLE = "biu"
NUMBERS = WHOLE + "f"
TEXTS = "U"

# What zipfile raises for an archive that is damaged or encrypted; it documents the first of them.
UNREADABLE = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)

MAGIC = b"\x93NUMPY"
# The version of the format, and how many bytes then hold the length of the header.
LENGTH_BYTES = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}
# NumPy's own limits.
MAX_HEADER = 10_000
MAX_AXES = 32
# Byte order, kind and size of numbers and texts; neither objects nor records.
DESCR = re.compile(f"[<>|=]?[{NUMBERS}{TEXTS}][0-9]+")

# Inputs as rows, the shape of each if they are images, and targets as they were saved.
Pair: TypeAlias = tuple[Floats, tuple[int, int] | None, NDArray[Any]]


def read_npz(path: Path, *, task: Task | None = None) -> Source:
    """The samples of an archive, with its own test part if there is one.

    Raises
    ------
    DataError
        For a file that is missing, damaged, too large, or without such arrays.
    """
    with _Archive.opened(path) as archive:
        suffix = "_train" if archive.has("x_train") else ""
        x, shape, y = archive.pair(suffix)
        test = None
        if suffix and (archive.has("x_test") or archive.has("y_test")):
            test = archive.pair("_test")
            _same_form(path, (x, shape, y), test)
    if len(x) < 2:
        raise DataError(
            f"{path}: x{suffix} holds one sample; expected at least two, some to train on and some "
            "to test with"
        )
    # Read over both parts at once, so that they agree on the classes.
    every_y = y if test is None else np.concatenate([y, test[2]])
    targets = _targets(every_y, f"{path}: y{suffix}", task)
    if isinstance(targets, Classified):
        _all_in_training(path, targets, len(y))
    return file_source(
        path.name,
        x,
        _cut(targets, slice(len(y))),
        test=None if test is None else (test[0], _cut(targets, slice(len(y), None))),
        feature_names=pixel_names(*shape) if shape else (),
        image_shape=shape,
    )


def read_arrays(path: Path, n_inputs: int) -> Floats:
    """The inputs of an archive, whether or not it holds targets: ``x``, else ``x_test``.

    Raises
    ------
    DataError
        For a file that cannot be read, or whose samples have not ``n_inputs`` numbers each.
    """
    with _Archive.opened(path) as archive:
        key = "x_test" if archive.has("x_test") and not archive.has("x") else "x"
        archive.expect(key)
        x, _ = archive.inputs(key)
    if x.shape[1] != n_inputs:
        raise DataError(
            f"{path}: a sample of {key} has {x.shape[1]} numbers; expected {n_inputs}, one for "
            "each input"
        )
    return x


class _Archive:
    """The arrays of a zip archive, by name in lower case."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.archive = archive
        self.members = {
            member.filename.removesuffix(".npy").lower(): member
            for member in archive.infolist()
            if member.filename.endswith(".npy")
        }
        self.left = MAX_BYTES

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> "Iterator[_Archive]":
        """The archive; every way in which reading it can fail is ours."""
        try:
            with zipfile.ZipFile(path) as archive:
                yield cls(path, archive)
        except DataError:
            raise
        except UNREADABLE as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise DataError(
                f"{path} cannot be read as an .npz archive: {reason or error}; expected a file "
                "that numpy.savez wrote"
            ) from None

    def has(self, key: str) -> bool:
        return key in self.members

    def expect(self, *keys: str) -> None:
        missing = [key for key in keys if key not in self.members]
        if missing:
            raise DataError(
                f"{self.path} holds {', '.join(self.members) or 'no arrays'}, but not "
                f"{' and '.join(missing)}; expected x and y, or x_train and y_train with or "
                "without x_test and y_test (in upper or lower case)"
            )

    def pair(self, suffix: str) -> "Pair":
        """Inputs and raw targets, as many of the one as of the other."""
        self.expect(f"x{suffix}", f"y{suffix}")
        x, shape = self.inputs(f"x{suffix}")
        y = self.array(f"y{suffix}")
        if y.ndim == 0 or len(x) != len(y):
            raise DataError(
                f"{self.path}: x{suffix} has {len(x)} samples and y{suffix} has shape {y.shape}; "
                "expected a target for each sample"
            )
        return x, shape, y

    def inputs(self, key: str) -> tuple[Floats, tuple[int, int] | None]:
        """Samples as rows of floats, and the shape of each if they are images."""
        x = self.array(key)
        what = f"{self.path}: {key}"
        if x.dtype.kind not in NUMBERS:
            raise DataError(f"{what} has dtype {x.dtype}; expected real numbers")
        if x.ndim not in (2, 3):
            raise DataError(
                f"{what} has shape {x.shape}; expected (samples, features), or (samples, height, "
                "width) for grey images"
            )
        shape = (x.shape[1], x.shape[2]) if x.ndim == 3 else None
        if shape and x.dtype == np.uint8:
            return pixels(x), shape
        dtype = np.float32 if x.dtype in (np.float16, np.float32) else np.float64
        with np.errstate(over="ignore"):
            rows: Floats = x.reshape(len(x), -1).astype(dtype)
        return _finite(rows, what), shape

    def array(self, key: str) -> NDArray[Any]:
        """An array, in the byte order of this machine, after its header has been checked."""
        member = self.members[key]
        what = f"{self.path}: {key}"
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{what} is packed by method {member.compress_type}; expected 0 (not at all) or 8 "
                "(deflate), as numpy.savez and numpy.savez_compressed write"
            )
        with self.archive.open(member) as stream:
            header = _header(stream, what)
            length = math.prod(header.shape) * header.dtype.itemsize
            if length == 0:
                raise DataError(
                    f"{what} has shape {header.shape} of {header.dtype}; expected at least one "
                    "number or text"
                )
            there = member.file_size - stream.tell()
            if length != there:
                raise DataError(
                    f"{what} has {there:,} bytes of numbers; expected {length:,}, since its header "
                    f"claims shape {header.shape} of {header.dtype}: the file is damaged; save it "
                    "again"
                )
            self.left -= length
            if self.left < 0:
                raise DataError(
                    f"{what} has {length:,} bytes unpacked; expected at most {MAX_BYTES:,} in all: "
                    "give fewer samples, or a smaller dtype"
                )
            data = stream.read(length)
        if len(data) != length:
            raise DataError(
                f"{what} ends after {len(data):,} of {length:,} bytes: the file is cut short; save "
                "it again"
            )
        if header.dtype.kind in TEXTS:
            _check_text(np.frombuffer(data, dtype=f"{header.dtype.byteorder}u4"), what)
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        array = np.frombuffer(data, dtype=header.dtype).reshape(header.shape, order=order)
        return array.astype(header.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True)
class _Header:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool


def _header(stream: IO[bytes], what: str) -> _Header:
    """What an .npy file says about itself, read as strictly as the format allows.

    NumPy's own reader goes on to repair headers of old, which a damaged one can lead astray.
    """
    magic = stream.read(8)
    if magic[:6] != MAGIC or magic[6:] not in LENGTH_BYTES:
        raise _no_npy(what, f"it begins with the bytes {magic.hex(' ')}")
    size = int.from_bytes(stream.read(LENGTH_BYTES[magic[6:]]), "little")
    if size > MAX_HEADER:
        raise _no_npy(what, f"its header has {size:,} bytes, and {MAX_HEADER:,} are plenty")
    try:
        found = ast.literal_eval(stream.read(size).decode("latin-1").strip())
        descr, fortran, shape = (found[key] for key in ("descr", "fortran_order", "shape"))
    except (KeyError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
        raise _no_npy(what, "its header cannot be read") from None
    if (
        not isinstance(fortran, bool)
        or not isinstance(shape, tuple)
        or len(shape) > MAX_AXES
        or any(type(length) is not int or length < 0 for length in shape)
    ):
        raise _no_npy(what, f"its header claims shape {shape!r} and fortran_order {fortran!r}")
    if not isinstance(descr, str) or not DESCR.fullmatch(descr):
        raise _not_taken(what, descr)
    try:
        return _Header(np.dtype(descr), shape, fortran)
    except (OverflowError, TypeError, ValueError):
        raise _not_taken(what, descr) from None


def _check_text(points: NDArray[np.uint32], what: str) -> None:
    """Code points: up to the last that Unicode has, and no half of a surrogate pair."""
    wrong = (points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))
    if wrong.any():
        raise DataError(
            f"{what} holds the code point 0x{points[wrong][0]:x}, which is no character; expected "
            "text: save it again"
        )


def _no_npy(what: str, reason: str) -> DataError:
    return DataError(f"{what} is no .npy file: {reason}; expected an array that numpy.savez wrote")


def _not_taken(what: str, dtype: object) -> DataError:
    return DataError(
        f"{what} has dtype {dtype}; expected numbers, or texts for labels (Python objects are "
        "never loaded): save it as such"
    )


def _same_form(path: Path, train: Pair, test: Pair) -> None:
    x, shape, y = train
    x_test, test_shape, y_test = test
    if (x.shape[1], shape) != (x_test.shape[1], test_shape):
        raise DataError(
            f"{path}: a sample of x_train has shape {shape or x.shape[1:]} and one of x_test "
            f"{test_shape or x_test.shape[1:]}; expected the same"
        )
    if y.shape[1:] != y_test.shape[1:]:
        raise DataError(
            f"{path}: y_train has shape {y.shape} and y_test {y_test.shape}; expected as many "
            "columns in one as in the other"
        )
    if (y.dtype.kind in WHOLE, y.dtype.kind in TEXTS) != (
        y_test.dtype.kind in WHOLE,
        y_test.dtype.kind in TEXTS,
    ):
        raise DataError(
            f"{path}: y_train has dtype {y.dtype} and y_test {y_test.dtype}; expected whole "
            "numbers, floats or texts in both"
        )


def _targets(y: NDArray[Any], what: str, task: Task | None) -> Targets:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim > 2:
        raise DataError(f"{what} has shape {y.shape}; expected (samples,), or (samples, targets)")
    whole = y.dtype.kind in WHOLE
    if y.dtype.kind in TEXTS:
        if task == "regression" or y.ndim == 2:
            raise DataError(
                f"{what} holds texts in shape {y.shape}; expected numbers for a regression, or one "
                "text for each sample, its class"
            )
        return classify([str(text) for text in y], what)
    with np.errstate(over="ignore"):
        numbers = _finite(y.astype(np.float64), what)
    if task != "regression" and y.ndim == 2 and _is_one_hot(numbers):
        return _from_one_hot(numbers, what)
    if task == "classification" or (task is None and whole and y.ndim == 1):
        if y.ndim == 2 or not (numbers == np.floor(numbers)).all():
            raise DataError(
                f"{what} has shape {y.shape} and dtype {y.dtype}; expected for a classification "
                "one whole number or text for each sample, or one-hot rows"
            )
        return classify([int(number) for number in y], what)
    return Measured(numbers.reshape(len(numbers), -1))


def _is_one_hot(y: Floats) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def _from_one_hot(y: Floats, what: str) -> Classified:
    """A column that is never 1 is a class all the same: the network has an output for it."""
    labels = y.argmax(axis=1).astype(np.intp)
    if len(np.unique(labels)) == 1 or y.shape[1] > MAX_CLASSES:
        raise DataError(
            f"{what} has one-hot rows of {y.shape[1]} columns, {len(np.unique(labels))} of them "
            f"in use; expected at most {MAX_CLASSES:,} classes, and samples of at least two"
        )
    classes: Classes = tuple(range(y.shape[1]))
    return Classified(labels, classes)


def _all_in_training(path: Path, targets: Classified, split: int) -> None:
    unseen = np.setdiff1d(targets.labels[split:], targets.labels[:split])
    if unseen.size:
        raise DataError(
            f"{path}: y_test holds the class {targets.classes[unseen[0]]!r}, which y_train does "
            "not; expected every class in the training part: what training never sees cannot be "
            "learnt"
        )


def _cut(targets: Targets, rows: slice) -> Targets:
    if isinstance(targets, Classified):
        return Classified(targets.labels[rows], targets.classes)
    return Measured(targets.numbers[rows], targets.names)


def _finite(numbers: Floats, what: str) -> Floats:
    if not np.isfinite(numbers).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        raise DataError(
            f"{what} holds {numbers[place]} at {list(place)}; expected finite numbers: fill it in, "
            "or remove the sample"
        )
    return numbers
