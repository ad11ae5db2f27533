"""A process that has NumPy and the course loaded, and forks a fresh one for each submission.

`Warm` is the caller's side, `serve` the other: `python -m course.grading.warm` reads the names of
jobs' folders, and answers to each with two numbers: the process that runs the job, and when that
has ended, its exit code.

What this cannot promise: the submission runs as the user who judges, and may read, change and
signal whatever that user may. Its processes are found and killed when it ends, unless they fork
faster than that or, outside Linux, leave their process group. Files are limited in size, not in
number. Strangers' code belongs in a container.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from course.grading import child

STARTED = 60.0  # seconds for a first job to start: NumPy loads, perhaps from a network drive
LATE = 5.0  # seconds after which what should have ended by itself is killed
KILLED = -9
# Windows has neither; macOS has no waitid before Python 3.13.
FORKS = hasattr(os, "fork") and hasattr(os, "waitid")
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # Linux: man 2 prctl


class Warm:
    """Runs jobs one after another, each in a process of its own; use it in a `with`.

    Where there is no fork, or no way to wait as `serve` does, each job starts a new Python.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Warm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; the next job starts another."""
        if self._server:
            end(self._server)
            self._server = None

    def start(self) -> None:
        """Begin to load NumPy, while the caller has something else to do."""
        if FORKS and self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "course.grading.warm"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,
            )

    def execute(self, folder: Path, seconds: float) -> int | None:
        """Run the job in `folder` to its end: its exit code, None if it had to be killed for
        taking too long. One that kills the process above it counts as killed."""
        if not FORKS:
            return _execute_alone(folder, seconds)
        if self._server and self._server.poll() is not None:
            self.close()
        self.start()
        server = self._server
        assert server is not None
        assert server.stdin is not None
        assert server.stdout is not None
        answers = server.stdout.fileno()
        job, ended = None, None
        try:
            with suppress(BrokenPipeError):
                server.stdin.write(f"{folder}\n".encode())
            job = _number(answers, STARTED)
            # The job ends itself in time; this is for one that stopped its own watchdog.
            code = ended = _number(answers, seconds + LATE)
            if code is None:
                _kill_group(job)
                ended = _number(answers, LATE)
            return code
        except EOFError:
            return KILLED
        finally:
            if ended is None:  # also after Ctrl-C
                _kill_group(job)
                self.close()


def _environment() -> dict[str, str]:
    """One thread: a submission shares the machine, and a process with threads must not fork."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", child.JUDGING: "1"}


def _number(pipe: int, seconds: float) -> int | None:
    """The next number, None if none comes in time; EOFError if none can come."""
    if not select.select([pipe], [], [], seconds)[0]:
        return None
    answer = os.read(pipe, 4)
    if len(answer) < 4:
        raise EOFError
    return int.from_bytes(answer, "little", signed=True)


def _kill_group(leader: int | None) -> None:
    """Signals do not interrupt NumPy's C code; this one does."""
    if leader and leader > 1:  # 0 would be our own group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    if hasattr(os, "killpg"):
        _kill_group(process.pid)
    else:
        process.kill()
    process.wait()


def _execute_alone(folder: Path, seconds: float) -> int | None:
    """Without fork: a new Python, and no limits but that on time."""
    with (folder / child.PRINTED).open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "course.grading.child", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env=_environment(),
            start_new_session=True,
        )
        try:
            return process.wait(timeout=STARTED + seconds + LATE)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end(process)


def serve() -> None:
    """Fork a process for each folder that is named, until there are no more."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)  # what a submission leaves behind becomes our child
    for line in sys.stdin:
        job = _fork(Path(line.rstrip("\n")))
        _answer(job)
        # The group keeps its number until the leader is reaped, so that is last.
        os.waitid(os.P_PID, job, os.WEXITED | os.WNOWAIT)
        _kill_group(job)
        code = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
        _sweep()
        _answer(code)


def _answer(number: int) -> None:
    os.write(1, number.to_bytes(4, "little", signed=True))


def _fork(folder: Path) -> int:
    """Start the job of the folder in a session of its own."""
    job = os.fork()
    if job:
        return job
    code = 1
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        printed = os.open(folder / child.PRINTED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        child.main(folder)
        sys.stdout.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _sweep() -> None:
    """Kill and reap until no child is left, those among them that left the job's group."""
    while True:
        with suppress(OSError):
            for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    serve()
