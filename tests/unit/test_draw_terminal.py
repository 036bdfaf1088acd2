"""Images in characters, and tables as wide as there is room."""

import numpy as np
import pytest

from clearprop import InputError, Network
from clearprop.draw.terminal import (
    ASCII,
    BLOCKS,
    can_show,
    confusions,
    cut,
    gallery,
    image,
    layers,
    table,
)


@pytest.mark.parametrize("glyph", list(BLOCKS))
def test_each_block_stands_for_its_own_two_pixels(glyph: str) -> None:
    upper, lower = BLOCKS[glyph]
    # Wider than what is drawn at twice its size, so that a character is two pixels.
    assert image([[upper] * 15, [lower] * 15]) == [glyph * 15]


@pytest.mark.parametrize("glyph", list(ASCII))
def test_each_ascii_character_stands_for_its_own_shade(glyph: str) -> None:
    upper, lower = ASCII[glyph]
    assert image([[upper] * 15, [lower] * 15], blocks=False) == [glyph * 15]


def test_a_small_image_is_drawn_at_twice_its_size() -> None:
    assert image([[1, 0], [0, 1]]) == ["██  ", "  ██"]


def test_a_small_image_is_not_doubled_where_that_is_too_wide() -> None:
    assert image([[1, 0], [0, 1]], width=3) == ["▀▄"]


def test_the_last_odd_row_has_nothing_below_it() -> None:
    assert image(np.ones((3, 20))) == ["█" * 20, "▀" * 20]


@pytest.mark.parametrize("width", [1, 7, 40, 99])
def test_a_wide_image_is_shrunk_to_fit(width: int) -> None:
    lines = image(np.ones((100, 100)), width=width)
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) <= width
    assert lines[0][0] in "█▀"


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (2, 2, 2)])
def test_what_is_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected \(height, width\)"):
        image(np.zeros(shape))


def test_a_gallery_has_as_many_images_in_a_row_as_fit() -> None:
    images = np.ones((3, 2, 8))
    tiles = gallery(images, ["a", "b", "c"], width=16 + 3 + 16)
    assert tiles.splitlines() == [
        "a                  b",
        "█" * 16 + "   " + "█" * 16,
        "█" * 16 + "   " + "█" * 16,
        "",
        "c",
        "█" * 16,
        "█" * 16,
    ]


def test_a_gallery_shows_any_numbers_on_one_scale() -> None:
    half, full = np.full((2, 20), 8.0), np.full((2, 20), 16.0)
    assert gallery([half, full], ["half", "full"], width=80).splitlines()[1] == (
        "▒" * 20 + "   " + "█" * 20
    )
    assert gallery([-full, full], ["low", "high"], width=80).splitlines()[1].strip() == "█" * 20


def test_a_gallery_of_nothing_but_zeros() -> None:
    assert gallery(np.zeros((1, 2, 20)), ["empty"]) == "empty\n"


@pytest.mark.parametrize(
    ("encoding", "shows"),
    [("utf-8", True), ("cp437", True), ("ascii", False), ("latin-1", False), ("nonsense", False)],
)
def test_which_encodings_have_the_blocks(encoding: str, shows: bool) -> None:
    assert can_show(encoding) is shows


def test_a_table_takes_the_room_from_its_widest_columns() -> None:
    rows = [("class", "n"), ("a very long name", "10")]
    assert table(rows, align="<>", width=16).splitlines() == [
        "  class        n",
        "  a very lo…  10",
    ]


def test_a_table_of_no_room_at_all_is_still_a_table() -> None:
    shown = table([("class", "n"), ("setosa", "10")], align="<>", width=1)
    assert shown.splitlines() == ["  …  n", "  …  …"]


@pytest.mark.parametrize(
    ("text", "width", "expected"), [("abc", 3, "abc"), ("abc", 2, "a…"), ("abc", 0, "")]
)
def test_cut(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


def test_confusions_as_a_list_name_the_most_frequent_first() -> None:
    matrix = np.array([[5, 1, 0], [3, 5, 0], [0, 2, 5]])
    listed = confusions(matrix, ["first", "second", "third"], width=26)
    assert [line.split() for line in listed.splitlines()] == [
        ["true", "taken", "for", "times"],
        ["second", "first", "3"],
        ["third", "second", "2"],
        ["first", "second", "1"],
    ]


def test_confusions_of_many_classes_are_a_list_however_much_room_there_is() -> None:
    matrix = np.eye(50, dtype=int)
    matrix[3, 4] = 7
    listed = confusions(matrix, [f"class {i}" for i in range(50)])
    assert listed.splitlines()[1].split() == ["class", "3", "class", "4", "7"]


def test_a_perfect_matrix_without_room_is_an_empty_list() -> None:
    assert confusions(np.eye(9, dtype=int) * 5, list("abcdefghi"), width=24) == (
        "  true  taken for  times"
    )


def test_layers_are_the_networks_own_table_where_that_fits() -> None:
    net = Network([64, 30, 10], seed=0)
    assert layers(net) == layers(net, width=60) == str(net)
    narrow = layers(net, width=30)
    assert narrow.splitlines()[1:] == [
        "  layer  neurons  activation",
        "      1       64  input",
        "      2       30  sigmoid",
        "      3       10  sigmoid",
    ]
