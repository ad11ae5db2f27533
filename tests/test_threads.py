"""NumPy keeps to one thread, if it is told before it is imported."""

from __future__ import annotations

import os
import subprocess
import sys

from course.threads import VARIABLES, one_thread

CLI = """
import os, sys
import course.threads
early = []
course.threads.one_thread = lambda: early.append("numpy" not in sys.modules)
import course.cli
assert "numpy" in sys.modules
print(early)
"""


def test_the_command_says_so_before_numpy_is_imported():
    ran = subprocess.run([sys.executable, "-c", CLI], capture_output=True, text=True)
    assert ran.stdout.strip() == "[True]", ran.stderr


def test_what_the_environment_says_counts_more(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    one_thread()
    assert os.environ["OMP_NUM_THREADS"] == "4"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
