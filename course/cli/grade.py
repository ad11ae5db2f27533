"""`course grade` and `course gradescope`: for those who teach."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from course.cli.common import console, select, stop

if TYPE_CHECKING:
    from course.grading.batch.jobs import Row
    from course.grading.batch.run import Chosen

SECRET = "COURSE_SECRET"
Only = Annotated[
    list[str] | None,
    typer.Option("--only", "--module", help="Modules or exercises: 05, 05.2. Repeat for more."),
]
Secret = Annotated[
    str,
    typer.Option(envvar=SECRET, help="From which each student's own cases are drawn."),
]
SecretFile = Annotated[
    Path | None, typer.Option(help="A file with the secret, which stays out of lists of processes.")
]


def grade(
    folder: Annotated[Path, typer.Argument(help="One submission an entry, a folder or a zip.")],
    out: Annotated[Path, typer.Option(help="The folder for the results.")],
    only: Only = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 is one a core.")] = 0,
    secret: Secret = "",
    secret_file: SecretFile = None,
    again: Annotated[
        list[str] | None, typer.Option(metavar="STUDENT", help="Judge this student anew.")
    ] = None,
    names: Annotated[bool, typer.Option(help="Name the students in report.html.")] = False,
    dask: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Judge on this Dask cluster: tcp://host:8786.")
    ] = "",
) -> None:
    """Judge a folder of submissions. Goes on where an earlier run was stopped."""
    from course.grading.batch import cluster
    from course.grading.batch import secret as secrets
    from course.grading.batch.class_report import class_report
    from course.grading.batch.results import write_all
    from course.grading.batch.run import disturbed, files
    from course.grading.batch.run import grade as judge_all
    from course.grading.batch.submissions import take_in
    from course.grading.batch.worker import WorkerError

    if not folder.is_dir():
        stop(f"there is no folder {folder}")
    if out.resolve() == folder.resolve() or out.resolve().is_relative_to(folder.resolve()):
        stop("--out lies in the folder of submissions; choose another, where no student writes")
    chosen = _chosen(only)
    try:
        key = _secret(secret, secret_file) or secrets.kept(out)
        submissions = take_in(folder, files(chosen))
        with _Progress() as progress:
            batch = judge_all(
                submissions, out, chosen, key,
                workers=workers or len(_cores()), dask=dask, again=again or (), progress=progress,
            )  # fmt: skip
        write_all(batch.rows, class_report(batch.rows, names), out)
    except KeyboardInterrupt:
        console.print(" Stopped. The same command goes on from here.")
        raise typer.Exit(130) from None
    except (OSError, WorkerError, cluster.ClusterError) as error:
        stop(str(error))
    _summarise(batch.rows, batch.reused, out)
    for student in disturbed(submissions, folder, chosen):
        console.print(
            f" [bold red]✗[/] The submission of {escape(student)} changed while others were "
            "judged; the results are about what it was before.",
            soft_wrap=True,
        )


def gradescope(
    submission: Annotated[Path, typer.Argument(help="The student's folder, or zip.")],
    results: Annotated[Path, typer.Argument(help="The results.json to write.")],
    only: Only = None,
    secret: Secret = "",
    secret_file: SecretFile = None,
) -> None:
    """Judge one submission, for Gradescope's run_autograder."""
    from course.grading.batch.results import as_gradescope, write
    from course.grading.batch.run import files
    from course.grading.batch.run import grade as judge_all
    from course.grading.batch.submissions import read
    from course.grading.batch.worker import WorkerError

    if not submission.exists():
        stop(f"there is no submission {submission}")
    chosen = _chosen(only)
    try:
        key = _secret(secret, secret_file) or os.urandom(32)
        handed_in = read(submission, files(chosen))
        with tempfile.TemporaryDirectory() as folder:
            batch = judge_all([handed_in], Path(folder), chosen, key)
        write(results, as_gradescope(batch.rows))
    except (OSError, WorkerError) as error:
        stop(str(error))
    passed = sum(row.passed for row in batch.rows)
    console.print(f" {passed} of {len(batch.rows)} passed")


def _chosen(only: list[str] | None) -> Chosen:
    """Modules with those of their exercises that were asked for, each once and in order."""
    from course.specs import modules

    if not only:
        return [(spec, spec.exercises) for spec in modules()]
    asked = {exercise.number for selector in only for exercise in select(selector)[1]}
    parts = [(spec, [e for e in spec.exercises if e.number in asked]) for spec in modules()]
    return [(spec, exercises) for spec, exercises in parts if exercises]


def _secret(text: str, file: Path | None) -> bytes:
    os.environ.pop(SECRET, None)
    if file and not (kept := file.read_bytes().strip()):
        stop(f"the secret in {file} is empty")
    return kept if file else text.strip().encode()


def _cores() -> Sequence[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


class _Progress:
    """A bar, told of each row."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = (TextColumn(" judged"), BarColumn(), MofNCompleteColumn(), Remaining())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, row: Row, total: int) -> None:
        self._bar.update(self._task, total=total, advance=1)


def _summarise(rows: Sequence[Row], reused: int, out: Path) -> None:
    from rich.table import Table

    from course.grading import fence

    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in ("", "exercise", "pass", "of", "unread or unjudged"):
        table.add_column(name, justify="left" if name in ("", "exercise") else "right")
    for number in sorted({row.number for row in rows}):
        own = [row for row in rows if row.number == number]
        lost = sum(row.layer in ("unread", "unjudged") for row in own)
        passed = str(sum(row.passed for row in own))
        table.add_row(number, own[0].exercise, passed, str(len(own)), str(lost))
    console.print(table)
    students = len({row.student for row in rows})
    known = f", {reused} answers known from before" if reused else ""
    console.print(f"\n {students} submissions{known}; results in {out}", soft_wrap=True)
    if not fence.version():
        console.print(
            " [yellow]This system has no Landlock, so nothing kept submissions from files that "
            "you may write to; see the guide on judging strangers in a container.[/]",
            soft_wrap=True,
        )
