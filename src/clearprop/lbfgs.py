"""L-BFGS, one iteration at a time. SciPy's routine runs to its end; a generator should not."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.optimizers import LBFGS

__all__ = ["lbfgs_iterations"]

Vector = NDArray[np.float64]


def lbfgs_iterations(
    cost: Callable[[Vector], tuple[float, Vector]], start: Vector, settings: LBFGS, iterations: int
) -> Iterator[tuple[Vector, float]]:
    """The point and the cost after each iteration; ends early where it has converged.

    SciPy calls back after every iteration. It runs on a thread of its own, which waits in that
    callback until the next iteration is asked for, so that only one of the two ever runs.

    Parameters
    ----------
    cost : callable
        ``cost(p) -> (C, ∂C/∂p)``.
    start : array, shape (n,)
    settings : LBFGS
    iterations : int
        How many at most.
    """
    results: SimpleQueue[tuple[Vector, float] | BaseException | None] = SimpleQueue()
    go_on = threading.Semaphore(0)
    abandoned = threading.Event()

    def report(intermediate_result: Any) -> None:
        results.put((intermediate_result.x.copy(), float(intermediate_result.fun)))
        go_on.acquire()
        if abandoned.is_set():
            raise StopIteration

    def work() -> None:
        from scipy.optimize import minimize

        go_on.acquire()
        try:
            if not abandoned.is_set():
                minimize(
                    cost,
                    start,
                    jac=True,
                    method="L-BFGS-B",
                    callback=report,
                    options={
                        "maxiter": iterations,
                        "maxcor": settings.memory,
                        "gtol": settings.tolerance,
                        "ftol": 0.0,
                        "maxfun": 50 * iterations + 50,
                    },
                )
            results.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            results.put(error)

    thread = threading.Thread(target=work, name="clearprop L-BFGS", daemon=True)
    thread.start()
    try:
        while True:
            go_on.release()
            result = results.get()
            if result is None:
                return
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        abandoned.set()
        go_on.release()
        thread.join()
