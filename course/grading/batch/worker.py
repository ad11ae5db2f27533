"""A process that judges, and may be lost: what it was judging then gets a row all the same.

`Worker` is the caller's side, `serve` the other: `python -m course.grading.batch.worker` answers
each line of JSON, a job, with another, its row. `judged` is all that a batch calls, here or on a
cluster.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import course
from course.grading import warm
from course.grading.batch.jobs import UNJUDGED, Job, Row, failed, judge_job
from course.specs import find

GRACE = 90.0  # seconds that judging may take beyond the exercise's own
START = 120.0  # seconds to load Torch, perhaps from a network drive
KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
KEPT_ON_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP")


class WorkerError(RuntimeError):
    """The process that judges does not even start; no submission is to blame."""


class Worker:
    """One process, started when first asked and again after it was lost."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = ""

    def ask(self, job: Job) -> Row | None:
        """The row of the job; None if the process was lost over it."""
        process = self._process or self._start()
        request = {**asdict(job), "source": job.source.decode("latin-1")}
        answer = self._exchange(process, request, find(job.number)[1][0].seconds + GRACE)
        if answer is None:
            self.close()
            return None
        if "error" in answer:
            exercise = find(job.number)[1][0]
            return failed(
                job.student, exercise, UNJUDGED, f"could not be judged: {answer['error']}"
            )
        return Row(**answer)

    def close(self) -> None:
        """End the process, and what it left on disk."""
        if self._process:
            warm.end(self._process)
            self._process = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def _start(self) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "course.grading.batch.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=_environment(),
                start_new_session=True,
            )
            answer = self._exchange(self._process, None, START)
            if answer is None:
                self.close()
                complaints.seek(0)
                last = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
                raise WorkerError(f"the judging process does not start: {''.join(last)}")
        self._folder = answer["folder"]
        return self._process

    @staticmethod
    def _exchange(
        process: subprocess.Popen[bytes], request: object, seconds: float
    ) -> dict[str, Any] | None:
        """The answer to a request, None if there is none in time."""
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            if request is not None:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            return answer if isinstance(answer, dict) else None
        except (OSError, ValueError):
            return None
        finally:
            timer.cancel()


def _environment() -> dict[str, str]:
    """What Python needs; no secret of the course's or of the user's."""
    keep = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith("LC_")}
    if sys.platform == "win32":
        keep |= {k: v for k, v in os.environ.items() if k.upper() in KEPT_ON_WINDOWS}
    paths = [str(Path(course.__path__[0]).parent), os.environ.get("PYTHONPATH", "")]
    paths = [os.path.abspath(p) for part in paths for p in part.split(os.pathsep) if p]
    return {
        **keep,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONSAFEPATH": "1",  # nothing is imported from the folder in which it runs
        "PYTHONDONTWRITEBYTECODE": "1",
        "COURSE_CACHE": "",  # references stay in memory
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


_mine = threading.local()
_all: list[Worker] = []


def judged(job: Job, stopped: threading.Event | None = None) -> Row:
    """The row of a job, by a process that belongs to this thread; tried twice.

    stopped: when set, processes end because the batch does, and no new one is started.
    """
    if not hasattr(_mine, "worker"):
        _mine.worker = Worker()
        _all.append(_mine.worker)
    for _ in range(2):
        if stopped and stopped.is_set():
            break
        row = _mine.worker.ask(job)
        if row is not None:
            return row
    says = "could not be judged: twice, the process that judges it was lost"
    return failed(job.student, find(job.number)[1][0], UNJUDGED, says)


def close_all() -> None:
    """End the processes of all threads; a thread that judges on starts another."""
    for worker in _all:
        worker.close()


def serve() -> None:
    """Judge the jobs of stdin, until there are no more."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what Torch may print is no answer
    folder = tempfile.mkdtemp(prefix="course-grade-")
    tempfile.tempdir = folder
    os.chdir(folder)
    os.environ.update(HOME=folder, TMPDIR=folder)
    with suppress(ImportError):
        import torch  # noqa: F401  # before any clock runs
    with warm.Warm() as processes:
        processes.start()
        _write(answers, {"folder": folder})
        for line in sys.stdin:
            request = json.loads(line)
            job = Job(**{**request, "source": request["source"].encode("latin-1")})
            try:
                _write(answers, asdict(judge_job(job, processes)))
            except Exception as error:  # of the course, not of the submission
                _write(answers, {"error": f"{type(error).__name__}: {error}"})
    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)


def _write(stream: object, answer: object) -> None:
    stream.write(json.dumps(answer).encode() + b"\n")  # type: ignore[attr-defined]


if __name__ == "__main__":
    serve()
