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

# public name -> the module that has it; a module's own name stands for the module
_HOMES = {
    **dict.fromkeys(
        (
            "activations",
            "datasets",
            "errors",
            "initializers",
            "losses",
            "optimizers",
            "schedules",
        ),
        "",
    ),
    "Activation": "activations",
    "AdaGrad": "optimizers",
    "Adam": "optimizers",
    "AdamW": "optimizers",
    "ClearpropError": "errors",
    "DataError": "errors",
    "DownloadError": "errors",
    "EarlyStopping": "training",
    "EpochReport": "history",
    "Evaluation": "evaluation",
    "History": "history",
    "Initializer": "initializers",
    "InputError": "errors",
    "LBFGS": "optimizers",
    "Loss": "losses",
    "MissingDependencyError": "errors",
    "ModelFileError": "errors",
    "Momentum": "optimizers",
    "Nesterov": "optimizers",
    "Network": "network",
    "NonFiniteError": "errors",
    "NotKeptError": "errors",
    "Optimizer": "optimizers",
    "RMSProp": "optimizers",
    "SGD": "optimizers",
    "Scaling": "scaling",
    "Step": "training",
    "Trace": "trace",
    "UnknownNameError": "errors",
    "evaluate": "evaluation",
    "fit": "training",
    "load": "model_file",
    "one_hot": "datasets",
    "save": "model_file",
    "train": "training",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("clearprop")
    if name not in _HOMES:
        raise AttributeError(f"clearprop has no {name!r}; it has {', '.join(__all__)}")
    home = _HOMES[name]
    value = getattr(import_module(f"clearprop.{home}"), name) if home else import_module(f"clearprop.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
