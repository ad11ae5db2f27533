"""What the theme leaves out for those who do not see the page: names of toggles, roles of lists."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.application import Sphinx


def name_toggles(tree: BeautifulSoup | str) -> BeautifulSoup:
    """Each toggle of the sidebar says whose pages it shows."""
    soup = BeautifulSoup(str(tree), "html.parser")
    for summary in soup.select("li > details > summary"):
        link = summary.find_parent("li").find("a")
        summary["aria-label"] = f"Pages of {link.get_text(strip=True)}"
    return soup


def mend(body: str) -> str:
    # A list's children have to be list items; the role of a bibliography's entry is deprecated.
    body = body.replace(' role="doc-biblioentry"', ' role="listitem"')
    # What scrolls by itself gets the keyboard's focus (from the theme's script), so it needs a name.
    return body.replace(
        'class="pst-scrollable-table-container"',
        'class="pst-scrollable-table-container" role="group" aria-label="Table"',
    )


def mend_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if "body" in context:
        context["body"] = mend(context["body"])
    if "generate_toctree_html" in context:
        generate = context["generate_toctree_html"]
        context["generate_toctree_html"] = lambda *args, **options: name_toggles(
            generate(*args, **options)
        )


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", mend_page, priority=900)  # after the theme's own
    return {"parallel_read_safe": True, "parallel_write_safe": True}
