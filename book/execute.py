"""Execute the pages side by side, into the cache from which the book's build takes their outputs.

A page that fails here is executed again by the build, which shows the error.
"""

from __future__ import annotations

import logging
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor
from myst_nb.core.read import is_myst_markdown_notebook

from course.threads import one_thread

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 120  # seconds a cell, as in _config.yml
READER = {"name": "myst_nb_md", "type": "plugin"}


def main() -> None:
    # As many processes as cores: each keeps to one thread.
    one_thread()
    logging.getLogger("jupyter_cache").setLevel(logging.ERROR)
    cache = get_cache(ROOT / "book" / "_build" / ".jupyter_cache")
    for page in sorted((ROOT / "lectures").glob("*.md")):
        if is_myst_markdown_notebook(page.read_text(encoding="utf-8")):
            cache.add_nb_to_project(str(page), read_data=READER)
    load_executor("local-parallel", cache).run_and_cache(timeout=TIMEOUT)


if __name__ == "__main__":
    main()
