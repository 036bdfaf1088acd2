"""The reference engine on PyTorch and JAX arrays: the same Trace as with NumPy, in their arrays."""

import numpy as np
import pytest
from conformance.cases import PAIRS, layer_activation
from conformance.truths import double_precision

import clearprop as cp
from clearprop.engines import Batch, get_engine
from clearprop.layered import Layered
from clearprop.trace import KEEP


@pytest.fixture(params=["PyTorch", "JAX"])
def library(request):
    """The library's own array type, and a function that makes one of it."""
    if request.param == "PyTorch":
        torch = pytest.importorskip("torch", reason="computes with PyTorch's arrays")
        yield torch.Tensor, torch.tensor
    else:
        jax = pytest.importorskip("jax", reason="computes with JAX's arrays")
        with double_precision(jax):
            yield jax.Array, jax.numpy.asarray


def a_pass(activation, loss):
    """A network of three layers of this activation, and a batch with sample weights and dropout."""
    rng = np.random.default_rng(0)
    sizes = [3, 4, 2, 3]
    activations = [layer_activation(activation, n) for n in sizes[1:]]
    net = cp.Network(sizes, activations=activations, loss=loss, seed=0)
    mask = np.array([[0.0, 2.0, 2.0, 0.0], [2.0, 0.0, 2.0, 2.0]])
    batch = Batch(
        rng.uniform(-1, 1, (2, 3)), rng.uniform(0, 1, (2, 3)), np.array([0.5, 2.0]), {2: mask}
    )
    return net, batch


def assert_same(found, expected, kind):
    if isinstance(expected, Layered):
        assert list(found) == list(expected)
        for layer, value in expected.items():
            assert_same(found[layer], value, kind)
    else:
        assert isinstance(found, kind)
        found = np.asarray(found)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        scale = max(np.abs(expected).max(), 1)
        assert np.abs(found - expected).max() <= 1e-12 * scale


@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_every_field_of_the_trace(library, activation, loss):
    kind, make = library
    net, batch = a_pass(activation, loss)
    engine = get_engine("reference")
    expected = engine.trace(net.architecture, net.parameters, batch, "all")
    theirs = Batch(
        make(batch.x),
        make(batch.y),
        make(batch.sample_weight),
        {layer: make(mask) for layer, mask in batch.masks.items()},
    )
    found = engine.trace(net.architecture, net.parameters, theirs, "all")

    assert found.count == expected.count
    assert found.loss == pytest.approx(expected.loss, rel=1e-12)
    for field in KEEP["all"]:
        assert_same(getattr(found, field), getattr(expected, field), kind)


def test_what_a_person_calls(library):
    kind, make = library
    net, batch = a_pass("sigmoid", "quadratic")
    assert_same(net.predict(make(batch.x)), net.predict(batch.x), kind)

    expected = net.backprop(batch.x, batch.y, sample_weight=batch.sample_weight)
    # Y and the weights follow the library of X.
    found = net.backprop(make(batch.x), batch.y.tolist(), sample_weight=batch.sample_weight)
    for field in ("z", "a", "delta", "gradient", "y", "sample_weight"):
        assert_same(getattr(found, field), getattr(expected, field), kind)
    assert_same(found.sample_gradients(3), expected.sample_gradients(3), kind)
    assert_same(found.sample_gradient_norms(), expected.sample_gradient_norms(), kind)


def test_a_library_computes_in_the_precision_of_the_network(library):
    kind, make = library
    net = cp.Network([2, 2], activations="gelu", seed=0, dtype="float32")
    trace = net.backprop(make([[0.5, -0.5]]), make([[0.0, 1.0]]))
    assert isinstance(trace.a[2], kind)
    assert {np.asarray(v).dtype.name for v in (trace.a[2], trace.gradient)} == {"float32"}
