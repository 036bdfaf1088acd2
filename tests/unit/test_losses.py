"""Every loss of the table: its gradient, its facts, its fused pairs; and a person's own."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import clearprop as cp
from clearprop.activations import ACTIVATIONS
from clearprop.equations import bp1, loss_terms, output_error
from clearprop.errors import InputError, UnknownNameError
from clearprop.losses import LOSSES, Loss, get_loss

FUSED = [(loss, name) for loss in LOSSES.values() for name in loss.fused]

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
every_pair = pytest.mark.parametrize(
    ("loss", "activation"), FUSED, ids=[f"{loss.name}-{name}" for loss, name in FUSED]
)


def rows(low, high, shape=(2, 3)):
    return npst.arrays(np.float64, shape, elements=st.floats(low, high))


def outputs(loss):
    """Outputs well inside the domain of a loss."""
    low, high = loss.domain
    return rows(max(low + 0.1, -3.0), min(high - 0.1, 3.0))


@every_loss
def test_a_row_is_complete(loss):
    assert LOSSES[loss.name] is loss
    assert get_loss(loss.name) is loss
    assert set(loss.fused) <= set(ACTIVATIONS)
    for latex in (loss.latex, loss.gradient_latex, *(pair.latex for pair in loss.fused.values())):
        assert latex
        assert latex.count("{") == latex.count("}")
    assert repr(loss) == f"<loss {loss.name}>"


@every_loss
@given(data=st.data())
def test_the_gradient_against_differences(loss, data):
    a, y = data.draw(outputs(loss)), data.draw(rows(0, 1))
    h = 0.002
    if not loss.analytic:  # |a - y| is where branches meet
        distance = np.abs(a - y)
        assume((distance > 5 * h).all() and (np.abs(distance - 1) > 5 * h).all())
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    found = loss.gradient(a, y)
    for j in range(a.shape[1]):
        e = h * np.eye(a.shape[1])[j]
        differences = sum(
            c * (loss.value(a + k * e, y) - loss.value(a - k * e, y)).sum(axis=1)
            for k, c in weights.items()
        )
        assert found[:, j] == pytest.approx(differences / h, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.analytic])
def test_what_is_analytic_takes_a_complex_step(name):
    loss, rng = LOSSES[name], np.random.default_rng(0)
    a, y = rng.uniform(0.1, 0.9, (20, 3)), rng.uniform(0, 1, (20, 3))
    # Term by term: y and 1 - y are not complex, and neither is the way that logarithms go on.
    derived = (loss.value(a + 1e-30j, y)).imag / 1e-30
    assert np.allclose(derived, loss.gradient(a, y), rtol=1e-10, atol=1e-14)


@every_loss
def test_its_gradient_jumps_where_it_says_so(loss):
    a = np.linspace(0.15, 0.85, 10_002)[:, None]
    jumps = np.abs(np.diff(loss.gradient(a, np.full_like(a, 0.5)), axis=0)) > 0.05
    assert jumps.any() == loss.kinks


@every_loss
@given(data=st.data())
def test_a_separable_loss_looks_at_each_output_alone(loss, data):
    assert loss.separable  # of the built-in ones, all are
    a, y, other = data.draw(outputs(loss)), data.draw(rows(0, 1)), data.draw(outputs(loss))
    changed = a.copy()
    changed[:, 1:] = other[:, 1:]
    assert np.array_equal(loss.value(a, y)[:, 0], loss.value(changed, y)[:, 0])
    assert np.array_equal(loss.gradient(a, y)[:, 0], loss.gradient(changed, y)[:, 0])


@pytest.mark.parametrize(
    ("name", "a", "y", "value", "gradient"),
    [
        ("quadratic", 0.75, 1.0, 0.03125, -0.25),
        ("absolute", 0.75, 1.0, 0.25, -1.0),
        ("absolute", 0.5, 0.5, 0.0, 0.0),
        ("huber", 0.5, 1.0, 0.125, -0.5),
        ("huber", 3.0, 0.0, 2.5, 1.0),
        ("huber", -3.0, 0.0, 2.5, -1.0),
        ("cross_entropy", 0.25, 1.0, math.log(4), -4.0),
        ("cross_entropy", 0.25, 0.0, 0.0, 0.0),
        ("binary_cross_entropy", 0.25, 1.0, math.log(4), -4.0),
        ("binary_cross_entropy", 0.25, 0.0, math.log(4 / 3), 4 / 3),
        ("binary_cross_entropy", 0.5, 0.5, math.log(2), 0.0),
    ],
)
def test_values_by_hand(name, a, y, value, gradient):
    a, y = np.array([[a]]), np.array([[y]])
    assert LOSSES[name].value(a, y).item() == pytest.approx(value, rel=1e-15, abs=1e-16)
    assert LOSSES[name].gradient(a, y).item() == pytest.approx(gradient, rel=1e-15, abs=1e-16)


# --- beyond the domain ---------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_output_gives_anything_infinite(loss, dtype):
    a = np.array([[0.0, 1.0, -1.0, 2.0, 1e-30, 1 - 1e-7, 1e4, -1e4]], dtype)
    for y in (np.zeros_like(a), np.ones_like(a), np.full_like(a, 0.5)):
        assert np.isfinite(loss.value(a, y)).all()
        assert np.isfinite(loss.gradient(a, y)).all()
        assert loss.value(a, y).dtype == loss.gradient(a, y).dtype == dtype


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy"])
def test_the_logarithm_goes_on_as_its_tangent(name):
    # Value and gradient fit together on both sides of the smallest probability, and point back in.
    loss, e = LOSSES[name], math.sqrt(np.finfo(np.float64).tiny)
    a = np.array([[-3 * e, -e, 0.0, e / 2, e]])
    y = np.ones_like(a)
    assert loss.gradient(a, y) == pytest.approx(np.full_like(a, -1 / e))
    slopes = np.diff(loss.value(a, y)) / np.diff(a)
    assert slopes == pytest.approx(np.full((1, 4), -1 / e), rel=1e-9)


# --- fused pairs ---------------------------------------------------------------------------------


@every_pair
@given(data=st.data())
def test_a_fused_pair_is_the_unfused_one_where_nothing_is_saturated(loss, activation, data):
    f = ACTIVATIONS[activation]
    z, y = data.draw(rows(-3, 3)), data.draw(rows(0, 1))
    a = f(z)
    value, delta = loss_terms(loss, f, z, a, y), output_error(loss, f, z, a, y)
    assert value == pytest.approx(loss.value(a, y), rel=1e-12, abs=1e-12)
    assert delta == pytest.approx(bp1(f, z, a, loss.gradient(a, y)), rel=1e-11, abs=1e-12)


@every_pair
@pytest.mark.parametrize("size", [1e4, 700.0, 40.0, 20.0])
def test_a_saturated_output_still_has_its_error(loss, activation, size):
    # δ is what a small step in z changes of the loss.
    f = ACTIVATIONS[activation]
    rng = np.random.default_rng(0)
    z = size * rng.choice([-1.0, 1.0], (30, 3)) * rng.uniform(0.9, 1, (30, 3))
    y = rng.choice([0.0, 1.0], (30, 3))
    # On the side where the output leaves the domain, the logarithm is not that of a probability.
    if f.range[0] < loss.domain[0]:
        z = abs(z)
    if f.range[1] > loss.domain[1]:
        z = -abs(z)
    h = 1e-4

    def cost(z):
        return loss_terms(loss, f, z, f(z), y)

    delta = output_error(loss, f, z, f(z), y)
    assert np.isfinite(cost(z)).all()
    for j in range(3):
        e = h * np.eye(3)[j]
        slope = (cost(z + e).sum(axis=1) - cost(z - e).sum(axis=1)) / (2 * h)
        assert delta[:, j] == pytest.approx(slope, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(
    ("loss", "activation", "z", "y", "value", "delta"),
    [
        # By hand: -log σ(-1000) = 1000 and so on; the unfused numbers would be infinite, or 0.
        ("binary_cross_entropy", "sigmoid", [-1000.0], [1.0], [1000.0], [-1.0]),
        ("binary_cross_entropy", "sigmoid", [1000.0], [0.0], [1000.0], [1.0]),
        ("cross_entropy", "sigmoid", [-1000.0], [1.0], [1000.0], [-1.0]),
        ("cross_entropy", "softmax", [0.0, 1000.0], [1.0, 0.0], [1000.0, 0.0], [-1.0, 1.0]),
        ("cross_entropy", "softplus", [-1000.0], [1.0], [1000.0], [-1.0]),
        (
            "binary_cross_entropy",
            "softmax",
            [0.0, 1000.0],
            [1.0, 0.0],
            [1000.0, 1000.0],
            [-2.0, 2.0],
        ),
    ],
)
def test_saturated_values_by_hand(loss, activation, z, y, value, delta):
    loss, f, z, y = LOSSES[loss], ACTIVATIONS[activation], np.array([z]), np.array([y])
    assert loss_terms(loss, f, z, f(z), y)[0] == pytest.approx(value)
    assert output_error(loss, f, z, f(z), y)[0] == pytest.approx(delta)


def test_neurons_of_a_mixed_layer_are_fused_one_by_one():
    loss = LOSSES["binary_cross_entropy"]
    f = cp.activations.get_activation(["sigmoid", "identity", "sigmoid"])
    z, y = np.array([[-1000.0, 0.25, 2.0]]), np.array([[1.0, 1.0, 0.0]])
    a = f(z)
    assert output_error(loss, f, z, a, y)[0] == pytest.approx([-1, -4, a[0, 2]])
    assert loss_terms(loss, f, z, a, y)[0] == pytest.approx(
        [1000, math.log(4), math.log(1 + math.exp(2))]
    )


# --- a person's own ------------------------------------------------------------------------------


def test_a_loss_of_ones_own():
    fourth = Loss("fourth", lambda a, y: (a - y) ** 4, lambda a, y: 4 * (a - y) ** 3)
    net = cp.Network([1, 1], activations="identity", loss=fourth, initializer=1.0)
    trace = net.backprop([[1.0]], [[0.0]])  # z = a = 2
    assert trace.loss == 16
    assert trace.delta[2].tolist() == [[32]]


def test_a_loss_that_couples_the_outputs():
    # C_x = (Σ_j a_j - y_j)², as one column
    coupled = Loss(
        "total",
        lambda a, y: (a - y).sum(axis=1, keepdims=True) ** 2,
        lambda a, y: 2 * (a - y).sum(axis=1, keepdims=True) + 0 * a,
        separable=False,
    )
    net = cp.Network([2, 3], activations=[["tanh", "identity", "sigmoid"]], loss=coupled, seed=1)
    X, Y, h = [[0.5, -1.0]], [[0.1, 0.2, 0.3]], 1e-5
    gradient = net.backprop(X, Y).gradient
    for i in range(net.n_parameters):
        there, back = net.copy(), net.copy()
        there.parameters[i] += h
        back.parameters[i] -= h
        slope = (there.backprop(X, Y).loss - back.backprop(X, Y).loss) / (2 * h)
        assert gradient[i] == pytest.approx(slope, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": ""}, "a loss's name is ''; expected a text"),
        ({"name": 5}, "a loss's name is 5; expected a text"),
        ({"value": None}, "value of the loss 'mine' is None; expected a function"),
        ({"gradient": 2}, "gradient of the loss 'mine' is 2; expected a function"),
    ],
)
def test_what_is_no_loss(arguments, expected):
    good = {"name": "mine", "value": lambda a, y: a, "gradient": lambda a, y: a}
    with pytest.raises(InputError) as caught:
        Loss(**{**good, **arguments})
    assert str(caught.value) == expected


@pytest.mark.parametrize("name", LOSSES)
def test_a_name_of_the_table_is_taken(name):
    mine = Loss(name, lambda a, y: a, lambda a, y: a)
    with pytest.raises(InputError, match=f"the name '{name}' belongs to a built-in loss"):
        cp.Network([2, 2], loss=mine)


def test_what_stands_for_no_loss():
    with pytest.raises(UnknownNameError, match="did you mean 'quadratic'"):
        get_loss("quadratik")
    for choice in (None, 3, ["quadratic"]):
        with pytest.raises(InputError, match=r"a loss is a name \(quadratic, .*; given"):
            get_loss(choice)
