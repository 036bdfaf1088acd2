"""Every activation of the table: its facts, its derivative, its pullback; and a person's own."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import clearprop as cp
from clearprop.activations import ACTIVATIONS, Activation, by_neuron, get_activation, mixed
from clearprop.errors import InputError, UnknownNameError

ELEMENTWISE = {name: record for name, record in ACTIVATIONS.items() if record.elementwise}
COUPLED = {name: record for name, record in ACTIVATIONS.items() if not record.elementwise}

every_activation = pytest.mark.parametrize("record", ACTIVATIONS.values(), ids=list(ACTIVATIONS))
every_elementwise = pytest.mark.parametrize("record", ELEMENTWISE.values(), ids=list(ELEMENTWISE))
every_coupled = pytest.mark.parametrize("record", COUPLED.values(), ids=list(COUPLED))

# From far left to far right, and finely where something happens; 0 is one of the points.
LINE = np.concatenate(
    [-np.geomspace(1e4, 15, 50), np.linspace(-12, 12, 24001), np.geomspace(15, 1e4, 50)]
)


def slope(record, z):
    """f'(z) of an elementwise activation."""
    return record.df(z, record(z))


def jacobian(record, z):
    """∂a_j/∂z_k at one z of shape (n,), out of the pullback: row j pulls back the unit vector j."""
    n = len(z)
    rows = np.tile(z, (n, 1))
    return record.pullback(rows, record(rows), np.eye(n))


def joints(record):
    """Where differences meet two branches of a definition at once."""
    return record.kinks if record.analytic else {0.0, *record.kinks}


def differences(f, z, h):
    """f'(z) by central differences of order 8, exact for polynomials up to degree 8."""
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    return sum(c * (f(z + k * h) - f(z - k * h)) for k, c in weights.items()) / h


# --- what the table says is true -----------------------------------------------------------------


@every_activation
def test_a_row_is_complete(record):
    assert ACTIVATIONS[record.name] is record
    assert get_activation(record.name) is record
    for latex in (record.latex, record.derivative_latex):
        assert latex
        assert latex.count("{") == latex.count("}")
    assert repr(record) == f"<activation {record.name}>"


@every_elementwise
def test_the_range(record):
    a, (low, high) = record(LINE), record.range
    assert a.min() >= low
    assert a.max() <= high
    assert a.min() == pytest.approx(low, abs=1e-6) if low > -math.inf else a.min() < -50
    assert a.max() == pytest.approx(high, abs=1e-6) if high < math.inf else a.max() > 50


@every_coupled
def test_the_range_of_a_layer(record):
    z = np.concatenate([np.random.default_rng(0).normal(size=(100, 3)), 1e4 * np.eye(3)])
    a = record(z)
    assert (a.min(), a.max()) == record.range


@every_elementwise
def test_the_steepest_slope(record):
    assert np.abs(slope(record, LINE)).max() == pytest.approx(record.steepest, rel=1e-6)


@every_coupled
def test_the_steepest_slope_of_a_layer(record):
    draws = np.random.default_rng(0).normal(size=(100, 2), scale=3)
    # The spectral norm: how much longer an error can get. Two equal neurons pass the most.
    norms = [np.linalg.norm(jacobian(record, z), 2) for z in [*draws, np.zeros(2)]]
    assert max(norms) == pytest.approx(record.steepest)


@every_elementwise
def test_where_it_is_flat(record):
    left, right = record.flat
    shares = np.abs(slope(record, LINE)) / record.steepest
    assert (shares[(left > LINE) | (right < LINE)] < 0.01).all()
    # It is flat no sooner: just inside, or if there is no such side, far out, a slope is left.
    assert shares[left + 0.02 < LINE][0] >= 0.01
    assert shares[right - 0.02 > LINE][-1] >= 0.01


@every_elementwise
def test_its_slope_jumps_at_the_kinks_and_nowhere_else(record):
    fine = np.linspace(-12, 12, 240_002)  # so that 0 lies between two points
    jumps = np.flatnonzero(np.abs(np.diff(slope(record, fine))) > 0.01)
    assert fine[jumps] == pytest.approx(record.kinks, abs=1e-3)


@pytest.mark.parametrize("name", [name for name, f in ACTIVATIONS.items() if f.analytic])
def test_what_is_analytic_takes_a_complex_step(name):
    record = ACTIVATIONS[name]
    # Im f(x + ih)/h has no cancellation: it is f' to the last digit, if f is analytic.
    z = np.random.default_rng(1).normal(size=(50, 3), scale=3)
    direction = np.random.default_rng(2).normal(size=(50, 3))
    derived = record.f(z + 1e-30j * direction).imag / 1e-30
    pulled = [jacobian(record, one) @ d for one, d in zip(z, direction, strict=True)]
    assert np.allclose(derived, pulled, rtol=1e-10, atol=1e-14)


# --- derivatives ---------------------------------------------------------------------------------


@every_elementwise
@given(z=st.floats(-15, 15))
def test_the_derivative_against_differences(record, z):
    h = 0.02
    assume(all(abs(z - joint) > 5 * h for joint in joints(record)))
    found = slope(record, np.array([z]))[0]
    assert found == pytest.approx(differences(record, np.array([z]), h)[0], rel=1e-9, abs=1e-11)


@every_activation
@given(data=st.data(), m=st.integers(1, 3), n=st.integers(1, 4))
def test_the_pullback_is_the_transposed_jacobian(record, data, m, n):
    numbers = npst.arrays(np.float64, (m, n), elements=st.floats(-5, 5, width=32))
    z, g = data.draw(numbers), data.draw(numbers)
    assume(all((np.abs(z - joint) > 0.1).all() for joint in joints(record)))
    pulled = record.pullback(z, record(z), g)
    assert pulled.shape == (m, n)
    for x in range(m):
        # Column k of the Jacobian: how all of a answers to z_k.
        columns = [
            differences(lambda t, x=x, k=k: record(z[x] + t * np.eye(n)[k]), 0.0, 0.01)
            for k in range(n)
        ]
        assert pulled[x] == pytest.approx(np.array(columns) @ g[x], rel=1e-8, abs=1e-9)


@every_coupled
def test_the_jacobian_of_softmax(record):
    z = np.array([0.3, -1.2, 2.0])
    a = np.exp(z) / np.exp(z).sum()
    assert jacobian(record, z) == pytest.approx(np.diag(a) - np.outer(a, a), rel=1e-12)
    assert record(z).sum() == pytest.approx(1, rel=1e-15)
    assert record(z + 1000) == pytest.approx(a, rel=1e-12)


@every_activation
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_far_out_everything_is_finite_and_of_the_dtype_given(record, dtype):
    z = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [88.0, -88.0, 710.0]], dtype)
    a = record(z)
    pulled = record.pullback(z, a, np.ones_like(z))
    assert a.dtype == pulled.dtype == dtype
    assert np.isfinite(a).all()
    assert np.isfinite(pulled).all()
    low, high = record.range
    assert (a >= low).all()
    assert (a <= high).all()


@every_activation
def test_what_comes_out_shares_no_memory_with_z(record):
    z = np.array([[0.5, 1.5]])
    assert not np.shares_memory(record(z), z)


# --- a person's own ------------------------------------------------------------------------------


def test_an_activation_of_ones_own():
    cube = Activation("cube", f=lambda z: z**3, df=lambda z, a: 3 * z**2)
    assert cube.elementwise
    z, g = np.array([[1.0, -2.0]]), np.array([[10.0, 100.0]])
    assert cube(z).tolist() == [[1, -8]]
    assert cube.pullback(z, cube(z), g).tolist() == [[30, 1200]]
    assert get_activation(cube) is cube


def test_one_that_couples_its_neurons():
    norm = Activation(
        "unit",
        f=lambda z: z / np.linalg.norm(z, axis=-1, keepdims=True),
        pullback=lambda z, a, g: (
            (g - a * (a * g).sum(axis=-1, keepdims=True))
            / np.linalg.norm(z, axis=-1, keepdims=True)
        ),
    )
    assert not norm.elementwise
    assert jacobian(norm, np.array([3.0, 4.0])) == pytest.approx(
        np.array([[0.128, -0.096], [-0.096, 0.072]])
    )


def test_from_a_formula():
    pytest.importorskip("sympy")
    bent = Activation.from_formula("bent", "(sqrt(z**2 + 1) - 1)/2 + z")
    z = np.linspace(-3, 3, 7)
    assert bent(z) == pytest.approx((np.sqrt(z**2 + 1) - 1) / 2 + z)
    assert slope(bent, z) == pytest.approx(differences(bent, z, 0.01), rel=1e-9)
    assert bent.formula == "(sqrt(z**2 + 1) - 1)/2 + z"
    assert bent.latex == r"z + \frac{\sqrt{z^{2} + 1}}{2} - \frac{1}{2}"
    assert bent.analytic
    net = cp.Network([2, 3, 1], activations=[bent, "identity"], seed=0)
    assert net.predict([[0.1, 0.2]]).shape == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": ""}, "an activation's name is ''; expected a text"),
        ({"name": None}, "an activation's name is None; expected a text"),
        ({"f": 3}, "f of the activation 'mine' is 3; expected a function"),
        ({"df": "2z"}, "df of the activation 'mine' is '2z'; expected a function"),
        ({"pullback": 1.5}, "pullback of the activation 'mine' is 1.5; expected a function"),
        ({"df": None}, "the activation 'mine' lacks f or its derivative; expected f(z) and df"),
        ({"f": None}, "the activation 'mine' lacks f or its derivative; expected f(z) and df"),
    ],
)
def test_what_is_no_activation(arguments, expected):
    good = {"name": "mine", "f": lambda z: z, "df": lambda z, a: 1 + 0 * z}
    with pytest.raises(InputError) as caught:
        Activation(**{**good, **arguments})
    assert expected in str(caught.value)


def test_an_activation_that_changes_the_shape():
    total = Activation("total", f=lambda z: z.sum(axis=1), df=lambda z, a: 1 + 0 * z)
    with pytest.raises(InputError, match=r"'total' made shape \(3,\) of z with shape \(3, 2\)"):
        total(np.ones((3, 2)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_name_of_the_table_is_taken(name):
    mine = Activation(name, f=lambda z: z, df=lambda z, a: 1 + 0 * z)
    with pytest.raises(InputError, match=f"the name '{name}' belongs to a built-in activation"):
        cp.Network([2, 2], activations=mine)
    with pytest.raises(InputError, match=f"the name '{name}' belongs to a built-in activation"):
        cp.Network([2, 2], activations=[[mine, "tanh"]])


@pytest.mark.parametrize("choice", [3, None, 1.5, {"relu"}])
def test_what_stands_for_no_activation(choice):
    with pytest.raises(InputError, match=r"an activation is a name \(identity, .*; given"):
        get_activation(choice)


def test_an_unknown_name():
    with pytest.raises(UnknownNameError, match="did you mean 'sigmoid'"):
        get_activation("sigmod")


# --- neuron by neuron ----------------------------------------------------------------------------

NAMES = st.lists(st.sampled_from(list(ELEMENTWISE)), min_size=1, max_size=7)


@given(names=NAMES, data=st.data())
def test_in_a_mixed_layer_each_neuron_has_its_own(names, data):
    layer = get_activation(names)
    numbers = npst.arrays(np.float64, (3, len(names)), elements=st.floats(-9, 9))
    z, g = data.draw(numbers), data.draw(numbers)
    a = layer(z)
    pulled = layer.pullback(z, a, g)
    for j, name in enumerate(names):
        alone = ELEMENTWISE[name]
        assert np.array_equal(a[:, j], alone(z[:, j]))
        assert np.array_equal(pulled[:, j], alone.pullback(z[:, j], a[:, j], g[:, j]))


def test_the_facts_of_a_mixed_layer():
    layer = get_activation(["tanh", "relu", "relu", "identity"])
    assert layer.name == "[tanh, relu, relu, identity]"
    assert [part.name for part in layer.parts] == ["tanh", "relu", "relu", "identity"]
    assert layer.range == (-math.inf, math.inf)
    assert layer.steepest == 1
    assert layer.kinks == (0.0,)
    assert not layer.analytic
    assert layer.elementwise
    assert get_activation(["sigmoid", "tanh"]).analytic


def test_each_function_is_called_once_for_all_its_neurons():
    seen = []
    parts = [ACTIVATIONS["tanh"], ACTIVATIONS["relu"], ACTIVATIONS["tanh"]]
    by_neuron(parts, lambda one, z: seen.append((one.name, z.shape)) or one(z), np.ones((2, 3)))
    assert seen == [("tanh", (2, 2)), ("relu", (2, 1))]


@every_coupled
def test_what_couples_neurons_belongs_to_no_single_one(record):
    with pytest.raises(InputError, match=f"{record.name} couples all neurons of its layer"):
        mixed([ACTIVATIONS["tanh"], record])


def test_a_mixed_layer_of_nothing():
    with pytest.raises(InputError, match="one activation for each of its neurons; given none"):
        mixed([])
