"""``clearprop train``: a data set goes in; out come a result, a model, a picture, or one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clearprop as cp
from clearprop.activations import ACTIVATIONS
from clearprop.cli import defaults
from clearprop.initializers import INITIALIZERS
from clearprop.losses import LOSSES
from clearprop.model_file import describe
from clearprop.optimizers import OPTIMIZERS
from clearprop.schedules import SCHEDULES

QUICK = ("--hidden", "8", "--epochs", "2")


def _json(cli: Any, *arguments: object) -> Any:
    ran = cli("train", *arguments, "--json")
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


# --- what it promises -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_digits_alone_reach_97_percent_on_samples_never_seen(cli: Any, seed: int) -> None:
    result = _json(cli, "digits", "--seed", seed)["result"]
    assert (result["part"], result["samples"]) == ("test", 359)
    assert result["accuracy"] >= 0.97


def test_the_fastest_engine_keeps_that_promise_too(cli: Any) -> None:
    ran = cli("train", "digits", "--engine", "auto", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["result"]["accuracy"] >= 0.97


@pytest.mark.parametrize(
    ("name", "at_least"), [("xor", 1.0), ("moons", 0.98), ("circles", 0.98), ("spirals", 0.95)]
)
def test_shapes_are_learnt_by_default(cli: Any, name: str, at_least: float) -> None:
    assert _json(cli, name)["result"]["accuracy"] >= at_least


def test_a_table_of_classes_is_learnt_by_default(cli: Any, flowers: Path) -> None:
    found = _json(cli, flowers)
    assert found["network"]["sizes"] == [2, 256, 3]
    assert found["result"]["accuracy"] == 1.0


def test_prices_are_learnt_in_their_own_unit(cli: Any, houses: Path) -> None:
    found = _json(cli, houses)
    assert found["network"]["activations"] == ["relu", "identity"]
    assert found["training"]["target_scaling"] == "standard"
    assert found["result"]["r2"] > 0.95
    assert found["result"]["mean_absolute_error"] < 30_000


def test_what_is_said_outright_is_what_is_done(cli: Any) -> None:
    """The settings of the book's first chapter, number by number the same as by the library."""
    settings = (
        "--layers 64,30,10 --activation sigmoid --output-activation sigmoid --loss quadratic "
        "--initializer standard_normal --optimizer sgd --learning-rate 3 --batch-size 10 "
        "--epochs 2 --seed 7 --save net.safetensors"
    )
    assert cli("train", "digits", *settings.split()).code == 0
    data = cp.datasets.load("digits", seed=7)
    net = cp.Network([64, 30, 10], seed=7)
    rule = cp.SGD(3.0)
    cp.fit(net, data, epochs=2, batch_size=10, optimizer=rule, seed=7, engine="reference")
    np.testing.assert_array_equal(cp.load("net.safetensors").parameters, net.parameters)


def test_the_same_seed_gives_the_same_file(cli: Any) -> None:
    for name in ("one", "two"):
        assert cli("train", "moons", *QUICK, "--save", f"{name}.safetensors").code == 0
    assert Path("one.safetensors").read_bytes() == Path("two.safetensors").read_bytes()
    assert cli("train", "moons", *QUICK, "--seed", "1", "--save", "three.safetensors").code == 0
    assert Path("one.safetensors").read_bytes() != Path("three.safetensors").read_bytes()


# --- what it says ---------------------------------------------------------------------------------


def test_it_says_what_it_does_and_what_came_of_it(cli: Any) -> None:
    ran = cli("train", "moons", *QUICK, "--save", "net.safetensors", "--plot", "curves.png")
    assert (ran.code, ran.err) == (0, "")
    for line in (
        "moons: classification",
        "  samples   800 to train, 200 to test",
        "Network 2-8-2, cross_entropy loss, float64, 42 parameters",
        "      2        8  relu          8 × 2       8",
        "adam, learning rate 0.002, 2 epochs in batches of 32, seed 0",
        "after each epoch: a look at the 200 test samples, which decide nothing",
        "model saved to net.safetensors",
        "learning curves drawn in curves.png",
    ):
        assert line in ran.out.splitlines()
    assert "with the reference engine" in ran.out
    assert " of 200 test samples), loss " in ran.out
    assert "\x1b" not in ran.out  # no colour where nobody sees it
    assert cp.load("net.safetensors").sizes == (2, 8, 2)
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


def test_quiet_leaves_the_result(cli: Any) -> None:
    ran = cli("train", "moons", *QUICK, "--quiet")
    assert ran.out.startswith("accuracy ")
    assert ran.out.count("\n") == 1


def test_json_is_all_there_is_on_standard_output(cli: Any) -> None:
    found = _json(cli, "moons", *QUICK, "--save", "net.safetensors", "--plot", "curves.svg")
    assert found["network"] == {
        "sizes": [2, 8, 2],
        "activations": ["relu", "softmax"],
        "loss": "cross_entropy",
        "dtype": "float64",
        "parameters": 42,
    }
    assert [set(report) for report in found["history"]] == [
        {"epoch", "loss", "learning_rate", "seconds", "test_loss", "test_accuracy"}
    ] * 2
    assert found["history"][-1]["test_accuracy"] == found["result"]["accuracy"]
    assert (found["model"], found["plot"]) == ("net.safetensors", "curves.svg")
    assert found["training"]["data"]["loaded_with"]["seed"] == 0
    # What is printed is what the file remembers.
    assert found["training"] == describe("net.safetensors")["training"]


# --- what it is watched on ------------------------------------------------------------------------


def test_validation_samples_are_monitored_where_there_are_any(cli: Any) -> None:
    found = _json(cli, "moons", *QUICK, "--validation-fraction", "0.25")
    assert found["training"]["monitored"] == "validation"
    assert "validation_accuracy" in found["history"][0]
    assert found["result"]["part"] == "test"


def test_early_stopping_sets_validation_samples_aside(cli: Any) -> None:
    ran = cli("train", "moons", "--noise", "0.6", "--early-stopping", "2")
    assert "640 to train, 160 to validate, 200 to test" in ran.out
    assert "160 validation samples, which decide when to stop" in ran.out
    assert "ended by early stopping; the parameters are those of epoch" in ran.out


@pytest.mark.parametrize(
    "choosing", [("--early-stopping", "3"), ("--schedule", "plateau")], ids=["stop", "plateau"]
)
def test_the_test_samples_never_decide_anything(cli: Any, choosing: tuple[str, str]) -> None:
    """Without validation samples the training loss decides, and the test part is not looked at."""
    found = _json(cli, "moons", *QUICK, *choosing, "--validation-fraction", "0")
    assert found["training"]["monitored"] is None
    assert set(found["history"][0]) == {"epoch", "loss", "learning_rate", "seconds"}


def test_looking_at_the_test_samples_changes_no_bit(cli: Any) -> None:
    assert cli("train", "moons", *QUICK, "--save", "looked.safetensors").code == 0
    data = cp.datasets.load("moons")
    net = cp.Network(
        [2, 8, 2],
        activations=["relu", "softmax"],
        loss="cross_entropy",
        initializer="he_normal",
        seed=0,
    )
    settings = {"epochs": 2, "batch_size": 32, "optimizer": cp.Adam(0.002), "seed": 0}
    cp.fit(net, data.train, **settings, engine="reference")
    np.testing.assert_array_equal(cp.load("looked.safetensors").parameters, net.parameters)


def test_where_nothing_is_held_out_the_result_says_so(cli: Any) -> None:
    ran = cli("train", "moons", *QUICK, "--test-fraction", "0")
    assert "no samples are held out" in ran.out
    assert "of 1000 training samples: no others were held out)" in ran.out
    assert "of 4 training samples: xor has no others)" in cli("train", "xor", *QUICK).out


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, f in ACTIVATIONS.items() if f.elementwise])
def test_every_activation_can_be_chosen(cli: Any, name: str) -> None:
    found = _json(cli, "xor", *QUICK, "--activation", name)
    assert found["network"]["activations"][0] == name


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_can_be_chosen(cli: Any, name: str) -> None:
    assert _json(cli, "xor", *QUICK, "--loss", name)["network"]["loss"] == name


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_can_be_chosen(cli: Any, name: str) -> None:
    found = _json(cli, "xor", *QUICK, "--optimizer", name)
    assert found["training"]["optimizer"]["name"] == name


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_can_be_chosen(cli: Any, name: str) -> None:
    found = _json(cli, "xor", *QUICK, "--schedule", name, "--learning-rate", "0.1")
    assert found["training"]["optimizer"]["schedule"] == name


@pytest.mark.parametrize("name", INITIALIZERS)
def test_every_initializer_can_be_chosen(cli: Any, name: str) -> None:
    assert _json(cli, "xor", *QUICK, "--initializer", name)["training"]["initializer"] == name


def test_layers_may_have_activations_of_their_own(cli: Any) -> None:
    hidden = ("--hidden", "5", "--hidden", "4", "--activation", "tanh", "--activation", "gelu")
    found = _json(cli, "moons", *hidden, "--epochs", "1")
    assert found["network"]["sizes"] == [2, 5, 4, 2]
    assert found["network"]["activations"] == ["tanh", "gelu", "softmax"]


def test_a_network_needs_no_hidden_layer(cli: Any) -> None:
    found = _json(cli, "blobs", "--layers", "2,3", "--epochs", "1")
    assert found["network"]["activations"] == ["softmax"]


def test_restraints_are_passed_on(cli: Any) -> None:
    restraints = {
        "l2": 0.5,
        "l1": 0.25,
        "dropout": 0.1,
        "clip_norm": 1.0,
        "clip_value": 0.5,
        "freeze": ["biases"],
    }
    given = "--l2 .5 --l1 .25 --dropout .1 --clip-norm 1 --clip-value .5 --freeze biases"
    found = _json(cli, "moons", *QUICK, *given.split(), "--save", "net.safetensors")
    assert {name: found["training"][name] for name in restraints} == restraints
    assert not cp.load("net.safetensors").biases[2].any()


def test_numbers_of_points_and_noise_are_passed_on(cli: Any) -> None:
    ran = cli("train", "spirals", *QUICK, "--samples", "90", "--noise", "0.5")
    assert "72 to train, 18 to test" in ran.out


def test_the_target_of_a_table_can_be_named(cli: Any, houses: Path) -> None:
    found = _json(cli, houses, *QUICK, "--target", "rooms", "--target", "area")
    assert found["network"]["sizes"] == [1, 8, 2]
    assert found["training"]["data"]["target_names"] == ["rooms", "area"]


def test_float32_is_passed_on(cli: Any) -> None:
    assert _json(cli, "moons", *QUICK, "--dtype", "float32")["network"]["dtype"] == "float32"


@pytest.mark.parametrize(
    "options",
    [("--target-scaling", "none"), ("--output-activation", "relu"), ("--freeze", "biases")],
    ids=["none", "another output", "frozen"],
)
def test_targets_are_not_scaled_where_that_is_not_wanted(
    cli: Any, houses: Path, options: tuple[str, str]
) -> None:
    found = _json(cli, houses, *QUICK, *options)
    assert found["training"]["target_scaling"] == "none"


@pytest.mark.parametrize(
    ("loss", "output", "expected"),
    [
        (None, None, ("softmax", "cross_entropy")),
        (None, "sigmoid", ("sigmoid", "binary_cross_entropy")),
        (None, "tanh", ("tanh", "quadratic")),
        ("binary_cross_entropy", None, ("sigmoid", "binary_cross_entropy")),
        ("quadratic", None, ("softmax", "quadratic")),
        ("cross_entropy", "sigmoid", ("sigmoid", "cross_entropy")),
    ],
)
def test_the_output_and_the_loss_suit_each_other(
    loss: str | None, output: str | None, expected: tuple[str, str]
) -> None:
    assert defaults.output_and_loss("classification", output, loss) == expected


# --- what cannot be -------------------------------------------------------------------------------

WRONG: dict[str, tuple[str, str]] = {
    "a data set that is not": ("digit", "did you mean 'digits'?"),
    "a file that is not": ("none.csv", "there is no none.csv"),
    "an activation that is not": ("xor --activation sigmod", "did you mean 'sigmoid'?"),
    "an output that is not": ("xor --output-activation sofmax", "did you mean 'softmax'?"),
    "a loss that is not": ("xor --loss mse", "unknown loss 'mse'"),
    "an optimizer that is not": ("xor --optimizer adm", "did you mean 'adam'?"),
    "a schedule that is not": ("xor --schedule cosin", "did you mean 'cosine'?"),
    "an initializer that is not": ("xor --initializer he", "unknown initializer 'he'"),
    "a scaling that is not": ("xor --scaling standart", "did you mean 'standard'?"),
    "a target scaling that is not": ("xor --target-scaling log", "unknown target scaling"),
    "a target scaling for classes": ("xor --target-scaling standard", "numbers to predict"),
    "a task that is not": ("xor --task regresion", "did you mean 'regression'?"),
    "layers that are no numbers": ("xor --layers 2,x,2", "expected numbers of neurons"),
    "layers that do not fit": ("xor --layers 3,4,2", "begin with 2, the features of xor"),
    "layers and hidden": ("xor --layers 2,3,2 --hidden 3", "expected one of them"),
    "a hidden layer of nothing": ("xor --hidden 0", "sizes is [2, 0, 2]"),
    "too many activations": (
        "xor --activation relu --activation tanh",
        "given 2 times for 1 hidden",
    ),
    "softmax for a neuron": ("xor --momentum 0.9", "--momentum 0.9 was given for adam"),
    "a rate for L-BFGS": ("xor --optimizer lbfgs --learning-rate 1", "which has none"),
    "a schedule for L-BFGS": ("xor --optimizer lbfgs --schedule cosine", "which has none"),
    "dropout for L-BFGS": ("xor --optimizer lbfgs --dropout 0.5", "no dropout"),
    "a negative rate": ("xor --learning-rate -1", "given -1.0"),
    "no epochs": ("xor --epochs 0", "epochs is 0"),
    "no samples in a batch": ("xor --batch-size 0", "batch_size is 0"),
    "a negative seed": ("xor --seed -1", "seed is -1"),
    "another dtype": ("xor --dtype float16", "float32, float64"),
    "a negative penalty": ("xor --l2 -1", "l2 is -1.0"),
    "a dropout of 1": ("xor --dropout 1", "below 1"),
    "a clip of 0": ("xor --clip-norm 0", "clip_norm is 0.0"),
    "a freeze of nothing": ("xor --freeze bias", "freeze names 'bias'"),
    "no patience": ("xor --early-stopping 0", "patience is 0"),
    "all for testing": ("moons --test-fraction 1", "below 1"),
    "a column that is not": ("flowers.csv --target nmae", "did you mean 'name'?"),
    "a column of a shape": ("xor --target x", "xor, which has no use for it"),
    "a number that is none": ("xor --epochs many", "--epochs"),
    "an option that is not": ("xor --epoch 3", "--epochs"),
    "no threads": ("xor --threads 0", "--threads"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_and_leaves_nothing(
    cli: Any, flowers: Path, line: str, message: str
) -> None:
    save = ("--save", "net.safetensors", "--plot", "curves.png")
    ran = cli("train", *line.split(), *save)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert [path.name for path in flowers.parent.iterdir()] == ["flowers.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--save net", "ends in .safetensors"),
        ("--save flowers.csv", "ends in .safetensors"),
        ("--save nowhere/net.safetensors", "the folder nowhere (No such file or directory)"),
        ("--save folder.safetensors", "which is a folder"),
        ("--plot curves", "ends in .png, .svg, .pdf"),
        ("--plot curves.bmp", "ends in .png, .svg, .pdf"),
        ("--plot nowhere/curves.png", "the folder nowhere"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_found_out_first(
    cli: Any, flowers: Path, options: str, message: str
) -> None:
    Path("folder.safetensors").mkdir()
    before = flowers.read_text()
    # Not even the data are read: with a data set that does not exist, this is still the error.
    ran = cli("train", "not-there.csv", *options.split())
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert flowers.read_text() == before
    assert {p.name for p in flowers.parent.iterdir()} == {"flowers.csv", "folder.safetensors"}


def test_numbers_that_overflow_end_training_and_the_last_good_ones_are_kept(cli: Any) -> None:
    steep = ("--optimizer", "sgd", "--learning-rate", "1e200", "--output-activation", "identity")
    ran = cli("train", "moons", *QUICK, *steep, "--loss", "quadratic", "--save", "net.safetensors")
    assert ran.code == 2
    kept, error = ran.err.splitlines()
    assert kept == "kept: model saved to net.safetensors"
    assert error.startswith("error: ")
    assert "became NaN or infinite in epoch 1" in error
    assert np.isfinite(cp.load("net.safetensors").parameters).all()


def test_debug_shows_where_an_error_comes_from(cli: Any) -> None:
    for line in (
        ("--debug", "train", "xor", "--epochs", "0"),
        ("train", "xor", "--epochs", "0", "--debug"),
    ):
        ran = cli(*line)
        assert ran.code == 2
        assert ran.err.startswith("Traceback (most recent call last):")
        assert ran.err.splitlines()[-1] == "error: epochs is 0; expected a whole number, at least 1"


# --- being stopped --------------------------------------------------------------------------------


def _interrupt(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Press Ctrl-C when so many epochs are done."""
    from clearprop import training

    report = training.Training._report

    def pressed(self: Any, *arguments: Any) -> Any:
        made = report(self, *arguments)
        if len(self.history) == after:
            raise KeyboardInterrupt
        return made

    monkeypatch.setattr(training.Training, "_report", pressed)


def test_ctrl_c_keeps_what_was_promised(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _interrupt(monkeypatch, after=3)
    ran = cli("train", "moons", "--epochs", 9, "--save", "net.safetensors", "--plot", "curves.png")
    assert ran.code == 130
    assert ran.err == (
        "interrupted: after 3 epochs; model saved to net.safetensors; learning curves drawn in "
        "curves.png\n"
    )
    trained = describe("net.safetensors")["training"]
    assert (trained["epochs"], trained["epochs_run"], trained["stopped"]) == (9, 3, "interrupted")
    data = cp.datasets.load("moons")
    assert cp.evaluate(cp.load("net.safetensors"), data.test).accuracy > 0.7
    assert Path("curves.png").exists()


def test_ctrl_c_with_nothing_to_keep(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _interrupt(monkeypatch, after=1)
    ran = cli("train", "moons", "--epochs", 9)
    assert ran.code == 130
    assert ran.err == "interrupted: after 1 epoch; nothing was to be saved\n"


def test_ctrl_c_before_the_first_epoch_is_done(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("clearprop.cli.run.fit", pressed)
    ran = cli("train", "moons", "--plot", "curves.png", "--save", "net.safetensors")
    assert ran.code == 130
    assert "no epoch was finished, so that there are no curves to draw" in ran.err
    assert not Path("curves.png").exists()
    assert cp.load("net.safetensors").sizes == (2, 256, 2)


def test_an_interrupted_regression_still_speaks_in_its_own_unit(
    cli: Any, houses: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interrupt(monkeypatch, after=20)
    assert cli("train", houses, "--save", "net.safetensors").code == 130
    predicted = cp.load("net.safetensors").predict([[0.5, 0.5]])
    assert 300_000 < predicted[0, 0] < 500_000
