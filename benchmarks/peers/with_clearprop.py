"""clearprop, as anybody uses it: ``cp.fit``."""

import clearprop as cp
from benchmarks.peers import EpochDone
from benchmarks.problem import Parameters, Problem


def run(problem: Problem, epoch_done: EpochDone) -> None:
    """Train with the compiled engine."""
    configuration = problem.configuration
    net = cp.Network(list(configuration.sizes), dtype="float32", seed=0)
    for layer, (W, b) in enumerate(problem.initial, start=2):
        net.weights[layer], net.biases[layer] = W, b

    def parameters() -> Parameters:
        return [(net.weights[i], net.biases[i]) for i in range(2, net.n_layers + 1)]

    cp.fit(
        net,
        (problem.x, problem.y),
        epochs=1_000_000,
        batch_size=configuration.batch_size,
        optimizer=cp.SGD(configuration.learning_rate),
        shuffle=lambda epoch: problem.order,
        engine="compiled",
        progress=False,
        callbacks=[lambda net, report: not epoch_done(parameters)],
    )
