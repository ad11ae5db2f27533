"""The process in which submissions run: whatever they do, a verdict comes back, and nothing of
theirs stays behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from course.grading.judge import judge
from course.grading.run import MEDDLED, in_child
from course.grading.spec import Case, Exercise
from course.grading.warm import Warm

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
RIGHT = "def double(x):\n    return 2 * x\n"


def double(x):
    return 2 * x


EXERCISE = Exercise(
    number="00.1",
    function=double,
    reference=lambda arguments: 2 * arguments["x"],
    goal="Double.",
    anchor="",
    points=1,
    cases=lambda rng: [Case(str(i), {"x": rng.normal(size=3)}) for i in range(2)],
    mistakes=(),
    equivalents=(),
    hints=("", "", ""),
    seconds=2.0,
)


@pytest.fixture(params=["warm", "alone"])
def verdict_on(request, tmp_path, monkeypatch):
    """Judges a source: by one process after another, or by one that forks for each."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "jobs"))
    (tmp_path / "jobs").mkdir()
    (tmp_path / "submission").mkdir()
    path = tmp_path / "submission" / "answer.py"

    def verdict(source, seconds=EXERCISE.seconds):
        path.write_text(source)
        exercise = replace(EXERCISE, seconds=seconds)
        return judge(exercise, in_child(exercise, path, warm=warm))

    warm = Warm() if request.param == "warm" else None
    yield verdict
    if warm:
        warm.close()


def processes(mark):
    """Those, not yet dead, whose environment holds this text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_one_after_another_and_each_afresh(verdict_on, tmp_path):
    leaves = "import builtins\nassert not hasattr(builtins, 'left')\nbuiltins.left = 1\n" + RIGHT
    assert verdict_on(leaves).passed
    assert verdict_on(leaves).passed
    assert verdict_on(RIGHT.replace("2", "3")).layer == "value"
    assert not list((tmp_path / "jobs").iterdir())


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os\ndef double(x): os._exit(3)", "exit code 3"),
        ("import os\ndef double(x): os.abort()", "SIGABRT"),
        ("import os, signal\ndef double(x): os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import sys\ndef double(x): sys.exit()", "sys.exit"),
    ],
)
def test_ways_to_end_early(verdict_on, source, says):
    verdict = verdict_on(source)
    assert (verdict.layer, says in verdict.message) == ("call", True), verdict
    assert verdict_on(RIGHT).passed


@pytest.mark.parametrize(
    "stays",
    [
        "while True: pass",
        "import faulthandler; faulthandler.cancel_dump_traceback_later()\n    while True: pass",
        "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)\n    while True: pass",
    ],
    ids=["a loop", "no watchdog", "stops its parent"],
)
def test_what_does_not_end_is_ended(verdict_on, stays, monkeypatch):
    monkeypatch.setattr("course.grading.warm.LATE", 1.0)
    verdict = verdict_on(f"def double(x):\n    {stays}")
    assert "did not finish within 2 seconds" in verdict.message
    assert verdict_on(RIGHT).passed


def test_a_hang_names_its_line(verdict_on):
    verdict = verdict_on("def double(x):\n    n = 0\n    while True:\n        n += 1\n")
    assert verdict.line in (3, 4)


@FORKS
def test_killing_the_parent_is_an_answer_too(verdict_on):
    source = "import os, signal, time\ndef double(x):\n    os.kill(os.getppid(), signal.SIGKILL)\n"
    verdict = verdict_on(source + "    time.sleep(60)")
    assert (verdict.layer, "SIGKILL" in verdict.message) == ("call", True)
    assert verdict_on(RIGHT).passed


def test_the_last_of_what_was_printed_is_kept(verdict_on):
    verdict = verdict_on("print('first')\nprint('x' * 5000)\nprint('last')\n" + RIGHT)
    assert verdict.passed
    assert verdict.printed.endswith("x\nlast\n")
    assert len(verdict.printed) == 2000


def test_a_hundred_megabytes_of_prints(verdict_on):
    verdict = verdict_on("for i in range(100): print('x' * 1_000_000)\n" + RIGHT)
    assert verdict.passed
    assert len(verdict.printed) == 2000


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on files")
def test_more_than_a_file_may_hold(verdict_on):
    verdict = verdict_on("def double(x):\n    for i in range(200): print('x' * 1_000_000)")
    assert (verdict.layer, "File too large" in verdict.message) == ("call", True)


@FORKS
@LINUX
@pytest.mark.parametrize("leaves", ["", "os.setsid()", "os.setsid(); os.fork()"])
def test_a_storm_of_processes_leaves_none(verdict_on, leaves, monkeypatch):
    mark = f"STORM=test-{os.getpid()}-{time.time_ns()}"
    monkeypatch.setenv(*mark.split("="))
    storm = (
        "import os, time\n"
        "for _ in range(300):\n"
        "    if not os.fork():\n"
        f"        {leaves or 'pass'}\n"
        "        time.sleep(600)\n"
        "print(len(os.listdir('/proc')))\n"
    )
    verdict = verdict_on(storm + RIGHT, seconds=60.0)  # a busy machine is no failure
    assert verdict.passed
    assert int(verdict.printed) > 300  # they did live
    left = [p for p in processes(mark) if p != os.getpid()]
    # A warm process is still there, and it alone.
    names = [Path(f"/proc/{p}/cmdline").read_text() for p in left]
    assert all("course.grading.warm" in name for name in names)
    assert len(left) <= 1


JOBS = "import glob, json, os, shutil, tempfile\nFOLDER = glob.glob({jobs!r} + '/course-*')[0]\n"
MEDDLING = {
    "deletes the folder": "shutil.rmtree(FOLDER)",
    "a file in its place": "shutil.rmtree(FOLDER); open(FOLDER, 'w')",
    "a link in its place": "shutil.rmtree(FOLDER); os.symlink('/', FOLDER)",
    "outcomes are noise": "write('outcomes.jsonl', bytes(range(256)))",
    "outcomes are no objects": "write('outcomes.jsonl', b'[]\\n3\\n')",
    "outcomes are nested": "write('outcomes.jsonl', b'[' * 100000)",
    "unknown kind": "forge(kind='passed')",
    "kind is a list": "forge(kind=[])",
    "a value": "forge(value=3, message='')",
    "message is a number": "forge(message=3)",
    "line is text": "forge(line='x')",
    "changed is a number": "forge(changed=3)",
    "an endless file": "link('outcomes.jsonl', '/dev/zero')",
    "an endless answer": "forge(); link('answer0.npy', '/dev/zero')",
    "a pipe that nobody fills": "forge(); remove('answer0.npy'); os.mkfifo(FOLDER+'/answer0.npy')",
    "outcomes from a pipe": "remove('outcomes.jsonl'); os.mkfifo(FOLDER + '/outcomes.jsonl')",
    "prints from a pipe": "remove('printed.txt'); os.mkfifo(FOLDER + '/printed.txt')",
    "an answer of objects": "forge(); save(np.array([None, {}]))",
    "an answer of text": "forge(); save(np.array(['a', 'b']))",
    "an answer with fields": "forge(); save(np.zeros(3, [('a', float)]))",
    "an answer of dates": "forge(); save(np.zeros(3, 'M8[s]'))",
    "a huge shape": "forge(); write('answer0.npy', HUGE)",
    "a folder as answer": "forge(); remove('answer0.npy'); os.mkdir(FOLDER + '/answer0.npy')",
}
TOOLS = r"""
import numpy as np
HUGE = (b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, "
        b"'shape': (1000000000000,), }").ljust(127) + b"\n"
def remove(name):
    if os.path.lexists(FOLDER + '/' + name): os.remove(FOLDER + '/' + name)
def write(name, data):
    remove(name)
    open(FOLDER + '/' + name, 'wb').write(data)
def link(name, to):
    remove(name)
    os.symlink(to, FOLDER + '/' + name)
def save(array):
    remove('answer0.npy')
    np.save(FOLDER + '/answer0.npy', array)
def forge(**fields):
    usual = {"kind": "answer", "message": "", "line": 0, "seconds": 0.0, "changed": []}
    write('outcomes.jsonl', json.dumps({**usual, **fields}).encode() + b'\n')
    save(np.zeros(3))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX")
@pytest.mark.parametrize("verdict_on", ["warm"], indirect=True)
@pytest.mark.parametrize("meddling", MEDDLING)
def test_meddling_with_the_graders_folder(verdict_on, meddling, tmp_path):
    tools = JOBS.format(jobs=str(tmp_path / "jobs")) + TOOLS
    act = f"def double(x):\n    {MEDDLING[meddling]}\n    os._exit(0)\n"
    verdict = verdict_on(tools + act)
    assert not verdict.passed
    assert verdict.message
    json.dumps(verdict.as_json())
    assert verdict_on(RIGHT).passed


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed")
def test_what_was_meddled_with_is_told(verdict_on, tmp_path):
    tools = JOBS.format(jobs=str(tmp_path / "jobs")) + TOOLS
    verdict = verdict_on(tools + "def double(x):\n    shutil.rmtree(FOLDER)\n    return 2 * x")
    assert (verdict.layer, verdict.message) == ("call", MEDDLED.message)


def test_a_submission_that_destroys_its_own_folder_has_its_verdict(verdict_on, tmp_path):
    (tmp_path / "submission" / "neighbour.py").write_text("mine")
    source = (
        "import pathlib\n"
        "for file in pathlib.Path(__file__).parent.iterdir():\n"
        "    if file.is_file(): file.unlink()\n"
    )
    assert verdict_on(source + RIGHT).passed
    assert verdict_on(source + "def double(x): return x").layer == "value"


@FORKS
def test_interrupting_ends_what_runs(tmp_path, monkeypatch):
    path = tmp_path / "answer.py"
    noted = tmp_path / "pid"
    path.write_text(
        f"import os, time\nopen({str(noted)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with Warm() as warm, pytest.raises(KeyboardInterrupt):
            judge(EXERCISE, in_child(EXERCISE, path, warm=warm))
    finally:
        signal.signal(signal.SIGALRM, previous)
    pid = int(noted.read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_large_answer_comes_back_whole(verdict_on):
    verdict = verdict_on("import numpy as np\ndef double(x): return np.arange(1e6)")
    assert verdict.layer == "shape"
    assert verdict.got is not None
    np.testing.assert_array_equal(verdict.got, np.arange(1e6))
