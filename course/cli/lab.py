"""`course lab`: the lectures and exercises as notebooks, in JupyterLab."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from course.cli.common import answers, exercises, existing, select, shown, stop

NEEDED = ("jupyterlab", "jupytext", "ipykernel")
NOTEBOOKS = (".py", ".md", ".ipynb")
# Settings that lie below the reader's own: which files open as notebooks, and no news.
SETTINGS = Path(__file__).parent / "jupyter"


def lab(
    which: Annotated[
        str,
        typer.Argument(metavar="[FILE|NN]", help="What to open: a file, or a module as 05."),
    ] = "",
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    port: Annotated[int, typer.Option(help="On this machine.")] = 8888,
    allow_root: Annotated[
        bool, typer.Option("--allow-root", help="As root too, for example in a container.")
    ] = False,
) -> None:
    """Open JupyterLab, where a double click opens a lecture or an exercise as a notebook."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        stop(f"{' and '.join(missing)} cannot be found; install what is missing with {install()}")
    folder = exercises()
    root = folder.parent.resolve()
    path = wanted(which, folder)
    if path and not path.resolve().is_relative_to(root):
        stop(f"{which} lies outside {root}, and JupyterLab shows only what is in there")
    os.environ.update(environment(os.environ.get("JUPYTER_CONFIG_PATH", "")))

    from jupyterlab.labapp import LabApp

    flags = ["--no-browser"] * (not browser) + ["--allow-root"] * allow_root
    LabApp.launch_instance([*options(root, path), f"--ServerApp.port={port}", *flags])


def wanted(which: str, folder: Path) -> Path | None:
    """The file that the argument names: a path, or the exercises of a module."""
    if not which:
        return None
    if which.endswith(NOTEBOOKS):
        return existing(Path(which))
    return answers(folder, select(which)[0])


def environment(before: str) -> dict[str, str]:
    """Where JupyterLab looks for defaults, ours last: what the reader has set counts more."""
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [before, str(SETTINGS)]))}


def options(root: Path, path: Path | None) -> list[str]:
    """JupyterLab's own; it asks no server whether there is news or a newer version."""
    found = [
        f"--ServerApp.root_dir={root}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if path:
        found.append(
            f"--LabApp.default_url=/lab/tree/{path.resolve().relative_to(root).as_posix()}"
        )
    return found


def install() -> str:
    """The command for this interpreter, in a clone or with the package alone."""
    root = Path(__file__).parents[2]
    # An environment's python is a link: resolved, it would be another one.
    python = Path(sys.executable)
    here = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    if (root / "constraints.txt").is_file() and (root / "pyproject.toml").is_file():
        return f'{here} -m pip install -c {shown(root / "constraints.txt")} -e "{shown(root)}[lab]"'
    return f'{here} -m pip install "saliency-from-scratch[lab]"'
