"""The engines, and the table of them. To add one, add its file and a row to :data:`ENGINES`."""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from clearprop.architecture import Architecture
from clearprop.arrays import Array
from clearprop.engines._base import Batch, Engine, Job, Outcome, Sums
from clearprop.engines.reference import ReferenceEngine
from clearprop.errors import InputError, MissingDependencyError, unknown_name

__all__ = [
    "ENGINES",
    "Batch",
    "Engine",
    "Job",
    "Outcome",
    "ReferenceEngine",
    "Sums",
    "choose_engine",
    "get_engine",
]

_log = logging.getLogger("clearprop")


def _compiled() -> Engine:
    # Numba takes half a second to load: only where it is wanted.
    try:
        from clearprop.engines.compiled import CompiledEngine
    except ImportError as error:
        raise MissingDependencyError(
            f"the compiled engine needs Numba, which cannot be loaded here ({error}); "
            "install it with: pip install numba"
        ) from None
    return CompiledEngine()


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "reference": ReferenceEngine,
    "compiled": _compiled,
}


@cache
def _made(name: str) -> Engine:
    return ENGINES[name]()


def get_engine(choice: Any) -> Engine:
    """The engine that a name or an engine stands for.

    Raises
    ------
    UnknownNameError
        For a name that :data:`ENGINES` does not hold.
    InputError
        For anything that is neither a name nor an engine.
    MissingDependencyError
        Where the engine needs a library that is not installed.
    """
    if isinstance(choice, Engine):
        return choice
    if isinstance(choice, str):
        if choice not in ENGINES:
            raise unknown_name("engine", choice, ENGINES)
        return _made(choice)
    raise InputError(f"an engine is {choice!r}; expected a name ({', '.join(ENGINES)})")


def choose_engine(choice: Any, architecture: Architecture, dtype: str, x: Array) -> Engine:
    """The engine to train with: the one that is named, or for ``"auto"`` the fastest that can.

    Where the compiled engine cannot compute with a network, the reference engine takes its place,
    and one line of the log, which Python shows on standard error, says why.

    Raises
    ------
    InputError
        Where the engine that is named cannot compute with this network and input.
    """
    if choice != "auto":
        engine = get_engine(choice)
        why = engine.refuses(architecture, dtype, x)
        if why is not None:
            raise InputError(
                f"engine={engine.name!r} cannot be used here: {why}; expected engine='reference', "
                "or 'auto', which chooses"
            )
        return engine
    try:
        engine = get_engine("compiled")
        why = engine.refuses(architecture, dtype, x)
    except MissingDependencyError as error:
        why = str(error)
    if why is None:
        return engine
    if isinstance(x, np.ndarray):
        _log.warning("the slower reference engine is used: %s", why)
    return get_engine("reference")
