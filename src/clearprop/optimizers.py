r"""Optimizers: records over the flat parameter vector, and the table of them.

An optimizer is a number of *slots* (vectors of state as long as the parameters, zero at the start),
a few *constants* of a step, and one elementwise *rule* from parameter, gradient and slots to the
new parameter and slots. The rule is written once: the reference engine evaluates it on the whole
vector, the compiled engine compiles it.

L-BFGS is of another kind: it looks at the whole training set at once and chooses its own step
lengths. SciPy provides it.

To add one, add a class here and a row to :data:`OPTIMIZERS`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clearprop.arrays import Array, sqrt
from clearprop.errors import InputError, unknown_name
from clearprop.schedules import Schedule, get_schedule, require, require_whole

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "OptimizerState",
    "RMSProp",
    "get_optimizer",
]

Slots = tuple[Array, ...]
# Numbers, or arrays of them with one for each of several steps.
Constants = tuple[Any, ...]


@dataclass
class OptimizerState:
    """What an optimizer remembers from step to step.

    Attributes
    ----------
    slots : tuple of arrays, shape (n_parameters,)
        The state vectors.
    step : int
        How many steps have been taken.
    """

    slots: tuple[NDArray[Any], ...]
    step: int = 0


@dataclass(frozen=True)
class Optimizer:
    """How a gradient changes the parameters.

    Parameters
    ----------
    learning_rate : float or Schedule
        η, or η over time.

    Raises
    ------
    InputError
        Where a parameter is out of its range.
    """

    learning_rate: float | Schedule = 0.1

    slots: ClassVar[int] = 0

    def __post_init__(self) -> None:
        get_schedule(self.learning_rate)

    @property
    def schedule(self) -> Schedule:
        """The learning rate over time."""
        return get_schedule(self.learning_rate)

    def init(self, parameters: NDArray[Any]) -> OptimizerState:
        """The state before the first step: every slot is zero."""
        return OptimizerState(tuple(np.zeros_like(parameters) for _ in range(self.slots)))

    def constants(self, rate: Any, step: Any) -> Constants:
        """The numbers of a step that are the same for every parameter.

        Parameters
        ----------
        rate : float, or array
            The learning rate of the step, or those of several steps.
        step : int, or array
            Which step it is, counted from 1.
        """
        return (rate,)

    @staticmethod
    def rule(p: Array, g: Array, slots: Slots, c: Constants) -> tuple[Array, Slots]:
        """The new parameter and slots, elementwise."""
        raise NotImplementedError  # pragma: no cover - every optimizer defines it

    def update(
        self, parameters: NDArray[Any], gradient: NDArray[Any], state: OptimizerState, rate: float
    ) -> tuple[NDArray[Any], OptimizerState]:
        """The parameters and the state after one step. Nothing is changed in place.

        Parameters
        ----------
        parameters, gradient : arrays, shape (n_parameters,)
            Where we are, and ∂C/∂parameters there.
        state : OptimizerState
            From :meth:`init` or the step before.
        rate : float
            The learning rate of this step.

        Examples
        --------
        >>> p = np.array([1.0])
        >>> SGD(0.5).update(p, np.array([0.2]), SGD(0.5).init(p), rate=0.5)[0]
        array([0.9])
        """
        step = state.step + 1
        constants = self.constants(rate, step)
        updated, slots = self.rule(parameters, gradient, state.slots, constants)
        return updated, OptimizerState(slots, step)


@dataclass(frozen=True)
class SGD(Optimizer):
    r"""Gradient descent: :math:`p \leftarrow p - \eta g`.

    With mini-batches it is stochastic. Nielsen, ch. 1 (20, 21).

    Examples
    --------
    >>> SGD(3.0).schedule.rate(0, epochs=30)
    3.0
    """

    @staticmethod
    def rule(p: Array, g: Array, slots: Slots, c: Constants) -> tuple[Array, Slots]:
        """p - ηg."""
        return p - c[0] * g, slots


@dataclass(frozen=True)
class Momentum(Optimizer):
    r"""Gradient descent with a velocity: :math:`v \leftarrow \mu v - \eta g,\ p \leftarrow p + v`.

    Polyak, 1964; Nielsen, ch. 3 (107, 108).

    Parameters
    ----------
    momentum : float
        μ, the share of the velocity that stays; from 0 to below 1.
    """

    momentum: float = 0.9

    slots: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "momentum", "from 0 to below 1", lambda share: 0 <= share < 1)

    def constants(self, rate: Any, step: Any) -> Constants:
        """η, μ."""
        return rate, self.momentum

    @staticmethod
    def rule(p: Array, g: Array, slots: Slots, c: Constants) -> tuple[Array, Slots]:
        """v ← μv - ηg; p + v."""
        v = c[1] * slots[0] - c[0] * g
        return p + v, (v,)


@dataclass(frozen=True)
class Nesterov(Momentum):
    r"""Momentum that looks ahead: :math:`p \leftarrow p + \mu v - \eta g` with the new v.

    Nesterov, 1983, in the form of Sutskever et al., *On the importance of initialization and
    momentum in deep learning*, 2013, with the parameters kept at the point looked ahead to.
    """

    @staticmethod
    def rule(p: Array, g: Array, slots: Slots, c: Constants) -> tuple[Array, Slots]:
        """v ← μv - ηg; p + μv - ηg."""
        v = c[1] * slots[0] - c[0] * g
        return p + c[1] * v - c[0] * g, (v,)


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    r"""Each parameter's rate falls with its own squared gradients: :math:`\eta g/(\sqrt s + ε)`.

    Duchi, Hazan & Singer, *Adaptive subgradient methods*, 2011.

    Parameters
    ----------
    epsilon : float
        ε, what keeps the division finite.
    """

    learning_rate: float | Schedule = 0.01
    epsilon: float = 1e-10

    slots: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "epsilon", "above 0", lambda epsilon: epsilon > 0)

    def constants(self, rate: Any, step: Any) -> Constants:
        """η, ε."""
        return rate, self.epsilon

    @staticmethod
    def rule(p: Array, g: Array, slots: Slots, c: Constants) -> tuple[Array, Slots]:
        """s ← s + g²; p - ηg/(√s + ε)."""
        s = slots[0] + g * g
        return p - c[0] * g / (sqrt(s) + c[1]), (s,)


@dataclass(frozen=True)
class RMSProp(Optimizer):
    r"""AdaGrad with a memory that fades: :math:`s \leftarrow \rho s + (1-\rho) g^2`.

    Tieleman & Hinton, Coursera lecture 6.5, 2012.

    Parameters
    ----------
    decay : float
        ρ, from 0 to below 1.
    epsilon : float
        ε, what keeps the division finite.
    """

    learning_rate: float | Schedule = 0.001
    decay: float = 0.9
    epsilon: float = 1e-8

    slots: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "decay", "from 0 to below 1", lambda share: 0 <= share < 1)
        require(self, "epsilon", "above 0", lambda epsilon: epsilon > 0)

    def constants(self, rate: Any, step: Any) -> Constants:
        """η, ρ, ε."""
        return rate, self.decay, self.epsilon

    @staticmethod
    def rule(p: Array, g: Array, slots: Slots, c: Constants) -> tuple[Array, Slots]:
        """s ← ρs + (1-ρ)g²; p - ηg/(√s + ε)."""
        s = c[1] * slots[0] + (1 - c[1]) * (g * g)
        return p - c[0] * g / (sqrt(s) + c[2]), (s,)


@dataclass(frozen=True)
class Adam(Optimizer):
    r"""Momentum and RMSProp together, each corrected for its start at zero.

    Kingma & Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1.

    Parameters
    ----------
    beta1, beta2 : float
        What share of the mean and of the squared mean stays; from 0 to below 1.
    epsilon : float
        ε, what keeps the division finite.
    """

    learning_rate: float | Schedule = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    slots: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "beta1", "from 0 to below 1", lambda share: 0 <= share < 1)
        require(self, "beta2", "from 0 to below 1", lambda share: 0 <= share < 1)
        require(self, "epsilon", "above 0", lambda epsilon: epsilon > 0)

    def constants(self, rate: Any, step: Any) -> Constants:
        """η/(1-β₁ᵗ), β₁, β₂, 1/√(1-β₂ᵗ), ε, and the weight decay factor 1."""
        return (
            rate / (1 - self.beta1**step),
            self.beta1,
            self.beta2,
            (1 - self.beta2**step) ** -0.5,
            self.epsilon,
            1.0,
        )

    @staticmethod
    def rule(p: Array, g: Array, slots: Slots, c: Constants) -> tuple[Array, Slots]:
        """m ← β₁m + (1-β₁)g; s ← β₂s + (1-β₂)g²; p - η m̂/(√ŝ + ε)."""
        m = c[1] * slots[0] + (1 - c[1]) * g
        s = c[2] * slots[1] + (1 - c[2]) * (g * g)
        return c[5] * p - c[0] * m / (sqrt(s) * c[3] + c[4]), (m, s)


@dataclass(frozen=True)
class AdamW(Adam):
    r"""Adam whose weight decay does not pass through the moments: :math:`p(1 - \eta\lambda)` first.

    Loshchilov & Hutter, *Decoupled weight decay regularization*, 2019. The decay acts on every
    parameter, biases included.

    Parameters
    ----------
    weight_decay : float
        λ, at least 0.
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "weight_decay", "at least 0", lambda decay: decay >= 0)

    def constants(self, rate: Any, step: Any) -> Constants:
        """Adam's, with the weight decay factor 1 - ηλ."""
        return (*super().constants(rate, step)[:-1], 1 - rate * self.weight_decay)


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS on the whole training set, through SciPy; it has no learning rate.

    Liu & Nocedal, *On the limited memory BFGS method for large scale optimization*, 1989. One
    iteration is one epoch; the batch size is that of the training set.

    Parameters
    ----------
    memory : int
        How many past steps approximate the curvature.
    tolerance : float
        Stop when no component of the gradient is larger.
    """

    learning_rate: float | Schedule = field(default=1.0, init=False, repr=False)
    memory: int = 10
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        require_whole(self, "memory")
        require(self, "tolerance", "at least 0", lambda bound: bound >= 0)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "lbfgs": LBFGS,
}


def get_optimizer(choice: Any) -> Optimizer:
    """The optimizer that a name (with its own defaults) or a record stands for.

    Raises
    ------
    UnknownNameError
        For a name that :data:`OPTIMIZERS` does not hold.
    InputError
        For anything that is neither a name nor a record.
    """
    if isinstance(choice, Optimizer):
        return choice
    if isinstance(choice, str):
        try:
            return OPTIMIZERS[choice]()
        except KeyError:
            raise unknown_name("optimizer", choice, OPTIMIZERS) from None
    raise InputError(
        f"an optimizer is a name ({', '.join(OPTIMIZERS)}) or a record such as cp.SGD(3.0); "
        f"given {choice!r}"
    )
