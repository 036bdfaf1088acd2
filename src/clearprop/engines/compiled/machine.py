"""What the processor offers: the width of its vectors and the number of its vector registers.

Numba compiles for the processor at hand, and the kernels are cut to fit it: how many numbers a
vector holds decides how parameters are laid out, and how many vector registers there are decides
how many sums a matrix product keeps in them at once (:mod:`.kernels`).
"""

import llvmlite.binding as llvm
from numba.core import config, types

__all__ = ["LANES32", "LANES64", "ROWS", "STRIP", "VECTOR_BYTES", "lanes"]

# Processors that Numba may be told to compile for (NUMBA_CPU_NAME) in place of the one at hand.
_AVX2_PROCESSORS = ("haswell", "znver2", "znver3")


def _features():
    """The names of the instruction sets that Numba compiles for."""
    if config.CPU_FEATURES is not None:
        return {f.removeprefix("+") for f in config.CPU_FEATURES.split(",") if f.startswith("+")}
    if config.CPU_NAME is not None and llvm.get_host_cpu_name() != config.CPU_NAME:
        return {"avx", "avx2", "fma"} if config.CPU_NAME in _AVX2_PROCESSORS else set()
    return {name for name, present in llvm.get_host_cpu_features().items() if present}


_FEATURES = _features()

VECTOR_BYTES = 64 if "avx512f" in _FEATURES else 32 if "avx" in _FEATURES else 16
LANES32 = VECTOR_BYTES // 4  # numbers in a vector
LANES64 = VECTOR_BYTES // 8

_MANY_REGISTERS = "avx512f" in _FEATURES or "neon" in _FEATURES  # 32 of them; others have 16
# Rows of a block of sums two vectors wide: 24 registers of 32 (12 of 16), and three more hold the
# two vectors of weights and the number they are multiplied by.
ROWS = 12 if _MANY_REGISTERS else 6
# Rows of weights whose gradient is summed at once, two vectors wide.
STRIP = 8 if _MANY_REGISTERS else 6


def lanes(scalar):
    """How many numbers of a Numba type, float32 or float64, a vector holds."""
    return LANES32 if scalar == types.float32 else LANES64
