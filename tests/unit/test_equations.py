"""The forward pass and BP1–BP4, one equation at a time, as sums over samples and neurons."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from clearprop.activations import ACTIVATIONS
from clearprop.equations import bp1, bp2, bp3, bp4, forward

SIGMOID, SOFTMAX = ACTIVATIONS["sigmoid"], ACTIVATIONS["softmax"]
sizes = st.integers(1, 4)


def numbers(*shape):
    return npst.arrays(np.float64, shape, elements=st.floats(-3, 3, width=32))


@given(data=st.data(), m=sizes, n=sizes, n_before=sizes)
def test_forward(data, m, n, n_before):
    W, b, a = (
        data.draw(numbers(n, n_before)),
        data.draw(numbers(n)),
        data.draw(numbers(m, n_before)),
    )
    z = forward(W, b, a)
    for x in range(m):
        for j in range(n):
            expected = sum(W[j, k] * a[x, k] for k in range(n_before)) + b[j]
            assert z[x, j] == pytest.approx(expected, rel=1e-13, abs=1e-13)


@given(data=st.data(), m=sizes, n=sizes, n_after=sizes)
def test_bp2_sends_the_error_back_through_the_weights(data, m, n, n_after):
    z, W = data.draw(numbers(m, n)), data.draw(numbers(n_after, n))
    after, mask = data.draw(numbers(m, n_after)), data.draw(numbers(m, n))
    a = SIGMOID(z)
    for given_mask in (None, mask):
        delta = bp2(SIGMOID, z, a, W, after, given_mask)
        for x in range(m):
            for k in range(n):
                arriving = sum(W[j, k] * after[x, j] for j in range(n_after))
                arriving *= 1 if given_mask is None else mask[x, k]
                expected = arriving * a[x, k] * (1 - a[x, k])
                assert delta[x, k] == pytest.approx(expected, rel=1e-13, abs=1e-13)


@given(data=st.data(), m=sizes, n=sizes)
def test_bp1_applies_the_transposed_jacobian(data, m, n):
    z, grad_a = data.draw(numbers(m, n)), data.draw(numbers(m, n))
    a = SOFTMAX(z)
    delta = bp1(SOFTMAX, z, a, grad_a)
    for x in range(m):
        jacobian = np.diag(a[x]) - np.outer(a[x], a[x])
        assert delta[x] == pytest.approx(jacobian.T @ grad_a[x], rel=1e-12, abs=1e-13)


@given(data=st.data(), m=sizes, n=sizes, n_before=sizes)
def test_bp3_and_bp4_add_up_over_the_samples(data, m, n, n_before):
    delta, a = data.draw(numbers(m, n)), data.draw(numbers(m, n_before))
    weight = data.draw(numbers(m))
    for given_weight in (None, weight):
        w = np.ones(m) if given_weight is None else weight
        biases = sum(w[x] * delta[x] for x in range(m))
        weights = sum(w[x] * np.outer(delta[x], a[x]) for x in range(m))
        assert bp3(delta, given_weight) == pytest.approx(biases, rel=1e-13, abs=1e-13)
        assert bp4(delta, a, given_weight) == pytest.approx(weights, rel=1e-13, abs=1e-13)
