"""scikit-learn: MLPClassifier.partial_fit, which goes through the data once.

It has no quadratic loss with sigmoid outputs: given rows of several labels it trains sigmoid
outputs with cross-entropy. The samples are put in order beforehand, which spares it the shuffling.
"""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.peers import EpochDone
from benchmarks.problem import Parameters, Problem


def run(problem: Problem, epoch_done: EpochDone) -> None:
    """Train by plain SGD without penalty."""
    configuration = problem.configuration
    model = MLPClassifier(
        configuration.sizes[1:-1],
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=configuration.batch_size,
        learning_rate_init=configuration.learning_rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    x = np.ascontiguousarray(problem.x[problem.order])
    y = problem.y[problem.order].astype(int)
    # The first call makes the arrays; what it trained is then replaced.
    few = configuration.batch_size
    model.partial_fit(x[:few], y[:few], classes=np.arange(y.shape[1]))
    for i, (W, b) in enumerate(problem.initial):
        model.coefs_[i][...] = W.T
        model.intercepts_[i][...] = b

    def parameters() -> Parameters:
        return [(W.T, b) for W, b in zip(model.coefs_, model.intercepts_, strict=True)]

    while True:
        model.partial_fit(x, y)
        if not epoch_done(parameters):
            return
