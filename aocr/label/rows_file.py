"""A file of rows of a path, a tab and a text, which is written whole at each change.

Rows that were there keep their place and, until their text changes, their form.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_simple.written_files import write_whole

PLAIN_START = re.compile(r"[\w.-]")  # other rows could look like JSON, XML or a home folder (~)


@dataclass
class FileRow:
    """A row of one of the files."""

    image: str  # as the session names it; empty if the row is none of its images'
    name: str  # as the file names it
    text: str | None  # None: it has none that can be used, or was removed and keeps its place
    raw: str | None = None  # the row as it was found

    def __post_init__(self) -> None:
        self._found = self.text

    @property
    def is_found(self) -> bool:
        """Whether it is as it was found."""
        return self.raw is not None and self.text == self._found

    @property
    def is_unusable(self) -> bool:
        """Whether it was found without a text that can be used, and is so still."""
        return self.is_found and self.text is None

    def __str__(self) -> str:
        return f"{self.raw}" if self.is_found else f"{self.name}\t{self.text}"


def row_name(image: str) -> str:
    """An image's path, relative to the folder, as a row names it."""
    return image if PLAIN_START.match(image) else f"./{image}"


class RowsFile:
    """The rows of a file, in order, found by the image."""

    def __init__(self, path: Path, rows: Sequence[FileRow]):
        self.path, self.rows = path, list(rows)
        self._of: dict[str, list[FileRow]] = {}  # of each image; usually one
        self._existed, self._state = path.exists(), _state_of(path)
        self._kept = False  # whether the file of before this session is kept
        for row in self.rows:
            if row.image:
                self._of.setdefault(row.image, []).append(row)

    def get(self, image: str) -> str | None:
        """The text of an image, or None; of several the last."""
        texts = [row.text for row in self._of.get(image, ()) if row.text is not None]
        return texts[-1] if texts else None

    def set(self, image: str, text: str | None) -> bool:
        """Set or remove the text of an image. Returns whether that changes the file."""
        rows = self._of.setdefault(image, [])
        replaces = text is not None and any(row.is_unusable for row in rows)
        if self.get(image) == text and not replaces:
            return False
        if not rows:
            rows.append(FileRow(image, row_name(image), None))
            self.rows += rows
        for row in rows[:-1]:
            row.text, row.raw = None, None
        rows[-1].text = text
        return True

    def check_unchanged(self) -> None:
        """Raise ValueError if another program has written the file."""
        if _state_of(self.path) != self._state:
            raise ValueError(
                f"{self.path}: was changed by another program, and nothing is written over it; "
                "stop aocr label and start it again"
            )

    def write(self, keep: bool = False) -> None:
        """Write the file, whole or not at all. keep: the one of before this session, as .tsv.bak.

        A file that was not there and would be empty is removed. Raises OSError.
        """
        shown = [f"{row}\n" for row in self.rows if row.text is not None or row.is_found]
        if not shown and not self._existed:
            self.path.unlink(missing_ok=True)
        else:
            before = self.path.with_suffix(".tsv.bak")
            is_kept = keep and not self._kept and self.path.exists()
            write_whole(self.path, "".join(shown).encode(), before if is_kept else None)
        self._kept = self._kept or keep
        self._state = _state_of(self.path)


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """What changes when another program writes the file; None if it is not there."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
