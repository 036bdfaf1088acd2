"""The loop of Nielsen's book: sample by sample, the gradients of a batch added up."""

import numpy as np

from benchmarks.peers import EpochDone
from benchmarks.problem import Floats, Parameters, Problem


def run(problem: Problem, epoch_done: EpochDone) -> None:
    """Train with columns of shape (n, 1), one sample at a time."""
    weights = [W.copy() for W, _ in problem.initial]
    biases = [b[:, None].copy() for _, b in problem.initial]
    samples = [(problem.x[i][:, None], problem.y[i][:, None]) for i in range(len(problem.x))]
    eta = np.float32(problem.configuration.learning_rate)

    def parameters() -> Parameters:
        return [(W, b[:, 0]) for W, b in zip(weights, biases, strict=True)]

    while True:
        for batch in problem.batches():
            rows = problem.order[batch]
            sum_w = [np.zeros_like(W) for W in weights]
            sum_b = [np.zeros_like(b) for b in biases]
            for row in rows:
                grad_w, grad_b = _backprop(weights, biases, *samples[row])
                sum_w = [total + one for total, one in zip(sum_w, grad_w, strict=True)]
                sum_b = [total + one for total, one in zip(sum_b, grad_b, strict=True)]
            rate = eta / np.float32(len(rows))
            weights = [W - rate * g for W, g in zip(weights, sum_w, strict=True)]
            biases = [b - rate * g for b, g in zip(biases, sum_b, strict=True)]
        if not epoch_done(parameters):
            return


def _backprop(
    weights: list[Floats], biases: list[Floats], x: Floats, y: Floats
) -> tuple[list[Floats], list[Floats]]:
    activations, inputs = [x], []
    for W, b in zip(weights, biases, strict=True):
        inputs.append(np.dot(W, activations[-1]) + b)
        activations.append(_sigmoid(inputs[-1]))
    delta = (activations[-1] - y) * _slope(inputs[-1])
    grad_w, grad_b = [np.dot(delta, activations[-2].T)], [delta]
    for i in range(2, len(weights) + 1):
        delta = np.dot(weights[1 - i].T, delta) * _slope(inputs[-i])
        grad_w.insert(0, np.dot(delta, activations[-i - 1].T))
        grad_b.insert(0, delta)
    return grad_w, grad_b


def _sigmoid(z: Floats) -> Floats:
    one = np.float32(1)
    result: Floats = one / (one + np.exp(-z))
    return result


def _slope(z: Floats) -> Floats:
    return _sigmoid(z) * (1 - _sigmoid(z))
