"""How good a network is: loss, accuracy, R²."""

import math

import numpy as np
import pytest

import clearprop as cp
from clearprop.errors import InputError
from clearprop.evaluation import classify, labels_of


def passing(width, loss="quadratic"):
    """A network that outputs its input."""
    net = cp.Network([width, width], activations="identity", loss=loss, initializer=0)
    net.weights[2] = np.eye(width)
    return net


def test_classes_from_several_outputs():
    found = cp.evaluate(passing(3), ([[0.9, 0.1, 0], [0, 0.4, 0.5]], [[1, 0, 0], [0, 1, 0]]))
    assert (found.samples, found.accuracy, found.r2) == (2, 0.5, None)
    assert found.predicted.tolist() == [0, 2]
    assert found.labels.tolist() == [0, 1]
    assert found.loss == pytest.approx((0.02 + 0.36 + 0.25) / 4)


def test_two_classes_from_one_output():
    found = cp.evaluate(passing(1), ([[0.4], [0.6], [0.5]], [[0], [0], [1]]))
    assert found.predicted.tolist() == [0, 1, 0]
    assert found.accuracy == pytest.approx(1 / 3)


def test_numbers_to_predict():
    found = cp.evaluate(passing(2), ([[1, 2], [3, 5]], [[1, 3], [3, 4]]))
    assert found.accuracy is found.predicted is found.labels is None
    assert found.loss == pytest.approx(0.5)
    # 1 - 0/2 for the first output and 1 - 2/0.5 for the second
    assert found.r2 == pytest.approx((1 - 3) / 2)


def test_a_target_that_does_not_vary_has_no_r2():
    assert cp.evaluate(passing(1), ([[1], [2]], [[7], [7]])).r2 is None


def test_the_loss_is_that_of_backprop():
    rng = np.random.default_rng(0)
    for activation, loss in (("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy")):
        net = cp.Network([3, 2], activations=activation, loss=loss, seed=0)
        X, Y = 100 * rng.normal(size=(9, 3)), cp.one_hot(rng.integers(2, size=9), 2)
        assert cp.evaluate(net, (X, Y)).loss == pytest.approx(net.backprop(X, Y).loss, rel=1e-14)


def test_a_saturated_output_has_a_finite_loss():
    net = cp.Network([1, 1], activations="sigmoid", loss="binary_cross_entropy", initializer=1000)
    assert cp.evaluate(net, ([[1.0]], [[0.0]])).loss == 2000


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_arrays_of_other_libraries(library):
    xp = pytest.importorskip(library)
    X, Y = np.array([[0.9, 0.1], [0.2, 0.3]], "float32"), np.eye(2, dtype="float32")
    net = cp.Network([2, 2], seed=0, dtype="float32")
    there, here = cp.evaluate(net, (xp.asarray(X), xp.asarray(Y))), cp.evaluate(net, (X, Y))
    assert there.loss == pytest.approx(here.loss, rel=1e-6)
    assert there.predicted.tolist() == here.predicted.tolist()
    assert type(there.loss) is float


def test_a_part_of_a_data_set():
    data = cp.datasets.load("moons", samples=50, seed=1)
    net = cp.Network([2, 3, 2], seed=0)
    found = cp.evaluate(net, data.test)
    assert found.samples == len(data.test)
    assert np.array_equal(found.labels, data.test.labels)


@pytest.mark.parametrize("data", [None, 3, "xor", np.ones((2, 2)), ([[1]],), ([[1]], [[1]], [[1]])])
def test_what_is_no_data(data):
    with pytest.raises(InputError, match=r"the data is a \w+; expected a pair \(X, Y\), or a part"):
        cp.evaluate(passing(1), data)


def test_a_whole_data_set_is_too_much():
    with pytest.raises(InputError, match=r"the data is a Dataset; expected .* such as data.train"):
        cp.evaluate(cp.Network([2, 2]), cp.datasets.load("xor"))


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([[1, 0], [0, 1]], [0, 1]),
        ([[1, 1], [0, 1]], None),
        ([[0, 0], [0, 1]], None),
        ([[0.5, 0.5], [0, 1]], None),
        ([[1], [0]], [1, 0]),
        ([[2], [0]], None),
        ([[-1.0], [1.0]], None),
    ],
)
def test_which_targets_are_classes(y, labels):
    found = labels_of(np.array(y, float))
    assert (None if found is None else found.tolist()) == labels


def test_of_equal_outputs_the_first_names_the_class():
    assert classify(np.array([[0.5, 0.5], [0, 0]])).tolist() == [0, 0]


def test_the_loss_leaves_penalties_out():
    net, data = passing(1), ([[1.0], [2.0]], [[1.5], [1.5]])
    report = cp.fit(net, data, epochs=1, l2=100.0, optimizer=cp.SGD(1e-9)).epochs[0]
    assert report.loss == pytest.approx(0.125)
    assert math.isclose(cp.evaluate(net, data).loss, 0.125, rel_tol=1e-6)
