"""The same jobs on a Dask cluster: each worker judges in a process of its own, as here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from course.grading.batch.jobs import UNJUDGED, Job, Row, failed
from course.grading.batch.version import course_code
from course.grading.batch.worker import judged
from course.specs import find

if TYPE_CHECKING:
    from distributed import Client


CONNECT = "10s"


class ClusterError(RuntimeError):
    """The cluster cannot be used, and why."""


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the cluster, on whose workers the course is the same as here."""
    try:
        from distributed import Client
    except ImportError as error:
        pip = "pip install 'saliency-from-scratch[cluster]'"
        raise ClusterError(f"a cluster needs dask.distributed: {pip}") from error
    try:
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(f"there is no Dask scheduler at {address} ({error})") from error
    with client:
        try:
            there = client.run(course_code)
        except Exception as error:
            raise ClusterError(
                f"the cluster's workers cannot load the course ({error}); install it there"
            ) from error
        if not there:
            raise ClusterError(f"the cluster at {address} has no workers")
        other = [worker for worker, code in there.items() if code != course_code()]
        if other:
            raise ClusterError(f"another version of the course is installed on {other[0]}")
        yield client


def judged_there(client: Client, jobs: Sequence[Job]) -> Iterator[Row]:
    """Rows as they come. A job that takes its Dask worker down too often gets a row as well."""
    from distributed import as_completed

    futures = client.map(judged, jobs, pure=False, retries=1, key="judge")
    asked = {future.key: job for future, job in zip(futures, jobs, strict=True)}
    for future, result in as_completed(
        futures, loop=client.loop, with_results=True, raise_errors=False
    ):
        job = asked[future.key]
        if not isinstance(result, Row):
            says = "could not be judged: the worker on the cluster was lost or failed"
            result = failed(job.student, find(job.number)[1][0], UNJUDGED, says)
        yield result
        future.release()
