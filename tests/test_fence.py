"""What the kernel keeps a submission from, tried from inside the fence."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap

import pytest

from course.grading import fence

pytestmark = pytest.mark.skipif(not fence.version(), reason="this kernel has no Landlock")

TOOLS = """
import os, pathlib, shutil, signal, socket, sys
from course.grading.fence import enclose
inside, outside = map(pathlib.Path, sys.argv[1:])
listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
enclose(inside)
def act():
{act}
try:
    act()
    print("done")
except PermissionError:
    print("refused")
"""
ALLOWED = {
    "write": "(inside / 'a').write_text('mine')",
    "make a folder and remove it": "(inside / 'b').mkdir(); (inside / 'b').rmdir()",
    "replace": "(inside / 'c').write_text('1'); os.replace(inside / 'c', inside / 'd')",
    "throw away": "open(os.devnull, 'w').write('x')",
    "import": "import numpy, course.specs, course.methods.saliency, decimal",
    "fork": "os.waitpid(os.fork() or os._exit(0), 0)",
    "signal itself": "os.kill(os.getpid(), 0)",
}
REFUSED = {
    "write": (1, "(outside / 'a').write_text('mine')"),
    "overwrite": (1, "(outside / 'kept').write_text('mine')"),
    "append": (1, "open(outside / 'kept', 'a')"),
    "truncate": (3, "os.truncate(outside / 'kept', 0)"),
    "remove": (1, "(outside / 'kept').unlink()"),
    "remove a folder": (1, "(outside / 'folder').rmdir()"),
    "make a folder": (1, "(outside / 'new').mkdir()"),
    "link": (1, "(outside / 'link').symlink_to('kept')"),
    "read": (1, "(outside / 'kept').read_text()"),
    "list": (1, "os.listdir(outside)"),
    "through a link": (1, "(inside / 'out').symlink_to(outside); (inside / 'out' / 'a').touch()"),
    "another environment": (1, "open(f'/proc/{os.getppid()}/environ').read()"),
    "rewrite Python": (1, "open(os.__file__, 'a')"),
    "connect": (4, "socket.create_connection(('127.0.0.1', port))"),
    "listen": (4, "socket.create_server(('127.0.0.1', 0))"),
    "signal its parent": (6, "os.kill(os.getppid(), 0)"),
}
ELSEWHERE = {
    # The kernel says of these that they cross from one disk to another.
    "move out": (1, "os.rename(inside, outside / 'b')"),
    "move in": (1, "os.rename(outside / 'kept', inside / 'kept')"),
}


def tried(act, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside" / "folder").mkdir(parents=True)
    (tmp_path / "outside" / "kept").write_text("theirs")
    source = TOOLS.replace("{act}", textwrap.indent(act.replace("; ", "\n"), "    "))
    ast.parse(source)
    paths = [tmp_path / "inside", tmp_path / "outside"]
    ran = subprocess.run(
        [sys.executable, "-c", source, *map(str, paths)], capture_output=True, text=True
    )
    assert (tmp_path / "outside" / "kept").read_text() == "theirs"
    assert sorted(os.listdir(tmp_path / "outside")) == ["folder", "kept"]
    return ran.stdout.strip() or ran.stderr


@pytest.mark.parametrize("act", ALLOWED)
def test_allowed(act, tmp_path):
    assert tried(ALLOWED[act], tmp_path) == "done"


@pytest.mark.parametrize("act", REFUSED)
def test_refused(act, tmp_path):
    since, source = REFUSED[act]
    if fence.version() < since:
        pytest.skip("this kernel's Landlock is too old for it")
    assert tried(source, tmp_path) == "refused"


@pytest.mark.parametrize("act", ELSEWHERE)
def test_refused_as_from_another_disk(act, tmp_path):
    told = tried(ELSEWHERE[act][1], tmp_path)
    assert told == "refused" or "Invalid cross-device link" in told
