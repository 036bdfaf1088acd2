"""MNIST: from a folder, from the cache, and over the network."""

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from clearprop.datasets import fetch, load, mnist
from clearprop.errors import DataError, DownloadError, InputError

FILES = tuple(mnist.SHA256)


# --- the real files -------------------------------------------------------------------------------


def test_the_real_one(mnist_dir):
    data = load("mnist", folder=mnist_dir, validation_fraction=1 / 6)

    assert (len(data.train), len(data.validation), len(data.test)) == (50_000, 10_000, 10_000)
    assert data.image_shape == (28, 28)
    assert data.classes == tuple(range(10))
    assert data.scaling is None
    # Each pixel is a multiple of 1/256, exactly, and the darkest is 255/256.
    grey = data.train.x[:1000] * 256
    assert data.train.x.dtype == np.float32
    np.testing.assert_array_equal(grey, np.round(grey))
    assert data.test.x.max() == np.float32(255 / 256)
    # The first digits of the two original parts: 5 0 4 1 9 and 7 2 1 0 4.
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_the_real_files_are_the_canonical_ones(mnist_dir):
    for file, paths in ((file, mnist._spelled(mnist_dir, file)) for file in FILES[1:]):
        unpacked = mnist._check(file, paths[0].read_bytes())

        assert hashlib.sha256(unpacked).hexdigest() == mnist.SHA256[file]


# --- a folder -------------------------------------------------------------------------------------


def test_a_folder_may_hold_another_data_set_in_the_same_form(small_mnist, small_files):
    data = load(small_mnist)

    assert data.name == "small"
    assert data.image_shape == (3, 2)
    assert data.feature_names[:3] == ("pixel (0, 0)", "pixel (0, 1)", "pixel (1, 0)")
    assert data.train.labels.tolist() == [*range(10), 0, 1]
    assert data.test.labels.tolist() == [1, 0, 9, 1]
    grey = np.frombuffer(small_files[FILES[2]][16:], np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(data.test.x, (grey / 256).astype(np.float32), strict=True)


def test_validation_takes_the_last_of_the_training_samples(small_mnist):
    data = load(small_mnist, validation_fraction=0.25)

    assert data.train.labels.tolist() == list(range(9))
    assert data.validation.labels.tolist() == [9, 0, 1]


@pytest.mark.parametrize("given", ["folder", "path", "environment"])
def test_the_folder_may_be_given_in_three_ways(given, small_mnist, monkeypatch):
    monkeypatch.delenv("CLEARPROP_DATA", raising=False)
    if given == "folder":
        data = load("mnist", folder=small_mnist)
    elif given == "path":
        data = load(str(small_mnist))
    else:
        small_mnist.rename(small_mnist.with_name("mnist"))
        monkeypatch.setenv("CLEARPROP_DATA", str(small_mnist.parent))
        data = load("mnist")

    assert len(data.train) == 12


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({FILES[0]: None}, [f"does not hold {FILES[0]}", "each with or without .gz"]),
        ({FILES[0]: None, FILES[1]: None}, [f"{FILES[0]} and {FILES[1]}"]),
        ({FILES[1]: "labels of 11"}, ["12 images", "11 labels", "as many of one"]),
        ({FILES[1]: "label of 10"}, ["label 2", "is 10", "expected 0 to 9"]),
        ({FILES[0]: "images of 2 × 3"}, ["3 × 2", "2 × 3", "expected one size"]),
        ({FILES[0]: "int16"}, [FILES[0], "int16", "expected uint8"]),
        ({FILES[0]: "no images", FILES[1]: "no labels"}, ["is empty", "(0, 3, 2)", "at least one"]),
        ({FILES[1]: "swapped"}, [FILES[1], "3 axes (images)", "expected 1 (labels)"]),
        ({FILES[0]: "cut short"}, [FILES[0], "has 50 bytes", "expected 88"]),
    ],
)
def test_a_folder_with_other_files_is_refused(damage, said, small_mnist, encode, refuses):
    substitutes = {
        "labels of 11": encode(np.zeros(11, "u1")),
        "label of 10": encode(np.array([0, 1, 10] * 4, "u1")),
        "images of 2 × 3": encode(np.zeros((12, 2, 3), "u1")),
        "int16": encode(np.zeros((12, 3, 2), "i2")),
        "no images": encode(np.zeros((0, 3, 2), "u1")),
        "no labels": encode(np.zeros(0, "u1")),
        "swapped": (small_mnist / FILES[0]).read_bytes(),
        "cut short": (small_mnist / FILES[0]).read_bytes()[:50],
    }
    for file, substitute in damage.items():
        (small_mnist / file).unlink()
        if substitute is not None:
            (small_mnist / file).write_bytes(substitutes[substitute])

    with refuses(DataError, *said):
        load("mnist", folder=small_mnist)


def test_a_folder_that_is_not_there_is_named(tmp_path, refuses):
    with refuses(DataError, "nowhere is no folder", FILES[0]):
        load("mnist", folder=tmp_path / "nowhere")


def test_a_folder_without_such_files_is_no_data_set(tmp_path, refuses):
    with refuses(DataError, str(tmp_path), "without the files of MNIST", ".npz"):
        load(tmp_path)


def test_its_targets_are_classes(small_mnist, refuses):
    with refuses(InputError, "task='regression'", "whose targets are classes"):
        load("mnist", folder=small_mnist, task="regression")


# --- the cache and the network --------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, small_files, monkeypatch) -> Path:
    """The folder of a cache that is still empty; the small files pass for the canonical ones."""
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.delenv("CLEARPROP_DATA", raising=False)
    sums = {file: hashlib.sha256(data).hexdigest() for file, data in small_files.items()}
    monkeypatch.setattr(mnist, "SHA256", sums)
    return tmp_path / "cache" / "clearprop" / "mnist"


@pytest.fixture
def mirror(make_mirror, small_files, monkeypatch):
    """The only mirror; it has the four files."""
    mirror = make_mirror()
    mirror.answers = {f"{file}.gz": gzip.compress(data) for file, data in small_files.items()}
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url,))
    return mirror


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_are_downloaded_once(cache, mirror):
    first = load("mnist")
    assert names(cache) == sorted(mirror.answers)
    assert mirror.asked == [f"{file}.gz" for file in FILES]

    second = load("mnist")
    assert len(mirror.asked) == 4
    np.testing.assert_array_equal(first.train.x, second.train.x)


def test_files_put_into_the_cache_by_hand_will_do(cache, mirror, small_mnist):
    shutil.copytree(small_mnist, cache)

    assert len(load("mnist").test) == 4
    assert mirror.asked == []


def test_only_what_is_missing_is_downloaded(cache, mirror):
    load("mnist")
    (cache / f"{FILES[2]}.gz").unlink()
    mirror.asked.clear()

    load("mnist")

    assert mirror.asked == [f"{FILES[2]}.gz"]


def test_an_altered_file_in_the_cache_is_replaced(cache, mirror, small_files):
    load("mnist")
    altered = bytearray(small_files[FILES[0]])
    altered[-1] ^= 1
    (cache / f"{FILES[0]}.gz").write_bytes(gzip.compress(altered))

    load("mnist")

    assert mirror.asked[4:] == [f"{FILES[0]}.gz"]
    assert gzip.decompress((cache / f"{FILES[0]}.gz").read_bytes()) == small_files[FILES[0]]


@pytest.mark.parametrize("failing", ["dead", "missing", "corrupt", "a web page", "broken off"])
def test_where_the_first_mirror_fails_the_second_is_used(
    failing, cache, mirror, make_mirror, dead_url, monkeypatch
):
    first = make_mirror()
    if failing == "corrupt":
        first.answers = {name: data[:-1] for name, data in mirror.answers.items()}
    elif failing == "a web page":
        first.answers = dict.fromkeys(mirror.answers, b"<html>Please log in</html>")
    elif failing == "broken off":
        first.answers, first.overstated = mirror.answers, 10
    url = dead_url if failing == "dead" else first.url
    monkeypatch.setattr(mnist, "MIRRORS", (url, mirror.url))

    assert len(load("mnist").train) == 12
    assert names(cache) == sorted(mirror.answers)
    # One that failed is not asked again while another one works.
    assert first.asked == ([] if failing == "dead" else [f"{FILES[0]}.gz"])


def test_a_file_that_its_server_unpacked_is_the_same_file(cache, mirror, small_files):
    mirror.answers = {f"{file}.gz": data for file, data in small_files.items()}

    assert len(load("mnist").train) == 12
    assert len(load("mnist").train) == 12
    assert len(mirror.asked) == 4


def test_corrupt_content_is_refused_and_not_kept(cache, mirror, small_files, refuses):
    altered = small_files[FILES[0]][:-1] + b"\0"
    mirror.answers[f"{FILES[0]}.gz"] = gzip.compress(altered)
    given = hashlib.sha256(altered).hexdigest()

    with refuses(
        DownloadError, mirror.url, f"SHA-256 is {given}", f"expected {mnist.SHA256[FILES[0]]}"
    ):
        load("mnist")

    assert not cache.exists()


def test_without_a_network_the_error_says_what_to_do(cache, dead_url, refuses, monkeypatch):
    another = dead_url.replace("/mnist/", "/elsewhere/")
    monkeypatch.setattr(mnist, "MIRRORS", (dead_url, another))

    with refuses(
        DownloadError,
        f"{FILES[0]}.gz could not be downloaded",
        f"{dead_url}: no connection",
        f"{another}: no connection",
        f"put them into the folder {cache}",
        "$CLEARPROP_DATA/mnist",
        "folder=",
        *FILES,
    ):
        load("mnist")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answers": {}}, "it answered 404 Not Found"),
        ({"status": 503}, "it answered 503 Service Unavailable"),
        ({"overstated": 5}, "the connection broke off"),
    ],
)
def test_why_a_mirror_failed_is_said(change, said, cache, mirror, refuses):
    for name, value in change.items():
        setattr(mirror, name, value)

    with refuses(DownloadError, f"{mirror.url}: {said}"):
        load("mnist")


def test_a_mirror_without_a_secure_connection_is_given_up(cache, mirror, refuses, monkeypatch):
    secure = mirror.url.replace("http:", "https:")
    monkeypatch.setattr(mnist, "MIRRORS", (secure,))

    with refuses(DownloadError, f"{secure}: no secure connection"):
        load("mnist")


def test_a_mirror_that_does_not_answer_is_given_up(cache, mirror, refuses, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", (0.2, 0.2))
    mirror.awake.clear()

    with refuses(DownloadError, f"{mirror.url}: no answer in time"):
        load("mnist")


def test_an_answer_without_end_is_cut_off(cache, mirror, refuses, monkeypatch):
    monkeypatch.setattr(mnist, "MAX_DOWNLOAD", 20)

    with refuses(DownloadError, f"{mirror.url}: it sent more than 20 bytes"):
        load("mnist")


def test_a_cache_that_cannot_be_written_is_named(cache, mirror, refuses):
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where a folder should be")

    with refuses(DataError, str(cache / FILES[0]), "cannot be written"):
        load("mnist")


def test_a_bar_shows_what_pooch_tells_it():
    with Progress(disable=True) as progress:
        bar = fetch._Bar(progress, "labels.gz")
        assert bar.total is None

        bar.total = 100
        bar.update(64)
        assert (bar.total, progress.tasks[0].percentage) == (100, 64)
        bar.reset()
        assert progress.tasks[0].completed == 0
        bar.close()
        assert not progress.tasks[0].visible


def test_progress_is_drawn_on_a_terminal_only(cache, mirror, capsys, monkeypatch):
    load("mnist")
    assert capsys.readouterr().err == ""

    shutil.rmtree(cache)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    load("mnist")
    assert FILES[0] in capsys.readouterr().err
