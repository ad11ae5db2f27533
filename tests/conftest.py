"""A browser, and the built book, for the tests that read pages."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

HTML = Path(__file__).parents[1] / "book" / "_build" / "html"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the book's pages."""
    if not (HTML / "index.html").exists():
        pytest.skip("the book is not built: run `make book`")
    return HTML


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, one for each process of tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make install")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium: install it with `apt-get install chromium`, or any Chrome")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def served(book: Path) -> Iterator[str]:
    """The address of the book, served from this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=book))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
