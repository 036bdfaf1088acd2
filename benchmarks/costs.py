"""What a pass costs, and how that grows: ``python -m benchmarks.costs``.

Every pair is measured side by side, in turn, and the median ratio counts. The claims are those of
Nielsen's ch. 2: backpropagation costs about two forward passes, finite differences one forward
pass for each parameter.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import clearprop as cp
from benchmarks.machine import measure
from clearprop.engines import get_engine
from clearprop.files import write_atomically

ROUNDS = 15


def seconds(work: Callable[[], Any]) -> float:
    """How long one call takes, over as many as make it measurable."""
    times, started = 0, time.perf_counter()
    while time.perf_counter() - started < 0.05:
        work()
        times += 1
    return (time.perf_counter() - started) / times


def ratio(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float, float]:
    """The median of first/second over rounds in turn, and the medians of both in seconds."""
    pairs = [(seconds(first), seconds(second)) for _ in range(ROUNDS)]
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    return statistics.median(x / y for x, y in pairs), a, b


def problem(sizes: list[int], samples: int) -> tuple[cp.Network, Any, Any]:
    """A float32 network with sigmoid neurons, and random samples for it."""
    rng = np.random.default_rng(0)
    x = rng.random((samples, sizes[0]), dtype=np.float32)
    y = cp.one_hot(rng.integers(0, sizes[-1], samples), sizes[-1], dtype="float32")
    net = cp.Network(sizes, initializer="scaled_normal", dtype="float32", seed=0)
    return net, x, y


def epoch(net: cp.Network, x: Any, y: Any, optimizer: Any, batch: int) -> Callable[[], Any]:
    """An epoch of the compiled engine."""
    settings = {"epochs": 1, "batch_size": batch, "shuffle": False, "engine": "compiled"}
    return lambda: cp.fit(net, (x, y), optimizer=optimizer, progress=False, **settings)


def adam_against_sgd() -> dict[str, float]:
    """An epoch of 784-30-10 in batches of 10."""
    net, x, y = problem([784, 30, 10], 20_000)
    found, adam, sgd = ratio(epoch(net, x, y, cp.Adam(1e-4), 10), epoch(net, x, y, cp.SGD(0.1), 10))
    return {"ratio": found, "adam_s": adam, "sgd_s": sgd}


def trace_against_step(sizes: list[int], batch: int) -> dict[str, float]:
    """Steps one at a time, with and without a full Trace of each."""
    net, x, y = problem(sizes, 20 * batch)
    steps = {}
    for keep in ("all", "nothing"):
        run = cp.train(
            net,
            (x, y),
            epochs=10**9,
            batch_size=batch,
            optimizer=cp.SGD(0.01),
            shuffle=False,
            engine="compiled",
            keep=keep,
        )
        steps[keep] = lambda run=run: next(run)
        next(run)
    found, traced, alone = ratio(steps["all"], steps["nothing"])
    return {"ratio": found, "traced_s": traced, "alone_s": alone}


def backward_against_forward(sizes: list[int], batch: int) -> dict[str, float]:
    """A whole pass against its forward half, and the finite differences that would replace it."""
    net, x, y = problem(sizes, batch)
    engine, architecture = get_engine("reference"), net.architecture
    samples = net.batch(x, y)

    def both() -> Any:
        return engine.sums(architecture, net.parameters, samples, "gradients")

    def forward() -> Any:
        return engine.output(architecture, net.parameters, samples.x)

    found, whole, half = ratio(both, forward)
    return {
        "ratio": found - 1,  # the backward pass alone
        "pass_s": whole,
        "forward_s": half,
        "parameters": net.n_parameters,
        "differences_s": half * (net.n_parameters + 1),
    }


def growth() -> dict[str, list[tuple[int, float]]]:
    """Seconds of an epoch by samples, and of a step by parameters."""
    net, x, y = problem([784, 30, 10], 32_000)
    by_samples = [
        (n, statistics.median(seconds(epoch(net, x[:n], y[:n], cp.SGD(0.1), 10)) for _ in range(5)))
        for n in (2_000, 4_000, 8_000, 16_000, 32_000)
    ]
    by_parameters = []
    for hidden in (32, 64, 128, 256, 512, 1024):
        wide, x, y = problem([784, hidden, 10], 6_400)
        one = statistics.median(seconds(epoch(wide, x, y, cp.SGD(0.1), 32)) for _ in range(5))
        by_parameters.append((wide.n_parameters, one / 200))
    return {"samples": by_samples, "parameters": by_parameters}


def plot(found: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Both curves, on logarithmic axes, beside a line of slope 1."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    from clearprop.draw.curves import save_picture

    figure = Figure(figsize=(9, 3.6), dpi=130, layout="constrained")
    panels = figure.subplots(1, 2)
    texts = {
        "samples": ("samples", "seconds an epoch"),
        "parameters": ("parameters", "seconds a step"),
    }
    for panel, (name, points) in zip(panels, found.items(), strict=True):
        n, t = np.array(points).T
        panel.loglog(n, t, "o-", color="#0072B2", label="measured")
        panel.loglog(n, t[-1] * n / n[-1], ":", color="0.4", label="proportional")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_minor_formatter(NullFormatter())
        panel.set_xlabel(texts[name][0])
        panel.set_ylabel(texts[name][1])
        panel.legend(frameon=False)
    save_picture(figure, path)


def main() -> None:
    """Measure everything; print it, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    machine = measure()
    found = {
        "machine": str(machine),
        "adam_against_sgd": adam_against_sgd(),
        "trace_784-30-10_at_10": trace_against_step([784, 30, 10], 10),
        "trace_784-128-10_at_32": trace_against_step([784, 128, 10], 32),
        "trace_784-512-512-10_at_128": trace_against_step([784, 512, 512, 10], 128),
        "backward_784-512-512-10_at_128": backward_against_forward([784, 512, 512, 10], 128),
        "backward_784-1000-200-10_at_10": backward_against_forward([784, 1000, 200, 10], 10),
        "growth": growth(),
    }
    text = json.dumps(found, indent=2)
    print(text)  # noqa: T201 - this is a program
    if options.json:
        write_atomically(options.json, text.encode())
    if options.plot:
        plot(found["growth"], options.plot)


if __name__ == "__main__":
    main()
