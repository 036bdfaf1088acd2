"""NumPy archives: images, tables, one-hot rows; and headers that lie."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from clearprop.datasets import load, load_inputs, npz
from clearprop.errors import DataError, InputError

X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
Y = np.array([0, 1, 0, 1])
IMAGES = np.arange(24, dtype="u1").reshape(4, 3, 2) * 10


@pytest.fixture
def path(tmp_path):
    return tmp_path / "it.npz"


@pytest.fixture
def read(path):
    """Save arrays and load them, undivided unless asked for otherwise."""

    def read(arguments=None, **members):
        np.savez(path, **members)
        return load(path, **{"test_fraction": 0, **(arguments or {})})

    return read


def member(shape, descr, numbers, fortran=False):
    """An .npy file whose header may say anything."""
    header = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode()
    header = header.ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + numbers


def archive(path, compression=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)


def npy(values):
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


# --- what is read ---------------------------------------------------------------------------------


def test_a_table_with_integer_classes(read):
    data = read(x=X, y=np.array([7, 3, 7, 3]))

    assert data.name == "it.npz"
    assert data.classes == (3, 7)
    assert data.feature_names == ("x1", "x2")
    assert data.scaling.kind == "standard"
    np.testing.assert_array_equal(data.train.x, X, strict=True)
    np.testing.assert_array_equal(data.train.labels, [1, 0, 1, 0])


def test_grey_images_are_flattened_and_divided_by_256(read):
    data = read(X=IMAGES, Y=Y)

    assert data.image_shape == (3, 2)
    assert data.feature_names[1] == "pixel (0, 1)"
    assert data.scaling is None
    np.testing.assert_array_equal(
        data.train.x, (IMAGES.reshape(4, 6) / 256).astype("float32"), strict=True
    )
    assert data.train.y.dtype == np.float32


def test_an_archive_may_have_a_test_part_of_its_own(read):
    data = read({"test_fraction": 0.2}, x_train=X, y_train=Y, x_test=X[:1], y_test=Y[:1])

    assert (len(data.train), len(data.test)) == (4, 1)
    np.testing.assert_array_equal(data.train.x, X)


def test_without_a_test_part_one_is_drawn(read):
    data = read({"test_fraction": 0.25}, x_train=X, y_train=Y)

    assert (len(data.train), len(data.test)) == (3, 1)


@pytest.mark.parametrize(
    ("y", "task", "classes", "targets"),
    [
        (np.array([0, 1, 2, 3]), None, (0, 1, 2, 3), np.eye(4)),
        (np.array([[1], [0], [1], [0]]), None, (0, 1), np.eye(2)[[1, 0, 1, 0]]),
        (np.array([True, False, True, True]), None, (0, 1), np.eye(2)[[1, 0, 1, 1]]),
        (np.array(["b", "a", "b", "b"]), None, ("a", "b"), np.eye(2)[[1, 0, 1, 1]]),
        (np.array([1.0, 2.0, 1.0, 1.0]), "classification", (1, 2), np.eye(2)[[0, 1, 0, 0]]),
        (np.eye(3)[[2, 0, 2, 0]], None, (0, 1, 2), np.eye(3)[[2, 0, 2, 0]]),
        (np.eye(2, dtype=int)[[1, 0, 0, 1]], None, (0, 1), np.eye(2)[[1, 0, 0, 1]]),
        (np.array([0.5, 1.5, 2.5, 3.5]), None, None, [[0.5], [1.5], [2.5], [3.5]]),
        (np.array([0, 1, 2, 3]), "regression", None, [[0], [1], [2], [3]]),
        (np.array([[1, 2], [3, 4], [5, 6], [7, 8]]), None, None, [[1, 2], [3, 4], [5, 6], [7, 8]]),
        (np.eye(2)[[1, 0, 0, 1]], "regression", None, np.eye(2)[[1, 0, 0, 1]]),
    ],
)
def test_the_targets_say_what_the_task_is(read, y, task, classes, targets):
    data = read({"task": task}, x=X, y=y)

    assert data.classes == classes
    assert data.task == ("regression" if classes is None else "classification")
    np.testing.assert_array_equal(data.train.y, targets)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("f4", "float32"), ("f8", "float64"), ("f2", "float32"), (">f4", "float32"),
     ("i8", "float64"), ("u1", "float64"), ("?", "float64")],
)  # fmt: skip
def test_the_dtype_of_inputs(read, given, kept):
    x = X.astype(given)

    data = read(x=x, y=Y)

    assert data.train.x.dtype == kept
    assert data.train.x.dtype.isnative
    np.testing.assert_array_equal(data.train.x, x)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@given(data=st.data())
def test_what_was_saved_is_read(save, data, tmp_path_factory):
    shape = data.draw(array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6))
    x = data.draw(arrays(np.float64, shape, elements=st.floats(-1e9, 1e9)))
    path = tmp_path_factory.mktemp("npz") / "it.npz"
    if data.draw(st.booleans()):
        x = np.asfortranarray(x)
    save(path, x=x, y=np.arange(len(x)) / 2)

    loaded = load(path, test_fraction=0, scaling="none")

    np.testing.assert_array_equal(loaded.train.x, x, strict=True)


@pytest.mark.parametrize(
    "members", [{"x": X}, {"X": X, "y": Y}, {"x_train": X[:1], "y_train": Y[:1], "x_test": X}]
)
def test_inputs_are_read_with_or_without_targets(members, path):
    np.savez(path, **members)

    np.testing.assert_array_equal(load_inputs(path, 2), X, strict=True)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, ["holds no arrays", "x and y", "expected x and y, or x_train and y_train"]),
        ({"x": X}, ["holds x, but not y", "expected x and y"]),
        ({"data": X, "target": Y}, ["holds data, target, but not x and y"]),
        ({"x_train": X}, ["but not y_train"]),
        ({"x_train": X, "y_train": Y, "x_test": X}, ["but not y_test"]),
        ({"x": X[0], "y": Y}, ["x has shape (2,)", "(samples, features)"]),
        ({"x": np.ones((4, 3, 2, 1)), "y": Y}, ["x has shape (4, 3, 2, 1)", "grey images"]),
        ({"x": X[:0], "y": Y[:0]}, ["x has shape (0, 2)", "at least one number"]),
        ({"x": X[:1], "y": Y[:1]}, ["x holds one sample", "at least two"]),
        ({"x": X, "y": Y[:3]}, ["x has 4 samples", "y has shape (3,)", "for each sample"]),
        ({"x": X, "y": np.array(1)}, ["y has shape ()", "for each sample"]),
        ({"x": X, "y": np.ones((4, 2, 2))}, ["y has shape (4, 2, 2)", "(samples, targets)"]),
        ({"x": X, "y": np.ones((4, 0))}, ["y has shape (4, 0)", "at least one"]),
        ({"x": np.where(X == 4, np.nan, X), "y": Y}, ["x holds nan at [1, 1]", "finite"]),
        ({"x": X, "y": np.array([1, np.inf, 2, 3])}, ["y holds inf at [1]", "finite"]),
        ({"x": X + 1j, "y": Y}, ["x has dtype <c16", "numbers"]),
        ({"x": X.astype(str), "y": Y}, ["x has dtype <U32", "real numbers"]),
        ({"x": X, "y": np.array(["2020"] * 4, "M8[Y]")}, ["y has dtype <M8[Y]", "numbers"]),
        ({"x": X, "y": np.zeros(4, [("a", "f8")])}, ["dtype [('a', '<f8')]", "numbers"]),
        ({"x": X, "y": np.zeros(4, int)}, ["y holds one class only, 0", "at least two"]),
        ({"x": X, "y": np.eye(2)[[0, 0, 0, 0]]}, ["one-hot rows of 2 columns, 1", "at least two"]),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:1], "y_test": np.array([5])},
            ["y_test holds the class 5", "every class in the training part"],
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
            ["x_train has shape (2,)", "x_test (1,)", "expected the same"],
        ),
        (
            {"x_train": IMAGES, "y_train": Y, "x_test": IMAGES.reshape(4, 2, 3), "y_test": Y},
            ["x_train has shape (3, 2)", "x_test (2, 3)", "expected the same"],
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": X},
            ["y_train has shape (4,)", "y_test (4, 2)", "as many columns"],
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y / 2},
            ["y_train has dtype int64", "y_test float64", "in both"],
        ),
        ({"x": X, "y": np.array(["1e999"] * 4, np.longdouble)}, ["y holds inf at [0]"]),
        ({"x": X.astype("f4"), "y": Y + 1e99}, ["y holds inf at row 0", "(as float32)"]),
    ],
)
def test_arrays_that_are_no_data_set_are_refused(members, said, path, refuses):
    np.savez(path, **members)

    with refuses(DataError, "it.npz", *said):
        load(path)


@pytest.mark.parametrize(
    ("y", "task", "said"),
    [
        (X, "classification", ["y has shape (4, 2)", "one-hot rows"]),
        (np.array([0.5, 1, 2, 3]), "classification", ["dtype float64", "one whole number"]),
        (np.array(["a", "b", "a", "b"]), "regression", ["y holds texts", "numbers"]),
        (np.array([["a"] * 2] * 4), None, ["y holds texts in shape (4, 2)", "one text"]),
    ],
)
def test_targets_that_do_not_fit_the_task_are_refused(y, task, said, path, refuses):
    np.savez(path, x=X, y=y)

    with refuses(DataError, *said):
        load(path, task=task)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (member((2**31, 784), "<f8", bytes(64)), ["64 bytes", "13,469,017,440,256", "damaged"]),
        (member((2, 2), "<f8", bytes(31)), ["31 bytes", "expected 32", "claims shape (2, 2)"]),
        (member((2, 2), "<f8", bytes(33)), ["33 bytes", "expected 32"]),
        (member((-2, -2), "<f8", bytes(32)), ["claims shape (-2, -2)", "numpy.savez"]),
        (member((2, 2), "|O", bytes(32)), ["dtype |O", "Python objects are never loaded"]),
        (member((2, 2), "<f3", bytes(32)), ["dtype <f3", "expected numbers"]),
        (member((2,) * 40, "<f8", bytes(32)), ["claims shape (2, 2,", "numpy.savez"]),
        (member(4, "<f8", bytes(32)), ["claims shape 4", "numpy.savez"]),
        (member((2, 2), "<f8", bytes(32), "no"), ["fortran_order 'no'", "numpy.savez"]),
        (b"\x93NUMPY\2\0" + bytes([255] * 99), ["4,294,967,295 bytes", "10,000 are plenty"]),
        (b"\x93NUMPY\1\0\2\0{}", ["its header cannot be read", "numpy.savez"]),
        (b"\x93NUMPY\1\0\1\0(", ["its header cannot be read", "numpy.savez"]),
        (b"\x93NUMPY\x01", ["is no .npy file", "numpy.savez"]),
        (b"\x93NUMPY\x09\x00" + bytes(99), ["is no .npy file", "numpy.savez"]),
        (b"no array at all", ["is no .npy file", "numpy.savez"]),
    ],
)
def test_a_member_that_is_not_what_it_claims_is_refused(x, said, path, refuses):
    archive(path, x=x, y=npy(Y))

    with refuses(DataError, "it.npz: x", *said):
        load(path)


def test_a_member_that_is_shorter_than_the_archive_says_is_refused(path, refuses):
    short = member((3, 2), "<f8", X[:2].tobytes())
    archive(path, x=short, y=npy(Y))
    data = bytearray(path.read_bytes())
    # The length when unpacked, in the central header of the first member.
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, len(short) + 16)
    path.write_bytes(data)

    with refuses(DataError, "x ends after 32 of 48 bytes", "cut short"):
        load(path)


def test_python_objects_are_never_loaded(path, refuses):
    class Trap:
        def __reduce__(self):
            return (print, ("unpickled",))

    np.savez(path, x=X, y=np.array([Trap()] * 4))

    with refuses(DataError, "y has dtype |O", "never loaded"):
        load(path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: b"", "zip file"),
        (lambda data: b"PK\3\4 and no more", "zip file"),
        (lambda data: data[: len(data) // 2], "zip file"),
        (lambda data: data.replace(X.tobytes(), X[::-1].tobytes()), "CRC"),
    ],
    ids=["empty", "no archive", "cut short", "altered"],
)
def test_a_damaged_archive_is_refused(damage, said, path, refuses):
    np.savez(path, x=X, y=Y)
    path.write_bytes(damage(path.read_bytes()))

    with refuses(DataError, "cannot be read as an .npz archive", said, "numpy.savez wrote"):
        load(path)


def test_an_encrypted_member_is_refused(path, refuses):
    np.savez(path, x=X, y=Y)
    data = bytearray(path.read_bytes())
    # Bit 0 of the flags, in the local and in the central header of the first member.
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)

    with refuses(DataError, "cannot be read as an .npz archive", "encrypted"):
        load(path)


def test_an_unusual_packing_is_refused(path, refuses):
    np.savez(path, x=X, y=Y)
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(b"PK\1\2") + 10, 14)
    path.write_bytes(data)

    with refuses(DataError, "x is packed by method 14", "expected 0 (not at all) or 8 (deflate)"):
        load(path)


def test_more_than_the_limit_is_not_unpacked(path, refuses, monkeypatch):
    archive(path, zipfile.ZIP_DEFLATED, x=npy(np.zeros((1000, 1000))), y=npy(np.zeros(1000)))
    monkeypatch.setattr(npz, "MAX_BYTES", 1_000_000)

    tracemalloc.start()
    try:
        with refuses(DataError, "x has 8,000,000 bytes unpacked", "at most 1,000,000 in all"):
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


def test_labels_that_are_no_text_are_refused(path, refuses):
    archive(path, x=npy(X), y=member((4,), "<U1", b"\xff" * 16))

    with refuses(DataError, "y holds the code point 0xffffffff", "no character"):
        load(path)


def test_a_column_cannot_be_chosen_in_an_archive(path, refuses):
    np.savez(path, x=X, y=Y)

    with refuses(InputError, "target='y'", "it.npz, which has no use for it"):
        load(path, target="y")


def test_inputs_of_another_width_are_refused(path, refuses):
    np.savez(path, x=X)

    with refuses(DataError, "a sample of x has 2 numbers", "expected 3"):
        load_inputs(path, 3)
