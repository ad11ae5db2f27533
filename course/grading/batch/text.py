"""Text from strangers: shown as text wherever it ends up."""

from __future__ import annotations

import unicodedata

REPLACEMENT = "\ufffd"
# These would rearrange what stands beside them.
_DIRECTIONS = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\ufeff"}


def printable(text: str) -> str:
    """The text without control characters and halves of characters; lines and tabs stay."""
    return "".join(c if c in "\n\t" or _shows(c) else REPLACEMENT for c in text)


def _shows(c: str) -> bool:
    hidden = unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")
    return not hidden and c not in _DIRECTIONS and c not in "\ufffe\uffff"


def one_line(text: str) -> str:
    return " ".join(printable(text).split())


def cell(text: str) -> str:
    """For a spreadsheet, which would run a cell that begins like a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
