"""Judging where there is no fork, as on Windows: each submission in a new Python.

The judge runs in a process from which fork and its like have been taken away, and the processes
that it starts have no `resource`. This is not Windows: what its system calls do, such as how a
crash ends a process, is not shown here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from course.authoring.derive import solution_file
from course.grading import child
from course.grading.run import _post_mortem
from course.specs import find

JUDGE = """
import json, os, sys
for name in ("fork", "forkpty", "killpg", "setsid", "getpgid", "waitid", "register_at_fork"):
    if hasattr(os, name):
        delattr(os, name)
from dataclasses import replace
from pathlib import Path
from course.grading import warm
from course.grading.judge import judge
from course.grading.run import in_child
from course.specs import find
warm.select = None  # which Windows has for sockets only
warm.STARTED, warm.LATE = 6.0, 1.0
exercise = replace(find("05.1")[1][0], seconds=1.5)
with warm.Warm() as processes:
    for file in sys.argv[1:]:
        verdict = judge(exercise, in_child(exercise, Path(file), warm=processes))
        assert processes._server is None
        print(json.dumps(verdict.as_json()))
"""
pytest.importorskip("torch")

HEAD = "import numpy as np\nfrom course.methods import saliency\n"
DEF = "def gradient(model, x, target):\n"
ANSWERS = {
    "right": solution_file(find("05")[0]),
    "wrong": f"{HEAD}{DEF}    return -saliency.gradient(model, x, target)\n",
    "prints": f"{HEAD}{DEF}    print('hello')\n    return saliency.gradient(model, x, target)\n",
    "endless": f"{DEF}    n = 0\n    while True:\n        n += 1\n",
    "no watchdog": (
        f"import faulthandler\n{DEF}    faulthandler.cancel_dump_traceback_later()\n"
        "    while True: pass\n"
    ),
    "crash": f"import faulthandler\n{DEF}    faulthandler._sigsegv()\n",
    "exit": f"import os\n{DEF}    os._exit(3)\n",
    "does not load": "import nonsense_module\n",
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("without")
    files = []
    for name, source in ANSWERS.items():
        files.append(folder / f"{name}.py")
        files[-1].write_text(source)
    shadow = folder / "no"
    shadow.mkdir()
    (shadow / "resource.py").write_text("raise ImportError('not on Windows')\n")
    path = os.pathsep.join([str(shadow), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, *map(str, files)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(ANSWERS, lines, strict=True))


@pytest.mark.parametrize(
    ("name", "layer", "says"),
    [
        ("right", "", ""),
        ("wrong", "value", "sign"),
        ("prints", "", ""),
        ("endless", "call", "did not finish within 1.5 seconds"),
        ("no watchdog", "call", "did not finish within 1.5 seconds"),
        ("crash", "call", "crashed the process"),
        ("exit", "call", "ended the process (exit code 3)"),
        ("does not load", "load", "No module named 'nonsense_module'"),
    ],
)
def test_verdicts_without_fork(verdicts, name, layer, says):
    verdict = verdicts[name]
    assert verdict["layer"] == layer, verdict
    assert says in verdict["message"]
    assert verdict["passed"] == (layer == "")


def test_details_without_fork(verdicts):
    assert verdicts["endless"]["line"] in (3, 4)
    assert verdicts["crash"]["line"] == 3
    assert verdicts["prints"]["printed"].startswith("hello\n")
    assert verdicts["wrong"]["mistake"] == "descent"


def test_a_crash_that_windows_tells_by_a_positive_exit_code(tmp_path):
    """An access violation ends a process with 0xC0000005; faulthandler has written why."""
    answer = tmp_path / "answer.py"
    (tmp_path / "job.json").write_text("{}")
    (tmp_path / "crash.txt").write_text(
        "Windows fatal exception: access violation\n\nCurrent thread 0x1 (most recent call first):"
        f'\n  File "{answer.resolve()}", line 7 in gradient\n'
    )
    outcome = _post_mortem(tmp_path, 5.0, answer, 0xC0000005)
    assert (outcome.kind, outcome.line) == ("killed", 7)
    assert outcome.message == "crashed the process (Windows fatal exception: access violation)"


MACOS = """
import os, sys
del os.waitid
from pathlib import Path
from course.grading.judge import judge
from course.grading.run import in_child
from course.grading.warm import Warm
from course.specs import find
exercise = find("05.1")[1][0]
with Warm() as processes:
    verdict = judge(exercise, in_child(exercise, Path(sys.argv[1]), warm=processes))
print(verdict.passed, verdict.message)
"""


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="the other tests are about such a system")
def test_macos_before_python_3_13_has_fork_but_no_waitid(tmp_path):
    answer = tmp_path / "answer.py"
    answer.write_text(ANSWERS["right"])
    done = subprocess.run(
        [sys.executable, "-c", MACOS, str(answer)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True \n", done.stderr


def test_where_the_system_refuses_to_limit_memory_the_other_limits_stay(monkeypatch):
    resource = pytest.importorskip("resource")
    limited = []

    def setrlimit(kind, limits):
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")
        limited.append(kind)

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    monkeypatch.setattr(sys, "platform", "darwin")
    child.limit_resources(1 << 30, 10)
    assert limited == [resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE]
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ValueError, match="current limit"):
        child.limit_resources(1 << 30, 10)
