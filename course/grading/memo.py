"""Torch's answers kept on disk, so that a second check of an exercise needs no Torch at all.

An answer is found by everything that it depends on: the Torch code, Torch's version, and the
arguments, networks among them by their parameters. A file that is missing, damaged or not
writable costs time, never a verdict.

The folder belongs to the user, and so does the process in which a submission runs: a submission
could write there. Who judges strangers gives each a container, or a COURSE_CACHE of its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.call import realise
from course.grading.spec import Network

LIMIT = 64 << 20  # bytes of the folder; beyond, what was not used for longest goes
ENOUGH = 3 * LIMIT // 4  # what then stays, so that not every new answer has to tidy up

Reference = Callable[[Mapping[str, Any]], np.ndarray]


def memoised(reference: Reference, name: str) -> Reference:
    """The same function with a memory; `name` tells it from others in `course.reference`."""

    def recall(arguments: Mapping[str, Any]) -> np.ndarray:
        file = _file(name, arguments)
        found = _read(file) if file else None
        if found is None:
            found = reference(arguments)
            if file:
                _write(file, found)
        return found

    return recall


def cache_folder() -> Path | None:
    """COURSE_CACHE, else the place that the platform has for caches; None if there is none."""
    chosen = os.environ.get("COURSE_CACHE")
    if chosen is not None:
        return Path(chosen) if chosen else None  # COURSE_CACHE= turns the memory off
    try:
        usual = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
        own = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME")
        return Path(os.environ.get(own) or Path.home() / usual) / "saliency-from-scratch"
    except RuntimeError:  # nobody's home
        return None


def _file(name: str, arguments: Mapping[str, Any]) -> Path | None:
    """Where the answer to these arguments is kept; None if it cannot be."""
    folder = cache_folder()
    try:
        parts = [name, _references(), *(_describe(k, arguments[k]) for k in sorted(arguments))]
    except (OSError, PackageNotFoundError, TypeError):
        return None
    return folder / f"{sha256(repr(parts).encode()).hexdigest()}.npy" if folder else None


@cache
def _references() -> str:
    """What is installed: every Torch file of the course, what calls them, and Torch's version."""
    course = Path(__file__).parent.parent
    digest = sha256(version("torch").encode())
    for file in [*sorted((course / "reference").glob("*.py")), course / "specs" / "_protocol.py"]:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _describe(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, Network):
        return name, _parameters(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return name, value.dtype.str, value.shape, sha256(value.tobytes()).hexdigest()
    if isinstance(value, (tuple, list)):
        return name, type(value).__name__, [_describe("", v) for v in value]
    if isinstance(value, dict):
        return name, "dict", [_describe(k, value[k]) for k in sorted(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return name, type(value).__name__, repr(value)
    raise TypeError(f"{name} is a {type(value).__name__}, which has no description")


@cache
def _parameters(network: Network) -> str:
    """A digest of the network's numbers themselves, wherever they come from."""
    digest = sha256(f"{network.name} {network.dtype}".encode())
    for name, value in sorted(realise({"model": network})["model"].state_dict().items()):
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode() + value.tobytes())
    return digest.hexdigest()


def _read(file: Path) -> np.ndarray | None:
    """The array, unless the file is not exactly what was written."""
    try:
        stored = file.read_bytes()
        body, check = stored[:-32], stored[-32:]
        if sha256(body).digest() != check:
            return None
        with suppress(OSError):
            os.utime(file)  # in use: the last to go
        return np.load(BytesIO(body), allow_pickle=False)
    except (OSError, ValueError):
        return None


def _write(file: Path, answer: np.ndarray) -> None:
    """Under its name only when complete, so that two processes may write at once."""
    body = BytesIO()
    np.save(body, answer, allow_pickle=False)
    stored = body.getvalue() + sha256(body.getvalue()).digest()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
        try:
            with open(handle, "wb") as part:
                part.write(stored)
            os.replace(name, file)
        except OSError:
            os.unlink(name)
        _tidy(file.parent)


def _tidy(folder: Path) -> None:
    """Drop the oldest files, those that a killed process left half written among them."""
    files = []
    for file in [*folder.glob("*.npy"), *folder.glob("*.part")]:
        with suppress(OSError):  # another process tidies too
            stat = file.stat()
            files.append((stat.st_mtime, stat.st_size, file))
    total = sum(size for _, size, _ in files)
    if total <= LIMIT:
        return
    for _, size, file in sorted(files):
        with suppress(OSError):
            file.unlink()
        total -= size
        if total <= ENOUGH:
            return
