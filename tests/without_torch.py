"""A pytest plugin for `make test-light`: whatever asks for Torch is skipped, the rest must pass."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

import pytest


class SkipTorch(MetaPathFinder):
    """Turns `import torch` into a skip, of a whole test file or of one test."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if name.partition(".")[0] in {"torch", "captum"}:
            pytest.skip(f"needs {name}", allow_module_level=True)


sys.meta_path.insert(0, SkipTorch())
