"""Where parameters and activations lie in memory while a network is trained.

The weights of layer l are cut into panels of neurons, two vectors wide (the last one vector wide
where that is enough). A panel holds, for each k of layer l-1 in turn, w_jk of its neurons j: the
forward product and the gradient both read and write it in order. Rows are padded to whole vectors
with zeros, which stay zero. Behind the panels lie the biases, padded likewise.
"""

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
    where : array of int, shape (n_parameters,)
        The place of each parameter of the network's flat vector.
    total : int
        How many numbers there are, padding included.
    """

    def __init__(self, sizes: tuple[int, ...], dtype: str) -> None:
        self.size = np.dtype(dtype).itemsize
        self.lanes = lanes = machine.VECTOR_BYTES // self.size
        self.offsets: list[tuple[int, int]] = []
        where, at = [], 0
        for n_in, n_out in pairwise(sizes):
            k_pad, n_pad = self.whole(n_in), self.whole(n_out)
            self.offsets.append((at, at + k_pad * n_pad))
            j = np.arange(n_out)
            panel, place = np.divmod(j, 2 * lanes)
            width = np.minimum(n_pad - panel * 2 * lanes, 2 * lanes)
            start = at + panel * 2 * lanes * k_pad + place
            where.append((start[:, None] + np.arange(n_in)[None, :] * width[:, None]).ravel())
            where.append(at + k_pad * n_pad + j)
            at += (k_pad + 1) * n_pad
        self.where: NDArray[np.intp] = np.concatenate(where)
        self.total = at

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
