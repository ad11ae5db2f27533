"""Results on disk as soon as they are known, so that a batch that was killed goes on.

Each line carries a seal of the course's secret: what a submission might write there is no result.
The same lines are in memory, and are written again wherever the file is not what was left.
"""

from __future__ import annotations

import hmac
import json
import os
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from course.grading.batch.jobs import Row
from course.grading.batch.secret import derive

Key = tuple[str, str]  # student and number of the exercise


class Journal:
    """The file, safe to use from several threads.

    A key's `content` is a digest of all that its row depends on; a row for other content is
    forgotten. `lost` counts how often a key was begun and never finished, because the whole
    grader ended.
    """

    def __init__(self, file: Path, secret: bytes) -> None:
        self._file = file
        self._key = derive(secret, "journal")
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._written: tuple[int, int, int] | None = None  # device, inode, size
        self.lost: Counter[Key] = Counter()
        self._rows: dict[Key, tuple[str, Row]] = {}
        self._load()

    def row(self, key: Key, content: str) -> Row | None:
        """What is known of a key, if it is about this content."""
        known, row = self._rows.get(key, ("", None))
        return row if known == content else None

    def forget(self, student: str) -> None:
        """Judge this student again."""
        self._append({"forget": student})

    def begin(self, key: Key) -> None:
        self._append({"begin": key})

    def finish(self, row: Row, content: str) -> None:
        self._append({"row": asdict(row), "content": content})

    def end(self, key: Key) -> None:
        """Without a row, and without blame."""
        self._append({"end": key})

    def stop(self) -> None:
        """The grader ends on purpose: what was begun is not to blame."""
        self._append({"stop": True})

    def tidy(self) -> None:
        """Write the file anew, from memory: one line a row."""
        with self._lock:
            kept: list[dict[str, Any]] = [
                {"row": asdict(row), "content": known} for known, row in self._rows.values()
            ]
            kept += [{"begin": key} for key in self.lost.elements()]
            self._lines = [self._sealed(entry) for entry in kept]
            self._rewrite()

    def _load(self) -> None:
        if self._file.is_symlink() or not self._file.is_file():
            return
        for line in self._file.read_bytes().splitlines(keepends=True):
            entry = self._opened(line)
            if entry is not None:
                self._lines.append(line)
                with suppress(KeyError, TypeError):  # of an older version of the course
                    self._remember(entry)

    def _remember(self, entry: Mapping[str, Any]) -> None:
        if "row" in entry:
            row = Row(**entry["row"])
            self._rows[row.key] = entry["content"], row
            self.lost.pop(row.key, None)
        elif "begin" in entry:
            student, number = entry["begin"]
            self.lost[student, number] += 1
        elif "end" in entry:
            student, number = entry["end"]
            self.lost.pop((student, number), None)
        elif "forget" in entry:
            for key in [k for k in (*self._rows, *self.lost) if k[0] == entry["forget"]]:
                self._rows.pop(key, None)
                self.lost.pop(key, None)
        else:
            self.lost.clear()

    def _append(self, entry: Mapping[str, Any]) -> None:
        with self._lock:
            line = self._sealed(entry)
            untouched = self._written is not None and self._state() == self._written
            self._lines.append(line)
            self._remember(entry)
            if untouched:
                with open(self._file, "ab") as stream:
                    stream.write(line)
                    stream.flush()
                    os.fsync(stream.fileno())
                self._written = self._state()
            else:
                self._rewrite()

    def _rewrite(self) -> None:
        """All lines, under the file's name only when complete."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_suffix(".part")
        part.unlink(missing_ok=True)
        with open(part, "xb") as stream:
            stream.write(b"".join(self._lines))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, self._file)
        self._written = self._state()

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = os.lstat(self._file)
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_size

    def _sealed(self, entry: Mapping[str, Any]) -> bytes:
        body = json.dumps(entry).encode()
        return hmac.new(self._key, body, "sha256").hexdigest().encode() + b" " + body + b"\n"

    def _opened(self, line: bytes) -> dict[str, Any] | None:
        """The entry, unless the line is torn or not ours."""
        seal, _, body = line.partition(b" ")
        ours = hmac.new(self._key, body.removesuffix(b"\n"), "sha256").hexdigest().encode()
        if not line.endswith(b"\n") or not hmac.compare_digest(seal, ours):
            return None
        return json.loads(body)
