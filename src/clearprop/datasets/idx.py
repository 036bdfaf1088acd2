"""The IDX format of MNIST, read strictly.

An IDX file is a header in big-endian integers, then the numbers, row by row:

==========  ====================================================================
bytes 0-1   0
byte 2      what the numbers are, see :data:`DTYPES`
byte 3      the number of axes
then        the length of each axis, four bytes each
then        the numbers, big-endian
==========  ====================================================================

Nothing in a header is believed before it is compared with the bytes that are really there.

Source: http://yann.lecun.com/exdb/mnist/ ("File formats for the MNIST database").
"""

import gzip
import io
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.errors import DataError

__all__ = ["DTYPES", "MAX_BYTES", "decode", "read_bytes", "unpack"]

#: The largest file that is read, packed or unpacked.
MAX_BYTES = 2 * 1024**3

#: What byte 2 of the header says the numbers are.
DTYPES: Mapping[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}

GZIP_MAGIC = b"\x1f\x8b"
# Deflate codes at most 258 bytes in 2 bits (RFC 1951), so it packs no tighter than 1032 : 1.
DEFLATE_LIMIT = 1032
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class _Header:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """Bytes of the header itself."""
        return 4 + 4 * len(self.shape)

    @property
    def total(self) -> int:
        """Bytes of the whole file; Python's integers do not overflow."""
        return self.length + math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{' × '.join(map(str, self.shape))} numbers of {self.dtype.itemsize} bytes"


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file, as they are.

    Raises
    ------
    DataError
        For a file that is missing, unreadable, or larger than :data:`MAX_BYTES`.
    """
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise DataError(
                f"{path} has {size:,} bytes; expected at most {MAX_BYTES:,}: give a smaller file"
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def unpack(data: bytes, *, what: str) -> bytes:
    """The bytes of an IDX file, unpacked if they are gzipped.

    Unpacking stops at the length that the header states, and memory grows with what really comes
    out, so neither a false header nor a gzip bomb costs more than the bytes that are there.

    Parameters
    ----------
    data : bytes
        A whole file. Bytes that are not gzipped are returned as they are.
    what : str
        What messages call the file.

    Raises
    ------
    DataError
        For a truncated or damaged gzip stream, or one that holds less or more than its header says.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    unpacked = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            unpacked += stream.read(4)
            unpacked += stream.read(4 * unpacked[3] if len(unpacked) == 4 else 0)
            header = _header(unpacked, what)
            if header.total > min(MAX_BYTES, DEFLATE_LIMIT * len(data)):
                raise DataError(
                    f"{what}: its header claims {header}, which {len(data):,} gzipped bytes cannot "
                    f"hold (nor is anything above {MAX_BYTES:,} bytes read): the file is damaged; "
                    "get it again"
                )
            # One byte more than expected is enough to notice that there is more.
            while len(unpacked) <= header.total:
                chunk = stream.read(min(CHUNK, header.total + 1 - len(unpacked)))
                if not chunk:
                    break
                unpacked += chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{what}: the gzip stream is damaged or ends early ({error}): get the file again"
        ) from None
    return bytes(unpacked)


def decode(data: bytes, *, what: str, axes: int) -> NDArray[Any]:
    """The array that the bytes of an unpacked IDX file describe.

    Parameters
    ----------
    data : bytes
        The whole file.
    what : str
        What messages call it.
    axes : int
        How many axes it must have.

    Returns
    -------
    array
        Read-only, in the byte order of this machine.

    Raises
    ------
    DataError
        For bytes that are no IDX file, that are fewer or more than the header says, or that have
        another number of axes.

    Examples
    --------
    >>> decode(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes([7, 2, 1]), what="labels", axes=1)
    array([7, 2, 1], dtype=uint8)
    """
    header = _header(data, what)
    if len(header.shape) != axes:
        kinds = {1: " (labels)", 3: " (images)"}
        raise DataError(
            f"{what} has {len(header.shape)} axes{kinds.get(len(header.shape), '')}; expected "
            f"{axes}{kinds.get(axes, '')}: are two files mixed up?"
        )
    if len(data) != header.total:
        few = len(data) < header.total
        raise DataError(
            f"{what} has {len(data):,}{'' if few else ' or more'} bytes; expected "
            f"{header.total:,}, since its header claims {header}: the file is "
            f"{'cut short' if few else 'longer than that'}; get it again"
        )
    array = np.frombuffer(data, dtype=header.dtype, offset=header.length).reshape(header.shape)
    native = array.astype(header.dtype.newbyteorder("="), copy=False)
    native.flags.writeable = False
    return native


def _header(data: bytes | bytearray, what: str) -> _Header:
    magic = data[:4]
    if len(magic) == 4 and (magic[:2] != b"\0\0" or magic[2] not in DTYPES or magic[3] == 0):
        raise DataError(
            f"{what} is no IDX file: it begins with the bytes {magic.hex(' ')}; expected 00 00, "
            f"one of {' '.join(f'{code:02x}' for code in DTYPES)}, and the number of axes"
        )
    if len(magic) < 4 or len(data) < 4 + 4 * magic[3]:
        raise DataError(
            f"{what} ends inside its header, after {len(data)} bytes: the file is cut short; "
            "get it again"
        )
    axes = magic[3]
    shape = np.frombuffer(data, dtype=">u4", count=axes, offset=4)
    return _Header(DTYPES[data[2]], tuple(int(length) for length in shape))
