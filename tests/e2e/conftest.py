"""The command line as a person meets it: what it prints, and its exit code."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from clearprop.cli import main


class Ran(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process, in an empty folder.

    It trains with the reference engine unless another is named: the compiled one says so when it
    is compiled, which happens once on a machine.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        line = [str(argument) for argument in arguments]
        if line[:1] == ["train"] and "--engine" not in line:
            line[1:1] = ["--engine", "reference"]
        capsys.readouterr()
        code = main(line)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A table with three classes that are easily told apart, 20 lines of each."""
    rng = np.random.default_rng(0)
    lines = ["width,length,name"]
    for centre, name in enumerate(["daisy", "rose", "tulip"]):
        for width, length in rng.normal(10 * centre, 1, (20, 2)):
            lines.append(f"{width:.3f},{length:.3f},{name}")
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """A table with a price that is a sum of its two features, in hundreds of thousands."""
    x = np.random.default_rng(1).uniform(0, 1, (60, 2))
    lines = ["rooms,area,price"]
    lines += [f"{a:.4f},{b:.4f},{200_000 + 100_000 * a + 300_000 * b:.1f}" for a, b in x]
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
