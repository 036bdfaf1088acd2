"""The compiled engine gives the numbers of the reference engine, whatever the tables allow."""

import logging

import numpy as np
import pytest
from scipy.sparse import random_array

import clearprop as cp
from clearprop.activations import ACTIVATIONS
from clearprop.engines import ENGINES, choose_engine
from clearprop.engines.compiled import CompiledEngine
from clearprop.losses import LOSSES
from clearprop.optimizers import LBFGS, OPTIMIZERS

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
STEPWISE = {name: kind for name, kind in OPTIMIZERS.items() if kind is not LBFGS}


def data(n_in, n_out, samples=26, seed=0):
    """Targets that suit every loss: shares that sum to 1."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((samples, n_in)), rng.dirichlet(np.ones(n_out), samples)


def trained(sizes, engine, X, Y, *, activations, loss="quadratic", dtype="float64", **settings):
    net = cp.Network(
        sizes,
        activations=activations,
        loss=loss,
        initializer="xavier_normal",
        dtype=dtype,
        seed=5,
    )
    # Outputs well inside the domain of every loss, and no z on a kink.
    for layer in net.biases:
        net.biases[layer] = np.linspace(0.2, 0.4, net.sizes[layer - 1])
    settings = {"epochs": 1, "batch_size": 8, "seed": 2, **settings}
    history = cp.fit(net, (X, Y), engine=engine, **settings)
    return net, history


def distance(a, b):
    """Relative, over all parameters together."""
    a, b = a.parameters.astype(float), b.parameters.astype(float)
    return np.linalg.norm(a - b) / np.linalg.norm(a)


def assert_same(sizes, X, Y, slack=1, **settings):
    tolerance = slack * TOLERANCE[settings.get("dtype", "float64")]
    reference, expected = trained(sizes, "reference", X, Y, **settings)
    compiled, got = trained(sizes, "compiled", X, Y, **settings)
    assert got.engine == "compiled"
    assert distance(reference, compiled) <= tolerance
    np.testing.assert_allclose(got["loss"], expected["loss"], rtol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_loss_optimizer_and_depth(activation, loss, dtype):
    (low, high), (least, most) = LOSSES[loss].domain, ACTIVATIONS[activation].range
    outside = least < low or most > high
    for depth in (1, 2, 3, 4):
        sizes = (*(5, 9, 4, 6, 3)[:depth], 3)
        X, Y = data(5, 3)
        for name, kind in STEPWISE.items():
            # A continued logarithm is as steep as 1e154; where it begins is a matter of rounding.
            settings = {"clip_value": 1.0, "slack": 100} if outside else {}
            assert_same(
                sizes,
                X,
                Y,
                activations=activation,
                loss=loss,
                dtype=dtype,
                optimizer=kind() if name != "sgd" else kind(0.05),
                **settings,
            )


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize(
    "settings",
    [
        {"l2": 0.5, "l1": 0.2},
        {"clip_value": 0.01},
        {"clip_norm": 0.05},
        {"clip_norm": 0.05, "clip_value": 0.02, "l2": 0.3, "freeze": ["biases"]},
        {"dropout": 0.3},
        {"dropout": 0.3, "clip_norm": 0.05},
        {"dropout": {1: 0.2, 3: 0.5}},
        {"freeze": ["weights[2]", "biases[3]"]},
        {"sample_weight": np.linspace(0, 2, 61)},
        {"batch_size": None},
        {"batch_size": 7},
        {"shuffle": False},
        {"keep": "all"},
    ],
    ids=str,
)
def test_every_setting_with_every_optimizer(settings, name, dtype):
    X, Y = data(7, 4, samples=61)
    schedule = cp.schedules.Cosine(0.02, warmup=1)
    assert_same(
        (7, 33, 17, 4),
        X,
        Y,
        activations=["tanh", "relu", "softmax"],
        loss="cross_entropy",
        dtype=dtype,
        epochs=2,
        optimizer=STEPWISE[name](schedule),
        **settings,
    )


@pytest.mark.parametrize(
    "sizes", [(1, 1), (3, 40, 2), (50, 64, 32, 16, 1), (130, 257, 10)], ids=str
)
@pytest.mark.parametrize("batch_size", [1, 13, 200])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_widths_and_batches_around_the_width_of_a_vector(sizes, batch_size, dtype):
    X, Y = data(sizes[0], sizes[-1], samples=230)
    assert_same(
        sizes,
        X,
        Y,
        activations="sigmoid",
        dtype=dtype,
        batch_size=batch_size,
        optimizer=cp.Adam(0.01),
    )


def cube():
    return cp.Activation("cube", f=lambda z: 0.1 * z**3, df=lambda z, a: 0.3 * z**2)


def bent():
    return cp.Activation.from_formula("bent", "(sqrt(z**2 + 1) - 1)/2 + z")


def swish_with_numpy():
    def f(z):
        return z / (1 + np.exp(-z))

    def df(z, a):
        s = 1 / (1 + np.exp(-z))
        return s + a * (1 - s)

    return cp.Activation("numpy_swish", f=f, df=df)


@pytest.mark.parametrize("make", [cube, bent, swish_with_numpy])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_users_own_activation_is_compiled(make, dtype):
    X, Y = data(5, 3)
    own = make()
    assert_same((5, 9, 3), X, Y, activations=[own, "sigmoid"], dtype=dtype, epochs=3)


def test_a_users_own_loss_is_compiled():
    X, Y = data(5, 3)
    cubic = cp.Loss("cubic", lambda a, y: abs(a - y) ** 3, lambda a, y: 3 * (a - y) * abs(a - y))
    assert_same((5, 9, 3), X, Y, activations="tanh", loss=cubic)


def branching():
    def f(z):
        return z if (z > 0).all() else 0.5 * z

    return cp.Activation("branching", f=f, df=lambda z, a: np.where(z > 0, 1.0, 0.5))


@pytest.mark.parametrize(
    ("activations", "why"),
    [([branching(), "sigmoid"], "branching"), ([["relu"] * 5 + ["tanh"] * 4, "sigmoid"], "neuron")],
)
def test_what_cannot_be_compiled_is_said_in_one_line(activations, why, caplog):
    X, Y = data(5, 3)
    with caplog.at_level(logging.WARNING, logger="clearprop"):
        _, history = trained((5, 9, 3), "auto", X, Y, activations=activations)
    assert history.engine == "reference"
    assert [why in record.message for record in caplog.records] == [True]
    with pytest.raises(cp.InputError, match=why):
        trained((5, 9, 3), "compiled", X, Y, activations=activations)


def test_auto_chooses_the_compiled_engine(caplog):
    X, Y = data(5, 3)
    _, history = trained((5, 9, 3), "auto", X, Y, activations="tanh")
    assert history.engine == "compiled"
    assert not caplog.records


def test_torch_arrays_go_to_the_reference_engine():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    net = cp.Network([5, 3], seed=0)
    x = torch.zeros((2, 5), dtype=torch.float64)
    assert choose_engine("auto", net.architecture, net.dtype, x).name == "reference"


FIELDS = ("z", "a", "delta", "grad_weights", "grad_biases", "weights", "biases")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_its_trace_is_that_of_the_reference(activation):
    X, Y = data(5, 3)
    net = cp.Network([5, 9, 4, 3], activations=activation, seed=1)
    weight = np.linspace(0.5, 2, len(X))
    expected, got = (net.backprop(X, Y, sample_weight=weight, engine=engine) for engine in ENGINES)
    for field in FIELDS:
        a, b = getattr(expected, field), getattr(got, field)
        assert list(a) == list(b)
        for layer in a:
            np.testing.assert_allclose(b[layer], a[layer], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(got.sample_losses, expected.sample_losses, rtol=1e-12)
    np.testing.assert_allclose(got.gradient, expected.gradient, rtol=1e-12, atol=1e-14)
    assert got.loss == pytest.approx(expected.loss, rel=1e-13)


@pytest.mark.parametrize("name", STEPWISE)
def test_keeping_more_or_going_step_by_step_changes_no_bit(name):
    X, Y = data(20, 3, samples=70)
    found = []
    for keep in ("nothing", "gradients", "all"):
        net = cp.Network([20, 40, 3], seed=4)
        settings = {"optimizer": name, "dropout": 0.2, "l2": 0.1, "batch_size": 9, "seed": 3}
        steps = list(cp.train(net, (X, Y), epochs=2, engine="compiled", keep=keep, **settings))
        assert (steps[0].trace is None) == (keep == "nothing")
        found.append(net.parameters)
    whole = cp.Network([20, 40, 3], seed=4)
    cp.fit(whole, (X, Y), epochs=2, engine="compiled", **settings)
    for parameters in found:
        assert np.array_equal(parameters, whole.parameters)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_threads_change_no_bit(dtype):
    X, Y = data(100, 10, samples=600)
    found = []
    for threads in (1, 2, 3):
        net = cp.Network([100, 300, 200, 10], seed=4, dtype=dtype)
        engine = CompiledEngine(threads=threads)
        cp.fit(net, (X, Y), epochs=1, batch_size=200, optimizer="adam", seed=1, engine=engine)
        found.append(net.parameters)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("settings", [{}, {"l2": 1.0}, {"keep": "all"}, {"dropout": 0.4}], ids=str)
def test_sparse_inputs_are_their_dense_ones(settings, name, dtype):
    X = random_array((90, 300), density=0.03, rng=np.random.default_rng(1), format="csr")
    _, Y = data(1, 3, samples=90)
    settings = {"optimizer": name, "dtype": dtype, "epochs": 2, **settings}
    sizes, activations = (300, 20, 3), ["relu", "softmax"]
    dense, _ = trained(sizes, "reference", X.toarray(), Y, activations=activations, **settings)
    for engine in ENGINES:
        sparse, history = trained(sizes, engine, X, Y, activations=activations, **settings)
        assert history.engine == engine
        assert distance(dense, sparse) <= TOLERANCE[dtype]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_number_that_is_not_finite_is_named_and_nothing_is_lost(batch):
    X, Y = data(5, 3, samples=32)
    X[8 * (batch - 1)] = 1e200
    found = []
    for engine in ENGINES:
        net = cp.Network([5, 9, 3], activations="identity", seed=0)
        with pytest.raises(cp.NonFiniteError) as caught:
            cp.fit(net, (X, Y), epochs=1, batch_size=8, shuffle=False, engine=engine)
        error = caught.value
        found.append((error.quantity, error.layer, error.epoch, error.batch))
        assert np.isfinite(net.parameters).all()
    assert found[0] == found[1]
    assert found[0][2:] == (1, batch)
