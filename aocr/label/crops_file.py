"""The boxes on disk: crops.tsv, written whole at each change, as labels.tsv is."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from aocr.label.rows_file import FileRow, RowsFile
from ocr_simple.boxes import Corners
from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.crops import CROPS, format_corners, parse_corners
from ocr_simple.local_files import numbered_rows


class CropsFile:
    """The boxes of a folder's pictures. For one thread at a time, and one process."""

    def __init__(self, folder: Path, images: Sequence[Path]):
        """images: those in the folder. Raises DatasetError if crops.tsv is not text."""
        self.notes: list[str] = []  # for messages: rows that cannot be used; they stay as they are
        path, rows = folder / CROPS, []
        names = {os.path.abspath(image): image for image in images} if path.is_file() else {}
        self._boxes: dict[str, Corners] = {}
        for number, line in numbered_rows(read_text(path)) if path.is_file() else ():
            name, _, text = line.rstrip("\r").partition("\t")
            file, image = names.get(os.path.abspath(os.path.join(folder, name.strip()))), ""
            try:
                box = parse_corners(text)
                if file:
                    image = file.relative_to(folder).as_posix()
                    self._boxes[image] = box
            except ValueError as error:
                self.notes.append(f"{path}:{number}: {error}")
            rows.append(FileRow(image, name.strip(), text, line.rstrip("\r")))
        self.rows = RowsFile(path, rows)

    def get(self, image: str) -> Corners:
        """The box of an image, by its path relative to the folder; empty if it has none."""
        return self._boxes.get(image, ())

    def put(self, boxes: Mapping[str, Corners]) -> None:
        """Write the boxes of some images; an empty one is removed. Afterwards they are on disk.

        Raises ValueError if another program changed the file, and OSError; then nothing has
        changed.
        """
        self.rows.check_unchanged()
        before = {image: self.get(image) for image in boxes}
        self._set(boxes)
        try:
            self.rows.write(keep=True)
        except OSError:
            self._set(before)
            raise

    def _set(self, boxes: Mapping[str, Corners]) -> None:
        for image, box in boxes.items():
            self.rows.set(image, format_corners(box) if box else None)
            self._boxes[image] = box
