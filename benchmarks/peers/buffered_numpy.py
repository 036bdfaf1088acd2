"""NumPy as fast as it goes: whole batches, every array allocated once."""

import numpy as np

from benchmarks.peers import EpochDone
from benchmarks.problem import Problem


def run(problem: Problem, epoch_done: EpochDone) -> None:
    """Train with ``out=`` everywhere."""
    parameters = problem.copy_of_initial()
    sizes, size = problem.configuration.sizes, problem.configuration.batch_size
    a = [np.empty((size, n), np.float32) for n in sizes]
    delta = [np.empty((size, n), np.float32) for n in sizes]
    slope = [np.empty((size, n), np.float32) for n in sizes]
    y = np.empty((size, sizes[-1]), np.float32)
    grad_w = [np.empty_like(W) for W, _ in parameters]
    grad_b = [np.empty_like(b) for _, b in parameters]
    one = np.float32(1)
    last = len(sizes) - 1
    while True:
        for batch in problem.batches():
            rows = problem.order[batch]
            m = len(rows)
            np.take(problem.x, rows, axis=0, out=a[0][:m], mode="clip")
            np.take(problem.y, rows, axis=0, out=y[:m], mode="clip")
            for i, (W, b) in enumerate(parameters):
                z = a[i + 1][:m]
                np.dot(a[i][:m], W.T, out=z)
                z += b
                np.negative(z, out=z)
                np.exp(z, out=z)
                z += one
                np.divide(one, z, out=z)
            np.subtract(a[last][:m], y[:m], out=delta[last][:m])
            rate = np.float32(problem.configuration.learning_rate / m)
            for i in range(last, 0, -1):
                W, b = parameters[i - 1]
                d, f = delta[i][:m], slope[i][:m]
                np.subtract(one, a[i][:m], out=f)
                f *= a[i][:m]
                d *= f
                if i > 1:
                    np.dot(d, W, out=delta[i - 1][:m])
                np.dot(d.T, a[i - 1][:m], out=grad_w[i - 1])
                np.sum(d, axis=0, out=grad_b[i - 1])
                grad_w[i - 1] *= rate
                grad_b[i - 1] *= rate
                W -= grad_w[i - 1]
                b -= grad_b[i - 1]
        if not epoch_done(lambda: parameters):
            return
