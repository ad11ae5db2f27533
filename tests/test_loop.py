"""The learner's loop: hint, solution, reset, list, start, doctor, diff and watch."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from course.authoring.derive import exercise_file, solution_file
from course.cli import app
from course.grading import doctor, progress, thumbnail
from course.plot.maps import comparison_png, furthest_off
from course.specs import find

SPEC = find("05")[0]  # these tests are about a course of one module
FILE = Path("exercises/05_saliency.py")
STUBS, RIGHT = exercise_file(SPEC), solution_file(SPEC)
COUNT = len(SPEC.exercises)
# 05.2 without the magnitude; the others are right.
WRONG = RIGHT.replace("np.abs(gradient(model, x, target)).max", "gradient(model, x, target).max")
assert WRONG != RIGHT
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr("course.specs.modules", lambda: (SPEC,))
    monkeypatch.chdir(tmp_path)
    FILE.parent.mkdir()
    FILE.write_text(STUBS)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


def plain(hint: str) -> str:
    return " ".join(hint.split())


# --- hint, solution, list ------------------------------------------------------------------


def test_hints_come_one_rung_at_a_time_and_the_last_stays():
    exercise = SPEC.exercises[1]
    for rung, text in zip((1, 2, 3, 3), (*exercise.hints, exercise.hints[2]), strict=True):
        code, output = run("hint", "05.2")
        assert code == 0
        assert f"hint {rung} of 3" in output
        assert plain(text) in output
        assert ("course solution 05.2 --give-up" in output) == (rung == 3)


def test_a_hint_without_a_number_is_for_what_comes_next():
    assert "05.1 gradient hint 1" in run("hint")[1]
    FILE.write_text(WRONG)
    run("check")
    assert "05.2 saliency_map hint 1" in run("hint")[1]
    assert "05.2 saliency_map hint 2" in run("hint", "05")[1]
    FILE.write_text(RIGHT)
    run("check")
    code, output = run("hint")
    assert (code, "everything there has passed" in output) == (2, True)


def test_the_solution_waits_for_a_pass_or_for_giving_up():
    assert run("solution", "05.2")[0] == 2
    code, output = run("solution", "05.2", "--give-up")
    assert code == 0
    assert "np.abs(gradient(model, x, target)).max(axis=1)" in output
    assert "gradient(model, x, target).abs().amax(dim=1)" in output  # Torch's
    FILE.write_text(RIGHT)
    run("check", "05.2")
    assert run("solution", "05.2")[0] == 0
    FILE.write_text(WRONG)  # edited since
    assert run("solution", "05.2")[0] == 2


def test_list_shows_goals_passes_and_hints():
    FILE.write_text(WRONG)
    run("check")
    run("hint", "05.2")
    code, output = run("list")
    assert code == 0
    assert "✓ 05.1 gradient 3 points" in output
    assert "· 05.2 saliency_map 2 points, hint 1 of 3" in output
    assert "and keep the sign." in output


# --- reset, start, doctor ------------------------------------------------------------------


def test_reset_of_one_function_leaves_the_others_and_keeps_a_backup():
    mine = RIGHT.replace("def saliency_map", "@abs\n@min\ndef saliency_map") + "\n# my notes\n"
    FILE.write_text(mine)
    code, output = run("reset", "05.2")
    assert code == 0
    assert "05_saliency.py.backup1" in output
    assert Path(f"{FILE}.backup1").read_text() == mine
    left = FILE.read_text()
    assert left.count("raise NotImplementedError") == 1
    assert "@abs" not in left
    assert left.endswith("# my notes\n")
    assert "return x * gradient(model, x, target)" in left
    run("reset", "05.2")  # nothing to put back, so nothing to keep
    assert not Path(f"{FILE}.backup2").exists()


def test_reset_of_a_file_forgets_its_passes_and_never_reuses_a_backup():
    for k in (1, 2):
        FILE.write_text(RIGHT + f"# {k}\n")
        run("check", "05.1")
        assert run("reset", "05")[0] == 0
        assert FILE.read_text() == STUBS
        assert progress.read(FILE.parent) == progress.Progress()
    Path(f"{FILE}.backup1").unlink()
    FILE.write_text(RIGHT + "# 3\n")
    run("reset", "saliency")
    assert Path(f"{FILE}.backup2").read_text() == RIGHT + "# 2\n"
    assert Path(f"{FILE}.backup3").read_text() == RIGHT + "# 3\n"


def test_reset_brings_back_a_missing_file():
    FILE.unlink()
    assert run("reset", "05")[0] == 0
    assert FILE.read_text() == STUBS


def test_start_makes_a_folder_and_refuses_to_overwrite_answers():
    assert run("start", "new/place")[0] == 0
    path = Path("new/place") / FILE
    assert path.read_text() == STUBS
    path.write_text(RIGHT)
    code, output = run("start", "new/place")
    assert (code, "holds answers, so nothing was written" in output) == (2, True)
    assert path.read_text() == RIGHT
    assert run("start", "new/place", "--force")[0] == 0
    assert path.read_text() == STUBS
    assert Path(f"{path}.backup1").read_text() == RIGHT
    assert run("start", "other/exercises")[0] == 0
    assert Path("other/exercises/05_saliency.py").read_text() == STUBS


def test_doctor_finds_all_well():
    code, output = run("doctor")
    assert code == 0, output
    assert re.search(r"The solution of 05.1 passed in \d+\.\d s", output)


def test_doctor_says_what_is_wrong_and_what_to_do(monkeypatch):
    FILE.unlink()
    broken = {"no_such_package": ("Nothing", (1, 0)), "numpy": ("NumPy", (99, 0))}
    monkeypatch.setattr(doctor, "NEEDED", broken)
    code, output = run("doctor")
    assert code == 1
    assert output.count("✗") == 3
    assert "run `python -m pip install no_such_package`" in output
    assert "older than 99.0; run `python -m pip install --upgrade numpy`" in output
    assert "`course reset 05` writes it" in output
    assert not doctor.python((3, 10)).well
    assert "course start DIR" in doctor.folder(None).says


def test_doctor_sees_a_judge_that_is_wrong(monkeypatch):
    monkeypatch.setattr("course.authoring.derive.solution_file", lambda spec: WRONG[:-1] + "1 +")
    assert "was not judged right" in doctor.judged().says


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (["hint", "99"], STUBS, "no module or exercise is called '99'"),
        (["watch", "99"], STUBS, "no module or exercise is called '99'"),
        (["solution", "05"], STUBS, "name one exercise of 05.1, 05.2, 05.3"),
        (["diff", "05.2"], STUBS, "05.2 has no map to compare yet; not written yet"),
        (["diff", "05.2"], RIGHT.replace("(axis=1)", "(axis=2)"), "returned shape"),
        (["diff", "05.2", "--out", "exercises"], WRONG, "choose a place with --out"),
        (["reset", "05.2"], "def f(:\n", "cannot be read beyond line 1"),
        (["reset", "05.2"], "x = 1\n", "defines no function saliency_map; `course reset 05`"),
        (["start", "exercises/05_saliency.py"], STUBS, "cannot be written"),
    ],
)
def test_errors_are_one_sentence_and_exit_code_2(arguments, text, says):
    FILE.write_text(text)
    code, output = run(*arguments)
    assert code == 2
    assert says.lower() in output.lower()
    assert output.startswith("course: ")
    assert FILE.read_text() == text


@pytest.mark.parametrize("command", ["hint", "watch", "reset", "diff", "solution"])
def test_outside_the_course_there_is_one_sentence(tmp_path_factory, monkeypatch, command):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    code, output = run(*([command] if command in ("hint", "watch") else [command, "05.1"]))
    assert code == 2
    assert "no exercises/ folder here or above" in output


# --- what is remembered --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"passed": 3, "hints": {}}', '{"05.1": "a"}']
)
def test_a_spoilt_progress_file_is_an_empty_one(text):
    (FILE.parent / progress.FILE).write_text(text)
    assert run()[0] == 0
    assert "hint 1 of 3" in run("hint", "05.1")[1]
    (FILE.parent / progress.FILE).unlink()
    assert "hint 1 of 3" in run("hint", "05.1")[1]


WRITER = """
import sys
from pathlib import Path
from course.grading.progress import remember
for k in range(150):
    remember(Path("exercises"), {f"{sys.argv[1]}.{k}": "passed"})
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no lock on a folder")
def test_two_processes_that_write_lose_nothing():
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in "ab"]
    assert [w.wait(60) for w in writers] == [0, 0]
    assert len(progress.read(FILE.parent).passed) == 300
    assert sorted(p.name for p in FILE.parent.iterdir()) == [progress.FILE, FILE.name]


def test_a_folder_without_write_access_is_no_obstacle(monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(progress.tempfile, "mkstemp", refuse)  # root may write everywhere
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    assert run("check", "05.1")[0] == 1
    assert "hint 1 of 3" in run("hint")[1]
    says = doctor.folder(FILE.parent).says
    assert "cannot be written to (Permission denied)" in says


# --- diff and thumbnails -------------------------------------------------------------------


def test_diff_writes_the_picture_that_it_names():
    FILE.write_text(WRONG)
    code, output = run("diff", "05.2")
    assert code == 0
    name = re.search(r"the picture is in (\S+\.png)", output)
    assert name
    assert Path(name[1]).read_bytes().startswith(PNG)
    assert run("diff", "saliency_map", "--out", "here.png")[0] == 0
    assert Path("here.png").read_bytes().startswith(PNG)
    FILE.write_text(RIGHT)
    assert run("diff", "05.2")[0] == 0  # of a right answer too: the difference is rounding


def test_the_worst_pixel_is_found_in_maps_of_any_rank():
    want = np.arange(2 * 3 * 4 * 5, dtype=float).reshape(2, 3, 4, 5)
    got = want.copy()
    got[1, 2, 3, 1] -= 7
    (yours, torchs, difference), place = furthest_off(got, want)
    assert place == (3, 1)
    assert np.array_equal(yours, got[1, 2])
    assert np.array_equal(torchs, want[1, 2])
    assert difference[3, 1] == -7
    assert furthest_off(got[1, 2], want[1, 2])[1] == (3, 1)
    assert furthest_off(got[1, 2, 3], want[1, 2, 3])[1] == (0, 1)
    assert comparison_png(np.array(1.0), np.array(2.0)).startswith(PNG)


def test_a_thumbnail_keeps_the_one_wrong_pixel_and_the_proportions():
    panel = np.zeros((56, 84))
    panel[13, 57] = -3
    small = thumbnail.resample(panel, 24)
    assert small.shape == (16, 24)
    assert small.min() == -3
    assert thumbnail.resample(np.ones((1, 2)), 24).shape == (8, 16)


def test_thumbnails_are_half_blocks_in_true_colour_and_fit():
    rng = np.random.default_rng(0)
    want = rng.normal(size=(2, 28, 28))
    text = thumbnail.thumbnails(-want, want, 80)
    out = StringIO()
    Console(file=out, force_terminal=True, color_system="truecolor", width=80).print(text)
    lines = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).rstrip().split("\n")
    assert lines[0].split("  ")[-1].strip() == "yours - Torch"
    assert max(map(len, lines)) <= 80
    assert "\x1b[38;2;" in out.getvalue()
    # Yours and Torch's are each other's opposites, so one is red where the other is blue.
    first, opposite = (text.spans[k].style for k in (1, 1 + 22))
    assert (first.color.triplet.red > first.color.triplet.blue) != (
        opposite.color.triplet.red > opposite.color.triplet.blue
    )


def test_check_shows_thumbnails_only_in_a_terminal_and_only_for_wrong_values(monkeypatch):
    FILE.write_text(WRONG)
    assert "▀" not in run("check", "05.2")[1]
    terminal = Console(force_terminal=True, color_system="truecolor", width=80)
    monkeypatch.setattr("course.cli.judging.console", terminal)
    assert "▀" in run("check", "05.2")[1]
    assert "▀" not in run("check", "05.1")[1]


# --- watch ---------------------------------------------------------------------------------


def test_watch_shows_the_first_failure_at_each_save(monkeypatch):
    def edits(*arguments, **options):
        assert options["force_polling"] is True
        for text in (STUBS, WRONG, RIGHT):
            FILE.write_text(text)
            yield {("modified", str(FILE))}
        FILE.unlink()
        yield {("deleted", str(FILE))}

    monkeypatch.setattr("watchfiles.watch", edits)
    code, output = run("watch", "--poll")
    assert code == 0
    first, second, third, last = output.split("q quit")[:4]
    assert f"0 of {COUNT} exercises · 05.1 gradient not written yet" in first
    assert "05.2" not in first
    assert f"1 of {COUNT} exercises ✓ 05.1 gradient" in second
    assert "✗ 05.2 saliency_map wrong values" in second
    assert "05.3" not in second
    assert f"{COUNT} of {COUNT} exercises" in third
    assert "Everything here has passed" in third
    assert "is not there; `course reset 05`" in last


def test_watch_answers_to_keys(monkeypatch):
    FILE.write_text(WRONG)
    typed = iter(["", "h", "d", "x", "n", "l", "q"])
    monkeypatch.setattr("watchfiles.watch", lambda *a, **k: iter([set()] * 9))
    monkeypatch.setattr("course.cli.keys.Keys.pressed", lambda self: next(typed))
    code, output = run("watch", "05")
    assert code == 0
    start, after_next = output.split("05.3 gradient_times_input", 1)
    assert "hint 1 of 3" in start
    assert "the picture is in" in start
    assert "✗ 05.2 saliency_map" in after_next  # 05.3 passed, so round again
    assert "Reduce the gradient to one non-negative number" in after_next
    assert list(typed) == []


@pytest.fixture
def watching():
    """`course watch` in a process of its own; yields a function that starts it."""
    started = []

    def start(**streams):
        # Who runs the tests in the background of a shell has told them to ignore Ctrl-C.
        heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        code = heard + "from course.cli import main; main()"
        command = [sys.executable, "-u", "-c", code, "watch", "05"]
        started.append(subprocess.Popen(command, **streams))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def read_until(handle: int, text: str, seconds: float = 30) -> str:
    """What comes out until `text` does, or until time is up."""
    seen, end = b"", time.monotonic() + seconds
    while text.encode() not in seen and time.monotonic() < end:
        if select.select([handle], [], [], 0.1)[0]:
            seen += os.read(handle, 65536)
    assert text in seen.decode(errors="replace"), seen.decode(errors="replace")
    return seen.decode(errors="replace")


@pytest.mark.skipif(os.name == "nt", reason="select does not read pipes there")
def test_watch_without_a_terminal_judges_a_real_save_and_ends_at_ctrl_c(watching):
    process = watching(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    handle = process.stdout.fileno()
    read_until(handle, "q quit")
    moved = Path("exercises/new.tmp")  # as editors save
    moved.write_text(WRONG)
    moved.replace(FILE)
    assert "05.2  saliency_map" in read_until(handle, "q quit")
    process.send_signal(signal.SIGINT)
    read_until(handle, "Stopped watching")
    assert process.wait(10) == 0


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
def test_watch_reads_keys_from_a_terminal_and_leaves_it_as_it_was(watching):
    import pty
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = watching(stdin=theirs, stdout=theirs, stderr=theirs)
    read_until(ours, "q quit")
    os.write(ours, b"h")
    read_until(ours, "hint 1 of 3")
    os.write(ours, b"q")
    read_until(ours, "Stopped watching")
    assert process.wait(10) == 0
    assert termios.tcgetattr(theirs) == before
    assert json.loads((FILE.parent / progress.FILE).read_text())["hints"] == {"05.1": 1}
    os.close(ours)
    os.close(theirs)
