"""The files that a batch leaves: read by spreadsheets, Gradescope, JUnit's readers and browsers."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from course.cli import app
from course.grading.batch import secret
from course.grading.batch.class_report import class_report
from course.grading.batch.jobs import Row
from course.grading.batch.results import as_gradescope, gradescope_files, write_all
from tests.classroom import FILE, SOLUTION

NASTY = "<script>alert(1)</script> ]]> & \"quoted\" 'too'"
RIGHT = Row("ada", "05.1", "gradient", 3, 3, True, "", "", "", "passed, 7 checks", 0.25)
WRONG = replace(
    RIGHT, student="bob", points=0, passed=False, layer="value", mistake="descent",
    message=NASTY, detail=NASTY, seconds=0.75,
)  # fmt: skip
UNREAD = replace(WRONG, student="=1+1", layer="unread", mistake="", message="=2+2", seconds=0.0)
ROWS = [UNREAD, RIGHT, WRONG]


def test_a_spreadsheet_runs_nothing(tmp_path):
    write_all(ROWS, "", tmp_path)
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert (lines[0]["student"], lines[0]["message"]) == ("'=1+1", "'=2+2")
    assert lines[2] == {
        "student": "bob", "exercise": "gradient", "number": "05.1", "points": "0", "max": "3",
        "passed": "False", "layer": "value", "mistake": "descent", "message": NASTY,
        "seconds": "0.75",
    }  # fmt: skip
    assert (tmp_path / "totals.csv").read_bytes().splitlines()[2] == b"ada,3,3,1,1"


def test_gradescope_has_its_fields():
    second = replace(WRONG, student="ada", number="05.2", exercise="saliency_map", max=2)
    results = json.loads(as_gradescope([RIGHT, second]))
    assert results["score"] == sum(test["score"] for test in results["tests"]) == 3
    assert results["execution_time"] == 1
    assert results["tests"][1] == {
        "name": "saliency_map", "number": "05.2", "score": 0, "max_score": 2, "status": "failed",
        "output": NASTY, "output_format": "text", "visibility": "visible",
    }  # fmt: skip


def test_each_student_has_a_file_of_a_safe_name(tmp_path):
    students = ["ada", "Ada", "a/../../b", "CON", "王", "", "n" * 300, ".hidden", "two words"]
    names = list(gradescope_files([replace(RIGHT, student=name) for name in students]))
    assert len({name.casefold() for name in names}) == len(students)
    assert names[0] == "ada.json"
    assert all(len(name) < 100 and not set(name) & set('/\\:*?"<>| ') for name in names)
    assert not any(name.startswith(".") for name in names)


def test_files_of_students_who_left_go(tmp_path):
    write_all(ROWS, "", tmp_path)
    write_all([RIGHT], "", tmp_path)
    assert [file.name for file in (tmp_path / "gradescope").iterdir()] == ["ada.json"]


def test_junit_is_xml_whatever_is_in_it(tmp_path):
    write_all(ROWS, "", tmp_path)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "time")}
    assert counts == {"tests": "3", "failures": "1", "errors": "1", "time": "1.000"}
    assert [suite.get("name") for suite in root] == ["=1+1", "ada", "bob"]
    failure = root.find("./testsuite[@name='bob']/testcase/failure")
    assert (failure.get("type"), failure.get("message"), failure.text) == ("descent", NASTY, NASTY)
    assert root.find("./testsuite[@name='ada']/testcase").get("name") == "05.1 gradient"


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.links = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_report_names_nobody_unless_asked():
    page = Page(class_report(ROWS))
    assert page.links == []
    assert "script" not in page.tags
    assert "33% pass (1 of 3)" in page.text
    assert "33% of the class (1)" in page.text
    assert "Your sign is that of a loss going down" in page.text
    assert "33% (1) could not be read" in page.text
    assert not any(name in page.text for name in ("ada", "bob", "alert"))
    named = Page(class_report([replace(RIGHT, student=NASTY)], names=True))
    assert NASTY in named.text
    assert "script" not in named.tags
    assert "0" in Page(class_report([])).text


def test_seeds_differ_by_all_that_they_depend_on():
    asked = [(b"a", "ada", "05.1"), (b"b", "ada", "05.1"), (b"a", "bob", "05.1")]
    asked += [(b"a", "ada", "05.2"), (b"a", "ada05", ".1"), (b"a", "ad", "a05.1")]
    assert len({secret.seed(*each) for each in asked}) == len(asked)
    assert secret.seed(b"a", "ada", "05.1") == secret.seed(b"a", "ada", "05.1")


def test_a_secret_is_drawn_once(tmp_path):
    first = secret.kept(tmp_path / "out")
    assert secret.kept(tmp_path / "out") == first != secret.kept(tmp_path / "other")
    assert len(first) == 64
    assert (tmp_path / "out" / secret.KEPT).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere", "--out", "out"], "there is no folder nowhere"),
        (["in", "--out", "in/results"], "--out lies in the folder of submissions"),
        (["in", "--out", "out", "--only", "99"], "no module or exercise is called"),
        (["in", "--out", "out", "--secret-file", "empty"], "the secret in empty is empty"),
    ],
)
def test_what_cannot_be_graded(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "empty").touch()
    result = CliRunner().invoke(app, ["grade", *arguments])
    assert (result.exit_code, says in result.output) == (2, True), result.output


def test_one_submission_for_gradescope(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / FILE).write_text(SOLUTION)
    results = tmp_path / "results" / "results.json"
    arguments = ["gradescope", str(tmp_path / "submission"), str(results), "--only", "05.1"]
    done = CliRunner().invoke(app, [*arguments, "--only", "05.3"])
    assert done.exit_code == 0, done.output
    assert "2 of 2 passed" in done.output
    assert json.loads(results.read_text())["score"] == 4
