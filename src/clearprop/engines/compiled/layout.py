"""Where parameters and activations lie in memory while a network is trained.

The weights of layer l are cut into panels of neurons, two vectors wide (the last one vector wide
where that is enough). A panel holds, for each k of layer l-1 in turn, w_jk of its neurons j: the
forward product and the gradient both read and write it in order. Rows are padded to whole vectors
with zeros, which stay zero. Behind the panels lie the biases, padded likewise.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.engines.compiled import machine

__all__ = ["CACHE_LINE", "Layout", "aligned"]

CACHE_LINE = 64  # bytes


def _up(n: int, to: int) -> int:
    return -(-n // to) * to


class Layout:
    """Where each parameter of a network of these sizes lies.

    Attributes
    ----------
    size : int
        Bytes of a number.
    lanes : int
        Numbers in a vector.
    offsets : list of (int, int)
        For each layer l = 2 … L, where its weights and its biases begin, in numbers.
    total, n_parameters : int
        How many numbers there are, with padding and without.
    """

    def __init__(self, sizes: tuple[int, ...], dtype: str) -> None:
        self.size = np.dtype(dtype).itemsize
        self.lanes = machine.VECTOR_BYTES // self.size
        self.sizes = sizes
        self.offsets: list[tuple[int, int]] = []
        self.n_parameters = at = 0
        for n_in, n_out in pairwise(sizes):
            k_pad, n_pad = self.whole(n_in), self.whole(n_out)
            self.offsets.append((at, at + k_pad * n_pad))
            at += (k_pad + 1) * n_pad
            self.n_parameters += (n_in + 1) * n_out
        self.total = at

    def put(self, flat: NDArray[Any], buffer: NDArray[Any]) -> None:
        """Copy a flat vector of the network, shape (n_parameters,), to its places in a buffer."""
        for part, place in self._pairs(flat, buffer):
            place[...] = part

    def take(self, buffer: NDArray[Any]) -> NDArray[Any]:
        """The flat vector, shape (n_parameters,), out of its places in a buffer."""
        flat = np.empty(self.n_parameters, buffer.dtype)
        for part, place in self._pairs(flat, buffer):
            part[...] = place
        return flat

    def _pairs(
        self, flat: NDArray[Any], buffer: NDArray[Any]
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Views of the same numbers in both: the weights panel by panel, and the biases."""
        start = 0
        for (n_in, n_out), (weights, biases) in zip(
            pairwise(self.sizes), self.offsets, strict=True
        ):
            W = flat[start : start + n_in * n_out].reshape(n_out, n_in)
            start += n_in * n_out
            k_pad, n_pad = self.whole(n_in), self.whole(n_out)
            for first in range(0, n_out, 2 * self.lanes):
                width = min(2 * self.lanes, n_pad - first)
                at = weights + first * k_pad
                panel = buffer[at : at + k_pad * width].reshape(k_pad, width)
                rows = W[first : first + width]
                yield rows, panel[:n_in, : len(rows)].T
            yield flat[start : start + n_out], buffer[biases : biases + n_out]
            start += n_out

    def whole(self, n: int) -> int:
        """n in whole vectors."""
        return _up(n, self.lanes)

    def step(self, n: int) -> int:
        """From one row of a matrix n wide to the next: an odd number of cache lines.

        Rows a power of two apart fall into the same few places of the cache.
        """
        line = max(1, CACHE_LINE // self.size)
        padded = self.whole(n)
        padded = _up(padded, line) if padded > line else padded
        return padded + line if padded > line and padded // line % 2 == 0 else padded


def aligned(n: int, dtype: Any) -> NDArray[Any]:
    """n zeros that begin at a cache line."""
    dtype = np.dtype(dtype)
    raw = np.zeros(n * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + n * dtype.itemsize].view(dtype)
