"""LMDB databases of labelled images, as deep-text-recognition-benchmark and PARSeq have them.

They hold `num-samples`, and `image-000000001` (encoded bytes) and `label-000000001` (UTF-8) for
each image, counted from 1, or from 0 as some tools write them. The package lmdb is optional, and
imported when one is read.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocr_simple.errors import DatasetError

INSTALL = "pip install lmdb==3.0.0"
DATA_FILE = "data.mdb"  # in the folder of a database
SUFFIXES = {".lmdb", ".mdb"}  # of a database in a single file


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
        return lmdb.open(
            str(folder), subdir=folder.is_dir(), readonly=True, lock=False, readahead=False
        )
    except lmdb.Error as error:
        raise DatasetError(f"{path}: cannot be read as LMDB ({error}); make it again") from error


def value(path: str, key: str) -> bytes:
    """What a database has under a key. Raises OSError if there is nothing."""
    with _open(path).begin() as transaction:
        found = transaction.get(key.encode())
    if found is None:
        raise OSError(f"{path}: nothing under the key {key}")
    return found


def samples(path: str) -> Iterator[tuple[str, bytes | None, bool]]:
    """(key of the image, its label or None, whether there is an image) of each sample.

    Raises DatasetError for a database of another kind.
    """
    with _open(path).begin(buffers=True) as transaction:
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
        for number in range(first, first + int(bytes(count))):
            key = f"image-{number:09}"
            label = transaction.get(f"label-{number:09}".encode())
            image = transaction.get(key.encode())
            yield key, None if label is None else bytes(label), bool(image)
