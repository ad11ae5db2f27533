"""The reference pages: what Sphinx, which resolves their links, does not look at."""

from __future__ import annotations

import re
from pathlib import Path

LECTURES = Path(__file__).parents[1] / "lectures"
A_CHAPTER = re.compile(r"\]\(#(ch|sec)-|\bmodule \d\d\b")


def glossary() -> list[tuple[list[str], str]]:
    """Of each entry of the glossary its terms, the first is its place, and its definition."""
    page = (LECTURES / "glossary.md").read_text(encoding="utf-8")
    body = page.split("```{glossary}\n")[1].split("\n```")[0]
    blocks = [block.split("\n") for block in body.split("\n\n")]
    return [
        (
            [line for line in lines if line[0] != " "],
            " ".join(line.strip() for line in lines if line[0] == " "),
        )
        for lines in blocks
    ]


def test_the_glossary_is_in_alphabetical_order() -> None:
    terms = [terms[0].casefold() for terms, _ in glossary()]
    assert terms == sorted(terms)


def test_each_entry_of_the_glossary_is_short_and_says_where_its_term_is_at_home() -> None:
    for terms, definition in glossary():
        assert A_CHAPTER.search(definition), f"{terms[0]}: no chapter"
        words = len(definition.split())
        assert 10 < words < 110, f"{terms[0]}: {words} words"


def test_each_symbol_of_the_notation_leads_to_a_chapter() -> None:
    page = (LECTURES / "notation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \$.*", page, re.MULTILINE)
    assert rows
    for row in rows:
        assert A_CHAPTER.search(row.split("|")[-2]), row
