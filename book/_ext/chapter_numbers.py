"""Figures, tables and equations numbered by module: the third of module 05 is 5.3.

The pages of one module (chapter, second chapter, exercises) count on together; a page that belongs
to no module counts by itself, 1, 2, 3. Sphinx alone would need numbered section titles for this.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def number(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give each numbered thing its number anew, in the order of the table of contents."""
    seen: Counter[tuple[str, str]] = Counter()
    for page, kinds in env.toc_fignumbers.items():
        found = re.match(r"(\d\d)_", page)
        module = (int(found[1]),) if found else ()
        for kind, numbers in kinds.items():
            for name in numbers:
                series = (found[1] if found else page, kind)
                seen[series] += 1
                numbers[name] = (*module, seen[series])
    return list(env.toc_fignumbers)  # to be written again


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-get-updated", number, priority=600)  # after Sphinx's own numbers
    return {"parallel_read_safe": True, "parallel_write_safe": True}
