"""A saved learning curve of the book's ch. 3, reproduced epoch by epoch.

784-30-10, sigmoid, the book's cross-entropy, 400 epochs over 1,000 images: 40,000 steps. One sample
out of order, or one gradient a little wrong, and the curves part.
"""

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp

PUBLISHED = json.loads(Path(__file__).with_name("nielsen_overfitting.json").read_bytes())
SEED = 12345678
SIZES = [784, 30, 10]


@pytest.mark.parametrize(("engine", "tolerance"), [("reference", 1e-11), ("compiled", 1e-9)])
def test_all_four_curves_of_400_epochs(engine, tolerance, mnist_dir):
    mnist = cp.datasets.load("mnist", folder=mnist_dir)
    images, answers = mnist.train.x[:1000], mnist.train.y[:1000]

    history = cp.fit(
        the_books_network(),
        (images, answers),
        epochs=400,
        batch_size=10,
        optimizer=cp.SGD(0.5),
        shuffle=the_books_order(len(images)),
        validation_data=mnist.test,
        evaluate_training=True,
        engine=engine,
    )

    test_cost, test_accuracy, training_cost, training_accuracy = PUBLISHED
    assert [round(a * 10_000) for a in history["validation_accuracy"]] == test_accuracy
    assert [round(a * 1_000) for a in history["training_accuracy"]] == training_accuracy
    np.testing.assert_allclose(history["validation_loss"], test_cost, rtol=tolerance)
    np.testing.assert_allclose(history["training_loss"], training_cost, rtol=tolerance)


def the_books_network():
    """Its "large" initial weights, drawn after the default ones, which were then thrown away."""
    rng = np.random.RandomState(SEED)
    for _ in ("default", "large"):
        biases = [rng.randn(n, 1) for n in SIZES[1:]]
        weights = [rng.randn(n, k) for k, n in itertools.pairwise(SIZES)]
    net = cp.Network(SIZES, activations="sigmoid", loss="binary_cross_entropy")
    for layer, W, b in zip((2, 3), weights, biases, strict=True):
        net.weights[layer], net.biases[layer] = W, b[:, 0]
    return net


def the_books_order(n):
    """What random.shuffle of Python 2 did, in place: an epoch goes on from the order before."""
    rng, order = random.Random(SEED), list(range(n))

    def shuffle(epoch):
        for i in range(n - 1, 0, -1):
            j = int(rng.random() * (i + 1))
            order[i], order[j] = order[j], order[i]
        return order

    return shuffle
