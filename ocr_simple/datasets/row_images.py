"""From the rows of an annotation file to labelled images: which file does each row mean?"""

import filecmp
import os
from collections import Counter
from pathlib import Path

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.datasets.entries import Entry, Fault, quoted, to_label
from ocr_simple.datasets.rows import Row, parse
from ocr_simple.errors import DatasetError
from ocr_simple.text import escape_controls

READINGS = "its third column is a confidence, as inference.py --format tsv prints it: not used"


def spellings(name: str) -> list[str]:
    """A path as it stands in a file, and with slashes where Windows has back-slashes."""
    return list(dict.fromkeys((name, name.replace("\\", "/"))))


class ImageFinder:
    """Finds images beside an annotation file, or else in the working directory."""

    def __init__(self, annotations: Path):
        self.folder = annotations.parent
        self.differing: list[str] = []  # images that both have, and that are not the same

    def find(self, name: str) -> Path | None:
        """The image file that a row names; its path may begin with ~, or have back-slashes."""
        for spelling in spellings(name):
            try:
                here = Path(spelling).expanduser()
                beside = self.folder / here  # `here` itself, if that is absolute
                if beside.is_file():
                    if here.is_file() and not self._same(beside, here):
                        self.differing.append(name)
                    return beside
                if here.is_file():
                    return here
            except (OSError, ValueError, RuntimeError):  # not a valid path, or no such ~user
                continue
        return None

    @staticmethod
    def _same(one: Path, other: Path) -> bool:
        return one.samefile(other) or filecmp.cmp(one, other, shallow=False)

    def searched(self) -> str:
        """The folders in which images were looked for."""
        folders = dict.fromkeys((os.path.abspath(self.folder), os.getcwd()))
        return " or ".join(storage.display_name(folder) for folder in folders)

    def note(self) -> str:
        """What is said about images that are in both folders; empty if there is none."""
        if not self.differing:
            return ""
        return (
            f"{len(self.differing):,} images are both beside it and in the working directory, and "
            f"differ (first: {escape_controls(self.differing[0])}); those beside it are used"
        )


def read_annotations(
    path: Path, clean: bool = False
) -> tuple[str, list[Entry | Fault], tuple[str, ...]]:
    """(layout, rows, notes) of an annotation file.

    clean: whether to remove invisible characters from labels. Raises DatasetError.
    """
    found, finder = parse(path), ImageFinder(path)
    kinds: Counter[str] = Counter()
    rows: list[Entry | Fault] = []
    for row in found.rows:
        place = f"{path}:{row.number}"
        split = next((split for split in row.splits if (file := finder.find(split.name))), None)
        if split is None:
            rows.append(Fault(place, _why_no_image(row, finder)))
        elif split.fault:
            rows.append(Fault(place, split.fault))
        else:
            kinds[split.kind] += 1
            try:
                rows.append(Entry(place, split.name, to_label(split.label, clean), str(file)))
            except ValueError as error:
                rows.append(Fault(place, str(error)))
    if not rows:
        raise DatasetError(f"{path}: is empty; add rows of a path and a label")
    layout = found.layout
    if not layout:
        usual = kinds.most_common(1)[0][0] if kinds else "tabs, commas or spaces"
        layout = f"rows separated by {usual}" if usual != "readings" else "readings"
    notes = (READINGS if kinds["readings"] else "", finder.note())
    return layout, rows, tuple(filter(None, notes))


def _why_no_image(row: Row, finder: ImageFinder) -> str:
    """The fault of a row that names no image, in whatever way it is read."""
    names = [split.name for split in row.splits]
    whole = names[-1]
    spaces = [place for place, character in enumerate(whole) if character == " "]
    for place in spaces[1:]:  # the path up to the first one has been looked for
        if finder.find(whole[:place]):
            return (
                f"the path {quoted(whole[:place])} has a space; put a tab between it and the label"
            )
    like_images = (n for n in names[:-1] if Path(n).suffix.lower() in imaging.EXTENSIONS)
    name = next(like_images, names[0])
    return f"no such image {quoted(name)} in {finder.searched()}"
