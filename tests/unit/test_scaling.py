"""Scaling: what it learns, what it does to inputs, and what it refuses."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clearprop.errors import InputError, UnknownNameError
from clearprop.scaling import SCALINGS, Scaling

KINDS = [kind for kind, rule in SCALINGS.items() if rule is not None]

samples = arrays(
    np.float64,
    st.tuples(st.integers(1, 20), st.integers(1, 4)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False),
)


def learn(kind, x):
    scaling = Scaling.learn(kind, x)
    assert scaling is not None
    return scaling


def test_standard_gives_mean_0_and_standard_deviation_1():
    x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 20.0]])

    scaled = learn("standard", x).apply(x)

    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def test_minmax_runs_from_0_to_1():
    x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 20.0]])

    np.testing.assert_array_equal(
        learn("minmax", x).apply(x), [[0, 0], [0.2, 1], [1, 0.5]], strict=True
    )


def test_none_is_no_scaling():
    assert Scaling.learn("none", [[1.0]]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_column_becomes_exactly_0(kind):
    # The mean of 0.1, added up ten times, is not 0.1: rounding must not be blown up into noise.
    x = np.column_stack([np.full(10, 0.1), np.arange(10)])

    scaling = learn(kind, x)

    assert scaling.scale[0] == 1
    assert (scaling.apply(x)[:, 0] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_spread_too_small_for_its_square_counts_as_none(kind):
    x = np.array([[0.0], [5e-324]])

    assert np.isfinite(learn(kind, x).apply(x)).all()


@pytest.mark.parametrize("kind", KINDS)
@given(x=samples)
def test_what_is_learnt_can_always_be_applied(kind, x):
    scaled = learn(kind, x).apply(x)

    assert np.isfinite(scaled).all()
    assert scaled.shape == x.shape


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_result_has_the_dtype_of_x(dtype):
    x = np.array([[1, 2], [3, 5]], dtype=dtype)

    assert learn("standard", x).apply(x).dtype == dtype


@pytest.mark.parametrize(
    "x", [[[3, 1]], np.array([[3, 1]]), np.array([[True, False]])], ids=["list", "int", "bool"]
)
def test_integers_become_float64(x):
    scaled = Scaling("halves", offset=[0, 0], scale=[2, 2]).apply(x)

    np.testing.assert_array_equal(scaled, np.array(x) / 2, strict=True)


def test_torch_tensors_stay_tensors():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra: interop)")
    x = torch.tensor([[51.0, 0.0]], dtype=torch.float32)

    scaled = Scaling("pixels", offset=[0, 0], scale=[255, 255]).apply(x)

    assert isinstance(scaled, torch.Tensor)
    assert scaled.dtype == torch.float32
    np.testing.assert_array_equal(scaled.numpy(), np.array([[51, 0]], dtype="float32") / 255)


def test_jax_arrays_stay_arrays_of_jax():
    jax = pytest.importorskip("jax", reason="JAX is not installed (extra: interop)")
    x = jax.numpy.array([[51.0, 0.0]], dtype="float32")

    scaled = Scaling("pixels", offset=[0, 0], scale=[255, 255]).apply(x)

    assert isinstance(scaled, jax.Array)
    assert scaled.dtype == "float32"
    np.testing.assert_allclose(scaled, [[0.2, 0]], rtol=1e-7)


def test_its_arrays_are_its_own():
    offset = np.zeros(2)
    scaling = Scaling("mine", offset=offset, scale=np.ones(2))

    offset[0] = 7

    assert scaling.offset[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        scaling.offset[0] = 7


def test_equal_numbers_make_equal_scalings():
    one, same = (Scaling("standard", [0, 1], [2, 3]) for _ in range(2))

    assert one == same
    assert hash(one) == hash(same)
    assert one != Scaling("minmax", [0, 1], [2, 3])
    assert one != Scaling("standard", [0, 1], [2, 4])
    assert one != "standard"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("", [0], [1]), ["kind is empty", "such as 'standard'"]),
        (("mine", [0, 0], [1]), ["offset has 2", "scale has 1", "as many"]),
        (("mine", [[0]], [[1]]), ["offset has shape (1, 1)", "one axis"]),
        (("mine", [0, np.nan], [1, 1]), ["offset[1] is nan", "finite"]),
        (("mine", [0], [np.inf]), ["scale[0] is inf", "finite"]),
        (("mine", [0, 0], [1, 0]), ["scale[1] is 0", "above 0"]),
        (("mine", [0], [-2]), ["scale[0] is -2", "above 0"]),
        (("mine", ["a"], [1]), ["offset has dtype <U1", "real numbers"]),
        (("mine", [[0], [0, 1]], [1]), ["offset is no rectangular array"]),
    ],
)
def test_a_scaling_that_cannot_be_is_refused(arguments, said):
    with pytest.raises(InputError) as caught:
        Scaling(*arguments)

    assert all(words in str(caught.value) for words in said), caught.value


@pytest.mark.parametrize(
    ("kind", "x", "error", "said"),
    [
        (
            "standart",
            [[1.0]],
            UnknownNameError,
            ["'standart'", "did you mean 'standard'", "minmax"],
        ),
        ("standard", [1.0, 2.0], InputError, ["shape (2,)", "(samples, inputs)"]),
        ("standard", np.empty((0, 3)), InputError, ["shape (0, 3)", "at least one"]),
        ("minmax", [[1, 2], [np.nan, 4]], InputError, ["nan at row 1, column 0", "finite"]),
        ("minmax", [["a"]], InputError, ["dtype <U1", "real numbers"]),
        ("minmax", [[0, -1e308], [0, 1e308]], InputError, ["-1e+308 to 1e+308 in column 1"]),
        ("standard", [[1e200], [-1e200]], InputError, ["1e+200 in column 0", "larger unit"]),
    ],
)
def test_nothing_is_learnt_from_such_samples(kind, x, error, said):
    with pytest.raises(error) as caught:
        Scaling.learn(kind, x)

    assert all(words in str(caught.value) for words in said), caught.value


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros(2), "x has shape (2,); expected (samples, 2), a column for each input"),
        (np.zeros(2), "for one sample write x[None, :]"),
        (np.zeros((1, 3)), "x has shape (1, 3); expected (samples, 2)"),
        (np.zeros((1, 2), dtype=complex), "x has dtype complex128; expected real numbers"),
        ([["a", "b"]], "x has dtype <U1; expected real numbers"),
    ],
)
def test_it_is_not_applied_to_such_inputs(x, said):
    with pytest.raises(InputError, match=re.escape(said)):
        Scaling("standard", [0, 0], [1, 1]).apply(x)
