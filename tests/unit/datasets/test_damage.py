"""Files damaged anywhere: they are refused with an error of ours, or still read as data."""

import gzip
import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearprop.datasets import idx, load
from clearprop.errors import DataError

TABLE = b'length,width,species\n5.1,"3.5",setosa\n4.9,3.0,virginica\n6.3,3.3,virginica\n'


def archive(save):
    stream = io.BytesIO()
    save(stream, x=np.arange(12.0).reshape(4, 3), y=np.array([0, 1, 0, 1]))
    return stream.getvalue()


FILES = {
    "table.csv": TABLE,
    "table.tsv": TABLE.replace(b",", b"\t"),
    "plain.npz": archive(np.savez),
    "packed.npz": archive(np.savez_compressed),
}


@st.composite
def damaged(draw, data, until=None):
    """The file with a few (of its first) bytes changed, taken out, put in, or its end cut off."""
    data = bytearray(data)
    end = min(len(data), until or len(data))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, end))
        length = draw(st.integers(0, 4))
        data[place : place + length] = draw(st.binary(max_size=4))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(name, data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data.draw(damaged(FILES[name])))

    with suppress(DataError):
        found = load(path, test_fraction=0)

        assert len(found.train) >= 2
        assert np.isfinite(found.train.x).all()


@pytest.mark.parametrize("y", [np.array([0, 1, 0, 1]), np.array(["no", "yes"] * 2)])
@given(data=st.data())
def test_an_archive_with_a_damaged_array_is_read_or_refused(y, data, tmp_path_factory):
    # The archive itself is whole, so that its checksums do not give the damage away.
    path = tmp_path_factory.getbasetemp() / "inner.npz"
    with zipfile.ZipFile(path, "w") as file:
        for name, values in (("x", np.ones((4, 3))), ("y", y)):
            stream = io.BytesIO()
            np.save(stream, values)
            file.writestr(f"{name}.npy", data.draw(damaged(stream.getvalue(), until=200)))

    with suppress(DataError):
        found = load(path, test_fraction=0)

        assert found.train.x.shape == (4, 3)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@given(data=st.data())
def test_a_damaged_idx_file_is_read_or_refused(encode, pack, data):
    whole = pack(encode(np.arange(24, dtype="u1").reshape(4, 3, 2)))
    given = data.draw(damaged(whole))

    with suppress(DataError):
        images = idx.decode(idx.unpack(given, what="images"), what="images", axes=3)

        assert images.ndim == 3
