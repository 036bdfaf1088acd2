"""Where results are to go: looked at before any work is done, so that none is done in vain."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from clearprop.errors import InputError

__all__ = ["check_destination"]


def check_destination(option: str, path: Path | None, endings: Sequence[str]) -> None:
    """Raise where a file of this name could not be written later.

    Parameters
    ----------
    option : str
        The option that names the file, for messages.
    path : path, optional
        Nothing is checked where there is none.
    endings : sequence of str
        Those that the name may have.

    Raises
    ------
    InputError
        For another ending, a folder that does not exist or cannot be written to, or a folder of
        that name.

    Examples
    --------
    >>> check_destination("--plot", Path("curves.bmp"), [".png", ".svg"])
    Traceback (most recent call last):
    ...
    clearprop.errors.InputError: --plot is curves.bmp; expected a name that ends in .png, .svg
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise InputError(f"{option} is {path}; expected a name that ends in {', '.join(endings)}")
    if path.is_dir():
        raise InputError(f"{option} is {path}, which is a folder; expected the name of a file")
    try:
        # Permissions, a full or read-only disk: only writing tells.
        with tempfile.TemporaryFile(dir=path.parent) as trial:
            trial.write(b"?")
    except OSError as error:
        raise InputError(
            f"{option} is {path}, but nothing can be written to the folder {path.parent} "
            f"({error.strerror or error}); expected one that exists and that you may write to"
        ) from None
