r"""Targets of any size: a regression learns them standardized, and speaks in their own units.

With an identity output layer :math:`a = W a' + b`, a network that predicts
:math:`(y - m) / s` predicts y once its last layer is :math:`s W` and :math:`s b + m`: the same
numbers, with nothing to remember afterwards. A learning rate that suits standardized targets
would have to be a hundred thousand times as large for house prices.
"""

from dataclasses import replace

import numpy as np

from clearprop.datasets import Dataset, Part
from clearprop.network import Network
from clearprop.scaling import Scaling

__all__ = ["fold_into_output", "standardized"]


def standardized(data: Dataset) -> tuple[Dataset, Scaling]:
    """The data set with its targets at mean 0 and standard deviation 1, and how they got there.

    As with inputs, mean and deviation are those of the training part alone.

    Parameters
    ----------
    data : Dataset
        For regression.

    Examples
    --------
    >>> part = Part(x=[[0.0], [1.0]], y=[[100.0], [300.0]])
    >>> small, scaling = standardized(Dataset("two", "regression", part, part))
    >>> small.train.y.ravel(), scaling.offset, scaling.scale
    (array([-1.,  1.]), array([200.]), array([100.]))
    """
    scaling = Scaling.learn("standard", data.train.y)
    assert scaling is not None  # None stands for the kind "none"

    def scaled(part: Part) -> Part:
        return Part(part.x, np.asarray(scaling.apply(part.y)))

    validation = None if data.validation is None else scaled(data.validation)
    changed = replace(data, train=scaled(data.train), test=scaled(data.test), validation=validation)
    return changed, scaling


def fold_into_output(net: Network, scaling: Scaling) -> None:
    """Make a network that predicts scaled targets predict the targets themselves.

    Parameters
    ----------
    net : Network
        Its output layer is the identity. Changed in place.
    scaling : Scaling
        That of the targets.

    Examples
    --------
    >>> net = Network([1, 1], activations="identity", seed=0)
    >>> before = net.predict([[0.5]])
    >>> fold_into_output(net, Scaling("standard", offset=[200.0], scale=[100.0]))
    >>> bool(abs(net.predict([[0.5]]) - (100 * before + 200)).max() < 1e-10)
    True
    """
    last = net.n_layers
    net.weights[last] = net.weights[last] * scaling.scale[:, None]
    net.biases[last] = net.biases[last] * scaling.scale + scaling.offset
