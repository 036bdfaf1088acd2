"""Sizes, activations and loss, and where each parameter lies in the one vector."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearprop.activations import ACTIVATIONS, Activation, mixed
from clearprop.architecture import design
from clearprop.errors import InputError, UnknownNameError
from clearprop.losses import LOSSES

some_sizes = st.lists(st.integers(1, 5), min_size=2, max_size=5)


def plain(sizes):
    return design(sizes, "sigmoid", "quadratic")


@given(some_sizes)
def test_every_parameter_has_one_place(sizes):
    made = plain(sizes)
    assert made.n_layers == len(sizes)
    assert list(made.layers) == list(range(2, len(sizes) + 1))
    places = [at(i) for i in made.layers for at in (made.weights_at, made.biases_at)]
    covered = [index for place in places for index in range(made.n_parameters)[place]]
    assert covered == list(range(made.n_parameters))


@given(some_sizes)
def test_weights_and_biases_are_views_in_the_books_shapes(sizes):
    made = plain(sizes)
    flat = np.arange(made.n_parameters, dtype=float)
    for layer in made.layers:
        W, b = made.weights(flat)[layer], made.biases(flat)[layer]
        assert W.shape == (made.size(layer), made.size(layer - 1))
        assert b.shape == (made.size(layer),)
        assert np.shares_memory(W, flat)
        assert np.shares_memory(b, flat)
        for kind, values in (("weights", W), ("biases", b)):
            assert {made.locate(int(i)) for i in values.flat} == {(kind, layer)}


def test_a_place_that_does_not_exist():
    with pytest.raises(InputError, match="parameter 9 does not exist; expected 0 to 8"):
        plain([2, 2, 1]).locate(9)


def test_one_activation_for_all_layers_or_one_for_each():
    tanh, relu = ACTIVATIONS["tanh"], ACTIVATIONS["relu"]
    assert design([1, 2, 3], "tanh", "quadratic").activations == (tanh, tanh)
    assert design([1, 2, 3], tanh, "quadratic").activations == (tanh, tanh)
    made = design([1, 2, 3], ["tanh", relu], LOSSES["huber"])
    assert (made.activation(2), made.activation(3), made.loss) == (tanh, relu, LOSSES["huber"])


def test_a_layer_with_one_activation_for_each_neuron():
    made = design([1, 2, 1], [["tanh", "relu"], "sigmoid"], "quadratic")
    assert [part.name for part in made.activation(2).parts] == ["tanh", "relu"]
    by_hand = design([1, 2, 1], [mixed(made.activation(2).parts), "sigmoid"], "quadratic")
    assert by_hand.activation(2).name == made.activation(2).name


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [3],
        [2, 0],
        [2, -1],
        [2, 1.0],
        [2, 1.5],
        [True, 2],
        [2, "2"],
        ["2", "2"],
        "22",
        5,
        None,
        [[2], [2]],
        np.ones((2, 2)),
        [2, None],
        {2: "a", 0: "b"},
    ],
)
def test_what_are_no_sizes(sizes):
    with pytest.raises(InputError) as caught:
        plain(sizes)
    assert str(caught.value) == (
        f"sizes is {sizes!r}; expected at least two whole numbers of neurons, such as [784, 30, 10]"
    )


@pytest.mark.parametrize("sizes", [(2, 3), range(2, 4), np.array([2, 3]), [np.int8(2), np.uint(3)]])
def test_whole_numbers_of_any_kind_are_sizes(sizes):
    made = plain(sizes)
    assert made.sizes == (2, 3)
    assert all(type(size) is int for size in made.sizes)


@pytest.mark.parametrize(
    ("activations", "expected"),
    [
        (["tanh"], "activations is ['tanh']; expected one name for all layers, or a list of 2"),
        (["tanh"] * 3, "or a list of 2, one for each layer after the input"),
        (None, "activations is None; expected one name"),
        (7, "activations is 7; expected one name"),
        (["tanh", 7], "the activation of layer 3 is 7; expected a name"),
        (["tanh", ["relu", "tanh", "tanh"]], "or a list of 2, one for each of its neurons"),
        (["tanh", ["relu", ["tanh"]]], "[tanh] is a whole layer's; expected one activation"),
        (["tanh", ["relu", "softmax"]], "softmax couples all neurons"),
        ([mixed([ACTIVATIONS["relu"]]), "tanh"], "layer 2 has 3 neurons and 1 activations"),
    ],
)
def test_activations_that_do_not_fit(activations, expected):
    with pytest.raises(InputError) as caught:
        design([1, 3, 2], activations, "quadratic")
    assert expected in str(caught.value)


def test_an_unknown_activation_or_loss():
    with pytest.raises(UnknownNameError, match="unknown activation 'thanh'; did you mean 'tanh'"):
        design([1, 1], "thanh", "quadratic")
    with pytest.raises(UnknownNameError, match="unknown loss 'squared'"):
        design([1, 1], "tanh", "squared")


def test_an_architecture_is_frozen_and_compares_by_what_it_is():
    assert plain([2, 3]) == plain((2, 3))
    assert plain([2, 3]) != plain([2, 4])
    mine = Activation("mine", f=lambda z: z, df=lambda z, a: 1 + 0 * z)
    assert design([2, 3], mine, "quadratic") != plain([2, 3])
    with pytest.raises(AttributeError):
        plain([2, 3]).sizes = (1, 1)
