"""What to do about a row of an annotation file whose image is not there.

Most such rows have one cause, such as other capital letters, or the paths of another computer.
"""

import itertools
import os
import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from ocr_simple import images as imaging
from ocr_simple.datasets.entries import quoted
from ocr_simple.datasets.folders import images_in

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
LABEL_STUDIO = re.compile(r"[0-9a-f]{4,8}-(?=.)")  # it writes this before the name of an upload
WRAPPED = "\"'[]()<>`"  # put around a path
SEPARATORS = re.compile(r"\s*(?:->|=>|[|=:;,])\s*|\t")  # also those that are not read
MOST_FOLDERS = 20_000  # that are looked into: the folder may be a home folder
MOST_SEPARATORS = 20  # of a row that are tried


def _folded(name: str) -> str:
    """A file name in one Unicode form, without capital letters."""
    return unicodedata.normalize("NFC", name).casefold()


class NearbyImages:
    """The images in a folder and the folders in it, by what a wrong path has in common with one."""

    def __init__(self, folder: Path):
        self.folder = folder

    @cached_property
    def _images(self) -> dict[str, list[Path]]:
        """The images by their folded name, with and without the extension."""
        found: dict[str, list[Path]] = {}
        for image in images_in(self.folder, MOST_FOLDERS):
            for name in (image.name, image.stem):
                found.setdefault(_folded(name), []).append(image)
        return found

    def why_missing(self, name: str, label: str) -> str:
        """What to do about a path that names no image; empty if that is not known.

        label: what the row has beside the path.
        """
        if self._is_image(label):
            return "path and label are swapped: write the path first"
        for candidate in _candidates(name):
            if image := self._like(candidate):
                return f"did you mean {quoted(image)}?"
        if ADDRESS.match(name) and not name.lower().startswith("file:"):
            return "web addresses are not read: download the images"
        return ""

    def why_not_split(self, row: str) -> str:
        """What to do about a row whose path was not found in it; empty if that is not known."""
        for separator in itertools.islice(SEPARATORS.finditer(row), MOST_SEPARATORS):
            before, after = row[: separator.start()], row[separator.end() :]
            if self._is_image(before):
                shown = quoted(separator[0].strip())
                return f"put a tab instead of {shown} between the path and the label"
            if self._is_image(re.split(r"[\t,;|]", after)[0].strip()):
                return "the path is not the first column: add a header that names all columns"
        return ""

    def _is_image(self, name: str) -> bool:
        """Whether a text is the path of an image in the folder, as it stands or nearly."""
        has_extension = os.path.splitext(name)[1].lower() in imaging.EXTENSIONS
        return has_extension and self._like(name) is not None

    def _like(self, name: str) -> str | None:
        """The path of the image that a path most likely means, relative to the folder."""
        base = name.replace("\\", "/").rpartition("/")[2]
        images = self._images.get(_folded(base), []) if base else []
        paths = [image.relative_to(self.folder).as_posix() for image in images]
        if len(paths) > 1:  # the folders decide
            ending = _folded(name.replace("\\", "/"))
            paths = [path for path in paths if ending.endswith(_folded(path))] or paths
            paths = [path for path in paths if _folded(path).endswith(ending)] or paths
        return paths[0] if len(paths) == 1 else None


def _candidates(name: str) -> Iterator[str]:
    """What a path may mean: as it stands, unwrapped, decoded, and without what tools add."""
    yield name
    plain = name.strip(WRAPPED + " ")
    yield plain
    if "?" in plain or "%" in plain or "://" in plain:
        plain = unquote(plain.rpartition("?d=")[2])
        yield plain
        yield plain.partition("?")[0]
    base = plain.replace("\\", "/").rpartition("/")[2]
    if found := LABEL_STUDIO.match(base):
        yield base[found.end() :]
