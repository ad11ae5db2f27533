"""`course grade`: a class of 200, some of whom attack it, each with the verdict that is due."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import pytest

from course.grading import fence
from course.grading.batch import worker
from course.grading.batch.jobs import UNJUDGED
from course.grading.batch.journal import Journal
from course.grading.batch.run import JOURNAL, disturbed, grade
from course.grading.batch.submissions import take_in
from tests.classroom import EXERCISE, FILE, SOLUTION, SPEC, enroll

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

SECRET = b"chalk"
CHOSEN = [(SPEC, [EXERCISE])]
WRONG = "def gradient(model, x, target): return 0 * x\n"
CHECK = "from course.cli import main; main()"


def run(*arguments, **options):
    environment = {**os.environ, "COURSE_SECRET": SECRET.decode(), "A_TOKEN": "x", "COLUMNS": "100"}
    command = [sys.executable, "-c", CHECK, *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )


def picture(folder):
    """Everything below the folder: kind, content, target."""
    seen = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            seen[path] = os.readlink(path)
        elif path.is_file():
            small = path.stat().st_size < 1 << 28
            seen[path] = sha256(path.read_bytes()).hexdigest() if small else path.stat().st_size
        else:
            seen[path] = path.stat().st_mode
    return seen


def finished(journal):
    if not journal.is_file():
        return []
    entries = [json.loads(line[65:]) for line in journal.read_bytes().splitlines() if line[65:]]
    return [entry["row"]["student"] for entry in entries if "row" in entry]


def read(out):
    return {s["student"]: s for s in json.loads((out / "results.json").read_text())["students"]}


def compare(out, expected):
    """Every student's row is the one that is due; the wrong ones, all at once."""
    results = read(out)
    assert results.keys() == expected.keys()
    wrong = {}
    for student, due in expected.items():
        (row,) = results[student]["exercises"]
        if not (
            row["layer"] == due.layer
            and row["mistake"] == due.mistake
            and due.says in row["message"]
        ):
            wrong[student] = due, row["layer"], row["mistake"], row["message"]
        assert row["points"] == (EXERCISE.points if row["passed"] else 0)
        assert row["passed"] == (row["layer"] == "")
        assert bool(row["message"]) == (not row["passed"])
    assert not wrong


def compare_formats(out):
    """CSV, JSON, Gradescope and JUnit tell the same."""
    results = read(out)
    with (out / "results.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    with (out / "totals.csv").open(newline="", encoding="utf-8") as stream:
        totals = list(csv.DictReader(stream))
    scores = [json.loads(file.read_text()) for file in sorted((out / "gradescope").iterdir())]
    suites = ElementTree.parse(out / "junit.xml").getroot()
    points = sum(student["points"] for student in results.values())
    assert points > 0
    assert len(lines) == len(totals) == len(scores) == len(suites) == len(results)
    assert sum(int(line["points"]) for line in lines) == points
    assert sum(int(line["points"]) for line in totals) == points
    assert sum(score["score"] for score in scores) == points
    passed = sum(row["passed"] for s in results.values() for row in s["exercises"])
    bad = suites.findall(".//failure") + suites.findall(".//error")
    assert len(bad) == len(results) - passed
    assert int(suites.get("failures")) + int(suites.get("errors")) == len(bad)
    by_name = {line["student"]: line for line in lines}
    for student, suite in zip(results, suites, strict=True):
        name = f"'{student}" if student[0] in "=+-@" else student
        assert int(by_name[name]["points"]) == results[student]["points"]
        assert suite.get("name") == student
    assert not [c for line in lines for c in line.values() if c.startswith(("=", "+", "-", "@"))]


def children(pid):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
        except OSError:
            continue
    return found + [grandchild for child in found for grandchild in children(child)]


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_hundred_killed_halfway(tmp_path):
    folder, out = tmp_path / "submissions", tmp_path / "results"
    expected = enroll(folder, out)
    before, course = picture(folder), picture(Path(fence.__file__).parents[1])
    arguments = ("grade", folder, "--out", out, "--only", "05.1", "--workers", "2")
    first = run(*arguments, start_new_session=True)
    wait(lambda: len(finished(out / JOURNAL)) >= 80 or first.poll() is not None, 120)
    processes = children(first.pid)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert len(processes) >= 4
    known = finished(out / JOURNAL)
    assert 80 <= len(known) == len(set(known)) < 170
    with (out / JOURNAL).open("ab") as stream:
        stream.write(b"a torn li")
    wait(lambda: all(map(gone, processes)), 30)
    second = run(*arguments)
    told = second.communicate()[0].decode()
    assert second.returncode == 0, told
    assert f"{len(known)} answers known from before" in told
    assert "changed while" not in told
    assert sorted(finished(out / JOURNAL)) == sorted(set(finished(out / JOURNAL)))
    compare(out, expected)
    compare_formats(out)
    assert picture(folder) == before
    after = picture(Path(fence.__file__).parents[1])
    assert {
        p for p in course if "__pycache__" not in p.parts and after.get(p) != course[p]
    } == set()
    assert {path.name for path in tmp_path.iterdir()} == {"submissions", "results"}


@pytest.fixture
def class_of(tmp_path):
    """A folder with a student for each source."""

    def write(**sources):
        for student, source in sources.items():
            (tmp_path / "in" / student).mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / student / FILE).write_text(source)
        return take_in(tmp_path / "in", [FILE])

    return write


def judge(submissions, out, secret=SECRET, **options):
    batch = grade(submissions, out, CHOSEN, secret, **options)
    return {row.student: row for row in batch.rows}, batch.reused


def test_only_what_changed_is_judged_again(class_of, tmp_path, monkeypatch):
    out = tmp_path / "out"
    both = class_of(ada=SOLUTION, bob=WRONG)
    rows, reused = judge(both, out)
    assert (rows["ada"].passed, rows["bob"].passed, reused) == (True, False, 0)
    assert judge(both, out) == (rows, 2)
    assert judge(both, out, again=["ada"])[1] == 1
    assert judge(both, out, secret=b"another")[1] == 0
    changed = class_of(bob=SOLUTION)
    rows, reused = judge(changed, out)
    assert rows["bob"].passed
    lines = (out / JOURNAL).read_bytes()
    assert judge(changed, out)[1] == 2
    monkeypatch.setattr("course.grading.batch.run.course_code", lambda: "another")
    assert judge(changed, out)[1] == 0
    monkeypatch.undo()
    # Nobody else can write a result.
    forged = lines.replace(b'"points": 3', b'"points": 9')
    assert forged != lines
    (out / JOURNAL).write_bytes(forged)
    rows, reused = judge(changed, out)
    assert ({row.points for row in rows.values()}, reused) == ({3}, 0)


def test_a_teacher_stops_it_and_nobody_is_suspected(class_of, tmp_path):
    submissions = class_of(**{f"s{i}": SOLUTION for i in range(4)})

    seen = set()

    def stop(row, total):
        if row.student not in seen:
            seen.add(row.student)
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            judge(submissions, tmp_path / "out", progress=stop)
    rows, reused = judge(submissions, tmp_path / "out")
    assert reused >= 3  # each run finished one at least
    assert all(row.passed for row in rows.values())
    assert not children(os.getpid())


def test_whoever_ends_the_whole_grader_is_found(class_of, tmp_path):
    """As often as the grader dies over the same answer; the others get their rows."""
    submissions = class_of(ada=SOLUTION, eve=SOLUTION)
    for times in (1, 2):
        Journal(tmp_path / "out" / JOURNAL, SECRET).begin(("eve", EXERCISE.number))
        assert Journal(tmp_path / "out" / JOURNAL, SECRET).lost["eve", EXERCISE.number] == times
    Journal(tmp_path / "out" / JOURNAL, SECRET).begin(("eve", EXERCISE.number))
    for _ in range(2):
        rows, _ = judge(submissions, tmp_path / "out")
        assert rows["ada"].passed
        assert (rows["eve"].layer, "3 times" in rows["eve"].message) == (UNJUDGED, True)
    rows, _ = judge(submissions, tmp_path / "out", again=["eve"])
    assert rows["eve"].passed


@pytest.mark.parametrize(("kills", "layer"), [(1, ""), (2, UNJUDGED)])
def test_a_lost_process_is_replaced(class_of, tmp_path, kills, layer):
    """Whenever a job runs, the process above it is killed, so many times."""
    slow = "import time; time.sleep(1)\n" + SOLUTION
    submissions = class_of(ada=SOLUTION, eve=slow, zoe=SOLUTION)
    killed = []

    def kill():
        while len(killed) < kills:
            time.sleep(0.02)
            for process in children(os.getpid()):
                # A worker, the process that forks for it, and below that a job.
                judges = len(children(process)) == 2
                if judges and process not in killed and b"batch.worker" in command(process):
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)

    judge([s for s in submissions if s.student != "eve"], tmp_path / "out")
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    rows, reused = judge(submissions, tmp_path / "out")
    thread.join(20)
    assert len(killed) == kills
    assert (rows["eve"].layer, reused) == (layer, 2)
    assert rows["ada"].passed
    assert rows["zoe"].passed
    assert judge(submissions, tmp_path / "out")[0]["eve"].passed


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_what_is_destroyed_meanwhile_changes_no_result(class_of, tmp_path):
    """As a submission could where there is no fence."""
    out = tmp_path / "out"
    submissions = class_of(**{f"s{i}": SOLUTION for i in range(4)})

    def destroy(row, total):
        shutil.rmtree(tmp_path / "in", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        (out / JOURNAL).write_text("mine")

    rows, _ = judge(submissions, out, progress=destroy)
    assert [row.passed for row in rows.values()] == [True] * 4
    assert disturbed(submissions, tmp_path / "in", CHOSEN) == [f"s{i}" for i in range(4)]
    assert judge(submissions, out)[1] == 4


def test_cases_are_each_students_own_and_always_the_same(class_of, tmp_path):
    """A file that writes its input down, in the only place that it may: its verdict."""
    tells = (
        "import hashlib\n"
        "def gradient(model, x, target):\n"
        "    if x.shape[0] == 4: raise ValueError(hashlib.sha256(x.tobytes()).hexdigest())\n"
        "    from course.methods import saliency\n"
        "    return saliency.gradient(model, x, target)\n"
    )
    submissions = class_of(ada=tells, bob=tells)
    told = [
        {row.message for row in judge(submissions, tmp_path / str(i), secret=secret)[0].values()}
        for i, secret in enumerate([SECRET, SECRET, b"another"])
    ]
    assert [len(messages) for messages in told] == [2, 2, 2]
    assert told[0] == told[1]
    assert not told[0] & told[2]


def test_without_a_working_grader_it_says_so(class_of, tmp_path, monkeypatch):
    submissions = class_of(ada=SOLUTION)
    monkeypatch.setattr(worker, "_environment", lambda: {"PYTHONHOME": "/nonexistent"})
    with pytest.raises(worker.WorkerError, match="does not start"):
        judge(submissions, tmp_path / "out")
