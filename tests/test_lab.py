"""`course lab`, and the settings for VS Code: lectures and exercises open as notebooks."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from course.cli import app, lab

ROOT = Path(__file__).parents[1]
EXERCISE, LECTURE = "exercises/05_saliency.py", "lectures/05_saliency.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A course of one module, and the reader in its folder."""
    for name in (EXERCISE, LECTURE):
        (tmp_path / name).parent.mkdir()
        # exercises/ are the learner's own: the solutions have the same form
        shutil.copy(ROOT / name.replace("exercises", "solutions"), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def launched(monkeypatch):
    """JupyterLab's place is taken by a list of what it was called with."""
    calls: list[list[str]] = []
    app_class = SimpleNamespace(launch_instance=calls.append)
    monkeypatch.setitem(sys.modules, "jupyterlab", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", SimpleNamespace(LabApp=app_class))
    monkeypatch.setattr(lab, "find_spec", lambda name: name)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "before")
    return calls


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lab", *arguments])
    assert not result.exception or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("which", "opens"),
    [
        ([], None),
        (["05"], EXERCISE),
        (["05.2"], EXERCISE),
        ([EXERCISE], EXERCISE),
        ([LECTURE], LECTURE),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, list) else "",
)
def test_what_opens(folder, launched, which, opens):
    assert run(*which)[0] == 0
    assert f"--ServerApp.root_dir={folder}" in launched[0]
    urls = [o.partition("=")[2] for o in launched[0] if o.startswith("--LabApp.default_url=")]
    assert urls == ([f"/lab/tree/{opens}"] if opens else [])


def test_from_a_folder_below_too(folder, launched, monkeypatch):
    monkeypatch.chdir(folder / "lectures")
    assert run("05_saliency.md")[0] == 0
    assert f"--LabApp.default_url=/lab/tree/{LECTURE}" in launched[0]


def test_the_readers_own_settings_stay_and_nobody_is_asked_for_news(folder, launched):
    assert run("--no-browser", "--port", "9001")[0] == 0
    assert os.environ["JUPYTER_CONFIG_PATH"] == f"before{os.pathsep}{lab.SETTINGS}"
    assert {
        "--no-browser",
        "--ServerApp.port=9001",
        "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
    } <= set(launched[0])
    text = (lab.SETTINGS / "labconfig/default_setting_overrides.json").read_text("utf-8")
    news = json.loads(text)["@jupyterlab/apputils-extension:notification"]
    assert news == {"checkForUpdates": False, "fetchNews": "false"}


@pytest.mark.parametrize(
    ("which", "says"),
    [
        ("exercises/05_salience.py", "did you mean 05_saliency.py?"),
        ("lectures/05_salience.md", "did you mean 05_saliency.md?"),
        ("10", "there is no file"),
        ("99", "no module or exercise is called '99'"),
        (str(ROOT / "README.md"), "JupyterLab shows only what is in there"),
    ],
    ids=["misspelt exercise", "misspelt lecture", "file not here", "no module", "outside"],
)
def test_what_cannot_open_gets_one_sentence(folder, launched, which, says):
    code, output = run(which)
    assert (code, launched) == (2, [])
    assert says in output


def test_without_the_extra_the_exact_command_is_told(folder, monkeypatch):
    monkeypatch.setattr(lab, "find_spec", lambda name: name if name == "ipykernel" else None)
    code, output = run()
    assert code == 2
    assert output.startswith("course: jupyterlab and jupytext cannot be found; install what is")
    command = shlex.split(output.partition("missing with ")[2])
    assert Path(command[0]) == Path(sys.executable)
    assert command[1:5] == ["-m", "pip", "install", "-c"]
    assert Path(command[5]) == ROOT / "constraints.txt"
    assert command[6:] == ["-e", f"{ROOT}[lab]"]


def test_the_command_for_the_package_alone(folder, monkeypatch):
    monkeypatch.setattr(lab, "__file__", str(folder / "course" / "cli" / "lab.py"))
    assert lab.install().endswith(' -m pip install "saliency-from-scratch[lab]"')


def test_vs_code_is_told_where_python_and_the_tests_are():
    settings, wanted = (
        json.loads((ROOT / ".vscode" / f"{name}.json").read_text("utf-8"))
        for name in ("settings", "extensions")
    )
    # A folder: VS Code finds bin/python or Scripts\\python.exe in it.
    assert settings["python.defaultInterpreterPath"] == "${workspaceFolder}/.venv"
    assert settings["python.testing.pytestArgs"] == ["tests"]  # never the learner's exercises
    assert {"ms-python.python", "ms-toolsai.jupyter"} <= set(wanted["recommendations"])


# --- JupyterLab itself, in a browser ---------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(folder):
    """`course lab` at work; gives the address to open, with its token."""
    pytest.importorskip("jupyterlab", reason="no JupyterLab: pip install -e '.[lab]'")
    port = free_port()
    command = f"from course.cli import app; app(['lab', '--no-browser', '--port', '{port}'"
    command += ", '--allow-root'])"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_TOKEN": "of-the-test"}
    for kind in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{kind}_DIR"] = str(folder / kind)
    with open(folder / "log.txt", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", command], env=environment, stdout=log, stderr=log
        )
        try:
            yield wait_for(f"http://127.0.0.1:{port}", process, folder / "log.txt")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def wait_for(base: str, process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{base}/api", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return base
    raise AssertionError(log.read_text())


@pytest.mark.browser
@pytest.mark.slow
def test_a_double_click_opens_a_notebook(browser, server):
    asked: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server}/lab?token=of-the-test")
    for name in (LECTURE, EXERCISE):
        assert "Saliency: the gradient" in double_click(page, name)
    assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0
    page.close()
    local = (server, server.replace("http", "ws"), "data:", "blob:")
    assert [url for url in asked if not url.startswith(local)] == []


def double_click(page: Any, name: str) -> str:
    """Open a file from the list of files, from the top; gives the notebook's first heading."""
    page.locator(".jp-BreadCrumbs-home").click()
    for part in name.split("/"):
        page.locator(f'.jp-DirListing-item[title^="Name: {part}"]').dblclick()
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) h1").first.inner_text()
