"""`course start`, `course reset` and `course doctor`: the folder, and the machine, to work in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from course.cli.common import answers, console, exercises, select, shown, stop


def start(
    where: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an old one.")],
    force: Annotated[
        bool, typer.Option(help="Put stubs over answers too, which stay in a backup.")
    ] = False,
) -> None:
    """Make a folder of exercises to complete, anywhere."""
    from course.authoring.derive import exercise_file, has_answers, write
    from course.specs import modules

    folder = where if where.name == "exercises" else where / "exercises"
    files = {folder / f"{spec.stem}.py": exercise_file(spec) for spec in modules()}
    try:
        for path in files:
            if path.is_file() and not force and has_answers(path.read_text(encoding="utf-8")):
                stop(
                    f"{path} holds answers, so nothing was written; choose another folder, or add "
                    "--force to keep them in a backup and begin again"
                )
        for path, text in files.items():
            kept = write(path, text)
            console.print(f" wrote {path}{_kept(kept)}", markup=False, soft_wrap=True)
    except (OSError, UnicodeDecodeError) as error:
        stop(f"the exercises cannot be written to {folder} ({error})")
    console.print(f"\n Next: cd {folder.parent}, then course watch", markup=False, soft_wrap=True)


def _kept(backup: Path | None) -> str:
    return f" (what was there is in {shown(backup)})" if backup else ""


def reset(
    which: Annotated[str, typer.Argument(help="A function (05.2) or a whole file (05).")],
) -> None:
    """Put the stub back; what you had written stays in a backup beside the file."""
    from course.authoring.derive import exercise_file, keep, with_stub
    from course.grading.progress import forget

    spec, asked = select(which)
    folder = exercises()
    path = folder / f"{spec.stem}.py"
    whole = which not in {key for e in asked for key in (e.number, e.number.lstrip("0"), e.name)}
    try:
        before = path.read_text(encoding="utf-8") if whole and path.is_file() else ""
        if whole:
            after = exercise_file(spec)
        else:
            before = answers(folder, spec).read_text(encoding="utf-8")
            after = with_stub(before, asked[0].function)
        backup = keep(path) if before not in ("", after) else None
        path.write_text(after, encoding="utf-8")
    except SyntaxError as error:
        stop(
            f"{shown(path)} cannot be read beyond line {error.lineno}, so the function is not "
            f"found; mend that line, or reset the whole file with `course reset {spec.number}`"
        )
    except KeyError:
        stop(
            f"{shown(path)} defines no function {asked[0].name}; `course reset {spec.number}` "
            "puts the whole file back"
        )
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{shown(path)} cannot be reset ({error})")
    forget(folder, [e.number for e in asked])
    what = "the stubs are" if whole else f"the stub of {asked[0].name} is"
    console.print(f" {what} back in {shown(path)}{_kept(backup)}", markup=False, soft_wrap=True)


def doctor() -> None:
    """Check that this machine and this folder are ready for the course."""
    from course.grading.doctor import examine

    well = True
    console.print()
    for finding in examine():
        mark = "[bold green]✓[/]" if finding.well else "[bold red]✗[/]"
        console.print(f" {mark} {escape(finding.says)}", soft_wrap=True)
        well &= finding.well
    console.print("\n All is well.\n" if well else "\n Mend what has a cross, then run it again.\n")
    raise typer.Exit(0 if well else 1)
