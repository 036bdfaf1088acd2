"""Files to read, a server to download from, and the proof that a refusal leaves nothing behind."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

Refuses = Callable[..., AbstractContextManager[None]]

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def encode_idx(array: np.ndarray) -> bytes:
    """An IDX file as the format is defined, written without a line of the reader."""
    code = IDX_CODES[array.dtype.str[1:]]
    shape = b"".join(length.to_bytes(4, "big") for length in array.shape)
    numbers = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return bytes([0, 0, code, array.ndim]) + shape + numbers


@pytest.fixture(scope="session")
def encode() -> Callable[[np.ndarray], bytes]:
    return encode_idx


@pytest.fixture(scope="session")
def small_files() -> dict[str, bytes]:
    """The four files of a data set in the form of MNIST: 12 and 4 images of 3 × 2 pixels."""
    rng = np.random.default_rng(0)

    def images(count: int) -> bytes:
        return encode_idx(rng.integers(0, 256, (count, 3, 2)).astype("u1"))

    return {
        "train-images-idx3-ubyte": images(12),
        "train-labels-idx1-ubyte": encode_idx((np.arange(12) % 10).astype("u1")),
        "t10k-images-idx3-ubyte": images(4),
        "t10k-labels-idx1-ubyte": encode_idx(np.array([1, 0, 9, 1], dtype="u1")),
    }


@pytest.fixture
def small_mnist(tmp_path: Path, small_files: dict[str, bytes]) -> Path:
    """A folder with these files, two of them gzipped and one of those in the other spelling."""
    folder = tmp_path / "small"
    folder.mkdir()
    for name, data in small_files.items():
        if name.startswith("train"):
            (folder / name).write_bytes(data)
        else:
            (folder / f"{name.replace('-idx', '.idx')}.gz").write_bytes(gzip.compress(data))
    return folder


@pytest.fixture
def refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refuses:
    """``with refuses(error, *words):`` the error is raised, says the words, and leaves no file.

    The current folder is ``tmp_path``, so that a file without a folder would be seen too.
    """
    monkeypatch.chdir(tmp_path)

    @contextmanager
    def check(error: type[Exception], *words: str) -> Iterator[None]:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(error) as caught:
            yield
        assert type(caught.value) is error
        for said in words:
            assert said in str(caught.value)
        assert sorted(tmp_path.rglob("*")) == before

    return check


@dataclass
class Mirror:
    """A server on this machine: what it answers by path, and what it was asked for."""

    url: str
    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 200
    # Added to the length that the answer claims to have: above 0 the connection breaks off.
    overstated: int = 0
    # Set while the server may answer.
    awake: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def make_mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Mirror]]:
    """Start a server; it is stopped when the test ends."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    started: list[tuple[ThreadingHTTPServer, threading.Thread, Mirror]] = []

    def start() -> Mirror:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.awake.wait(10)
                file = self.path.removeprefix("/mnist/")
                mirror.asked.append(file)
                body = mirror.answers.get(file, b"")
                status = mirror.status if file in mirror.answers else 404
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) + mirror.overstated))
                # A reader that has had enough hangs up; that is its right.
                with suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        mirror = Mirror(f"http://127.0.0.1:{server.server_port}/mnist/")
        mirror.awake.set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread, mirror))
        return mirror

    yield start
    for server, thread, mirror in started:
        mirror.awake.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def dead_url() -> str:
    """A mirror where nobody answers: the port was free a moment ago."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_port}/mnist/"
