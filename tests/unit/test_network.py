"""A Network: what it is, what it predicts, and what it takes."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clearprop as cp
from clearprop.errors import InputError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 3)), RNG.uniform(size=(5, 2))


def network(**settings):
    return cp.Network([3, 4, 2], **{"activations": ["tanh", "sigmoid"], "seed": 1, **settings})


def test_what_it_is():
    net = network(dtype="float32", classes=["no", "yes"])
    assert net.sizes == (3, 4, 2)
    assert (net.n_layers, net.n_parameters, net.dtype) == (3, 26, "float32")
    assert {i: f.name for i, f in net.activations.items()} == {2: "tanh", 3: "sigmoid"}
    assert net.loss.name == "quadratic"
    assert net.classes == ("no", "yes")
    assert net.scaling is None
    assert repr(net) == "<Network 3-4-2: tanh, sigmoid; quadratic; float32>"


def test_what_it_prints():
    scaling = cp.Scaling("standard", [0.0] * 784, [1.0] * 784)
    many = ["relu"] * 20 + ["tanh"] * 10
    net = cp.Network(
        [784, 30, 10], activations=[many, "softmax"], loss="cross_entropy", scaling=scaling, seed=0
    )
    assert str(net).splitlines() == [
        "Network 784-30-10, cross_entropy loss, float64, 23,860 parameters",
        "  layer  neurons  activation                                 weights  biases",
        "      1      784  input, scaled (standard)",
        "      2       30  [relu, relu, relu, relu, relu, relu, re…  30 × 784      30",
        "      3       10  softmax                                    10 × 30      10",
    ]


@given(seed=st.integers(0, 100), depth=st.integers(1, 4), m=st.integers(1, 4))
def test_predicting_is_one_layer_after_the_other(seed, depth, m):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, depth + 1)
    net = cp.Network(sizes, activations="tanh", seed=seed)
    x = rng.normal(size=(m, sizes[0]))
    a = x
    for layer in range(2, depth + 2):
        a = np.tanh(a @ net.weights[layer].T + net.biases[layer])
    assert net.predict(x) == pytest.approx(a, rel=1e-13, abs=1e-15)
    trace = net.backprop(x, np.zeros((m, sizes[-1])))
    assert np.array_equal(net.predict(x), trace.a[depth + 1])


def test_predicting_changes_nothing_and_returns_an_array_of_its_own():
    net = cp.Network([2, 2], activations="identity", initializer=0)
    net.weights[2] = np.eye(2)
    x = np.array([[1.0, 2.0]])
    out = net.predict(x)
    out[:] = 9
    assert x.tolist() == [[1, 2]]
    assert net.predict(x).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", np.float32, np.float64, np.dtype("float32")], ids=repr
)
def test_every_number_has_the_networks_dtype(dtype):
    net = network(dtype=dtype)
    name = np.dtype(dtype).name
    assert net.dtype == net.parameters.dtype == name
    trace = net.backprop(X.astype(int), Y, sample_weight=np.ones(5))
    for value in (net.predict(X), trace.z[2], trace.a[1], trace.delta[2], trace.gradient, trace.y):
        assert value.dtype == name


@pytest.mark.parametrize(
    "dtype",
    ["float16", "int64", "f", None, 32, int, np.int8, "float128", ["float64"], np.ones(2)],
)
def test_what_is_no_dtype(dtype):
    with pytest.raises(InputError, match=r"dtype is .*; expected one of float32, float64"):
        network(dtype=dtype)


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_arrays_of_other_libraries_are_computed_with_in_their_own(library):
    xp = pytest.importorskip(library)
    net = network(dtype="float32", scaling=cp.Scaling("mine", [1, 2, 3], [2, 2, 2]))
    x = xp.asarray(X.astype("float32"))
    predicted = net.predict(x)
    assert type(predicted) is type(x)
    assert np.asarray(predicted) == pytest.approx(net.predict(X), rel=1e-5)
    # Targets may come from elsewhere: X says which library computes.
    trace = net.backprop(x, Y)
    assert type(trace.gradient) is type(x)
    assert trace.loss == pytest.approx(net.backprop(X, Y).loss, rel=1e-5)


def test_a_tensor_may_be_differentiated_through():
    torch = pytest.importorskip("torch")
    net = network()
    x = torch.tensor(X, requires_grad=True)
    net.predict(x)[:, 0].sum().backward()
    h = 1e-6
    slope = (net.predict(X + h * np.eye(3)[1]) - net.predict(X - h * np.eye(3)[1]))[:, 0] / (2 * h)
    assert x.grad.numpy()[:, 1] == pytest.approx(slope, rel=1e-6)


# --- weights of samples --------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), min_size=5, max_size=5).filter(any))
def test_a_whole_weight_counts_a_sample_that_often(weights):
    net = network()
    weighted = net.backprop(X, Y, sample_weight=weights)
    repeated = net.backprop(np.repeat(X, weights, axis=0), np.repeat(Y, weights, axis=0))
    assert weighted.count == repeated.count == sum(weights)
    assert weighted.loss == pytest.approx(repeated.loss, rel=1e-13)
    assert weighted.gradient == pytest.approx(repeated.gradient, rel=1e-11, abs=1e-15)


def test_only_the_ratio_of_weights_matters():
    net, weight = network(), np.array([1.0, 2.0, 0.0, 0.5, 3.0])
    once, tenfold = (net.backprop(X, Y, sample_weight=w) for w in (weight, 10 * weight))
    assert tenfold.gradient == pytest.approx(once.gradient, rel=1e-13, abs=1e-16)


def test_weights_may_be_read_only_and_stay_the_callers():
    weight = np.ones(5)
    network().backprop(X, Y, sample_weight=weight)
    weight[0] = 2
    weight.flags.writeable = False
    assert network().backprop(X, Y, sample_weight=weight).count == 6


# --- classes and scaling -------------------------------------------------------------------------


def test_a_scaled_network_takes_raw_inputs():
    scaling = cp.Scaling("mine", [1.0, 2.0, 3.0], [2.0, 0.5, 1.0])
    plain, scaled = network(), network(scaling=scaling)
    assert np.array_equal(scaled.predict(X), plain.predict(scaling.apply(X)))
    trace = scaled.backprop(X, Y)
    assert np.array_equal(trace.a[1], scaling.apply(X))
    assert np.array_equal(trace.gradient, plain.backprop(scaling.apply(X), Y).gradient)


@pytest.mark.parametrize(
    ("classes", "outputs", "expected"),
    [
        (["a"], 2, "classes has 1 names; expected 2 for 2 output neurons"),
        (["a"], 1, "classes has 1 names; expected 2 for 1 output neuron"),
        (range(3), 2, "classes has 3 names; expected 2"),
        ("ab", 2, "classes is 'ab'; expected a list of 2 names"),
        (2, 2, "classes is 2; expected a list of 2 names"),
    ],
)
def test_classes_that_do_not_fit(classes, outputs, expected):
    with pytest.raises(InputError) as caught:
        cp.Network([3, outputs], classes=classes)
    assert expected in str(caught.value)


@pytest.mark.parametrize("classes", [("no", "yes"), range(2), np.array([0, 1]), iter("ab")])
def test_classes_of_any_kind(classes):
    net = cp.Network([3, 1], classes=classes)
    assert type(net.classes) is tuple
    assert len(net.classes) == 2
    net.classes = None
    assert net.classes is None


def test_a_scaling_that_does_not_fit():
    with pytest.raises(InputError, match="the scaling is for 2 inputs; expected 3"):
        network(scaling=cp.Scaling("mine", [0, 0], [1, 1]))
    with pytest.raises(InputError, match=r"scaling is 'standard'; expected a cp\.Scaling, or None"):
        network(scaling="standard")


# --- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("twin_of", [cp.Network.copy, copy.deepcopy])
def test_a_copy_goes_its_own_way(twin_of):
    net = network(classes=("a", "b"), scaling=cp.Scaling("mine", [0, 0, 0], [2, 2, 2]))
    twin = twin_of(net)
    assert (twin.sizes, twin.dtype, twin.classes, twin.scaling) == (
        net.sizes, net.dtype, net.classes, net.scaling,
    )  # fmt: skip
    assert np.array_equal(twin.predict(X), net.predict(X))
    twin.weights[2] += 1
    twin.classes = None
    assert not np.array_equal(twin.predict(X), net.predict(X))
    assert net.classes == ("a", "b")


def test_too_many_neurons_for_any_memory():
    with pytest.raises(InputError, match="more than fit into memory; expected fewer neurons"):
        cp.Network([2**40, 2**30])
