"""`course`, `course list` and `course check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding

from course.cli import guide
from course.cli.common import Which, answers, console, exercises, existing, select
from course.grading.spec import ModuleSpec


def status(context: typer.Context) -> None:
    """Where you are in the course, and what comes next."""
    if context.invoked_subcommand:
        return
    from course.grading.progress import passed_now, present, read, upcoming
    from course.specs import modules

    folder = exercises()
    here = present(folder, modules())
    following = upcoming(folder, here)
    if following and not read(folder).passed:
        guide.welcome(folder, *following)
        return
    console.print()
    for spec in here:
        begun = any(exercise.number in read(folder).passed for exercise in spec.exercises)
        is_next = following is not None and spec is following[0]
        _progress(spec, passed_now(folder, spec), begun or is_next)
    if elsewhere := [spec.number for spec in modules() if spec not in here]:
        way = f"`course reset {elsewhere[0]}` writes the stubs of {elsewhere[0]}"
        line = f"\n Not in this folder: {', '.join(elsewhere)} ({way})"
        console.print(line, style="dim", soft_wrap=True)
    if following is None:
        console.print("\n Everything that there is has passed. More modules are being written.\n")
        return
    console.print()
    guide.announce(folder, *following)
    console.print()


def _progress(spec: ModuleSpec, passed: dict[str, bool], in_work: bool) -> None:
    """A module's line; its exercises too while it is in work."""
    done = sum(passed.values())
    mark = "[bold green]✓[/]" if done == len(passed) else " "
    head = f" {mark} [dim]{done} of {len(passed)}[/]  [bold]{spec.number} {spec.title}[/]"
    console.print(head, no_wrap=True, overflow="ellipsis")
    if in_work and done < len(passed):
        for exercise in spec.exercises:
            mark = "[bold green]✓[/]" if passed[exercise.number] else "[dim]·[/]"
            console.print(f"     {mark} {exercise.number}  {exercise.name}", soft_wrap=True)


def list_() -> None:
    """Every exercise: its points, its goal, and whether it has passed."""
    from course.grading.progress import exercises_folder
    from course.grading.report import overview

    console.print(Padding(overview(exercises_folder()), (1, 0, 1, 1)))


def check(
    which: Which = "",
    file: Annotated[Path | None, typer.Option(help="Judge this file instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print verdicts as JSON.")] = False,
    mine: Annotated[bool, typer.Option(help="Build on your own earlier functions.")] = False,
) -> None:
    """Judge your answers. Ends with exit code 0 only if all of them pass."""
    from course.grading.judge import judge
    from course.grading.mine import Mine
    from course.grading.progress import digest, present, read, remember
    from course.grading.report import show, summarise
    from course.grading.run import in_child
    from course.grading.warm import Warm
    from course.specs import modules

    if file:
        existing(file)
    if not which and file:
        which = file.stem
    folder = file.parent if file else exercises()
    everything = [(spec, tuple(spec.exercises)) for spec in present(folder, modules())]
    chosen = [select(which)] if which else everything
    newcomer = not read(folder).passed
    verdicts = []
    with Warm() as warm:
        for spec, asked in chosen:
            path = file or answers(folder, spec)
            passed = {}
            for exercise in asked:
                before = digest(path, exercise.name)
                own = Mine.before(exercise, path, modules()) if mine else None
                verdicts.append(judge(exercise, in_child(exercise, path, own, warm)))
                verdicts[-1].built_on = own.says() if own else ""
                passed[exercise.number] = before if verdicts[-1].passed else ""
                if not as_json:
                    show(verdicts[-1], console)
            # On one's own functions an earlier mistake counts, so it is no verdict on this one.
            if file is None and not mine:
                remember(folder, passed)
    if as_json:
        console.print_json(json.dumps([v.as_json() for v in verdicts]))
    else:
        summarise(verdicts, console)
        if file is None and not mine:
            if newcomer and read(folder).passed:
                console.print(" [bold green]Your first green check. Well done![/]")
            guide.onward(folder, present(folder, modules()), verdicts)
    raise typer.Exit(0 if all(v.passed for v in verdicts) else 1)
