"""Draw the README's picture of the learner's loop, a real session: `python book/loop_picture.py`.

The session runs in a temporary folder; what the picture shows is what `course check` printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "book" / "_static" / "loop.svg"
FILE = "exercises/05_saliency.py"
CHECK = "course check 05.2"
ATTEMPTS = (
    "",
    "return gradient(model, x, target).max(axis=1)",
    "return np.abs(gradient(model, x, target)).max(axis=1)",
)
COLUMNS = 80


def with_answer(text: str, function: str, answer: str) -> str:
    """The exercise file with one stub's body replaced."""
    head, name, rest = text.partition(f"def {function}(")
    return head + name + rest.replace("raise NotImplementedError", answer, 1)


def course(folder: Path, command: str) -> str:
    """What `course ...` prints in `folder`, with its colours."""
    script, *arguments = command.split()
    run = subprocess.run(
        [Path(sys.executable).parent / script, *arguments],
        cwd=folder,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return run.stdout.strip("\n")


def session(folder: Path) -> Text:
    """What a terminal shows while a learner writes `saliency_map`."""
    course(folder, "course author derive")
    stubs = (folder / FILE).read_text(encoding="utf-8")
    shown = Text()
    for answer in ATTEMPTS:
        if answer:
            (folder / FILE).write_text(with_answer(stubs, "saliency_map", answer), encoding="utf-8")
            shown.append(f"# write: {answer}\n", style="italic cyan")
        shown.append("$ ", style="cyan").append(f"{CHECK}\n", style="bold")
        shown.append_text(Text.from_ansi(course(folder, CHECK))).append("\n\n")
    shown.rstrip()
    return shown


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        console.print(session(Path(folder)))
    # Rich's template fetches a font from the network; the reader's own will do.
    offline = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    title = "the learner's loop"
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=offline, unique_id="loop")
    PICTURE.write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
