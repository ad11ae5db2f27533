"""Where the data files lie, and how they are read. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FILES = Path(__file__).parent / "files"


def data_file(name: str) -> Path:
    """The path of a file that the course ships, such as "photos_cc0_pd/manifest.json"."""
    path = FILES / name
    if not path.is_file():
        known = sorted(p.relative_to(FILES).as_posix() for p in FILES.rglob("*.npz"))
        raise FileNotFoundError(
            f"no data file is called {name!r}; course/data/files holds the arrays "
            f"{', '.join(known)}, and PROVENANCE.md says what else"
        )
    return path


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Every array of an `.npz` file by name. Pickled objects, which could run code, are refused."""
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)
