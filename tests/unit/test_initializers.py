"""How weights and biases start."""

import math

import numpy as np
import pytest

import clearprop as cp
from clearprop.errors import InputError, UnknownNameError
from clearprop.initializers import INITIALIZERS, Initializer, constant, get_initializer

N_OUT, N_IN = 150, 200

# name -> (standard deviation of the weights, that of the biases, largest weight in deviations)
MOMENTS = {
    "standard_normal": (1, 1, math.inf),
    "scaled_normal": (1 / math.sqrt(N_IN), 1, math.inf),
    "xavier_uniform": (math.sqrt(2 / (N_IN + N_OUT)), 0, math.sqrt(3)),
    "xavier_normal": (math.sqrt(2 / (N_IN + N_OUT)), 0, math.inf),
    "he_uniform": (math.sqrt(2 / N_IN), 0, math.sqrt(3)),
    "he_normal": (math.sqrt(2 / N_IN), 0, math.inf),
    "orthogonal": (1 / math.sqrt(N_IN), 0, math.inf),
    "zeros": (0, 0, 0),
}
every_initializer = pytest.mark.parametrize("name", INITIALIZERS)


def drawn(name, seed=0, sizes=(N_IN, N_OUT), dtype="float64"):
    return cp.Network(sizes, initializer=name, seed=seed, dtype=dtype)


@every_initializer
def test_a_row_is_complete(name):
    record = INITIALIZERS[name]
    assert record.name == name
    assert record.summary
    assert get_initializer(name) is record
    rng = np.random.default_rng(0)
    for n_out, n_in in ((1, 1), (3, 1), (1, 4), (2, 5)):
        assert record.weights(rng, n_out, n_in).shape == (n_out, n_in)
        assert record.biases(rng, n_out).shape == (n_out,)


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    # 30,000 weights and 6,000 biases: the bounds are six standard errors or more.
    deviation, of_biases, largest = MOMENTS[name]
    weights = drawn(name).weights[2]
    biases = np.concatenate([drawn(name, seed).biases[2] for seed in range(40)])
    assert weights.std() == pytest.approx(deviation, rel=0.03)
    assert abs(weights.mean()) <= 0.04 * deviation
    assert np.abs(weights).max() <= largest * deviation
    assert biases.std() == pytest.approx(of_biases, rel=0.06)
    assert abs(biases.mean()) <= 0.08 * of_biases


@pytest.mark.parametrize("name", [name for name in MOMENTS if "normal" in name])
def test_normal_ones_are_normal(name):
    deviation, _, _ = MOMENTS[name]
    share = (np.abs(drawn(name).weights[2]) < deviation).mean()
    assert share == pytest.approx(0.6827, abs=0.02)


@pytest.mark.parametrize(("n_in", "n_out"), [(4, 7), (7, 4), (5, 5), (1, 3)])
def test_orthogonal_rows_or_columns(n_in, n_out):
    W = drawn("orthogonal", sizes=(n_in, n_out)).weights[2]
    gram = W.T @ W if n_out >= n_in else W @ W.T
    assert gram == pytest.approx(np.eye(min(n_in, n_out)), abs=1e-14)


def test_an_orthogonal_matrix_favours_no_direction():
    corners = [drawn("orthogonal", seed, (2, 2)).weights[2][0, 0] for seed in range(400)]
    assert np.mean(corners) == pytest.approx(0, abs=0.15)
    assert np.mean(np.square(corners)) == pytest.approx(0.5, abs=0.1)


def test_a_constant():
    for choice in (0.25, np.float32(0.25), constant(0.25)):
        net = cp.Network([3, 2, 1], initializer=choice)
        assert (net.parameters == 0.25).all()
    assert (cp.Network([2, 1], initializer=0).parameters == 0).all()


def test_ones_own():
    mine = Initializer(
        "identity", lambda rng, n_out, n_in: np.eye(n_out, n_in), lambda rng, n_out: -np.ones(n_out)
    )
    net = cp.Network([3, 2], initializer=mine)
    assert net.weights[2].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert net.biases[2].tolist() == [-1, -1]


def test_ones_own_of_a_wrong_shape():
    mine = Initializer("mine", lambda rng, n_out, n_in: np.ones((n_in, n_out)), lambda rng, n: 0)
    with pytest.raises(InputError, match=r"weights\[2\] is given shape \(3, 2\); expected \(2, 3"):
        cp.Network([3, 2], initializer=mine)


@every_initializer
def test_the_same_seed_gives_the_same_numbers(name):
    once, again = drawn(name, 7, (4, 3, 2)), drawn(name, 7, (4, 3, 2))
    assert np.array_equal(once.parameters, again.parameters)


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name != "zeros"])
def test_another_seed_or_none_gives_others(name):
    for other in (8, None):
        assert not np.array_equal(drawn(name, 7).parameters, drawn(name, other).parameters)


@every_initializer
def test_float32_is_the_same_draw_rounded(name):
    single, double = drawn(name, dtype="float32"), drawn(name)
    assert single.parameters.dtype == np.float32
    assert np.array_equal(single.parameters, double.parameters.astype(np.float32))


def test_what_stands_for_no_initializer():
    with pytest.raises(UnknownNameError, match="did you mean 'he_normal'"):
        get_initializer("he_norml")
    for choice in (None, math.nan, math.inf, True, 10**400, [0.5]):
        with pytest.raises(
            InputError, match=r"an initializer is a name \(.*\), a number .*; given"
        ):
            get_initializer(choice)
