"""``clearprop show``: what a model file holds, or what a data set looks like."""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from clearprop.cli.console import fold, say, width
from clearprop.cli.options import PARTS, Target
from clearprop.datasets import DATASETS, Dataset, Part
from clearprop.datasets import SUFFIXES as DATA_SUFFIXES
from clearprop.datasets import load as load_data
from clearprop.errors import InputError

__all__ = ["show"]

# A line of a pipe has no width; images are drawn side by side all the same.
PAGE = 80


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|DATA",
            help="A .safetensors file, or a data set: its name "
            f"({', '.join(DATASETS)}), a file, or a folder.",
            show_default=False,
        ),
    ],
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Of a data set, this sample alone; the first has number 0.",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of a data set, how many samples.")
    ] = 5,
    part: Annotated[
        str, typer.Option(metavar="NAME", help=f"Of a data set: {', '.join(PARTS)}.")
    ] = "train",
    target: Target = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Fixes which samples go to which part.")
    ] = 0,
) -> None:
    """Show the layers of a model and how it was trained; or a data set, with some of its samples.

    [bold]Examples[/bold]

    clearprop show digits

    clearprop show mnist --part test --sample 8

    clearprop show digits.safetensors
    """
    # Not needed for --help, which is to answer at once.
    from clearprop.model_file import SUFFIX

    path = Path(what)
    is_model = path.suffix.lower() == SUFFIX or (
        path.is_file() and path.suffix.lower() not in DATA_SUFFIXES
    )
    if is_model and what not in DATASETS:
        _show_model(path)
    else:
        _show_data(load_data(what, target=target or None, seed=seed), part, sample, samples)


def _show_model(path: Path) -> None:
    from clearprop.draw.terminal import layers
    from clearprop.model_file import describe
    from clearprop.model_file import load as load_model

    net, description = load_model(path), describe(path)
    columns = width()
    say(fold(layers(net, width=columns), columns))
    lines = []
    if net.classes is not None:
        lines.append(f"  classes   {', '.join(map(str, net.classes))}")
    lines += [f"  {label:<8}  {text}" for label, text in _history(description["training"])]
    lines.append(f"  saved by  clearprop {description['library']}")
    say(fold("\n" + "\n".join(lines), columns))


def _history(training: object) -> list[tuple[str, str]]:
    """What the model file remembers of its training, as labels and texts."""
    match training:
        case {
            "data": {"name": name, "loaded_with": {"seed": seed}},
            "optimizer": {"name": optimizer},
            "epochs_run": epochs,
            "batch_size": batch_size,
        }:
            return [
                ("data", f"{name}, divided with seed {seed}"),
                ("training", f"{optimizer}, {epochs} epochs in batches of {batch_size}"),
            ]
        case {**others} if others:
            return [(str(key), str(value)) for key, value in others.items()]
    return [("training", "not known")]


def _show_data(dataset: Dataset, part: str, sample: int | None, samples: int) -> None:
    from clearprop.cli.parts import select
    from clearprop.draw.terminal import can_show, gallery

    columns = width()
    say(fold(str(dataset), columns))
    chosen = select(dataset, part)
    if sample is not None and sample >= len(chosen):
        raise InputError(
            f"--sample is {sample}; expected 0 to {len(chosen) - 1}, a number of the {part} samples"
        )
    numbers = list(range(min(samples, len(chosen))) if sample is None else [sample])
    if not numbers:
        return
    answers = [_answer(dataset, chosen, i) for i in numbers]
    if dataset.image_shape is not None:
        images = chosen.x[numbers].reshape(len(numbers), *dataset.image_shape)
        captions = [f"{answer} (sample {i})" for i, answer in zip(numbers, answers, strict=True)]
        blocks = can_show(getattr(sys.stdout, "encoding", None))
        say(f"\n{gallery(images, captions, blocks=blocks, width=columns or PAGE)}")
    else:
        say(f"\n{_rows(dataset, chosen, numbers, answers, columns or PAGE)}")


def _answer(dataset: Dataset, part: Part, number: int) -> str:
    """The class of a sample, or its numbers."""
    if part.labels is not None and dataset.classes is not None:
        return str(dataset.classes[part.labels[number]])
    return ", ".join(f"{value:.4g}" for value in part.y[number].tolist())


def _rows(
    dataset: Dataset, part: Part, numbers: list[int], answers: list[str], columns: int
) -> str:
    """Samples as rows of a table, with as many features as there is room for."""
    from clearprop.draw.terminal import table

    target = "class" if dataset.classes is not None else ", ".join(dataset.target_names)
    texts = [[f"{value:.4g}" for value in row] for row in np.asarray(part.x)[numbers].tolist()]
    count = len(dataset.feature_names)
    while True:
        more = ["…"] if count < len(dataset.feature_names) else []
        rows: list[list[Any]] = [["", *dataset.feature_names[:count], *more, target]]
        rows += [
            [str(i), *row[:count], *more, answer]
            for i, row, answer in zip(numbers, texts, answers, strict=True)
        ]
        shown = table(rows, align=">" * (count + len(more) + 1) + "<")
        if count <= 1 or max(map(len, shown.splitlines())) <= columns:
            return table(rows, align=">" * (count + len(more) + 1) + "<", width=columns)
        count -= 1
