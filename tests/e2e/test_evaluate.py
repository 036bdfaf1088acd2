"""``clearprop evaluate``: how good a model is on samples that it has, or has not, seen."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clearprop as cp


@pytest.fixture
def model(cli: Any, flowers: Path) -> Path:
    """A model that tells the flowers apart, trained with seed 3."""
    ran = cli("train", flowers, "--seed", 3, "--hidden", 8, "--save", "flowers.safetensors")
    assert ran.code == 0
    return flowers.parent / "flowers.safetensors"


def _json(cli: Any, *arguments: object) -> Any:
    ran = cli("evaluate", *arguments, "--json")
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


def test_the_parts_are_those_of_the_training(cli: Any, model: Path, flowers: Path) -> None:
    ran = cli("evaluate", model, flowers)
    assert (ran.code, ran.err) == (0, "")
    net, data = cp.load(model), cp.datasets.load(flowers, seed=3)
    right = round(12 * (cp.evaluate(net, data.test).accuracy or 0))
    lines = ran.out.splitlines()
    assert lines[0] == "flowers.csv is divided as it was for the training (seed 3)"
    assert lines[1].startswith("accuracy ")
    assert f"({right} of 12 test samples), loss " in lines[1]


@pytest.mark.parametrize(
    ("part", "samples"), [("test", "12 test"), ("train", "48 training"), ("all", "60")]
)
def test_a_part_can_be_chosen(
    cli: Any, model: Path, flowers: Path, part: str, samples: str
) -> None:
    assert f"of {samples} samples" in cli("evaluate", model, flowers, "--part", part).out


def test_another_seed_mixes_the_parts_and_that_is_said(
    cli: Any, model: Path, flowers: Path
) -> None:
    ran = cli("evaluate", model, flowers, "--seed", 4)
    assert "divided in another way than for the training (seed 4)" in ran.out
    assert "may hold samples that the model was trained on" in ran.out
    assert "as it was for the training" in cli("evaluate", model, flowers, "--seed", 3).out


def test_other_data_are_used_whole(cli: Any, model: Path, flowers: Path) -> None:
    other = flowers.with_name("garden.csv")
    other.write_text(flowers.read_text())
    ran = cli("evaluate", model, other)
    assert ran.out.startswith("the model was trained on flowers.csv, not on garden.csv\n")
    assert " of 60 samples), loss " in ran.out


def test_a_model_without_a_past(cli: Any, flowers: Path) -> None:
    net = cp.Network([2, 3], activations="softmax", seed=0, classes=["daisy", "rose", "tulip"])
    cp.save(net, flowers.parent / "own.safetensors")
    ran = cli("evaluate", "own.safetensors", flowers)
    assert ran.out.startswith("the model file does not say what the model was trained on\n")
    assert " of 60 samples), loss " in ran.out


def test_classes_and_confusions_add_up(cli: Any, model: Path, flowers: Path) -> None:
    found = _json(cli, model, flowers, "--part", "all")
    assert found["data"] == "flowers.csv"
    assert [row["class"] for row in found["classes"]] == ["daisy", "rose", "tulip"]
    matrix = np.array(found["confusion"])
    assert matrix.sum() == found["samples"] == 60
    assert matrix.trace() / 60 == pytest.approx(found["accuracy"])
    for k, row in enumerate(found["classes"]):
        assert row["samples"] == matrix[k].sum()
        assert row["recall"] == pytest.approx(matrix[k, k] / matrix[k].sum())
        assert row["precision"] == pytest.approx(matrix[k, k] / matrix[:, k].sum())


def test_a_class_that_is_never_predicted_has_no_precision(cli: Any, flowers: Path) -> None:
    net = cp.Network([2, 3], initializer="zeros", classes=["daisy", "rose", "tulip"])
    net.biases[2] = [1.0, 0.0, 0.0]
    cp.save(net, flowers.parent / "daisies.safetensors")
    ran = cli("evaluate", "daisies.safetensors", flowers)
    assert [line.split() for line in ran.out.splitlines()[3:7]] == [
        ["class", "precision", "recall", "F1", "samples"],
        ["daisy", "0.333", "1.000", "0.500", "20"],
        ["rose", "undefined", "0.000", "0.000", "20"],
        ["tulip", "undefined", "0.000", "0.000", "20"],
    ]
    found = _json(cli, "daisies.safetensors", flowers)
    assert found["classes"][1]["precision"] is None
    assert found["confusion"] == [[20, 0, 0]] * 3


def test_a_file_may_hold_fewer_classes_than_the_model_knows(
    cli: Any, model: Path, flowers: Path
) -> None:
    lines = flowers.read_text().splitlines()
    some = flowers.with_name("some.csv")
    some.write_text("\n".join([lines[0], *lines[21:]]) + "\n")
    found = _json(cli, model, some)
    assert [row["samples"] for row in found["classes"]] == [0, 20, 20]
    assert found["accuracy"] > 0.8


def test_one_output_stands_for_two_classes(cli: Any, tmp_path: Path) -> None:
    data = cp.datasets.load("moons")
    net = cp.Network(
        [2, 8, 1], activations=["tanh", "sigmoid"], loss="binary_cross_entropy", seed=0
    )
    cp.fit(
        net,
        (data.train.x, data.train.labels[:, None]),
        epochs=20,
        optimizer=cp.Adam(0.02),
        seed=0,
    )
    net.classes = data.classes
    cp.save(net, tmp_path / "one.safetensors")
    found = _json(cli, "one.safetensors", "moons")
    assert found["accuracy"] > 0.9
    assert len(found["confusion"]) == 2


def test_numbers_are_judged_in_their_own_unit(cli: Any, houses: Path) -> None:
    trained = json.loads(cli("train", houses, "--save", "houses.safetensors", "--json").out)
    found = _json(cli, "houses.safetensors", houses)
    assert {name: found[name] for name in trained["result"]} == trained["result"]
    assert "classes" not in found
    ran = cli("evaluate", "houses.safetensors", houses)
    assert ran.out.splitlines()[1].startswith("R² ")
    assert "mean absolute error" in ran.out
    assert len(ran.out.splitlines()) == 2


def test_numbers_that_are_all_0_or_1_are_numbers_all_the_same(cli: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((50, 2))
    lines = ["a,b,y", *(f"{a:.3f},{b:.3f},{int(a > 0)}" for a, b in x)]
    (tmp_path / "steps.csv").write_text("\n".join(lines))
    train = ("train", "steps.csv", "--task", "regression", "--save", "steps.safetensors")
    assert json.loads(cli(*train, "--json").out)["result"]["accuracy"] is None
    found = _json(cli, "steps.safetensors", "steps.csv")
    assert found["accuracy"] is None
    assert found["r2"] is not None


WRONG = {
    "no model": ("none.safetensors flowers.csv", "none.safetensors cannot be read"),
    "a table for a model": ("flowers.csv flowers.csv", "is no model file"),
    "no data": ("flowers.safetensors none.csv", "there is no none.csv"),
    "a part that is not": ("flowers.safetensors flowers.csv --part tset", "did you mean 'test'?"),
    "a part that is empty": (
        "flowers.safetensors flowers.csv --part validation",
        "has no validation samples; expected one of train, test, all",
    ),
    "another number of features": ("flowers.safetensors xor3.csv", "has 3 features beside"),
    "another class": ("flowers.safetensors weeds.csv", "holds the class 'nettle'"),
    "classes for numbers": ("flowers.safetensors digits", "has 64 features"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line(
    cli: Any, model: Path, tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "xor3.csv").write_text("a,b,c,name\n" + "1,2,3,daisy\n4,5,6,rose\n" * 3)
    (tmp_path / "weeds.csv").write_text("a,b,name\n" + "1,2,nettle\n4,5,rose\n" * 3)
    ran = cli("evaluate", *line.split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert message in ran.err


def test_a_damaged_model_is_refused(cli: Any, model: Path, flowers: Path) -> None:
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    ran = cli("evaluate", model, flowers)
    assert ran.code == 2
    assert "altered or damaged" in ran.err
