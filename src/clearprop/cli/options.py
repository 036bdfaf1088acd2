"""Arguments and options that more than one command has."""

from pathlib import Path
from typing import Annotated

import typer

from clearprop.datasets import DATASETS

__all__ = [
    "DATA",
    "JSON_HELP",
    "PARTS",
    "Data",
    "Json",
    "Model",
    "Seed",
    "Target",
    "TestFraction",
    "ValidationFraction",
]

DATA = "Data"
JSON_HELP = "Print one JSON object, and nothing else, on standard output."

#: The parts of a data set that a command can be asked to use.
PARTS = ("train", "validation", "test", "all")

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help=f"A data set: its name ({', '.join(DATASETS)}), a .csv, .tsv or .npz file, or a "
        "folder with the four files of MNIST.",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="A .safetensors file that clearprop train saved.",
        show_default=False,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help=JSON_HELP),
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="The target column of a table, by name or position; repeat it for several.",
        show_default="target, label, class or y, else the last",
        rich_help_panel=DATA,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Fixes which samples go to which part.",
        show_default="that of the training",
        rich_help_panel=DATA,
    ),
]
TestFraction = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="The share of the samples to test with.",
        show_default="that of the training",
        rich_help_panel=DATA,
    ),
]
ValidationFraction = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="The share of the training samples to validate with.",
        show_default="that of the training",
        rich_help_panel=DATA,
    ),
]
