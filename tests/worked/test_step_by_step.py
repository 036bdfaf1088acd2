"""Two inputs, two hidden neurons, two outputs: *A Step by Step Backpropagation Example*.

The sections and the numbers are those of Matt Mazur's text of that name. Its letters, in ours::

    i₁ i₂              h₁ h₂              o₁ o₂
      │  w₁ w₂  (to h₁)  │  w₅ w₆  (to o₁)  │         W² = [[w₁ w₂]    W³ = [[w₅ w₆]
      └─ w₃ w₄  (to h₂) ─┘─ w₇ w₈  (to o₂) ─┘               [w₃ w₄]]         [w₇ w₈]]
         b₁ for both        b₂ for both

    net = z    out = a    E_total = C    ∂E_total/∂net = δ

The text updates no bias. Some of its last numbers come from other rules than the one it teaches;
the section "Which rule gives which number" finds the rule of each.
"""

import numpy as np
import pytest

import clearprop as cp
from clearprop.equations import bp2, bp4

INPUT = [[0.05, 0.10]]
TARGET = [[0.01, 0.99]]
LEARNING_RATE = 0.5


@pytest.fixture
def net():
    net = cp.Network([2, 2, 2], activations="sigmoid", loss="quadratic")
    net.weights[2] = [[0.15, 0.20], [0.25, 0.30]]
    net.biases[2] = [0.35, 0.35]
    net.weights[3] = [[0.40, 0.45], [0.50, 0.55]]
    net.biases[3] = [0.60, 0.60]
    return net


@pytest.fixture
def trace(net):
    return net.backprop(INPUT, TARGET)


def printed(number, text):
    """Whether ``number``, written with as many decimals as ``text`` has, is ``text``."""
    decimals = len(text.partition(".")[2])
    return f"{number:.{decimals}f}" == text


# --- Forward pass --------------------------------------------------------------------------------


def test_the_hidden_layer(trace):
    (net_h1, _), (out_h1, out_h2) = trace.z[2][0], trace.a[2][0]
    assert printed(net_h1, "0.3775")
    assert printed(out_h1, "0.593269992")
    assert printed(out_h2, "0.596884378")


def test_the_output_layer(trace, net):
    (net_o1, _), (out_o1, out_o2) = trace.z[3][0], trace.a[3][0]
    assert printed(net_o1, "1.105905967")
    assert printed(out_o1, "0.75136507")
    assert printed(out_o2, "0.772928465")
    assert np.array_equal(net.predict(INPUT), [[out_o1, out_o2]])


# --- Total error ---------------------------------------------------------------------------------


def test_the_total_error_is_the_sum_over_the_outputs(trace):
    error_o1, error_o2 = 0.5 * (np.array(TARGET) - trace.a[3])[0] ** 2
    assert printed(error_o1, "0.274811083")
    assert printed(error_o2, "0.023560026")
    assert printed(trace.loss, "0.298371109")
    assert trace.sample_losses[0] == trace.loss


# --- Backward pass: output layer -----------------------------------------------------------------


def test_the_three_factors_of_the_slope_of_w5(trace):
    out_o1, out_h1 = trace.a[3][0, 0], trace.a[2][0, 0]
    of_the_error = out_o1 - TARGET[0][0]
    of_the_neuron = out_o1 * (1 - out_o1)
    assert printed(of_the_error, "0.74136507")
    assert printed(of_the_neuron, "0.186815602")
    assert printed(out_h1, "0.593269992")

    slope_w5 = trace.grad_weights[3][0, 0]
    assert printed(slope_w5, "0.082167041")
    assert slope_w5 == pytest.approx(of_the_error * of_the_neuron * out_h1, rel=1e-15)


def test_the_new_weights_into_the_output_layer(trace, net):
    (w5, w6), (w7, w8) = net.weights[3] - LEARNING_RATE * trace.grad_weights[3]
    assert printed(w5, "0.35891648")
    assert printed(w6, "0.408666186")
    assert printed(w7, "0.511301270")
    assert printed(w8, "0.561370121")


# --- Backward pass: hidden layer -----------------------------------------------------------------


def test_the_error_that_reaches_h1_comes_from_both_outputs(trace, net):
    delta_o1, delta_o2 = trace.delta[3][0]
    w5, w7 = net.weights[3][:, 0]
    assert printed(delta_o1, "0.138498562")
    assert printed(w5, "0.40")
    assert printed(delta_o1 * w5, "0.055399425")
    # The text prints -0.019049119; its last digit is one too large.
    assert printed(delta_o2 * w7, "-0.019049118")
    assert printed(delta_o1 * w5 + delta_o2 * w7, "0.036350306")


def test_the_three_factors_of_the_slope_of_w1(trace, net):
    out_h1 = trace.a[2][0, 0]
    of_the_error = trace.delta[3][0] @ net.weights[3][:, 0]
    of_the_neuron = out_h1 * (1 - out_h1)
    assert printed(of_the_error, "0.036350306")
    assert printed(of_the_neuron, "0.241300709")
    assert printed(trace.a[1][0, 0], "0.05")

    slope_w1 = trace.grad_weights[2][0, 0]
    assert printed(slope_w1, "0.000438568")
    assert slope_w1 == pytest.approx(of_the_error * of_the_neuron * 0.05, rel=1e-15)
    assert trace.delta[2][0, 0] == pytest.approx(of_the_error * of_the_neuron, rel=1e-15)


def test_the_new_weights_into_the_hidden_layer(trace, net):
    (w1, w2), (w3, w4) = net.weights[2] - LEARNING_RATE * trace.grad_weights[2]
    assert printed(w1, "0.149780716")
    assert printed(w2, "0.19956143")
    assert printed(w3, "0.24975114")
    # The text prints 0.29950299, a misprint.
    assert printed(w4, "0.29950229")


# --- Update: which rule gives which number -------------------------------------------------------


def train(net, epochs, **settings):
    """The loss before each update, and then the loss after the last one."""
    steps = cp.train(
        net, (INPUT, TARGET), epochs=epochs, optimizer=cp.SGD(LEARNING_RATE), **settings
    )
    return [*(step.loss for step in steps), net.backprop(INPUT, TARGET).loss]


def test_one_update_by_the_rule_of_the_text(net):
    # All gradients first, then all weights.
    before, after = train(net, epochs=1, freeze="biases")
    assert printed(before, "0.298371109")
    assert after == pytest.approx(0.29102777369359933, rel=1e-15)


def test_the_printed_error_after_one_update_comes_from_a_sequential_update(net):
    # First w₅ … w₈; then BP2 takes the old errors of the outputs back through the *new* w₅ … w₈.
    trace = net.backprop(INPUT, TARGET)
    net.weights[3] = net.weights[3] - LEARNING_RATE * trace.grad_weights[3]
    delta = bp2(net.activations[2], trace.z[2], trace.a[2], net.weights[3], trace.delta[3])
    net.weights[2] = net.weights[2] - LEARNING_RATE * bp4(delta, trace.a[1])
    assert printed(net.backprop(INPUT, TARGET).loss, "0.291027924")


def test_a_fresh_pass_between_the_two_updates_gives_yet_another_error(net):
    # Descent on one layer after the other, each by the rule of the text: sound, but not printed.
    for layer in (3, 2):
        trace = net.backprop(INPUT, TARGET)
        net.weights[layer] = net.weights[layer] - LEARNING_RATE * trace.grad_weights[layer]
    assert printed(net.backprop(INPUT, TARGET).loss, "0.291027900")


def test_the_printed_error_after_ten_thousand_updates_is_that_after_9999(net):
    losses = train(net, epochs=10_000, freeze="biases")
    assert printed(losses[0], "0.298371109")
    assert printed(losses[9_999], "0.0000351085")
    assert losses[10_000] == pytest.approx(3.5101878e-05, abs=5e-13)


def test_one_update_where_each_layer_has_one_bias_for_all_its_neurons(net):
    # A shared bias moves by the sum of what its neurons ask for.
    trace = net.backprop(INPUT, TARGET)
    for layer in (2, 3):
        net.weights[layer] = net.weights[layer] - LEARNING_RATE * trace.grad_weights[layer]
        net.biases[layer] = net.biases[layer] - LEARNING_RATE * trace.grad_biases[layer].sum()
    assert printed(net.backprop(INPUT, TARGET).loss, "0.2857508867")


def test_one_update_where_each_neuron_has_a_bias_of_its_own(net):
    _, after = train(net, epochs=1)
    assert printed(after, "0.28047144679")
