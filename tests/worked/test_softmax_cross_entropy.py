"""Softmax with cross-entropy, and every partial derivative of a layer.

As a lecture derives it: L(y, ŷ) = -yᵀ log ŷ; then (1) ∂z/∂w and ∂z/∂b, (2) δ, (3) ∂L/∂w.
"""

import numpy as np
import pytest

import clearprop as cp

X = np.array([[0.5, -1.0, 2.0]])
Y = np.array([[0.0, 1.0, 0.0]])


@pytest.fixture
def net():
    return cp.Network([3, 2, 3], activations=["sigmoid", "softmax"], loss="cross_entropy", seed=4)


@pytest.fixture
def trace(net):
    return net.backprop(X, Y)


def test_the_loss_is_minus_the_log_of_the_right_class(trace):
    assert trace.loss == pytest.approx(-(Y @ np.log(trace.a[3].T)).item(), rel=1e-15)
    assert trace.loss == pytest.approx(-np.log(trace.a[3][0, 1]), rel=1e-15)


def test_the_error_of_the_output_is_the_answer_minus_the_target(trace):
    assert np.allclose(trace.delta[3], trace.a[3] - Y, rtol=1e-15, atol=0)


def test_the_same_error_by_the_jacobian_of_softmax(trace):
    # δ = (∂a/∂z)ᵀ ∂L/∂a with ∂a_j/∂z_k = a_j ([j = k] - a_k) and ∂L/∂a = -y/a
    a = trace.a[3][0]
    jacobian = np.diag(a) - np.outer(a, a)
    assert np.allclose(trace.delta[3][0], jacobian.T @ (-Y[0] / a), rtol=1e-14, atol=0)


def test_one_weight_moves_one_weighted_input(net, trace):
    # (1): ∂z/∂w_ij is a_j at place i and 0 elsewhere.
    i, j = 2, 1
    net.weights[3][i, j] += 1
    moved = net.backprop(X, Y).z[3] - trace.z[3]
    assert moved[0] == pytest.approx([0, 0, trace.a[2][0, j]], rel=1e-14)


def test_the_biases_move_the_weighted_inputs_by_the_identity_matrix(net, trace):
    for i in range(3):
        raised = net.copy()
        raised.biases[3][i] += 1
        moved = raised.backprop(X, Y).z[3] - trace.z[3]
        assert moved[0] == pytest.approx(np.eye(3)[i], abs=1e-15)


def test_the_error_goes_back_by_a_diagonal_matrix_or_by_a_hadamard_product(trace):
    # (2): δ = diag(f'(z)) Wᵀ δ⁺ = f'(z) ⊙ (Wᵀ δ⁺)
    slopes = trace.a[2][0] * (1 - trace.a[2][0])
    arriving = trace.weights[3].T @ trace.delta[3][0]
    assert trace.delta[2][0] == pytest.approx(np.diag(slopes) @ arriving, rel=1e-14)
    assert trace.delta[2][0] == pytest.approx(slopes * arriving, rel=1e-14)


@pytest.mark.parametrize("layer", [2, 3])
def test_the_gradient_of_the_weights_is_delta_times_a_transposed(trace, layer):
    # (3): ∂L/∂W = δ (a⁻)ᵀ, element by element δ_i a_j, and ∂L/∂b = δ
    delta, before = trace.delta[layer].T, trace.a[layer - 1].T
    assert np.array_equal(trace.grad_weights[layer], delta @ before.T)
    assert np.array_equal(trace.grad_biases[layer], delta[:, 0])
    assert trace.grad_weights[layer][1, 0] == delta[1, 0] * before[0, 0]
