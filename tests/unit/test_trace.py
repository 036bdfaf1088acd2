"""A Trace: frozen, with arrays of its own, and honest about what it did not retain."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clearprop as cp
from clearprop.arrays import as_numpy
from clearprop.errors import InputError, NotKeptError
from clearprop.trace import KEEP

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 3)), RNG.uniform(size=(5, 2))
WEIGHT = np.array([1.0, 0.0, 2.0, 0.5, 3.0])


def network(**settings):
    return cp.Network(
        [3, 4, 2],
        **{"activations": ["tanh", "sigmoid"], "initializer": "he_normal", "seed": 1, **settings},
    )


def arrays_of(trace):
    """Every array that a trace retains."""
    for name in KEEP[trace.keep]:
        value = getattr(trace, name)
        if isinstance(value, cp.trace.Layered):
            yield from ((f"{name}[{layer}]", array) for layer, array in value.items())
        elif value is not None:
            yield name, value


def test_what_is_in_it():
    net = network()
    trace = net.backprop(X, Y, sample_weight=WEIGHT)
    assert list(trace.a) == [1, 2, 3]
    for name in ("z", "delta", "weights", "biases", "grad_weights", "grad_biases"):
        assert list(getattr(trace, name)) == [2, 3]
    for layer, n in ((2, 4), (3, 2)):
        assert trace.z[layer].shape == trace.a[layer].shape == trace.delta[layer].shape == (5, n)
        assert trace.grad_weights[layer].shape == trace.weights[layer].shape
        assert trace.grad_biases[layer].shape == trace.biases[layer].shape == (n,)
    assert np.array_equal(trace.a[1], X)
    assert np.array_equal(trace.y, Y)
    assert np.array_equal(trace.sample_weight, WEIGHT)
    assert np.array_equal(trace.parameters, net.parameters)
    assert len(trace.masks) == 0
    assert (trace.n_layers, trace.keep, trace.count) == (3, "all", 6.5)
    assert trace.architecture is net.architecture
    assert repr(trace) == f"<Trace of 3-4-2: loss {trace.loss:.6g} over 6.5, keep='all'>"


def test_its_numbers_fit_together():
    trace = network().backprop(X, Y, sample_weight=WEIGHT)
    assert trace.loss == pytest.approx(np.average(trace.sample_losses, weights=WEIGHT), rel=1e-14)
    for layer in (2, 3):
        z = trace.a[layer - 1] @ trace.weights[layer].T + trace.biases[layer]
        assert np.array_equal(trace.z[layer], z)
        gradients = trace.sample_gradients(layer)
        mean = np.average(gradients, axis=0, weights=WEIGHT)
        assert trace.grad_weights[layer] == pytest.approx(mean, rel=1e-13, abs=1e-16)
    flat = [part.ravel() for i in (2, 3) for part in (trace.grad_weights[i], trace.grad_biases[i])]
    assert np.array_equal(trace.gradient, np.concatenate(flat))


@given(seed=st.integers(0, 1000), m=st.integers(1, 6))
def test_norms_of_the_samples_gradients(seed, m):
    rng = np.random.default_rng(seed)
    trace = network(seed=seed).backprop(rng.normal(size=(m, 3)), rng.normal(size=(m, 2)))
    squares = 0
    for layer in (2, 3):
        gradients = trace.sample_gradients(layer)
        assert gradients.shape == (m, *trace.weights[layer].shape)
        norms = np.linalg.norm(gradients.reshape(m, -1), axis=1)
        assert trace.sample_gradient_norms(layer) == pytest.approx(norms, rel=1e-12, abs=1e-300)
        squares = squares + norms**2 + np.square(trace.delta[layer]).sum(axis=1)
    assert trace.sample_gradient_norms() == pytest.approx(np.sqrt(squares), rel=1e-12)


@pytest.mark.parametrize("layer", [0, 1, 4])
def test_a_layer_without_weights_has_no_gradients(layer):
    trace = network().backprop(X, Y)
    for ask in (trace.sample_gradients, trace.sample_gradient_norms):
        with pytest.raises(InputError, match=rf"there is no delta\[{layer}\]"):
            ask(layer)


# --- frozen, and its own -------------------------------------------------------------------------


def test_nothing_can_be_assigned():
    trace = network().backprop(X, Y)
    for name in ("loss", "z", "new"):
        with pytest.raises(AttributeError, match=f"a Trace is frozen: '{name}'"):
            setattr(trace, name, 0)
    with pytest.raises(AttributeError, match="a Trace is frozen"):
        del trace.loss
    with pytest.raises(TypeError):
        trace.z[2] = 0


@pytest.mark.parametrize("keep", KEEP)
def test_no_array_can_be_written_to(keep):
    trace = network().backprop(X, Y, sample_weight=WEIGHT, keep=keep)
    for name, array in arrays_of(trace):
        assert not array.flags.writeable, name
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_happens_later_does_not_change_it(dtype):
    net = network(dtype=dtype)
    x, y, weight = X.astype(dtype), Y.astype(dtype), WEIGHT.copy()
    trace = net.backprop(x, y, sample_weight=weight)
    before = {name: array.copy() for name, array in arrays_of(trace)}
    x[:], y[:], weight[:] = 99, 99, 99  # the caller's arrays are still theirs to write to
    net.parameters += 1
    cp.fit(net, (X, Y), epochs=2, seed=0)
    net.weights[2] = np.ones((4, 3))
    assert before
    for name, array in arrays_of(trace):
        assert np.array_equal(array, before[name]), name


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_arrays_of_other_libraries_are_its_own_too(library):
    xp = pytest.importorskip(library)
    net = network(dtype="float32")
    x, y = xp.asarray(X.astype("float32")), xp.asarray(Y.astype("float32"))
    trace = net.backprop(x, y, sample_weight=WEIGHT)
    assert all(type(array) is type(x) for _, array in arrays_of(trace))
    before = {name: np.array(as_numpy(array)) for name, array in arrays_of(trace)}
    if library == "torch":
        x[:], y[:] = 99, 99
    net.parameters += 1
    for name, array in arrays_of(trace):
        assert np.array_equal(as_numpy(array), before[name]), name
    same = network(dtype="float32").backprop(X, Y, sample_weight=WEIGHT)
    assert trace.loss == pytest.approx(same.loss, rel=1e-5)
    assert as_numpy(trace.gradient) == pytest.approx(same.gradient, rel=1e-3, abs=1e-6)


def test_a_tensor_with_gradients_of_its_own():
    torch = pytest.importorskip("torch")
    trace = network().backprop(torch.tensor(X, requires_grad=True), torch.tensor(Y))
    assert not any(array.requires_grad for _, array in arrays_of(trace))


def test_it_can_be_copied():
    trace = network().backprop(X, Y)
    twin = copy.deepcopy(trace)
    assert twin.loss == trace.loss
    assert twin.delta[2] is not trace.delta[2]
    assert np.array_equal(twin.delta[2], trace.delta[2])


# --- keep ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", KEEP)
def test_what_is_not_kept_says_so(keep):
    trace = network().backprop(X, Y, keep=keep)
    for name in KEEP["all"]:
        if name in KEEP[keep]:
            getattr(trace, name)
            continue
        with pytest.raises(NotKeptError) as caught:
            getattr(trace, name)
        assert str(caught.value) == (
            f"this trace was made with keep={keep!r} and did not retain {name!r}; "
            "make it with keep='all'"
        )


@pytest.mark.parametrize("keep", ["nothing", "gradients"])
def test_methods_need_what_was_not_kept(keep):
    trace = network().backprop(X, Y, keep=keep)
    for ask in (
        lambda: trace.sample_gradients(2),
        lambda: trace.sample_gradient_norms(2),
        trace.sample_gradient_norms,
        trace.first_non_finite,
    ):
        with pytest.raises(NotKeptError, match="make it with keep='all'"):
            ask()


def test_keeping_less_changes_no_bit():
    traces = {keep: network().backprop(X, Y, sample_weight=WEIGHT, keep=keep) for keep in KEEP}
    assert len({trace.loss for trace in traces.values()}) == 1
    assert np.array_equal(traces["gradients"].gradient, traces["all"].gradient)


def test_a_name_that_a_trace_never_has():
    with pytest.raises(AttributeError, match="a Trace has no 'gradients'; it has gradient, grad_w"):
        network().backprop(X, Y).gradients  # noqa: B018


# --- the first NaN -------------------------------------------------------------------------------


def poisoned(name, layer):
    """A trace into which a NaN was put after the fact, and into everything computed from there."""
    trace = copy.deepcopy(network().backprop(X, Y))
    order = ["a[1]", "z[2]", "a[2]", "z[3]", "a[3]", "loss", "delta[3]", "delta[2]"]
    order += ["grad_weights[2]", "grad_biases[2]", "grad_weights[3]", "grad_biases[3]"]
    for place in order[order.index(f"{name}[{layer}]" if name != "loss" else "loss") :]:
        array = trace.sample_losses if place == "loss" else None
        if array is None:
            quantity, _, number = place.partition("[")
            array = getattr(trace, quantity)[int(number[:-1])]
        array.flags.writeable = True
        array.flat[-1] = np.nan
    return trace


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("a", 1),
        ("z", 2),
        ("a", 2),
        ("z", 3),
        ("a", 3),
        ("loss", 3),
        ("delta", 3),
        ("delta", 2),
        ("grad_weights", 2),
        ("grad_biases", 2),
        ("grad_weights", 3),
        ("grad_biases", 3),
    ],
)
def test_the_first_quantity_that_is_not_finite(name, layer):
    assert poisoned(name, layer).first_non_finite() == (name, layer)


def test_everything_is_finite():
    assert network().backprop(X, Y).first_non_finite() is None


def test_a_sum_of_losses_that_overflows():
    net = cp.Network([1, 1], activations="identity", initializer=1.0)
    with np.errstate(over="ignore"):
        trace = net.backprop([[1.4e154], [1.4e154]], [[0.0], [0.0]])
    assert np.isfinite(trace.sample_losses).all()
    assert trace.first_non_finite() == ("loss", 2)
