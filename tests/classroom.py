"""A class of 200 students, each with the verdict that their answer to 05.1 has to get.

A third hands in right answers, a third the mistakes of the bank, and the rest attacks the grader,
its neighbours, or whoever opens the results.
"""

from __future__ import annotations

import inspect
import io
import os
import struct
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from course.authoring import derive, hostile
from course.grading import fence
from course.grading.spec import Answer
from course.specs import find
from course.specs import saliency as bank

SPEC, (EXERCISE,) = find("05")[0], find("05.1")[1]
FILE = f"{SPEC.stem}.py"
SOLUTION = derive.solution_file(SPEC)
PASSED = ("", "")
SIZE = 200


@dataclass(frozen=True)
class Expected:
    """layer: the first that fails; mistake: its name; says: part of the message."""

    layer: str = ""
    mistake: str = ""
    says: str = ""


def enroll(folder: Path, out: Path, size: int = SIZE) -> dict[str, Expected]:
    """Write everybody's submission; what is expected of each student."""
    folder.mkdir(parents=True)
    expected = {
        **_attacks(folder, out),
        **_odd_files(folder),
        **_odd_zips(folder),
        **_odd_names(folder),
    }
    rights = [SOLUTION, *map(written, EXERCISE.equivalents)]
    number = 0
    while len(expected) < size:
        name = f"student{number:03d}"
        if number % 2:
            mistake = EXERCISE.mistakes[number // 2 % len(EXERCISE.mistakes)]
            source = written(mistake.answer)
            expected[name] = Expected(mistake=mistake.name, layer="value")
        else:
            source = rights[number // 2 % len(rights)]
            expected[name] = Expected()
        _hand_in(folder / name, source, number)
        number += 1
    return expected


def written(answer: Answer) -> str:
    """A function of the bank as a learner's file, which asks for nothing but the library."""
    head = [
        "import numpy as np",
        "from course.autograd import Tensor, grad, log_softmax, rule, softmax",
        "from course.methods import saliency",
        "from course.methods.protocol import Model, Target",
        "from collections.abc import Callable",
    ]
    helper = inspect.getsource(bank._gradient_of)
    own = inspect.getsource(answer)
    return "\n".join([*head, helper, own, f"{EXERCISE.name} = {answer.__name__}\n"])


def _hand_in(path: Path, source: str, manner: int = 0) -> None:
    """In one of the ways in which folders and zips are made."""
    places = ["", "exercises/", "my work/exercises/", "repo/course/exercises/"]
    place = places[manner % len(places)] + FILE
    if manner % 3 == 2:
        path.with_name(f"{path.name}.zip").write_bytes(zipped({place: source}))
    else:
        file = path / place
        file.parent.mkdir(parents=True)
        file.write_text(source, encoding="utf-8")


def zipped(files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


# --- Attacks on the process, the neighbours and the grader --------------------------------------

TRY = """
import os, pathlib, shutil, signal, socket
def attempt(act, *arguments):
    try:
        act(*arguments)
    except (OSError, shutil.Error):
        pass
"""
RIGHT = SOLUTION
# Each knows where the submissions and the results are, which the grader tells nobody.
DISTURBING = {
    "deletes its neighbours": "shutil.rmtree(FOLDER, ignore_errors=True)",
    "rewrites its neighbours": (
        "for p in pathlib.Path(FOLDER).glob('**/*.py'): attempt(p.write_text, 'mine')\n"
        "for n in range(200):\n"
        f"    attempt(pathlib.Path(FOLDER, f'student{{n:03d}}/{FILE}').write_text, 'mine')\n"
        f"    attempt(pathlib.Path(FOLDER, f'student{{n:03d}}.zip').write_bytes, b'mine')"
    ),
    "moves its neighbours": "attempt(os.rename, FOLDER, FOLDER + '2')",
    "deletes the results": "shutil.rmtree(OUT, ignore_errors=True)",
    "rewrites the results": (
        "for name in ('journal.jsonl', 'results.csv', 'secret.txt'):\n"
        "    attempt(pathlib.Path(OUT, name).write_text, 'mine')"
    ),
    "a link out": (
        "attempt(os.symlink, FOLDER, 'out')\n"
        "attempt(pathlib.Path('out', 'mark').write_text, 'mine')"
    ),
    "writes beside": (
        "attempt(pathlib.Path(FOLDER).parent.joinpath('mark').write_text, 'mine')\n"
        "attempt(pathlib.Path.home().joinpath('mark').write_text, 'mine')"
    ),
    "rewrites the course": (
        "import course.specs, course.grading\n"
        "for module in (course.specs, course.grading):\n"
        "    attempt(pathlib.Path(module.__file__).write_text, 'mine')"
    ),
    "kills its parents": (
        "pid = os.getppid()\n"
        "for _ in range(3):\n"
        "    if pid > 1:\n"
        "        attempt(os.kill, pid, signal.SIGKILL)\n"
        "        pid = int(pathlib.Path(f'/proc/{pid}/stat').read_text().split(') ')[1].split()[1])"
    ),
}
READING = {
    "reads the results": "pathlib.Path(OUT, 'journal.jsonl').read_text()",
    "reads its neighbours": "os.listdir(FOLDER)",
    "reads the grader's environment": "pathlib.Path(f'/proc/{os.getppid()}/environ').read_bytes()",
    "calls home": "socket.create_connection(('127.0.0.1', 9), timeout=1)",
}
SINCE = {"calls home": 4, "kills its parents": 6}
MISCHIEF = {
    "prints 100 MB": ("for i in range(100): print('x' * 1_000_000)", Expected()),
    "a storm of processes": (
        "import os, time\n"
        "for _ in range(300):\n"
        "    if not os.fork():\n"
        "        time.sleep(600)\n"
        "        os._exit(0)",
        Expected(),
    ),
    "looks for secrets": (
        "import os\n"
        "assert not [k for k in os.environ if 'SECRET' in k or 'TOKEN' in k], dict(os.environ)\n"
        "assert not os.environ['COURSE_CACHE'], os.environ['COURSE_CACHE']",
        Expected(),
    ),
    "its own files": ("open('figure.png', 'w').write('mine')", Expected()),
    "deletes its own": ("import os; os.remove(__file__)", Expected()),
    "markup": (
        "raise ValueError('<script>alert(1)</script> ]]> &amp;')",
        Expected("load", says="<script>alert(1)</script> ]]> &amp;"),
    ),
    "a formula": ("class cmd(Exception): pass\nraise cmd('=1+1')", Expected("load", says="=1+1")),
    "control characters": (
        "raise ValueError('\\x00\\x1b[31m\\ud800\\u202e')",
        Expected("load", says="ValueError: \ufffd\ufffd[31m\ufffd\ufffd"),
    ),
    "an empty file": ("", Expected()),
}


def _attacks(folder: Path, out: Path) -> dict[str, Expected]:
    expected = {}
    paths = f"FOLDER, OUT = {str(folder)!r}, {str(out)!r}\n"
    for name, attack in hostile.ATTACKS.items():
        _hand_in(folder / f"attack {name}", attack.text(EXERCISE, folder))
        expected[f"attack {name}"] = Expected(attack.layer)
    # What the kernel's fence can keep out depends on its version; files, since the third.
    kernel = fence.version()
    too_new = {name for name, since in SINCE.items() if kernel < since}
    disturbing = {k: v for k, v in DISTURBING.items() if kernel >= 3 and k not in too_new}
    reading = {k: v for k, v in READING.items() if kernel >= 3 and k not in too_new}
    for name, act in disturbing.items():
        _hand_in(folder / name, TRY + paths + act + "\n" + RIGHT)
        expected[name] = Expected()
    for name, act in reading.items():
        _hand_in(folder / name, TRY + paths + act + "\n" + RIGHT)
        expected[name] = Expected("load", says="PermissionError")
    for name, (act, verdict) in MISCHIEF.items():
        _hand_in(folder / name, act + "\n" + RIGHT)
        expected[name] = verdict
    return expected


# --- Submissions that cannot be read ------------------------------------------------------------


def _odd_files(folder: Path) -> dict[str, Expected]:
    def at(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name / FILE

    (folder / "victim").mkdir()
    (folder / "victim" / FILE).write_text(RIGHT)
    at("link to another").symlink_to(folder / "victim" / FILE)
    at("link to a device").symlink_to("/dev/zero")
    at("exercises elsewhere").with_name("exercises").symlink_to(folder / "victim")
    (folder / "a link").symlink_to(folder / "victim")
    os.mkfifo(at("a pipe"))
    at("a folder for a file").mkdir()
    with at("a huge file").open("wb") as stream:
        stream.truncate(1 << 30)
    (folder / "loose.py").write_text(RIGHT)
    at("two answers").write_text(RIGHT)
    (folder / "two answers" / "old").mkdir()
    (folder / "two answers" / "old" / FILE).write_text("other")
    at("nothing").parent.joinpath("README.md").write_text("nothing")
    at("only the solutions").parent.joinpath("solutions").mkdir()
    (folder / "only the solutions" / "solutions" / FILE).write_text(RIGHT)
    at("stub").write_text(derive.exercise_file(SPEC))
    at("no python").write_bytes(bytes(range(256)))
    at("utf-16").write_bytes(RIGHT.encode("utf-16"))
    at("latin-1").write_bytes(b"# -*- coding: latin-1 -*-\n# \xe9\n" + RIGHT.encode())
    at("byte order mark").write_bytes(b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode())
    at("nested").write_text("x = " + "(" * 5000 + ")" * 5000)
    link = Expected("unread", says="symbolic link")
    return {
        "victim": Expected(),
        "link to another": link,
        "link to a device": link,
        "exercises elsewhere": link,
        "a link": link,
        "a pipe": Expected("unread", says="is not a file"),
        "a folder for a file": Expected("missing"),
        "a huge file": Expected("unread", says="larger than 1 MB"),
        "loose.py": Expected("unread", says="neither a folder nor a zip"),
        "two answers": Expected("unread", says="different files called"),
        "nothing": Expected("missing", says=f"no {FILE} was handed in"),
        "only the solutions": Expected("missing"),
        "stub": Expected("written"),
        "no python": Expected("load"),
        "utf-16": Expected("load"),
        "latin-1": Expected(),
        "byte order mark": Expected(),
        "nested": Expected("load"),
    }


def _patched(data: bytes, offset: int, value: int, size: str = "I", entry: int = 0) -> bytes:
    """A zip with another number in the central directory's record of an entry."""
    place = -1
    for _ in range(entry + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    place += offset
    packed = struct.pack(f"<{size}", value)
    return data[:place] + packed + data[place + len(packed) :]


def _odd_zips(folder: Path) -> dict[str, Expected]:
    bomb = zipped({FILE: bytes(200 << 20)})
    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo(FILE)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr(FILE, RIGHT)
        archive.writestr(FILE.replace("5", "6"), "other")
    doubled = twice.getvalue().replace(FILE.replace("5", "6").encode(), FILE.encode())
    overlapping = _patched(zipped({"a.py": RIGHT, FILE: RIGHT}), 42, 0, entry=1)
    good = zipped({FILE: RIGHT})
    zips = {
        "zip bomb": (bomb, "larger than 1 MB"),
        "zip bomb that lies": (_patched(bomb, 24, 10), "damaged"),
        "overlapping": (overlapping, "damaged"),
        "out of the zip": (zipped({f"../../{FILE}": RIGHT}), "outside itself"),
        "out by backslashes": (zipped({f"..\\..\\{FILE}": RIGHT}), "outside itself"),
        "absolute": (zipped({f"/{FILE}": RIGHT}), "outside itself"),
        "a drive": (zipped({"C:" + f"\\{FILE}": RIGHT}), "outside itself"),
        "a link in a zip": (link.getvalue(), "symbolic link"),
        "the same name twice": (doubled, "twice"),
        "encrypted": (_patched(good, 8, 1, "H"), "encrypted"),
        "unusual": (zipped({FILE: RIGHT}, zipfile.ZIP_LZMA), "unusual"),
        "unknown method": (_patched(good, 10, 97, "H"), "unusual"),
        "cut": (good[:-30], "damaged"),
        "noise": (bytes(range(256)) * 20, "damaged"),
        "empty zip": (b"", "damaged"),
        "one bit": (good[:60] + bytes([good[60] ^ 1]) + good[61:], "damaged"),
        "many files": (zipped({f"{i}": "" for i in range(20_001)}), "more than 20000"),
    }
    expected = {}
    for name, (data, says) in zips.items():
        (folder / f"{name}.zip").write_bytes(data)
        expected[name] = Expected("unread", says=says)
    (folder / "nested bomb.zip").write_bytes(zipped({"more.zip": bomb}))
    (folder / "bomb beside.ZIP").write_bytes(zipped({FILE: RIGHT, "data.bin": bytes(200 << 20)}))
    return {**expected, "nested bomb": Expected("missing"), "bomb beside": Expected()}


def _odd_names(folder: Path) -> dict[str, Expected]:
    names = {
        "=1+1": "=1+1",
        "-5": "-5",
        "@SUM(A1)": "@SUM(A1)",
        "<script>alert(2)</script>".replace("/", "∕"): "<script>alert(2)<∕script>",
        "Zoë O'Brien, 王": "Zoë O'Brien, 王",
        'quote " and ;': 'quote " and ;',
        "two\nlines": "two lines",
        "\x1b[31mred": "\ufffd[31mred",
        "turned \u202eround": "turned \ufffdround",
        "n" * 250: "n" * 250,
        ("w" * 250)[:240] + ".zipped": "w" * 240 + ".zipped",
    }
    if sys.platform == "linux":  # where names are bytes
        names[os.fsdecode(b"byte \xff")] = "byte \ufffd"
    for name in names:
        _hand_in(folder / name, RIGHT)
    for name in ("Twin", "twin"):
        _hand_in(folder / name, RIGHT)
    _hand_in(folder / "both", RIGHT)
    (folder / "both.zip").write_bytes(zipped({FILE: RIGHT}))
    same = Expected("unread", says="name the same student")
    return {**dict.fromkeys(names.values(), Expected()), "Twin": same, "twin": same, "both": same}
