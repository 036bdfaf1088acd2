"""BP1–BP4 of every activation with every loss at every depth, against three independent truths."""

import pytest
from conformance.cases import DEPTHS, FEW, PAIRS, cases, smooth_cases
from conformance.truths import TOLERANCE, differences, disagreement, from_trace, jax, pytorch
from hypothesis import given
from hypothesis import strategies as st

every_pair = pytest.mark.parametrize(("activation", "loss"), PAIRS)
every_depth = pytest.mark.parametrize("depth", DEPTHS)


@every_pair
@every_depth
@FEW
@given(data=st.data())
def test_against_differences_of_the_loss(activation, loss, depth, data):
    case = data.draw(smooth_cases(activation, loss, depth))
    assert disagreement(from_trace(case.backprop()), differences(case)) <= TOLERANCE


@every_pair
@every_depth
@FEW
@given(data=st.data())
def test_against_pytorch(activation, loss, depth, data):
    case = data.draw(cases(activation, loss, depth))
    assert disagreement(from_trace(case.backprop()), pytorch(case)) <= TOLERANCE


@every_pair
@every_depth
@FEW
@given(data=st.data())
def test_against_jax(activation, loss, depth, data):
    # JAX compiles every operation anew for every shape: one shape is enough here.
    case = data.draw(cases(activation, loss, depth, shape=([3] + [2] * depth, 3)))
    assert disagreement(from_trace(case.backprop()), jax(case)) <= TOLERANCE
