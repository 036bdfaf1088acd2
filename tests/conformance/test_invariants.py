"""What holds of every pass of every engine, whatever it computes."""

import itertools
import math

import numpy as np
import pytest
from conformance.cases import FEW, PAIRS, cases
from hypothesis import given, settings
from hypothesis import strategies as st

import clearprop as cp
from clearprop.activations import ACTIVATIONS
from clearprop.engines import ENGINES, Batch, get_engine
from clearprop.equations import bp1, loss_terms, output_error
from clearprop.errors import InputError
from clearprop.losses import LOSSES
from clearprop.trace import KEEP

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_pair = pytest.mark.parametrize(("activation", "loss"), PAIRS)


def as_batch(case, rows=slice(None)):
    weight = None if case.weight is None else case.weight[rows]
    return Batch(case.X[rows], case.Y[rows], weight)


@every_engine
@every_pair
@FEW
@given(data=st.data())
def test_keep_changes_no_bit(engine, activation, loss, data):
    case = data.draw(cases(activation, loss, depth=2))
    net, batch, chosen = case.net, as_batch(case), get_engine(engine)

    def trace(keep):
        return chosen.trace(net.architecture, net.parameters, batch, keep)

    if chosen.refuses(net.architecture, net.dtype, batch.x) is not None:
        with pytest.raises(InputError, match="cannot be used"):
            trace("all")
        return
    traces = {keep: trace(keep) for keep in KEEP}
    everything = traces["all"]
    for keep, kept in traces.items():
        assert (kept.loss, kept.count) == (everything.loss, everything.count)
        for field in KEEP[keep]:
            found, expected = getattr(kept, field), getattr(everything, field)
            if isinstance(expected, np.ndarray):
                assert np.array_equal(found, expected)
            elif expected is not None:
                assert all(np.array_equal(found[i], expected[i]) for i in expected)


@every_engine
@settings(max_examples=40)
@given(data=st.data())
def test_shards_add_up_to_the_batch(engine, data):
    case = data.draw(cases("tanh", "quadratic", depth=3, shape=([3, 4, 2, 2], 8)))
    cuts = data.draw(st.sets(st.integers(1, 7)).map(sorted))
    net = case.net

    def sums(rows):
        return get_engine(engine).sums(
            net.architecture, net.parameters, as_batch(case, rows), "nothing"
        )

    whole = sums(slice(None))
    shards = [sums(slice(a, b)) for a, b in itertools.pairwise([0, *cuts, 8])]
    assert sum(shard.count for shard in shards) == pytest.approx(whole.count, rel=1e-14)
    assert sum(shard.loss for shard in shards) == pytest.approx(whole.loss, rel=1e-13)
    assert sum(shard.gradient for shard in shards) == pytest.approx(
        whole.gradient, rel=1e-12, abs=1e-14
    )


@every_engine
def test_a_sample_of_weight_two_is_two_samples_and_one_of_weight_zero_is_none(engine):
    rng = np.random.default_rng(0)
    net = cp.Network([3, 4, 2], activations="softmax", loss="quadratic", seed=0)
    x, y = rng.normal(size=(3, 3)), rng.random((3, 2))
    rows = [0, 0, 2]

    def trace(batch):
        return get_engine(engine).trace(net.architecture, net.parameters, batch, "all")

    weighted = trace(Batch(x, y, np.array([2.0, 0.0, 1.0])))
    repeated = trace(Batch(x[rows], y[rows]))
    assert weighted.count == repeated.count == 3
    assert weighted.loss == pytest.approx(repeated.loss, rel=1e-14)
    assert weighted.gradient == pytest.approx(repeated.gradient, rel=1e-13, abs=1e-16)
    # C_x and δ are a sample's own: its weight is no part of them.
    assert np.array_equal(weighted.sample_losses, trace(Batch(x, y)).sample_losses)
    assert np.array_equal(weighted.delta[2], trace(Batch(x, y)).delta[2])


@every_pair
@FEW
@given(data=st.data())
def test_the_gradients_of_the_samples(activation, loss, data):
    case = data.draw(cases(activation, loss, depth=2))
    trace = case.backprop()
    whole = np.zeros(len(case.X))
    for layer, delta in trace.delta.items():
        each = trace.sample_gradients(layer)
        assert each.shape == (len(case.X), *case.net.weights[layer].shape)
        mean = np.einsum("x,xjk->jk", case.mean_weights, each)
        rounding = 1e-14 * np.abs(each).max()
        assert np.allclose(mean, trace.grad_weights[layer], rtol=1e-12, atol=rounding)

        norms = [math.hypot(*one) for one in each.reshape(len(each), -1)]
        assert np.allclose(trace.sample_gradient_norms(layer), norms, rtol=1e-12, atol=0)
        whole = np.hypot(whole, np.hypot(norms, [math.hypot(*one) for one in delta]))
    assert np.allclose(trace.sample_gradient_norms(), whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("activation", "loss"),
    [(activation, loss.name) for loss in LOSSES.values() for activation in loss.fused],
)
def test_a_fused_pair_is_bp1_where_nothing_is_saturated(activation, loss):
    rng = np.random.default_rng(0)
    f, record = ACTIVATIONS[activation], LOSSES[loss]
    z, y = rng.uniform(-3, 3, (200, 3)), rng.uniform(-0.5, 1.5, (200, 3))
    a = f(z)
    delta, unfused = output_error(record, f, z, a, y), bp1(f, z, a, record.gradient(a, y))
    assert np.allclose(delta, unfused, rtol=1e-12, atol=1e-13)
    assert np.allclose(loss_terms(record, f, z, a, y), record.value(a, y), rtol=1e-12, atol=1e-13)
