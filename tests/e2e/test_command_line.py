"""What all commands have in common: help, versions, usage, and output that suits its reader."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import clearprop as cp
from clearprop import cli as command_line
from clearprop.activations import ACTIVATIONS
from clearprop.cli.console import fold, say
from clearprop.datasets import DATASETS
from clearprop.initializers import INITIALIZERS
from clearprop.losses import LOSSES
from clearprop.optimizers import OPTIMIZERS
from clearprop.scaling import SCALINGS
from clearprop.schedules import SCHEDULES


def test_the_version(cli: Any) -> None:
    assert cli("--version") == (0, f"clearprop {cp.__version__}\n", "")


def test_help_has_examples_and_every_command(cli: Any) -> None:
    ran = cli("--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Examples" in ran.out
    assert "clearprop train digits" in ran.out
    for name, purpose in command_line.COMMANDS.items():
        assert f" {name} " in ran.out
        assert purpose in ran.out


def test_without_a_command_there_is_help_and_it_could_not_run(cli: Any) -> None:
    ran = cli()
    assert ran.code == 2
    assert "clearprop train digits" in ran.out


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_command_has_help_with_examples(cli: Any, name: str) -> None:
    ran = cli(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Examples" in ran.out
    assert f"clearprop {name} " in ran.out


def test_the_help_of_train_offers_all_that_the_tables_hold(cli: Any) -> None:
    shown = " ".join(cli("train", "--help").out.replace("│", " ").split())
    tables = (ACTIVATIONS, LOSSES, INITIALIZERS, OPTIMIZERS, SCHEDULES, SCALINGS, DATASETS)
    for table in tables:
        assert ", ".join(table) in shown


def test_help_imports_nothing_heavy() -> None:
    """What makes it slow is what it imports, and that can be tested without a clock."""
    code = (
        "import sys; from clearprop.cli import main; main(sys.argv[1:]); "
        "print(sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    heavy = {"scipy", "sklearn", "matplotlib", "pooch", "torch", "jax", "sympy", "safetensors"}
    for line, more in ((["--help"], {"numpy"}), (["train", "--help"], set())):
        ran = subprocess.run(
            [sys.executable, "-c", code, *line], capture_output=True, text=True, check=True
        )
        loaded = set(ran.stderr.strip("[]\n").replace("'", "").split(", "))
        assert "clearprop" in loaded
        assert not loaded & (heavy | more)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["trian", "digits"], "No such command 'trian'. Did you mean 'train'?"),
        (["train"], "Missing argument 'DATA'"),
        (["train", "digits", "--hiden", "3"], "--hidden"),
        (["train", "digits", "--hidden"], "'--hidden' requires an argument"),
        (["train", "digits", "moons"], "unexpected extra argument"),
        (["evaluate", "net.safetensors"], "Missing argument 'DATA'"),
        (["--nonsense"], "No such option: --nonsense"),
    ],
)
def test_a_line_that_is_typed_wrong_is_answered_by_one(
    cli: Any, line: list[str], message: str
) -> None:
    ran = cli(*line)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.endswith("; try --help\n")
    assert ran.err.count("\n") == 1
    assert message in ran.err


def test_what_the_system_refuses_is_an_error_like_any_other(cli: Any) -> None:
    ran = cli("show", "x" * 5000)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1


def test_memory_that_is_not_there_is_an_error_like_any_other(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 7.00 TiB")

    monkeypatch.setattr("clearprop.cli.run.fit", full)
    ran = cli("train", "xor", "--quiet")
    assert ran.code == 2
    assert ran.err == (
        "error: there is not enough memory for this (Unable to allocate 7.00 TiB); expected "
        "something smaller\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
@pytest.mark.parametrize("line", [["show", "digits"], ["train", "--help"], ["show", "rosé.csv"]])
def test_any_encoding_will_do(
    cli: Any, monkeypatch: pytest.MonkeyPatch, line: list[str], encoding: str
) -> None:
    Path("rosé.csv").write_text("größe,name\n1,rosé\n2,日本\n3,rosé\n4,日本\n", "utf-8")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    assert command_line.main(line) == 0
    sys.stdout.flush()
    shown = out.getvalue().decode(encoding)
    assert shown
    if line == ["show", "digits"]:
        assert ("█" in shown) == (encoding in ("cp437", "utf-8"))
        assert ("×" if encoding in ("latin-1", "utf-8") else "8 x 8") in shown
    if line == ["show", "rosé.csv"]:
        assert ("日本" if encoding == "utf-8" else "??") in shown


def test_an_error_in_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding="ascii"))
    assert command_line.main(["show", "rosé–2"]) == 2
    sys.stderr.flush()
    assert written.getvalue().startswith(b"error: unknown data set 'ros?-2'")


def test_streams_that_are_closed_are_written_to_in_vain(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert command_line.main(["train", "xor", "--hidden", "2", "--epochs", "1"]) == 0
    assert command_line.main(["train", "nothing"]) == 2


def test_lines_are_folded_at_words_below_their_text() -> None:
    assert fold("  features  13 (alcohol, ash, magnesium)", 24).splitlines() == [
        "  features  13 (alcohol,",
        "            ash,",
        "            magnesium)",
    ]
    assert fold("accuracy 97.77 % of all samples", 20).splitlines() == [
        "accuracy 97.77 % of",
        "all samples",
    ]
    assert fold("as long as it likes", None) == "as long as it likes"


def test_say_writes_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("one")
    say()
    assert capsys.readouterr().out == "one\n\n"
