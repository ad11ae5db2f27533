"""`course author`: commands for those who write the course."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import course
from course.cli.common import console, select, stop

author = typer.Typer(help="For those who write the course.", no_args_is_help=True)


@author.callback()
def group() -> None:
    """For those who write the course."""


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
    stale = [p for p, text in files.items() if not p.is_file() or p.read_text("utf-8") != text]
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
def new(
    name: Annotated[str, typer.Argument(help="Of the module, as its files are called.")],
    number: Annotated[str, typer.Option(metavar="NN", help="Else as it is planned.")] = "",
    into: Annotated[Path, typer.Option(help="The repository.")] = Path(),
) -> None:
    """Begin a module: its files, and in them what is to be written."""
    from course.authoring.new import number_of, scaffold
    from course.specs import modules

    try:
        number = number_of(name, number, {spec.number: spec.name for spec in modules()})
        files = scaffold(number, name, into)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
            console.print(f" wrote {path}", markup=False, soft_wrap=True)
    except (ValueError, OSError) as error:
        stop(str(error))
    console.print(
        f"\n What is to be written is marked WRITE: in them. course author prove {number} lists "
        "the marks below course/, the tests those of the pages."
        f"\n The chapter's place in the book is yours to choose, in book/_toc.yml:\n"
        f"\n      - file: {number}_{name}\n        sections:"
        f"\n          - file: {number}_{name}_exercises",
        markup=False,
        soft_wrap=True,
    )


@author.command()
def prove(
    which: Annotated[str, typer.Argument(help="A module or exercise; all without one.")] = "",
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to this file.")
    ] = None,
) -> None:
    """Prove that every grader grades: right answers, known mistakes, mutants, hostile answers."""
    from course.authoring.new import unwritten
    from course.authoring.prove import as_results, fingerprint, prove_all
    from course.specs import modules

    chosen = select(which)[1] if which else [e for spec in modules() for e in spec.exercises]
    root = Path(course.__file__).parents[1]
    specs = [spec for spec in modules() if any(e in chosen for e in spec.exercises)]
    if gaps := [gap for spec in specs for gap in unwritten(spec, root, "course/")]:
        for gap in gaps:
            console.print(f" [bold red]✗[/] {escape(gap)}", soft_wrap=True)
        stop("nothing can be proven of a module that is not written yet")
    proofs = []
    for proof in prove_all(chosen):
        proofs.append(proof)
        mark = "[bold green]✓[/]" if proof.holds else "[bold red]✗[/]"
        console.print(
            f" {mark} {proof.exercise}  {proof.name:<26} {proof.equivalents} right accepted, "
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
