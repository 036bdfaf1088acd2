"""Quantities indexed by the layer's own number."""

import numpy as np
import pytest

import clearprop as cp
from clearprop.errors import InputError
from clearprop.layered import Layered

SIZES = Layered("sizes", {1: 784, 2: 30, 3: 10})


@pytest.fixture
def net():
    return cp.Network([2, 3, 1], seed=0)


def test_is_a_mapping_by_layer_number():
    assert (SIZES[1], SIZES[3], len(SIZES)) == (784, 10, 3)
    assert list(SIZES) == [1, 2, 3]
    assert list(reversed(SIZES)) == [3, 2, 1]
    assert dict(SIZES) == {1: 784, 2: 30, 3: 10}
    assert 3 in SIZES
    assert 4 not in SIZES


@pytest.mark.parametrize("layer", [0, 4, -1, "2", None, 2.5])
def test_a_layer_that_is_not_there(layer):
    with pytest.raises(InputError) as caught:
        SIZES[layer]
    assert str(caught.value) == f"there is no sizes[{layer!r}]; sizes has layers 1 to 3"


def test_an_index_that_cannot_be_looked_up():
    with pytest.raises(InputError, match=r"there is no sizes\[\[2\]\]"):
        SIZES[[2]]


def test_nothing_is_there_at_all():
    with pytest.raises(InputError, match="masks is empty"):
        Layered("masks", {})[2]


def test_what_it_prints():
    assert repr(Layered("n", {1: 2, 2: 3})) == "n[1] = 2\nn[2] = 3"
    assert repr(Layered("masks", {})) == "masks: no layers"


def test_a_layered_quantity_cannot_be_assigned():
    with pytest.raises(TypeError):
        SIZES[2] = 5


def test_there_are_no_weights_into_the_input_layer(net):
    for views in (net.weights, net.biases):
        with pytest.raises(InputError, match=r"there is no \w+\[1\]; \w+ has layers 2 to 3"):
            views[1]
        with pytest.raises(InputError, match=r"there is no \w+\[1\]"):
            views[1] = 0


def test_assignment_writes_into_the_one_vector(net):
    vector = net.parameters
    net.weights[2] = [[1, 2], [3, 4], [5, 6]]
    net.biases[3] = np.array([7.0])
    assert net.parameters is vector
    assert vector[:6].tolist() == [1, 2, 3, 4, 5, 6]
    assert vector[-1] == 7


def test_a_view_may_be_changed_in_place(net):
    net.weights[2] += 1
    net.weights[3][0, 1] = 9
    net.biases[2][:] = [4, 5, 6]
    before = cp.Network([2, 3, 1], seed=0)
    assert np.array_equal(net.parameters[:6], before.parameters[:6] + 1)
    assert net.parameters[10] == 9
    assert net.parameters[6:9].tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([[1, 2], [3, 4]], "given shape (2, 2); expected (3, 2)"),
        ([1, 2], "given shape (2,); expected (3, 2)"),
        (0.5, "given shape (); expected (3, 2)"),
        ([[1, 2], [3], [5, 6]], "expected a rectangular array of numbers"),
        ([["a", 2], [3, 4], [5, 6]], "expected a rectangular array of numbers"),
        ([[1, 2], [3, float("nan")], [5, 6]], "is given nan; expected numbers that are finite"),
        ([[1j, 2], [3, 4], [5, 6]], "dtype complex128; expected real numbers"),
    ],
)
def test_a_value_that_does_not_fit_changes_nothing(net, value, expected):
    before = net.parameters.copy()
    with pytest.raises(InputError) as caught:
        net.weights[2] = value
    assert "weights[2]" in str(caught.value)
    assert expected in str(caught.value)
    assert np.array_equal(net.parameters, before)


def test_a_number_too_large_for_float32(net):
    small = cp.Network([1, 1], dtype="float32")
    with pytest.raises(InputError, match=r"1e\+300; expected numbers that are finite in float32"):
        small.weights[2] = [[1e300]]
