"""``clearprop show``: what is in a model, and what samples look like."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clearprop as cp
from clearprop.draw.terminal import image


def test_a_data_set_of_images(cli: Any) -> None:
    ran = cli("show", "digits", "--samples", 3)
    assert (ran.code, ran.err) == (0, "")
    data = cp.datasets.load("digits")
    assert ran.out.startswith(f"{data}\n\n")
    captions = ran.out.splitlines()[6].split("   ")
    expected = [f"{data.train.labels[i]} (sample {i})" for i in range(3)]
    assert [caption.strip() for caption in captions if caption.strip()] == expected
    # The first lines of the first image stand below the first caption.
    pixels = data.train.x[0].reshape(8, 8) / data.train.x[:3].max()
    assert ran.out.splitlines()[7].startswith(image(pixels)[0].rstrip())


def test_one_sample_of_a_part(cli: Any) -> None:
    ran = cli("show", "digits", "--part", "test", "--sample", 7)
    label = cp.datasets.load("digits").test.labels[7]
    assert f"{label} (sample 7)" in ran.out
    assert "(sample 0)" not in ran.out


def test_a_seed_shows_other_samples(cli: Any) -> None:
    assert cli("show", "digits").out != cli("show", "digits", "--seed", 1).out


def test_no_samples_at_all(cli: Any) -> None:
    assert cli("show", "digits", "--samples", 0).out == f"{cp.datasets.load('digits')}\n"


def test_a_table_shows_its_first_samples(cli: Any, flowers: Path) -> None:
    ran = cli("show", flowers, "--samples", 2)
    rows = [line.split() for line in ran.out.splitlines()[-3:]]
    assert rows[0] == ["width", "length", "class"]
    data = cp.datasets.load(flowers)
    assert rows[1][0] == "0"
    assert float(rows[1][1]) == pytest.approx(data.train.x[0, 0], rel=1e-3)
    assert rows[1][3] == data.classes[data.train.labels[0]]


def test_a_wide_table_shows_as_many_columns_as_there_is_room_for(cli: Any, tmp_path: Path) -> None:
    names = [f"feature {i}" for i in range(30)]
    x = np.random.default_rng(0).standard_normal((10, 31))
    lines = [",".join([*names, "price"]), *(",".join(map(str, row)) for row in x)]
    (tmp_path / "wide.csv").write_text("\n".join(lines))
    ran = cli("show", "wide.csv")
    assert "…  price" in ran.out
    assert max(len(line) for line in ran.out.splitlines()[-6:]) <= 80


def test_a_regression_shows_its_target(cli: Any, houses: Path) -> None:
    ran = cli("show", houses, "--sample", 3)
    assert ran.out.splitlines()[-2].split() == ["rooms", "area", "price"]
    price = cp.datasets.load(houses).train.y[3, 0]
    assert float(ran.out.split()[-1]) == pytest.approx(price, rel=1e-3)


def test_a_model_and_how_it_was_trained(cli: Any, flowers: Path) -> None:
    train = ("train", flowers, "--hidden", 8, "--epochs", 5, "--save", "net.safetensors")
    assert cli(*train).code == 0
    ran = cli("show", "net.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{cp.load('net.safetensors')}\n\n")
    for line in (
        "  classes   daisy, rose, tulip",
        "  data      flowers.csv, divided with seed 0",
        "  training  adam, 5 epochs in batches of 32",
        f"  saved by  clearprop {cp.__version__}",
    ):
        assert line in ran.out.splitlines()


@pytest.mark.parametrize(
    ("training", "line"),
    [(None, "  training  not known"), ({"by": "hand"}, "  by        hand")],
)
def test_a_model_with_another_past(
    cli: Any, tmp_path: Path, training: dict[str, str] | None, line: str
) -> None:
    cp.save(cp.Network([2, 1], seed=0), tmp_path / "own.safetensors", training=training)
    assert line in cli("show", "own.safetensors").out.splitlines()


def test_a_model_of_another_name_is_still_a_model(cli: Any, tmp_path: Path) -> None:
    cp.save(cp.Network([2, 1], seed=0), tmp_path / "own.safetensors")
    (tmp_path / "own.safetensors").rename(tmp_path / "own.model")
    assert cli("show", "own.model").out.startswith("Network 2-1")


WRONG = {
    "neither a model nor data": ("digist", "did you mean 'digits'?"),
    "a model that is not": ("none.safetensors", "none.safetensors cannot be read"),
    "another file": ("notes.txt", "is no model file"),
    "a sample that is not": ("xor --sample 4", "--sample is 4; expected 0 to 3"),
    "a negative sample": ("xor --sample -1", "--sample"),
    "a part that is not": ("xor --part training", "did you mean 'train'?"),
    "a part that is empty": ("xor --part validation", "has no validation samples"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line(cli: Any, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "notes.txt").write_text("remember the milk, and the bread, and the butter")
    ran = cli("show", *line.split())
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert message in ran.err
