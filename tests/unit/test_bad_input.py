"""Bad input: one error of ours, saying what was given, what was expected, and what to do.

Data files and model files have tests of their own; here are networks, passes and training.
"""

import numpy as np
import pytest

import clearprop as cp
from clearprop.errors import ClearpropError, InputError, UnknownNameError

X, Y = np.ones((4, 3)), np.full((4, 2), 0.5)
NAN, INF = float("nan"), float("inf")


def network(sizes=(3, 4, 2), **settings):
    return cp.Network(sizes, **{"seed": 0, **settings})


def predict(x):
    return lambda: network().predict(x)


def backprop(x=X, y=Y, **settings):
    return lambda: network().backprop(x, y, **settings)


def train(data=(X, Y), **settings):
    return lambda: cp.train(network(), data, **settings)


def made(*sizes, **settings):
    return lambda: network(*sizes, **settings)


def with_(row, column, value):
    array = X.copy()
    array[row, column] = value
    return array


# (what is called, what was given, what was expected), each with a text that the message contains
CASES = {
    # --- networks ---
    "no sizes": (made([]), "sizes is []", "at least two whole numbers"),
    "one size": (made([3]), "sizes is [3]", "at least two whole numbers"),
    "a size of zero": (made([3, 0, 2]), "sizes is [3, 0, 2]", "at least two whole numbers"),
    "a negative size": (made([3, -4]), "sizes is [3, -4]", "at least two whole numbers"),
    "a fractional size": (made([3, 2.5]), "sizes is [3, 2.5]", "at least two whole numbers"),
    "a float as size": (made([3, 2.0]), "sizes is [3, 2.0]", "at least two whole numbers"),
    "a bool as size": (made([3, True]), "sizes is [3, True]", "at least two whole numbers"),
    "a text as size": (made([3, "2"]), "sizes is [3, '2']", "at least two whole numbers"),
    "a number as sizes": (made(784), "sizes is 784", "such as [784, 30, 10]"),
    "more neurons than memory": (made([2**40, 2**40]), "1,208,925,", "fewer neurons"),
    "an unknown activation": (
        made(activations="sigmiod"), "'sigmiod'", "did you mean 'sigmoid'",
    ),
    "too few activations": (made(activations=["relu"]), "is ['relu']", "a list of 2"),
    "an activation that is none": (made(activations=["relu", 5]), "layer 3 is 5", "a cp.Act"),
    "too few neurons in a mixed layer": (
        made(activations=[["relu"], "tanh"]), "layer 2 is ['relu']", "a list of 4",
    ),
    "softmax for one neuron": (
        made(activations=["relu", ["softmax", "tanh"]]), "softmax couples", "expected elementwise",
    ),
    "an unknown loss": (
        made(loss="cross-entropy"), "'cross-entropy'", "did you mean 'cross_entropy'",
    ),
    "a loss that is none": (made(loss=len), "given <built-in", "a name (quadratic"),
    "an unknown initializer": (made(initializer="xavier"), "'xavier'", "Known: standard_normal"),
    "an infinite initializer": (made(initializer=INF), "given inf", "a number for a"),
    "a negative seed": (made(seed=-1), "seed is -1", "at least 0, or None"),
    "a fractional seed": (made(seed=1.5), "seed is 1.5", "at least 0, or None"),
    "a text as seed": (made(seed="0"), "seed is '0'", "at least 0, or None"),
    "half precision": (made(dtype="float16"), "dtype is 'float16'", "one of float32, float64"),
    "integers as dtype": (made(dtype=int), "dtype is <class 'int'>", "one of float32, float64"),
    "too few classes": (made(classes=["a"]), "classes has 1 names", "expected 2"),
    "a text as classes": (made(classes="ab"), "classes is 'ab'", "a list of 2 names"),
    "a scaling of another width": (
        made(scaling=cp.Scaling("mine", [0, 0], [1, 1])), "for 2 inputs", "expected 3",
    ),
    "a name as scaling": (made(scaling="standard"), "scaling is 'standard'", "a cp.Scaling"),
    # --- inputs ---
    "a vector": (predict(np.ones(3)), "X has shape (3,)", "for one sample write X[None, :]"),
    "a longer vector": (predict(np.ones(4)), "X has shape (4,)", "two axes, (samples, 3)"),
    "a number": (predict(3.0), "X has shape ()", "two axes, (samples, 3)"),
    "images": (predict(np.ones((4, 3, 3))), "X has shape (4, 3, 3)", "two axes"),
    "too wide": (predict(np.ones((4, 5))), "X has 5 columns", "expected 3, one for each"),
    "no samples": (predict(np.ones((0, 3))), "X is empty (shape (0, 3))", "at least one sample"),
    "an empty list": (predict([]), "X has shape (0,)", "two axes"),
    "a ragged list": (predict([[1, 2, 3], [4, 5]]), "X cannot be read", "a rectangular array"),
    "words": (predict([["a", "b", "c"]]), "X cannot be read as numbers", "a rectangular array"),
    "None": (predict(None), "X has shape ()", "two axes, (samples, 3)"),
    "a hole": (predict([[1, 2, None]]), "X holds nan at row 0, column 2", "finite"),
    "objects": (predict([[1, 2, object()]]), "X cannot be read", "a rectangular array"),
    "a set": (predict({1.0, 2.0, 3.0}), "X cannot be read", "a rectangular array"),
    "complex numbers": (predict(X + 1j), "X has dtype complex128", "expected real numbers"),
    "dates": (predict(X.astype("M8[D]")), "X has dtype datetime64[D]", "expected real numbers"),
    "a NaN": (predict(with_(2, 1, NAN)), "X holds nan at row 2, column 1", "finite"),
    "an infinity": (predict(with_(0, 2, -INF)), "X holds -inf at row 0, column 2", "finite"),
    "too large for float32": (
        lambda: network(dtype="float32").predict(with_(1, 0, 1e39)),
        "X holds 1e+39 at row 1, column 0", "finite in float32",
    ),
    # --- targets ---
    "labels as targets": (backprop(y=[0, 1, 1, 0]), "Y has shape (4,)", "cp.one_hot("),
    "one target for one sample": (
        backprop(X[:1], [0.5, 0.5]), "Y has shape (2,)", "for one sample write Y[None, :]",
    ),
    "targets too wide": (backprop(y=np.ones((4, 3))), "Y has 3 columns", "expected 2, one"),
    "too few targets": (backprop(y=Y[:3]), "Y has 3 rows", "expected 4, one for each"),
    "a NaN among the targets": (backprop(y=Y * NAN), "Y holds nan at row 0, column 0", "finite"),
    "text targets": (backprop(y=[["yes", "no"]] * 4), "Y cannot be read", "a rectangular array"),
    "an unknown keep": (backprop(keep="everything"), "keep is 'everything'", "gradients, all"),
    "a list as keep": (backprop(keep=["all"]), "keep is ['all']", "gradients, all"),
    # --- weights of samples ---
    "too few weights": (
        backprop(sample_weight=[1, 2]), "sample_weight has shape (2,)", "expected (4,)",
    ),
    "weights as a column": (
        backprop(sample_weight=np.ones((4, 1))), "sample_weight has shape (4, 1)", "expected (4,)",
    ),
    "a negative weight": (backprop(sample_weight=[1, 1, -1, 1]), "negative", "finite numbers"),
    "weights of nothing": (backprop(sample_weight=np.zeros(4)), "only zeros", "one of them"),
    "a NaN weight": (backprop(sample_weight=[1, NAN, 1, 1]), "NaN weight", "finite numbers"),
    "words as weights": (backprop(sample_weight=["a"] * 4), "cannot be read", "rectangular"),
    "complex weights": (backprop(sample_weight=np.ones(4) * 1j), "complex128", "real numbers"),
    # --- training ---
    "no pair": (train(X), "the data is a ndarray", "a pair (X, Y)"),
    "three arrays": (train((X, Y, Y)), "the data is a tuple", "a pair (X, Y)"),
    "a mapping": (train({"X": X, "Y": Y}), "the data is a dict", "a pair (X, Y)"),
    "a name as data": (train("xor"), "the data is a str", "a pair (X, Y)"),
    "data of another width": (train((X[:, :2], Y)), "X has 2 columns", "expected 3"),
    "no training data": (train((X[:0], Y[:0])), "X is empty", "at least one sample"),
    "no epochs": (train(epochs=0), "epochs is 0", "a whole number, at least 1"),
    "half an epoch": (train(epochs=0.5), "epochs is 0.5", "a whole number, at least 1"),
    "epochs as bool": (train(epochs=True), "epochs is True", "a whole number, at least 1"),
    "a batch of nothing": (train(batch_size=0), "batch_size is 0", "a whole number, at least 1"),
    "a batch of -1": (train(batch_size=-1), "batch_size is -1", "a whole number, at least 1"),
    "a batch of 2.0": (train(batch_size=2.0), "batch_size is 2.0", "a whole number, at least 1"),
    "a full batch in words": (train(batch_size="all"), "batch_size is 'all'", "a whole number"),
    "an unknown optimizer": (train(optimizer="addam"), "'addam'", "did you mean 'adam'"),
    "an optimizer's class": (train(optimizer=cp.SGD), "given <class", "such as cp.SGD(3.0)"),
    "no learning rate": (lambda: cp.SGD(0), "given 0", "a positive number or a schedule"),
    "a negative rate": (lambda: cp.Adam(-0.1), "given -0.1", "a positive number or a schedule"),
    "a rate that is NaN": (lambda: cp.SGD(NAN), "given nan", "a positive number or a schedule"),
    "a rate in words": (lambda: cp.SGD("0.1"), "given '0.1'", "a positive number or a schedule"),
    "too much momentum": (lambda: cp.Momentum(0.1, 1.5), "momentum is 1.5", "from 0 to below 1"),
    "a seed for training": (train(seed=-3), "seed is -3", "at least 0, or None"),
    "an unknown shuffle": (train(shuffle="yes"), "shuffle is 'yes'", "True, False or a function"),
    "an order too short": (
        lambda: next(train(shuffle=lambda epoch: [0, 1, 2])()), "[0, 1, 2]", "a permutation of 0",
    ),
    "validation data of another width": (
        train(validation_data=(X[:, :1], Y)), "X has 1 columns", "expected 3",
    ),
    "validation data without targets": (
        train(validation_data=X), "the data is a ndarray", "a pair (X, Y)",
    ),
    "a negative penalty": (train(l2=-1), "l2 is -1", "a number of at least 0"),
    "a penalty in words": (train(l1="1"), "l1 is '1'", "a number of at least 0"),
    "an infinite penalty": (train(l2=INF), "l2 is inf", "a number of at least 0"),
    "all neurons dropped": (train(dropout=1), "dropout is 1", "a probability from 0 to below 1"),
    "the output dropped": (train(dropout={3: 0.5}), "layer 3", "layers 1 to 2"),
    "dropout in words": (train(dropout={2: "0.5"}), "is '0.5'", "a probability from 0 to below 1"),
    "clipping to nothing": (train(clip_norm=0), "clip_norm is 0", "a positive number, or None"),
    "clipping below nothing": (train(clip_value=-1), "clip_value is -1", "a positive number"),
    "freezing what is not there": (train(freeze=["bias"]), "freeze names 'bias'", "weights[3]"),
    "freezing the input": (train(freeze=["weights[1]"]), "'weights[1]'", "weights[2], weights[3]"),
    "freezing None": (train(freeze=None), "freeze is None", "a list such as ['biases'"),
    "no patience": (train(early_stopping=0), "patience is 0", "a whole number, at least 1"),
    "patience as bool": (train(early_stopping=True), "is True", "of epochs"),
    "early stopping in words": (train(early_stopping="yes"), "is 'yes'", "cp.EarlyStopping(...)"),
    "a negative min_delta": (lambda: cp.EarlyStopping(3, -1), "min_delta is -1", "at least 0"),
    "keep in training": (train(keep="some"), "keep is 'some'", "one of nothing, gradients, all"),
    "an unknown engine": (train(engine="warp"), "unknown engine 'warp'", "Known: reference"),
    "an engine that is none": (train(engine=3), "an engine is 3", "expected a name (reference"),
    "a list as history": (train(history=[]), "history is []", "a History, or None"),
    "dropout with L-BFGS": (
        train(optimizer="lbfgs", dropout=0.5), "L-BFGS", "no dropout and no clipping with it",
    ),
    # --- evaluating and labels ---
    "evaluating nothing": (lambda: cp.evaluate(network(), None), "NoneType", "a pair (X, Y)"),
    "evaluating a NaN": (
        lambda: cp.evaluate(network(), (X, Y * NAN)), "Y holds nan at row 0, column 0", "finite",
    ),
    "a label too high": (lambda: cp.one_hot([0, 3], 3), "label 3 of sample 1", "0 to 2"),
    "a negative label": (lambda: cp.one_hot([-1], 3), "label -1 of sample 0", "0 to 2"),
    "fractional labels": (lambda: cp.one_hot([0.0], 3), "dtype float64", "one axis of integers"),
    "a column of labels": (lambda: cp.one_hot([[0], [1]], 3), "shape (2, 1)", "one axis of"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_error_of_ours_says_it_all(name):
    call, given, expected = CASES[name]
    with pytest.raises(ClearpropError) as caught:
        call()
    said = str(caught.value)
    kind = UnknownNameError if said.startswith("unknown ") else InputError
    assert type(caught.value) is kind
    assert isinstance(caught.value, ValueError)
    assert given in said
    assert expected in said
    # No other error is shown as its cause: one message is enough.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_there_are_plenty():
    assert len(CASES) >= 40


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"optimizer": "addam"},
        {"l2": -1},
        {"dropout": 2},
        {"freeze": ["bias"]},
        {"early_stopping": 0},
        {"validation_data": X},
        {"sample_weight": [1]},
        {"engine": "warp"},
    ],
    ids=str,
)
def test_a_run_that_is_refused_changes_no_parameter(settings):
    net, untouched = network(), network()
    for start in (cp.train, cp.fit):
        with pytest.raises(InputError):
            start(net, (X, Y), **settings)
    assert np.array_equal(net.parameters, untouched.parameters)
