"""Part and Dataset: what they hold, what they print, and what does not fit into them."""

import numpy as np
import pytest

from clearprop.datasets import Dataset, Part, load, one_hot
from clearprop.errors import InputError, UnknownNameError
from clearprop.scaling import Scaling


def a_part(samples=4, features=3, classes=2):
    labels = np.arange(samples) % classes
    x = np.arange(samples * features, dtype=float).reshape(samples, features)
    return Part(x, one_hot(labels, classes), labels)


def numbers(samples=4):
    return Part(np.ones((samples, 3)), np.ones((samples, 2)))


def test_a_part_owns_what_it_holds():
    x, y = np.zeros((2, 3)), np.ones((2, 1))
    part = Part(x, y, labels=[0, 0])

    x[0, 0] = 7

    assert part.x[0, 0] == 0
    for array in (part.x, part.y, part.labels):
        assert array.flags.c_contiguous
        assert not array.flags.writeable


def test_a_part_is_contiguous_whatever_it_was_given():
    part = Part(np.asfortranarray(np.ones((3, 2))), np.ones((6, 2))[::2])

    assert part.x.flags.c_contiguous
    assert part.y.flags.c_contiguous


@pytest.mark.parametrize(
    ("given", "kept"),
    [("float32", "float32"), ("float64", "float64"), ("float16", "float64"), ("int8", "float64")],
)
def test_targets_have_the_dtype_of_the_inputs(given, kept):
    part = Part(np.ones((2, 2), dtype=given), [[1], [2]])

    assert (part.x.dtype, part.y.dtype) == (kept, kept)


def test_rows_can_be_taken():
    part = a_part(4).take(np.array([3, 0]))

    np.testing.assert_array_equal(part.x, [[9, 10, 11], [0, 1, 2]])
    np.testing.assert_array_equal(part.labels, [1, 0])
    assert len(part) == 2
    assert repr(part) == "Part(2 samples, 3 features, 2 classes)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"x": [1.0, 2.0]}, ["x has shape (2,)", "two axes, (samples, columns)"]),
        ({"x": np.ones((2, 0))}, ["x has shape (2, 0)", "at least one column"]),
        ({"x": [[1.0], [2.0, 3.0]]}, ["x is no rectangular array"]),
        ({"x": [["a"], ["b"]]}, ["x has dtype <U1", "real numbers"]),
        ({"x": [[1.0], [np.nan]]}, ["x holds nan at row 1, column 0", "finite"]),
        ({"y": [[1.0], [np.inf]]}, ["y holds inf at row 1, column 0", "finite"]),
        ({"y": [[1.0]]}, ["x has 2 rows", "y has 1", "one row of each"]),
        ({"labels": [0]}, ["x has 2 rows", "1 labels", "one label for each"]),
        ({"labels": [0, 1]}, ["label 1 of sample 1 is out of range", "0 to 0"]),
        ({"labels": [-1, 0]}, ["label -1 of sample 0 is out of range", "0 to 0"]),
        ({"labels": [0.0, 0.0]}, ["dtype float64", "integers"]),
        ({"labels": [[0], [0]]}, ["shape (2, 1)", "one axis"]),
    ],
)
def test_a_part_that_does_not_fit_is_refused(arguments, said):
    with pytest.raises(InputError) as caught:
        Part(**{"x": np.ones((2, 1)), "y": np.ones((2, 1)), **arguments})

    assert all(words in str(caught.value) for words in said), caught.value


def test_names_are_made_where_none_are_given():
    classified = Dataset("it", "classification", a_part(), a_part(), classes=("no", "yes"))
    measured = Dataset("it", "regression", numbers(), numbers())

    assert classified.feature_names == ("x1", "x2", "x3")
    assert classified.target_names == ()
    assert measured.target_names == ("y1", "y2")


def test_printing_gives_a_short_table():
    data = Dataset(
        "houses",
        "regression",
        numbers(6),
        numbers(2),
        numbers(1),
        feature_names=("area", "rooms", "age"),
        target_names=("rent", "price"),
        scaling=Scaling("standard", np.zeros(3), np.ones(3)),
    )

    assert str(data) == (
        "houses: regression\n"
        "  samples   6 to train, 1 to validate, 2 to test\n"
        "  features  3 (area, rooms, age), float64\n"
        "  targets   2 (rent, price)\n"
        "  scaling   standard"
    )
    assert repr(data) == "Dataset('houses', regression, train=6, validation=1, test=2)"


def test_long_lists_are_shortened_in_print():
    part = a_part(40, 12, 30)
    data = Dataset("it", "classification", part, part, classes=tuple(range(30)))

    assert "features  12 (x1, x2, x3, x4, x5, x6, x7, x8, x9, …, x12)" in str(data)
    assert "classes   30 (0, 1, 2, 3, 4, 5, 6, 7, 8, …, 29)" in str(data)


def test_images_are_printed_with_their_size():
    assert "64 (images of 8 × 8 pixels), float64" in str(load("digits"))


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"task": "classify"}, UnknownNameError, ["'classify'", "did you mean 'classification'"]),
        ({"test": a_part(4, 2)}, InputError, ["test has 2 features and 2 outputs", "3 and 2"]),
        ({"test": a_part(4, 3, 3)}, InputError, ["test has 3 features and 3 outputs", "3 and 2"]),
        ({"validation": numbers()}, InputError, ["validation does not fit", "expected labels"]),
        ({"task": "regression"}, InputError, ["does not fit a regression", "no labels"]),
        ({"classes": ("no",)}, InputError, ["classes has length 1", "expected 2"]),
        ({"classes": None}, InputError, ["classes has length 0", "expected 2"]),
        ({"feature_names": ("a", "b")}, InputError, ["feature_names has length 2", "expected 3"]),
        ({"image_shape": (2, 2)}, InputError, ["image_shape is (2, 2)", "number of features, 3"]),
        ({"scaling": Scaling("s", [0], [1])}, InputError, ["scaling has length 1", "expected 3"]),
    ],
)
def test_a_data_set_whose_pieces_do_not_fit_is_refused(arguments, error, said):
    pieces = {"task": "classification", "train": a_part(), "test": a_part(), "classes": (0, 1)}

    with pytest.raises(error) as caught:
        Dataset("it", **{**pieces, **arguments})

    assert all(words in str(caught.value) for words in said), caught.value


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"classes": (0, 1)}, ["classes is (0, 1)", "None for a regression"]),
        ({"target_names": ("a",)}, ["target_names has length 1", "expected 2"]),
    ],
)
def test_a_regression_has_targets_and_no_classes(arguments, said):
    with pytest.raises(InputError) as caught:
        Dataset("it", "regression", numbers(), numbers(), **arguments)

    assert all(words in str(caught.value) for words in said), caught.value


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 3], ["label 3 of sample 1 is out of range", "0 to 2"]),
        ([[0]], ["shape (1, 1)", "one axis of integers"]),
        ([0.5], ["dtype float64", "integers"]),
    ],
)
def test_one_hot_refuses_what_is_no_label(labels, said):
    with pytest.raises(InputError) as caught:
        one_hot(labels, 3)

    assert all(words in str(caught.value) for words in said), caught.value
