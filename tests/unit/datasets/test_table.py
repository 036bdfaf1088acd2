"""CSV and TSV: what is read without being told, and what is refused with its line and column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearprop.datasets import load, load_inputs, table
from clearprop.errors import DataError, UnknownNameError

IRIS = """\
length,width,species
5.1,3.5,setosa
4.9,3.0,setosa
6.3,3.3,virginica
5.8,2.7,virginica
"""


@pytest.fixture
def read(tmp_path):
    """Load a table from its text, undivided unless asked for otherwise."""

    def read(text, name="it.csv", **arguments):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, **{"test_fraction": 0, **arguments})

    return read


# --- what is read ---------------------------------------------------------------------------------


def test_a_table_of_flowers(read):
    data = read(IRIS)

    assert data.name == "it.csv"
    assert data.task == "classification"
    assert data.feature_names == ("length", "width")
    assert data.classes == ("setosa", "virginica")
    np.testing.assert_array_equal(
        data.train.x, [[5.1, 3.5], [4.9, 3.0], [6.3, 3.3], [5.8, 2.7]], strict=True
    )
    np.testing.assert_array_equal(data.train.labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.train.y, [[1, 0], [1, 0], [0, 1], [0, 1]])
    assert data.scaling.kind == "standard"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (IRIS.replace(",", ";"), "it.csv"),
        (IRIS.replace(",", "\t"), "it.csv"),
        (IRIS.replace(",", "\t"), "it.tsv"),
        (IRIS.replace(",", "\t"), "IT.TSV"),
        (IRIS.replace(",", ", "), "it.csv"),
        (IRIS.replace(",", " ; "), "it.csv"),
        (IRIS.replace("\n", "\r\n"), "it.csv"),
        (IRIS.rstrip("\n"), "it.csv"),
        ("\n  \n" + IRIS.replace("\n", "\n\n") + ",,\n", "it.csv"),
        (b"\xef\xbb\xbf" + IRIS.encode(), "it.csv"),
        (IRIS.replace("setosa", '"setosa"').replace("length", '"length"'), "it.csv"),
        (IRIS.replace("5.1,", '"5.1",'), "it.csv"),
        (IRIS.replace("5.1", "51e-1").replace("3.0", "+3"), "it.csv"),
    ],
    ids=["semicolons", "tabs", "tsv", "TSV", "spaces", "more spaces", "CRLF", "no last newline",
         "blank lines", "byte order mark", "quoted texts", "quoted numbers", "exponents"],
)  # fmt: skip
def test_the_same_table_may_be_written_in_many_ways(read, text, name):
    plain, other = read(IRIS), read(text, name)

    assert other.feature_names == plain.feature_names
    assert other.classes == plain.classes
    np.testing.assert_array_equal(other.train.x, plain.train.x, strict=True)
    np.testing.assert_array_equal(other.train.labels, plain.train.labels, strict=True)


def test_quoted_text_may_hold_delimiters_newlines_and_quotes(read):
    data = read('a,kind\n1,"x, y"\n2,"x, y"\n3,"say ""so""\nplease"\n4,"say ""so""\nplease"\n')

    assert data.classes == ('say "so"\nplease', "x, y")


def test_text_in_any_language(read):
    assert read("größe,art\n1,Öl\n2,水\n3,Öl\n").classes == ("Öl", "水")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("5.1,3.5,a\n4.9,3.0,b\n", ("column 1", "column 2")),
        ("1,0,y\n0,1,n\n", ("column 1", "column 2")),
        ("1,,a\n2,3,b\n", None),
        ("a,b,c\n1,2,x\n3,4,y\n", ("a", "b")),
        ("0,1,kind\n1,2,5\n3,4,6\n", ("0", "1")),
        ("0,1,class\n1,2,x\n3,4,y\n", ("0", "1")),
    ],
    ids=["numbers", "yes and no", "a gap", "texts", "a text above a number", "name of a target"],
)
def test_the_first_line_may_name_the_columns(read, text, names):
    if names is None:
        with pytest.raises(DataError, match="line 1 has no value in column 'column 2'"):
            read(text)
    else:
        assert read(text).feature_names == names


def test_a_name_that_was_asked_for_makes_a_header(read):
    assert read("0,1,kind\n1,2,x\n3,4,y\n", target="kind").feature_names == ("0", "1")


@pytest.mark.parametrize(
    ("header", "target", "features"),
    [
        ("a,b,c", None, ("a", "b")),
        ("a,Target,c", None, ("a", "c")),
        ("LABEL,b,c", None, ("b", "c")),
        ("a,class,y", None, ("a", "y")),
        ("a,b,c", "b", ("a", "c")),
        ("a,b,c", 0, ("b", "c")),
        ("a,b,c", -2, ("a", "c")),
        ("a,b,c", "1", ("a", "c")),
        ("a,b,c", "-3", ("b", "c")),
        ("a,target,0", "0", ("a", "target")),
    ],
)
def test_the_target_is_chosen_by_name_or_position(read, header, target, features):
    data = read(f"{header}\n1,2,3\n1,2,3.5\n2,1,4\n2,1,4\n", target=target)

    assert data.feature_names == features


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["b", "a", "b", "a"], None, ("a", "b")),
        (["10", "9", "9", "10"], None, (9, 10)),
        (["-1", "+1", "-1", "1"], None, (-1, 1)),
        (["1", "2", "unknown", "2"], None, ("1", "2", "unknown")),
        (["True", "False", "True", "True"], None, ("False", "True")),
        (["1", "2", "3", "4"], None, None),
        (["1.0", "2.0", "1.0", "2.0"], None, None),
        (["0.5", "2", "1e3", "-4"], None, None),
        ([str(i) for i in range(21)] * 3, None, None),
        ([str(i) for i in range(20)] * 3, None, tuple(range(20))),
        (["1", "2", "3", "4"], "classification", (1, 2, 3, 4)),
        (["1.0", "2.0", "1.0", "2.0"], "classification", (1, 2)),
        (["1.5", "2.5", "new", "2.5"], "classification", ("1.5", "2.5", "new")),
        (["1", "2", "1", "2"], "regression", None),
    ],
)
def test_the_target_says_what_the_task_is(read, cells, task, classes):
    data = read("a,t\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)), task=task)

    assert data.classes == classes
    if classes is None:
        assert data.task == "regression"
        assert data.target_names == ("t",)
        np.testing.assert_array_equal(data.train.y[:, 0], [float(cell) for cell in cells])
        assert data.train.labels is None
    else:
        assert data.task == "classification"
        chosen = [data.classes[label] for label in data.train.labels]
        kind = type(classes[0])
        assert chosen == [kind(float(cell)) if kind is int else cell for cell in cells]


def test_a_regression_may_have_several_targets(read):
    data = read("a,b,c\n1,2,3\n4,5,6\n", target=["c", 0])

    assert data.task == "regression"
    assert data.target_names == ("c", "a")
    assert data.feature_names == ("b",)
    np.testing.assert_array_equal(data.train.y, [[3, 1], [6, 4]])
    np.testing.assert_array_equal(data.train.x, [[2], [5]])


def test_a_table_is_divided_like_any_other_data(read):
    header, flowers = IRIS.split("\n", 1)
    data = read(f"{header}\n{flowers * 5}", test_fraction=0.2, validation_fraction=0.25)

    sizes = {name: len(part) for name, part in data.parts.items()}
    assert sizes == {"train": 12, "validation": 4, "test": 4}


@given(
    rows=st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)),
        min_size=2,
        max_size=8,
    )
)
def test_every_number_is_read_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "it.csv"
    path.write_text("a,b,t\n" + "".join(f"{a!r},{b},0.5\n" for a, b in rows))

    read = load(path, test_fraction=0, scaling="none").train.x

    np.testing.assert_array_equal(read, np.array(rows, dtype=float), strict=True)


# --- inputs alone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("a,b\n5,3\n", None),
        ("5,3\n", None),
        ("a,b,kind\n5,3,x\n", None),
        ("label,a,b\nx,5,3\n", None),
        ("a,kind,b\n5,x,3\n", "kind"),
        ("t,a,u,b\n1,5,2,3\n", [0, 2]),
    ],
)
def test_inputs_are_read_with_or_without_targets(tmp_path, text, target):
    (tmp_path / "new.csv").write_text(text)

    x = load_inputs(tmp_path / "new.csv", 2, target=target)

    np.testing.assert_array_equal(x, [[5.0, 3.0]], strict=True)


def test_a_folder_is_no_table(tmp_path, refuses):
    (tmp_path / "new.csv").mkdir()

    with refuses(DataError, "new.csv cannot be read", "directory"):
        load_inputs(tmp_path / "new.csv", 2)


def test_inputs_of_another_width_are_refused(tmp_path, refuses):
    (tmp_path / "new.csv").write_text(IRIS)

    with refuses(DataError, "has 3 columns", "expected 5", "or 6 with the target"):
        load_inputs(tmp_path / "new.csv", 5)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["is empty", "a line for each sample"]),
        ("\n \n,,\n", ["is empty"]),
        ("a,b\n", ["no rows of data", "expected at least 2"]),
        ("a,b\n1,x\n", ["1 row of data", "expected at least 2", "to test with"]),
        ("a\n1\n2\n", ["one column, 'a'", "expected at least two", "semicolons"]),
        ("a b\n1 x\n2 y\n", ["one column, 'a b'", "commas, semicolons or tabs"]),
        (IRIS + "1,2\n", ["line 6 has 2 columns", "expected 3, as in line 1", "quotation marks"]),
        (IRIS + "\n\n1,2,3,4\n", ["line 8 has 4 columns", "expected 3"]),
        (IRIS + "1,,setosa\n", ["line 6 has no value in column 'width'", "fill it in"]),
        (IRIS + "1,NA,setosa\n", ["line 6", "column 'width' ('NA')", "fill it in"]),
        (IRIS + "1,nan,setosa\n", ["line 6 has no value in column 'width'", "remove the line"]),
        (IRIS + "1,-NaN,setosa\n", ["line 6 has no value in column 'width'"]),
        (IRIS + "?,2,setosa\n", ["line 6 has no value in column 'length' ('?')"]),
        (IRIS + "1,2,\n", ["line 6 has no value in column 'species' ('')"]),
        (IRIS + "1,inf,setosa\n", ["line 6 has inf in column 'width'", "finite"]),
        (IRIS + "1,-1e999,setosa\n", ["line 6 has -inf in column 'width'", "finite"]),
        (IRIS + "1,wide,setosa\n", ["line 6 has 'wide' in column 'width'", "target='width'"]),
        (IRIS + "1_000,2,setosa\n", ["line 6 has '1_000' in column 'length'", "a number"]),
        (IRIS + f"1,{'w' * 99},setosa\n", ["'" + "w" * 37 + "...'"]),
        ("a;b;k\n5,1;3;x\n4,9;3;y\n", ["'5,1' in column 'a'", "decimal points"]),
        ("5,1;3,5;1,4;x\n4,9;3,0;1,4;y\n", ["line 2 has '4,9'", "decimal points"]),
        (",a,k\n0,1,x\n1,2,y\n", ["column 1 has no name", "line 1", "index=False"]),
        ("a,k,\n0,x,1\n1,y,2\n", ["column 3 has no name"]),
        ('a,k\n1,"x\n2,y\n', ["no well-formed table", "quotation mark left open"]),
        (IRIS.encode("utf-16"), ["no text in UTF-8 (byte 0xff)", "save it as UTF-8"]),
        ("a,k\n1,Größe\n2,x\n".encode("latin-1"), ["no text in UTF-8 (byte 0xf6)"]),
        ("a,k\n1,x\n2,x\n", ["column 'k' holds one class only, 'x'", "at least two"]),
        ("a,k\n1,0\n2,0\n", ["column 'k' holds one class only, 0", "at least two"]),
        ("a,k\n1,2.5\n2,3.5\n3,none\n", ["mixes numbers such as 2.5 with text ('none' in line 4)"]),
        ("a,k\n1,2.5\n2,inf\n", ["line 3 has inf in column 'k'", "finite"]),
        ("a,k\n" + "".join(f"1,n{i}\n" for i in range(1001)), ["1,001 different", "at most 1,000"]),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_refused(text, said, tmp_path, refuses):
    path = tmp_path / "it.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with refuses(DataError, "it.csv", *said):
        load(path)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"target": "specie"}, UnknownNameError, ["'specie'", "did you mean 'species'", "-1"]),
        ({"target": 3}, UnknownNameError, ["no column number 3", "0 to 2", "length, width"]),
        ({"target": -4}, UnknownNameError, ["no column number -4", "-3 to -1"]),
        ({"target": "7"}, UnknownNameError, ["no column number 7", "0 to 2"]),
        ({"target": ["species", "length"]}, DataError, ["'setosa' in line 2", "expected numbers"]),
        ({"target": ["width", 1]}, DataError, ["asks for 2 columns", "different ones"]),
        ({"target": [0, 1, 2]}, DataError, ["asks for 3 columns", "at most 2"]),
        ({"target": []}, DataError, ["asks for 0 columns", "at least one"]),
        (
            {"target": ["species", 1], "task": "classification"},
            DataError,
            ["2 target columns", "expected one"],
        ),
        ({"target": "width"}, DataError, ["'setosa' in column 'species'", "a number"]),
        ({"task": "regression"}, DataError, ["'setosa' in line 2", "task='classification'"]),
        ({"task": "regress"}, UnknownNameError, ["'regress'", "did you mean 'regression'"]),
        ({"test_fraction": 0.9}, DataError, ["holds out 4 of 4", "2 classes"]),
    ],
)
def test_a_target_that_cannot_be_read_is_refused(arguments, error, said, tmp_path, refuses):
    (tmp_path / "it.csv").write_text(IRIS)

    with refuses(error, *said):
        load(tmp_path / "it.csv", **arguments)


def test_fractions_are_no_classes(tmp_path, refuses):
    (tmp_path / "it.csv").write_text("a,t\n1,2.0\n2,2.5\n")

    with refuses(DataError, "column 't' has 2.5 in line 3", "whole numbers", "task='regression'"):
        load(tmp_path / "it.csv", task="classification")


def test_a_name_that_two_columns_have_is_no_target(tmp_path, refuses):
    (tmp_path / "it.csv").write_text("a,t,t\n1,2,3\n1,2,3\n")

    with refuses(DataError, "2 columns named 't'", "by its position"):
        load(tmp_path / "it.csv", target="t")


def test_a_table_above_the_limit_is_not_read(tmp_path, refuses, monkeypatch):
    (tmp_path / "it.csv").write_text(IRIS)
    monkeypatch.setattr(table, "MAX_BYTES", 50)

    with refuses(DataError, f"has {len(IRIS)} bytes", "expected at most 50"):
        load(tmp_path / "it.csv")


def test_a_cell_without_end_is_refused(tmp_path, refuses):
    (tmp_path / "it.csv").write_text(IRIS + '1,2,"' + "x" * 200_000)

    with refuses(DataError, "no well-formed table", "field larger than"):
        load(tmp_path / "it.csv")


def test_a_spread_that_overflows_is_refused(tmp_path, refuses):
    (tmp_path / "it.csv").write_text("a,t\n1e308,0.5\n-1e308,1.5\n")

    with refuses(DataError, "it.csv", "-1e+308 to 1e+308", "logarithm"):
        load(tmp_path / "it.csv", test_fraction=0)
