"""The elementary functions, in every array library, and the reading of batches."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from clearprop import arrays
from clearprop.errors import InputError

Z = np.array([[-2.0, -0.5, 0.0], [0.25, 1.0, 3.0]])
P = np.array([[0.1, 0.5, 1.0], [2.0, 3.0, 4.0]])

# name -> (argument, the same by other means)
ELEMENTARY = {
    "exp": (Z, np.exp(Z)),
    "expm1": (Z, np.expm1(Z)),
    "log": (P, np.log(P)),
    "log1p": (P, np.log1p(P)),
    "sqrt": (P, np.sqrt(P)),
    "tanh": (Z, np.tanh(Z)),
    "sign": (Z, np.sign(Z)),
    "erf": (Z, np.vectorize(math.erf)(Z)),
    "max_last": (Z, Z.max(axis=1, keepdims=True)),
    "sum_last": (Z, Z.sum(axis=1, keepdims=True)),
    "sum_first": (Z, Z.sum(axis=0)),
}
BINARY = {
    "maximum": lambda z: (arrays.maximum(z, 0.5), np.maximum(Z, 0.5)),
    "minimum": lambda z: (arrays.minimum(z, 0.5), np.minimum(Z, 0.5)),
    "maximum of two": lambda z: (arrays.maximum(z, -z), np.abs(Z)),
    "where": lambda z: (arrays.where(z > 0, z, 0.0), np.maximum(Z, 0)),
    "where, the other way": lambda z: (arrays.where(z > 0, 1.0, z), np.where(Z > 0, 1, Z)),
    "columns": lambda z: (arrays.take_columns(z, [2, 0]), Z[:, [2, 0]]),
    "rows": lambda z: (arrays.take_rows(z, np.array([1, 0])), Z[::-1]),
    "beside": lambda z: (arrays.concat_columns([z, z]), np.hstack([Z, Z])),
    "flat": lambda z: (arrays.concat_flat([z, z[0, :]]), np.append(Z.ravel(), Z[0])),
}


def from_numpy(value):
    return value


def from_torch(value):
    return pytest.importorskip("torch").asarray(np.array(value))


def from_jax(value):
    return pytest.importorskip("jax.numpy").asarray(value)


every_library = pytest.mark.parametrize("library", [from_numpy, from_torch, from_jax])
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def digits(dtype, library):
    single = dtype == np.float32 or library is from_jax  # JAX computes in float32 unless told
    return 3e-6 if single else 1e-14


@every_library
@every_dtype
@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_functions(name, library, dtype):
    argument, expected = ELEMENTARY[name]
    argument = library(argument.astype(dtype))
    found = getattr(arrays, name)(argument)
    assert type(found) is type(argument)
    assert found.dtype == argument.dtype
    assert np.allclose(arrays.as_numpy(found), expected, rtol=digits(dtype, library), atol=1e-7)


@every_library
@every_dtype
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two(name, library, dtype):
    argument = library(Z.astype(dtype))
    found, expected = BINARY[name](argument)
    assert type(found) is type(argument)
    assert found.dtype == argument.dtype
    assert np.allclose(arrays.as_numpy(found), expected, rtol=digits(dtype, library))


def test_the_exponential_of_much_is_infinite_without_a_warning():
    assert arrays.exp(np.array([1e4, -1e4])).tolist() == [math.inf, 0.0]


def test_where_needs_an_array_to_take_after():
    with pytest.raises(InputError, match="needs an array"):
        arrays.where(np.array([True]), 1.0, 0.0)


@every_library
@every_dtype
def test_the_root_of_the_smallest_number(library, dtype):
    root = arrays.tiny_root(library(np.ones(1, dtype)))
    if library is not from_jax:
        assert root**2 == pytest.approx(np.finfo(dtype).tiny)
    assert 0 < root < 1e-18


@every_library
def test_finite(library):
    assert arrays.all_finite(library(Z))
    for bad in (math.nan, math.inf, -math.inf):
        assert not arrays.all_finite(library(np.array([0.0, bad])))


@every_library
def test_a_copy_shares_no_memory(library):
    original = library(Z.copy())
    copy = arrays.copied(original)
    assert np.array_equal(arrays.as_numpy(copy), Z.astype(str(copy.dtype).split(".")[-1]))
    if library is not from_jax:  # JAX's arrays cannot be written to in the first place
        original[0, 0] = 99
        assert copy[0, 0] == -2


def test_a_copy_has_no_history_of_gradients():
    torch = pytest.importorskip("torch")
    x = torch.ones(2, requires_grad=True)
    assert not arrays.copied(2 * x).requires_grad
    assert arrays.as_numpy(2 * x).tolist() == [2, 2]


@every_library
def test_an_array_takes_after_another(library):
    like = library(np.zeros(2, np.float32))
    made = arrays.asarray_like(np.array([1.0, 2.0]), like)
    assert type(made) is type(like)
    assert made.dtype == like.dtype


def test_a_read_only_array_becomes_a_tensor_without_a_warning():
    torch = pytest.importorskip("torch")
    value = np.ones(2)
    value.flags.writeable = False
    assert arrays.asarray_like(value, torch.zeros(1)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("value", "number", "whole"),
    [
        (3, True, True),
        (0.5, True, False),
        (3.0, True, False),
        (np.int8(2), True, True),
        (np.float32(0.5), True, False),
        (True, False, False),
        (np.True_, False, False),
        (math.nan, False, False),
        (math.inf, False, False),
        (10**400, False, False),
        ("3", False, False),
        (None, False, False),
        (1j, False, False),
        ([1], False, False),
        (np.ones(1), False, False),
    ],
)
def test_what_is_a_number(value, number, whole):
    assert arrays.is_number(value) is number
    assert arrays.is_whole_number(value) is whole


# --- batches -------------------------------------------------------------------------------------


def batch(value, dtype="float64", **settings):
    return arrays.as_batch(value, name="X", width=2, dtype=dtype, **settings)


@given(
    npst.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_, np.float16]),
        st.tuples(st.integers(1, 4), st.just(2)),
        elements={"min_value": 0, "max_value": 1},
    )
)
def test_every_real_dtype_becomes_the_networks(value):
    for dtype in ("float32", "float64"):
        read = batch(value, dtype)
        assert read.dtype == dtype
        assert np.array_equal(read, value.astype(dtype))


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        [np.array([1, 2]), np.array([3, 4])],
        np.array([[1, 2], [3, 4]], dtype=object),
        [["1", "2"], ["3", "4.0"]],
        np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
    ],
)
def test_whatever_numpy_can_read_is_a_batch(value):
    assert batch(value).tolist() == [[1, 2], [3, 4]]


@every_library
def test_an_array_keeps_its_library(library):
    value = library(np.ones((3, 2), np.float32))
    read = batch(value, "float32")
    assert type(read) is type(value)
    assert read.shape == (3, 2)


def test_a_tensor_of_integers_or_complex_numbers():
    torch = pytest.importorskip("torch")
    assert batch(torch.ones(1, 2, dtype=torch.int64)).dtype == torch.float64
    with pytest.raises(InputError, match=r"dtype torch.complex64; expected real numbers"):
        batch(torch.ones(1, 2, dtype=torch.complex64))


@every_library
def test_the_place_of_a_nan_is_named(library):
    with pytest.raises(InputError, match="holds nan at row 1, column 0; expected numbers"):
        batch(library(np.array([[1.0, 2.0], [math.nan, 4.0]])), "float32")


def test_a_number_too_large_for_float32_is_named_as_it_was_given():
    with pytest.raises(InputError, match=r"holds 1e\+300 at row 0, column 1; .* in float32"):
        batch([[0.0, 1e300]], "float32")
