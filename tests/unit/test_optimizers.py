"""Every optimizer: against PyTorch, by hand, and what its parameters may be."""

import dataclasses
import math

import numpy as np
import pytest

import clearprop as cp
from clearprop.errors import InputError, UnknownNameError
from clearprop.optimizers import OPTIMIZERS, Optimizer, get_optimizer
from clearprop.schedules import Constant, Cosine, StepDecay

N, STEPS = 12, 20

# ours, and the same of PyTorch by its name and arguments
PAIRS = {
    "sgd": (cp.SGD(0.3), "SGD", {"lr": 0.3}),
    "momentum": (cp.Momentum(0.1, momentum=0.8), "SGD", {"lr": 0.1, "momentum": 0.8}),
    "nesterov": (
        cp.Nesterov(0.1, momentum=0.8),
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
    ),
    "adagrad": (cp.AdaGrad(0.2), "Adagrad", {"lr": 0.2}),
    "rmsprop": (cp.RMSProp(0.01, decay=0.95), "RMSprop", {"lr": 0.01, "alpha": 0.95}),
    "adam": (cp.Adam(0.01), "Adam", {"lr": 0.01}),
    "adam, other betas": (
        cp.Adam(0.02, beta1=0.7, beta2=0.95, epsilon=1e-3),
        "Adam",
        {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3},
    ),
    "adamw": (
        cp.AdamW(0.05, weight_decay=0.3),
        "AdamW",
        {"lr": 0.05, "weight_decay": 0.3},
    ),
}
STEPPED = [name for name, kind in OPTIMIZERS.items() if kind is not cp.LBFGS]

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
every_stepped = pytest.mark.parametrize("name", STEPPED)


def steps(optimizer, start, gradients, rates=None):
    """The parameters after each step."""
    p, state, path = start, optimizer.init(start), []
    for i, g in enumerate(gradients):
        rate = optimizer.schedule.rate(0, 1) if rates is None else rates[i]
        p, state = optimizer.update(p, g, state, rate)
        path.append(p)
    assert state.step == len(gradients)
    return np.array(path)


@pytest.mark.parametrize("pair", PAIRS)
def test_against_pytorch(pair):
    torch = pytest.importorskip("torch")
    ours, name, arguments = PAIRS[pair]
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=N), rng.normal(size=(STEPS, N))
    gradients[3] = 0  # a step on which nothing pulls
    gradients[:, 0] = 0  # a parameter that nothing ever pulls
    theirs = torch.nn.Parameter(torch.tensor(start))
    optimizer = getattr(torch.optim, name)([theirs], **arguments)
    path = []
    for g in gradients:
        theirs.grad = torch.tensor(g)
        optimizer.step()
        path.append(theirs.detach().numpy().copy())
    assert steps(ours, start, gradients) == pytest.approx(np.array(path), rel=1e-12, abs=1e-15)


def test_every_optimizer_is_compared_with_pytorch():
    assert {type(ours) for ours, _, _ in PAIRS.values()} == {OPTIMIZERS[name] for name in STEPPED}


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        # p = 1 and g = 0.5 twice, with a rate of 0.1
        (cp.SGD(), [0.95, 0.9]),
        (cp.Momentum(momentum=0.5), [0.95, 0.875]),
        (cp.Nesterov(momentum=0.5), [0.925, 0.8375]),
        (cp.AdaGrad(epsilon=1e-30), [0.9, 0.9 - 0.1 / math.sqrt(2)]),
        (cp.RMSProp(decay=0.75, epsilon=1e-30), [0.8, 0.8 - 0.1 / math.sqrt(0.4375)]),
        (cp.Adam(epsilon=1e-30), [0.9, 0.8]),
        (cp.AdamW(epsilon=1e-30, weight_decay=0.5), [0.85, 0.7075]),
    ],
)
def test_two_steps_by_hand(optimizer, expected):
    path = steps(optimizer, np.array([1.0]), np.full((2, 1), 0.5), rates=[0.1, 0.1])
    assert path[:, 0] == pytest.approx(expected, rel=1e-14)


def test_momentum_takes_each_steps_own_rate():
    # v = -0.1·1, then 0.5 v - 0.4·1: an earlier step keeps the rate that it was taken with.
    path = steps(cp.Momentum(momentum=0.5), np.zeros(1), np.ones((2, 1)), rates=[0.1, 0.4])
    assert path[:, 0] == pytest.approx([-0.1, -0.55])


@every_stepped
def test_an_update_changes_nothing_in_place_and_keeps_the_dtype(name):
    optimizer = OPTIMIZERS[name]()
    for dtype in (np.float32, np.float64):
        p, g = np.ones(3, dtype), np.full(3, 0.5, dtype)
        state = optimizer.init(p)
        assert len(state.slots) == optimizer.slots
        assert all((slot == 0).all() and slot.dtype == dtype for slot in state.slots)
        new, after = optimizer.update(p, g, state, 0.1)
        assert new.dtype == dtype
        assert all(slot.dtype == dtype for slot in after.slots)
        assert (p == 1).all()
        assert (g == 0.5).all()
        assert state.step == 0
        assert all((slot == 0).all() for slot in state.slots)


@every_stepped
def test_every_element_goes_its_own_way(name):
    optimizer, rng = OPTIMIZERS[name](), np.random.default_rng(1)
    start, gradients = rng.normal(size=4), rng.normal(size=(5, 4))
    together = steps(optimizer, start, gradients)
    alone = np.hstack([steps(optimizer, start[[i]], gradients[:, [i]]) for i in range(4)])
    assert np.array_equal(together, alone)


@every_optimizer
def test_a_name_stands_for_the_defaults(name):
    optimizer = get_optimizer(name)
    assert optimizer == OPTIMIZERS[name]()
    assert isinstance(optimizer, Optimizer)
    assert get_optimizer(optimizer) is optimizer
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizer.learning_rate = 1.0


def test_a_rate_may_be_a_schedule():
    schedule = Cosine(0.5, warmup=2)
    assert cp.Adam(schedule).schedule is schedule
    assert cp.SGD(0.5).schedule == Constant(0.5)
    assert cp.SGD(StepDecay(0.5)) == cp.SGD(StepDecay(0.5))


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        (cp.Momentum, "momentum", [-0.1, 1.0, math.nan, "0.9", None, True]),
        (cp.Nesterov, "momentum", [1.0]),
        (cp.AdaGrad, "epsilon", [0, -1, math.nan, "0", None]),
        (cp.RMSProp, "decay", [-0.1, 1.0, math.nan, "0.9", None]),
        (cp.RMSProp, "epsilon", [0]),
        (cp.Adam, "beta1", [-0.1, 1.0, math.nan, "0.9", None]),
        (cp.Adam, "beta2", [-0.1, 1.0, math.nan, "0.9", None]),
        (cp.Adam, "epsilon", [0, math.inf]),
        (cp.AdamW, "weight_decay", [-0.1, math.inf, math.nan, "0.1", None]),
        (cp.AdamW, "beta1", [1.0]),
        (cp.LBFGS, "memory", [0, -1, 1.5, True, "10", None]),
        (cp.LBFGS, "tolerance", [-1, math.nan, "0", None]),
    ],
)
def test_a_parameter_out_of_its_range(kind, name, wrong):
    for value in wrong:
        with pytest.raises(InputError) as caught:
            kind(**{name: value})
        assert str(caught.value).startswith(f"{kind.__name__}: {name} is {value!r}; expected a ")


def test_the_edges_of_the_ranges_are_inside():
    assert cp.Momentum(momentum=0).momentum == 0
    assert cp.RMSProp(decay=0).decay == 0
    assert cp.Adam(beta1=0, beta2=0).beta2 == 0
    assert cp.AdamW(weight_decay=0).weight_decay == 0
    assert cp.LBFGS(memory=1, tolerance=0).tolerance == 0


@every_stepped
@pytest.mark.parametrize("rate", [0, -1, math.nan, "0.1", None, True])
def test_a_learning_rate_that_is_none(name, rate):
    with pytest.raises(InputError, match=f"a learning rate is a positive number .*given {rate!r}"):
        OPTIMIZERS[name](rate)


def test_lbfgs_has_no_learning_rate():
    with pytest.raises(TypeError, match="learning_rate"):
        cp.LBFGS(learning_rate=0.1)


def test_what_stands_for_no_optimizer():
    with pytest.raises(UnknownNameError, match="did you mean 'adam'"):
        get_optimizer("adm")
    with pytest.raises(UnknownNameError, match="did you mean 'sgd'"):
        get_optimizer("SGD")
    for choice in (None, 0.1, cp.Adam):
        with pytest.raises(InputError, match=r"an optimizer is a name \(.*\) or a record"):
            get_optimizer(choice)
