"""Where commands write: results to standard output, everything else to standard error.

A stream that cannot show a character gets a plainer one, a reader that has gone away (``| head``)
ends the program silently, and lines are folded at words where standard output is a terminal.
"""

import codecs
import io
import os
import re
import shutil
import sys
import textwrap

import typer

__all__ = [
    "BROKEN_PIPE",
    "COULD_NOT_RUN",
    "INTERRUPTED",
    "complain",
    "encode_anything",
    "fold",
    "say",
    "say_json",
    "width",
]

# 1 is kept for commands whose answer is no. The last two are those of a shell: 128 + the signal.
COULD_NOT_RUN = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

# What stands for a character in an encoding that does not have it.
PLAINER = {
    "×": "x",
    "·": ".",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "→": "->",
    "²": "^2",
    "√": "sqrt",
    "λ": "lambda",
    "Σ": "sum ",
    "±": "+/-",
    "≥": ">=",
    "≤": "<=",
}


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(PLAINER.get(character, "?") for character in missing), error.end


def encode_anything() -> None:
    """Let standard output and error show any text, in whatever encoding they have."""
    codecs.register_error("clearprop.plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="clearprop.plainer")


def width() -> int | None:
    """How many characters a line of the terminal has; None where the output is no terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def fold(text: str, columns: int | None) -> str:
    """Long lines as several, cut at words and indented below what comes after the line's label.

    Examples
    --------
    >>> print(fold("  classes   setosa, versicolor, virginica", 32))
      classes   setosa, versicolor,
                virginica
    """
    if columns is None:
        return text
    return "\n".join(
        line if len(line) <= columns else _folded(line, columns) for line in text.splitlines()
    )


def _folded(line: str, columns: int) -> str:
    label = re.match(r"\s*(\S+\s{2,})?", line)
    indent = min(label.end() if label else 0, columns // 2)
    lines = textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return "\n".join(lines)


def say(text: str = "") -> None:
    """Write a line, or several, to standard output."""
    if sys.stdout is None:  # closed, as by >&-
        return
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end; that must have somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BROKEN_PIPE) from None


def say_json(value: object) -> None:
    """Write one JSON object to standard output."""
    import json

    say(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def complain(message: object, *, kind: str = "error") -> None:
    """Write one line to standard error."""
    if sys.stderr is not None:
        line = " ".join(str(message).split())
        sys.stderr.write(f"{kind}: {line}\n")
