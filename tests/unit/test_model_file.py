"""A network on disk: what is saved is what is loaded, and nothing else is taken for it."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import numpy as safetensors

import clearprop as cp
from clearprop import model_file
from clearprop.activations import Activation
from clearprop.losses import Loss
from clearprop.model_file import describe, load, save
from clearprop.network import Network
from clearprop.scaling import Scaling

X = np.random.default_rng(0).standard_normal((5, 3))

CUBE = Activation("cube", f=lambda z: z**3, df=lambda z, a: 3 * z**2)
CUBIC = Loss("cubic", lambda a, y: abs(a - y) ** 3, lambda a, y: 3 * (a - y) * abs(a - y))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


@pytest.fixture
def saved(path: Path) -> Path:
    """A small network with everything that a file can hold."""
    net = Network(
        [3, 4, 2],
        activations=["tanh", "softmax"],
        loss="cross_entropy",
        seed=1,
        classes=["no", "yes"],
        scaling=Scaling("standard", [0.5, 1.0, 2.0], [1.0, 2.0, 4.0]),
    )
    save(net, path, training={"epochs": 3, "data": {"name": "iris"}})
    return path


# --- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sizes", [[3, 2], [3, 4, 2], [3, 1, 5, 1]])
def test_a_loaded_network_predicts_what_the_saved_one_did(
    path: Path, sizes: list[int], dtype: str
) -> None:
    net = Network(sizes, activations="sigmoid", seed=0, dtype=dtype)
    save(net, path)
    again = load(path)
    assert again.parameters.dtype == net.parameters.dtype
    np.testing.assert_array_equal(again.parameters, net.parameters)
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert str(again) == str(net)


def test_classes_and_scaling_come_back(saved: Path) -> None:
    net = load(saved)
    assert net.classes == ("no", "yes")
    assert net.scaling == Scaling("standard", [0.5, 1.0, 2.0], [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ((0, 1), (0, 1)),
        (("ä", "\udcff"), ("ä", "\udcff")),
        ((np.int64(3), np.str_("four")), (3, "four")),
        ((False, True), (False, True)),
        (None, None),
    ],
)
def test_classes_keep_their_types(path: Path, classes: Any, expected: Any) -> None:
    save(Network([3, 2], seed=0, classes=classes), path)
    found = load(path).classes
    assert found == expected
    assert [type(c) for c in found or ()] == [type(c) for c in expected or ()]


def test_a_loaded_network_can_be_trained_on(saved: Path) -> None:
    net = load(saved)
    before = net.parameters.copy()
    cp.fit(net, (X, np.eye(2)[[0, 1, 0, 1, 0]]), epochs=1, seed=0)
    assert (net.parameters != before).any()


def test_the_same_network_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    save(load(saved), again, training={"data": {"name": "iris"}, "epochs": 3})
    assert again.read_bytes() == saved.read_bytes()


def test_an_old_file_is_replaced(saved: Path) -> None:
    save(Network([1, 1], seed=0), saved)
    assert load(saved).sizes == (1, 1)
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_other_programs_can_read_the_tensors(saved: Path) -> None:
    tensors = safetensors.load_file(saved)
    assert sorted(tensors) == [
        "biases.2",
        "biases.3",
        "scaling.offset",
        "scaling.scale",
        "weights.2",
        "weights.3",
    ]
    np.testing.assert_array_equal(tensors["weights.3"], load(saved).weights[3])


# --- what a file says about itself ---------------------------------------------------------------


def test_describe_gives_what_was_saved(saved: Path) -> None:
    assert describe(saved) == {
        "format": 1,
        "library": cp.__version__,
        "sizes": [3, 4, 2],
        "activations": ["tanh", "softmax"],
        "loss": "cross_entropy",
        "dtype": "float64",
        "classes": ["no", "yes"],
        "scaling": "standard",
        "training": {"epochs": 3, "data": {"name": "iris"}},
    }


def test_training_comes_back_as_json_has_it(path: Path) -> None:
    save(Network([1, 1], seed=0), path, training={"sizes": (1, 2), "p": {10: 0.1, 2: 0.2}})
    assert describe(path)["training"] == {"sizes": [1, 2], "p": {"10": 0.1, "2": 0.2}}


@pytest.mark.parametrize("value", [float("nan"), object(), np.float32(1), {(1, 2): 3}, b"bytes"])
def test_training_that_json_cannot_hold_is_refused(path: Path, value: object) -> None:
    with pytest.raises(cp.InputError, match="what JSON cannot"):
        save(Network([1, 1], seed=0), path, training={"x": value})
    assert not path.exists()


# --- activations and losses of one's own ----------------------------------------------------------


def test_an_activation_from_a_formula_needs_nothing_to_be_loaded(path: Path) -> None:
    pytest.importorskip("sympy", reason="SymPy derives the formula")
    bent = Activation.from_formula("bent", "(sqrt(z**2 + 1) - 1)/2 + z")
    net = Network([3, 2, 2], activations=[bent, ["sigmoid", bent]], seed=0)
    save(net, path)
    assert describe(path)["activations"] == [
        {"formula": "(sqrt(z**2 + 1) - 1)/2 + z", "name": "bent"},
        ["sigmoid", {"formula": "(sqrt(z**2 + 1) - 1)/2 + z", "name": "bent"}],
    ]
    np.testing.assert_array_equal(load(path).predict(X), net.predict(X))


def test_neurons_of_the_same_formula_share_one_derivation(path: Path) -> None:
    pytest.importorskip("sympy", reason="SymPy derives the formula")
    bent = Activation.from_formula("bent", "z**2 / 2 + z")
    save(Network([3, 3], activations=[[bent, bent, bent]], seed=0), path)
    parts = load(path).activations[2].parts
    assert parts[0] is parts[1] is parts[2]


def test_a_mixed_layer_comes_back_neuron_by_neuron(path: Path) -> None:
    net = Network([3, 3, 1], activations=[["relu", "tanh", "relu"], "identity"], seed=0)
    save(net, path)
    assert [part.name for part in load(path).activations[2].parts] == ["relu", "tanh", "relu"]


def test_an_activation_of_ones_own_is_given_again(path: Path) -> None:
    net = Network([3, 2], activations=CUBE, loss=CUBIC, seed=0)
    save(net, path)
    again = load(path, activations=[CUBE], losses=[CUBIC])
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert again.loss is CUBIC


def test_an_activation_that_is_not_given_is_named(path: Path) -> None:
    save(Network([3, 2], activations=CUBE, seed=0), path)
    with pytest.raises(cp.ModelFileError, match=r"activation 'cube'.*activations=\["):
        load(path)


def test_a_loss_that_is_not_given_is_named(path: Path) -> None:
    save(Network([3, 2], loss=CUBIC, seed=0), path)
    with pytest.raises(cp.ModelFileError, match=r"loss 'cubic'.*losses=\["):
        load(path)


def test_what_is_given_must_be_records(saved: Path) -> None:
    with pytest.raises(cp.InputError, match=r"expected a list of cp\.Activation"):
        load(saved, activations="cube")  # type: ignore[arg-type]


# --- what cannot be saved -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["net", "net.csv", "net.SAFETENSORS", ".safetensors"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(cp.InputError, match=re.escape(".safetensors")):
        save(Network([1, 1], seed=0), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_parameters_that_are_not_finite_are_refused(path: Path) -> None:
    net = Network([2, 2], seed=0)
    net.parameters[4] = np.nan
    with pytest.raises(cp.InputError, match=r"biases\[2\] holds NaN"):
        save(net, path)
    assert not path.exists()


def test_classes_that_are_no_texts_or_numbers_are_refused(path: Path) -> None:
    with pytest.raises(cp.InputError, match="expected texts or numbers"):
        save(Network([1, 2], seed=0, classes=[("a", 1), ("b", 2)]), path)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(cp.ModelFileError, match=r"nowhere.*cannot be written"):
        save(Network([1, 1], seed=0), tmp_path / "nowhere" / "net.safetensors")


# --- what cannot be loaded ------------------------------------------------------------------------


def _refused(path: Path, match: str) -> None:
    """Both readers refuse the file, with the same kind of error, and leave the folder as it is."""
    before = sorted(path.parent.iterdir())
    for read in (load, describe):
        with pytest.raises(cp.ModelFileError, match=match):
            read(path)
    assert sorted(path.parent.iterdir()) == before


def test_a_missing_file(tmp_path: Path) -> None:
    _refused(tmp_path / "none.safetensors", "No such file")


def test_a_folder(tmp_path: Path) -> None:
    _refused(tmp_path, "cannot be read")


@pytest.mark.parametrize("length", [0, 1, 7, 8, 20])
def test_a_file_that_is_hardly_there(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    _refused(saved, f"it has {length} bytes")


@pytest.mark.parametrize("missing", [1, 8, 100])
def test_a_file_that_is_cut_short(saved: Path, missing: int) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[:-missing])
    _refused(saved, f"has {len(whole) - missing:,} bytes; expected {len(whole):,}: it is cut short")


def test_a_file_with_something_after_it(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"x")
    _refused(saved, "followed by something else")


@pytest.mark.parametrize("length", [2**60, 2**64 - 1, 100_000_001])
def test_a_header_that_claims_more_than_there_is(saved: Path, length: int) -> None:
    saved.write_bytes(length.to_bytes(8, "little") + saved.read_bytes()[8:])
    _refused(saved, f"claims a header of {length:,} bytes")


@pytest.mark.parametrize("header", [b"[1, 2]", b"{", b"\xff\xfe", b"[" * 5000, b'{"a":1,"a":1}'])
def test_a_header_that_is_no_json_object(saved: Path, header: bytes) -> None:
    saved.write_bytes(len(header).to_bytes(8, "little") + header)
    _refused(saved, "cannot be read as JSON")


def test_any_other_file(tmp_path: Path) -> None:
    other = tmp_path / "table.csv"
    other.write_text("height,weight\n1.8,75\n")
    _refused(other, "is no model file")


def test_a_file_of_another_program(path: Path) -> None:
    safetensors.save_file({"fc1.weight": np.zeros((2, 2))}, path, metadata={"format": "pt"})
    _refused(path, "of another program.*fc1.weight")


def test_a_bit_that_has_flipped_in_the_numbers(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-9] ^= 1
    saved.write_bytes(data)
    _refused(saved, "does not match its checksum")


def test_every_single_byte_counts(path: Path) -> None:
    save(Network([1, 1], seed=0, classes=["a", "b"]), path)
    whole = path.read_bytes()
    silent = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            load(path)
        except cp.ModelFileError:
            continue
        silent.append(place)
    # Only blanks that fill up the header may change: into another blank, which JSON passes over.
    assert all(whole[place : place + 1].isspace() for place in silent)


# A header or a description that was changed with care: its checksum is right.

Change = Callable[[dict[str, Any]], object]


def _forge(path: Path, change: Change, *, header: bool = False) -> None:
    """Change the description in a file (or the header), and give it a checksum that fits."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    tensors = safetensors.load(data)
    description = json.loads(entries["__metadata__"]["clearprop"])
    change(entries if header else description)
    description.pop("sha256", None)
    description["sha256"] = model_file._checksum(description, tensors)
    if not header or "clearprop" in entries.get("__metadata__", {}):
        entries["__metadata__"]["clearprop"] = json.dumps(description)
    text = json.dumps(entries).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def _set(name: str, value: object) -> Change:
    return lambda given: given.update({name: value})


def test_the_forger_of_these_tests_can_make_a_good_file(saved: Path) -> None:
    _forge(saved, _set("training", {"epochs": 4}))
    assert load(saved).classes == ("no", "yes")
    assert describe(saved)["training"] == {"epochs": 4}


def test_a_newer_format_asks_for_a_newer_clearprop(saved: Path) -> None:
    def change(given: dict[str, Any]) -> None:
        given.clear()
        given.update(format=2, library="9.9", anything="else")

    _forge(saved, change)
    _refused(saved, "clearprop 9.9 in format 2.*install a newer clearprop")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (_set("extra", 1), "has 'extra', which clearprop does not write"),
        (lambda d: d.pop("loss"), "lacks loss"),
        (_set("format", 0), "format is 0"),
        (_set("format", True), "format is True"),
        (_set("format", "1"), "format is '1'"),
        (_set("library", None), "library is None"),
        (_set("sizes", "3, 4, 2"), "sizes is '3, 4, 2'"),
        (_set("sizes", [3]), r"sizes is \[3\]"),
        (_set("sizes", [3, 4.0, 2]), r"sizes is \[3, 4\.0, 2\]"),
        (_set("sizes", [3, -4, 2]), r"sizes is \[3, -4, 2\]"),
        (_set("sizes", [3, 4, 3]), r"has weights.3 as F64 of shape \(2, 4\), not .*\(3, 4\)"),
        (_set("sizes", [10**12, 4, 2]), "does not hold the network that it describes"),
        (_set("sizes", [3, 4, 2, 2]), "lacks weights.4"),
        (_set("sizes", [3, 4]), "has 'weights.3', which is not its own|has 'biases.3'"),
        (_set("activations", "tanh"), "activations is 'tanh'"),
        (_set("activations", ["tanh", 3]), r"activations is \['tanh', 3\]"),
        (_set("activations", ["tanh", {"name": "x"}]), "activations is .*'name': 'x'"),
        (
            _set("activations", ["tanh", [["tanh"], "tanh"]]),
            r"activations is .*\[\['tanh'\], 'tanh'\]",
        ),
        (_set("dtype", "float16"), "dtype is 'float16'"),
        (_set("dtype", "float32"), "has weights.2 as F64"),
        (_set("dtype", None), "dtype is None"),
        (_set("classes", "no"), "classes is 'no'"),
        (_set("classes", [["no"], "yes"]), "classes is"),
        (_set("scaling", 1), "scaling is 1"),
        (_set("scaling", None), "has 'scaling.offset', which is not its own|'scaling.scale'"),
        (_set("training", "long"), "training is 'long'"),
    ],
)
def test_a_description_that_clearprop_does_not_write(
    saved: Path, change: Change, match: str
) -> None:
    _forge(saved, change)
    _refused(saved, match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (_set("activations", ["tanh"]), "expected one name for all layers, or a list of 2"),
        (_set("activations", ["tanh", ["tanh"]]), "activation of layer 3"),
        (_set("activations", ["tanh", ["tanh", "softmax"]]), "softmax couples"),
        (_set("activations", ["tahn", "softmax"]), "activation 'tahn', which is not built in"),
        (_set("loss", "mse"), "loss 'mse', which is not built in"),
        (_set("classes", ["one"]), "classes has 1 names; expected 2"),
        (_set("scaling", ""), "kind is empty"),
    ],
)
def test_a_description_of_no_network(saved: Path, change: Change, match: str) -> None:
    _forge(saved, change)
    with pytest.raises(cp.ModelFileError, match=match):
        load(saved)


@pytest.mark.parametrize(
    "formula", ["__import__('os').system('true')", "z.real", "(lambda: z)()", "9**9**9", "z +"]
)
def test_a_formula_in_a_file_cannot_run_code(saved: Path, formula: str) -> None:
    pytest.importorskip("sympy", reason="SymPy derives the formula")
    _forge(saved, _set("activations", [{"name": "own", "formula": formula}, "softmax"]))
    with pytest.raises(cp.ModelFileError, match="formula"):
        load(saved)


def test_a_formula_cannot_take_the_name_of_a_built_in(saved: Path) -> None:
    pytest.importorskip("sympy", reason="SymPy derives the formula")
    _forge(saved, _set("activations", [{"name": "tanh", "formula": "z"}, "softmax"]))
    with pytest.raises(cp.ModelFileError, match="'tanh' belongs to a built-in"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda h: h["__metadata__"].update(author="me"), "does not write: author"),
        (lambda h: h.update(__metadata__={"format": "pt"}), "of another program"),
        (lambda h: h.update(__metadata__={"clearprop": 3}), "cannot be read as JSON"),
        (lambda h: h.pop("__metadata__"), "of another program .its tensors: biases.2"),
        (lambda h: h.pop("weights.2"), "lacks weights.2"),
        (lambda h: h.update(bonus=h["biases.2"]), "has 'bonus', which is not its own"),
        (lambda h: h.update(bonus=3), "the header says of bonus"),
        (lambda h: h["biases.2"].update(note="x"), "the header says of biases.2: .*'not"),
        (lambda h: h["biases.2"].update(dtype="BF16"), "has biases.2 as BF16"),
        (lambda h: h["biases.2"].update(dtype=8), "the header says of biases.2"),
        (lambda h: h["biases.2"].update(shape=[2, 2]), r"has biases.2 as F64 of shape \(2, 2\)"),
        (lambda h: h["biases.2"].update(shape=[2**62, 4]), "has biases.2 as F64 of shape"),
        (lambda h: h["biases.2"].update(data_offsets=[0, 2**60]), "is damaged"),
        (lambda h: h["biases.2"].update(data_offsets=[-8, 24]), r"is damaged \("),
        (
            lambda h: h["biases.2"].update(data_offsets=h["scaling.scale"]["data_offsets"]),
            "damaged",
        ),
    ],
)
def test_a_header_that_does_not_fit(saved: Path, change: Change, match: str) -> None:
    _forge_header(saved, change)
    _refused(saved, match)


def _forge_header(path: Path, change: Change) -> None:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    change(entries)
    text = json.dumps(entries).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["weights.2", "biases.3", "scaling.offset"])
def test_numbers_that_are_not_finite(saved: Path, name: str, bad: float) -> None:
    _rewrite(saved, name, bad)
    _refused(saved, f"{name} holds NaN or infinity")


def test_a_scale_of_zero(saved: Path) -> None:
    _rewrite(saved, "scaling.scale", 0.0)
    with pytest.raises(cp.ModelFileError, match=r"scale\[0\] is 0"):
        load(saved)


def _rewrite(path: Path, name: str, value: float) -> None:
    """Change the first number of a tensor, and give the file a checksum that fits."""
    description, tensors = model_file._read(path)
    tensors[name].flat[0] = value
    description["sha256"] = model_file._checksum(description, tensors)
    metadata = {"clearprop": json.dumps(description)}
    path.write_bytes(safetensors.save(tensors, metadata=metadata))


def test_the_checksum_is_sha256_over_description_and_tensors(saved: Path) -> None:
    """As the module describes it, worked out here without the module."""
    data = saved.read_bytes()
    length = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + length])["__metadata__"]["clearprop"]
    description = json.loads(text)
    assert text == json.dumps(description, sort_keys=True, separators=(",", ":"))
    claimed = description.pop("sha256")
    digest = hashlib.sha256(json.dumps(description, sort_keys=True, separators=(",", ":")).encode())
    for name, tensor in sorted(safetensors.load(data).items()):
        digest.update(f"{name} {tensor.dtype.name} {tensor.shape}".encode() + tensor.tobytes())
    assert digest.hexdigest() == claimed
