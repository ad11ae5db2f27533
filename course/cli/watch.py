"""`course watch`: judge again at every save, and answer to single keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from course.cli import help as helpers
from course.cli.common import Which, console, exercises, select, shown
from course.cli.keys import Keys
from course.grading.judge import Verdict
from course.grading.spec import Exercise, ModuleSpec
from course.grading.warm import Warm

KEYS = "h hint · d diff · n next · l list · q quit"


def watch(
    which: Which = "",
    poll: Annotated[
        bool, typer.Option("--poll", help="Look at the files by the clock, for network drives.")
    ] = False,
) -> None:
    """Judge again each time you save, and show the first thing to mend."""
    from course.grading.progress import present
    from course.specs import modules

    spec, asked = select(which) if which else (None, ())
    folder = exercises()
    specs = (spec,) if spec else present(folder, modules())
    # A single exercise stays on the screen after it has passed.
    only = asked[0] if spec and len(asked) == 1 < len(spec.exercises) else None
    try:
        with Keys() as keys, Warm() as warm:
            loop = Loop(folder, specs, warm, only)
            for saved in saves(folder, {f"{s.stem}.py" for s in specs}, poll):
                if saved:
                    loop.judge()
                for key in keys.pressed():
                    if key == "q":
                        return
                    loop.press(key)
    except KeyboardInterrupt:
        pass
    finally:
        console.print("\n Stopped watching.")


def saves(folder: Path, names: set[str], poll: bool) -> Iterator[bool]:
    """True at the start and after each save of one of the files, False ten times a second between.

    The folder is watched, not the files: many editors save by moving a new file into place.
    """
    import watchfiles

    first = True
    for changes in watchfiles.watch(
        folder,
        watch_filter=lambda _, path: Path(path).name in names,
        debounce=200,
        step=40,
        rust_timeout=100,
        yield_on_timeout=True,
        force_polling=poll or None,  # None: as the environment says
        recursive=False,
    ):
        yield bool(changes) or first
        first = False


class Loop:
    """What is on the screen, and what to do next."""

    def __init__(
        self,
        folder: Path,
        specs: tuple[ModuleSpec, ...],
        warm: Warm,
        only: Exercise | None = None,
    ) -> None:
        self.folder, self.specs, self.warm, self.only = folder, specs, warm, only
        self.after = ""  # "next" was pressed at the exercise of this number
        self.current: Exercise | None = None
        self.verdict: Verdict | None = None

    def judge(self) -> None:
        """Judge until something fails; what has passed as it stands is not judged again."""
        from course.grading.report import course_bar, render, show

        passed = []
        # A pass that cannot be remembered (no write access, no hash) must not be judged for ever.
        seen: set[str] = set()
        self.verdict = self.current = missing = None
        while self.verdict is None and missing is None:
            turn = self._turn()
            self.current = turn[1] if turn else None
            if turn is None:
                break
            path = self.folder / f"{turn[0].stem}.py"
            if not path.is_file():
                missing = path
                continue
            verdict = self._judged(path, turn[1])
            if verdict.passed and not self.only and verdict.exercise not in seen:
                seen.add(verdict.exercise)
                passed.append(verdict)
            else:
                self.verdict = verdict
        if console.is_terminal:
            console.clear()
        console.print()
        console.print(Text(" ") + course_bar(self.folder))
        console.print()
        for verdict in passed:
            console.print(render(verdict))
        if self.verdict:
            show(self.verdict, console)
        elif missing:
            number = missing.name.partition("_")[0]
            line = f" {shown(missing)} is not there; `course reset {number}` writes its stubs."
            console.print(line, markup=False, soft_wrap=True)
        else:
            console.print(" [bold green]✓[/] Everything here has passed.")
        console.print(f"\n [dim]{KEYS}[/]")

    def _turn(self) -> tuple[ModuleSpec, Exercise] | None:
        from course.grading.progress import upcoming

        if self.only:
            return self.specs[0], self.only
        return upcoming(self.folder, self.specs, self.after)

    def _judged(self, path: Path, exercise: Exercise) -> Verdict:
        from course.grading.judge import judge
        from course.grading.progress import digest, remember
        from course.grading.run import in_child

        before = digest(path, exercise.name)
        verdict = judge(exercise, in_child(exercise, path, warm=self.warm))
        remember(self.folder, {exercise.number: before if verdict.passed else ""})
        return verdict

    def press(self, key: str) -> None:
        from course.grading.report import overview

        if key == "l":
            console.print(Padding(overview(self.folder), (1, 0, 0, 1)))
        elif key == "n" and self.current:
            self.after, self.only = self.current.number, None
            self.judge()
        elif key == "h" and self.current:
            helpers.show_hint(self.folder, self.current)
        elif key == "d" and self.current and self.verdict:
            obstacle = helpers.no_picture(self.verdict)
            if obstacle:
                console.print(f"\n {obstacle}", markup=False, soft_wrap=True)
            else:
                console.print()
                path = helpers.picture_file(self.folder, self.current)
                helpers.show_diff(self.verdict, path)
