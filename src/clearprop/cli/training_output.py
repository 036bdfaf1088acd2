"""What ``clearprop train`` says and writes."""

from pathlib import Path

from clearprop.cli.console import fold, say, say_json, width
from clearprop.cli.results import as_line, as_values, measure
from clearprop.cli.run import Run
from clearprop.draw.curves import PICTURES, learning_curves, save_picture
from clearprop.draw.terminal import layers
from clearprop.model_file import SUFFIX, save
from clearprop.optimizers import LBFGS

__all__ = ["PICTURES", "SUFFIX", "announce", "conclude", "counted", "keep", "where"]


def announce(run: Run) -> None:
    """What is going to be done."""
    columns = width()
    say(fold(str(run.dataset), columns))
    say()
    say(fold(layers(run.net, width=columns), columns))
    say()
    for line in (_steps(run), _looks(run)):
        say(fold(line, columns))
    if run.scale_targets:
        say(fold("learns its targets standardized; the losses of epochs are in that unit", columns))
    say()


def _steps(run: Run) -> str:
    record, settings = run.record(), run.settings
    name, schedule = record["optimizer"]["name"], record["optimizer"]["schedule"]
    if isinstance(run.optimizer, LBFGS):
        how = (
            f"up to {counted(settings['epochs'], 'epoch')}, each with all "
            f"{len(run.dataset.train):,} samples"
        )
    else:
        change = "" if schedule == "constant" else f" ({schedule})"
        size = min(settings["batch_size"], len(run.dataset.train))
        how = (
            f"learning rate {run.optimizer.schedule.initial:g}{change}, "
            f"{counted(settings['epochs'], 'epoch')} in batches of {size}"
        )
    return f"{name}, {how}, seed {settings['seed']}"


def _looks(run: Run) -> str:
    """What is looked at after each epoch, and what for."""
    by = "which decide nothing"
    if run.chooses:
        stops = run.settings["early_stopping"] is not None
        by = f"which decide {'when to stop' if stops else 'the learning rate'}"
    match run.monitored:
        case None if run.chooses:
            return "no validation samples: the training loss decides"
        case None:
            return "no samples are held out"
        case "train":
            return f"after each epoch: the {len(run.dataset.train)} training samples"
        case part:
            count = len(run.dataset.parts[part])
            return f"after each epoch: a look at the {count:,} {part} samples, {by}"


def keep(run: Run, model: Path | None, plot: Path | None) -> None:
    """Write what was asked for: the model as it is, and the curves of the epochs there were."""
    if model is not None:
        save(run.net, model, training=run.record())
    if plot is not None and run.history.epochs:
        sizes = "-".join(map(str, run.net.sizes))
        title = f"{run.dataset.name}, {sizes}, {run.record()['optimizer']['name']}"
        monitored = {"train": "training, after the epoch"}.get(run.monitored or "", run.monitored)
        figure = learning_curves(run.history, monitored=monitored or "none", title=title)
        save_picture(figure, plot)


def where(run: Run, model: Path | None, plot: Path | None) -> list[str]:
    """Lines that say what was written."""
    lines = [] if model is None else [f"model saved to {model}"]
    if plot is not None:
        lines.append(
            f"learning curves drawn in {plot}"
            if run.history.epochs
            else f"no epoch was finished, so that there are no curves to draw in {plot}"
        )
    return lines


def conclude(run: Run, model: Path | None, plot: Path | None, *, json: bool, quiet: bool) -> None:
    """What came of it."""
    which, name, part = run.held_out()
    found, error = measure(run.net, part)
    written = where(run, model, plot)
    if json:
        architecture = run.net.architecture
        say_json(
            {
                "network": {
                    "sizes": list(architecture.sizes),
                    "activations": [f.name for f in architecture.activations],
                    "loss": architecture.loss.name,
                    "dtype": run.net.dtype,
                    "parameters": architecture.n_parameters,
                },
                "training": run.record(),
                "history": run.reports(),
                "result": as_values(found, error, name),
                "model": None if model is None else str(model),
                "plot": None if plot is None else str(plot),
            }
        )
        return
    columns = width()
    if not quiet:
        say(fold(_ending(run), columns))
    for line in (as_line(found, error, which), *written):
        say(fold(line, columns))


def counted(number: int, noun: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "epoch"), counted(2000, "epoch")
    ('1 epoch', '2,000 epochs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _ending(run: Run) -> str:
    history = run.history
    seconds = history.epochs[-1].seconds
    line = f"{counted(len(history), 'epoch')} in {seconds:.1f} s with the {history.engine} engine"
    if history.stopped is not None:
        line += f"; ended by {history.stopped}"
    if history.best_epoch is not None:
        line += f"; the parameters are those of epoch {history.best_epoch}, the best"
    return line
