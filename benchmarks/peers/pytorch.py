"""PyTorch: torch.nn modules, autograd and torch.optim.SGD, as its tutorials have it."""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.peers import EpochDone
from benchmarks.problem import Parameters, Problem


def run(problem: Problem, epoch_done: EpochDone) -> None:
    """Train eagerly."""
    _train(problem, epoch_done, lambda step: step)


def run_compiled(problem: Problem, epoch_done: EpochDone) -> None:
    """Train with the forward pass and the loss, and so the backward pass, through torch.compile."""
    _train(problem, epoch_done, torch.compile)


def _train(problem: Problem, epoch_done: EpochDone, prepare: Callable[[Any], Any]) -> None:
    layers: list[torch.nn.Module] = []
    for W, b in problem.initial:
        linear = torch.nn.Linear(W.shape[1], W.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.Sigmoid()]
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.configuration.learning_rate)
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    order = torch.from_numpy(problem.order)

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 0.5 * ((model(x) - y) ** 2).sum(dim=1).mean()

    loss_of = prepare(loss_of)

    def parameters() -> Parameters:
        flat = [p.detach().numpy() for p in model.parameters()]
        return list(zip(flat[::2], flat[1::2], strict=True))

    while True:
        for batch in problem.batches():
            rows = order[batch]
            optimizer.zero_grad()
            loss_of(x[rows], y[rows]).backward()
            optimizer.step()
        if not epoch_done(parameters):
            return
