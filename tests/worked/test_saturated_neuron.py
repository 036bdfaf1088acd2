"""One saturated neuron: what is wrong with the quadratic cost (Nielsen, ch. 3).

The neuron has one input x = 1 and should answer y = 0, but its weight and bias are large: it
answers almost 1, where the sigmoid is flat.
"""

import numpy as np
import pytest

import clearprop as cp

X, Y = [[1.0]], [[0.0]]
SATURATED = 5.0  # z: half of it from the weight and half from the bias


def neuron(loss, z=SATURATED):
    net = cp.Network([1, 1], activations="sigmoid", loss=loss)
    net.weights[2], net.biases[2] = [[z / 2]], [z / 2]
    return net


def test_the_quadratic_cost_and_its_slopes():
    trace = neuron("quadratic").backprop(X, Y)
    z, a = trace.z[2][0, 0], trace.a[2][0, 0]
    assert z == SATURATED
    assert trace.loss == pytest.approx((0 - a) ** 2 / 2, rel=1e-15)

    # (3.2): ∂C/∂w = (a - y) σ'(z) x = a σ'(z), and ∂C/∂b = (a - y) σ'(z) = a σ'(z)
    slope_of_sigmoid = np.exp(-z) / (1 + np.exp(-z)) ** 2
    assert trace.grad_weights[2][0, 0] == pytest.approx(a * slope_of_sigmoid, rel=1e-13)
    assert trace.grad_biases[2][0] == pytest.approx(a * slope_of_sigmoid, rel=1e-13)


def test_the_worse_the_answer_the_slower_the_quadratic_cost_learns():
    bad, worse, worst = (neuron("quadratic", z).backprop(X, Y) for z in (2.0, 5.0, 10.0))
    assert bad.loss < worse.loss < worst.loss
    assert bad.grad_weights[2] > worse.grad_weights[2] > worst.grad_weights[2] > 0
    assert worst.grad_weights[2] < 1e-4


def test_the_cross_entropy_loses_the_slope_of_the_sigmoid():
    trace = neuron("binary_cross_entropy").backprop(X, Y)
    a = trace.a[2][0, 0]
    # C = -ln(1 - a): the 1/(1 - a) of its slope meets a (1 - a), and a - y is what remains.
    assert trace.loss == pytest.approx(-np.log1p(-a), rel=1e-13)
    assert trace.grad_weights[2][0, 0] == trace.grad_biases[2][0] == a - 0


def test_the_worse_the_answer_the_faster_the_cross_entropy_learns():
    bad, worse, worst = (neuron("binary_cross_entropy", z).backprop(X, Y) for z in (2.0, 5.0, 10.0))
    assert bad.grad_weights[2] < worse.grad_weights[2] < worst.grad_weights[2]


def test_both_costs_after_the_same_training():
    # The book's ch. 3 starts at w = b = 2 and prints 0.20 for the quadratic cost after 300 epochs.
    answers = {}
    for loss in ("quadratic", "binary_cross_entropy"):
        net = neuron(loss, z=4.0)
        cp.fit(net, (X, Y), epochs=300, optimizer=cp.SGD(0.15))
        answers[loss] = net.predict(X)[0, 0]
    assert f"{answers['quadratic']:.2f}" == "0.20"
    assert answers["binary_cross_entropy"] < answers["quadratic"] / 10
