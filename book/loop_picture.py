"""Draw the README's picture of the learner's loop: `python book/loop_picture.py`, with tmux.

`course watch` runs in a terminal of tmux, in a temporary folder, while answers are saved and a key
is pressed. What the picture shows is what `tmux capture-pane` then finds on the screen; only the
lines with a # are added, and say what was saved.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "book" / "_static" / "loop.svg"
FILE = "exercises/05_saliency.py"
COLUMNS, ROWS = 80, 40
WRONG = "return gradient(model, x, target).max(axis=1)"
RIGHT = "return np.abs(gradient(model, x, target)).max(axis=1)"
FIRST = """\
inputs = Tensor(x, requires_grad=True)
    return grad(model(inputs)[np.arange(len(x)), target].sum(), inputs)"""


def with_answer(text: str, function: str, answer: str) -> str:
    """The exercise file with one stub's body replaced."""
    head, name, rest = text.partition(f"def {function}(")
    return head + name + rest.replace("raise NotImplementedError", answer, 1)


class Terminal:
    """A terminal of tmux's, of a server of its own."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ("tmux", "-S", str(folder / "tmux"), "-f", os.devnull)
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        shell = ("env", "PS1=$ ", f"PATH={path}", "COLORTERM=truecolor", "bash", "--norc")
        self._run("new-session", "-d", *size, "-c", str(folder), *shell)

    def _run(self, *command: str) -> str:
        done = subprocess.run([*self._tmux, *command], check=True, capture_output=True, text=True)
        return done.stdout

    def type(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def screen(self, until: str) -> Text:
        """The screen with its colours, once this text is on it and nothing moves any more."""
        before, end = "", time.monotonic() + 30
        while time.monotonic() < end:
            shown = self._run("capture-pane", "-e", "-p").strip("\n")
            if until in Text.from_ansi(shown).plain and shown == before:
                return Text.from_ansi(shown)
            before = shown
            time.sleep(0.3)
        raise TimeoutError(f"{until!r} is not on the screen:\n{before}")

    def close(self) -> None:
        self._run("kill-server")


def session(folder: Path) -> Text:
    """What the terminal shows while a learner writes `saliency_map`."""
    course = Path(sys.executable).parent / "course"
    subprocess.run([course, "start", "."], cwd=folder, check=True, capture_output=True)
    stubs = with_answer((folder / FILE).read_text(encoding="utf-8"), "gradient", FIRST)

    def save(answer: str) -> Text:
        text = with_answer(stubs, "saliency_map", answer)
        (folder / FILE).write_text(text, encoding="utf-8")
        return Text(f"# saved: {answer}", style="italic cyan")

    (folder / FILE).write_text(stubs, encoding="utf-8")
    terminal = Terminal(folder)
    try:
        terminal.type("clear; course watch", "Enter")
        terminal.screen(until="05.2  saliency_map            not written yet")
        shown = [Text.assemble(("$ ", "cyan"), ("course watch", "bold")), save(WRONG)]
        terminal.screen(until="05.2  saliency_map            wrong values")
        terminal.type("h")
        shown += [terminal.screen(until="hint 1 of 3"), save(RIGHT)]
        shown.append(terminal.screen(until="05.3  gradient_times_input    not written yet"))
    finally:
        terminal.close()
    return Text("\n\n").join([*shown, Text("")])


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        console.print(session(Path(folder)))
    # Rich's template fetches a font from the network; the reader's own will do.
    offline = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    title = "course watch"
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=offline, unique_id="loop")
    PICTURE.write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
