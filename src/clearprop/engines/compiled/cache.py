"""Compiled loops on disk: the source text is the key.

A loop that was compiled once is loaded from the user's cache by every later process, in a few
milliseconds. The folder holds source text of ours and Numba's own files beside it; deleting it
costs one more compilation.
"""

import hashlib
import os
import sys
import tempfile
import types
from functools import cache
from pathlib import Path
from typing import Any

import numba
import platformdirs

from clearprop.engines.compiled import machine
from clearprop.engines.compiled.emit import Loop
from clearprop.files import write_atomically

__all__ = ["folder", "load"]

_HEADER = '''"""Made by clearprop out of a formula; compiled and cached by Numba."""

from math import inf, nan

from numba import cfunc, float32, float64, intp, njit

from clearprop.engines.compiled.elementary import (
    erf{b} as erf,
    exp{b} as exp,
    expm1{b} as expm1,
    log{b} as log,
    log1p{b} as log1p,
    tanh{b} as tanh,
)
from clearprop.engines.compiled.kernels import add_outer, outer_sums, strip_of
from clearprop.engines.compiled.loop import CHUNK
from clearprop.engines.compiled.vectors import (
    V{b} as VECTOR,
    absolute,
    below,
    first,
    load1_64,
    load1_{b} as load1,
    load{b} as load,
    max_lanes,
    maximum,
    minimum,
    select,
    sign,
    splat,
    sqrt,
    store1_{b} as store1,
    store{b} as store,
    sum_lanes,
)

LANES = VECTOR.lanes
STRIP = {strip}


'''
_loaded: dict[str, Any] = {}


@cache
def folder() -> Path:
    """Where compiled loops are kept: the user's cache, or a temporary folder if it is closed."""
    place = Path(platformdirs.user_cache_dir("clearprop")) / "compiled"
    try:
        place.mkdir(parents=True, exist_ok=True)
        if os.access(place, os.W_OK):
            return place
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="clearprop-compiled-"))


@cache
def _version() -> str:
    """Of the code that loops are compiled with: another one makes another key."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def load(loop: Loop, what: str) -> int:
    """The address of the compiled loop.

    Parameters
    ----------
    loop : Loop
    what : str
        What it computes, for whoever reads the source.
    """
    body, arguments = loop.source(what)
    # In an optimizer's rule a product and a sum may be rounded once; elsewhere NumPy's roundings
    # are kept.
    fast = ', fastmath={"contract"}' if loop.flat else ""
    types_ = ", ".join(["intp"] * len(arguments))
    decorator = f'@cfunc(float64({types_}), cache=True, error_model="numpy"{fast})\n'
    body = body.replace("DECORATOR\n", decorator) if "DECORATOR" in body else decorator + body
    text = _HEADER.format(b=loop.bits, strip=machine.STRIP) + body
    key = hashlib.sha256((_version() + text).encode()).hexdigest()[:24]
    if key not in _loaded:
        path = folder() / f"loop_{key}.py"
        if not path.exists():
            write_atomically(path, text.encode())
        module = types.ModuleType(f"clearprop_loop_{key}")
        module.__file__ = str(path)
        # Numba finds a cached function's module by its name.
        sys.modules[module.__name__] = module
        exec(compile(text, str(path), "exec"), vars(module))
        _loaded[key] = vars(module)["loop"]
    address: int = _loaded[key].address
    return address
