"""Single keys from a terminal, without waiting for them."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

try:
    import select
    import termios
    import tty
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]


class Keys:
    """`with Keys() as keys: keys.pressed()` gives the keys pressed since it was last asked.

    Where standard input is no terminal there are none, ever. Ctrl-C stays Ctrl-C.
    """

    def __init__(self) -> None:
        self._tty = sys.stdin.isatty()
        self._before: list[Any] | None = None

    def __enter__(self) -> Keys:
        if self._tty and termios is not None:
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def pressed(self) -> str:
        if not self._tty:
            return ""
        if termios is None:
            return _pressed_on_windows()
        if not select.select([sys.stdin], [], [], 0)[0]:
            return ""
        return os.read(sys.stdin.fileno(), 64).decode(errors="ignore").lower()


def _pressed_on_windows() -> str:
    import msvcrt

    keys = ""
    while msvcrt.kbhit():  # type: ignore[attr-defined]
        keys += msvcrt.getwch().lower()  # type: ignore[attr-defined]
    return keys
