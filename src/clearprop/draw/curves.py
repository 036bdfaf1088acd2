"""How training went, as a picture: the loss and the accuracy over the epochs."""

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from clearprop.errors import InputError
from clearprop.files import write_atomically
from clearprop.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PICTURES", "learning_curves", "save_picture"]

#: The endings that a picture's name may have.
PICTURES = (".png", ".svg", ".pdf")

# Okabe & Ito's blue and vermilion: told apart by everybody, and in grey.
BLUE, RED = "#0072B2", "#D55E00"

# A loss that falls by more than this factor is drawn on a logarithmic scale.
DECADES = 30


def learning_curves(
    history: History, *, monitored: str = "validation", title: str = ""
) -> "Figure":
    """The loss over the epochs and, where classes were learnt, the accuracy beside it.

    The loss in training is that of :attr:`EpochReport.loss <clearprop.history.EpochReport>`: each
    sample's as it was when its batch came up.

    Parameters
    ----------
    history : History
        At least one epoch.
    monitored : str
        What to call the data that the network was evaluated on after each epoch.
    title : str
        What to write above.

    Returns
    -------
    matplotlib.figure.Figure
        No window is opened, and no global state of Matplotlib is touched.

    Raises
    ------
    InputError
        For a history without epochs.

    Examples
    --------
    >>> import clearprop as cp
    >>> data = cp.datasets.load("moons", samples=20, validation_fraction=0.5)
    >>> history = cp.fit(cp.Network([2, 3, 2], seed=0), data, epochs=3, seed=0)
    >>> [panel.get_ylabel() for panel in learning_curves(history).axes]
    ['loss', 'accuracy']
    """
    from matplotlib.figure import Figure

    if not history.epochs:
        raise InputError("the history holds no epoch yet; expected at least one to draw")
    accuracies = [
        ("training", history["training_accuracy"], BLUE),
        (monitored, history["validation_accuracy"], RED),
    ]
    losses = [
        ("training, epoch's mean", history["loss"], BLUE),
        (monitored, history["validation_loss"], RED),
    ]
    with_accuracy = any(_there(values) for _, values, _ in accuracies)
    figure = Figure(figsize=(9.6 if with_accuracy else 5.6, 3.8), dpi=150, layout="constrained")
    panels = figure.subplots(1, 2 if with_accuracy else 1, squeeze=False)[0]
    _draw(panels[0], history, "loss", losses)
    drawn = [value for _, values, _ in losses for value in values if value is not None]
    if min(drawn) > 0 and max(drawn) > DECADES * min(drawn):
        panels[0].set_yscale("log")
    if with_accuracy:
        from matplotlib.ticker import PercentFormatter

        _draw(panels[1], history, "accuracy", accuracies)
        panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    if title:
        figure.suptitle(title)
    return figure


def _there(values: list[float | None]) -> bool:
    return any(value is not None for value in values)


def _draw(
    panel: "Axes",
    history: History,
    quantity: str,
    curves: list[tuple[str, list[float | None], str]],
) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = history["epoch"]
    for name, values, colour in curves:
        if _there(values):
            # A single epoch is a point, which a line would not show.
            marker = "o" if len(epochs) == 1 else ""
            shown = [float("nan") if value is None else value for value in values]
            panel.plot(epochs, shown, color=colour, label=name, marker=marker, linewidth=1.6)
    if history.best_epoch is not None:
        panel.axvline(
            history.best_epoch,
            color="0.4",
            linestyle=":",
            label=f"best, epoch {history.best_epoch}",
        )
    panel.set_xlabel("epoch")
    panel.set_ylabel(quantity)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panel.grid(color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)


def save_picture(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure to a file, whole or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
        Its ending, one of :data:`PICTURES`, says in which form.

    Raises
    ------
    InputError
        For another ending, or where the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from matplotlib.figure import Figure
    >>> with TemporaryDirectory() as folder:
    ...     save_picture(Figure(), f"{folder}/empty.png")
    ...     Path(f"{folder}/empty.png").read_bytes()[1:4]
    b'PNG'
    """
    import matplotlib as mpl

    target = Path(path)
    ending = target.suffix.lower()
    if ending not in PICTURES:
        raise InputError(
            f"a picture cannot be saved as {target}; expected a name that ends in "
            f"{', '.join(PICTURES)}"
        )
    # Matplotlib would write the time into these.
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(ending)
    drawn = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "clearprop"}):
        figure.savefig(drawn, format=ending[1:], metadata=undated)
    try:
        write_atomically(target, drawn.getvalue())
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}); expected a folder that "
            "exists and that you may write to"
        ) from None
