"""Remarks and exercises of the book's chapter on backpropagation (Nielsen, ch. 2), worked."""

import numpy as np
import pytest

import clearprop as cp

X = np.array([[0.2, -0.7], [1.0, 0.4], [-0.3, 0.9]])
Y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def slope_of_sigmoid(z):
    return np.exp(-z) / (1 + np.exp(-z)) ** 2


# --- Another form of the equations: products with a diagonal matrix ------------------------------


def test_bp1_and_bp2_with_diagonal_matrices():
    trace = cp.Network([2, 3, 3, 2], seed=1).backprop(X[:1], Y[:1])
    sigma = {layer: np.diag(slope_of_sigmoid(z[0])) for layer, z in trace.z.items()}
    w = trace.weights
    nabla = (trace.a[4] - Y[:1])[0]

    assert trace.delta[4][0] == pytest.approx(sigma[4] @ nabla, rel=1e-14)
    assert trace.delta[3][0] == pytest.approx(sigma[3] @ w[4].T @ trace.delta[4][0], rel=1e-14)
    # All the way in one product.
    assert trace.delta[2][0] == pytest.approx(
        sigma[2] @ w[3].T @ sigma[3] @ w[4].T @ sigma[4] @ nabla, rel=1e-13
    )


# --- One modified neuron -------------------------------------------------------------------------


def test_one_modified_neuron_changes_its_own_slope_and_nothing_else():
    # Neuron 2 of the hidden layer answers f(z) = z³ in place of σ(z). Wherever the algorithm says
    # σ and σ' of that neuron, it now says f and f'; all else stays.
    cube = cp.Activation("cube", f=lambda z: z**3, df=lambda z, a: 3 * z**2)
    net = cp.Network([2, 3, 2], activations=[["sigmoid", cube, "sigmoid"], "sigmoid"], seed=2)
    trace = net.backprop(X, Y)

    z = trace.z[2]
    sigmoid = 1 / (1 + np.exp(-z))
    answers = np.stack([sigmoid[:, 0], z[:, 1] ** 3, sigmoid[:, 2]], axis=1)
    slopes = np.stack(
        [slope_of_sigmoid(z[:, 0]), 3 * z[:, 1] ** 2, slope_of_sigmoid(z[:, 2])], axis=1
    )
    assert np.allclose(trace.a[2], answers, rtol=1e-14, atol=0)
    arriving = trace.delta[3] @ trace.weights[3]
    assert np.allclose(trace.delta[2], arriving * slopes, rtol=1e-13, atol=0)


def test_one_modified_neuron_in_the_output_layer():
    net = cp.Network([2, 2], activations=[["sigmoid", "tanh"]], seed=3)
    trace = net.backprop(X, Y)
    slopes = np.stack(
        [slope_of_sigmoid(trace.z[2][:, 0]), 1 / np.cosh(trace.z[2][:, 1]) ** 2], axis=1
    )
    assert np.allclose(trace.delta[2], (trace.a[2] - Y) * slopes, rtol=1e-13, atol=0)


# --- Linear neurons ------------------------------------------------------------------------------


def test_linear_neurons_have_slope_one_so_the_error_is_only_carried_back():
    trace = cp.Network([2, 3, 2], activations="identity", seed=5).backprop(X, Y)
    W2, W3 = trace.weights[2], trace.weights[3]
    assert np.array_equal(trace.a[2], trace.z[2])
    assert np.array_equal(trace.delta[3], trace.a[3] - Y)
    assert np.allclose(trace.delta[2], (trace.a[3] - Y) @ W3, rtol=1e-15, atol=0)

    # Several linear layers are one: their product.
    output = X @ (W3 @ W2).T + (W3 @ trace.biases[2] + trace.biases[3])
    assert np.allclose(trace.a[3], output, rtol=1e-14, atol=1e-15)


# --- A mini-batch at once, and the four equations sample by sample -------------------------------


def test_a_batch_in_matrices_is_the_mean_over_its_samples():
    # Assumption (a): C = (1/m) Σ_x C_x, and so are its derivatives.
    net = cp.Network([2, 3, 2], seed=6)
    whole = net.backprop(X, Y)
    alone = [net.backprop(x[None, :], y[None, :]) for x, y in zip(X, Y, strict=True)]
    assert whole.loss == pytest.approx(np.mean([one.loss for one in alone]), rel=1e-15)
    for layer in (2, 3):
        for quantity in ("grad_weights", "grad_biases"):
            mean = np.mean([getattr(one, quantity)[layer] for one in alone], axis=0)
            assert np.allclose(getattr(whole, quantity)[layer], mean, rtol=1e-13, atol=1e-17)


def test_a_step_of_stochastic_gradient_descent():
    # w → w - (η/m) Σ_x δ aᵀ and b → b - (η/m) Σ_x δ
    net = cp.Network([2, 3, 2], seed=7)
    trace = net.backprop(X, Y)
    next(cp.train(net, (X, Y), epochs=1, batch_size=3, optimizer=cp.SGD(3.0), shuffle=False))
    for layer in (2, 3):
        sum_w = sum(map(np.outer, trace.delta[layer], trace.a[layer - 1]))
        sum_b = sum(trace.delta[layer])
        assert np.allclose(net.weights[layer], trace.weights[layer] - 3.0 / 3 * sum_w, rtol=1e-14)
        assert np.allclose(net.biases[layer], trace.biases[layer] - 3.0 / 3 * sum_b, rtol=1e-14)


# --- What the equations say about learning -------------------------------------------------------


def test_a_weight_from_a_silent_neuron_learns_slowly():
    # BP4: ∂C/∂w = a_in δ_out. Layer 2 is [silent, loud] and both weights lead to the same neuron.
    net = cp.Network([1, 2, 1], seed=8)
    net.weights[2], net.biases[2] = [[0.0], [0.0]], [-6.0, 6.0]
    from_silent, from_loud = net.backprop([[1.0]], [[0.0]]).grad_weights[3][0]
    assert from_silent == pytest.approx(from_loud * np.exp(-6), rel=1e-12)


def test_weights_into_a_saturated_neuron_learn_slowly():
    # BP2: the slope of the neuron is a factor of its δ, so of all gradients that lead into it.
    net = cp.Network([1, 2, 1], seed=9)
    net.weights[2], net.biases[2] = [[0.0], [0.0]], [0.0, 10.0]
    net.weights[3] = [[1.0, 1.0]]
    awake, saturated = net.backprop([[1.0]], [[0.0]]).delta[2][0]
    assert saturated == pytest.approx(awake * slope_of_sigmoid(10.0) / 0.25, rel=1e-10)


def test_the_slope_by_a_small_change_of_one_weight_at_a_time():
    # (46): ∂C/∂w ≈ (C(w + ε e) - C(w)) / ε needs one more forward pass for every single weight;
    # backpropagation has all of them from one pass forward and one back.
    net = cp.Network([2, 3, 2], seed=10)
    trace, epsilon = net.backprop(X, Y), 1e-7
    slopes = np.empty(net.n_parameters)
    for place in range(net.n_parameters):
        changed = net.copy()
        changed.parameters[place] += epsilon
        slopes[place] = (changed.backprop(X, Y).loss - trace.loss) / epsilon
    assert np.allclose(trace.gradient, slopes, atol=1e-7)
