"""Penalties, clipping, frozen parameters, dropout."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import clearprop as cp
from clearprop.architecture import design
from clearprop.engines import Batch, get_engine
from clearprop.errors import InputError
from clearprop.optimizers import OPTIMIZERS
from clearprop.regularization import (
    Dropout,
    StepRules,
    dropout_for,
    frozen_parameters,
    weight_mask,
)

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.uniform(size=(12, 2))
DESIGN = design([3, 4, 2], "tanh", "quadratic")
N = DESIGN.n_parameters


def network(**settings):
    return cp.Network([3, 4, 2], **{"activations": "tanh", "seed": 1, **settings})


def vectors(n, low=-3, high=3):
    return npst.arrays(np.float64, n, elements=st.floats(low, high, width=32))


# --- penalties -----------------------------------------------------------------------------------


def test_weights_and_biases_are_told_apart():
    mask = weight_mask(DESIGN)
    assert mask.sum() == 3 * 4 + 4 * 2
    for layer in DESIGN.layers:
        assert mask[DESIGN.weights_at(layer)].all()
        assert not mask[DESIGN.biases_at(layer)].any()


@given(p=vectors(N), l2=st.floats(0, 2), l1=st.floats(0, 2))
def test_the_gradient_of_the_penalties_against_differences(p, l2, l1):
    rules, h = StepRules(weight_mask(DESIGN), l2=l2, l1=l1), 2.0**-20
    p = np.where(np.abs(p) < 2 * h, 1.0, p)  # |w| has its kink at 0
    found = rules.gradient(p, np.zeros(N))
    for i, step in enumerate(h * np.eye(N)):
        slope = (rules.penalty(p + step) - rules.penalty(p - step)) / (2 * h)
        assert found[i] == pytest.approx(slope, abs=1e-6)
    assert (found[~rules.is_weight] == 0).all()


def test_the_penalties_by_hand():
    rules = StepRules(np.array([True, True, False]), l2=0.5, l1=0.25)
    p = np.array([3.0, -4.0, 100.0])
    assert rules.penalty(p) == 0.25 * (9 + 16) + 0.25 * (3 + 4)
    assert rules.gradient(p, np.array([1.0, 1.0, 1.0])).tolist() == [2.75, -1.25, 1]
    assert StepRules(rules.is_weight).penalty(p) == 0


def test_the_books_update_with_l2():
    # w → w(1 - ηλ/n) - η ∇, b → b - η ∇ (Nielsen, ch. 3)
    eta, lam, n = 0.5, 0.3, len(X)
    net, plain = network(), network()
    gradient = plain.backprop(X, Y).gradient
    cp.fit(net, (X, Y), epochs=1, batch_size=None, optimizer=cp.SGD(eta), l2=lam, shuffle=False)
    weights = weight_mask(net.architecture)
    shrunk = plain.parameters * np.where(weights, 1 - eta * lam / n, 1)
    assert net.parameters == pytest.approx(shrunk - eta * gradient, rel=1e-14)


def test_the_books_update_with_l1():
    # w → w - (ηλ/n) sign(w) - η ∇
    eta, lam, n = 0.5, 0.3, len(X)
    net, plain = network(), network()
    gradient = plain.backprop(X, Y).gradient
    cp.fit(net, (X, Y), epochs=1, batch_size=None, optimizer=cp.SGD(eta), l1=lam, shuffle=False)
    weights = weight_mask(net.architecture)
    moved = plain.parameters - eta * lam / n * np.sign(plain.parameters) * weights
    assert net.parameters == pytest.approx(moved - eta * gradient, rel=1e-14)


def test_n_is_the_training_set_also_in_a_small_batch():
    # Two samples a batch of twelve: λ/n is λ/12 on every one of the six steps.
    net, eta, lam = network(), 0.1, 3.0
    steps = cp.train(
        net,
        (X, Y),
        epochs=1,
        batch_size=2,
        optimizer=cp.SGD(eta),
        l2=lam,
        shuffle=False,
        keep="all",
    )
    for step in steps:
        weights = weight_mask(net.architecture)
        expected = step.trace.parameters * np.where(weights, 1 - eta * lam / 12, 1)
        assert net.parameters == pytest.approx(expected - eta * step.trace.gradient, rel=1e-13)


# --- clipping ------------------------------------------------------------------------------------


@given(g=vectors(N, -100, 100), bound=st.floats(0.01, 50))
def test_clipping_by_norm_keeps_the_direction(g, bound):
    clipped = StepRules(weight_mask(DESIGN), clip_norm=bound).gradient(np.zeros(N), g)
    norm = np.linalg.norm(g)
    assert np.linalg.norm(clipped) <= bound * (1 + 1e-12)
    assert clipped == pytest.approx(g * min(1, bound / norm) if norm else g, rel=1e-12)


@given(g=vectors(N, -100, 100), bound=st.floats(0.01, 50))
def test_clipping_by_value(g, bound):
    clipped = StepRules(weight_mask(DESIGN), clip_value=bound).gradient(np.zeros(N), g)
    assert np.array_equal(clipped, np.clip(g, -bound, bound))


def test_a_gradient_whose_square_overflows_float32_is_clipped():
    g = np.full(N, 1e30, np.float32)
    clipped = StepRules(weight_mask(DESIGN), clip_norm=1.0).gradient(np.zeros(N, np.float32), g)
    assert np.linalg.norm(clipped) == pytest.approx(1, rel=1e-6)


def test_what_is_frozen_has_no_part_in_the_norm():
    frozen = np.array([True, False, False])
    rules = StepRules(np.ones(3, bool), l2=1.0, clip_norm=5.0, frozen=frozen)
    g = rules.gradient(np.array([1000.0, 0.0, 0.0]), np.array([1000.0, 3.0, 4.0]))
    assert g.tolist() == [0, 3, 4]


def test_penalties_are_clipped_with_the_rest():
    rules = StepRules(np.ones(2, bool), l2=1.0, clip_value=0.5)
    assert rules.gradient(np.array([2.0, 0.1]), np.zeros(2)).tolist() == [0.5, 0.1]


@pytest.mark.parametrize("setting", ["clip_norm", "clip_value"])
def test_a_run_with_a_bound_takes_short_steps(setting):
    net = network()
    before = net.parameters.copy()
    run = {"epochs": 1, "batch_size": None, "optimizer": cp.SGD(1.0)}
    cp.fit(net, (X, 1000 * Y), **run, **{setting: 0.01})
    moved = net.parameters - before
    assert np.abs(moved).max() <= 0.01 * (1 + 1e-12)
    assert setting == "clip_value" or np.linalg.norm(moved) == pytest.approx(0.01)


# --- frozen parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["weights"], ["weights[2]", "weights[3]"]),
        (["biases"], ["biases[2]", "biases[3]"]),
        ("biases", ["biases[2]", "biases[3]"]),
        (("weights[3]", "biases[2]"), ["weights[3]", "biases[2]"]),
        (["weights", "weights[2]"], ["weights[2]", "weights[3]"]),
        ([], []),
    ],
)
def test_which_parameters_are_frozen(names, expected):
    mask = frozen_parameters(DESIGN, names)
    if not expected:
        assert mask is None
        return
    for kind, at in (("weights", DESIGN.weights_at), ("biases", DESIGN.biases_at)):
        for layer in DESIGN.layers:
            assert (mask[at(layer)] == (f"{kind}[{layer}]" in expected)).all()


@pytest.mark.parametrize(
    "names", ["weight", ["weights[1]"], ["weights[4]"], ["weights[2"], ["weights[-1]"], [2], [None]]
)
def test_what_cannot_be_frozen(names):
    with pytest.raises(
        InputError, match=r"freeze names .*; expected 'weights', 'biases' or one of"
    ):
        frozen_parameters(DESIGN, names)


@pytest.mark.parametrize("names", [None, 2, {"biases"}])
def test_what_is_no_list_of_names(names):
    with pytest.raises(InputError, match=r"freeze is .*; expected a list such as \['biases'"):
        frozen_parameters(DESIGN, names)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_frozen_keeps_every_bit(optimizer, dtype):
    net = network(dtype=dtype)
    before = net.parameters.copy()
    frozen = frozen_parameters(net.architecture, ["biases", "weights[2]"])
    cp.fit(net, (X, Y), epochs=3, batch_size=5, optimizer=optimizer, l2=0.1, l1=0.1,
           freeze=["biases", "weights[2]"], seed=0)  # fmt: skip
    assert np.array_equal(net.parameters[frozen], before[frozen])
    assert (net.parameters[~frozen] != before[~frozen]).all()


# --- dropout -------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**64 - 1),
    step=st.integers(1, 2**40),
    layer=st.integers(1, 9),
    rows=st.integers(1, 20),
    width=st.integers(1, 9),
    data=st.data(),
)
def test_a_shard_gets_the_rows_that_are_its_own(seed, step, layer, rows, width, data):
    dropout = Dropout({layer: 0.4}, seed)
    whole = dropout.mask(step, layer, rows, width, "float64")
    assert whole.shape == (rows, width)
    assert np.array_equal(whole, dropout.mask(step, layer, rows, width, "float64"))
    first = data.draw(st.integers(0, rows - 1))
    shard = dropout.mask(step, layer, rows - first, width, "float64", first_row=first)
    assert np.array_equal(shard, whole[first:])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_silent_neurons(p):
    mask = Dropout({2: p}, seed=5).mask(1, 2, 400, 100, "float64")
    assert set(np.unique(mask)) == {0.0, 1 / (1 - p)}
    assert (mask == 0).mean() == pytest.approx(p, abs=0.01)
    assert mask.mean() == pytest.approx(1, abs=0.05)
    # Neither neurons nor samples are alike.
    assert np.abs(np.corrcoef(mask.T) - np.eye(100)).max() < 0.3
    assert (mask == 0).mean(axis=0) == pytest.approx(np.full(100, p), abs=0.12)
    assert (mask == 0).mean(axis=1) == pytest.approx(np.full(400, p), abs=0.2)


def test_masks_differ_from_step_to_step_layer_to_layer_and_seed_to_seed():
    masks = [
        Dropout({1: 0.5, 2: 0.5}, seed).mask(step, layer, 10, 10, "float64").tobytes()
        for seed, step, layer in itertools.product((0, 10**9, 2**63), (1, 2, 3), (1, 2))
    ]
    assert len(set(masks)) == len(masks)


def test_a_mask_has_the_networks_dtype():
    single, double = (Dropout({2: 0.3}, 1).mask(1, 2, 5, 4, t) for t in ("float32", "float64"))
    assert single.dtype == np.float32
    assert np.array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize(
    ("given_dropout", "expected"),
    [
        (0.0, None),
        ({}, None),
        ({2: 0}, None),
        (0.5, {2: 0.5, 3: 0.5}),
        ({1: 0.2, 3: 0.5}, {1: 0.2, 3: 0.5}),
    ],
)
def test_which_layers_drop(given_dropout, expected):
    made = dropout_for(design([2, 3, 3, 1], "tanh", "quadratic"), given_dropout, seed=1)
    assert (made.probabilities if made else None) == expected


@pytest.mark.parametrize(
    ("given_dropout", "expected"),
    [
        (1.0, "dropout is 1.0; expected a probability from 0 to below 1"),
        (-0.1, "dropout is -0.1"),
        (True, "dropout is True"),
        ("half", "dropout is 'half'"),
        (None, "dropout is None"),
        ([0.5], r"dropout is [0.5]"),
        (float("nan"), "dropout is nan"),
        ({2: 1.5}, "the dropout of layer 2 is 1.5"),
        ({2: None}, "the dropout of layer 2 is None"),
        ({3: 0.5}, "dropout names layer 3; expected layers 1 to 2 (the output layer is never"),
        ({0: 0.5}, "dropout names layer 0"),
        ({"2": 0.5}, "dropout names layer '2'"),
    ],
)
def test_what_is_no_dropout(given_dropout, expected):
    with pytest.raises(InputError) as caught:
        dropout_for(DESIGN, given_dropout, seed=1)
    assert expected in str(caught.value)


def test_without_hidden_layers_a_probability_is_checked_all_the_same():
    flat = design([2, 1], "tanh", "quadratic")
    assert dropout_for(flat, 0.5, seed=1) is None
    with pytest.raises(InputError, match="dropout is 7"):
        dropout_for(flat, 7, seed=1)


@pytest.mark.parametrize("activations", ["tanh", ["softmax", "sigmoid"]])
def test_the_gradient_with_masks_held_still(activations):
    net, h = network(activations=activations), 1e-6
    dropout = Dropout({1: 0.3, 2: 0.5}, seed=3)
    masks = {i: dropout.mask(1, i, len(X), net.sizes[i - 1], "float64") for i in (1, 2)}
    engine, batch = get_engine("reference"), Batch(X, Y, None, masks)

    def loss(parameters):
        return engine.trace(net.architecture, parameters, batch, "nothing").loss

    trace = engine.trace(net.architecture, net.parameters, batch, "all")
    for i, step in enumerate(h * np.eye(net.n_parameters)):
        slope = (loss(net.parameters + step) - loss(net.parameters - step)) / (2 * h)
        assert trace.gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-9)
    # A neuron that is silent passes no error of its own; where f couples neurons, others' may.
    if activations == "tanh":
        assert (trace.delta[2][masks[2] == 0] == 0).all()


def test_the_masks_of_a_step_are_in_its_trace():
    net, seen = network(), []
    run = cp.train(
        net, (X, Y), epochs=2, batch_size=5, dropout={1: 0.3, 2: 0.5}, seed=4, keep="all"
    )
    for step in run:
        trace = step.trace
        assert list(trace.masks) == [1, 2]
        assert set(np.unique(trace.masks[2])) <= {0.0, 2.0}
        np.testing.assert_allclose(trace.a[2], np.tanh(trace.z[2]) * trace.masks[2], rtol=1e-14)
        silent = trace.masks[1] == 0
        assert (trace.a[1][silent] == 0).all()
        assert (trace.a[1][~silent] != 0).all()
        seen.append(trace.masks[2].tobytes())
    assert len(set(seen)) == len(seen) == 6


def test_predicting_drops_nothing():
    net, twin = network(), network()
    for _ in cp.train(net, (X, Y), epochs=1, dropout=0.5, seed=4):
        pass
    twin.parameters[:] = net.parameters
    assert np.array_equal(net.predict(X), twin.predict(X))
    assert len(net.backprop(X, Y).masks) == 0
    by_hand = np.tanh(
        np.tanh(X @ net.weights[2].T + net.biases[2]) @ net.weights[3].T + net.biases[3]
    )
    assert net.predict(X) == pytest.approx(by_hand, rel=1e-14)


def test_on_average_dropout_leaves_the_weighted_inputs_as_they_are():
    # E[mask] = 1: the z of the next layer is right on average, and predicting needs no correction.
    net = network()
    X_often = np.tile(X[:1], (4000, 1))
    step = next(
        cp.train(
            net, (X_often, np.zeros((4000, 2))), batch_size=None, dropout=0.5, seed=0, keep="all"
        )
    )
    plain = network().backprop(X[:1], Y[:1])
    assert step.trace.z[3].mean(axis=0) == pytest.approx(plain.z[3][0], abs=0.1)
