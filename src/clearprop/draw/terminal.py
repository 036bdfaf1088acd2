"""What a terminal can show: images in characters, and tables as wide as it is."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.errors import InputError
from clearprop.network import Network

__all__ = ["can_show", "confusions", "gallery", "image", "layers", "table"]

Grey: TypeAlias = NDArray[np.floating[Any]]

# A character is about twice as high as wide, so that it stands for two pixels, one above the other.
# Each of these has ink for its upper and for its lower pixel, from 0 to 1.
Glyphs: TypeAlias = dict[str, tuple[float, float]]
BLOCKS: Glyphs = {
    " ": (0.0, 0.0),
    "░": (0.25, 0.25),
    "▒": (0.5, 0.5),
    "▓": (0.75, 0.75),
    "█": (1.0, 1.0),
    "▀": (1.0, 0.0),
    "▄": (0.0, 1.0),
}
ASCII: Glyphs = {glyph: (level / 9, level / 9) for level, glyph in enumerate(" .:-=+*#%@")}

# Images that are not wider than this are drawn at twice their size.
SMALL = 14
GAP = 3

# More classes than this make a matrix that nobody reads.
MOST_CLASSES = 30


def can_show(encoding: str | None) -> bool:
    """Whether a stream of this encoding can show the block characters.

    Examples
    --------
    >>> can_show("utf-8"), can_show("ascii"), can_show(None)
    (True, False, False)
    """
    try:
        "".join(BLOCKS).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def image(pixels: ArrayLike, *, blocks: bool = True, width: int = 80) -> list[str]:
    """A grey image as lines of characters: 0 is empty and 1 is full.

    Parameters
    ----------
    pixels : array_like of shape (height, w)
        From 0 to 1.
    blocks : bool
        Whether to use block characters; else plain ASCII.
    width : int
        How many characters a line may have. A wider image is shrunk to fit.

    Returns
    -------
    list of str
        Lines of equal length.

    Raises
    ------
    InputError
        For another rank, or no pixels.

    Examples
    --------
    >>> image([[0, 0.5], [1, 1]])
    ['  ▒▒', '████']
    >>> image([[0, 0.5], [1, 1]], blocks=False)
    ['  ==', '@@@@']
    """
    array: Grey = np.asarray(pixels, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"pixels has shape {array.shape}; expected (height, width)")
    array = _shrunk(array, -(-array.shape[1] // max(width, 1)))
    if 2 * array.shape[1] <= min(2 * SMALL, width):
        array = np.kron(array, np.ones((2, 2)))
    if len(array) % 2:
        array = np.vstack([array, np.zeros(array.shape[1])])
    glyphs = BLOCKS if blocks else ASCII
    ink = np.array(list(glyphs.values()))
    cells = np.stack([array[0::2], array[1::2]], axis=-1)
    nearest = ((cells[:, :, None, :] - ink) ** 2).sum(axis=-1).argmin(axis=-1)
    characters = np.array(list(glyphs))
    return ["".join(row) for row in characters[nearest]]


def _shrunk(array: Grey, factor: int) -> Grey:
    """Each square of ``factor`` × ``factor`` pixels becomes one, their mean."""
    if factor <= 1:
        return array
    height, width = (-(-length // factor) for length in array.shape)
    padded = np.zeros((height * factor, width * factor))
    padded[: array.shape[0], : array.shape[1]] = array
    squares = padded.reshape(height, factor, width, factor)
    return np.asarray(squares.mean(axis=(1, 3)))


def gallery(
    images: ArrayLike, captions: Sequence[str], *, blocks: bool = True, width: int = 80
) -> str:
    """Images side by side, each below its caption, in as many rows as it takes.

    Parameters
    ----------
    images : array_like of shape (k, height, w)
        Any numbers; the smallest of them (or 0) is drawn empty and the largest full.
    captions : sequence of k texts
    blocks : bool
        Whether to use block characters; else plain ASCII.
    width : int
        How many characters a line may have.

    Examples
    --------
    >>> print(gallery([[[0, 9]], [[9, 0]]], ["zero", "one"]))
    zero   one
      ██   ██
    """
    array = np.asarray(images, dtype=np.float64)
    low = min(0.0, float(array.min()))
    spread = float(array.max()) - low
    array = (array - low) / (spread or 1.0)
    tiles = []
    for pixels, caption in zip(array, captions, strict=True):
        lines = image(pixels, blocks=blocks, width=width)
        tiles.append([cut(caption, max(len(lines[0]), min(width, 12))), *lines])
    across = max(len(line) for tile in tiles for line in tile)
    in_a_row = max(1, (width + GAP) // (across + GAP))
    rows = [tiles[i : i + in_a_row] for i in range(0, len(tiles), in_a_row)]
    return "\n\n".join(
        "\n".join(
            (" " * GAP).join(line.ljust(across) for line in lines).rstrip()
            for lines in zip(*row, strict=True)
        )
        for row in rows
    )


def table(rows: Sequence[Sequence[str]], *, align: str, width: int | None = None) -> str:
    """Rows of texts as aligned columns.

    Parameters
    ----------
    rows : sequence of sequences of str
        The first row is the heading.
    align : str
        A character a column: ``<`` left, ``>`` right.
    width : int, optional
        How many characters a line may have. Where that is too few, the widest columns are cut.

    Examples
    --------
    >>> print(table([("class", "support"), ("setosa", "10")], align="<>"))
      class   support
      setosa       10
    """
    widths = [max(len(row[c]) for row in rows) for c in range(len(align))]
    room = None if width is None else max(width - 2 * len(widths), len(widths))
    while room is not None and sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    return "\n".join(
        "".join(
            f"  {cut(cell, w):{side}{w}}" for cell, side, w in zip(row, align, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def confusions(
    matrix: NDArray[np.integer], classes: Sequence[str], *, width: int | None = None
) -> str:
    """Which class was taken for which: a matrix; or, where that is too wide, a list.

    Parameters
    ----------
    matrix : array of int of shape (k, k)
        Row i counts the samples of class i, by the class that was predicted.
    classes : sequence of k texts
    width : int, optional
        How many characters a line may have.

    Examples
    --------
    >>> print(confusions(np.array([[9, 1], [0, 10]]), ["cat", "dog"]))
      true   cat  dog
      cat      9    1
      dog      .   10
    >>> print(confusions(np.array([[9, 0], [1, 10]]), ["a very long name", "dog"], width=32))
      true  taken for         times
      dog   a very long name      1
    """
    counts = [[str(count) if count else "." for count in row] for row in matrix.tolist()]
    rows = [("true ", *classes), *((name, *row) for name, row in zip(classes, counts, strict=True))]
    whole = table(rows, align="<" + ">" * len(classes))
    if len(classes) <= MOST_CLASSES and (width is None or _longest(whole) <= width):
        return whole
    wrong = [(i, j) for i, j in np.argwhere(matrix).tolist() if i != j]
    wrong.sort(key=lambda pair: -int(matrix[pair]))
    listed = [("true", "taken for", "times")]
    listed += [(classes[i], classes[j], str(matrix[i, j])) for i, j in wrong[:MOST_CLASSES]]
    return table(listed, align="<<>", width=width)


def layers(net: Network, *, width: int | None = None) -> str:
    """A network as a table: its own, or a narrower one where that is too wide.

    Parameters
    ----------
    net : Network
    width : int, optional
        How many characters a line may have.

    Examples
    --------
    >>> print(layers(Network([64, 10], activations="softmax", loss="cross_entropy"), width=40))
    Network 64-10, cross_entropy loss, float64, 650 parameters
      layer  neurons  activation
          1       64  input
          2       10  softmax
    """
    whole = str(net)
    heading, *lines = whole.splitlines()
    if width is None or _longest("\n".join(lines)) <= width:
        return whole
    rows = [("layer", "neurons", "activation"), ("1", str(net.sizes[0]), "input")]
    rows += [(str(i), str(net.sizes[i - 1]), f.name) for i, f in net.activations.items()]
    return f"{heading}\n{table(rows, align='>><', width=width)}"


def _longest(text: str) -> int:
    return max(map(len, text.splitlines()))


def cut(text: str, width: int) -> str:
    """The text, or its start and an ellipsis where it has more than ``width`` characters.

    Examples
    --------
    >>> cut("versicolor", 6)
    'versi…'
    """
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"[:width]
