"""``clearprop predict``: a line for each sample."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clearprop as cp


@pytest.fixture
def model(cli: Any, flowers: Path) -> Path:
    """A model that tells the flowers apart."""
    assert cli("train", flowers, "--save", "flowers.safetensors").code == 0
    return flowers.parent / "flowers.safetensors"


def test_a_file_with_its_target_is_predicted_in_its_order(
    cli: Any, model: Path, flowers: Path
) -> None:
    ran = cli("predict", model, flowers)
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split("\t") for line in ran.out.splitlines()]
    truth = [line.split(",")[2] for line in flowers.read_text().splitlines()[1:]]
    assert [name for name, _ in lines] == truth
    assert all(1 / 3 < float(probability) <= 1 for _, probability in lines)


def test_a_file_without_its_target_gives_the_same(cli: Any, model: Path, flowers: Path) -> None:
    bare = flowers.with_name("bare.csv")
    bare.write_text("\n".join(line.rpartition(",")[0] for line in flowers.read_text().splitlines()))
    assert cli("predict", model, bare).out == cli("predict", model, flowers).out


def test_a_target_of_another_place_is_remembered(cli: Any, flowers: Path) -> None:
    moved = flowers.with_name("moved.csv")
    cells = [line.split(",") for line in flowers.read_text().splitlines()]
    moved.write_text("\n".join(f"{c},{a},{b}" for a, b, c in cells))
    train = ("train", moved, "--target", "name", "--save", "moved.safetensors")
    assert cli(*train).code == 0
    ran = cli("predict", "moved.safetensors", moved, "--limit", 1)
    assert ran.out.startswith("daisy\t")
    ran = cli("predict", "moved.safetensors", moved, "--target", "name", "--limit", 1)
    assert ran.out.startswith("daisy\t")


def test_a_part_of_a_data_set(cli: Any, model: Path, flowers: Path) -> None:
    test = cp.datasets.load(flowers).test
    ran = cli("predict", model, flowers, "--part", "test")
    assert ran.out.count("\n") == len(test)
    assert cli("train", "moons", "--epochs", 1, "--save", "moons.safetensors").code == 0
    assert cli("predict", "moons.safetensors", "moons").out.count("\n") == 200
    assert cli("predict", "moons.safetensors", "moons", "--part", "all").out.count("\n") == 1000


def test_a_limit(cli: Any, model: Path, flowers: Path) -> None:
    whole = cli("predict", model, flowers).out.splitlines()
    assert cli("predict", model, flowers, "--limit", 7).out.splitlines() == whole[:7]


def test_a_table_is_written_with_all_digits(cli: Any, model: Path, flowers: Path) -> None:
    ran = cli("predict", model, flowers, "--out", "predictions.csv")
    assert ran.out == "60 predictions written to predictions.csv\n"
    with Path("predictions.csv").open(newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["class", "probability"]
    net = cp.load(model)
    output = net.predict(cp.datasets.load_inputs(flowers, 2))
    assert [float(probability) for _, probability in rows] == output.max(axis=1).tolist()


def test_json(cli: Any, model: Path, flowers: Path) -> None:
    found = json.loads(cli("predict", model, flowers, "--json", "--limit", 2).out)
    assert found["data"] == str(flowers)
    assert [set(row) for row in found["predictions"]] == [{"class", "probability"}] * 2
    assert found["out"] is None


def test_numbers_have_the_names_of_their_columns(cli: Any, houses: Path) -> None:
    train = ("train", houses, "--target", "price", "--save", "houses.safetensors")
    assert cli(*train).code == 0
    assert cli("predict", "houses.safetensors", houses, "--out", "prices.csv").code == 0
    lines = Path("prices.csv").read_text().splitlines()
    assert lines[0] == "price"
    truth = [float(line.split(",")[2]) for line in houses.read_text().splitlines()[1:]]
    np.testing.assert_allclose([float(line) for line in lines[1:]], truth, rtol=0.2)
    shown = cli("predict", "houses.safetensors", houses, "--limit", 1).out
    assert float(shown) == pytest.approx(float(lines[1]), rel=1e-5)


def test_outputs_that_are_no_probabilities_are_not_called_so(cli: Any, tmp_path: Path) -> None:
    net = cp.Network([2, 2], seed=0, classes=["no", "yes"])
    cp.save(net, tmp_path / "own.safetensors")
    found = json.loads(cli("predict", "own.safetensors", "xor", "--json").out)
    assert set(found["predictions"][0]) == {"class", "output"}


def test_one_output_gives_the_share_of_the_class_it_names(cli: Any, tmp_path: Path) -> None:
    net = cp.Network([2, 1], initializer="zeros", classes=["no", "yes"])
    net.weights[2] = [[10.0, 0.0]]
    net.biases[2] = [-5.0]
    cp.save(net, tmp_path / "own.safetensors")
    (tmp_path / "two.csv").write_text("a,b\n0,0\n1,0\n")
    found = json.loads(cli("predict", "own.safetensors", "two.csv", "--json").out)
    assert [row["class"] for row in found["predictions"]] == ["no", "yes"]
    assert [row["output"] for row in found["predictions"]] == pytest.approx([0.9933] * 2, rel=1e-4)


def test_a_network_without_names_for_its_outputs_gives_numbers(cli: Any, tmp_path: Path) -> None:
    cp.save(cp.Network([2, 3], seed=0), tmp_path / "own.safetensors")
    (tmp_path / "two.csv").write_text("a,b\n0,0\n1,0\n")
    ran = cli("predict", "own.safetensors", "two.csv")
    assert [len(line.split("\t")) for line in ran.out.splitlines()] == [3, 3]


WRONG = {
    "another number of columns": ("wide.csv", "wide.csv has 5 columns; expected 2"),
    "a cell that is no number": ("torn.csv", "line 2 has 'x' in column 'b'"),
    "no data": ("none.csv", "there is no none.csv"),
    "another ending": ("flowers.csv --out predictions.txt", "ends in .csv"),
    "no such folder": ("flowers.csv --out nowhere/p.csv", "the folder nowhere"),
    "the data themselves": ("flowers.csv --out flowers.csv", "which is the data"),
    "no samples": ("flowers.csv --limit 0", "--limit"),
    "a part that is not": ("flowers.csv --part tests", "did you mean 'test'?"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_and_leaves_nothing(
    cli: Any, model: Path, flowers: Path, line: str, message: str
) -> None:
    (flowers.parent / "wide.csv").write_text("a,b,c,d,e\n1,2,3,4,5\n6,7,8,9,10\n")
    (flowers.parent / "torn.csv").write_text("a,b\n1,x\n2,3\n")
    before = {path: path.read_bytes() for path in flowers.parent.iterdir()}
    ran = cli("predict", model, *line.split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert {path: path.read_bytes() for path in flowers.parent.iterdir()} == before
