"""The learning rate over time, by hand."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearprop.errors import InputError, UnknownNameError
from clearprop.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    Plateaus,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    get_schedule,
    schedule_named,
)

every_schedule = pytest.mark.parametrize("name", SCHEDULES)


@pytest.mark.parametrize(
    ("schedule", "epoch", "rate"),
    [
        (Constant(0.3), 0, 0.3),
        (Constant(0.3), 99.5, 0.3),
        (StepDecay(0.8), 9.99, 0.8),
        (StepDecay(0.8), 10, 0.4),
        (StepDecay(0.8, every=3, factor=0.1), 8.5, 0.008),
        (Exponential(2.0, decay=0.5), 0.99, 2.0),
        (Exponential(2.0, decay=0.5), 3.0, 0.25),
        (Cosine(1.0), 0, 1.0),
        (Cosine(1.0), 5, 0.5),
        (Cosine(1.0), 2.5, (1 + math.sqrt(0.5)) / 2),
        (Cosine(1.0), 10, 0.0),
        (Cosine(1.0), 12, 0.0),
        (Cosine(1.0, final=0.2), 5, 0.6),
        (Cosine(1.0, final=0.2), 10, 0.2),
        (Cosine(1.0, warmup=4), 0, 0.0),
        (Cosine(1.0, warmup=4), 1, 0.25),
        (Cosine(1.0, warmup=4), 4, 1.0),
        (Cosine(1.0, warmup=4), 7, 0.5),
        (Cosine(1.0, warmup=20), 10, 0.5),
        (ReduceOnPlateau(1.0), 9, 1.0),
    ],
)
def test_rates_by_hand(schedule, epoch, rate):
    assert schedule.rate(epoch, epochs=10) == pytest.approx(rate, rel=1e-12, abs=1e-15)


def test_the_rate_falls_with_every_plateau_but_not_below_the_minimum():
    schedule = ReduceOnPlateau(1.0, factor=0.5, minimum=0.2)
    assert [schedule.rate(3, 10, plateaus) for plateaus in range(5)] == [1, 0.5, 0.25, 0.2, 0.2]


@every_schedule
@given(epochs=st.integers(1, 100), share=st.floats(0, 1), plateaus=st.integers(0, 50))
def test_every_rate_is_a_number_between_nothing_and_the_first(name, epochs, share, plateaus):
    schedule = schedule_named(name, 0.7)
    assert isinstance(schedule, SCHEDULES[name])
    rate = schedule.rate(share * epochs, epochs, plateaus)
    assert type(rate) is float
    assert 0 <= rate <= 0.7


@given(st.lists(st.floats(0, 10), max_size=30), st.integers(1, 4), st.sampled_from([0.0, 0.5]))
def test_plateaus(losses, patience, min_delta):
    counter, best, waited, expected = Plateaus(patience, min_delta), math.inf, 0, 0
    for loss in losses:
        if loss < best - min_delta:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            expected, waited = expected + 1, 0
        assert counter.observe(loss) == expected


def test_a_loss_that_is_no_number_is_no_new_best():
    assert [Plateaus(1).observe(loss) for loss in (math.nan, math.inf)] == [1, 1]


def test_what_a_learning_rate_may_be():
    assert get_schedule(0.5) == get_schedule(np.float64(0.5)) == Constant(0.5)
    assert get_schedule(3) == Constant(3.0)
    assert get_schedule(np.float32(0.5)).rate(0, 1) == 0.5
    assert get_schedule(cosine := Cosine(0.1)) is cosine


@pytest.mark.parametrize("choice", [0, -0.1, math.nan, math.inf, True, "0.1", None, 10**400, [0.1]])
def test_what_is_no_learning_rate(choice):
    with pytest.raises(InputError, match=r"a learning rate is a positive number or a .*; given"):
        get_schedule(choice)


def test_an_unknown_schedule():
    with pytest.raises(UnknownNameError, match="unknown schedule 'cosin'; did you mean 'cosine'"):
        schedule_named("cosin", 0.1)


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        (Constant, "initial", [0, -1, math.nan, math.inf, "1", None, True]),
        (StepDecay, "every", [0, -1, 2.5, True, "3", None]),
        (StepDecay, "factor", [0, 1.5, -0.5, math.nan, "0.5", None]),
        (Exponential, "decay", [0, 1.5, math.nan, "0.5", None]),
        (Cosine, "warmup", [-1, math.nan, math.inf, "2", None]),
        (Cosine, "final", [-0.1, 2.0, math.nan, "0", None]),
        (ReduceOnPlateau, "factor", [0, 1, 2, math.nan, "0.5", None]),
        (ReduceOnPlateau, "patience", [0, -1, 1.5, True, "5", None]),
        (ReduceOnPlateau, "min_delta", [-1, math.nan, "0", None]),
        (ReduceOnPlateau, "minimum", [-1, 2.0, math.nan, "0", None]),
    ],
)
def test_a_parameter_out_of_its_range(kind, name, wrong):
    for value in wrong:
        with pytest.raises(InputError) as caught:
            kind(**{"initial": 1.0, name: value})
        assert str(caught.value).startswith(f"{kind.__name__}: {name} is {value!r}; expected a ")


def test_the_edges_of_the_ranges_are_inside():
    assert StepDecay(1.0, every=1, factor=1).rate(5, 10) == 1
    assert Exponential(1.0, decay=1).rate(5, 10) == 1
    assert Cosine(1.0, warmup=0, final=1.0).rate(5, 10) == 1
    assert ReduceOnPlateau(1.0, patience=1, min_delta=0, minimum=1.0).rate(5, 10, 3) == 1


@every_schedule
def test_every_parameter_above_is_one_of_the_table(name):
    kind = SCHEDULES[name]
    assert issubclass(kind, Schedule)
    assert next(iter(inspect.signature(kind).parameters)) == "initial"
