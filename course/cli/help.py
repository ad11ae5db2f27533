"""`course hint`, `course diff` and `course solution`: help with one exercise."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from course.cli.common import (
    One,
    Which,
    answers,
    console,
    exercises,
    select,
    select_one,
    shown,
    stop,
)
from course.grading.judge import Verdict
from course.grading.spec import Answer, Exercise

RUNGS = ("the idea", "the formula", "the key line")


def hint(which: Which = "") -> None:
    """The next hint: first the idea, then the formula, then the key line with a blank."""
    from course.grading.progress import present, upcoming
    from course.specs import modules

    folder = exercises()
    if which:
        spec, asked = select(which)
    if which and len(asked) == 1:
        exercise = asked[0]
    else:
        following = upcoming(folder, [spec] if which else present(folder, modules()))
        if following is None:
            stop("everything there has passed; name an exercise to see its hints all the same")
        exercise = following[1]
    show_hint(folder, exercise)


def show_hint(folder: Path, exercise: Exercise) -> None:
    from course.grading.progress import next_rung

    rung = next_rung(folder, exercise)
    head = f"\n {exercise.number}  {exercise.name}  "
    note = f"hint {rung} of {len(exercise.hints)}, {RUNGS[rung - 1]}"
    console.print(Text.assemble((head, "bold"), (note, "dim")))
    console.print(Padding(Text(exercise.hints[rung - 1]), (0, 2, 0, 9)))
    if rung == len(exercise.hints):
        way = f"That was the last hint. To see the answer: course solution {exercise.number}"
        console.print(Padding(Text(f"{way} --give-up", style="dim"), (0, 2, 0, 9)))


def diff(
    which: One,
    out: Annotated[Path | None, typer.Option(help="Write the picture here.")] = None,
) -> None:
    """Draw your map, Torch's, and their signed difference on one scale, as a picture."""
    from course.grading.judge import judge
    from course.grading.run import in_child

    spec, exercise = select_one(which)
    folder = exercises()
    verdict = judge(exercise, in_child(exercise, answers(folder, spec)))
    obstacle = no_picture(verdict)
    if obstacle:
        stop(obstacle)
    show_diff(verdict, out or picture_file(folder, exercise))


def no_picture(verdict: Verdict) -> str:
    """Why there is no difference to draw, or nothing if there is one."""
    from course.grading.report import TITLES, explain
    from course.plot.maps import worth_drawing

    if verdict.layer in ("", "value", "property", "manners") and verdict.want is not None:
        if worth_drawing(verdict.want):
            return ""
        says = " ".join(explain(verdict)) if verdict.layer else "Yours is right."
        return f"{verdict.exercise} has one number for an answer, and no map. {says}"
    reason = " ".join([TITLES[verdict.layer] + ":", *explain(verdict)[:1]]).rstrip(".:")
    return f"{verdict.exercise} has no map to compare yet; {reason}"


def picture_file(folder: Path, exercise: Exercise) -> Path:
    return folder.parent / ".course" / f"{exercise.number}_{exercise.name}.png"


def show_diff(verdict: Verdict, path: Path) -> None:
    import matplotlib

    from course.grading.report import can_draw, thumbnails
    from course.plot import comparison_png

    matplotlib.use("agg")  # no window: the picture goes to a file
    assert verdict.got is not None
    assert verdict.want is not None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(comparison_png(verdict.got, verdict.want))
    except OSError as error:
        stop(
            f"the picture cannot be written to {path} ({error.strerror}); choose a place with --out"
        )
    if can_draw(console):
        console.print(thumbnails(verdict.got, verdict.want, console.width))
    case = f", case “{verdict.case}”" if verdict.case else ""
    head = f" {verdict.exercise}  {verdict.name}{case}: the picture is in {shown(path)}"
    console.print(head, markup=False, soft_wrap=True)


def solution(
    which: One,
    give_up: Annotated[bool, typer.Option("--give-up", help="Show it before you pass.")] = False,
) -> None:
    """The library's own answer and its Torch reference, once yours has passed."""
    from course.authoring.derive import solution as source_of
    from course.grading.progress import passed_now

    spec, exercise = select_one(which)
    number = exercise.number
    if not give_up and not passed_now(exercises(), spec)[number]:
        stop(
            f"{number} has not passed yet (as it stands in your file); try `course hint {number}`, "
            "or add --give-up to see the solution now"
        )
    for title, code in (
        (f"{number} {exercise.name}, as the library has it", source_of(exercise.function)),
        ("The same in Torch, which your answer is compared with", _in_torch(exercise.function)),
    ):
        if code:
            console.print(f"\n [bold]{title}[/]\n")
            # A dark or a light terminal keeps its own background.
            console.print(Syntax(code, "python", theme="ansi_dark", background_color="default"))


def _in_torch(function: Answer) -> str:
    """The source of the reference of this name, read without importing Torch; "" if none."""
    found = find_spec(function.__module__.replace(".methods.", ".reference."))
    if found is None or found.origin is None:
        return ""
    text = Path(found.origin).read_text(encoding="utf-8")
    nodes = [n for n in ast.parse(text).body if getattr(n, "name", "") == function.__name__]
    return ast.get_source_segment(text, nodes[-1]) or "" if nodes else ""
