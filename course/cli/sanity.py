"""`course sanity`: the sanity tests for a method of one's own."""

from __future__ import annotations

import json
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from course.cli.common import console, existing, shown, stop

if TYPE_CHECKING:
    from course.sanity.run import Run

COLOURS = {"passes": "green", "fails": "red", "cannot tell": "yellow"}


class Net(StrEnum):
    mnist_cnn = "mnist_cnn"
    mnist_mlp = "mnist_mlp"
    fashion_cnn = "fashion_cnn"
    efficientnet_lite0 = "efficientnet_lite0"
    small_cnn = "small_cnn"


def sanity(
    method: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:FUNCTION]",
            help="A file with a function (model, x, target), or a method's name, as gradient.",
        ),
    ],
    network: Annotated[
        list[Net] | None, typer.Option(help="What is explained. Repeat for more.")
    ] = None,
    examples: Annotated[
        int | None, typer.Option(min=2, help="How many inputs; the default suits the network.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="How often networks are drawn anew.")] = 3,
    out: Annotated[Path, typer.Option(help="The report to write.")] = Path("report.html"),
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers here too.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Half the examples, two seeds, no training.")
    ] = False,
    limit: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="That one call may take.")
    ] = 120,
) -> None:
    """Do the maps of your own method depend on the network at all? A page with the answer."""
    from course.sanity.reader import Reader, UnusableError
    from course.sanity.report import report
    from course.sanity.run import as_json as jsonable
    from course.sanity.run import run
    from course.sanity.shipped import METHODS

    file, function = split(method)
    names = [n.value for n in network or [Net.mnist_cnn]]
    chosen: Any
    if file.suffix != ".py" and method in METHODS:
        chosen, source = nullcontext(METHODS[method]), "the library"
    elif file.suffix == ".py":
        chosen, source = Reader(existing(file), function, limit), file.name
    else:
        stop(f"{method} is neither a .py file nor one of {', '.join(METHODS)}")
    try:
        with chosen as answer:
            name = getattr(answer, "name", method)
            found = run(answer, name, source, names, examples, seeds, quick)
        write(out, report(found))
        if as_json:
            write(as_json, json.dumps(jsonable(found), indent=1) + "\n")
    except (UnusableError, ValueError, OSError) as error:
        stop(str(error))
    except KeyboardInterrupt:
        stop("stopped; nothing was written")
    summarise(found)
    console.print(f"\n The report is in {shown(out)}\n", markup=False, soft_wrap=True)


def split(method: str) -> tuple[Path, str]:
    """FILE and FUNCTION of FILE:FUNCTION; a drive's colon, as Windows has it, is none."""
    file, colon, function = method.rpartition(":")
    if colon and function.isidentifier() and file.endswith(".py"):
        return Path(file), function
    return Path(method), ""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def summarise(found: Run) -> None:
    from rich.table import Table

    from course.sanity.verdicts import TITLES

    for result in found.results:
        console.print(
            f"\n [bold]{escape(found.name)}[/] on {result.subject.name}, "
            f"{len(result.subject.x)} examples, {found.settings['seeds']} runs\n"
        )
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
        for head in ("", "", "its maps keep", "the gradient's"):
            table.add_column(head)
        for verdict in result.verdicts:
            outcome = f" [bold {COLOURS[verdict.outcome]}]{verdict.outcome}[/]"
            table.add_row(outcome, TITLES[verdict.test], verdict.keeps, verdict.gradient)
        console.print(table)
    console.print(
        "\n Sanity checks do not tell whether a method is good, only whether its maps depend on "
        "what they are said to explain."
    )
