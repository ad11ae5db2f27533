"""Write the interactive page as a file that any browser opens from disk:

python -m course.explore explore.html
"""

from __future__ import annotations

import sys
from html import escape

from course.threads import one_thread

one_thread()  # before anything imports NumPy

from course.explore.exhibits import clothes, digits, measure, photographs  # noqa: E402
from course.explore.page import explorer  # noqa: E402
from course.plot.attention import View  # noqa: E402


def main(path: str) -> None:
    exhibits = [photographs(), digits(), digits("mnist_mlp"), clothes()]
    page = explorer(exhibits, [measure(exhibit) for exhibit in exhibits])
    head = f"<h1 style='font: 600 1.6rem system-ui, sans-serif'>{escape(page.title)}</h1>\n"
    print(View(page.title, head + page.html).save(path))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name one file to write: python -m course.explore explore.html")
    main(sys.argv[1])
