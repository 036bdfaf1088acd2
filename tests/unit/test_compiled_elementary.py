"""The vector functions of the compiled engine against NumPy, over the whole range."""

import numpy as np
import pytest
from scipy.special import erf

from clearprop.engines.compiled import cache
from clearprop.engines.compiled.emit import Loop
from clearprop.engines.compiled.layout import aligned
from clearprop.engines.compiled.tracing import NAMESPACE, argument

EXACT = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "erf": erf,
    "sqrt": np.sqrt,
    "sign": np.sign,
}
# In units of the last place, as measured over millions of numbers, rounded up.
ULPS = 3.0


def compiled(name, dtype):
    import ctypes

    bits = np.dtype(dtype).itemsize * 8
    z = argument("z", dtype=dtype)
    loop = Loop({"z": z}, [("a", getattr(NAMESPACE, name)(z))], bits=bits)
    kind = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_int64] * 6)
    function = kind(cache.load(loop, name))

    def apply(x):
        x = np.asarray(x, dtype)
        source, target = aligned(len(x) + 64, dtype), aligned(len(x) + 64, dtype)
        scratch = aligned(4096, dtype)
        source[: len(x)] = x
        addresses = (source.ctypes.data, target.ctypes.data, scratch.ctypes.data)
        flag = function(*addresses, 1, len(x), len(x))
        return target[: len(x)].copy(), flag

    return apply


def samples(name, dtype):
    rng = np.random.default_rng(0)
    spread = np.concatenate(
        [
            rng.uniform(-20, 20, 4000),
            rng.uniform(-1, 1, 4000),
            rng.choice([-1, 1], 2000) * 10.0 ** rng.uniform(-30, 4, 2000),
            [0.0, 1.0, -1.0, 0.5, 1e4, -1e4, 700.0, -700.0],
        ]
    )
    if name in ("log", "sqrt"):
        spread = abs(spread)
    if name == "log1p":
        spread = spread[spread > -1]
    return spread.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXACT)
def test_it_is_right_to_the_last_places(name, dtype):
    x = samples(name, dtype)
    got, _ = compiled(name, dtype)(x)
    with np.errstate(all="ignore"):
        # float32 is judged by float64, which knows better than NumPy's own float32.
        exact = EXACT[name](x.astype(np.float64))
        rounded = exact.astype(dtype)
    finite = np.isfinite(rounded)
    assert np.array_equal(got[~finite], rounded[~finite])
    unit = np.spacing(np.maximum(abs(rounded[finite]), np.finfo(dtype).smallest_normal))
    assert (abs(got[finite].astype(np.float64) - exact[finite]) / unit).max() <= ULPS


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_is_reported(dtype):
    apply = compiled("exp", dtype)
    assert apply([1.0, 2.0])[1] == 0.0
    assert np.isnan(apply([1.0, np.nan])[1])
    assert np.isnan(apply([1.0, 1e4])[1])
