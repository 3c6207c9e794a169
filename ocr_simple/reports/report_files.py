"""Which files of a folder a report may replace: those of an earlier report, as it wrote them.

report.json lists the others with their checksums, which show whether anybody has changed them.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from ocr_simple import storage
from ocr_simple.local_files import read_object
from ocr_simple.written_files import digest

REPORT, PAGE = "report.json", "report.html"
FILES = (
    "report.md", PAGE, REPORT, "lines.tsv",
    "reliability.png", "coverage.png", "confusions.png", "worst.png", "suspects.png",
)  # fmt: skip
EARLIER = [name for name in FILES if name != PAGE]  # of versions that wrote no checksums
FOLDERS = ("correct", "incorrect")  # of pictures of each line
CHECKSUMS = "files"  # in report.json
FIGURES = {"title", "exact", "cer", "worst", "suspects"}  # in report.json, among others
MOST_BYTES = 1 << 28  # of a report.json, which holds all lines that were read wrongly


def checksums(folder: Path) -> dict[str, str]:
    """What report.json lists: the checksum of each other file, and of each folder, of a report."""
    names = (name for name in (*FILES, *FOLDERS) if name != REPORT)
    return {name: digest(folder / name) for name in names if (folder / name).exists()}


def written_by_report(folder: Path) -> dict[str, str | None]:
    """The names of the earlier report in a folder, if any, and their checksums.

    None: unknown. Earlier versions wrote no checksums; report.json has none of itself.
    """
    if (folder / REPORT).is_symlink():
        return {}
    try:
        content = read_object(folder / REPORT, MOST_BYTES)
    except (OSError, ValueError):
        return {}
    if not content.keys() >= FIGURES:
        return {}
    listed = content.get(CHECKSUMS, dict.fromkeys(EARLIER))
    if not isinstance(listed, dict):
        return {}
    # other names may lead out of the folder
    return {REPORT: None} | {n: listed[n] for n in (*FILES, *FOLDERS) if n in listed}


def check_replaceable(folder: Path, names: Iterable[str]) -> None:
    """Raise ValueError for what is there, and is not as an earlier report wrote it.

    names: what a report is about to write into a folder. What the earlier report wrote is checked
    too, as it is removed.
    """
    place = next(p for p in (folder, *folder.parents) if os.path.lexists(p) or p == p.parent)
    if not place.is_dir():
        name = storage.display_name(folder)
        raise ValueError(f"{name}: a file is in the way; name another folder")
    earlier = written_by_report(folder)
    for name in dict.fromkeys((*names, *earlier)):
        path = folder / name
        if os.path.lexists(path) and not (name in earlier and _is_as(path, earlier[name])):
            where, file = map(storage.display_name, (folder, path))
            raise ValueError(
                f"{where}: the report would replace {file}, which is not an unchanged file of an "
                "earlier report; move it away, or name another folder"
            )


def _is_as(path: Path, checksum: str | None) -> bool:
    """Whether nobody has changed what a report wrote."""
    if any(p.is_symlink() or not (p.is_file() or p.is_dir()) for p in (path, *path.rglob("*"))):
        return False
    if checksum is None:
        return path.is_file()
    try:
        return digest(path) == checksum
    except OSError:
        return False
