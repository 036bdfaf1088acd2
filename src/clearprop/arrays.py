"""The only file that knows which array library it is talking to.

Every formula of clearprop (activations, losses, optimizer rules, the four equations) is written
once, with Python's operators and with the functions below. Each function looks at its argument and
calls the library that the argument came from: NumPy, PyTorch, JAX, or any other library that
follows the array API standard (https://data-apis.org/array-api/). The compiled engine gives the
same names a compiled meaning, so a definition need never be written twice.
"""

import functools
import math
import sys
from numbers import Integral, Real
from types import ModuleType
from typing import Any, TypeAlias, TypeGuard

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from clearprop.errors import InputError

__all__ = [
    "Array",
    "all_finite",
    "as_batch",
    "as_numbers",
    "as_numpy",
    "asarray_like",
    "concat_columns",
    "concat_flat",
    "copied",
    "dense",
    "erf",
    "exp",
    "expm1",
    "is_array",
    "is_number",
    "is_sparse",
    "is_whole_number",
    "log",
    "log1p",
    "max_last",
    "maximum",
    "minimum",
    "namespace",
    "sign",
    "sqrt",
    "sum_first",
    "sum_last",
    "take_columns",
    "take_rows",
    "tanh",
    "tiny_root",
    "where",
]

# Any array of any array-API library. The standard has no base class to name here.
Array: TypeAlias = Any

FLOAT_DTYPES = ("float32", "float64")


def is_array(value: object) -> bool:
    """Whether ``value`` is an array of a library that clearprop can compute with."""
    return isinstance(value, np.ndarray) or array_api_compat.is_array_api_obj(value)


def is_sparse(value: object) -> bool:
    """Whether ``value`` is a SciPy sparse array or matrix."""
    # Nothing can be one before SciPy's module is loaded, and loading it would take time.
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(value))


def dense(value: Array) -> Array:
    """A sparse array in full; any other as it is."""
    return value.toarray() if is_sparse(value) else value


def is_number(value: object) -> TypeGuard[float]:
    """Whether ``value`` is one finite real number, of Python's or NumPy's; True and False are not.

    Examples
    --------
    >>> [is_number(value) for value in (3, 0.5, np.float32(2), True, "3", float("nan"), 10**400)]
    [True, True, True, False, False, False, False]
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def is_whole_number(value: object) -> TypeGuard[int]:
    """Whether ``value`` is one integer, of Python's or NumPy's; True, False and 3.0 are not."""
    return isinstance(value, Integral) and is_number(value)


def namespace(*arrays: Array) -> ModuleType:
    """The array-API namespace of the given arrays (Python scalars are passed over).

    Examples
    --------
    >>> namespace(np.zeros(2)).__name__
    'array_api_compat.numpy'
    """
    # NumPy is the common case, and this is on the path of every small step.
    if all(isinstance(a, np.ndarray | np.generic | float | int) for a in arrays):
        return _numpy()
    found: ModuleType = array_api_compat.array_namespace(*arrays)
    return found


@functools.cache
def _numpy() -> ModuleType:
    found: ModuleType = array_api_compat.array_namespace(np.zeros(1))
    return found


def asarray_like(value: Any, like: Array) -> Array:
    """``value`` as an array of the library, device and dtype of ``like``."""
    if isinstance(like, np.ndarray) or is_sparse(like):
        return np.asarray(value, dtype=like.dtype)
    xp = namespace(like)
    # A PyTorch tensor warns when it would share a read-only NumPy buffer: give it its own.
    value = np.array(value) if isinstance(value, np.ndarray) else value
    return xp.asarray(value, dtype=like.dtype, device=array_api_compat.device(like))


def as_numpy(value: Array) -> NDArray[Any]:
    """``value`` as a NumPy array, copied from its device where it must be."""
    if isinstance(value, np.ndarray):
        return value
    if is_array(value):
        value = array_api_compat.to_device(value, "cpu") if _on_device(value) else value
        if array_api_compat.is_torch_array(value):
            value = value.detach()
    return np.asarray(value)


def _on_device(value: Array) -> bool:
    return array_api_compat.is_torch_array(value) or array_api_compat.is_cupy_array(value)


def as_batch(value: Any, *, name: str, width: int, dtype: str, rows: int | None = None) -> Array:
    """``value`` as a batch of shape (m, ``width``), rows being samples, checked.

    An array keeps its library, a SciPy sparse array stays sparse (as CSR); anything else (a list,
    a data frame) becomes a NumPy array.

    Raises
    ------
    InputError
        For a wrong rank, width or number of rows, an empty batch, an unusable dtype, a NaN or an
        infinity.

    Examples
    --------
    >>> as_batch([[1, 2], [3, 4]], name="X", width=2, dtype="float64")
    array([[1., 2.],
           [3., 4.]])
    """
    if is_sparse(value):
        value = _as_csr(value, name, dtype)
    own = isinstance(value, np.ndarray) or not (is_array(value) or is_sparse(value))
    array = as_numbers(value, name) if own else value
    given = tuple(array.shape)
    if len(given) != 2:
        advice = f"; for one sample write {name}[None, :]" if given == (width,) else ""
        if name == "Y" and len(given) == 1 and given != (width,):
            advice = "; turn class labels into rows with cp.one_hot(labels, n_classes)"
        raise InputError(f"{name} has shape {given}; expected two axes, (samples, {width}){advice}")
    if given[0] == 0:
        raise InputError(f"{name} is empty (shape {given}); expected at least one sample")
    if given[1] != width:
        what = "the input layer" if name == "X" else "the output layer"
        raise InputError(
            f"{name} has {given[1]} columns; expected {width}, one for each neuron of {what}"
        )
    if rows is not None and given[0] != rows:
        raise InputError(f"{name} has {given[0]} rows; expected {rows}, one for each sample of X")
    if is_sparse(array):
        if not all_finite(array):
            raise InputError(
                f"{name} holds NaN or infinity; expected numbers that are finite in {dtype}: "
                "remove or fill in such samples first"
            )
        return array
    xp = namespace(array)
    if not xp.isdtype(array.dtype, ("bool", "integral", "real floating")):
        raise InputError(f"{name} has dtype {array.dtype}; expected real numbers")
    batch = array
    if str(array.dtype).rsplit(".", 1)[-1] != dtype:
        with np.errstate(over="ignore"):  # too large for float32: found right below
            batch = xp.astype(array, getattr(xp, dtype))
    if not all_finite(batch):
        bad = as_numpy(~xp.isfinite(batch))
        row, column = (int(i[0]) for i in np.nonzero(bad))
        raise InputError(
            f"{name} holds {float(array[row, column])} at row {row}, column {column}; expected "
            f"numbers that are finite in {dtype}: remove or fill in such samples first"
        )
    return batch


def _as_csr(value: Any, name: str, dtype: str) -> Array:
    """A sparse array by rows, each with its columns in order and none of them twice."""
    from scipy.sparse import csr_array

    if value.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {value.dtype}; expected real numbers")
    with np.errstate(over="ignore"):  # too large for float32: found afterwards
        rows = csr_array(value, dtype=dtype)
    if rows is value or np.shares_memory(rows.data, value.data):
        rows = rows.copy()
    rows.sum_duplicates()
    return rows


def as_numbers(value: Any, name: str) -> NDArray[Any]:
    """``value`` as a NumPy array of real numbers, of whatever shape; texts such as "1.5" are read.

    Raises
    ------
    InputError
        For a ragged list, for texts and objects that are no numbers, and for complex numbers.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind in "OUS":
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{name} cannot be read as numbers ({error}); expected a rectangular array of numbers"
        ) from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {array.dtype}; expected real numbers")
    return array


def copied(value: Array) -> Array:
    """A copy that shares no memory with ``value``, and in PyTorch no history of gradients.

    A NumPy array that owns its memory and cannot be written to, as the parts of a data set are, is
    as good as a copy.
    """
    if isinstance(value, np.ndarray) and value.flags.owndata and not value.flags.writeable:
        return value
    if is_sparse(value):
        return value.copy()
    if array_api_compat.is_torch_array(value):
        value = value.detach()
    return namespace(value).asarray(value, copy=True)


def all_finite(value: Array) -> bool:
    """Whether no element is NaN or infinite."""
    value = value.data if is_sparse(value) else value
    xp = namespace(value)
    return bool(xp.all(xp.isfinite(value)))


# --- elementary functions, by name ---------------------------------------------------------------


def exp(z: Array) -> Array:
    """e to the power z, elementwise; overflow gives infinity without a warning.

    An infinity here is meant: 1 / (1 + e^{-z}) is exactly 0 in the limit.
    """
    if isinstance(z, np.ndarray | np.generic):
        with np.errstate(over="ignore"):
            return np.exp(z)
    return namespace(z).exp(z)


def expm1(z: Array) -> Array:
    """e to the power z, minus 1, without cancellation near 0."""
    return namespace(z).expm1(z)


def log(z: Array) -> Array:
    """The natural logarithm."""
    return namespace(z).log(z)


def log1p(z: Array) -> Array:
    """The natural logarithm of 1 + z, without cancellation near 0."""
    return namespace(z).log1p(z)


def sqrt(z: Array) -> Array:
    """The square root."""
    return namespace(z).sqrt(z)


def tanh(z: Array) -> Array:
    """The hyperbolic tangent."""
    return namespace(z).tanh(z)


def sign(z: Array) -> Array:
    """-1, 0 or 1."""
    return namespace(z).sign(z)


def erf(z: Array) -> Array:
    """The error function. It is not in the array-API standard, so each library's own is named."""
    if array_api_compat.is_torch_array(z):
        return namespace(z).special.erf(z)
    if array_api_compat.is_jax_array(z):
        from jax.scipy.special import erf as jax_erf

        return jax_erf(z)
    from scipy.special import erf as scipy_erf

    return scipy_erf(z)


def where(condition: Array, yes: Array | float, no: Array | float) -> Array:
    """``yes`` where the condition holds, else ``no``; either may be a Python number."""
    xp = namespace(condition, yes, no)
    # In the standard at least one branch is an array; it lends its dtype to the other.
    if not is_array(yes) and not is_array(no):
        raise InputError("where() needs an array in at least one branch")
    if not is_array(yes):
        yes = xp.full_like(no, yes)
    elif not is_array(no):
        no = xp.full_like(yes, no)
    return xp.where(condition, yes, no)


def maximum(z: Array, other: Array | float) -> Array:
    """The larger of the two, elementwise; ``other`` may be a Python number."""
    if isinstance(z, np.ndarray | np.generic):
        return np.maximum(z, other)
    return namespace(z).maximum(z, asarray_like(other, z))


def minimum(z: Array, other: Array | float) -> Array:
    """The smaller of the two, elementwise; ``other`` may be a Python number."""
    if isinstance(z, np.ndarray | np.generic):
        return np.minimum(z, other)
    return namespace(z).minimum(z, asarray_like(other, z))


def max_last(z: Array) -> Array:
    """The largest element along the last axis, which is kept with length 1."""
    return namespace(z).max(z, axis=-1, keepdims=True)


def sum_last(z: Array) -> Array:
    """The sum along the last axis, which is kept with length 1."""
    return namespace(z).sum(z, axis=-1, keepdims=True)


def sum_first(z: Array) -> Array:
    """The sum along the first axis: over the samples of a batch."""
    return namespace(z).sum(z, axis=0)


def tiny_root(z: Array) -> float:
    """The square root of the smallest normal number of z's dtype.

    About 1.5e-154 in float64 and 1.1e-19 in float32: so small that no ordinary probability is
    below it, so large that its reciprocal times any reasonable number is finite.
    """
    return math.sqrt(namespace(z).finfo(z.dtype).smallest_normal)


def take_columns(z: Array, columns: list[int]) -> Array:
    """The given columns of a batch, in the given order."""
    if isinstance(z, np.ndarray):
        return z[:, columns]
    xp = namespace(z)
    index = xp.asarray(columns, device=array_api_compat.device(z))
    return xp.take(z, index, axis=1)


def concat_columns(parts: list[Array]) -> Array:
    """Batches side by side."""
    return namespace(*parts).concat(parts, axis=1)


def take_rows(z: Array, rows: NDArray[np.intp]) -> Array:
    """The given samples, in the given order."""
    if isinstance(z, np.ndarray) or is_sparse(z):
        return z[rows]
    xp = namespace(z)
    return xp.take(z, xp.asarray(rows, device=array_api_compat.device(z)), axis=0)


def concat_flat(parts: list[Array]) -> Array:
    """Arrays of any shape as one vector, each row by row."""
    xp = namespace(*parts)
    return xp.concat([xp.reshape(part, (-1,)) for part in parts])
