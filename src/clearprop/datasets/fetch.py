"""Downloads: from several mirrors, checked before anything reaches the disk."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clearprop.errors import DataError, DownloadError
from clearprop.files import write_atomically

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["fetch"]

#: Seconds to wait for a connection, and for the next bytes of an answer.
TIMEOUT = (10, 30)

CHUNK = 64 * 1024


def fetch(
    files: Sequence[str],
    folder: Path,
    *,
    mirrors: Sequence[str],
    check: Callable[[str, bytes], object],
    max_bytes: int,
    advice: str,
) -> None:
    """Download files into a folder, each from the first mirror that has it as it should be.

    A file is held in memory until ``check`` has passed, and then written whole, so a broken
    download leaves nothing behind. Where standard error is a terminal, a progress bar is drawn
    there.

    Parameters
    ----------
    files : sequence of str
        Names, both below each mirror and in the folder.
    folder : Path
        Made if it is not there.
    mirrors : sequence of str
        URLs that end in "/". One that failed is asked last from then on.
    check : callable
        ``check(file, data)`` raises :class:`DataError` for bytes that are not that file.
    max_bytes : int
        The longest answer that is read.
    advice : str
        What to do instead, for the error message.

    Raises
    ------
    DownloadError
        Where no mirror gives a file as it should be; it names them all, and why.
    DataError
        Where the folder cannot be written.
    """
    order = list(mirrors)
    with _progress() as progress:
        for file in files:
            failures = {}
            for mirror in tuple(order):
                try:
                    data = _get(mirror + file, _Bar(progress, file), max_bytes)
                    check(file, data)
                except (OSError, DataError) as error:  # every error of requests is an OSError
                    failures[mirror] = _reason(error)
                    order.remove(mirror)
                    order.append(mirror)
                else:
                    _store(folder / file, data)
                    break
            else:
                raise _no_mirror(file, failures, advice)


def _get(url: str, bar: "_Bar", max_bytes: int) -> bytes:
    import pooch

    answer = _Answer(max_bytes)
    download = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)
    try:
        download(url, answer, None)
    finally:
        bar.close()
    return bytes(answer.data)


def _store(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise DataError(
            f"{path} was downloaded but cannot be written: {error.strerror or error}. Make "
            f"{path.parent} writable, or name another cache folder in XDG_CACHE_HOME"
        ) from None


def _reason(error: Exception) -> str:
    """Why a mirror failed, in a few words; the texts of requests name its internals."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answered {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)


def _no_mirror(file: str, failures: Mapping[str, str], advice: str) -> DownloadError:
    tried = "; ".join(f"{mirror}: {reason}" for mirror, reason in failures.items())
    return DownloadError(f"{file} could not be downloaded ({tried}). {advice}")


class _Answer:
    """The file, as far as pooch knows, that it writes a download into; it grows only so far."""

    def __init__(self, max_bytes: int) -> None:
        self.data = bytearray()
        self.max_bytes = max_bytes

    def write(self, chunk: bytes) -> None:
        if len(self.data) + len(chunk) > self.max_bytes:
            raise DataError(f"it sent more than {self.max_bytes:,} bytes")
        self.data += chunk

    def flush(self) -> None:
        """Nothing is held back."""


@contextmanager
def _progress() -> "Iterator[Progress]":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield progress


class _Bar:
    """A Rich bar that answers to the names by which pooch calls a progress bar."""

    def __init__(self, progress: "Progress", file: str) -> None:
        self._progress = progress
        self._task = progress.add_task(file, total=None)

    @property
    def total(self) -> float | None:
        return self._progress.tasks[self._task].total

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.update(self._task, visible=False)
