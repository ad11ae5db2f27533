"""`python -m benchmarks`: measure, print a table, and write results.json beside this file."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import costs
from benchmarks.engines import ENGINES, NOT_COMPARED
from benchmarks.harness import Work, interleave, ratios
from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS, Workload

RESULTS = Path(__file__).with_name("results.json")
TOLERANCE = 2e-2  # relative L2: in single precision a kink of EfficientNet may flip in any engine
PACKAGES = ("numpy", "torch", "captum", "jax", "autograd", "mygrad")


def measure(workload: Workload, seconds: float, rounds: int) -> dict[str, Any]:
    """Every engine that can do the work, after its answer has been compared with Torch's."""
    rng = np.random.default_rng(0)
    parameters = workload.parameters(rng)
    x = rng.normal(size=workload.shape).astype(np.float32)
    works: dict[str, Work] = {}
    skipped = {}
    for name, engine in {**ENGINES, **PEERS}.items():
        answer = engine(workload, parameters)
        try:
            found = answer(x)
        except NotImplementedError as error:
            skipped[name] = str(error)
            continue
        if name == "torch":
            expected = found
        elif (name, workload.kind) not in NOT_COMPARED:
            off = np.linalg.norm(found - expected) / np.linalg.norm(expected)
            if found.shape != expected.shape or not off < TOLERANCE:
                raise AssertionError(f"{name} on {workload.name}: off by {off:.1e} of Torch")
        works[name] = partial(answer, x)
    times = interleave(works, seconds, rounds)
    return {
        "milliseconds": {name: 1e3 * median(own) for name, own in times.items()},
        "ratio": ratios(times, "torch"),
        "skipped": skipped,
    }


def machine() -> dict[str, Any]:
    """Where and with what the numbers were measured."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    model = next((s.split(":")[1].strip() for s in lines if s.startswith("model name")), "")
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processor": model or platform.processor(),
        "avx512": any("avx512f" in s for s in lines),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": installed,
        "threads": 1,
    }


def speed_table(work: dict[str, Any]) -> Table:
    """One row a workload, one column an engine; the last row holds geometric means."""
    engines = [*ENGINES, *PEERS]
    table = Table(title="CPU time, one thread: of Torch in ms, of the others in Torch's")
    table.add_column("work", no_wrap=True)
    for engine in engines:
        table.add_column(engine, justify="right")
    for name, result in work.items():
        cells = [f"{result['ratio'][e]:.2f}" if e in result["ratio"] else "–" for e in engines[1:]]
        table.add_row(name, f"{result['milliseconds']['torch']:.1f}", *cells)
    means = [
        geometric_mean(r["ratio"][e] for r in work.values() if e in r["ratio"]) for e in engines[1:]
    ]
    table.add_row("geometric mean", "", *(f"{m:.2f}" for m in means), style="bold")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="workloads whose name holds this text")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each engine in each round")
    options = parser.parse_args()

    detected = Console()
    console = detected if detected.width >= 110 else Console(width=110)
    work = {}
    for workload in WORKLOADS:
        if options.only.lower() in workload.name.lower():
            with console.status(workload.name):
                work[workload.name] = measure(workload, options.seconds, options.rounds)
    console.print(speed_table(work))
    if options.only:
        return  # part of the picture is not written down

    with console.status("memory, import time, tape overhead"):
        memory = costs.memory()
        imports = {m: costs.import_seconds(m) for m in ("numpy", "course.autograd", "torch")}
        overhead = costs.microseconds_per_operation()
    table = Table(f"{costs.STEPS}-step IG, peak MB by chunk", *map(str, costs.CHUNKS))
    for engine, peaks in memory.items():
        table.add_row(engine, *(f"{peaks[str(chunk)]:.0f}" for chunk in costs.CHUNKS))
    console.print(table)
    for title, unit, numbers in (
        ("import", "s", imports),
        ("tape, one operation forward and back", "µs", overhead),
    ):
        console.print(f"{title}:", ", ".join(f"{k} {v:.2f} {unit}" for k, v in numbers.items()))
    record = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "work": work,
        "memory_mb": memory,
        "import_cpu_seconds": imports,
        "tape_microseconds": overhead,
    }
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    console.print(f"written to {RESULTS.name}")


if __name__ == "__main__":
    main()
