"""MNIST: 70,000 handwritten digits, in four IDX files.

They are looked for in the folder that was given, in ``$CLEARPROP_DATA/mnist``, and in the user's
cache; only then are they downloaded into the cache.

A folder that somebody names may hold any data set in the same four files (Fashion-MNIST, KMNIST);
there the structure is checked. What is downloaded, and what the cache holds, must be MNIST bit for
bit: the SHA-256 of the *unpacked* bytes is compared, since mirrors pack them differently.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"
(CC BY-SA 3.0).
"""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.datasets import idx
from clearprop.datasets.dataset import Part, frozen, one_hot, pixel_names, pixels
from clearprop.datasets.fetch import fetch
from clearprop.datasets.source import BuiltIn, Options, Source
from clearprop.errors import DataError

__all__ = ["MIRRORS", "MNIST", "SHA256", "holds_idx_files", "read_folder"]

#: Where the four files are, each with ".gz" at the end.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)

#: The four files, and the SHA-256 of each when unpacked.
SHA256: Mapping[str, str] = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = SHA256

# The largest file has 47,040,016 bytes unpacked, as some servers send it.
MAX_DOWNLOAD = 48_000_000


def read_folder(folder: str | os.PathLike[str], name: str) -> Source:
    """The data set in a folder that holds the four files.

    Raises
    ------
    DataError
        For a folder or a file that is missing, or for a file that is not what it should be.
    """
    return _assemble(name, {file: idx.read_bytes(path) for file, path in _find(folder).items()})


def holds_idx_files(folder: Path) -> bool:
    """Whether any of the four files is in this folder."""
    return any(_spelled(folder, file) for file in SHA256)


def _read(options: Options) -> Source:
    if options.folder is not None:
        return read_folder(options.folder, "mnist")
    data_folder = os.environ.get("CLEARPROP_DATA")
    if data_folder and (Path(data_folder) / "mnist").is_dir():
        return read_folder(Path(data_folder) / "mnist", "mnist")
    return _assemble("mnist", _cached())


def _find(folder: str | os.PathLike[str]) -> dict[str, Path]:
    place = Path(folder)
    if not place.is_dir():
        raise DataError(f"{place} is no folder; expected one that holds {_the_four_files()}")
    found = {file: _spelled(place, file) for file in SHA256}
    missing = [file for file, paths in found.items() if not paths]
    if missing:
        raise DataError(
            f"{place} does not hold {' and '.join(missing)}; expected in it {_the_four_files()}"
        )
    return {file: paths[0] for file, paths in found.items()}


def _spelled(folder: Path, file: str) -> list[Path]:
    """Where this file is in the folder, under each of its usual names; the unpacked ones first."""
    dotted = file.replace("-idx", ".idx")
    names = (file, dotted, f"{file}.gz", f"{dotted}.gz")
    return [folder / name for name in names if (folder / name).is_file()]


def _the_four_files() -> str:
    return f"the files {', '.join(SHA256)}, each with or without .gz"


def _cached() -> dict[str, bytes]:
    """The four files, unpacked; those that the cache lacks or holds altered are downloaded."""
    import pooch

    cache = Path(pooch.os_cache("clearprop")) / "mnist"
    found = {file: _intact(cache, file) for file in SHA256}
    wanted = [f"{file}.gz" for file, data in found.items() if data is None]
    if wanted:
        fetch(
            wanted,
            cache,
            mirrors=MIRRORS,
            check=lambda file, data: _check(file.removesuffix(".gz"), data),
            max_bytes=MAX_DOWNLOAD,
            advice=(
                "Check the network; or get the files in another way and put them into the folder "
                f"{cache}, or into a folder of your own that you name as folder=… or as "
                f"$CLEARPROP_DATA/mnist: {_the_four_files()}"
            ),
        )
    return {
        file: idx.read_bytes(cache / f"{file}.gz") if data is None else data
        for file, data in found.items()
    }


def _intact(cache: Path, file: str) -> bytes | None:
    """The unpacked bytes of the file, from the first copy in the cache that is as it should be."""
    for path in _spelled(cache, file):
        with contextlib.suppress(DataError):
            return _check(file, idx.read_bytes(path))
    return None


def _check(file: str, data: bytes) -> bytes:
    """The bytes of this file of MNIST, unpacked; they must be the canonical ones."""
    unpacked = idx.unpack(data, what=file)
    digest = hashlib.sha256(unpacked).hexdigest()
    if digest != SHA256[file]:
        raise DataError(f"its SHA-256 is {digest} when unpacked; expected {SHA256[file]}")
    return unpacked


def _assemble(name: str, files: Mapping[str, bytes]) -> Source:
    train, shape = _part(name, files, TRAIN_IMAGES, TRAIN_LABELS)
    test, test_shape = _part(name, files, TEST_IMAGES, TEST_LABELS)
    if shape != test_shape:
        raise DataError(
            f"{name}: {TRAIN_IMAGES} holds images of {shape[0]} × {shape[1]} pixels and "
            f"{TEST_IMAGES} of {test_shape[0]} × {test_shape[1]}; expected one size: are two data "
            "sets mixed up?"
        )
    return Source(
        name=name,
        task="classification",
        train=train,
        test=test,
        classes=tuple(range(10)),
        feature_names=pixel_names(*shape),
        image_shape=shape,
        scaling="none",
        split="last",
    )


def _part(
    name: str, files: Mapping[str, bytes], images_file: str, labels_file: str
) -> tuple[Part, tuple[int, int]]:
    images = _array(name, files, images_file, axes=3)
    labels = _array(name, files, labels_file, axes=1).astype(np.intp)
    if len(images) != len(labels):
        raise DataError(
            f"{name}: {images_file} holds {len(images):,} images and {labels_file} {len(labels):,} "
            "labels; expected as many of one as of the other: are two data sets mixed up?"
        )
    if labels.max() > 9:
        bad = int(np.argmax(labels > 9))
        raise DataError(
            f"{name}: label {bad} in {labels_file} is {labels[bad]}; expected 0 to 9, a class for "
            "each of ten"
        )
    x = pixels(images)
    return (
        Part(frozen(x), frozen(one_hot(labels, 10, "float32")), frozen(labels)),
        (images.shape[1], images.shape[2]),
    )


def _array(name: str, files: Mapping[str, bytes], file: str, *, axes: int) -> NDArray[Any]:
    what = f"{name}: {file}"
    array = idx.decode(idx.unpack(files[file], what=what), what=what, axes=axes)
    if array.dtype != np.uint8:
        raise DataError(f"{what} holds {array.dtype}; expected uint8, a byte for each number")
    if array.size == 0:
        raise DataError(f"{what} is empty (shape {array.shape}); expected at least one sample")
    return array


MNIST = BuiltIn(
    "70,000 handwritten digits of 28 × 28 pixels (downloaded once, 11 MB)", _read, ("folder",)
)
