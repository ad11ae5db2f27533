"""A progress bar for whatever takes long: on a terminal, and not before two seconds have passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 2.0  # seconds of work before a bar is worth the space
_open: list[str] = []  # the labels of the loops that are running, one inside the other


@contextmanager
def progress(label: str, steps: int | None = None) -> Iterator[Callable[..., None]]:
    """A function to call as `advance(n, note)` when n more of the steps are done.

    steps: how many there will be; None if nobody knows. The note is shown behind the bar.
    A loop inside another, such as the path within a noisy copy, has no bar of its own.
    """
    begin, done = time.monotonic(), 0
    bar: Any = None

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal bar, done
        done += n
        if bar is None and len(_open) == 1 and time.monotonic() - begin > PATIENCE:
            bar = _start(label, steps)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done, note=note)

    _open.append(label)
    try:
        yield advance
    finally:
        _open.pop()
        if bar is not None:
            bar.stop()


def _start(label: str, steps: int | None) -> Any:
    """A bar on the screen; nothing at all in a file, a pipe or a page of the book."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console()
    bar = Progress(
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    bar.add_task("", total=steps, note="")
    bar.start()
    return bar
