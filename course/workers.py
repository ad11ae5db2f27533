"""Processes side by side: as many as there are cores, so each keeps to one thread.

NumPy's BLAS otherwise starts a thread a core in each of them, and they fight for the cores.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

# What BLAS reads when NumPy is first imported.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def pool(workers: int) -> ProcessPoolExecutor:
    """A pool of fresh processes of one thread each."""
    os.environ.update(ONE_THREAD)  # they inherit it; this process has its NumPy already
    return ProcessPoolExecutor(workers, get_context("spawn"))
