"""The answers on disk: labels.tsv, and left_out.tsv with the pictures that get no label.

Both are rows of a path, a tab and a text, and are written whole at each answer. Rows that were
there keep their place and, until they are answered again, their form. No layout of data sets takes
left_out.tsv for labels.
"""

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.annotations import LABEL_FILES, LABELS
from ocr_simple.datasets.entries import Entry, fault_list
from ocr_simple.datasets.folders import read_pairs, text_beside
from ocr_simple.datasets.row_images import read_annotations
from ocr_simple.errors import DatasetError
from ocr_simple.runs.checkpoint import write_whole
from ocr_simple.text import counted, normalise_text

LEFT_OUT = "left_out.tsv"
REASONS = ("unreadable", "not a line")  # why a picture is left out
PLAIN_START = re.compile(r"[\w.-]")  # a row that begins otherwise could be JSON, XML or ~, a home


class Answer(NamedTuple):
    """What is known about a picture: its label, or why it has none."""

    label: str | None  # empty: there is nothing to read
    reason: str = ""  # one of REASONS, without a label


@dataclass
class Row:
    """A row of one of the files."""

    image: str  # as the session names it; empty if the row is none of its images'
    name: str  # as the file names it
    text: str | None  # None: the row was removed, and gets its place back if the answer returns
    raw: str | None = None  # the row as it was found, until its text changes

    def __str__(self) -> str:
        return self.raw if self.raw is not None else f"{self.name}\t{self.text}"


class Rows:
    """The rows of a file, in order, found by the image."""

    def __init__(self, path: Path, rows: Sequence[Row]):
        self.path, self.rows = path, list(rows)
        self._of: dict[str, list[Row]] = {}  # of each image; usually one
        self._existed, self._state = path.exists(), _state_of(path)
        for row in self.rows:
            if row.image:
                self._of.setdefault(row.image, []).append(row)

    def get(self, image: str) -> str | None:
        """The text of an image, or None; of several the last."""
        rows = self._of.get(image)
        return rows[-1].text if rows else None

    def set(self, image: str, text: str | None) -> bool:
        """Set or remove the text of an image. Returns whether that changes the file."""
        if self.get(image) == text:
            return False
        rows = self._of.setdefault(image, [])
        if not rows:
            start = "" if PLAIN_START.match(image) else "./"
            rows.append(Row(image, start + image, None))
            self.rows += rows
        for row in rows[:-1]:
            row.text, row.raw = None, None
        rows[-1].text, rows[-1].raw = text, None
        return True

    def check_unchanged(self) -> None:
        """Raise ValueError if another program has written the file."""
        if _state_of(self.path) != self._state:
            raise ValueError(
                f"{self.path}: was changed by another program, and nothing is written over it; "
                "stop aocr label and start it again"
            )

    def write(self, before: Path | None = None) -> None:
        """Write the file, whole or not at all. before: where to keep the one of before.

        A file that was not there and would be empty is removed. Raises OSError.
        """
        shown = [f"{row}\n" for row in self.rows if row.text is not None or not row.image]
        if not shown and not self._existed:
            self.path.unlink(missing_ok=True)
        else:
            keep = before if before and self.path.exists() else None
            write_whole(self.path, "".join(shown).encode(), keep)
        self._state = _state_of(self.path)


class LabelsFile:
    """The answers of a folder. For one thread at a time, and one process: see `FolderLock`."""

    def __init__(self, folder: Path, images: Sequence[Path]):
        """images: those in the folder. Raises DatasetError if the labels there cannot be used."""
        self.folder = folder
        self.notes: list[str] = []  # for people
        self._names = {
            os.path.abspath(image): image.relative_to(folder).as_posix() for image in images
        }
        self.labels = Rows(folder / LABELS, self._found_labels(images))
        self.left_out = Rows(folder / LEFT_OUT, self._found_left_out())
        self._kept = False  # whether the labels.tsv of before this session is kept

    def get(self, image: str) -> Answer | None:
        """What is known about an image, by its path relative to the folder."""
        if (label := self.labels.get(image)) is not None:
            return Answer(label)
        reason = self.left_out.get(image)
        return None if reason is None else Answer(None, reason)

    def put(self, image: str, answer: Answer | None) -> None:
        """Write an answer, or remove it. Afterwards it is on disk.

        Raises ValueError if another program changed a file, and OSError; then nothing has changed.
        """
        before = self.get(image)
        self.labels.check_unchanged()
        self.left_out.check_unchanged()
        try:
            self._write(image, answer)
        except OSError:
            self._set(image, before)
            raise

    def _set(self, image: str, answer: Answer | None) -> tuple[bool, bool]:
        """Change the rows. Returns whether (labels.tsv, left_out.tsv) changes."""
        label = answer.label if answer else None
        reason = answer.reason if answer and answer.label is None else None
        return self.labels.set(image, label), self.left_out.set(image, reason)

    def _write(self, image: str, answer: Answer | None) -> None:
        labels, left_out = self._set(image, answer)
        # An image in both files has its label. So writing labels.tsv is what decides: if the
        # process ends between the two, either all is as before, or the label is right.
        has_label = answer is not None and answer.label is not None
        if left_out and not has_label:
            self.left_out.write()
        if labels:
            before = None if self._kept else self.labels.path.with_suffix(".tsv.bak")
            self.labels.write(before)
            self._kept = True
        if left_out and has_label:
            with contextlib.suppress(OSError):  # the row left there does not count
                self.left_out.write()

    # --- what is there already --------------------------------------------------------------

    def _image_of(self, entry: Entry) -> str:
        path = os.path.abspath(entry.file)
        return self._names.get(path) or self._names.get(os.path.realpath(path), "")

    def _found_labels(self, images: Sequence[Path]) -> list[Row]:
        """The rows of labels.tsv, or of what the folder has instead. Raises DatasetError."""
        files = [self.folder / name for name in LABEL_FILES if (self.folder / name).is_file()]
        if not files:
            paired = [image for image in images if text_beside(image)]
            found = [row for row in read_pairs(self.folder, paired) if isinstance(row, Entry)]
            return self._taken_over(found, "the texts beside the images")
        if not read_text(files[0]).strip():
            return []
        _, rows, _ = read_annotations(files[0])
        entries = [row for row in rows if isinstance(row, Entry)]
        if files[0].name == LABELS and (plain := self._plain(files[0], entries)):
            return plain
        if faults := len(rows) - len(entries):
            raise DatasetError(
                f"{files[0]}: {counted(faults, 'row')} cannot be used; correct or remove them:"
                + fault_list(rows)
            )
        return self._taken_over(entries, files[0].name)

    def _plain(self, path: Path, entries: list[Entry]) -> list[Row]:
        """The rows of a file in which each row is a path, a tab and a label; else none.

        Other rows, such as those of images that are not there, stay as they are.
        """
        lines = re.split(r"\r?\n", read_text(path))
        rows = {
            number: Row("", "", None, line) for number, line in enumerate(lines, 1) if line.strip()
        }
        for entry in entries:
            number = int(entry.place.rpartition(":")[2])
            line = lines[number - 1]
            name, _, text = line.partition("\t")
            if name.strip() != entry.name or normalise_text(text) != entry.label:
                return []
            rows[number] = Row(self._image_of(entry), name.strip(), entry.label, line)
        return list(rows.values())

    def _taken_over(self, entries: list[Entry], source: str) -> list[Row]:
        if entries:
            self.notes.append(
                f"{self.folder}: {counted(len(entries), 'label')} from {source}; "
                f"they are written to {LABELS} with the first answer"
            )
        return [Row(self._image_of(entry), entry.name, entry.label) for entry in entries]

    def _found_left_out(self) -> list[Row]:
        path = self.folder / LEFT_OUT
        if not path.is_file():
            return []
        rows = []
        for line in re.split(r"\r?\n", read_text(path)):
            name, _, reason = line.partition("\t")
            known = self._names.get(os.path.abspath(self.folder / name), "")
            if line.strip():
                rows.append(Row(known, name, reason.strip() or REASONS[0], line))
        return rows


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """What changes when another program writes the file; None if it is not there."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def why_not_labelled(image: str) -> str:
    """Why a row of labels.tsv cannot name an image; empty if it can."""
    if re.search(r"[\t\r\n\x00]|[\ud800-\udfff]", image) or image != image.strip():
        return "its name has a tab, a line break, a space at an end, or is not Unicode; rename it"
    return ""
