"""What each exercise asks and how an answer is judged, one file a module."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from course.grading.spec import Exercise, ModuleSpec


@cache
def modules() -> tuple[ModuleSpec, ...]:
    """Every module that has exercises, in the order of the course."""
    names = [i.name for i in pkgutil.iter_modules(__path__) if not i.name.startswith("_")]
    found = [import_module(f"{__name__}.{name}").SPEC for name in names]
    return tuple(sorted(found, key=lambda spec: spec.number))


def find(selector: str) -> tuple[ModuleSpec, tuple[Exercise, ...]]:
    """The module and exercises that "05", "saliency", "05.2" or "gradient" means."""
    for spec in modules():
        if selector in (spec.number, spec.name, spec.stem) or selector == spec.number.lstrip("0"):
            return spec, tuple(spec.exercises)
        for exercise in spec.exercises:
            if selector in (exercise.number, exercise.number.lstrip("0"), exercise.name):
                return spec, (exercise,)
    known = ", ".join(f"{spec.number} ({spec.name})" for spec in modules())
    raise KeyError(f"no module or exercise is called {selector!r}; there are {known}")
