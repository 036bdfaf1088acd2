"""What the machine can do at most: the floor that no program gets below."""

import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

# Independent sums that hide the latency of an addition and still fit 16 registers.
_SUMS = 12


@dataclass(frozen=True)
class Machine:
    """What was measured.

    Attributes
    ----------
    processor : str
    cores : int
        Those that this process may use.
    peak_one, peak_all : float
        Fused multiply-additions in float32, counted as two, a second: one core, all cores.
    bandwidth_one, bandwidth_all : float
        Bytes a second read from memory.
    """

    processor: str
    cores: int
    peak_one: float
    peak_all: float
    bandwidth_one: float
    bandwidth_all: float

    def floor(self, flops: float, n_bytes: float, *, all_cores: bool) -> float:
        """The seconds below which no program can come: max(flops / peak, bytes / bandwidth)."""
        if all_cores:
            return max(flops / self.peak_all, n_bytes / self.bandwidth_all)
        return max(flops / self.peak_one, n_bytes / self.bandwidth_one)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_seconds() -> float | None:
    """Seconds of work of all processes together since the machine started; None where unknown."""
    for line in _lines("/proc/stat"):
        name, *ticks = line.split()
        if name == "cpu":
            idle = int(ticks[3]) + int(ticks[4])
            return (sum(map(int, ticks[:8])) - idle) / os.sysconf("SC_CLK_TCK")
    return None


def measure(seconds: float = 1.0) -> Machine:
    """The best of several short measurements of each quantity."""
    n = cores()
    data = np.ones(64 * 2**20, np.float32)
    pieces = np.array_split(data, n)
    _multiply_add(1)
    _read(data[:1024])
    return Machine(
        _processor(),
        n,
        _best(seconds, 1, lambda i: _multiply_add(2_000_000), 2_000_000 * _SUMS * _lanes() * 2),
        _best(seconds, n, lambda i: _multiply_add(2_000_000), 2_000_000 * _SUMS * _lanes() * 2),
        _best(seconds, 1, lambda i: _read(data), data.nbytes),
        _best(seconds, n, lambda i: _read(pieces[i]), data.nbytes / n),
    )


def _best(seconds: float, threads: int, work: Callable[[int], Any], amount: float) -> float:
    """The highest rate seen, all threads together."""
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        others = [threading.Thread(target=work, args=(i,)) for i in range(1, threads)]
        started = time.perf_counter()
        for thread in others:
            thread.start()
        work(0)
        for thread in others:
            thread.join()
        best = max(best, threads * amount / (time.perf_counter() - started))
    return best


def _processor() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in _lines("/proc/cpuinfo")
        if line.startswith("model name")
    ]
    return f"{names[0] if names else platform.processor()} ({llvm.get_host_cpu_name()})"


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            return file.readlines()
    except OSError:
        return []


def _lanes() -> int:
    """Numbers of float32 in the widest vector."""
    features = llvm.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx") else 4


@intrinsic
def _chain(typing_context: Any, count: Any) -> Any:
    """``count`` times, each of _SUMS vectors = vector * x + x; in LLVM code, to the letter."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        i64, vector = ir.IntType(64), ir.VectorType(ir.FloatType(), _lanes())
        x = ir.Constant(vector, [0.999] * _lanes())
        before = builder.block
        head, body, after = (builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        i = builder.phi(i64)
        i.add_incoming(ir.Constant(i64, 0), before)
        sums = [builder.phi(vector) for _ in range(_SUMS)]
        for number, one in enumerate(sums):
            one.add_incoming(ir.Constant(vector, [float(number)] * _lanes()), before)
        builder.cbranch(builder.icmp_signed("<", i, arguments[0]), body, after)
        builder.position_at_end(body)
        fused = {"flags": ("contract",)}
        for one in sums:
            one.add_incoming(builder.fadd(builder.fmul(one, x, **fused), x, **fused), body)
        i.add_incoming(builder.add(i, ir.Constant(i64, 1)), body)
        builder.branch(head)
        builder.position_at_end(after)
        total = sums[0]
        for one in sums[1:]:
            total = builder.fadd(total, one)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(types.int64), code


@njit(nogil=True)
def _multiply_add(count: int) -> Any:
    return _chain(count)  # type: ignore[call-arg]


@njit(nogil=True, fastmath=True)
def _read(data: Any) -> Any:
    total = np.float32(0)
    for i in range(len(data)):
        total += data[i]
    return total
