"""A formula, run once on a Traced, becomes a compiled loop that gives NumPy's numbers."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest
import scipy.special

import clearprop as cp
from clearprop import arrays
from clearprop.engines.compiled import cache
from clearprop.engines.compiled.emit import Loop
from clearprop.engines.compiled.layout import Layout, aligned
from clearprop.engines.compiled.plan import trace_formulas
from clearprop.engines.compiled.tracing import CannotTraceError, argument

TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
ROWS, WIDTH = 5, 37


def loop_of(formula, dtype, width=WIDTH, name="a"):
    z = argument("z", width=width, dtype=dtype)
    return Loop({"z": z}, [(name, formula(z))], bits=8 * np.dtype(dtype).itemsize)


def call(loop, z, output_step):
    """The memory of the result, in rows ``output_step`` apart, and what the loop returns."""
    m, n = z.shape
    step = Layout((1, 1), z.dtype).step(n)
    given, result = aligned(m * step + 64, z.dtype), aligned(m * step + 64, z.dtype)
    scratch = aligned(8 * step + 64, z.dtype)
    given[: m * step].reshape(m, step)[:, :n] = z
    # Padding must not be read as if it were a number.
    given[: m * step].reshape(m, step)[:, n:] = np.nan
    function = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_int64] * 6)(cache.load(loop, "a test"))
    addresses = (buffer.ctypes.data for buffer in (given, result, scratch))
    flag = function(*addresses, m, n, step)
    output_step = output_step or step
    return result[: m * output_step].reshape(m, output_step), flag


def compiled(formula, z):
    """The formula's results by a compiled loop."""
    n = z.shape[1]
    result, flag = call(loop_of(formula, z.dtype.name, n), z, None)
    assert flag == 0.0
    assert not result[:, n:].any()
    return result[:, :n]


def log_softmax(z):
    shifted = z - arrays.max_last(z)
    return shifted - arrays.log(arrays.sum_last(arrays.exp(shifted)))


def softmax_of_softmax(z):
    for _ in range(2):
        e = arrays.exp(z - arrays.max_last(z))
        z = e / arrays.sum_last(e)
    return z


def in_helpers(z):
    def square(x):
        return x * x

    total = 0.0
    for weight in (0.5, 0.25, np.float64(0.125), np.float32(2.0), np.array(3.0)):
        total = total + weight * square(z)
    return total


FORMULAS = {
    "cube": lambda z: z**3,
    "high power": lambda z: (z / 4) ** 13,
    "negative power": lambda z: (z * z + 1) ** -2,
    "roots": lambda z: (z * z + 1) ** 0.5 - (z * z + 2) ** -0.5,
    "power 0": lambda z: z**0 + z,
    "number to a power": lambda z: 2**z + np.float64(0.5) ** z,
    "np.power": lambda z: np.power(z, 2),
    "where": lambda z: np.where(z > 0, z, 0.1 * z),
    "where of numbers": lambda z: np.where(z > 0, 1.0, 0.25),
    "where of a number": lambda z: np.where(z, z, 1.0),
    "where of comparisons": lambda z: np.where(z > 0, z < 1, z > -1) * 1.0,
    "arrays.where": lambda z: arrays.where(abs(z) <= 1, z, arrays.sign(z)),
    "clip": lambda z: np.clip(z, -0.5, 1),
    "clip by name": lambda z: np.clip(z, a_min=-0.5, a_max=None) + np.clip(z, None, 0.5),
    "hard tanh": lambda z: arrays.maximum(arrays.minimum(z, 1.0), -1.0),
    "comparisons as numbers": lambda z: (z > 0) * z + (z <= -1) - (z >= 1) / 2,
    "comparison of comparisons": lambda z: z * ((z > 0) == (z < 1)) + (z != 0) + (z == 0),
    "a comparison alone": lambda z: z > 0,
    "logic": lambda z: np.where(((z > -1) & (z < 1)) | ~(z < 2), z, -z),
    "np.logic": lambda z: np.where(np.logical_not(np.logical_or(z < 0, z > 1)), 2.0, z),
    "expit": scipy.special.expit,
    "erf": scipy.special.erf,
    "numpy's functions": lambda z: np.exp(-np.square(z)) + np.log1p(np.abs(z)) + np.tanh(z),
    "hyperbolic": lambda z: np.reciprocal(np.cosh(z)) + np.exp2(z) + np.logaddexp(0, z),
    "order of subtraction": lambda z: 1 - z / (2 - 3 / (4 + z * z)),
    "signs": lambda z: +z - -abs(z),
    "helpers and numpy's numbers": in_helpers,
    "softmax": cp.activations.ACTIVATIONS["softmax"].f,
    "log-softmax": log_softmax,
    "softmax of softmax": softmax_of_softmax,
    "np.sum and np.max": lambda z: (
        z / np.sum(abs(z), axis=-1, keepdims=True) - np.max(z, axis=1, keepdims=True)
    ),
    "sum of a comparison": lambda z: z * arrays.sum_last(z > 0),
    "ones": np.ones_like,
    "zeros": np.zeros_like,
    "a constant": lambda z: np.full_like(z, 0.3),
    "the argument": lambda z: z,
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_compiled_formula_gives_numpys_numbers(name, dtype):
    z = np.random.default_rng(0).normal(0, 1.5, (ROWS, WIDTH)).astype(dtype)
    z[0, :3] = 0.0
    expected = FORMULAS[name](z)
    got = compiled(FORMULAS[name], z)
    np.testing.assert_allclose(got, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["where", "softmax", "sum of a comparison", "ones"])
@pytest.mark.parametrize("width", [1, 8, 16, 17])
def test_rows_of_any_width(name, width):
    z = np.random.default_rng(0).normal(size=(3, width))
    np.testing.assert_allclose(compiled(FORMULAS[name], z), FORMULAS[name](z), rtol=1e-14)


@pytest.mark.parametrize(
    "terms",
    [lambda z: z * z, arrays.sum_last, lambda z: z > 0, np.ones_like],
    ids=["elements", "sums", "comparisons", "ones"],
)
def test_an_output_of_one_number_a_row_is_the_sum_of_its_terms(terms):
    z = np.random.default_rng(0).normal(size=(ROWS, WIDTH))
    result, _ = call(loop_of(terms, "float64", name="C"), z, 1)
    expected = terms(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result, expected, rtol=1e-13)


def test_one_number_a_sample_is_one_a_neuron_where_there_is_one_neuron():
    z = np.random.default_rng(0).normal(size=(ROWS, 1))
    np.testing.assert_array_equal(compiled(arrays.sum_last, z), z)


def test_a_loop_can_be_written_twice():
    loop = loop_of(softmax_of_softmax, "float64")
    assert loop.source("twice") == loop.source("twice")


def in_place(z):
    z[z < 0] = 0
    return z


def loops(z):
    return sum(z)


REFUSED = {
    "branches on the values": lambda z: z if z > 0 else -z,
    "uses .all of its": lambda z: z if (z > 0).all() else -z,
    "uses .any of its": lambda z: z if (z > 0).any() else -z,
    "uses .sum of its": lambda z: z / z.sum(),
    "uses .copy of its": lambda z: z.copy(),
    "uses .astype of its": lambda z: z.astype("float32"),
    "uses .T of its": lambda z: z.T,
    "into a NumPy array": np.asarray,
    "into one number": lambda z: float(z) * z,
    "element by element": loops,
    "how many samples": lambda z: z / len(z),
    "by an index": lambda z: z[:, 0],
    "in place": in_place,
    "calls sinh,": np.sinh,
    "calls maximum.reduce,": lambda z: z - np.maximum.reduce(z),
    "calls exp with out=,": lambda z: np.exp(z, out=z),
    "calls cumsum,": np.cumsum,
    "an array of shape (3,)": lambda z: np.array([1.0, 2.0, 3.0]) * z,
    "combines its argument with str": lambda z: z * "2",
    "combines its argument with NoneType": lambda z: z == None,  # noqa: E711
    "uses & on what": lambda z: z & (z > 0),
    "uses ~ on what": lambda z: ~z,
    "a power that varies": lambda z: z**z,
    "the power 0.3;": lambda z: z**0.3,
    "the power 65;": lambda z: z**65,
    "-2.0 to a power": lambda z: (-2.0) ** z,
    "reduces with sum otherwise": lambda z: z - np.sum(z, axis=0),
    "reduces with max otherwise": lambda z: z - np.max(z),
    "reduces with sum what is": lambda z: z / arrays.sum_last(arrays.sum_last(z)),
    "where() needs two branches": lambda z: np.where(z > 0),
    "one number a sample instead": arrays.max_last,
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_compiled_is_said(why):
    with pytest.raises(CannotTraceError) as caught:
        loop_of(REFUSED[why], "float64")
    assert why in str(caught.value)


def test_what_no_array_has_is_an_attribute_error():
    with pytest.raises(AttributeError, match="colour"):
        argument("z").colour  # noqa: B018


@pytest.mark.parametrize(
    "formula",
    [lambda z: z.colour, lambda z: z @ z, lambda z: 1 / 0],
    ids=["attribute", "operator", "error"],
)
def test_any_other_failure_of_a_formula_is_a_refusal(formula):
    own = cp.Activation("own", f=formula, df=lambda z, a: a)
    net = cp.Network([2, 3, 1], activations=[own, "tanh"], seed=0)
    with pytest.raises(CannotTraceError, match="fails on arrays without numbers"):
        trace_formulas(net.architecture, "float64")


# --- compiled loops on disk ----------------------------------------------------------------------


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Compiled loops go into a folder of the test's own."""
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda _: str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_loaded", {})
    cache.folder.cache_clear()
    yield tmp_path / "cache"
    cache.folder.cache_clear()


def test_the_same_formula_is_compiled_once(own_folder):
    addresses = {cache.load(loop_of(lambda z: z * 3, "float64"), "three") for _ in range(2)}
    assert len(addresses) == 1
    assert len(list(own_folder.rglob("loop_*.py"))) == 1
    cache.load(loop_of(lambda z: z * 4, "float64"), "four")
    cache.load(loop_of(lambda z: z * 3, "float32"), "three")
    assert len(list(own_folder.rglob("loop_*.py"))) == 3


PROCESS = """
import sys
from clearprop.engines.compiled import cache
from clearprop.engines.compiled.emit import Loop
from clearprop.engines.compiled.tracing import argument

cache.platformdirs.user_cache_dir = lambda _: sys.argv[1]
z = argument("z")
cache.load(Loop({"z": z}, [("a", z * 5)], bits=64), "five")
(loop,) = cache._loaded.values()
print(loop.cache_hits)
"""


def test_another_process_loads_it_from_disk(tmp_path):
    hits, files = [], []
    for _ in range(2):
        command = [sys.executable, "-c", PROCESS, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        hits.append(int(done.stdout))
        files.append(sorted(path for path in tmp_path.rglob("*") if path.is_file()))
    assert hits == [0, 1]
    assert any(path.name.startswith("loop_") for path in files[0])
    assert files[0] == files[1]


def test_where_the_cache_cannot_be_written_a_temporary_folder_is_used(
    own_folder, tmp_path, monkeypatch
):
    own_folder.write_text("a file where a folder should be")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(cache.tempfile, "tempdir", str(temporary))
    assert cache.folder().parent == temporary
    z = np.ones((ROWS, WIDTH))
    assert np.array_equal(compiled(lambda z: z * 6, z), z * 6)
    assert len(list(temporary.rglob("loop_*.py"))) == 1
