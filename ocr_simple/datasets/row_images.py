"""From the rows of an annotation file to labelled images: which file does each row mean?"""

import filecmp
import functools
import os
import unicodedata
from collections import Counter
from pathlib import Path

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.datasets.entries import (
    FIRST_ROWS,
    Entry,
    Fault,
    check_first_rows,
    quoted,
    to_label,
)
from ocr_simple.datasets.missing_images import NearbyImages
from ocr_simple.datasets.row_labels import check_labels
from ocr_simple.datasets.rows import Row, Split, parse
from ocr_simple.errors import DatasetError
from ocr_simple.messages import escape_controls

READINGS = "its third column is a confidence, as inference.py --format tsv prints it: not used"
IMAGES = "images"  # a folder beside an annotation file, as docTR has it
MOST_EXPLAINED = 100  # rows without an image whose likely cause is looked for, which takes long
LONGEST_PATH = 1 << 10  # characters of a row in which a path is looked for


def spellings(name: str) -> list[str]:
    """A path as it stands in a file, with slashes for back-slashes, and in both Unicode forms."""
    slashed = name.replace("\\", "/")
    forms = (unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))
    return list(dict.fromkeys((name, slashed, *forms)))


def _expanded(name: str) -> str:
    """A path with ~ for the home folder as a whole path; one with a NUL byte, which no file has."""
    return name if "\0" in name else os.path.expanduser(name)


class ImageFinder:
    """Finds images beside an annotation file, in images/ beside it, or in the working directory."""

    def __init__(self, annotations: Path):
        self.folder = annotations.parent
        self._folders = (str(self.folder), str(self.folder / IMAGES))
        self.nearby = NearbyImages(self.folder)
        self.differing: list[str] = []  # images that both have, and that are not the same
        self.elsewhere: list[str] = []  # images of the working directory that are used
        self.explained = 0  # rows without an image whose likely cause was looked for

    def find(self, name: str) -> Path | None:
        """The image file that a row names; its path may begin with ~, or have back-slashes.

        `notes` has messages about images in the working directory.
        """
        beside, here = self._locate(name)
        if beside is None and here is not None:
            self.elsewhere.append(name)
        elif beside is not None and here is not None and not self._same(beside, here):
            self.differing.append(name)
        return beside or here

    def why_not_regular(self, name: str) -> str:
        """What there is of this path in place of a file, or a folder; empty if there is nothing."""
        path = _expanded(name)
        for place in (*(os.path.join(folder, path) for folder in self._folders), path):
            if os.path.isdir(place):
                if Path(name).suffix.lower() in imaging.EXTENSIONS:
                    return f"{quoted(name)} is a folder"
                continue
            if os.path.exists(place):
                return f"{quoted(name)} is a pipe or device, not a regular file"
            if os.path.islink(place) and not os.path.exists(place):
                return f"{quoted(name)} is a link to a file that is not there, or to itself"
        return ""

    def exists(self, name: str) -> bool:
        """Whether there is an image of this path."""
        return self._locate(name) != (None, None)

    def _locate(self, name: str) -> tuple[Path | None, Path | None]:
        """(the image beside the annotation file, the one in the working directory)."""
        # not with Path, which takes several times as long: there may be a million rows
        for spelling in spellings(name):
            path = _expanded(spelling)
            places = (os.path.join(folder, path) for folder in self._folders)  # `path`, if absolute
            beside = next(filter(os.path.isfile, places), None)
            here = os.path.isfile(path)
            if beside or here:
                return Path(beside) if beside else None, Path(path) if here else None
        return None, None

    @staticmethod
    def _same(one: Path, other: Path) -> bool:
        return one.samefile(other) or filecmp.cmp(one, other, shallow=False)

    @functools.cached_property
    def searched(self) -> str:
        """The folders in which images were looked for."""
        beside = [self.folder, *filter(Path.is_dir, [self.folder / IMAGES])]
        folders = dict.fromkeys((*map(os.path.abspath, beside), os.getcwd()))
        return " or ".join(storage.display_name(folder) for folder in folders)

    def notes(self) -> list[str]:
        """Messages about images in the working directory."""
        notes = []
        if self.elsewhere:
            notes.append(
                "images that are not beside the annotation file, but in the working directory "
                f"{os.getcwd()}: "
                f"{len(self.elsewhere):,} (first: {escape_controls(self.elsewhere[0])})"
            )
        if self.differing:
            notes.append(
                "images that are beside the annotation file and, with different content, in the "
                f"working directory: {len(self.differing):,} (first: "
                f"{escape_controls(self.differing[0])}); those beside the file are used"
            )
        return notes


def read_annotations(
    path: Path, clean: bool = False
) -> tuple[str, list[Entry | Fault], tuple[str, ...]]:
    """(layout, rows, notes) of an annotation file.

    clean: whether to remove invisible characters from labels. Raises DatasetError.
    """
    found, finder = parse(path), ImageFinder(path)
    if not found.rows:
        raise DatasetError(f"{path}: is empty; add rows of a path and a label")
    rows: list[tuple[str, Split, Path] | Fault] = []
    with_image = 0  # rows after the first whose image is there
    for row in found.rows:
        place = f"{path}:{row.number}"
        for split in row.splits:
            if file := finder.find(split.name):
                with_image += bool(rows)
                rows.append(Fault(place, split.fault) if split.fault else (place, split, file))
                break
        else:
            rows.append(Fault(place, _why_no_image(row, finder)))
        if len(rows) == FIRST_ROWS:
            check_first_rows(path, rows)
    used = [row for row in rows if not isinstance(row, Fault)]
    if isinstance(rows[0], Fault) and not found.layout and with_image:
        rows[0] = _like_a_header(rows[0], found.rows[0])
    layout = found.layout
    if not layout:
        kinds = Counter(split.kind for _, split, _ in used)
        usual = kinds.most_common(1)[0][0] if kinds else "tabs, commas or spaces"
        layout = f"rows separated by {usual}" if usual != "readings" else "readings"
    labels = check_labels(
        str(path),
        [split.name for _, split, _ in used],
        [split.label for _, split, _ in used],
        columns=bool(found.layout) or layout == "readings",
        tabs=all(split.kind == "tabs" for _, split, _ in used),
    )
    texts = iter(labels.texts)
    entries = [row if isinstance(row, Fault) else _entry(*row, next(texts), clean) for row in rows]
    readings = [READINGS] if any(split.kind == "readings" for _, split, _ in used) else []
    return layout, entries, (*found.notes, *readings, *labels.notes, *finder.notes())


def _entry(place: str, split: Split, file: Path, text: str, clean: bool) -> Entry | Fault:
    try:
        return Entry(place, split.name, to_label(text, clean), str(file))
    except ValueError as error:
        return Fault(place, str(error))


def _like_a_header(fault: Fault, row: Row) -> Fault:
    """The fault of a first row; if its image is missing as the row is a header, it says so."""
    name = row.splits[0].name
    if len(row.splits) < 2 or Path(name).suffix or "/" in name or name.startswith("#"):
        return fault
    return fault._replace(
        reason=f"{quoted(name)} looks like the name of a column; name the column of the paths "
        "file_name, and that of the labels text"
    )


def _why_no_image(row: Row, finder: ImageFinder) -> str:
    """The fault of a row that names no image, in whatever way it is read."""
    names = [split.name for split in row.splits]
    if what := next(filter(None, map(finder.why_not_regular, names)), ""):
        return f"{what}; name an image file"
    finder.explained += 1
    if finder.explained > MOST_EXPLAINED:
        return f"no such image {quoted(names[0])} in {finder.searched}"
    whole = names[-1][:LONGEST_PATH]
    if whole.startswith("#"):
        return f"no such image {quoted(names[0])}; if it is a comment, remove this row"
    quoted_path, closed, _ = whole[1:].partition('" ')
    if whole.startswith('"') and closed and finder.exists(quoted_path):
        return (
            f"the path {quoted(quoted_path)} is in quotes, and a space follows; put a comma or a "
            "tab between it and the label"
        )
    spaces = [place for place, character in enumerate(whole) if character == " "]
    for place in spaces[1:]:  # the path up to the first one has been looked for
        if finder.exists(whole[:place]):
            return (
                f"the path {quoted(whole[:place])} has a space; put a tab between it and the label"
            )
    like_images = (s for s in row.splits[:-1] if Path(s.name).suffix.lower() in imaging.EXTENSIONS)
    likely = next(like_images, row.splits[0])
    fixes = (  # of a row with a fault it is not clear which part is the label
        finder.nearby.why_missing(split.name, "" if split.fault else split.label)
        for split in (likely, *row.splits)
    )
    fix = next(filter(None, fixes), "") or finder.nearby.why_not_split(whole)
    return f"no such image {quoted(likely.name)} in {finder.searched}" + (f"; {fix}" if fix else "")
