"""The command `course`: where you are, what is next, and whether an answer is right."""

from __future__ import annotations

from course.threads import one_thread

one_thread()  # before anything imports NumPy

from course.cli import author, grade, help, judging, lab, release, sanity, setup, watch  # noqa: E402
from course.cli.common import app  # noqa: E402

__all__ = ["app", "main"]

app.add_typer(author.author, name="author")
app.callback(invoke_without_command=True)(judging.status)
for command in (
    judging.check,
    watch.watch,
    help.hint,
    help.diff,
    help.solution,
    judging.list_,
    setup.reset,
    setup.start,
    setup.doctor,
    lab.lab,
    sanity.sanity,
    release.release,
    grade.grade,
    grade.gradescope,
):
    app.command(command.__name__.rstrip("_"))(command)


def main() -> None:
    app()
