"""Matrices, the chain rule and the simplest loss: what an introduction prepares its readers with.

Each of these small calculations is one layer, or one equation, of a network.
"""

import numpy as np
import pytest

import clearprop as cp
from clearprop.equations import bp1, bp4, forward

A = np.array([[1.0, 2.0], [3.0, 4.0]])
B = np.array([[-1.0, -2.0], [-3.0, -4.0]])


def test_the_matrix_product_is_a_layer_without_bias():
    net = cp.Network([2, 2], activations="identity")
    net.weights[2], net.biases[2] = A, [0.0, 0.0]
    # The columns of B are two samples, and so rows of a batch.
    assert np.array_equal(net.predict(B.T).T, [[-7, -10], [-15, -22]])


def test_z_is_the_product_plus_the_bias_for_every_sample():
    # Z^[l] = w^[l] · A^[l-1] + b^[l]
    z = forward(A, np.array([10.0, 20.0]), B.T)
    assert np.array_equal(z.T, [[-7 + 10, -10 + 10], [-15 + 20, -22 + 20]])


def test_the_product_of_each_element_is_what_bp1_does_with_the_slopes():
    slopes = cp.Activation("slopes given", f=lambda z: z, df=lambda z, a: A)
    assert np.array_equal(bp1(slopes, A, A, B), [[-1, -4], [-9, -16]])


def test_the_chain_rule():
    # ∂ e^-x / ∂x = e^-x · (-1): the weight is the inner slope, the activation the outer function.
    exponential = cp.Activation.from_formula("exponential", "exp(z)")
    x = 0.7
    assert exponential.df(-x, None) * -1 == pytest.approx(-np.exp(-x), rel=1e-15)

    # The same through BP2: the slope at the first of two neurons, of which the second is e^z.
    net = cp.Network([1, 1, 1], activations=["identity", exponential], loss="absolute")
    net.weights[2], net.biases[2] = [[1.0]], [0.0]
    net.weights[3], net.biases[3] = [[-1.0]], [0.0]
    trace = net.backprop([[x]], [[0.0]])
    assert trace.delta[2][0, 0] == pytest.approx(-np.exp(-x), rel=1e-15)


def test_the_partial_derivatives_of_a_product():
    # f(x, y) = xy: ∂f/∂x = y and ∂f/∂y = x. A weight and its input are such a pair.
    x, y = 3.0, 5.0
    net = cp.Network([1, 1], activations="identity", loss="absolute")
    net.weights[2], net.biases[2] = [[x]], [0.0]
    trace = net.backprop([[y]], [[0.0]])
    assert trace.loss == x * y
    assert trace.grad_weights[2][0, 0] == y
    assert (trace.delta[2] @ trace.weights[2])[0, 0] == x


def test_the_l1_loss_is_the_distance():
    net = cp.Network([2, 2], activations="identity", loss="absolute")
    net.weights[2], net.biases[2] = np.eye(2), [0.0, 0.0]
    trace = net.backprop([[0.8, 0.1]], [[1.0, 0.0]])
    assert trace.loss == pytest.approx(0.2 + 0.1, rel=1e-15)
    assert np.array_equal(trace.delta[2], [[-1, 1]])


def test_gradient_descent_on_one_weight():
    # w := w - α ∂J/∂w, with J(w) = |w·1 - 3|: from w = 1 in steps of α until the answer is right.
    net = cp.Network([1, 1], activations="identity", loss="absolute")
    net.weights[2], net.biases[2] = [[1.0]], [0.0]
    steps = cp.train(net, ([[1.0]], [[3.0]]), epochs=4, optimizer=cp.SGD(0.5), freeze="biases")
    assert [(step.loss, net.weights[2][0, 0]) for step in steps] == [
        (2.0, 1.5),
        (1.5, 2.0),
        (1.0, 2.5),
        (0.5, 3.0),
    ]


def test_the_gradient_of_a_matrix_has_the_slope_of_every_element():
    # (∇_A f(A))_ij = ∂f/∂A_ij for f(A) = vᵀ A u is v_i u_j: BP4.
    u, v = np.array([[2.0, -1.0]]), np.array([[3.0, 4.0]])
    gradient = bp4(v, u)
    for i in range(2):
        for j in range(2):
            raised = A.copy()
            raised[i, j] += 1
            assert gradient[i, j] == (v @ raised @ u.T - v @ A @ u.T)[0, 0]
