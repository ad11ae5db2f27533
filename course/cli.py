"""The command `course`: where you are, what is next, and whether an answer is right."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from course.grading.spec import Exercise, ModuleSpec

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
author = typer.Typer(help="For those who write the course.", no_args_is_help=True)
app.add_typer(author, name="author")
console = Console(highlight=False)


def main() -> None:
    app()


def _stop(message: str) -> NoReturn:
    Console(stderr=True, highlight=False).print(f"[bold red]course:[/] {message}")
    raise typer.Exit(2)


def _select(selector: str) -> tuple[ModuleSpec, tuple[Exercise, ...]]:
    from course.specs import find

    try:
        return find(selector)
    except KeyError as error:
        _stop(str(error.args[0]))


def _folder() -> Path:
    from course.grading.progress import exercises_folder

    folder = exercises_folder()
    if folder is None:
        _stop(
            "no exercises/ folder here or above; go to the course's folder, "
            "or name the file with --file"
        )
    return folder


@app.callback(invoke_without_command=True)
def status(context: typer.Context) -> None:
    """Where you are in the course, and what comes next."""
    if context.invoked_subcommand:
        return
    from course.grading.progress import passed_now
    from course.specs import modules

    folder = _folder()
    first: tuple[ModuleSpec, Exercise] | None = None
    for spec in modules():
        passed = passed_now(folder, spec)
        console.print(f"\n [bold]{spec.number} {spec.title}[/]")
        for exercise in spec.exercises:
            done = passed[exercise.number]
            mark = "[bold green]✓[/]" if done else "[dim]·[/]"
            console.print(f"   {mark} {exercise.number}  {exercise.name}", soft_wrap=True)
            if not done and first is None:
                first = spec, exercise
    if first is None:
        console.print("\n Everything that there is has passed. More modules are being written.\n")
        return
    spec, exercise = first
    file = folder / f"{spec.stem}.py"
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    console.print(f"\n Next: write [bold]{exercise.name}[/] in {shown}")
    console.print(f"       then [bold]course check {exercise.number}[/]\n", soft_wrap=True)


@app.command()
def check(
    which: Annotated[str, typer.Argument(help="A module or exercise: 05, 05.2, or a name.")] = "",
    file: Annotated[Path | None, typer.Option(help="Judge this file instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print verdicts as JSON.")] = False,
    mine: Annotated[bool, typer.Option(help="Build on your own earlier functions.")] = False,
) -> None:
    """Judge your answers. Ends with exit code 0 only if all of them pass."""
    from course.grading.judge import judge
    from course.grading.progress import digest, remember
    from course.grading.report import render, summarise
    from course.grading.run import in_child
    from course.specs import modules

    if not which and file:
        which = file.stem
    chosen = [_select(which)] if which else [(spec, tuple(spec.exercises)) for spec in modules()]
    folder = file.parent if file else _folder()
    verdicts = []
    for spec, exercises in chosen:
        path = file or folder / f"{spec.stem}.py"
        if not path.is_file():
            _stop(_missing(path))
        passed = {}
        for exercise in exercises:
            verdicts.append(judge(exercise, in_child(exercise, path, mine)))
            passed[exercise.number] = digest(path, exercise.name) if verdicts[-1].passed else ""
            if not as_json:
                console.print(render(verdicts[-1]))
        if file is None:
            remember(folder, passed)
    if as_json:
        console.print_json(json.dumps([v.as_json() for v in verdicts]))
    else:
        summarise(verdicts, console)
    raise typer.Exit(0 if all(v.passed for v in verdicts) else 1)


def _missing(path: Path) -> str:
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")])
    return f"there is no file {path}" + (f"; did you mean {near[0]}?" if near else "")


@author.command()
def derive(
    check_only: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file differs.")
    ] = False,
    into: Annotated[Path, typer.Option(help="The repository.")] = Path(),
) -> None:
    """Write exercises/ and solutions/ from the library and the specs."""
    from course.authoring.derive import derived, write
    from course.specs import modules

    files = derived(modules(), into)
    stale = [p for p, text in files.items() if not p.is_file() or p.read_text() != text]
    for path in stale:
        if check_only:
            console.print(f"{path} differs from what `course author derive` writes")
        else:
            backup = write(path, files[path])
            kept = f" (what was there is in {backup})" if backup else ""
            console.print(f"wrote {path}{kept}", soft_wrap=True)
    if not stale:
        console.print(f"{len(files)} derived files are as they should be")
    raise typer.Exit(1 if check_only and stale else 0)


@author.command()
def prove(
    which: Annotated[str, typer.Argument(help="A module or exercise; all without one.")] = "",
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to this file.")
    ] = None,
) -> None:
    """Prove that every grader grades: right answers, known mistakes, mutants, hostile answers."""
    from course.authoring.prove import as_results, fingerprint, prove_all
    from course.specs import modules

    chosen = _select(which)[1] if which else [e for spec in modules() for e in spec.exercises]
    proofs = []
    for proof in prove_all(chosen):
        proofs.append(proof)
        mark = "[bold green]✓[/]" if proof.holds else "[bold red]✗[/]"
        console.print(
            f" {mark} {proof.exercise}  {proof.name:<24} {proof.equivalents} right accepted, "
            f"{proof.mistakes} mistakes named, {proof.killed} of {proof.mutants} mutants killed, "
            f"{proof.wrong_arrays + proof.attacks} hostile refused, {proof.seconds:.1f} s",
            soft_wrap=True,
        )
        for problem in proof.problems:
            console.print(f"     {problem}", markup=False, soft_wrap=True)
    if as_json:
        text = json.dumps({"code": fingerprint(), **as_results(proofs)}, indent=1)
        as_json.write_text(text + "\n", encoding="utf-8")
    raise typer.Exit(0 if all(proof.holds for proof in proofs) else 1)
