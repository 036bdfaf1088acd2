"""load(): names, splits, scaling, and the arguments that it refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearprop.datasets import DATASETS, Part, load, load_inputs, one_hot
from clearprop.datasets.source import Source, divide
from clearprop.errors import DataError, InputError, UnknownNameError
from clearprop.scaling import Scaling

OFFLINE = [name for name in DATASETS if name != "mnist"]
DRAWN = ["moons", "circles", "spirals", "blobs"]


def numbered_rows(labels, n_classes):
    """Samples whose only feature is their own number, so that one sees where each has gone."""
    x = np.arange(len(labels), dtype=float)[:, None]
    return Part(x, one_hot(labels, n_classes), labels)


def rows(*parts):
    return [int(i) for part in parts for i in part.x[:, 0]]


def split(part, test=0.2, validation=0.0, seed=0, **source):
    return divide(
        Source("it", "classification", part, classes=tuple(range(part.y.shape[1])), **source),
        test_fraction=test,
        validation_fraction=validation,
        scaling="none",
        seed=np.random.SeedSequence(seed),
    )


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OFFLINE)
def test_every_built_in_data_set_is_whole(name):
    data = load(name, validation_fraction=0.25)

    assert data.name == name
    assert data.task == "classification"
    assert DATASETS[name].description
    assert set(data.parts) == {"train", "validation", "test"}
    for part in data.parts.values():
        assert len(part) > 0
        for array in (part.x, part.y, part.labels):
            assert array.flags.c_contiguous
            assert not array.flags.writeable
        assert np.isfinite(part.x).all()
        np.testing.assert_array_equal(part.y, np.eye(len(data.classes))[part.labels])


@pytest.mark.parametrize("name", OFFLINE)
def test_the_same_seed_gives_the_same_data(name):
    one, same = load(name, seed=5), load(name, seed=5)

    for part in ("train", "test"):
        np.testing.assert_array_equal(one.parts[part].x, same.parts[part].x)
        np.testing.assert_array_equal(one.parts[part].labels, same.parts[part].labels)


@pytest.mark.parametrize("name", [name for name in OFFLINE if name != "xor"])
def test_another_seed_gives_other_data(name):
    assert not np.array_equal(load(name, seed=5).train.x, load(name, seed=6).train.x)


def test_digits_are_the_whole_of_scikit_learns():
    from sklearn.datasets import load_digits

    data = load("digits", validation_fraction=0.25)
    bunch = load_digits()

    both = [np.concatenate([part.x * 16, part.labels[:, None]], axis=1)
            for part in data.parts.values()]  # fmt: skip
    found = sorted(map(tuple, np.concatenate(both)))
    assert found == sorted(map(tuple, np.column_stack([bunch.data, bunch.target])))
    assert data.image_shape == (8, 8)
    assert data.classes == tuple(range(10))
    assert data.train.x.dtype == np.float64
    assert data.scaling is None


def test_xor_is_too_small_to_divide():
    data = load("xor", validation_fraction=0.5)

    for part in data.parts.values():
        np.testing.assert_array_equal(part.x, [[0, 0], [0, 1], [1, 0], [1, 1]])
        np.testing.assert_array_equal(part.labels, [0, 1, 1, 0])
    assert load("xor").validation is None


@pytest.mark.parametrize("name", DRAWN)
def test_how_many_points_and_how_noisy_may_be_chosen(name):
    calm = load(name, samples=30, noise=0, test_fraction=0)
    noisy = load(name, samples=30, noise=0.5, test_fraction=0)

    assert len(calm.train) == len(noisy.train) == 30
    # Calm blobs are points: three of them. Other shapes without noise lie within their own radius.
    distance = np.linalg.norm(noisy.train.x - calm.train.x, axis=1)
    assert distance.max() > 0.1


def test_spiral_arms_are_one_arm_turned():
    from clearprop.datasets.synthetic import spirals

    x, labels = spirals(90, arms=3, noise=0)
    a_third = 2 * np.pi / 3
    turn = np.array([[np.cos(a_third), -np.sin(a_third)], [np.sin(a_third), np.cos(a_third)]])

    np.testing.assert_allclose(x[labels == 0] @ turn.T, x[labels == 1], atol=1e-12)
    np.testing.assert_allclose(x[labels == 1] @ turn.T, x[labels == 2], atol=1e-12)
    assert np.linalg.norm(x, axis=1).max() == pytest.approx(1)


def test_importing_it_imports_nothing_heavy():
    heavy = ["sklearn", "pooch", "requests", "rich", "torch", "jax"]
    code = f"import sys, clearprop.datasets; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


# --- parts ----------------------------------------------------------------------------------------


def test_parts_have_the_sizes_that_were_asked_for():
    data = split(numbered_rows(np.arange(100) % 4, 4), test=0.2, validation=0.25)

    assert (len(data.train), len(data.validation), len(data.test)) == (60, 20, 20)
    assert sorted(rows(data.train, data.validation, data.test)) == list(range(100))


@given(
    labels=st.lists(st.integers(0, 3), min_size=12, max_size=60),
    test=st.floats(0.05, 0.5),
    validation=st.floats(0, 0.3),
    seed=st.integers(0, 2**32),
)
def test_parts_divide_the_samples_and_each_class_stays_in_training(labels, test, validation, seed):
    labels = np.array(labels)
    part = numbered_rows(labels, 4)

    data = split(part, test, validation, seed)

    assert sorted(rows(*data.parts.values())) == list(range(len(labels)))
    assert set(data.train.labels) == set(labels)
    for held in data.parts.values():
        np.testing.assert_array_equal(labels[rows(held)], held.labels)


def test_each_class_is_held_out_in_proportion():
    labels = np.repeat([0, 1, 2], [50, 30, 20])

    data = split(numbered_rows(labels, 3), test=0.2)

    assert np.bincount(data.test.labels).tolist() == [10, 6, 4]


def test_the_only_member_of_a_class_is_never_held_out():
    labels = np.array([0] * 8 + [1])

    for seed in range(20):
        assert 8 in rows(split(numbered_rows(labels, 2), test=0.5, seed=seed).train)


def test_parts_come_in_random_order():
    data = split(numbered_rows(np.repeat([0, 1], 50), 2))

    assert rows(data.train) != sorted(rows(data.train))


def test_without_a_test_part_the_order_stays():
    data = split(numbered_rows(np.arange(6) % 2, 2), test=0)

    assert rows(data.train) == [0, 1, 2, 3, 4, 5]
    assert len(data.test) == 0
    assert data.test.x.shape == (0, 1)


def test_asking_for_validation_leaves_the_test_part_as_it_is():
    part = numbered_rows(np.arange(40) % 2, 2)

    assert rows(split(part).test) == rows(split(part, validation=0.3).test)


def test_a_regression_is_divided_at_random():
    part = Part(np.arange(10.0)[:, None], np.arange(10.0)[:, None])
    data = divide(
        Source("it", "regression", part),
        test_fraction=0.3,
        validation_fraction=0,
        scaling="none",
        seed=np.random.SeedSequence(1),
    )

    assert len(data.test) == 3
    assert sorted(rows(data.train, data.test)) == list(range(10))
    np.testing.assert_array_equal(data.train.x, data.train.y)


@pytest.mark.parametrize(
    ("labels", "test", "validation", "said"),
    [
        (
            [0, 1],
            0.5,
            0,
            ["test_fraction=0.5 holds out 1 of 2", "each of the 2 classes", "0 holds"],
        ),
        ([0, 1, 2, 3, 0], 0.4, 0, ["holds out 2 of 5", "at least 4 must be left"]),
        ([0, 0, 1, 1], 0.25, 0.5, ["validation_fraction=0.5 holds out 2 of 3", "2 classes"]),
    ],
)
def test_too_few_samples_for_the_parts_are_refused(labels, test, validation, said, refuses):
    with refuses(DataError, *said):
        split(numbered_rows(np.array(labels), max(labels) + 1), test, validation)


# --- scaling --------------------------------------------------------------------------------------


def test_scaling_is_learnt_on_the_training_part_alone():
    data = load("blobs", samples=60, validation_fraction=0.2)

    assert data.scaling == Scaling.learn("standard", data.train.x)
    everything = np.concatenate([part.x for part in data.parts.values()])
    assert data.scaling != Scaling.learn("standard", everything)
    # What the parts hold is raw.
    assert abs(data.train.x.mean()) > 0.1


@pytest.mark.parametrize(
    ("name", "expected"),
    [("digits", None), ("xor", None), ("moons", None), ("circles", None), ("spirals", None),
     ("blobs", "standard")],
)  # fmt: skip
def test_scaling_is_automatic_by_kind_of_data(name, expected):
    scaling = load(name).scaling

    assert (scaling and scaling.kind) == expected


@pytest.mark.parametrize("kind", ["none", "standard", "minmax"])
def test_scaling_may_be_chosen(kind):
    data = load("digits", scaling=kind)

    assert data.scaling == Scaling.learn(kind, data.train.x)


# --- what load refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "error", "said"),
    [
        ("digit", {}, UnknownNameError, ["'digit'", "did you mean 'digits'", "blobs", ".csv"]),
        ("iris", {}, UnknownNameError, ["'iris'", "Known: digits, mnist", "path to a .csv, .tsv"]),
        ("iris.csv", {}, DataError, ["there is no iris.csv", "current folder", ".npz", "digits"]),
        ("data/iris", {}, DataError, ["there is no data/iris"]),
        (Path("iris"), {}, DataError, ["there is no iris", "current folder"]),
        (3, {}, InputError, ["3 is no data set", "its name, or a path"]),
        ("digits", {"task": "clustering"}, UnknownNameError, ["'clustering'", "regression"]),
        ("digits", {"task": "regression"}, InputError, ["given for digits", "are classes"]),
        ("digits", {"scaling": "z"}, UnknownNameError, ["scaling 'z'", "auto, none, standard"]),
        ("digits", {"test_fraction": 1}, InputError, ["test_fraction is 1", "below 1"]),
        ("digits", {"test_fraction": -0.1}, InputError, ["test_fraction is -0.1", "at least 0"]),
        ("digits", {"test_fraction": float("nan")}, InputError, ["test_fraction is nan"]),
        ("digits", {"test_fraction": True}, InputError, ["test_fraction is True", "a share"]),
        ("digits", {"validation_fraction": "half"}, InputError, ["validation_fraction is 'half'"]),
        ("digits", {"seed": -1}, InputError, ["seed is -1", "at least 0"]),
        ("digits", {"seed": 0.5}, InputError, ["seed is 0.5", "whole number"]),
        ("digits", {"samples": 10}, InputError, ["samples=10", "digits, which has no use for it"]),
        ("digits", {"folder": "."}, InputError, ["folder='.'", "digits, which has no use for it"]),
        ("digits", {"target": "y"}, InputError, ["target='y'", "digits", "leave it out"]),
        ("xor", {"noise": 0.1}, InputError, ["noise=0.1", "xor, which has no use for it"]),
        ("moons", {"folder": "."}, InputError, ["folder='.'", "expected samples, noise only"]),
        ("moons", {"samples": 3}, InputError, ["samples is 3", "expected 4 to 10,000,000"]),
        ("blobs", {"samples": 10**9}, InputError, ["samples is 1,000,000,000", "to 10,000,000"]),
        ("spirals", {"samples": 9.5}, InputError, ["samples is 9.5", "integer"]),
        ("circles", {"noise": -1}, InputError, ["noise is -1", "from 0 up"]),
        ("circles", {"noise": float("inf")}, InputError, ["noise is inf", "standard deviation"]),
    ],
)
def test_such_arguments_are_refused(name, arguments, error, said, refuses):
    with refuses(error, *said):
        load(name, **arguments)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (load, DataError, ["unknown ending, '.xlsx'", ".csv"]),
        (lambda path: load_inputs(path, 2), DataError, ["unknown ending, '.xlsx'", ".csv"]),
        (lambda path: load_inputs(path, 0), InputError, ["n_inputs is 0", "1 or more"]),
        (lambda path: load_inputs("new.csv", 2), DataError, ["there is no new.csv"]),
    ],
)
def test_such_files_are_refused(call, error, said, tmp_path, refuses):
    path = tmp_path / "data.xlsx"
    path.write_bytes(b"PK")

    with refuses(error, *said):
        call(path)


@pytest.mark.parametrize("argument", ["samples", "noise", "folder"])
@pytest.mark.parametrize("name", ["it.csv", "it.npz"])
def test_a_file_takes_no_argument_of_a_built_in_data_set(name, argument, tmp_path, refuses):
    (tmp_path / name).write_bytes(b"")

    with refuses(InputError, f"{argument}=5", f"{name}, which has no use for it"):
        load(tmp_path / name, **{argument: 5})


def test_a_name_goes_before_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("xor").mkdir()

    assert load("xor").name == "xor"
