"""What is derived from the course's secret: the cases of each student, and a seal on results.

The secret stays in the process that grades. Those that judge are told a seed each.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

KEPT = "secret.txt"  # in the output folder, when the course has chosen none


def derive(secret: bytes, *parts: str) -> bytes:
    """32 bytes that depend on every part, and on where one ends (RFC 2104's HMAC-SHA256)."""
    message = b"".join(len(p.encode()).to_bytes(4, "little") + p.encode() for p in parts)
    return hmac.digest(secret, message, "sha256")


def seed(secret: bytes, student: str, number: str) -> int:
    """Of the cases on which this student's answer to this exercise is judged."""
    return int.from_bytes(derive(secret, "cases", student, number)[:8], "little")


def kept(out: Path) -> bytes:
    """The output folder's own secret, drawn the first time, so that a regrade is the same."""
    file = out / KEPT
    if not file.exists():
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32) + "\n")
    return file.read_bytes().strip()
