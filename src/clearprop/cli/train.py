"""``clearprop train``: from a data set to a trained network."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from clearprop.activations import ACTIVATIONS, get_activation
from clearprop.cli import defaults
from clearprop.cli.console import INTERRUPTED, complain
from clearprop.cli.destinations import check_destination
from clearprop.cli.options import DATA, JSON_HELP, Data, Target
from clearprop.datasets import load
from clearprop.engines import ENGINES
from clearprop.errors import NonFiniteError
from clearprop.initializers import INITIALIZERS, get_initializer
from clearprop.losses import LOSSES, get_loss
from clearprop.optimizers import OPTIMIZERS
from clearprop.scaling import SCALINGS
from clearprop.schedules import SCHEDULES

__all__ = ["train"]

NETWORK, LEARNING, RESTRAINT, RESULT = "Network", "Learning", "Regularization", "Results"


def _names(table: Iterable[str]) -> str:
    return ", ".join(table)


def _option(*names: str, panel: str, metavar: str, help: str, default: str | None = None) -> Any:
    """An option whose default depends on others, so that a text describes it."""
    return typer.Option(
        *names,
        metavar=metavar,
        help=help,
        show_default=default if default is not None else False,
        rich_help_panel=panel,
    )


def train(
    data: Data,
    # --- the network ---
    hidden: Annotated[
        list[int] | None,
        _option(
            panel=NETWORK,
            metavar="NEURONS",
            help="A hidden layer; repeat it for more.",
            default=", ".join(map(str, defaults.HIDDEN)),
        ),
    ] = None,
    layers: Annotated[
        str | None,
        _option(panel=NETWORK, metavar="SIZES", help="All layers instead, such as 784,30,10."),
    ] = None,
    activation: Annotated[
        list[str] | None,
        _option(
            panel=NETWORK,
            metavar="NAME",
            help=f"Of the hidden layers; repeat it to give each its own: {_names(ACTIVATIONS)}.",
            default=defaults.HIDDEN_ACTIVATION,
        ),
    ] = None,
    output_activation: Annotated[
        str | None,
        _option(
            panel=NETWORK,
            metavar="NAME",
            help="Of the last layer.",
            default="softmax; for numbers identity",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        _option(
            panel=NETWORK,
            metavar="NAME",
            help=f"{_names(LOSSES)}.",
            default="what suits the last layer",
        ),
    ] = None,
    initializer: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"How the parameters start: {_names(INITIALIZERS)}.",
            rich_help_panel=NETWORK,
        ),
    ] = defaults.INITIALIZER,
    dtype: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="float64, or float32, which is faster.", rich_help_panel=NETWORK
        ),
    ] = "float64",
    # --- how it learns ---
    optimizer: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"{_names(OPTIMIZERS)}.", rich_help_panel=LEARNING),
    ] = defaults.OPTIMIZER,
    learning_rate: Annotated[
        float | None,
        _option(
            panel=LEARNING,
            metavar="RATE",
            help="How far a step goes.",
            default=f"{defaults.LEARNING_RATE} for adam, else the optimizer's own",
        ),
    ] = None,
    schedule: Annotated[
        str | None,
        _option(
            panel=LEARNING,
            metavar="NAME",
            help=f"The learning rate over time: {_names(SCHEDULES)}.",
            default="constant",
        ),
    ] = None,
    momentum: Annotated[
        float | None,
        _option(panel=LEARNING, metavar="SHARE", help="Of momentum and nesterov.", default="0.9"),
    ] = None,
    epochs: Annotated[
        int | None,
        _option(
            panel=LEARNING,
            metavar="N",
            help="How often every sample is used.",
            default=f"what makes {defaults.UPDATES:,} updates, but {defaults.FEWEST_EPOCHS} to "
            f"{defaults.MOST_EPOCHS}",
        ),
    ] = None,
    batch_size: Annotated[
        int,
        typer.Option(metavar="N", help="Samples for each update.", rich_help_panel=LEARNING),
    ] = defaults.BATCH_SIZE,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Fixes all that is random: parts, parameters, order, dropout.",
            rich_help_panel=LEARNING,
        ),
    ] = 0,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"What computes: {', '.join(ENGINES)}, or auto, the fastest that can.",
            rich_help_panel=LEARNING,
        ),
    ] = "auto",
    threads: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="How many may share a matrix product; more help only in large networks.",
            rich_help_panel=LEARNING,
        ),
    ] = 1,
    # --- what holds it back ---
    l2: Annotated[
        float,
        typer.Option(
            "--l2", metavar="LAMBDA", help="Adds λ/2n Σw² to the loss.", rich_help_panel=RESTRAINT
        ),
    ] = 0.0,
    l1: Annotated[
        float,
        typer.Option(
            "--l1", metavar="LAMBDA", help="Adds λ/n Σ|w| to the loss.", rich_help_panel=RESTRAINT
        ),
    ] = 0.0,
    dropout: Annotated[
        float,
        typer.Option(
            metavar="P",
            help="The probability that a hidden neuron is silenced.",
            rich_help_panel=RESTRAINT,
        ),
    ] = 0.0,
    clip_norm: Annotated[
        float | None,
        _option(panel=RESTRAINT, metavar="NORM", help="The longest gradient."),
    ] = None,
    clip_value: Annotated[
        float | None,
        _option(panel=RESTRAINT, metavar="VALUE", help="The largest component of a gradient."),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        _option(
            panel=RESTRAINT,
            metavar="NAME",
            help="Parameters that stay as they start: weights, biases, weights\\[2], … Repeatable.",
        ),
    ] = None,
    early_stopping: Annotated[
        int | None,
        _option(
            panel=RESTRAINT,
            metavar="N",
            help="Stop after N epochs without a better validation loss, and keep the best.",
        ),
    ] = None,
    # --- the data ---
    target: Target = None,
    task: Annotated[
        str | None,
        _option(
            panel=DATA,
            metavar="NAME",
            help="classification or regression.",
            default="what the target looks like",
        ),
    ] = None,
    test_fraction: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="The share of the samples to test with, where the data have no test part.",
            rich_help_panel=DATA,
        ),
    ] = 0.2,
    validation_fraction: Annotated[
        float | None,
        _option(
            panel=DATA,
            metavar="SHARE",
            help="The share of the training samples to validate with.",
            default=f"0; with --early-stopping {defaults.VALIDATION_FRACTION}",
        ),
    ] = None,
    scaling: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Of the inputs: auto, {_names(SCALINGS)}.",
            rich_help_panel=DATA,
        ),
    ] = "auto",
    target_scaling: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Of numbers to predict: auto, standard, none. The model speaks in their own units "
            "in any case.",
            rich_help_panel=DATA,
        ),
    ] = "auto",
    samples: Annotated[
        int | None,
        _option(
            panel=DATA,
            metavar="N",
            help="How many points: moons, circles, spirals, blobs.",
            default="1000",
        ),
    ] = None,
    noise: Annotated[
        float | None,
        _option(panel=DATA, metavar="SIZE", help="Their standard deviation."),
    ] = None,
    # --- what comes of it ---
    save: Annotated[
        Path | None,
        _option(panel=RESULT, metavar="FILE", help="Save the model: a name.safetensors."),
    ] = None,
    plot: Annotated[
        Path | None,
        _option(
            panel=RESULT, metavar="FILE", help="Draw learning curves: a name.png, .svg or .pdf."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help=JSON_HELP, rich_help_panel=RESULT)] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Only the result, and no bar.", rich_help_panel=RESULT),
    ] = False,
) -> None:
    """Train a network on a data set, and see how it does on samples it has never seen.

    [bold]Examples[/bold]

    clearprop train digits

    clearprop train digits --hidden 30 --hidden 20 --save digits.safetensors --plot curves.png

    clearprop train wine.csv --target quality --task regression --early-stopping 20

    clearprop train mnist --layers 784,30,10 --activation sigmoid --output-activation sigmoid
    --loss quadratic --initializer standard_normal --optimizer sgd --learning-rate 3
    --batch-size 10 --epochs 30
    """
    # Not needed for --help, which is to answer at once.
    from clearprop.cli.run import Run
    from clearprop.cli.training_output import (
        PICTURES,
        SUFFIX,
        announce,
        conclude,
        counted,
        keep,
        where,
    )
    from clearprop.network import Network

    check_destination("--save", save, [SUFFIX])
    check_destination("--plot", plot, PICTURES)
    for names, look_up in (
        (activation or [], get_activation),
        ([output_activation], get_activation),
        ([loss], get_loss),
        ([initializer], get_initializer),
    ):
        for name in filter(None, names):
            look_up(name)
    rule = defaults.optimizer(optimizer, learning_rate, schedule, momentum)
    if validation_fraction is None:
        validation_fraction = 0.0 if early_stopping is None else defaults.VALIDATION_FRACTION
    source: dict[str, Any] = {
        "target": target if target is None or len(target) > 1 else target[0],
        "task": task,
        "test_fraction": test_fraction,
        "validation_fraction": validation_fraction,
        "scaling": scaling,
        "seed": seed,
        "samples": samples,
        "noise": noise,
    }
    dataset = load(data, **source)
    sizes = defaults.layers(dataset, layers, hidden)
    output, loss = defaults.output_and_loss(dataset.task, output_activation, loss)
    net = Network(
        sizes,
        activations=defaults.activations(activation, output, sizes),
        loss=loss,
        initializer=initializer,
        seed=seed,
        dtype=dtype,
        classes=dataset.classes,
        scaling=dataset.scaling,
    )
    if epochs is None:
        epochs = defaults.epochs(rule, len(dataset.train), batch_size)
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": rule,
        "seed": seed,
        "l2": l2,
        "l1": l1,
        "dropout": dropout,
        "clip_norm": clip_norm,
        "clip_value": clip_value,
        "freeze": freeze or [],
        "early_stopping": early_stopping,
        "engine": engine,
    }
    scaled = defaults.scales_targets(target_scaling, dataset.task, output, freeze)
    run = Run(net, dataset, source, settings, initializer, scaled, threads)
    run.check()
    if not (json or quiet):
        announce(run)
    try:
        run.fit(progress=False if quiet else None)
    except KeyboardInterrupt:
        keep(run, save, plot)
        kept = "; ".join(where(run, save, plot) or ["nothing was to be saved"])
        complain(f"after {counted(len(run.history), 'epoch')}; {kept}", kind="interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except NonFiniteError:
        keep(run, save, plot)
        for line in where(run, save, plot):
            complain(line, kind="kept")
        raise
    keep(run, save, plot)
    conclude(run, save, plot, json=json, quiet=quiet)
