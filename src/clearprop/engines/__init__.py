"""The engines, and the table of them. To add one, add its file and a row to :data:`ENGINES`."""

from typing import Any

from clearprop.engines._base import Batch, Engine, Job, Outcome, Sums
from clearprop.engines.reference import ReferenceEngine
from clearprop.errors import InputError, unknown_name

__all__ = ["ENGINES", "Batch", "Engine", "Job", "Outcome", "ReferenceEngine", "Sums", "get_engine"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (ReferenceEngine(),)}


def get_engine(choice: Any) -> Engine:
    """The engine that a name or an engine stands for.

    Raises
    ------
    UnknownNameError
        For a name that :data:`ENGINES` does not hold.
    InputError
        For anything that is neither a name nor an engine.
    """
    if isinstance(choice, Engine):
        return choice
    if isinstance(choice, str):
        try:
            return ENGINES[choice]
        except KeyError:
            raise unknown_name("engine", choice, ENGINES) from None
    raise InputError(f"an engine is a name ({', '.join(ENGINES)}); given {choice!r}")
