"""L-BFGS: SciPy's own numbers, one iteration at a time."""

import gc
import threading

import numpy as np
import pytest
from scipy.optimize import minimize

import clearprop as cp
from clearprop.errors import InputError, NonFiniteError
from clearprop.lbfgs import lbfgs_iterations
from clearprop.regularization import StepRules, frozen_parameters, weight_mask

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 0.0], [0.0, 3.0]]) + np.array([0.25, -1.0])


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind():
    yield
    assert threads() == []


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "clearprop L-BFGS"]


def linear(**settings):
    return cp.Network([3, 2], activations="identity", **{"seed": 1, **settings})


def curved(**settings):
    return cp.Network([3, 5, 2], **{"activations": ["tanh", "identity"], "seed": 1, **settings})


def rosenbrock(p):
    a, b = p
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2, np.array(
        [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]
    )


def test_a_linear_problem_is_solved():
    net = linear()
    history = cp.fit(net, (X, Y), epochs=200, optimizer="lbfgs")
    assert history.stopped == "converged"
    assert len(history) < 50
    assert net.weights[2] == pytest.approx(np.array([[1, 0.5, 0], [-2, 0, 3]]), abs=1e-6)
    assert net.biases[2] == pytest.approx([0.25, -1], abs=1e-6)


@pytest.mark.parametrize("iterations", [1, 5, 200])
def test_the_iterations_are_those_of_scipy(iterations):
    start, settings = np.array([-1.2, 1.0]), cp.LBFGS(memory=4, tolerance=1e-6)
    theirs = []
    result = minimize(
        rosenbrock, start, jac=True, method="L-BFGS-B", callback=lambda x: theirs.append(x.copy()),
        options={"maxiter": iterations, "maxcor": 4, "gtol": 1e-6, "ftol": 0.0},
    )  # fmt: skip
    ours = list(lbfgs_iterations(rosenbrock, start, settings, iterations))
    assert np.array_equal([point for point, _ in ours], theirs)
    assert ours[-1][1] == result.fun
    assert start.tolist() == [-1.2, 1.0]


def test_training_is_minimizing_the_cost():
    net, twin = curved(), curved()
    rules = StepRules(
        weight_mask(net.architecture), l2=0.3 / 30, l1=0.1 / 30,
        frozen=frozen_parameters(net.architecture, ["biases[3]"]),
    )  # fmt: skip

    def cost(p):
        twin.parameters[:] = p
        trace = twin.backprop(X, Y, keep="gradients")
        return trace.loss + rules.penalty(p), rules.gradient(p, trace.gradient)

    result = minimize(
        cost, curved().parameters, jac=True, method="L-BFGS-B",
        options={"maxiter": 25, "maxcor": 10, "gtol": 1e-8, "ftol": 0.0},
    )  # fmt: skip
    cp.fit(
        net, (X, Y), epochs=25, optimizer=cp.LBFGS(), l2=0.3, l1=0.1, freeze="biases[3]",
        engine="reference",
    )  # fmt: skip
    assert np.array_equal(net.parameters, result.x)
    assert np.array_equal(net.biases[3], curved().biases[3])


def test_its_steps_are_epochs_of_one_batch():
    net, losses = curved(), []
    for step in cp.train(net, (X, Y), epochs=4, batch_size=7, optimizer="lbfgs", keep="all"):
        assert (step.batch, step.batches, step.learning_rate) == (1, 1, 1.0)
        assert step.report.epoch == step.epoch
        # The trace is the pass before the update, of the whole training set, in its order.
        assert np.array_equal(step.trace.a[1], X)
        assert step.trace.loss == pytest.approx(step.loss, rel=1e-14)
        assert not np.array_equal(step.trace.parameters, net.parameters)
        losses.append(step.loss)
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(curved().backprop(X, Y).loss, rel=1e-14)
    assert len(losses) == 4


def test_sample_weights_count():
    weight = RNG.integers(0, 3, 30)
    weighted, repeated = curved(), curved()
    cp.fit(weighted, (X, Y), epochs=3, optimizer="lbfgs", sample_weight=weight)
    often = np.repeat(np.arange(30), weight)
    cp.fit(repeated, (X[often], Y[often]), epochs=3, optimizer="lbfgs")
    assert weighted.parameters == pytest.approx(repeated.parameters, rel=1e-6)


def test_float32():
    net = curved(dtype="float32")
    history = cp.fit(net, (X, Y), epochs=20, optimizer="lbfgs")
    assert net.parameters.dtype == np.float32
    assert history["loss"][-1] < 0.1 * history["loss"][0]


# --- ending early --------------------------------------------------------------------------------


def test_an_abandoned_run_leaves_no_thread_behind():
    run = cp.train(curved(), (X, Y), epochs=50, optimizer="lbfgs")
    next(run)
    next(run)
    assert len(threads()) == 1
    run.close()
    assert threads() == []
    with pytest.raises(StopIteration):
        next(run)


def test_nor_does_one_that_was_forgotten():
    run = cp.train(curved(), (X, Y), epochs=50, optimizer="lbfgs")
    next(run)
    del run
    gc.collect()
    assert threads() == []


def test_nor_one_that_never_began():
    cp.train(curved(), (X, Y), epochs=50, optimizer="lbfgs").close()
    assert list(lbfgs_iterations(rosenbrock, np.ones(2), cp.LBFGS(), 10)) == []  # the minimum


def test_a_callback_ends_it():
    history = cp.fit(
        curved(), (X, Y), epochs=50, optimizer="lbfgs", callbacks=[lambda net, r: r.epoch == 3]
    )
    assert (len(history), history.stopped) == (3, "callback")


def test_early_stopping_ends_it_at_the_best_parameters():
    net, best = curved(), []
    validation = (X[:5], Y[:5] + RNG.normal(size=(5, 2)))
    history = cp.fit(
        net, (X[5:], Y[5:]), epochs=200, optimizer="lbfgs", validation_data=validation,
        early_stopping=3, callbacks=[lambda net, _: best.append(net.parameters.copy())],
    )  # fmt: skip
    assert history.stopped == "early stopping"
    assert history.best_epoch == 1 + int(np.argmin(history["validation_loss"]))
    assert np.array_equal(net.parameters, best[history.best_epoch - 1])


def test_an_error_in_the_cost_arrives_where_it_is_asked_for():
    def fail(p):
        raise ZeroDivisionError("in the cost")

    with pytest.raises(ZeroDivisionError, match="in the cost"):
        next(lbfgs_iterations(fail, np.ones(2), cp.LBFGS(), 5))


def test_a_start_that_is_not_finite():
    net = linear(initializer=1.0)
    with pytest.raises(NonFiniteError, match="the loss became NaN or infinite in epoch 1"):
        cp.fit(net, (1e200 * X, Y), optimizer="lbfgs")
    assert (net.parameters == 1).all()


def test_a_line_search_that_meets_infinity_backs_away():
    steep = cp.Activation("steep", f=lambda z: np.exp(z**3), df=lambda z, a: 3 * z**2 * a)
    net = cp.Network([3, 4, 2], activations=[steep, "identity"], initializer=0.1)
    history = cp.fit(net, (3 * X, Y), epochs=20, optimizer="lbfgs")
    assert np.isfinite(net.parameters).all()
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("setting", [{"dropout": 0.5}, {"clip_norm": 1.0}, {"clip_value": 1.0}])
def test_what_does_not_go_with_it(setting):
    with pytest.raises(InputError, match="expected no dropout and no clipping with it"):
        cp.train(curved(), (X, Y), optimizer="lbfgs", **setting)
