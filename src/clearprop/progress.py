"""How far training has got, on one line of a terminal; silent where output is no terminal."""

import sys
from types import TracebackType
from typing import Protocol, Self

__all__ = ["Bar", "Progress", "Silent", "choose_progress"]


class Progress(Protocol):
    """What :func:`clearprop.fit` reports to."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None: ...

    def advance(self, steps: int) -> None:
        """So many more steps are done."""

    def describe(self, text: str) -> None:
        """What there is to say about the last epoch."""


class Silent:
    """Reports nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, steps: int) -> None:
        """Nothing."""

    def describe(self, text: str) -> None:
        """Nothing."""


class Bar:
    """A Rich progress bar on standard error: epoch, loss, accuracy, time left."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
            # A terminal is left clean; elsewhere a bar that was asked for leaves its last state.
            transient=console.is_terminal,
        )
        self._task = self._progress.add_task("epoch 1", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, steps: int) -> None:
        """So many more steps are done."""
        self._progress.advance(self._task, steps)

    def describe(self, text: str) -> None:
        """What there is to say about the last epoch."""
        self._progress.update(self._task, description=text)


def choose_progress(wanted: bool | None, total: int) -> Progress:
    """A bar where it is wanted, or where nothing is said and standard error is a terminal."""
    if wanted is None:
        # A program without a console has no standard error at all.
        wanted = sys.stderr is not None and sys.stderr.isatty()
    return Bar(total) if wanted else Silent()
