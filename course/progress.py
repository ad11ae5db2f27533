"""A progress bar for whatever takes long: on a terminal, and not before two seconds have passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_inside: ContextVar[bool] = ContextVar("inside", default=False)

PATIENCE = 2.0  # seconds of work before a bar is worth the space


@contextmanager
def progress(label: str, steps: int | None = None) -> Iterator[Callable[..., None]]:
    """A function to call as `advance(n, note)` when n more of the steps are done.

    steps: how many there will be; None if nobody knows. The note is shown behind the bar.
    Inside another's block there is no bar: the outer one tells more.
    """
    if _inside.get():
        yield lambda n=1, note="": None
        return
    token = _inside.set(True)
    begin, done = time.monotonic(), 0
    bar: Any = None

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal bar, done
        done += n
        if bar is None and time.monotonic() - begin > PATIENCE:
            bar = _start(label, steps)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done, note=note)

    try:
        yield advance
    finally:
        _inside.reset(token)
        if bar is not None:
            bar.stop()


def _start(label: str, steps: int | None) -> Any:
    """A bar on the screen; nothing at all in a file, a pipe or a page of the book."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console()
    columns = BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}")
    bar = Progress(
        TextColumn(label),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    bar.add_task("", total=steps, note="")
    bar.start()
    return bar
