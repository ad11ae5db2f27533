"""What the theme leaves out: names for toggles, roles for lists, tables that a phone can show."""

from __future__ import annotations

import re
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


def label_claims(table: re.Match[str]) -> str:
    """A claims table is wide with text: on a phone rows stack, and each cell names its column."""
    soup = BeautifulSoup(table[0], "html.parser")
    heads = [head.get_text(strip=True) for head in soup.select("thead th")]
    if heads[:1] != ["claim"]:
        return table[0]
    soup.table["class"] = [*soup.table.get("class", []), "claims"]
    soup.table["role"] = "table"  # which `display: block` would take away
    for row in soup.select("tr"):
        row["role"] = "row"
        for head, cell in zip(heads, row.select("td"), strict=False):
            cell["role"], cell["data-label"] = "cell", head
    return str(soup)


def mend(body: str) -> str:
    body = re.sub(r"<table\b.*?</table>", label_claims, body, flags=re.DOTALL)
    # A list's children have to be list items; the role of a bibliography's entry is deprecated.
    body = body.replace(' role="doc-biblioentry"', ' role="listitem"')
    # What scrolls by itself gets the focus of the keyboard (by the theme's script): name it.
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
