"""A whole batch: who is still to be judged, in which order, and what is known in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from course.grading.batch import cluster
from course.grading.batch.jobs import MISSING, UNJUDGED, UNREAD, Job, Row, failed
from course.grading.batch.journal import Journal, Key
from course.grading.batch.secret import derive, seed
from course.grading.batch.submissions import Submission, take_in
from course.grading.batch.version import course_code
from course.grading.batch.worker import close_all, judged
from course.grading.spec import Exercise, ModuleSpec
from course.specs import find

JOURNAL = "journal.jsonl"
LOST = 3  # times that the whole grader may end over the same answer

Chosen = Sequence[tuple[ModuleSpec, Sequence[Exercise]]]


@dataclass
class Batch:
    """The rows in the order of students and exercises.

    reused: how many were known from an earlier run.
    """

    rows: list[Row]
    reused: int


def grade(
    submissions: Sequence[Submission],
    out: Path,
    chosen: Chosen,
    secret: bytes,
    *,
    workers: int = 1,
    dask: str = "",
    again: Sequence[str] = (),
    progress: Callable[[Row, int], None] = lambda row, total: None,
) -> Batch:
    """Judge each of the chosen exercises in every submission.

    progress: told each row as it becomes known, and how many there will be.
    """
    journal = Journal(out / JOURNAL, secret)
    for student in again:
        journal.forget(student)
    known: dict[Key, Row] = {}
    contents: dict[Key, str] = {}
    jobs = []
    for submission in submissions:
        for spec, exercises in chosen:
            for exercise in exercises:
                key = submission.student, exercise.number
                file = f"{spec.stem}.py"
                row = _refused(submission, exercise, file)
                if row is None:
                    job = Job(*key, file, submission.files[file], seed(secret, *key))
                    contents[key] = _content(job, secret)
                    row = journal.row(key, contents[key])
                    if row is None:
                        jobs.append(job)
                if row is not None:
                    known[key] = row
    reused = len(known.keys() & contents.keys())
    total = len(known) + len(jobs)
    for row in known.values():
        progress(row, total)
    judged_rows = _on_cluster(dask, jobs) if dask else _here(journal, jobs, workers)
    for row in judged_rows:
        if row.layer != UNJUDGED:
            journal.finish(row, contents[row.key])
        elif journal.lost[row.key] < LOST:
            journal.end(row.key)
        known[row.key] = row
        progress(row, total)
    journal.tidy()
    return Batch([known[key] for key in sorted(known)], reused)


def files(chosen: Chosen) -> list[str]:
    """The names of the files in which the chosen exercises are answered."""
    return [f"{spec.stem}.py" for spec, _ in chosen]


def disturbed(before: Sequence[Submission], folder: Path, chosen: Chosen) -> list[str]:
    """Students whose submission in the folder is no longer what was read from it."""
    try:
        after = {s.student: s.digest for s in take_in(folder, files(chosen))}
    except OSError:
        after = {}
    return [s.student for s in before if after.get(s.student) != s.digest]


def _refused(submission: Submission, exercise: Exercise, file: str) -> Row | None:
    """The row of an answer that there is nothing to judge of."""
    if submission.problem:
        says = f"the submission could not be read: {submission.problem}"
        return failed(submission.student, exercise, UNREAD, says)
    if file not in submission.files:
        return failed(submission.student, exercise, MISSING, f"no {file} was handed in")
    return None


def _content(job: Job, secret: bytes) -> str:
    """A digest of all that the row of this job depends on."""
    digest = sha256(job.source).hexdigest()
    return sha256(f"{digest} {job.seed} {course_code()}".encode() + derive(secret)).hexdigest()


def _here(journal: Journal, jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    """Those that may have ended the whole grader before come last, one at a time."""
    suspects = [job for job in jobs if journal.lost[job.student, job.number]]
    others = [job for job in jobs if not journal.lost[job.student, job.number]]
    try:
        yield from _in_threads(journal, others, workers)
        yield from _in_threads(journal, suspects, 1)
    except BaseException:
        journal.stop()
        raise
    finally:
        close_all()


def _in_threads(journal: Journal, jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    stopped = threading.Event()

    def run(job: Job) -> Row | None:
        if stopped.is_set():
            return None
        key = job.student, job.number
        if journal.lost[key] >= LOST:
            says = f"could not be judged: {LOST} times, the whole grader ended meanwhile"
            return failed(job.student, find(job.number)[1][0], UNJUDGED, says)
        journal.begin(key)
        return judged(job, stopped)

    pool = ThreadPoolExecutor(max(1, min(workers, len(jobs))))
    try:
        for future in as_completed([pool.submit(run, job) for job in jobs]):
            row = future.result()
            assert row is not None
            yield row
    except BaseException:
        stopped.set()
        close_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _on_cluster(address: str, jobs: Sequence[Job]) -> Iterator[Row]:
    with cluster.connected(address) as client:
        yield from cluster.judged_there(client, jobs)
