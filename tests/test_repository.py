"""The repository keeps what its README promises: files, commands, licences, pins, the wheel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT / "course" / "data" / "files"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def data_files() -> list[Path]:
    return [p for p in sorted(DATA.rglob("*")) if p.is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    folder = tmp_path_factory.mktemp("dist")
    path = next(builder.build(directory=str(folder), versions=["standard"]))
    return zipfile.ZipFile(path)


def test_wheel_holds_the_whole_course(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    kinds = (".py", ".css", ".js", ".html", ".json", ".txt", ".npz", ".tsv", ".jpg", ".md")
    files = [p for p in (ROOT / "course").rglob("*") if p.suffix in kinds]
    wanted = {p.relative_to(ROOT).as_posix() for p in files}
    assert len(wanted) > 150
    assert wanted <= names


def test_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    strangers = [
        name
        for name in wheel.namelist()
        if not name.startswith(("course/", "saliency_from_scratch-"))
        or name.endswith((".pyc", "ruff.toml"))
    ]
    assert strangers == []


def test_wheel_brings_the_command_the_collector_and_the_licences(wheel: zipfile.ZipFile) -> None:
    info = f"saliency_from_scratch-{PROJECT['version']}.dist-info"
    points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "course = course.cli:main" in points
    assert "[pytest11]" in points
    for licence in PROJECT["license-files"]:
        assert wheel.read(f"{info}/licenses/{licence}").strip()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "lectures/how_to_use.md"])
def test_commands_in_the_text_are_make_targets(page: str) -> None:
    text = read(page)
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^\s*\$ (.*)$", text, re.MULTILINE)
    used = {
        word
        for line in code
        if line.startswith("make ")
        for word in line.partition("#")[0].split()[1:]
        if "=" not in word
    }
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert used
    assert used <= targets


def test_every_data_file_has_a_provenance() -> None:
    provenance = (DATA / "PROVENANCE.md").read_text(encoding="utf-8")
    unnamed = []
    for path in data_files():
        name = path.relative_to(DATA).as_posix()
        manifest = path.parent / "manifest.json"
        if name == "PROVENANCE.md" or name in provenance:
            continue
        # A folder of photographs is named as a whole; its manifest names each with its licence.
        entries = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else []
        listed = {entry["file"] for entry in entries if entry["licence"]}
        if f"{path.parent.name}/" in provenance and path.name in {*listed, "manifest.json"}:
            continue
        unnamed.append(name)
    assert unnamed == []


def test_every_requirement_is_pinned() -> None:
    lines = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    pins = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(name for extra in extras for name in extra)]
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in wanted}  # type: ignore[index]
    assert names <= pins
    # A local version, such as Torch's +cpu, is on no public index.
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_citation_and_project_agree_on_the_version() -> None:
    assert f"\nversion: {PROJECT['version']}\n" in read("CITATION.cff")


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git repository, so the files that belong to it are not known")
    machine = re.compile(r"(?<![\w.}])/(?:work|opt|root|home|Users)/|(?<![A-Za-z])[A-Z]:\\")
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path == Path(__file__) or not path.is_file():
            continue
        text = path.read_bytes()[:200_000].decode("utf-8", errors="replace")
        if "\0" not in text:
            found += [f"{name}: {hit[0]}" for hit in machine.finditer(text)]
    assert found == []


def test_the_numpy_side_never_imports_torch() -> None:
    packages = ["autograd", "nn", "models", "data", "methods", "specs", "plot"]
    code = ";".join(f"import course.{name}" for name in packages)
    code += ";import sys;from course.specs import modules;modules();print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
