"""The results as files: for spreadsheets, programs, Gradescope, and whatever reads JUnit's XML."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import course
from course.grading.batch.jobs import UNJUDGED, UNREAD, Row
from course.grading.batch.text import cell

COLUMNS = (
    "student", "exercise", "number", "points", "max", "passed", "layer", "mistake", "message",
    "seconds",
)  # fmt: skip


def write_all(rows: Sequence[Row], report: str, out: Path) -> None:
    """Every file of the results, each complete before it has its name."""
    out.mkdir(parents=True, exist_ok=True)
    write(out / "results.csv", as_csv(rows))
    write(out / "totals.csv", totals_csv(rows))
    write(out / "results.json", as_json(rows))
    write(out / "junit.xml", as_junit(rows))
    write(out / "report.html", report)
    folder = out / "gradescope"
    files = gradescope_files(rows)
    for old in folder.glob("*.json"):  # of students who are no longer there
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        write(folder / name, text)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with open(part, "x", encoding="utf-8", newline="") as stream:
        stream.write(text)
    os.replace(part, path)


def by_student(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for student, own in groupby(rows, key=lambda row: row.student):
        yield student, list(own)


def _points(rows: Sequence[Row]) -> dict[str, int]:
    return {"points": sum(row.points for row in rows), "max": sum(row.max for row in rows)}


def as_csv(rows: Sequence[Row]) -> str:
    return _csv(COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows))


def totals_csv(rows: Sequence[Row]) -> str:
    """A line a student."""
    lines = (
        [student, *_points(own).values(), sum(row.passed for row in own), len(own)]
        for student, own in by_student(rows)
    )
    return _csv(("student", "points", "max", "passed", "exercises"), lines)


def _csv(header: Sequence[str], lines: Iterator[list[Any]]) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(header)
    for line in lines:
        table.writerow([cell(value) if isinstance(value, str) else value for value in line])
    return text.getvalue()


def as_json(rows: Sequence[Row]) -> str:
    students = [
        {
            "student": student,
            **_points(own),
            "exercises": [{k: v for k, v in asdict(r).items() if k != "student"} for r in own],
        }
        for student, own in by_student(rows)
    ]
    return json.dumps({"course": course.__version__, "students": students}, indent=1) + "\n"


def gradescope_files(rows: Sequence[Row]) -> dict[str, str]:
    """A results.json a student, by the name of its file."""
    return {_file_name(student): as_gradescope(own) for student, own in by_student(rows)}


def as_gradescope(rows: Sequence[Row]) -> str:
    """One student's results.json as Gradescope's autograder specification has it."""
    tests = [
        {
            "name": row.exercise,
            "number": row.number,
            "score": row.points,
            "max_score": row.max,
            "status": "passed" if row.passed else "failed",
            "output": row.detail,
            "output_format": "text",
            "visibility": "visible",
        }
        for row in rows
    ]
    passed = sum(row.passed for row in rows)
    results = {
        "score": sum(row.points for row in rows),
        "output": f"{passed} of {len(rows)} exercises passed",
        "output_format": "text",
        "execution_time": round(sum(row.seconds for row in rows)),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(results, indent=1) + "\n"


def _file_name(student: str) -> str:
    """Safe on every system, and another one for each student."""
    plain = re.sub(r"[^a-z0-9._-]+", "_", student)[:80].strip(".") or "_"
    mark = "" if plain == student else "-" + sha256(student.encode()).hexdigest()[:8]
    return f"{plain}{mark}.json"


def as_junit(rows: Sequence[Row]) -> str:
    """A suite a student; what was never judged is an error, other wrong answers are failures."""
    root = ElementTree.Element("testsuites", {"name": "Saliency from Scratch", **_counts(rows)})
    for student, own in by_student(rows):
        suite = ElementTree.SubElement(root, "testsuite", {"name": student, **_counts(own)})
        for row in own:
            name = f"{row.number} {row.exercise}"
            case = ElementTree.SubElement(
                suite, "testcase", classname=student, name=name, time=f"{row.seconds:.3f}"
            )
            if not row.passed:
                kind = "error" if _is_error(row) else "failure"
                fields = {"type": row.mistake or row.layer, "message": row.message}
                ElementTree.SubElement(case, kind, fields).text = row.detail
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _is_error(row: Row) -> bool:
    return row.layer in (UNREAD, UNJUDGED)


def _counts(rows: Sequence[Row]) -> dict[str, str]:
    errors = sum(_is_error(row) for row in rows)
    return {
        "tests": str(len(rows)),
        "failures": str(sum(not row.passed for row in rows) - errors),
        "errors": str(errors),
        "time": f"{sum(row.seconds for row in rows):.3f}",
    }
