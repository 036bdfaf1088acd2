"""Training: a generator of Steps, and fit() which drives it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clearprop as cp
from clearprop.engines import get_engine
from clearprop.errors import InputError, NonFiniteError
from clearprop.optimizers import OPTIMIZERS
from clearprop.schedules import Cosine, ReduceOnPlateau, StepDecay
from clearprop.trace import KEEP

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(11, 3)), RNG.uniform(size=(11, 2))
DATA = (X, Y)
VALIDATION = (RNG.normal(size=(6, 3)), RNG.uniform(size=(6, 2)))


def network(**settings):
    return cp.Network(
        [3, 4, 2],
        **{"activations": ["tanh", "sigmoid"], "initializer": "he_normal", "seed": 1, **settings},
    )


def trained(net=None, data=DATA, **settings):
    """The parameters after a short run, and its history."""
    net = network() if net is None else net
    run = {"epochs": 3, "batch_size": 4, "optimizer": cp.SGD(0.5), "seed": 2, **settings}
    history = cp.fit(net, data, **run)
    return net.parameters, history


def losses(history):
    return [
        (r.epoch, r.loss, r.learning_rate, r.validation_loss, r.validation_accuracy)
        for r in history
    ]


# --- what a run is -------------------------------------------------------------------------------


def test_the_steps_of_a_run():
    run = cp.train(network(), DATA, epochs=2, batch_size=4, optimizer=cp.SGD(0.5), seed=0)
    assert (run.epochs, run.batches, run.taken) == (2, 3, 0)
    steps = list(run)
    assert run.taken == 6
    assert [(s.epoch, s.batch, s.batches) for s in steps] == [
        (1, 1, 3), (1, 2, 3), (1, 3, 3), (2, 1, 3), (2, 2, 3), (2, 3, 3),
    ]  # fmt: skip
    assert all(s.trace is None for s in steps)
    assert [s.report is not None for s in steps] == [False, False, True] * 2
    assert [s.report.epoch for s in steps if s.report] == [1, 2]
    assert run.history.stopped is None
    assert run.history.engine == "compiled"


def test_every_sample_is_used_once_an_epoch_and_the_last_smaller_batch_too():
    run = cp.train(network(), DATA, epochs=3, batch_size=4, seed=0, keep="all")
    orders = []
    for _, epoch in itertools.groupby(run, key=lambda step: step.epoch):
        batches = [step.trace.a[1] for step in epoch]
        assert [len(batch) for batch in batches] == [4, 4, 3]
        rows = np.vstack(batches)
        assert np.array_equal(rows[np.lexsort(rows.T)], X[np.lexsort(X.T)])
        orders.append(rows.tobytes())
    assert len(set(orders)) == 3  # each epoch in an order of its own


@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "lbfgs"])
def test_an_update_uses_only_the_gradient_taken_before_it(optimizer):
    net, record = network(), cp.optimizers.get_optimizer(optimizer)
    p = net.parameters.copy()
    state = record.init(p)
    run = {"epochs": 2, "batch_size": 4, "seed": 0, "keep": "all", "engine": "reference"}
    for step in cp.train(net, DATA, optimizer=optimizer, **run):
        assert np.array_equal(step.trace.parameters, p)
        again = network()
        again.parameters[:] = p
        fresh = again.backprop(step.trace.a[1], step.trace.y)
        assert np.array_equal(fresh.gradient, step.trace.gradient)
        assert fresh.loss == step.loss == step.trace.loss
        p, state = record.update(p, fresh.gradient, state, step.learning_rate)
        assert np.array_equal(net.parameters, p)


def test_a_batch_larger_than_the_data_and_none_are_the_whole():
    for batch_size in (None, 11, 12, 10**9):
        run = cp.train(network(), DATA, epochs=2, batch_size=batch_size, seed=0)
        assert run.batches == 1
    alone, whole = (trained(batch_size=size, shuffle=False)[0] for size in (99, None))
    assert np.array_equal(alone, whole)


def test_full_batch_gradient_descent_by_hand():
    net, twin = network(), network()
    run = {"epochs": 3, "batch_size": None, "optimizer": cp.SGD(0.5), "shuffle": False}
    cp.fit(net, DATA, **run, engine="reference")
    for _ in range(3):
        twin.parameters -= 0.5 * twin.backprop(X, Y).gradient
    assert np.array_equal(net.parameters, twin.parameters)


def test_the_reported_loss_is_the_mean_over_the_samples():
    run = list(cp.train(network(), DATA, epochs=1, batch_size=4, seed=0, keep="all"))
    every = np.concatenate([step.trace.sample_losses for step in run])
    assert run[-1].report.loss == pytest.approx(every.mean(), rel=1e-14)


# --- the same bits -------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_seed_gives_the_same_bits(optimizer, dtype):
    common = {"optimizer": optimizer, "l2": 0.1, "validation_data": VALIDATION}
    if optimizer != "lbfgs":
        common |= {"dropout": 0.25, "clip_norm": 0.5}
    (p, first), (q, second) = (trained(network(dtype=dtype), **common) for _ in range(2))
    assert np.array_equal(p, q)
    assert losses(first) == losses(second)


def test_another_seed_gives_others():
    runs = [trained(seed=seed)[0].tobytes() for seed in (2, 3, None, None)]
    assert len(set(runs)) == 4


def test_neither_keeping_nor_watching_changes_a_bit():
    common = {"dropout": 0.25, "l2": 0.1, "optimizer": "adam"}
    plain, _ = trained(**common)
    for keep in KEEP:
        assert np.array_equal(trained(**common, keep=keep)[0], plain)
    watched, _ = trained(
        **common, validation_data=VALIDATION, evaluate_training=True, progress=True
    )
    assert np.array_equal(watched, plain)


@settings(max_examples=30)
@given(steps=st.integers(1, 9))
def test_how_many_steps_are_taken_at_once_changes_no_bit(steps):
    net, common = network(), {"epochs": 3, "batch_size": 4, "optimizer": "adam", "seed": 2}
    run = cp.train(net, DATA, **common, dropout=0.25)
    assert [step.report.epoch for step in run.chunks(steps) if step.report] == [1, 2, 3]
    fitted, _ = trained(optimizer="adam", dropout=0.25)
    stepped = network()
    history = [s.report for s in cp.train(stepped, DATA, **common, dropout=0.25) if s.report]
    assert np.array_equal(net.parameters, fitted)
    assert np.array_equal(stepped.parameters, fitted)
    assert losses(history) == losses(run.history)


def test_looking_at_the_network_between_steps_changes_no_bit():
    net = network()
    for _ in cp.train(net, DATA, epochs=3, batch_size=4, optimizer=cp.SGD(0.5), seed=2):
        cp.evaluate(net, VALIDATION)
        net.backprop(X, Y)
    assert np.array_equal(net.parameters, trained()[0])


# --- the order of the samples --------------------------------------------------------------------


def test_in_their_own_order():
    first = next(cp.train(network(), DATA, batch_size=4, shuffle=False, keep="all"))
    assert np.array_equal(first.trace.a[1], X[:4])
    assert np.array_equal(trained(shuffle=False, seed=1)[0], trained(shuffle=False, seed=2)[0])


def test_in_an_order_of_ones_own():
    asked = []

    def backwards(epoch):
        asked.append(epoch)
        return range(10, -1, -1)

    run = cp.train(network(), DATA, epochs=2, batch_size=4, shuffle=backwards, keep="all")
    rows = np.vstack([step.trace.a[1] for step in run])
    assert np.array_equal(rows, np.vstack([X[::-1], X[::-1]]))
    assert asked == [1, 2]


@pytest.mark.parametrize(
    "order",
    [
        range(10),
        range(1, 12),
        [0] * 11,
        [],
        None,
        3,
        "abc",
        [[0]],
        [[1], [2, 3]],
        np.arange(11) + 0.5,
    ],
    ids=repr,
)
def test_what_is_no_order(order):
    run = cp.train(network(), DATA, shuffle=lambda epoch: order)
    with pytest.raises(InputError, match=r"shuffle\(1\) gave.*expected"):
        next(run)


# --- weights of samples --------------------------------------------------------------------------


def test_whole_weights_are_repeated_samples():
    weight = np.array([1, 2, 0, 1, 3, 1, 0, 2, 1, 1, 2])
    often = np.repeat(np.arange(11), weight)
    weighted, first = trained(sample_weight=weight, batch_size=None)
    repeated, second = trained(data=(X[often], Y[often]), batch_size=None)
    assert weighted == pytest.approx(repeated, rel=1e-12)
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_a_batch_without_weight_is_no_step(optimizer):
    # Of two batches the second has no weight: not even momentum or weight decay moves anything.
    weight = np.array([1.0] * 4 + [0.0] * 4)
    common = {"batch_size": 4, "shuffle": False, "optimizer": optimizer, "l2": 0.3}
    data = X[:8], Y[:8]
    net = network()
    path = []
    for step in cp.train(net, data, epochs=3, sample_weight=weight, **common):
        path.append(net.parameters.copy())
        if step.batch == 2:
            assert step.loss == 0
            assert np.array_equal(path[-1], path[-2])
    alone = network()
    # λ is divided by the size of the training set: 8 there, 4 here.
    cp.fit(alone, (X[:4], Y[:4]), epochs=3, **{**common, "l2": 0.15})
    assert np.array_equal(net.parameters, alone.parameters)


# --- reports, validation, early stopping ---------------------------------------------------------


def test_what_is_reported():
    net, seen = network(), []

    def watch(given, report):
        seen.append((report, cp.evaluate(given, VALIDATION), cp.evaluate(given, DATA)))

    _, history = trained(net, validation_data=VALIDATION, evaluate_training=True, callbacks=[watch])
    assert [report for report, _, _ in seen] == history.epochs
    assert history["epoch"] == [1, 2, 3]
    for report, validation, training in seen:
        assert report.validation_loss == validation.loss
        assert report.training_loss == training.loss
        assert report.validation_accuracy is None  # these targets are no classes
    seconds = history["seconds"]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_a_data_set_brings_its_validation_part_its_classes_and_its_scaling():
    data = cp.datasets.load("blobs", samples=60, validation_fraction=0.25, seed=1)
    net = cp.Network([2, 3], activations="softmax", loss="cross_entropy", seed=1)
    history = cp.fit(net, data, epochs=2, batch_size=10, seed=0)
    assert net.classes == data.classes
    assert net.scaling == data.scaling
    assert history.epochs[-1].validation_accuracy == cp.evaluate(net, data.validation).accuracy
    first = next(cp.train(net, data, batch_size=None, shuffle=False, keep="all"))
    assert np.array_equal(first.trace.a[1], data.scaling.apply(data.train.x))


def test_a_network_keeps_the_classes_and_scaling_that_it_has():
    data = cp.datasets.load("blobs", samples=60, seed=1)
    scaling = cp.Scaling("mine", [0, 0], [3, 3])
    net = cp.Network([2, 3], classes=["a", "b", "c"], scaling=scaling, seed=1)
    cp.fit(net, data, epochs=1)
    assert net.classes == ("a", "b", "c")
    assert net.scaling is scaling


@pytest.mark.parametrize("validated", [True, False])
def test_validation_data_may_be_a_data_set(validated):
    data = cp.datasets.load("moons", samples=60, validation_fraction=0.25 * validated, seed=1)
    net = cp.Network([2, 3, 2], seed=1)
    history = cp.fit(net, data.train, epochs=1, validation_data=data)
    part = data.validation if validated else data.test
    assert history["validation_loss"] == [cp.evaluate(net, part).loss]


def test_early_stopping_goes_back_to_the_best_parameters():
    net, after = network(), []
    history = cp.fit(
        net, DATA, epochs=500, optimizer=cp.Adam(0.1), seed=0, validation_data=VALIDATION,
        early_stopping=4, callbacks=[lambda net, _: after.append(net.parameters.copy())],
    )  # fmt: skip
    watched = history["validation_loss"]
    assert history.stopped == "early stopping"
    assert history.best_epoch == 1 + int(np.argmin(watched))
    assert len(history) == history.best_epoch + 4
    assert np.array_equal(net.parameters, after[history.best_epoch - 1])
    assert cp.evaluate(net, VALIDATION).loss == min(watched)


def test_the_best_parameters_come_back_too_where_the_epochs_end_first():
    net = network()
    history = cp.fit(
        net, DATA, epochs=3, optimizer=cp.SGD(30.0), seed=0, validation_data=VALIDATION,
        early_stopping=cp.EarlyStopping(patience=10),
    )  # fmt: skip
    assert history.stopped is None
    assert cp.evaluate(net, VALIDATION).loss == min(history["validation_loss"])


def test_early_stopping_in_a_generator():
    net = network()
    common = {"epochs": 500, "optimizer": cp.Adam(0.1), "seed": 0, "validation_data": VALIDATION}
    run = cp.train(net, DATA, **common, early_stopping=4)
    assert sum(1 for _ in run) == run.taken == 2 * len(run.history)
    fitted = network()
    cp.fit(fitted, DATA, **common, early_stopping=4)
    assert np.array_equal(net.parameters, fitted.parameters)
    # A run that is left early can be closed: the best parameters so far come back.
    left = network()
    run = cp.train(left, DATA, **common, early_stopping=4)
    for step in run:
        if step.epoch == len(run.history) == run.history.best_epoch + 2:
            break
    run.close()
    assert cp.evaluate(left, VALIDATION).loss == min(run.history["validation_loss"])


def test_without_validation_data_the_training_loss_is_watched():
    _, history = trained(
        optimizer=cp.SGD(1e-12), epochs=50, early_stopping=cp.EarlyStopping(3, 1e-3)
    )
    assert history.stopped == "early stopping"
    assert len(history) == 4


def test_a_gain_below_min_delta_is_none():
    common = {
        "epochs": 60,
        "optimizer": cp.SGD(0.01),
        "batch_size": None,
        "validation_data": VALIDATION,
    }
    _, patient = trained(**common, early_stopping=cp.EarlyStopping(2))
    _, strict = trained(**common, early_stopping=cp.EarlyStopping(2, min_delta=1.0))
    assert len(patient) > len(strict) == 3


def test_the_learning_rate_over_time():
    common = {"epochs": 4, "batch_size": 6}
    for schedule, expected in (
        (StepDecay(0.8, every=2), [0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4]),
        (Cosine(1.0, warmup=2), [0.0, 0.25, 0.5, 0.75, 1.0, (2 + math.sqrt(2)) / 4, 0.5]),
    ):
        run = cp.train(network(), DATA, optimizer=cp.SGD(schedule), **common)
        rates = [step.learning_rate for step in run]
        assert rates[: len(expected)] == pytest.approx(expected)
        assert run.history["learning_rate"] == rates[1::2]


def test_the_rate_falls_where_learning_has_met_a_plateau():
    schedule = ReduceOnPlateau(1e-9, factor=0.1, patience=2, min_delta=1.0)
    _, history = trained(epochs=7, optimizer=cp.SGD(schedule), validation_data=VALIDATION)
    # The first epoch is the best; after each two more without a gain the rate falls.
    assert history["learning_rate"] == pytest.approx([1e-9] * 3 + [1e-10] * 2 + [1e-11] * 2)


def test_a_history_can_be_gone_on_with():
    net = network()
    _, history = trained(net, epochs=2)
    _, same = trained(net, epochs=3, history=history)
    assert same is history
    assert history["epoch"] == [1, 2, 3, 4, 5]


def test_why_an_earlier_run_ended_is_no_reason_to_end_this_one():
    net = network()
    _, history = trained(net, epochs=9, callbacks=[lambda net, report: True])
    assert (len(history), history.stopped) == (1, "callback")
    trained(net, epochs=3, history=history)
    assert (len(history), history.stopped) == (4, None)


# --- callbacks and interruption ------------------------------------------------------------------


def test_a_callback_that_returns_true_ends_the_run():
    net, calls = network(), []

    def first(given, report):
        calls.append(("first", report.epoch))
        assert given is net
        return report.epoch == 2

    def second(given, report):
        calls.append(("second", report.epoch))

    _, history = trained(net, epochs=9, callbacks=[first, second])
    assert history.stopped == "callback"
    assert calls == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]
    assert np.array_equal(net.parameters, trained(epochs=2)[0])


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_ctrl_c_leaves_everything_in_order(optimizer):
    net, history = network(), cp.History()

    def interrupt(given, report):
        if report.epoch == 3:
            raise KeyboardInterrupt

    run = {"epochs": 50, "optimizer": optimizer, "history": history, "validation_data": VALIDATION}
    with pytest.raises(KeyboardInterrupt):
        trained(net, **run, callbacks=[interrupt], early_stopping=30)
    assert history.stopped == "interrupted"
    assert history["epoch"] == [1, 2, 3]
    assert np.isfinite(net.parameters).all()
    # With early stopping, the network has the best parameters met before the interruption.
    assert cp.evaluate(net, VALIDATION).loss == min(history["validation_loss"])
    trained(net, epochs=1, history=history)
    assert (len(history), history.stopped) == (4, None)


class Interrupted(type(get_engine("reference"))):
    """The reference engine, and a Ctrl-C in the middle of its fifth pass."""

    name = "interrupted"
    passes = 0

    def sums(self, *given):
        self.passes += 1
        if self.passes == 5:
            raise KeyboardInterrupt
        return super().sums(*given)


def test_ctrl_c_in_the_middle_of_a_step_leaves_whole_steps():
    net, twin = network(), network()
    with pytest.raises(KeyboardInterrupt):
        trained(net, engine=Interrupted())
    run = {"epochs": 3, "batch_size": 4, "optimizer": cp.SGD(0.5), "seed": 2}
    four = itertools.islice(cp.train(twin, DATA, **run, engine="reference"), 4)
    assert len(list(four)) == 4
    assert np.array_equal(net.parameters, twin.parameters)


# --- numbers that are not finite -----------------------------------------------------------------

IDENTITY = {"activations": "identity", "initializer": 1.0}


def blow_up(net, data, good, **run):
    """The error that a run ends with; ``good`` gets the parameters before each step."""
    steps = cp.train(net, data, **run)
    good.append(net.parameters.copy())
    try:
        for _ in steps:
            good.append(net.parameters.copy())
    except NonFiniteError as error:
        return error
    raise AssertionError("the run went well")


@pytest.mark.parametrize(
    ("net", "x", "run", "quantity", "layer", "epoch", "batch"),
    [
        # w = 1 - η·huge overflows
        (cp.Network([1, 1], **IDENTITY), [[1e5]], {"optimizer": cp.SGD(1e300)}, "weights", 2, 1, 1),
        # the first step makes w ≈ -1e200, the second one meets w·w
        (
            cp.Network([1, 1, 1], **IDENTITY),
            [[1.0], [1.0]],
            {"optimizer": cp.SGD(1e200), "batch_size": 1},
            "z", 3, 1, 2,
        ),
        # (1e200)² in the loss
        (cp.Network([1, 1], **IDENTITY), [[1e200]], {}, "loss", 2, 1, 1),
        # each loss is finite, their sum is not
        (cp.Network([1, 1], **IDENTITY), [[1.4e154], [1.4e154]], {}, "loss", 2, 1, 1),
        # the same where every gradient is finite
        (
            cp.Network([1, 1], **IDENTITY, loss="absolute"),
            [[1e308], [1e308]], {}, "loss", 2, 1, 1,
        ),
        # float32 ends at 3e38
        (cp.Network([1, 1, 1], **IDENTITY, dtype="float32"), [[1e20]], {}, "loss", 3, 1, 1),
        # an f that is not finite
        (
            cp.Network([1, 2, 1], initializer=1.0, activations=[
                cp.Activation("log", f=lambda z: np.log(z - 5), df=lambda z, a: 0 * z), "tanh",
            ]),
            [[0.0]], {}, "a", 2, 1, 1,
        ),
        # an f' that is not
        (
            cp.Network([1, 2, 1], initializer=1.0, activations=[
                cp.Activation("bad", f=lambda z: z, df=lambda z, a: z / 0.0), "tanh",
            ]),
            [[0.0]], {}, "delta", 2, 1, 1,
        ),
        # the squared gradient that Adam remembers; the parameters themselves are finite
        (cp.Network([1, 1], **IDENTITY), [[1e100]], {"optimizer": cp.Adam()}, "weights", 2, 1, 1),
        # a penalty that makes the step overflow
        (
            cp.Network([1, 1], **IDENTITY), [[0.0]],
            {"l2": 1e300, "optimizer": cp.SGD(1e100)}, "weights", 2, 1, 1,
        ),
    ],
)  # fmt: skip
def test_the_first_number_that_is_not_finite(net, x, run, quantity, layer, epoch, batch):
    net, good = net.copy(), []
    error = blow_up(net, (x, np.zeros((len(x), 1))), good, **{"epochs": 3, "seed": 0, **run})
    assert (error.quantity, error.layer) == (quantity, layer)
    assert (error.epoch, error.batch) == (epoch, batch)
    assert np.isfinite(good[-1]).all()
    assert np.array_equal(net.parameters, good[-1])
    what = "the loss" if error.quantity == "loss" else f"{error.quantity}[{error.layer}]"
    assert f"{what} became NaN or infinite in epoch {error.epoch}, batch {error.batch}" in str(
        error
    )
    assert "learning rate" in str(error)


def test_a_network_that_blows_up_little_by_little():
    net, good = network(activations="identity"), []
    error = blow_up(net, DATA, good, epochs=300, batch_size=4, optimizer=cp.SGD(1.0), seed=0)
    taken = len(good) - 1
    assert taken > 10
    assert (error.epoch, error.batch) == (1 + taken // 3, 1 + taken % 3)
    assert np.array_equal(net.parameters, good[-1])


def test_the_same_error_out_of_fit():
    net = cp.Network([1, 1, 1], **IDENTITY)
    data, run = ([[1.0]] * 6, [[0.0]] * 6), {"optimizer": cp.SGD(1e200), "batch_size": 2}
    with pytest.raises(NonFiniteError) as caught:
        cp.fit(net, data, **run)
    assert (caught.value.quantity, caught.value.epoch, caught.value.batch) == ("z", 1, 2)
    assert np.isfinite(net.parameters).all()


def test_a_validation_loss_that_overflows_is_infinite_without_a_warning():
    net = cp.Network([1, 1], **IDENTITY)
    run = {"epochs": 1, "batch_size": None, "validation_data": ([[1.0]], [[0.0]])}
    history = cp.fit(net, ([[1.0]], [[0.0]]), optimizer=cp.SGD(1e200), **run)
    assert history["validation_loss"] == [math.inf]


def test_early_stopping_restores_the_best_after_a_blow_up():
    net = network(activations=["relu", "identity"])
    history = cp.History()
    with pytest.raises(NonFiniteError):
        cp.fit(
            net, DATA, epochs=500, optimizer=cp.SGD(Cosine(1e3, warmup=400)), seed=0, batch_size=4,
            validation_data=VALIDATION, early_stopping=500, history=history,
        )  # fmt: skip
    assert history.best_epoch
    assert cp.evaluate(net, VALIDATION).loss == min(history["validation_loss"])


# --- it learns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "epochs"),
    [
        (cp.SGD(2.0), 2000),
        (cp.Momentum(0.5), 600),
        (cp.Nesterov(0.5), 600),
        (cp.AdaGrad(0.5), 600),
        (cp.RMSProp(0.02), 600),
        (cp.Adam(0.05), 600),
        (cp.AdamW(0.05, weight_decay=1e-3), 600),
        (cp.LBFGS(), 200),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_optimizer_learns_the_exclusive_or(optimizer, epochs):
    xor = cp.datasets.load("xor")
    net = cp.Network([2, 8, 2], activations=["tanh", "softmax"], loss="cross_entropy", seed=1)
    cp.fit(net, xor, epochs=epochs, batch_size=4, optimizer=optimizer, seed=1)
    found = cp.evaluate(net, xor.train)
    assert found.accuracy == 1
    assert found.loss < 0.05


@pytest.mark.parametrize(
    ("activations", "loss"),
    [
        (["tanh", "softmax"], "cross_entropy"),
        (["relu", "sigmoid"], "binary_cross_entropy"),
        (["sigmoid", "sigmoid"], "quadratic"),
        (["gelu", "identity"], "huber"),
    ],
)
def test_moons_are_learnt(activations, loss):
    moons = cp.datasets.load("moons", samples=300, seed=1)
    net = cp.Network(
        [2, 16, 2], activations=activations, loss=loss, initializer="he_normal", seed=1
    )
    cp.fit(net, moons, epochs=60, batch_size=20, optimizer=cp.Adam(0.02), seed=1)
    assert cp.evaluate(net, moons.test).accuracy >= 0.95


def test_numbers_are_learnt():
    x = np.linspace(-2, 2, 80)[:, None]
    net = cp.Network([1, 12, 1], activations=["tanh", "identity"], seed=1)
    cp.fit(net, (x, np.sin(2 * x)), epochs=200, batch_size=10, optimizer=cp.Adam(0.02), seed=1)
    assert cp.evaluate(net, (x, np.sin(2 * x))).r2 > 0.99


# --- other libraries -----------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_arrays_of_other_libraries_train_the_same_network(library, optimizer):
    xp = pytest.importorskip(library)
    single = [value.astype("float32") for value in (X, Y, *VALIDATION)]
    x, y, vx, vy = (xp.asarray(value) for value in single)
    common = {"optimizer": optimizer, "sample_weight": np.arange(11), "batch_size": None}
    if optimizer == "adam":
        common |= {"dropout": {1: 0.1, 2: 0.3}}
    there, theirs = trained(network(dtype="float32"), (x, y), **common, validation_data=(vx, vy))
    here, ours = trained(network(dtype="float32"), DATA, **common, validation_data=VALIDATION)
    assert isinstance(there, np.ndarray)
    assert there == pytest.approx(here, rel=2e-3, abs=2e-4)
    assert theirs["validation_loss"] == pytest.approx(ours["validation_loss"], rel=1e-3)


def test_tensors_in_double_precision():
    torch = pytest.importorskip("torch")
    there, theirs = trained(data=(torch.tensor(X), torch.tensor(Y)), keep="all")
    here, ours = trained()
    assert there == pytest.approx(here, rel=1e-12)
    assert theirs["loss"] == pytest.approx(ours["loss"], rel=1e-12)
