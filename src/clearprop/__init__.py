"""clearprop: backpropagation with nothing hidden.

>>> import clearprop as cp
>>> net = cp.Network([2, 3, 2], activations=["tanh", "softmax"], loss="cross_entropy", seed=0)
>>> trace = net.backprop([[0.0, 1.0]], [[1.0, 0.0]])
>>> sorted(trace.delta)
[2, 3]

Everything here is loaded when it is first used, so that importing clearprop costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clearprop import activations, datasets, errors, initializers, losses, optimizers, schedules
    from clearprop.activations import Activation
    from clearprop.datasets import one_hot
    from clearprop.errors import (
        ClearpropError,
        DataError,
        DownloadError,
        InputError,
        MissingDependencyError,
        ModelFileError,
        NonFiniteError,
        NotKeptError,
        UnknownNameError,
    )
    from clearprop.evaluation import Evaluation, evaluate
    from clearprop.history import EpochReport, History
    from clearprop.initializers import Initializer
    from clearprop.losses import Loss
    from clearprop.model_file import load, save
    from clearprop.network import Network
    from clearprop.optimizers import (
        LBFGS,
        SGD,
        AdaGrad,
        Adam,
        AdamW,
        Momentum,
        Nesterov,
        Optimizer,
        RMSProp,
    )
    from clearprop.scaling import Scaling
    from clearprop.trace import Trace
    from clearprop.training import EarlyStopping, Step, fit, train

__all__ = [
    "LBFGS",
    "SGD",
    "Activation",
    "AdaGrad",
    "Adam",
    "AdamW",
    "ClearpropError",
    "DataError",
    "DownloadError",
    "EarlyStopping",
    "EpochReport",
    "Evaluation",
    "History",
    "Initializer",
    "InputError",
    "Loss",
    "MissingDependencyError",
    "ModelFileError",
    "Momentum",
    "Nesterov",
    "Network",
    "NonFiniteError",
    "NotKeptError",
    "Optimizer",
    "RMSProp",
    "Scaling",
    "Step",
    "Trace",
    "UnknownNameError",
    "__version__",
    "activations",
    "datasets",
    "errors",
    "evaluate",
    "fit",
    "initializers",
    "load",
    "losses",
    "one_hot",
    "optimizers",
    "save",
    "schedules",
    "train",
]

# module -> the public names that it has; the other names of __all__ are modules themselves
_HOMES: dict[str, tuple[str, ...]] = {
    "activations": ("Activation",),
    "datasets": ("one_hot",),
    "errors": (
        "ClearpropError",
        "DataError",
        "DownloadError",
        "InputError",
        "MissingDependencyError",
        "ModelFileError",
        "NonFiniteError",
        "NotKeptError",
        "UnknownNameError",
    ),
    "evaluation": (
        "Evaluation",
        "evaluate",
    ),
    "history": (
        "EpochReport",
        "History",
    ),
    "initializers": ("Initializer",),
    "losses": ("Loss",),
    "model_file": (
        "load",
        "save",
    ),
    "network": ("Network",),
    "optimizers": (
        "AdaGrad",
        "Adam",
        "AdamW",
        "LBFGS",
        "Momentum",
        "Nesterov",
        "Optimizer",
        "RMSProp",
        "SGD",
    ),
    "scaling": ("Scaling",),
    "trace": ("Trace",),
    "training": (
        "EarlyStopping",
        "Step",
        "fit",
        "train",
    ),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("clearprop")
    elif name not in __all__:
        raise AttributeError(f"clearprop has no {name!r}; it has {', '.join(__all__)}")
    else:
        homes = [module for module, names in _HOMES.items() if name in names]
        value = import_module(f"clearprop.{homes[0] if homes else name}")
        value = getattr(value, name) if homes else value
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
