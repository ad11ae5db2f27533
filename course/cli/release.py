"""`course release`: a repository of exercises for a class."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from course.cli.common import console, select, stop


def release(
    where: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")],
    module: Annotated[
        list[str] | None, typer.Option(help="A module to take; again for more. Else all.")
    ] = None,
    points: Annotated[
        bool, typer.Option("--points", help="Say in the README what each exercise is worth.")
    ] = False,
    git: Annotated[bool, typer.Option("--git", help="Make it a Git repository.")] = False,
) -> None:
    """Write a repository for students: stubs and how to work on them, no solutions."""
    from course.authoring.release import leaks, release_files
    from course.specs import modules

    chosen = {select(name)[0].number for name in module or []}
    specs = [spec for spec in modules() if not chosen or spec.number in chosen]
    files = release_files(specs, points)
    if found := list(leaks(files, modules())):
        places = "\n".join(
            f"  {leak.file}, line {leak.line}: {leak.text}, of the solution of {leak.function}"
            for leak in found
        )
        stop(f"nothing was written, because solutions would be in it:\n{places}")
    try:
        if where.exists() and any(where.iterdir()):
            stop(f"{where} is not empty, and nothing in it is overwritten; choose a new folder")
        for name, text in files.items():
            path = where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            console.print(f" wrote {path}", markup=False, soft_wrap=True)
        if git:
            subprocess.run(["git", "init", "--quiet"], cwd=where, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        stop(f"the repository cannot be written to {where} ({error})")
    total = sum(len(spec.exercises) for spec in specs)
    console.print(f"\n {total} exercises, no solution text in {len(files)} files", soft_wrap=True)
