"""`course author`: commands for those who write the course."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course.cli.common import console

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
