"""One seed, and a stream of its own for every use of it."""

from typing import get_args

import numpy as np
import pytest

from clearprop.errors import InputError
from clearprop.randomness import Use, generator, stream

USES = get_args(Use)


def test_the_same_seed_and_use_give_the_same_numbers():
    assert np.array_equal(generator(3, "order").random(8), generator(3, "order").random(8))


def test_no_two_uses_or_seeds_share_their_numbers():
    draws = {
        (seed, use): tuple(generator(seed, use).integers(2**62, size=4))
        for seed in range(5)
        for use in USES
    }
    assert len({number for draw in draws.values() for number in draw}) == 4 * len(draws)


def test_uses_are_not_correlated():
    draws = np.array([generator(0, use).standard_normal(4000) for use in USES])
    correlation = np.corrcoef(draws) - np.eye(len(USES))
    assert np.abs(correlation).max() < 0.1


def test_without_a_seed_every_draw_is_fresh():
    assert stream(None, "data").entropy != stream(None, "data").entropy


def test_a_seed_of_numpy_is_a_seed():
    assert generator(np.int64(5), "split").random() == generator(5, "split").random()


@pytest.mark.parametrize("seed", [-1, 0.5, 1.0, "0", True, [1]])
def test_what_is_no_seed(seed):
    with pytest.raises(InputError, match="expected a whole number of at least 0, or None"):
        stream(seed, "order")
