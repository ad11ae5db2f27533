"""A page of the book as the Markdown that a notebook understands: no roles, no directives.

It is written from the finished page, so that citations, numbers and computed values stand in it.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from textwrap import indent

from docutils import nodes
from sphinx_design.dropdown import dropdown_main, dropdown_title
from sphinx_design.tabs import sd_tab_input

SILENT = (nodes.comment, nodes.target, nodes.substitution_definition, nodes.raw, sd_tab_input)
LANGUAGES = {"ipython3": "python", "default": "", "myst-ansi": ""}


class Writer:
    """Markdown of nodes; the pictures that it shows gather in `attachments`.

    source: the folder to which the paths of pictures are relative.
    numbers: by a figure's, table's or equation's id, its number.
    pointer: what stands in place of a piece of code, or None to show it.
    """

    def __init__(
        self, source: Path, numbers: Mapping[str, str], pointer: Callable[[str], str | None]
    ) -> None:
        self.source, self.numbers, self.pointer = source, numbers, pointer
        self.attachments: dict[str, dict[str, str]] = {}

    def inline(self, node: nodes.Node) -> str:
        """What stands within a line."""
        match node:
            case nodes.Text():
                return re.sub(r"([\\`*_$<\[\]])", r"\\\1", str(node)).replace("\n", " ")
            case nodes.literal():
                ticks = "``" if "`" in node.astext() else "`"
                return f"{ticks}{node.astext()}{ticks}"
            case nodes.math():
                return f"${node.astext().strip()}$"
            case nodes.image():
                return self.image(node)
            case nodes.reference() if node.get("refuri", "").startswith("http"):
                return f"[{self.line(node)}]({node['refuri']})"
            case nodes.emphasis():
                return f"*{self.line(node)}*"
            case nodes.strong():
                return f"**{self.line(node)}**"
        return "" if isinstance(node, SILENT) else self.line(node)

    def line(self, node: nodes.Node) -> str:
        return "".join(map(self.inline, node.children)).strip(" ") if node.children else ""

    def blocks(self, children: Iterable[nodes.Node]) -> str:
        return "\n\n".join(filter(None, map(self.block, children)))

    def block(self, node: nodes.Node) -> str:
        """A paragraph or whatever else stands by itself."""
        match node:
            case nodes.title():
                depth = sum(isinstance(a, nodes.section) for a in ancestors(node))
                return f"{'#' * depth} {self.line(node)}"
            case nodes.literal_block():
                return self.code(node)
            case nodes.math_block():
                return self.equation(node)
            case nodes.image():
                return self.image(node)
            case nodes.table():
                return self.table(node)
            case nodes.bullet_list() | nodes.enumerated_list():
                return self.list(node)
            case nodes.caption() | nodes.rubric() | nodes.term():
                return self.caption(node)
            case dropdown_main():
                title = next(iter(node.findall(dropdown_title)))
                body = self.blocks(c for c in node.children if c is not title)
                if "without-download" in node["classes"]:
                    return ""
                return f"<details>\n<summary>{self.line(title)}</summary>\n\n{body}\n\n</details>"
            case nodes.Admonition() | nodes.block_quote():
                title = [c for c in node.children if isinstance(c, nodes.title)]
                rest = self.blocks(c for c in node.children if c not in title)
                body = "\n\n".join([*(f"**{self.line(t)}**" for t in title), rest])
                return indent(body, "> ", lambda line: True)
            case nodes.TextElement():
                return self.line(node)
        return "" if isinstance(node, SILENT) else self.blocks(node.children)

    def code(self, node: nodes.literal_block) -> str:
        text = node.astext().rstrip()
        if instead := self.pointer(text):
            return instead
        language = node.get("language", "")
        return f"```{LANGUAGES.get(language, language)}\n{text}\n```"

    def equation(self, node: nodes.math_block) -> str:
        number = next((self.numbers[i] for i in node["ids"] if i in self.numbers), None)
        tag = f" \\tag{{{number}}}" if number else ""
        return f"$$\n\\begin{{split}}\n{node.astext().strip()}\n\\end{{split}}{tag}\n$$"

    def caption(self, node: nodes.TextElement) -> str:
        kind = "Table" if isinstance(node.parent, nodes.table) else "Fig."
        number = next((self.numbers[i] for i in node.parent["ids"] if i in self.numbers), None)
        if isinstance(node, nodes.caption) and number:
            return f"**{kind} {number}** {self.line(node)}"
        return f"**{self.line(node)}**"

    def list(self, node: nodes.Element) -> str:
        numbered = isinstance(node, nodes.enumerated_list)
        items = []
        for place, item in enumerate(node.children, 1):
            mark = f"{place}. " if numbered else "- "
            body = indent(self.blocks(item.children), " " * len(mark))
            items.append(mark + body.lstrip())
        return "\n".join(items)

    def table(self, node: nodes.table) -> str:
        rows = [
            "| " + " | ".join(self.cell(entry) for entry in row.children) + " |"
            for row in node.findall(nodes.row)
        ]
        columns = len(next(iter(node.findall(nodes.row))).children)
        if not any(node.findall(nodes.thead)):
            rows.insert(0, "|" + "   |" * columns)
        rows.insert(1, "|" + "---|" * columns)
        title = [self.block(t) for t in node.findall(nodes.title)]
        return "\n\n".join([*title, "\n".join(rows)])

    def cell(self, entry: nodes.Node) -> str:
        return self.blocks(entry.children).replace("\n", " ").replace("|", r"\vert ")

    def image(self, node: nodes.image) -> str:
        path = self.source / node["uri"]
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self.attachments[path.name] = {kind: base64.b64encode(path.read_bytes()).decode()}
        return f"![{node.get('alt', '')}](attachment:{path.name})"


def ancestors(node: nodes.Node) -> Iterable[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node
