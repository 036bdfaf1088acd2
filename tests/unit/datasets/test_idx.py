"""The IDX reader: everything that the format can hold, and nothing else."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from clearprop.datasets import idx
from clearprop.errors import DataError

LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1])
IMAGES = bytes([0, 0, 8, 3]) + struct.pack(">III", 2, 1, 2) + bytes([0, 64, 128, 255])


def claiming(*shape, code=8):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@given(data=st.data())
def test_what_was_written_is_read(encode, kind, pack, data):
    shape = data.draw(array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
    written = data.draw(arrays(np.dtype(kind), shape))

    read = idx.decode(idx.unpack(pack(encode(written)), what="it"), what="it", axes=len(shape))

    np.testing.assert_array_equal(read, written, strict=True)
    assert read.dtype.isnative
    assert not read.flags.writeable


def test_a_file_is_read_whether_gzipped_or_not(tmp_path):
    (tmp_path / "plain").write_bytes(IMAGES)
    (tmp_path / "packed").write_bytes(gzip.compress(IMAGES))

    for name in ("plain", "packed"):
        unpacked = idx.unpack(idx.read_bytes(tmp_path / name), what=name)
        images = idx.decode(unpacked, what=name, axes=3)
        np.testing.assert_array_equal(images, [[[0, 64]], [[128, 255]]])


def test_a_gzip_file_of_several_members_is_one_file():
    packed = gzip.compress(LABELS[:5]) + gzip.compress(LABELS[5:])

    assert idx.unpack(packed, what="labels") == LABELS


@pytest.mark.parametrize(
    ("data", "axes", "said"),
    [
        (b"", 1, ["ends inside its header, after 0 bytes"]),
        (LABELS[:3], 1, ["ends inside its header, after 3 bytes"]),
        (IMAGES[:9], 3, ["ends inside its header, after 9 bytes"]),
        (b"PK\3\4" + bytes(40), 1, ["is no IDX file", "50 4b 03 04", "expected 00 00"]),
        (b"\0\0\7\1" + LABELS[4:], 1, ["is no IDX file", "00 00 07 01", "08 09 0b 0c 0d 0e"]),
        (b"\0\0\x08\0", 1, ["is no IDX file", "number of axes"]),
        (LABELS, 3, ["has 1 axes (labels)", "expected 3 (images)", "mixed up"]),
        (IMAGES, 1, ["has 3 axes (images)", "expected 1 (labels)", "mixed up"]),
        (LABELS[:-1], 1, ["has 10 bytes", "expected 11", "cut short"]),
        (LABELS + b"\0", 1, ["12 or more bytes", "expected 11", "longer"]),
        (claiming(2**31, 28, 28) + bytes(784), 3, ["2147483648 × 28 × 28", "1,683,627,180,048"]),
        (claiming(2**32 - 1, 2**32 - 1, 2**32 - 1), 3, ["4294967295 × 4294967295", "cut short"]),
    ],
    ids=["empty", "half a magic number", "half a header", "another format", "unknown numbers",
         "no axes", "labels for images", "images for labels", "a byte less", "a byte more",
         "2**31 rows", "2**96 numbers"],
)  # fmt: skip
def test_bytes_that_are_no_such_file_are_refused(data, axes, said, refuses):
    with refuses(DataError, "the file", *said):
        idx.decode(data, what="the file", axes=axes)


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (gzip.compress(IMAGES)[:-9], ["the gzip stream is damaged or ends early", "get the file"]),
        (gzip.compress(IMAGES)[:12], ["the gzip stream is damaged or ends early"]),
        (gzip.compress(IMAGES)[:-8] + bytes(8), ["the gzip stream is damaged", "CRC"]),
        (b"\x1f\x8b\x08" + bytes(30), ["the gzip stream is damaged"]),
        (gzip.compress(IMAGES) + b"and more", ["the gzip stream is damaged"]),
        (gzip.compress(b""), ["ends inside its header, after 0 bytes"]),
        (gzip.compress(IMAGES[:7]), ["ends inside its header, after 7 bytes"]),
        (gzip.compress(b"<html></html>"), ["is no IDX file", "3c 68 74 6d"]),
        (gzip.compress(claiming(2**31, 28, 28) + bytes(784)), ["2147483648 × 28 × 28", "cannot"]),
    ],
    ids=["no end", "half", "wrong checksum", "no gzip", "more behind", "empty", "half a header",
         "a web page", "2**31 rows"],
)  # fmt: skip
def test_gzipped_bytes_that_are_no_such_file_are_refused(packed, said, refuses):
    with refuses(DataError, "the file", *said):
        idx.decode(idx.unpack(packed, what="the file"), what="the file", axes=3)


def test_a_gzip_bomb_is_unpacked_no_further_than_its_header_says():
    bomb = gzip.compress(claiming(1000) + bytes(50_000_000))

    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="or more bytes; expected 1,008"):
            idx.decode(idx.unpack(bomb, what="labels"), what="labels", axes=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


def test_memory_is_not_set_aside_for_what_a_header_claims():
    # Just below what so many gzipped bytes could hold, so that unpacking is tried.
    packed = gzip.compress(claiming(100_000_000) + np.random.default_rng(0).bytes(100_000))

    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="expected 100,000,008, since its header claims"):
            idx.decode(idx.unpack(packed, what="labels"), what="labels", axes=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000


def test_a_file_that_is_not_there_is_named(tmp_path, refuses):
    with refuses(DataError, "nowhere", "cannot be read", "No such file"):
        idx.read_bytes(tmp_path / "nowhere")


def test_a_file_above_the_limit_is_not_read(tmp_path, refuses, monkeypatch):
    (tmp_path / "labels").write_bytes(LABELS)
    monkeypatch.setattr(idx, "MAX_BYTES", 10)

    with refuses(DataError, "has 11 bytes", "expected at most 10"):
        idx.read_bytes(tmp_path / "labels")
