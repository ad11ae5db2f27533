"""The batch through a Dask cluster on this machine: the same class, the same rows."""

from __future__ import annotations

import logging
import sys

import pytest

from course.grading.batch import cluster
from course.grading.batch.class_report import class_report
from course.grading.batch.results import write_all
from course.grading.batch.run import JOURNAL, disturbed, grade
from course.grading.batch.submissions import take_in
from tests.classroom import FILE, enroll
from tests.test_batch import CHOSEN, SECRET, compare, compare_formats, finished, picture

pytest.importorskip("torch")
distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="attacks need its names")


@pytest.fixture(scope="module")
def address():
    import dask

    settings = {
        "distributed.worker.daemon": True,  # as clusters have it
        "distributed.comm.timeouts.connect": "30s",
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as local,
    ):
        yield local.scheduler_address


@pytest.mark.filterwarnings("ignore")  # Dask's own, of ports and slow heartbeats
def test_two_hundred_through_dask(address, tmp_path):
    folder, out = tmp_path / "submissions", tmp_path / "results"
    expected = enroll(folder, out)
    before = picture(folder)
    submissions = take_in(folder, [FILE])
    batch = grade(submissions, out, CHOSEN, SECRET, dask=address)
    write_all(batch.rows, class_report(batch.rows), out)
    compare(out, expected)
    compare_formats(out)
    assert picture(folder) == before
    assert disturbed(submissions, folder, CHOSEN) == []
    # The same journal as without a cluster: from here on, either goes on with it.
    known = finished(out / JOURNAL)
    assert len(known) == len(set(known)) > 150
    again = grade(submissions, out, CHOSEN, SECRET)
    assert (again.rows, again.reused) == (batch.rows, len(known))


def test_nobody_there(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", "1s")
    with pytest.raises(cluster.ClusterError, match="no Dask scheduler at"):
        grade([], tmp_path, CHOSEN, SECRET, dask="tcp://127.0.0.1:1")


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(cluster.ClusterError, match=r"pip install .*\[cluster\]"):
        grade([], tmp_path, CHOSEN, SECRET, dask="tcp://127.0.0.1:1")
