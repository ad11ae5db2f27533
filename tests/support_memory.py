"""How much memory a piece of work takes, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

# Not ru_maxrss, which starts at what the process held that started this one.
PROGRAM = """
import os, re
os.environ.update(FORCE_COLOR="1", TERM="xterm", COLUMNS="100")
from course import progress
progress.PATIENCE = 0
{work}
print("PEAK", re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""


def peak_megabytes(work: str) -> tuple[float, str]:
    """The most memory that a fresh process has held by the end of `work`, Python and NumPy among
    it, and what it showed: on a terminal, as it believes, and without patience for progress bars.

    Linux only: it reads /proc.
    """
    code = PROGRAM.format(work=work)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    shown, _, peak = ran.stdout.rpartition("PEAK ")
    return int(peak) / 1000, shown
