"""The answers on disk: labels.tsv, and left_out.tsv with the pictures that get no label.

Both are rows of a path, a tab and a text, and are written whole at each answer. Existing rows keep
their place, and stay as they are until their pictures are answered again. No layout of data sets
takes left_out.tsv for labels.
"""

import contextlib
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aocr.label.crops_file import CropsFile
from aocr.label.rows_file import FileRow, RowsFile, row_name
from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.annotations import LABEL_FILES, LABELS
from ocr_simple.datasets.entries import Entry, Fault, fault_list
from ocr_simple.datasets.folders import read_pairs, text_beside
from ocr_simple.datasets.row_images import read_annotations
from ocr_simple.errors import DatasetError
from ocr_simple.messages import counted
from ocr_simple.text import normalise_text

LEFT_OUT = "left_out.tsv"
REASONS = ("unreadable", "not a line")  # why a picture is left out


class Answer(NamedTuple):
    """What is known about a picture: its label, or why it has none."""

    label: str | None  # empty: there is nothing to read
    reason: str = ""  # one of REASONS, without a label


class LabelsFile:
    """The answers of a folder. For one thread at a time, and one process: see `FolderLock`."""

    def __init__(self, folder: Path, images: Sequence[Path]):
        """images: those in the folder. Raises DatasetError if the labels there cannot be used."""
        self.folder = folder
        self.notes: list[str] = []  # for messages
        self._names = {
            os.path.abspath(image): image.relative_to(folder).as_posix() for image in images
        }
        self.labels = RowsFile(folder / LABELS, self._found_labels(images))
        self.left_out = RowsFile(folder / LEFT_OUT, self._found_left_out())
        self.crops = CropsFile(folder, images)
        self.notes += self.crops.notes

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
            self.labels.write(True)  # the file of before is kept
        if left_out and has_label:
            with contextlib.suppress(OSError):  # the row left there does not count
                self.left_out.write()

    # --- what is there already --------------------------------------------------------------

    def _image_of(self, entry: Entry) -> str:
        path = os.path.abspath(entry.file)
        return self._names.get(path) or self._names.get(os.path.realpath(path), "")

    def _found_labels(self, images: Sequence[Path]) -> list[FileRow]:
        """The rows of labels.tsv, or of what the folder has instead. Raises DatasetError."""
        files = [self.folder / name for name in LABEL_FILES if (self.folder / name).is_file()]
        if not files:
            paired = [image for image in images if text_beside(image)]
            beside = list(read_pairs(self.folder, paired))
            return self._taken_over(beside, self.folder, "the texts beside the images")
        if not read_text(files[0]).strip():
            return []
        _, rows, _ = read_annotations(files[0])
        if files[0].name == LABELS and (plain := self._plain(files[0], rows)):
            return plain
        return self._taken_over(rows, files[0], files[0].name)

    def _plain(self, path: Path, found: Sequence[Entry | Fault]) -> list[FileRow]:
        """The rows of a file in which each row is a path, a tab and a label; else none.

        Rows that cannot be used, such as those of images that are not there, stay as they are until
        their images are answered. A file with a header gives none, because rows that are added to
        it would be read as CSV.
        """
        lines = enumerate(re.split(r"\r?\n", read_text(path)), 1)
        written = {number: line for number, line in lines if line.strip()}
        numbers = [int(row.place.rpartition(":")[2]) for row in found]
        if set(numbers) != set(written):
            return []
        if faults := sum(isinstance(row, Fault) for row in found):
            listing = f"aocr check {shlex.quote(str(self.folder))}"
            self.notes.append(
                f"{path}: {counted(faults, 'row')} cannot be used; they stay unchanged until you "
                f"answer their pictures. {listing} lists them"
            )
        rows = []
        for number, row in sorted(zip(numbers, found)):
            line = written[number]
            name, _, text = line.partition("\t")
            name = name.strip()
            if isinstance(row, Fault):
                image = self._names.get(os.path.abspath(self.folder / name), "")
                rows.append(FileRow(image, name, None, line))
                continue
            if name != row.name or normalise_text(text) != row.label:
                return []
            rows.append(FileRow(self._image_of(row), name, row.label, line))
        return rows

    def _taken_over(
        self, found: Sequence[Entry | Fault], place: Path, source: str
    ) -> list[FileRow]:
        """Labels in another layout, as rows of labels.tsv. Raises DatasetError for faults."""
        entries = [row for row in found if isinstance(row, Entry)]
        if faults := len(found) - len(entries):
            raise DatasetError(
                f"{place}: {counted(faults, 'row')} cannot be used; correct or remove them:"
                + fault_list(found)
            )
        if entries:
            self.notes.append(
                f"{self.folder}: {counted(len(entries), 'label')} from {source}; your first answer "
                f"writes them to {LABELS}"
            )
        rows = []
        for entry in entries:
            image = self._image_of(entry)
            rows.append(FileRow(image, row_name(image) if image else entry.name, entry.label))
        return rows

    def _found_left_out(self) -> list[FileRow]:
        path = self.folder / LEFT_OUT
        if not path.is_file():
            return []
        rows = []
        for line in re.split(r"\r?\n", read_text(path)):
            name, _, reason = line.partition("\t")
            known = self._names.get(os.path.abspath(self.folder / name), "")
            if line.strip():
                rows.append(FileRow(known, name, reason.strip() or REASONS[0], line))
        return rows


def can_be_named(image: str) -> bool:
    """Whether a row of labels.tsv can name an image."""
    return not re.search(r"[\t\r\n\x00]|[\ud800-\udfff]", image) and image == image.strip()
