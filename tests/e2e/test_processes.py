"""Commands as processes of their own: on a terminal, in a pipe, and stopped by Ctrl-C."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import clearprop as cp
from clearprop.model_file import describe

pytest.importorskip("termios", reason="pseudo-terminals are those of Unix")

MAIN = "import sys; from clearprop.cli import main; sys.exit(main())"
COMMAND = [sys.executable, "-c", MAIN]

# The terminal on standard input becomes that of a session of its own, so that its Ctrl-C reaches
# the command and nobody else.
# Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
ON_A_TERMINAL = (
    "import fcntl, os, signal, termios; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); " + MAIN
)

# Longer than any of these takes on a busy machine; a test that waits for it has failed.
PATIENCE = 120


def _environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return {**kept, "TERM": "xterm-256color", **changes}


class Terminal:
    """A command on a terminal of its own, of so many columns."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self.process = process
        self.master = master
        self.shown = ""

    def read(self) -> bool:
        """Read what there is; False where the command has ended."""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # how Linux says that nobody has the other side open
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, text: str) -> None:
        """Read until the terminal shows a text."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.shown}"
            assert self.read(), f"{text!r} never came: {self.shown}"

    def press_ctrl_c(self) -> None:
        os.write(self.master, b"\x03")

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self.read():
            pass
        return self.process.wait(PATIENCE)

    @property
    def text(self) -> str:
        """What was shown, without colours and movements of the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown).replace("\r\n", "\n")


@contextmanager
def _terminal(folder: Path, *arguments: str, columns: int = 100) -> Iterator[Terminal]:
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env=_environment(),
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_ctrl_c_on_a_terminal_saves_the_model_as_it_is(tmp_path: Path) -> None:
    arguments = ("train", "moons", "--epochs", "100000", "--save", "net.safetensors")
    with _terminal(tmp_path, *arguments) as terminal:
        terminal.wait_for("epoch 3")
        terminal.press_ctrl_c()
        assert terminal.end() == 130
    assert re.search(
        r"interrupted: after [\d,]+ epochs; model saved to net.safetensors", terminal.text
    )
    assert "Traceback" not in terminal.text
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]
    assert 3 <= describe(tmp_path / "net.safetensors")["training"]["epochs_run"] < 100_000
    assert cp.load(tmp_path / "net.safetensors").sizes == (2, 256, 2)


def test_ctrl_c_while_lbfgs_is_at_work(tmp_path: Path) -> None:
    """SciPy runs on a thread of its own, which must end too."""
    arguments = ("train", "digits", "--optimizer", "lbfgs", "--epochs", "100000", "--loss", "huber")
    with _terminal(tmp_path, *arguments, "--save", "net.safetensors") as terminal:
        terminal.wait_for("epoch 3")
        terminal.press_ctrl_c()
        assert terminal.end() == 130
    assert "model saved to net.safetensors" in terminal.text
    assert cp.load(tmp_path / "net.safetensors").sizes == (64, 256, 10)


def test_a_terminal_shows_a_bar_and_then_the_result(tmp_path: Path) -> None:
    with _terminal(tmp_path, "train", "moons", "--epochs", "30", "--hidden", "8") as terminal:
        assert terminal.end() == 0
    assert "━" in terminal.text
    assert re.search(r"epoch \d+  loss [\d.]+  accuracy [\d.]+%", terminal.text)
    assert re.search(r"\naccuracy [\d.]+ % \(\d+ of 200 test samples\)", terminal.text)


def test_quiet_shows_no_bar(tmp_path: Path) -> None:
    arguments = ("train", "moons", "--epochs", "30", "--engine", "reference", "-q")
    with _terminal(tmp_path, *arguments) as terminal:
        assert terminal.end() == 0
    assert terminal.shown.startswith("accuracy ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "digits"),
        ("show", "moons"),
        ("train", "digits", "--epochs", "1", "--engine", "reference"),
        ("evaluate", "net.safetensors", "digits"),
        ("show", "net.safetensors"),
    ],
    ids=" ".join,
)
def test_a_narrow_terminal_is_wide_enough(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    cp.save(cp.Network([64, 12, 10], seed=0, classes=range(10)), tmp_path / "net.safetensors")
    with _terminal(tmp_path, *arguments, columns=40) as terminal:
        assert terminal.end() == 0
    assert max(map(len, terminal.text.splitlines())) <= 40


def _run(folder: Path, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        cwd=folder,
        env=_environment(**changes),
        timeout=PATIENCE,
        check=False,
    )


def test_a_pipe_gets_neither_colours_nor_a_bar(tmp_path: Path) -> None:
    ran = _run(tmp_path, "train", "moons", "--epochs", "2", "--engine", "reference")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\x1b" not in ran.stdout
    assert b"\r" not in ran.stdout


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_the_encoding_of_the_environment_is_respected(tmp_path: Path, encoding: str) -> None:
    ran = _run(tmp_path, "show", "digits", PYTHONIOENCODING=encoding)
    assert ran.returncode == 0
    assert ("█" in ran.stdout.decode(encoding)) == (encoding == "utf-8")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """As with ``clearprop predict … | head -1``: silent, and with the exit code of a shell."""
    cp.save(cp.Network([784, 10], seed=0, classes=range(10)), tmp_path / "net.safetensors")
    (tmp_path / "x.csv").write_text("\n".join([",".join(["0.5"] * 784)] * 3000))
    process = subprocess.Popen(
        [*COMMAND, "predict", "net.safetensors", "x.csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=_environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(PATIENCE) == 141


def test_the_console_script_is_installed(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("clearprop")
    ran = subprocess.run(
        [script, "train", "xor", "--hidden", "4", "-q", "--engine", "reference"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=_environment(),
        check=False,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("accuracy ")
