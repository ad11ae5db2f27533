"""Which course judges: results of another one are not reused."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

import course

# Of the package: what a verdict depends on.
FOLDERS = ("autograd", "data", "grading", "methods", "models", "nn", "reference", "specs")


@cache
def course_code() -> str:
    """A digest of the course's version, its code and NumPy's version."""
    package = Path(course.__path__[0])
    digest = sha256(f"{course.__version__} {np.__version__}".encode())
    for folder in FOLDERS:
        for file in sorted((package / folder).glob("*.py")):
            digest.update(f"{folder}/{file.name}".encode() + file.read_bytes())
    return digest.hexdigest()
