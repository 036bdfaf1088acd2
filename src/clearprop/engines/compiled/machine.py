"""What the processor offers: the width of its vectors and the number of its vector registers."""

import llvmlite.binding as llvm
from numba.core import config, types


def _features():
    if config.CPU_FEATURES is not None:
        return {f[1:] for f in config.CPU_FEATURES.split(",") if f.startswith("+")}
    if config.CPU_NAME is not None and llvm.get_host_cpu_name() != config.CPU_NAME:
        # only for experiments with NUMBA_CPU_NAME
        return (
            {"avx", "avx2", "fma"} if config.CPU_NAME in ("haswell", "znver2", "znver3") else set()
        )
    return {name for name, on in llvm.get_host_cpu_features().items() if on}


_FEATURES = _features()
VECTOR_BYTES = 64 if "avx512f" in _FEATURES else 32 if "avx" in _FEATURES else 16
REGISTERS = 32 if "avx512f" in _FEATURES or "neon" in _FEATURES else 16
LANES32 = VECTOR_BYTES // 4
LANES64 = VECTOR_BYTES // 8
# Rows of a block of accumulators two vectors wide, beside two vectors and one broadcast number.
ROWS = 12 if REGISTERS == 32 else 6
STRIP = 8 if REGISTERS == 32 else 6


def lanes(dtype):
    return LANES32 if dtype == types.float32 else LANES64
