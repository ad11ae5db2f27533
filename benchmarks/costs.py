"""What is not speed: memory at many steps, import time, and the tape's own overhead."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.engines import course, torch_engine
from benchmarks.workloads import WORKLOADS, path
from course import autograd

STEPS = 300
CHUNKS = (300, 100, 50, 25, 10)


def _megabytes(field: str) -> float:
    """Resident memory of this process, now ("VmRSS") or at its highest ("VmHWM"); Linux only."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def measure_memory(engine: str, chunk: int) -> float:
    """Peak memory of 300-step integrated gradients above the resting process, in MB."""
    workload = WORKLOADS[0]
    parameters = workload.parameters(np.random.default_rng(0))
    gradient = {"course": course, "torch": torch_engine}[engine](workload, parameters)
    x = np.random.default_rng(0).normal(size=workload.shape).astype(np.float32)
    gradient(x)
    rest = _megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
    batch, total = path(x, STEPS), np.zeros_like(x)
    for start in range(0, STEPS, chunk):
        total += gradient(batch[start : start + chunk]).sum(0)
    return _megabytes("VmHWM") - rest


def memory() -> dict[str, dict[str, float]]:
    """MB by engine and chunk, each measured in a process of its own."""
    table: dict[str, dict[str, float]] = {}
    for engine in ("course", "torch"):
        table[engine] = {}
        for chunk in CHUNKS:
            code = f"from benchmarks.costs import *; print(measure_memory({engine!r}, {chunk}))"
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            table[engine][str(chunk)] = float(done.stdout)
    return table


def import_seconds(module: str, rounds: int = 5) -> float:
    """CPU seconds of a fresh interpreter that imports `module`, less those of one that does not."""

    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return median(seconds(f"import {module}") - seconds("pass") for _ in range(rounds))


def microseconds_per_operation(operations: int = 1000, rounds: int = 15) -> dict[str, float]:
    """Forward and backward of a chain of additions to one number: nothing but overhead."""

    def chain(x: Any) -> Any:
        for _ in range(operations):
            x = x + 1
        return x

    def ours() -> None:
        x = autograd.Tensor(np.ones(1, np.float32), requires_grad=True)
        autograd.grad(chain(x), x)

    def theirs() -> None:
        x = torch.ones(1, requires_grad=True)
        torch.autograd.grad(chain(x), x)

    works: dict[str, Callable[[], object]] = {
        "course": ours,
        "torch": theirs,
        "bare NumPy, forward": lambda: chain(np.ones(1, np.float32)),
    }
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            found[name].append((time.process_time() - start) / operations * 1e6)
    return {name: median(times) for name, times in found.items()}
