"""How many threads NumPy uses: one. Its BLAS otherwise starts one a core in every process, and on
arrays as small as the course's they cost more than they save, most of all beside other processes.
"""

from __future__ import annotations

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_thread() -> None:
    """From here on each NumPy that is first imported, in this process or in one that it starts,
    keeps to one thread, unless the environment already says how many."""
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")
