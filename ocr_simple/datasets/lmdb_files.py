"""LMDB databases of labelled images, as deep-text-recognition-benchmark and PARSeq have them.

They hold `num-samples`, and `image-000000001` (encoded bytes) and `label-000000001` (UTF-8) for
each image, counted from 1, or from 0 as some tools write them. The package lmdb is optional, and
imported when one is read.
"""

import contextlib
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocr_simple.errors import DatasetError

INSTALL = "pip install lmdb==3.0.0"
DATA_FILE = "data.mdb"  # in the folder of a database
SUFFIXES = {".lmdb", ".mdb"}  # of a database in a single file
READ_ALL = """
import collections, lmdb, sys
database = lmdb.open(sys.argv[1], subdir=False, readonly=True, lock=False)
with database.begin() as transaction:
    collections.deque(transaction.cursor(), 0)
"""


def is_lmdb(path: Path) -> bool:
    """Whether a path is a database: a folder with its data file, or a file of its own."""
    return (path / DATA_FILE).is_file() or (path.is_file() and path.suffix.lower() in SUFFIXES)


@functools.cache
def _open(path: str) -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise DatasetError(f"{path}: is an LMDB database, which needs {INSTALL}") from error
    folder = Path(path)
    if folder.name == DATA_FILE:
        folder = folder.parent
    try:
        # without a lock, a database on a read-only disk can be read too
        database = lmdb.open(
            str(folder), subdir=folder.is_dir(), readonly=True, lock=False, readahead=False
        )
    except lmdb.Error as error:
        raise DatasetError(f"{path}: cannot be read as LMDB ({error}); make it again") from error
    _check_whole(database, folder / DATA_FILE if folder.is_dir() else folder)
    return database


def _check_whole(database: Any, file: Path) -> None:
    """Raise DatasetError for a file that was cut off: reading what is missing ends the process.

    A file without its last pages may be whole, if they are not used: another process reads all.
    """
    if (database.info()["last_pgno"] + 1) * database.stat()["psize"] <= file.stat().st_size:
        return
    if subprocess.run([sys.executable, "-c", READ_ALL, file], capture_output=True).returncode:
        raise DatasetError(f"{file}: damaged, part of it is missing; copy it or make it again")


@contextlib.contextmanager
def _reading(path: str, buffers: bool) -> Iterator[Any]:
    """A transaction; buffers: whether values are given without a copy. Raises OSError."""
    database = _open(path)
    import lmdb

    try:
        with database.begin(buffers=buffers) as transaction:
            yield transaction
    except lmdb.Error as error:
        raise OSError(f"{path}: damaged ({error}); make it again") from error


def value(path: str, key: str) -> bytes:
    """What a database has under a key. Raises OSError if there is nothing, or if it is damaged."""
    with _reading(path, buffers=False) as transaction:
        found = transaction.get(key.encode())
    if found is None:
        raise OSError(f"{path}: nothing under the key {key}")
    return found


def _count(path: str, content: bytes) -> int:
    """The number of samples that num-samples holds. Raises DatasetError if it cannot be right."""
    keys = _open(path).stat()["entries"]
    text = content.strip()
    digits = text.lstrip(b"0") or b"0"
    # a longer number is not parsed: that could take minutes
    if text.isdigit() and len(digits) <= len(str(keys)) and (count := int(digits)) <= keys:
        return count
    raise DatasetError(
        f"{path}: its num-samples is {content[:20]!r}, but it has {keys:,} keys; make it again"
    )


def notes(path: str) -> tuple[str, ...]:
    """What else there is to say about a database: images that num-samples leaves out.

    Raises DatasetError, OSError.
    """
    with _reading(path, buffers=True) as transaction:
        last = _count(path, bytes(transaction.get(b"num-samples")))
        last -= bool(transaction.get(b"image-000000000"))
        count = 0
        while transaction.get(f"image-{last + 1 + count:09}".encode()):
            count += 1
    if not count:
        return ()
    return (f"images beyond num-samples, not used: {count:,} (first: image-{last + 1:09})",)


def samples(path: str) -> Iterator[tuple[str, bytes | None, bool]]:
    """(key of the image, its label or None, whether there is an image) of each sample.

    Raises DatasetError for a database of another kind, OSError for a damaged one.
    """
    with _reading(path, buffers=True) as transaction:
        count = transaction.get(b"num-samples")
        if count is None:
            keys = ", ".join(
                bytes(key).decode("utf-8", "replace")
                for key, _ in zip(transaction.cursor().iternext(values=False), range(3))
            )
            raise DatasetError(
                f"{path}: an LMDB database without num-samples (it begins with {keys or 'nothing'})"
                "; make it with num-samples, image-000000001, label-000000001 and so on"
            )
        first = 0 if transaction.get(b"image-000000000") else 1
        for number in range(first, first + _count(path, bytes(count))):
            key = f"image-{number:09}"
            label = transaction.get(f"label-{number:09}".encode())
            image = transaction.get(key.encode())
            yield key, None if label is None else bytes(label), bool(image)
