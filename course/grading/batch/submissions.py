"""Read submissions into memory: folders and zips, none of them trusted.

Nothing is unpacked, and no name out of a submission becomes a path: files with the names of
exercises are read, at most so many bytes of each, and whatever is odd is a sentence in the report.
"""

from __future__ import annotations

import os
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath

from course.grading.batch.text import one_line

LIMIT = 1 << 20  # bytes of an exercise file; the longest of the course has some 20 thousand
ZIP = 64 << 20  # bytes of a zip file
ENTRIES = 20_000  # files and folders of one submission
DEPTH = 6  # folders below each other
MAXIMUM = 255  # characters of a name
# Where a student's repository keeps what is not the student's answer.
SKIPPED = {"solutions", "__MACOSX", "__pycache__", "node_modules", "site-packages", "venv", "env"}


@dataclass
class Submission:
    """One student's exercise files by name, or the problem that kept them from being read."""

    student: str
    files: dict[str, bytes] = field(default_factory=dict)
    problem: str = ""

    @property
    def digest(self) -> str:
        parts = [(name, sha256(self.files[name]).hexdigest()) for name in sorted(self.files)]
        return sha256(repr((self.problem, parts)).encode()).hexdigest()


class _RefusedError(Exception):
    """Why a submission is not read, in words that follow "could not be read:"."""


def take_in(folder: Path, wanted: Sequence[str]) -> list[Submission]:
    """Every entry of the folder as a submission, in the order of the students' names.

    wanted: the names of exercise files, such as "05_saliency.py"; no others are read.
    """
    found: dict[str, list[tuple[str, Submission]]] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            submission = read(path, wanted)
            key = unicodedata.normalize("NFKC", submission.student).casefold()
            found.setdefault(key, []).append((_shown(path.name), submission))
    taken = []
    for same in found.values():
        if len(same) > 1:
            names = " and ".join(f"“{name}”" for name, _ in same)
            problem = f"{names} name the same student; keep one"
            students = dict.fromkeys(s.student for _, s in same)
            taken += [Submission(student, problem=problem) for student in students]
        else:
            taken.append(same[0][1])
    return sorted(taken, key=lambda submission: submission.student)


def read(path: Path, wanted: Sequence[str]) -> Submission:
    """One submission, a folder or a zip file; its name is the student's."""
    is_zip = path.suffix.lower() == ".zip" and not path.is_dir()
    submission = Submission(_shown(path.stem if is_zip else path.name))
    try:
        if path.is_symlink():
            raise _RefusedError("it is a symbolic link")
        if is_zip:
            submission.files = _choose(_in_zip(path, set(wanted)))
        elif path.is_dir():
            submission.files = _choose(_in_folder(path, set(wanted)))
        else:
            raise _RefusedError("it is neither a folder nor a zip file")
    except _RefusedError as refusal:
        submission.problem = str(refusal)
    except OSError as error:
        submission.problem = error.strerror or "it cannot be opened"
    return submission


def _choose(found: Iterator[tuple[PurePosixPath, bytes]]) -> dict[str, bytes]:
    """One file of each name: that in a folder `exercises` where there are several."""
    by_name: dict[str, dict[PurePosixPath, bytes]] = {}
    for path, content in found:
        same = by_name.setdefault(path.name, {})
        if path in same:
            raise _RefusedError(f"it holds {_shown(path)} twice")
        same[path] = content
    chosen = {}
    for name, same in by_name.items():
        proper = {p: c for p, c in same.items() if p.parent.name == "exercises"} or same
        if len(set(proper.values())) > 1:
            places = " and ".join(_shown(path) for path in sorted(proper))
            raise _RefusedError(f"it holds different files called {name}: {places}")
        chosen[name] = next(iter(proper.values()))
    return chosen


def _skipped(path: PurePosixPath) -> bool:
    folders = path.parts[:-1]
    return len(folders) > DEPTH or any(f in SKIPPED or f.startswith(".") for f in folders)


def _shown(path: PurePosixPath | str) -> str:
    """A file's name, which need not be text, as text."""
    return one_line(os.fsencode(str(path)).decode("utf-8", "replace"))[:MAXIMUM]


def _in_folder(top: Path, wanted: set[str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Wanted files, without following a link."""
    open_folders, seen = [PurePosixPath()], 0
    while open_folders:
        here = open_folders.pop()
        with os.scandir(top / here) as entries:
            for entry in entries:
                path = here / entry.name
                seen += 1
                if seen > ENTRIES:
                    raise _RefusedError(f"it holds more than {ENTRIES} files")
                if entry.is_symlink():
                    if entry.name in wanted or entry.name == "exercises":
                        raise _RefusedError(f"{_shown(path)} is a symbolic link")
                elif entry.is_dir():
                    if not _skipped(path / "file"):
                        open_folders.append(path)
                elif entry.name in wanted:
                    yield path, _content(entry.path, path)


def _content(file: str, path: PurePosixPath) -> bytes:
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(file, os.O_RDONLY | flags), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise _RefusedError(f"{_shown(path)} is not a file")
        return _limited(stream.read(LIMIT + 1), path)


def _limited(content: bytes, path: PurePosixPath) -> bytes:
    if len(content) > LIMIT:
        raise _RefusedError(f"{_shown(path)} is larger than {LIMIT >> 20} MB")
    return content


def _in_zip(file: Path, wanted: set[str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Wanted files, each inflated no further than its limit, whatever the zip says of its size."""
    if file.stat().st_size > ZIP:
        raise _RefusedError(f"the zip is larger than {ZIP >> 20} MB")
    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > ENTRIES:
                raise _RefusedError(f"it holds more than {ENTRIES} files")
            for info in archive.infolist():
                path = _inside(info.filename)
                if path.name in wanted | {"exercises"} and stat.S_ISLNK(info.external_attr >> 16):
                    raise _RefusedError(f"{_shown(path)} is a symbolic link")
                if path.name in wanted and not info.is_dir() and not _skipped(path):
                    yield path, _inflated(archive, info, path)
    except _RefusedError:
        raise
    # What zipfile raises on damage: its own error, and those of what it calls.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, LookupError, OSError) as error:
        raise _RefusedError("the zip is damaged") from error
    except (NotImplementedError, RuntimeError, MemoryError, AttributeError, TypeError) as error:
        raise _RefusedError("the zip is of a kind that cannot be read") from error


def _inside(name: str) -> PurePosixPath:
    """The name as a path, unless it leads out of the zip."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (len(name) > 1 and name[1] == ":"):
        raise _RefusedError(f"the zip names a place outside itself: {_shown(name)}")
    return path


def _inflated(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath) -> bytes:
    if info.flag_bits & 1:
        raise _RefusedError(f"{_shown(path)} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _RefusedError(f"{_shown(path)} is compressed in an unusual way; use a plain zip")
    with archive.open(info) as stream:
        return _limited(stream.read(LIMIT + 1), path)
