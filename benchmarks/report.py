"""What was measured, as a Markdown page and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.machine import Machine
from benchmarks.peers import PEERS
from benchmarks.problem import Configuration

OURS = "clearprop"


@dataclass(frozen=True)
class Result:
    """One library on one configuration.

    Attributes
    ----------
    peer : str
        The key in :data:`~benchmarks.peers.PEERS`.
    threads : int or None
        How many it was told to use: the faster of one and all; None where it decides by itself.
    first : float
        Seconds of the very first epoch, compiling included.
    epochs : int
        How many epochs each measurement consists of.
    loss : float
        The mean loss over all samples after the first epoch.
    loss_expected : float
        What float64 arithmetic gives.
    blas : list of str
        The libraries underneath, their kernels and threads.
    seconds, busy, others : list of float
        For each measurement, the seconds of an epoch, how many cores the process kept busy, and how
        many cores other processes did.
    """

    peer: str
    threads: int | None
    first: float
    epochs: int
    loss: float
    loss_expected: float
    blas: list[str]
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median seconds of an epoch."""
        return median(self.seconds)

    def share(self, configuration: Configuration, machine: Machine, samples: int) -> float:
        """Which share of its time the floor is, on as many cores as it kept busy."""
        floor = machine.floor(
            configuration.flops(samples),
            configuration.bytes(samples),
            all_cores=median(self.busy) > 1.2,
        )
        return floor / self.median


@dataclass(frozen=True)
class Report:
    """Everything that a run of the benchmark found.

    Attributes
    ----------
    data : str
        What was trained on.
    samples : int
    machine : Machine
    load : float
        How many other processes wanted a core when it began (the load average over one minute).
    versions : dict
        Package to version.
    results : dict
        Configuration name to its results, one for each library.
    absent : dict
        Library to why it did not take part.
    """

    data: str
    samples: int
    machine: Machine
    load: float
    versions: dict[str, str]
    results: dict[str, list[Result]]
    absent: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def markdown(self, configurations: Sequence[Configuration]) -> str:
        """A page with the ratios first and the times behind them."""
        lines = [
            "# Training speed",
            "",
            self._conditions(),
            "",
            self._surroundings(),
            "",
            ", ".join(f"{name} {version}" for name, version in self.versions.items()),
            "",
            "How many times as long as clearprop's the others' median epoch takes:",
            "",
            *self._ratios(configurations),
        ]
        for configuration in configurations:
            lines += ["", f"## {configuration.name}", "", *self._times(configuration)]
        if self.absent:
            lines += ["", "Not taking part: " + "; ".join(map(": ".join, self.absent.items()))]
        return "\n".join([*lines, ""])

    def _conditions(self) -> str:
        return (
            f"Epochs over {self.samples:,} samples ({self.data}): sigmoid, quadratic loss, plain "
            "SGD, float32. Every library starts from the same weights and takes the samples in "
            "the same order; its loss after the first epoch is compared with that of float64 "
            "arithmetic. All run side by side, epoch by epoch in turn, each in its own process."
        )

    def _surroundings(self) -> str:
        machine = self.machine
        return (
            f"{machine.processor}, {machine.cores} cores: "
            f"{machine.peak_one / 1e9:.0f} GF/s in float32 with one core, "
            f"{machine.peak_all / 1e9:.0f} with all; memory "
            f"{machine.bandwidth_one / 1e9:.0f} and {machine.bandwidth_all / 1e9:.0f} GB/s. "
            f"Load from elsewhere when it began: {self.load:.1f}."
        )

    def _ratios(self, configurations: Sequence[Configuration]) -> list[str]:
        others = [
            peer
            for peer in PEERS
            if peer != OURS and any(r.peer == peer for rs in self.results.values() for r in rs)
        ]
        titles = ["network, batch", *(PEERS[p].title for p in others), "share of the floor"]
        rows = []
        for configuration in configurations:
            found = {result.peer: result for result in self.results[configuration.name]}
            if OURS not in found:
                continue
            ours = found[OURS]
            ratios = [
                f"{found[p].median / ours.median:.1f}×" if p in found else "–" for p in others
            ]
            share = ours.share(configuration, self.machine, self.samples)
            rows.append([configuration.name, *ratios, f"{share:.2f}"])
        return table(titles, rows)

    def _times(self, configuration: Configuration) -> list[str]:
        batches = -(-self.samples // configuration.batch_size)
        titles = ["", "threads", "s an epoch", "spread", "µs a batch", "cores busy", "by others"]
        titles += ["share of the floor", "first epoch", "loss", "BLAS"]
        return table(
            titles,
            [
                [
                    PEERS[result.peer].title,
                    str(result.threads or "own"),
                    f"{result.median:.4g}",
                    f"{min(result.seconds):.3g}–{max(result.seconds):.3g}",
                    f"{result.median / batches * 1e6:.4g}",
                    f"{median(result.busy):.1f}",
                    f"{median(result.others):.1f}",
                    f"{result.share(configuration, self.machine, self.samples):.2f}",
                    f"{result.first:.2g} s",
                    f"{result.loss:.6f} ({result.loss_expected:.6f})",
                    "; ".join(dict.fromkeys(result.blas)),
                ]
                for result in self.results[configuration.name]
            ],
        )


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    rule = ["---"] * len(titles)
    return [f"| {' | '.join(row)} |" for row in (titles, rule, *rows)]
