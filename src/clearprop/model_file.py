"""A network on disk: one ``.safetensors`` file with everything that a prediction needs.

The tensors are ``weights.2``, ``biases.2``, … and, for a network that scales its inputs,
``scaling.offset`` and ``scaling.scale``. The metadata of the file hold one text, ``clearprop``: a
JSON object with sorted keys.

==============  ===================================================================================
``format``      1, the version of this layout
``library``     the version of clearprop that wrote the file
``sizes``       neurons per layer
``activations`` one for each layer after the input: a name, a list with one for each neuron, or
                ``{"name": ..., "formula": ...}``
``loss``        a name
``dtype``       ``"float64"`` or ``"float32"``, that of weights and biases (scaling is float64)
``classes``     what each output stands for, or null
``scaling``     how the inputs are scaled (a name), or null
``training``    what the caller had to say about the training, or null
``sha256``      a checksum over all of the above and every tensor
==============  ===================================================================================

The same network gives the same bytes. A file is read with suspicion: its lengths are compared with
the size of the file before memory is set aside for them, what it holds with what it says that it
holds, and the whole with its checksum. Nothing in it can run code.

Source: https://huggingface.co/docs/safetensors/index#format
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from clearprop.activations import ACTIVATIONS, Activation
from clearprop.arrays import FLOAT_DTYPES
from clearprop.errors import InputError, ModelFileError
from clearprop.files import write_atomically
from clearprop.losses import LOSSES, Loss
from clearprop.network import Network
from clearprop.scaling import Scaling

__all__ = ["FORMAT", "SUFFIX", "describe", "load", "save"]

#: The version of the layout that this module writes and reads.
FORMAT = 1

SUFFIX = ".safetensors"

# safetensors refuses longer headers, and so do we, before reading one.
LONGEST_HEADER = 100_000_000

KEY = "clearprop"
TEXTS = ("library", "loss", "sha256")
FIELDS = {"format", "sizes", "activations", "dtype", "classes", "scaling", "training", *TEXTS}
CLASS_TYPES = (str, int, float)
# As the header of the file spells them.
DTYPES = {"float64": "F64", "float32": "F32"}
WIDTHS = {"F64": 8, "F32": 4}

Description: TypeAlias = dict[str, Any]
Tensors: TypeAlias = dict[str, NDArray[Any]]
# The name of a tensor, its dtype as the header spells it, and its shape.
Layout: TypeAlias = dict[str, tuple[str, tuple[int, ...]]]

Record = TypeVar("Record", Activation, Loss)


def save(
    net: Network, path: str | os.PathLike[str], *, training: Mapping[str, Any] | None = None
) -> None:
    """Write a network to a file, whole or not at all.

    Parameters
    ----------
    net : Network
        Activations and losses of your own are saved by name; :func:`load` needs to be given them.
    path : path
        Its name ends in ``.safetensors``, so that no data set is overwritten by a slip.
    training : mapping, optional
        What to remember about the training: plain values, lists and mappings, as JSON has them.
        :func:`describe` gives it back.

    Raises
    ------
    InputError
        For another ending, for ``training`` or classes that JSON cannot hold, or for parameters
        that are not finite.
    ModelFileError
        Where the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> net = Network([2, 3, 1], activations="tanh", seed=0)
    >>> with TemporaryDirectory() as folder:
    ...     save(net, f"{folder}/net.safetensors", training={"epochs": 30})
    ...     again = load(f"{folder}/net.safetensors")
    ...     describe(f"{folder}/net.safetensors")["training"]
    {'epochs': 30}
    >>> again, bool((again.parameters == net.parameters).all())
    (<Network 2-3-1: tanh, tanh; quadratic; float64>, True)
    """
    target = Path(path)
    if target.suffix != SUFFIX:
        raise InputError(
            f"a model cannot be saved as {target}; expected a name that ends in {SUFFIX}"
        )
    tensors = _tensors(net)
    description = _description(net, training)
    description["sha256"] = _checksum(description, tensors)
    data = safetensors.save(tensors, metadata={KEY: _canonical(description)})
    try:
        write_atomically(target, data)
    except OSError as error:
        raise ModelFileError(
            f"{target} cannot be written ({error.strerror or error}); expected a folder that "
            "exists and that you may write to"
        ) from None


def load(
    path: str | os.PathLike[str],
    *,
    activations: Iterable[Activation] = (),
    losses: Iterable[Loss] = (),
) -> Network:
    """The network in a file that :func:`save` wrote.

    Parameters
    ----------
    path : path
    activations, losses : iterables of Activation and of Loss
        Those of your own that the network uses. They are found by name.

    Raises
    ------
    ModelFileError
        For a file that is missing, foreign, truncated, altered, or of a newer version; and for an
        activation or a loss that is not built in and was not given.
    MissingDependencyError
        Where an activation was made from a formula, and SymPy is not installed to derive it.
    """
    own_activations = _by_name(activations, Activation)
    own_losses = _by_name(losses, Loss)
    description, tensors = _read(Path(path))
    scaling = None
    try:
        if description["scaling"] is not None:
            scaling = Scaling(
                description["scaling"], tensors["scaling.offset"], tensors["scaling.scale"]
            )
        net = Network(
            description["sizes"],
            activations=_activations(description["activations"], own_activations),
            loss=_loss(description["loss"], own_losses),
            initializer="zeros",
            dtype=description["dtype"],
            classes=description["classes"],
            scaling=scaling,
        )
        for layer in net.architecture.layers:
            net.weights[layer] = tensors[f"weights.{layer}"]
            net.biases[layer] = tensors[f"biases.{layer}"]
    except (InputError, ModelFileError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    return net


def describe(path: str | os.PathLike[str]) -> Description:
    """What a model file says about its network, without making one.

    Returns
    -------
    dict
        The fields of the table at the top of this module, but for the checksum: ``library``,
        ``sizes``, ``activations``, ``loss``, ``dtype``, ``classes``, ``scaling``, ``training`` and
        ``format``.

    Raises
    ------
    ModelFileError
        For a file that is missing, foreign, truncated, altered, or of a newer version.
    """
    description, _ = _read(Path(path))
    return description


# --- writing -------------------------------------------------------------------------------------


def _tensors(net: Network) -> Tensors:
    tensors: Tensors = {}
    for layer in net.architecture.layers:
        for name, view in (("weights", net.weights[layer]), ("biases", net.biases[layer])):
            if not np.isfinite(view).all():
                raise InputError(
                    f"{name}[{layer}] holds NaN or infinity, so the network cannot be saved; "
                    "expected finite parameters"
                )
            tensors[f"{name}.{layer}"] = view
    if net.scaling is not None:
        tensors["scaling.offset"] = net.scaling.offset
        tensors["scaling.scale"] = net.scaling.scale
    return tensors


def _description(net: Network, training: Mapping[str, Any] | None) -> Description:
    classes = None if net.classes is None else [_plain(name) for name in net.classes]
    if classes is not None and not all(isinstance(name, CLASS_TYPES) for name in classes):
        raise InputError(f"classes is {net.classes!r:.60}; expected texts or numbers, to be saved")
    description = {
        "format": FORMAT,
        "library": version("clearprop"),
        "sizes": list(net.sizes),
        "activations": [_written(f) for f in net.activations.values()],
        "loss": net.loss.name,
        "dtype": net.dtype,
        "classes": classes,
        "scaling": None if net.scaling is None else net.scaling.kind,
        "training": None if training is None else dict(training),
    }
    try:
        # As it will be read: what is a tuple, or a number as a key, changes on the way.
        as_read: Description = json.loads(_canonical(description))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"training or classes hold what JSON cannot ({error}); expected texts, finite "
            "numbers, True, False, None, and lists and mappings of these"
        ) from None
    return as_read


def _written(activation: Activation) -> Any:
    if activation.parts:
        return [_written(part) for part in activation.parts]
    if activation.formula is not None:
        return {"name": activation.name, "formula": activation.formula}
    return activation.name


def _plain(value: Any) -> Any:
    """A NumPy scalar as the Python number or text that it stands for."""
    return value.item() if isinstance(value, np.generic) else value


def _canonical(description: Mapping[str, Any]) -> str:
    return json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _checksum(description: Mapping[str, Any], tensors: Tensors) -> str:
    digest = hashlib.sha256(_canonical(description).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.name} {tensor.shape}".encode())
        # Bytes as in the file, where numbers are little-endian whatever the machine.
        digest.update(tensor.astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


# --- reading -------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[Description, Tensors]:
    """What the file says, and its tensors; the two agree."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            start = file.read(8)
            length = _header_length(path, start, size)
            header = file.read(length)
            description, found = _header(path, header)
            expected = _expected_layout(path, description)
            _compare(path, found, expected)
            numbers = sum(WIDTHS[dtype] * math.prod(shape) for dtype, shape in expected.values())
            if 8 + length + numbers != size:
                what = "cut short" if 8 + length + numbers > size else "followed by something else"
                raise ModelFileError(
                    f"{path} has {size:,} bytes; expected {8 + length + numbers:,}: it is {what}. "
                    "Copy or save it again"
                )
            data = start + header + file.read(numbers)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read ({error.strerror or error}); expected a model file that "
            "clearprop saved"
        ) from None
    try:
        tensors = safetensors.load(data)
    except SafetensorError as error:
        raise ModelFileError(f"{path} is damaged ({error}); copy or save it again") from None
    checksum = description.pop("sha256")
    if checksum != _checksum(description, tensors):
        raise ModelFileError(
            f"{path} has been altered or damaged: its content does not match its checksum. Copy or "
            "save it again"
        )
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ModelFileError(f"{path}: {name} holds NaN or infinity; expected finite numbers")
    return description, tensors


def _header_length(path: Path, start: bytes, size: int) -> int:
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(size - 8, LONGEST_HEADER):
        claim = f"a header of {length:,} bytes" if len(start) == 8 else "no header"
        raise ModelFileError(
            f"{path} is no model file, or it is cut short: it has {size:,} bytes and claims "
            f"{claim}; expected a {SUFFIX} file that clearprop saved"
        )
    return length


def _header(path: Path, header: bytes) -> tuple[Description, Layout]:
    """The text of ours in the header of the file, read; and the tensors that the header lists."""
    entries = _json(path, header, "header")
    metadata = entries.pop("__metadata__", None)
    if not isinstance(metadata, dict) or KEY not in metadata:
        names = ", ".join(sorted(entries)[:3]) or "none"
        raise ModelFileError(
            f"{path} is a safetensors file of another program (its tensors: {names}, …); expected "
            "one that clearprop saved"
        )
    if set(metadata) != {KEY}:
        extra = ", ".join(sorted(set(metadata) - {KEY}))
        raise ModelFileError(
            f"{path} has metadata that clearprop does not write: {extra}; expected {KEY} alone"
        )
    found: Layout = {}
    for name, entry in entries.items():
        match entry:
            case {
                "dtype": str(dtype),
                "shape": [*shape],
                "data_offsets": [int(), int()],
                **rest,
            } if not rest:
                found[name] = dtype, tuple(shape)
            case _:
                raise ModelFileError(
                    f"{path}: the header says of {name}: {entry!r:.60}; expected a dtype, a shape "
                    "and where it lies"
                )
    description = _json(path, metadata[KEY], "description")
    _check_description(path, description)
    return description, found


def _json(path: Path, text: object, what: str) -> dict[str, Any]:
    """A JSON object in which no key stands twice."""
    try:
        if not isinstance(text, str | bytes):
            raise ValueError(f"it is {text!r:.40}")
        value = json.loads(text, object_pairs_hook=_without_repeats)
        if not isinstance(value, dict):
            raise ValueError(f"it is {value!r:.40}")
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is no model file: its {what} cannot be read as JSON ({error!s:.80}); expected "
            "one that clearprop saved"
        ) from None
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _check_description(path: Path, given: Description) -> None:
    """Whether every field is there and of the kind that :func:`save` writes."""
    format_, library = given.get("format"), given.get("library")
    if isinstance(format_, int) and format_ > FORMAT:
        raise ModelFileError(
            f"{path} was saved by clearprop {library} in format {format_}; expected at most format "
            f"{FORMAT}, all that this version knows: install a newer clearprop"
        )
    if set(given) != FIELDS:
        missing, extra = FIELDS - set(given), set(given) - FIELDS
        wrong = [f"lacks {name}" for name in sorted(missing)]
        wrong += [f"has {name!r:.40}, which clearprop does not write" for name in sorted(extra)]
        raise ModelFileError(f"{path}: its description {'; '.join(wrong)}. Save the model again")
    sizes, activations, classes = given["sizes"], given["activations"], given["classes"]
    holds = {
        "format": format_ == FORMAT and _is_count(format_),
        "sizes": isinstance(sizes, list) and len(sizes) > 1 and all(map(_is_count, sizes)),
        "activations": isinstance(activations, list)
        and all(_is_activation(choice) for choice in activations),
        "dtype": given["dtype"] in FLOAT_DTYPES,
        "classes": classes is None
        or (isinstance(classes, list) and all(isinstance(c, CLASS_TYPES) for c in classes)),
        "scaling": given["scaling"] is None or isinstance(given["scaling"], str),
        "training": given["training"] is None or isinstance(given["training"], dict),
        **{name: isinstance(given[name], str) for name in TEXTS},
    }
    for name, good in holds.items():
        if not good:
            raise ModelFileError(
                f"{path}: its description says {name} is {given[name]!r:.60}, which clearprop does "
                "not write. Save the model again"
            )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_activation(value: object, one: bool = False) -> bool:
    match value:
        case str():
            return True
        case {"name": str(), "formula": str(), **rest}:
            return not rest
        case [*parts]:
            return not one and all(_is_activation(part, one=True) for part in parts)
    return False


def _expected_layout(path: Path, description: Description) -> Layout:
    """The tensors of a network of these sizes."""
    sizes = description["sizes"]
    dtype = DTYPES[description["dtype"]]
    layout: Layout = {}
    for layer, (n_in, n_out) in enumerate(pairwise(sizes), start=2):
        layout[f"weights.{layer}"] = dtype, (n_out, n_in)
        layout[f"biases.{layer}"] = dtype, (n_out,)
    if description["scaling"] is not None:
        layout["scaling.offset"] = layout["scaling.scale"] = "F64", (sizes[0],)
    return layout


def _compare(path: Path, found: Layout, expected: Layout) -> None:
    wrong = [f"lacks {name}" for name in expected if name not in found]
    wrong += [f"has {name!r:.40}, which is not its own" for name in found if name not in expected]
    for name in expected:
        if name in found and found[name] != expected[name]:
            wrong.append(f"has {name} as {_spelled(found[name])}, not {_spelled(expected[name])}")
    if wrong:
        more = "" if len(wrong) <= 3 else f"; and {len(wrong) - 3} more"
        raise ModelFileError(
            f"{path} does not hold the network that it describes: it {'; '.join(wrong[:3])}{more}. "
            "Save the model again"
        )


def _spelled(tensor: tuple[str, tuple[int, ...]]) -> str:
    dtype, shape = tensor
    return f"{dtype} of shape {shape!r:.60}"


def _by_name(records: Iterable[Record], kind: type[Record]) -> dict[str, Record]:
    given = list(records)
    if not all(isinstance(record, kind) for record in given):
        raise InputError(f"{given!r:.60} was given; expected a list of cp.{kind.__name__}")
    return {record.name: record for record in given}


def _activations(given: Any, own: Mapping[str, Activation]) -> Any:
    """The records that the names in the description stand for; in a list, those of its members."""
    if isinstance(given, list):
        # Every neuron of the same formula shares one record, which is derived once.
        made = {_canonical(one): _activations(one, own) for one in given if isinstance(one, dict)}
        return [
            made[_canonical(one)] if isinstance(one, dict) else _activations(one, own)
            for one in given
        ]
    name = given if isinstance(given, str) else given["name"]
    if name in own:
        return own[name]
    if isinstance(given, dict):
        return Activation.from_formula(name, given["formula"])
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    raise ModelFileError(
        f"it uses the activation {name!r}, which is not built in; give it: "
        "cp.load(..., activations=[...]) with a cp.Activation of that name"
    )


def _loss(name: str, own: Mapping[str, Loss]) -> Loss:
    if name in own or name in LOSSES:
        return own.get(name) or LOSSES[name]
    raise ModelFileError(
        f"it uses the loss {name!r}, which is not built in; give it: cp.load(..., losses=[...]) "
        "with a cp.Loss of that name"
    )
