"""``clearprop predict``: what a model makes of samples."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from clearprop.cli.console import say, say_json
from clearprop.cli.destinations import check_destination
from clearprop.cli.options import PARTS, Data, Json, Model, Target
from clearprop.datasets import DATASETS, load_inputs
from clearprop.errors import InputError
from clearprop.files import write_atomically

if TYPE_CHECKING:
    from clearprop.network import Network

__all__ = ["predict"]


def predict(
    model: Model,
    data: Data,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Which samples: {', '.join(PARTS)}.",
            show_default="all of a file, in its order; else test",
        ),
    ] = None,
    target: Target = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="The first N samples only.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a table: a name.csv.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Predict: a line for each sample, with its class and how probable that is, or with numbers.

    A table may have its target column or not.

    [bold]Examples[/bold]

    clearprop predict digits.safetensors digits --limit 10

    clearprop predict wine.safetensors new.csv --out predictions.csv
    """
    check_destination("--out", out, [".csv"])
    if out is not None and out.exists() and Path(data).exists() and out.samefile(data):
        raise InputError(f"--out is {out}, which is the data; expected another file")
    # Not needed for --help, which is to answer at once.
    from clearprop.model_file import describe, load

    net, training = load(model), describe(model)["training"]
    x = _inputs(net, training, data, part, target)[:limit]
    output = np.asarray(net.predict(x))
    names, rows = _rows(net, training, output)
    if out is not None:
        _write(out, [names, *rows])
    if json:
        say_json(
            {
                "model": str(model),
                "data": data,
                "predictions": [dict(zip(names, row, strict=True)) for row in rows],
                "out": None if out is None else str(out),
            }
        )
    elif out is not None:
        say(f"{len(rows)} predictions written to {out}")
    else:
        digits = ".6g" if net.classes is None else ".4f"
        say("\n".join("\t".join(_short(cell, digits) for cell in row) for row in rows))


def _inputs(
    net: "Network", training: object, data: str, part: str | None, target: list[str] | None
) -> NDArray[Any]:
    """The samples: those of a file in its order, or a part of a data set."""
    from clearprop.cli.parts import load_again, select

    divided = part is not None or data in DATASETS or Path(data).is_dir()
    if not divided:
        return load_inputs(data, net.sizes[0], target=target or _target(training, data))
    task = "regression" if net.classes is None else "classification"
    dataset, _ = load_again(data, task, training, {"target": target or None})
    return select(dataset, part or "test").x


def _target(training: object, data: str) -> Any:
    """The target column that the training had in a file of this name."""
    from clearprop.cli.parts import trained_on

    before = trained_on(training, data)
    return None if before is None else before.get("target")


def _rows(
    net: "Network", training: object, output: NDArray[Any]
) -> tuple[list[str], list[list[Any]]]:
    """What to call the columns, and a row for each sample."""
    from clearprop.evaluation import classify

    if net.classes is None:
        return _target_names(training, output.shape[1]), output.tolist()
    chosen = classify(output)
    if output.shape[1] == 1:
        share = np.where(chosen == 1, output[:, 0], 1 - output[:, 0])
    else:
        share = output[np.arange(len(output)), chosen]
    # The outputs of a softmax are probabilities; those of other layers need not add up to 1.
    last = net.activations[net.n_layers]
    what = "probability" if last.name == "softmax" else "output"
    return ["class", what], [
        [net.classes[i], value] for i, value in zip(chosen.tolist(), share.tolist(), strict=True)
    ]


def _target_names(training: object, count: int) -> list[str]:
    match training:
        case {"data": {"target_names": [*names]}} if len(names) == count:
            return [str(name) for name in names]
    return [f"y{i}" for i in range(1, count + 1)]


def _short(cell: object, digits: str) -> str:
    return f"{cell:{digits}}" if isinstance(cell, float) else str(cell)


def _write(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    try:
        write_atomically(path, text.getvalue().encode())
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}); expected a folder that exists "
            "and that you may write to"
        ) from None
