"""The text of an annotation file, or what else the file is."""

import codecs
import re
from pathlib import Path

from ocr_simple.errors import DatasetError
from ocr_simple.local_files import LFS_MESSAGE, LFS_POINTER, open_regular

# What a file begins with; what it is, and what to do with it.
OTHER_FILES = (
    (b"\x1f\x8b", "a compressed file without TFRecords in it; unpack it first"),
    (b"BZh91AY&SY", "a compressed file; unpack it first"),
    (b"\xfd7zXZ\0", "a compressed file; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an Office document; save it as CSV, in UTF-8"),
    (b"MATLAB ", "a MATLAB file, not a label file; write its labels to a labels.tsv"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, not a label file; write its images, and a labels.tsv"),
    (b"SQLite format 3\0", "an SQLite database; write its labels to a labels.tsv"),
    (LFS_POINTER, LFS_MESSAGE),
    (b"%PDF-", "a PDF document; write its labels to a labels.tsv"),
)  # fmt: skip
ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"  # at the beginning and at the end
SPREADSHEETS = (".xlsx", ".xlsm", ".ods", ".numbers")  # which are zip archives
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # in the bytes of a text, hardly ever
BINARY = 0.1  # a file with this share of them is no text
LOOKED_AT = 4096  # bytes at the beginning of a file
MOST = 1 << 28  # bytes of an annotation file
XML = re.compile(r"\s*<(\?xml|!DOCTYPE|!--|[A-Za-z]\w*[ >/])")


def read_text(path: Path) -> str:
    """The text of an annotation file.

    Raises DatasetError, with the fix, for a file of another kind and for one that is too large.
    """
    try:
        content = _read(path)
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"neither TFRecords nor UTF-8 text ({error})"
        raise DatasetError(f"{path}: {what}; save it as UTF-8") from error
    if XML.match(text):
        raise DatasetError(
            f"{path}: is XML, which is not read; write a labels.tsv with the path, a tab and the "
            "label of each image"
        )
    return text


def _read(path: Path) -> bytes:
    """The content of a file that may be UTF-8 text. Raises DatasetError for others, OSError."""
    with open_regular(path) as (file, size):
        start = file.read(min(LOOKED_AT, size))
        end = b""
        if size >= len(PARQUET):
            file.seek(-len(PARQUET), 2)
            end = file.read()
        if found := _other_kind(start, end, path.suffix.lower()):
            raise DatasetError(f"{path}: is {found}")
        if size > MOST:
            raise DatasetError(
                f"{path}: {size:,} bytes, over the limit of {MOST:,} for an annotation file; split "
                "it"
            )
        file.seek(0)
        return file.read(size)


def _other_kind(start: bytes, end: bytes, suffix: str) -> str | None:
    """What a file is, and what to do with it; None if it may be UTF-8 text.

    start, end: its first and last bytes.
    """
    if start.startswith(ZIP):
        if suffix in SPREADSHEETS:
            return "a spreadsheet; save it as CSV, in UTF-8"
        return "a zip archive; unpack it first"
    if start.startswith(PARQUET) and end == PARQUET:
        return "a Parquet file, not a label file; write its images, and a labels.tsv"
    for beginning, message in OTHER_FILES:
        if start.startswith(beginning):
            return message
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _is_utf16(start):
        return "UTF-16 text; save it as UTF-8"
    if len(CONTROLS.findall(start)) > BINARY * len(start):
        return "a binary file, not a label file; write its labels to a labels.tsv"
    return None


def _is_utf16(start: bytes) -> bool:
    """Whether bytes are UTF-16 without a byte order mark: nearly each second one is zero."""
    halves = start[::2], start[1::2]
    zeros = sorted(half.count(0) / max(1, len(half)) for half in halves)
    return len(start) > 8 and zeros[0] < BINARY and zeros[1] > 0.5
