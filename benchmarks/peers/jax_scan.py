"""JAX: the whole epoch in one call, jit around lax.scan, with the parameters' memory reused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers import EpochDone
from benchmarks.problem import Parameters, Problem


def run(problem: Problem, epoch_done: EpochDone) -> None:
    """Train with ``jax.grad``; an incomplete last batch is a second, single step."""
    rate = problem.configuration.learning_rate

    def loss_of(parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        for W, b in parameters:
            x = jax.nn.sigmoid(x @ W.T + b)
        return 0.5 * jnp.sum((x - y) ** 2) / x.shape[0]

    def step(parameters: Any, rows: jax.Array) -> tuple[Any, None]:
        gradient = jax.grad(loss_of)(parameters, x[rows], y[rows])
        return jax.tree.map(lambda p, g: p - rate * g, parameters, gradient), None

    def epoch(parameters: Any, whole: jax.Array, rest: jax.Array) -> Any:
        parameters = jax.lax.scan(step, parameters, whole)[0]
        return step(parameters, rest)[0] if len(rest) else parameters

    x, y = jnp.asarray(problem.x), jnp.asarray(problem.y)
    size = problem.configuration.batch_size
    complete = len(problem.order) // size * size
    order = problem.order.astype(np.int32)
    whole = jnp.asarray(order[:complete].reshape(-1, size))
    rest = jnp.asarray(order[complete:])
    run_epoch = jax.jit(epoch, donate_argnums=0)
    state = [(jnp.asarray(W), jnp.asarray(b)) for W, b in problem.initial]

    def parameters() -> Parameters:
        return [(np.asarray(W), np.asarray(b)) for W, b in state]

    while True:
        state = jax.block_until_ready(run_epoch(state, whole, rest))
        if not epoch_done(parameters):
            return
