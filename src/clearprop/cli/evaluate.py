"""``clearprop evaluate``: how good a model is, and what it takes for what."""

from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from clearprop.cli.console import fold, say, say_json, width
from clearprop.cli.options import (
    PARTS,
    Data,
    Json,
    Model,
    Seed,
    Target,
    TestFraction,
    ValidationFraction,
)

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    data: Data,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Which samples: {', '.join(PARTS)}.",
            show_default="test; all, if the model was trained on other data",
        ),
    ] = None,
    seed: Seed = None,
    test_fraction: TestFraction = None,
    validation_fraction: ValidationFraction = None,
    target: Target = None,
    json: Json = False,
) -> None:
    """Evaluate a model: its accuracy, each class on its own, and which is taken for which.

    A data set that the model was trained on is divided as it was then.

    [bold]Examples[/bold]

    clearprop evaluate digits.safetensors digits

    clearprop evaluate digits.safetensors digits --part train
    """
    # Not needed for --help, which is to answer at once.
    from clearprop.cli.parts import in_terms_of, load_again, select, trained_on
    from clearprop.cli.results import as_line, as_values, measure
    from clearprop.draw.terminal import confusions, table
    from clearprop.model_file import describe, load

    net, training = load(model), describe(model)["training"]
    task = "regression" if net.classes is None else "classification"
    given = {
        "seed": seed,
        "test_fraction": test_fraction,
        "validation_fraction": validation_fraction,
        "target": target or None,
    }
    dataset, note = load_again(data, task, training, given)
    part = part or ("test" if trained_on(training, data) is not None else "all")
    chosen = in_terms_of(net, dataset, select(dataset, part))
    found, error = measure(net, chosen)
    classes = [str(name) for name in net.classes or dataset.classes or ()]
    if json:
        values = as_values(found, error, part)
        if found.labels is not None and found.predicted is not None:
            values |= _class_values(found.labels, found.predicted, classes)
        say_json({"model": str(model), "data": dataset.name, "note": note, **values})
        return
    columns = width()
    say(fold(note, columns))
    which = {"all": "samples", "train": "training samples"}.get(part, f"{part} samples")
    say(fold(as_line(found, error, which), columns))
    if found.labels is not None and found.predicted is not None:
        scores = _scores(found.labels, found.predicted, len(classes))
        rows = [["class", "precision", "recall", "F1", "samples"]]
        rows += [
            [name, *(_share(score) for score in row[:3]), str(int(row[3]))]
            for name, row in zip(classes, scores, strict=True)
        ]
        say(f"\n{table(rows, align='<>>>>', width=columns)}")
        matrix = _confusion(found.labels, found.predicted, len(classes))
        say(f"\n{confusions(matrix, classes, width=columns)}")


def _scores(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], count: int
) -> list[tuple[float, float, float, float]]:
    """Precision, recall, F1 and the number of samples of each class; NaN where there is none."""
    from sklearn.metrics import precision_recall_fscore_support

    scores = precision_recall_fscore_support(
        labels, predicted, labels=range(count), zero_division=np.nan
    )
    return list(zip(*(column.tolist() for column in scores), strict=True))


def _confusion(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], count: int
) -> NDArray[np.integer[Any]]:
    """How many samples of class i (a row) were taken for class j (a column)."""
    matrix = np.zeros((count, count), dtype=np.intp)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def _class_values(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: list[str]
) -> dict[str, Any]:
    names = ("precision", "recall", "f1", "samples")
    rows = _scores(labels, predicted, len(classes))
    return {
        "classes": [
            {
                "class": name,
                **{n: None if np.isnan(v) else v for n, v in zip(names, row, strict=True)},
            }
            for name, row in zip(classes, rows, strict=True)
        ],
        "confusion": _confusion(labels, predicted, len(classes)).tolist(),
    }


def _share(score: float) -> str:
    return "undefined" if np.isnan(score) else f"{score:.3f}"
