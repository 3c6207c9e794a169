"""What a data set consists of: labelled images, and rows that cannot be used."""

import contextlib
import csv
import fnmatch
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.datasets import lmdb_files
from ocr_simple.errors import DatasetError
from ocr_simple.local_files import open_regular, read_bytes
from ocr_simple.messages import escape_controls, first_ten
from ocr_simple.text import LONGEST_LABEL, normalise_text

JOINERS = "\u200c\u200d"  # after a letter, part of the spelling of Persian, Hindi and others
VARIATION = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # selects how a character is drawn
FILLERS = "\u034f\u115f\u1160\u3164\uffa0"  # draw nothing, but count as letters or marks
FIRST_JOINED = "\u0600"  # scripts that need joiners begin here: Arabic, then those of India
SHOWN = 100  # characters of a name or a label in a message
FIRST_ROWS = 10_000  # if none of so many rows at the beginning can be used, the rest is not tried


class Entry(NamedTuple):
    """A labelled image of a data set."""

    place: str  # file and row, such as annotations.txt:12
    name: str  # the image's file name, as the data set has it
    label: str  # NFC, single spaces; empty if there is nothing to read
    file: str  # the file that holds the encoded image
    start: int = 0  # where the image begins in it, in bytes
    size: int = -1  # in bytes; -1: to the end of the file
    key: str = ""  # of the image, if the file is an LMDB database
    corners: tuple[float, ...] = ()  # of the line in the image, as crops.tsv has them; empty: all

    @property
    def image(self) -> tuple[str, int, str]:
        """What is the same for all rows of one image, whatever their boxes and labels."""
        return os.path.normpath(self.file), self.start, self.key

    def image_bytes(self) -> bytes:
        """The encoded image. Raises OSError."""
        if self.key:
            return lmdb_files.value(self.file, self.key)
        if url := storage.url_of(self.file):
            most = imaging.MAX_BYTES if self.size < 0 else None
            return storage.read(url, most, self.start, self.size)
        if self.size < 0:
            fix = "crop it to the line, or scale it down"
            return read_bytes(self.file, imaging.MAX_BYTES, fix)
        with open_regular(self.file) as (file, _):
            file.seek(self.start)
            return file.read(self.size)


class Fault(NamedTuple):
    """A row of a data set that cannot be used."""

    place: str  # file and row
    reason: str


def image_fault(entry: Entry, error: Exception) -> Fault:
    """The fault of an entry whose image cannot be read. Its place is not repeated in the reason."""
    return Fault(entry.place, str(error).removeprefix(f"{escape_controls(entry.place)}: "))


def is_part(file: Path, rows: Iterable[Entry | Fault]) -> bool:
    """Whether a local file is an image, a label file or TFRecords that some of the rows are in."""
    if not file.exists():
        return False
    parts = set()
    for row in rows:  # a place is a file, or file:row
        parts |= {row.place, row.place.rpartition(":")[0]}
        parts |= {row.file} if isinstance(row, Entry) else set()
    return any(os.path.exists(part) and file.samefile(part) for part in parts)


def check_outside(
    file: Path, dataset: str | os.PathLike, rows: Iterable[Entry | Fault] = ()
) -> None:
    """Raise DatasetError for a file to write that is part of a data set, or would become it.

    rows: of the data set. Paths are compared as they are without symbolic links.
    """
    place, read = Path(os.path.realpath(file)), Path(os.path.expanduser(dataset))
    if file.exists() and read.exists() and file.samefile(read):
        raise DatasetError(f"{file}: is the data set itself; name another output")
    if is_part(file, rows):
        raise DatasetError(f"{file}: is part of the data set; name another output")
    if read.is_dir() and place.is_relative_to(os.path.realpath(read)):
        raise DatasetError(f"{file}: is in the data set's folder {read}; name another output")
    if not read.exists() and fnmatch.fnmatch(os.path.abspath(file), os.path.abspath(read)):
        raise DatasetError(f"{file}: matches the data sets {read}; name another output")
    if file.exists() and not file.is_file():
        raise DatasetError(f"{file}: is a folder, pipe or device; name another output")


def quoted(text: str) -> str:
    """A name or label as messages show it: on one line, in quotes, its beginning if it is long."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def fault_list(found: Iterable[Entry | Fault]) -> str:
    """The faults among `found` for a message, each on a new line.

    If there are more than ten, the rest is counted, and a temporary file lists all. It replaces the
    list of the user's last command that had one, so that lists do not pile up.
    """
    faults = [row for row in found if isinstance(row, Fault)]
    rows = [f"{escape_controls(place)}: {escape_controls(reason)}" for place, reason in faults]
    listed = first_ten(rows)
    if len(faults) > 10:
        with contextlib.suppress(OSError):  # the error itself matters more
            listed += f"\n  all of them: {_listed_in_file(faults)}"
    return listed


def _listed_in_file(faults: Iterable[Fault]) -> Path:
    """A temporary file that lists faults, and that only the user can read. Raises OSError."""
    user = os.getuid() if hasattr(os, "getuid") else "rows"  # Windows: a folder for each user
    place = Path(tempfile.gettempdir(), f"unusable-rows-of-user-{user}.tsv")
    handle, name = tempfile.mkstemp(prefix=f".{place.stem}-", dir=place.parent)
    try:
        with open(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            write_faults(file, faults)
        os.replace(name, place)  # a link that somebody put there is replaced, not followed
    except BaseException:
        os.unlink(name)
        raise
    return place


def check_first_rows(path: Path, first: Sequence[object]) -> None:
    """Raise DatasetError if all the first rows of a data set are faults: the rest is not tried."""
    faults = [row for row in first if isinstance(row, Fault)]
    if len(faults) == len(first):
        raise DatasetError(
            f"{path}: none of its first {len(first):,} rows can be used:{fault_list(faults)}"
        )


def write_faults(file: TextIO, faults: Iterable[Fault]) -> None:
    """Write the place and the reason of each fault to an open text file, separated by a tab."""
    rows = (map(escape_controls, fault) for fault in faults)
    csv.writer(file, "excel-tab").writerows(rows)


# --- labels -----------------------------------------------------------------------------------


def _invisible(text: str) -> Iterator[int]:
    """The places of the characters of `text` that draw nothing; also of halves of characters."""
    for place, character in enumerate(text):
        if character in JOINERS and place and _is_joined(text[place - 1]):
            continue
        category = unicodedata.category(character)
        if category in ("Cc", "Cf", "Cs") or character in FILLERS or VARIATION.match(character):
            yield place


def _is_joined(character: str) -> bool:
    """Whether a joiner after a character is part of the spelling: not after an emoji."""
    is_letter = unicodedata.category(character)[0] in "LM" and not VARIATION.match(character)
    return character >= FIRST_JOINED and is_letter


def to_label(text: str, clean: bool = False) -> str:
    """A label as it is trained on: NFC, single spaces.

    clean: whether to remove invisible characters, for which ValueError is raised otherwise. It is
    raised for a label of several rows too.
    """
    if len(text) > LONGEST_LABEL:
        raise ValueError(
            f"a label of {len(text):,} characters, over the limit of {LONGEST_LABEL:,}; a label is "
            "one line of text"
        )
    if "\n" in text.strip():
        rows = text.strip().count("\n") + 1
        raise ValueError(f"the label has {rows} rows; a label is one line of text")
    label = normalise_text(text)
    if not (places := set(_invisible(label))):
        return label
    if clean:
        return normalise_text("".join(c for i, c in enumerate(label) if i not in places))
    names = dict.fromkeys(_name(label[place]) for place in sorted(places))
    raise ValueError(
        f"label {quoted(label)} has invisible characters: {', '.join(names)}; correct it, or "
        "remove them with --clean-labels"
    )


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"
