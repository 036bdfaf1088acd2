"""The command line: ``clearprop train``, ``evaluate``, ``predict`` and ``show``.

Exit codes: 0 where all went well, 1 where a command answers a question with no, 2 where it could
not run, 130 where Ctrl-C stopped it, 141 where the reader of its output went away.
"""

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from clearprop.cli.console import COULD_NOT_RUN, complain, encode_anything, say
from clearprop.errors import ClearpropError

__all__ = ["COMMANDS", "main"]

#: The commands, each in a module of its own name, and what each is for.
COMMANDS = {
    "train": "Train a network on a data set.",
    "evaluate": "Evaluate a model: its accuracy, and what it takes for what.",
    "predict": "Predict the class of samples, or their numbers.",
    "show": "Show the layers of a model, or samples of a data set.",
}

# The root of what Typer raises for a command line that it cannot parse.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def _app(command: str | None) -> typer.Typer:
    """The program; or one command as a program of its own, so that no other is imported."""
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    if command is not None:
        app.command()(getattr(import_module(f"clearprop.cli.{command}"), command))
        return app
    app.callback(invoke_without_command=True)(_root)
    for name, purpose in COMMANDS.items():
        app.command(name, short_help=purpose)(_not_asked_for)
    return app


def _not_asked_for() -> None:
    """Stands for a command in the list of all of them."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"clearprop {version('clearprop')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="With any command: show the traceback of an error."),
    ] = False,
) -> None:
    """Train neural networks by backpropagation, and look inside.

    [bold]Examples[/bold]

    clearprop train digits

    clearprop train digits --hidden 30 --save digits.safetensors

    clearprop evaluate digits.safetensors digits
    """
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(COULD_NOT_RUN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; by default that of this process.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> code = main(["train", "xor", "--hidden", "4", "--quiet"])
    accuracy 100.00 % (4 of 4 training samples: xor has no others), loss ...
    >>> code
    0
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    encode_anything()
    try:
        # Typer knows --debug for its help alone: here it may stand before or after the command.
        left = [argument for argument in given if argument != "--debug"]
        command = left.pop(0) if left and left[0] in COMMANDS else None
        program = "clearprop" if command is None else f"clearprop {command}"
        code = _app(command)(left, prog_name=program, standalone_mode=False)
    except (ClearpropError, UsageError, MemoryError, OSError) as error:
        if debug:
            traceback.print_exc()
        complain(_message(error))
        return COULD_NOT_RUN
    return code if isinstance(code, int) else 0


def _message(error: Exception) -> str:
    if isinstance(error, UsageError):
        message: str = error.format_message()  # type: ignore[attr-defined]
        return f"{message.rstrip('.')}; try --help"
    if isinstance(error, MemoryError):
        return f"there is not enough memory for this ({error}); expected something smaller"
    return str(error)
