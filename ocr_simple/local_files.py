"""Reads untrusted files: only regular ones, of bounded size.

Reading a pipe could block forever; a device or a sparse file could fill the memory. So a file's
kind and size are checked on the open file, before its content is read.
"""

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

LFS_POINTER = b"version https://git-lfs.github.com/spec/"  # stands for a file in Git LFS
LFS_MESSAGE = "a pointer of Git LFS, not the file itself; fetch it with git lfs pull"
MOST_ROWS = 5_000_000  # of a file of texts, which take a few hundred bytes of memory each
ROW_ENDS = ("\r\n", "\r", "\v", "\f", *"\x1c\x1d\x1e\x85\u2028\u2029")  # besides LF


class FileRefused(OSError):
    """A file that is not read. The message names the file, the reason and the fix."""


@contextlib.contextmanager
def open_regular(path: str | os.PathLike) -> Iterator[tuple[BufferedReader, int]]:
    """(a regular file, open for reading bytes; its size in bytes).

    Raises FileRefused for a folder, pipe or device; OSError.
    """
    # without O_NONBLOCK, opening a pipe waits until another process writes to it
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise FileRefused(f"{os.fsdecode(path)}: is a folder, pipe or device, not a file")
    with open(handle, "rb") as file:
        yield file, status.st_size


def read_bytes(path: str | os.PathLike, most: int, fix: str = "name a smaller file") -> bytes:
    """The content of a regular file of at most `most` bytes.

    Files of /proc, whose size is 0, are read as empty. Raises FileRefused, OSError.
    """
    with open_regular(path) as (file, size):
        if size > most:
            raise FileRefused(
                f"{os.fsdecode(path)}: {size:,} bytes, over the limit of {most:,}; {fix}"
            )
        return file.read(size)


def numbered_rows(text: str) -> Iterator[tuple[int, str]]:
    """(number from 1, row) of each row that is not blank; rows end at LF.

    Blank rows are not kept: a file of newlines alone would take fifty times its size.
    """
    number, counted = 1, 0
    for found in re.finditer("[^\n]+", text):
        number += text.count("\n", counted, found.start())
        counted = found.start()
        if not found[0].isspace():
            yield number, found[0]


def read_rows(path: str | os.PathLike, most: int, longest: int) -> Iterator[tuple[int, str]]:
    """(number from 1, row) of each row that is not blank in a UTF-8 file of texts.

    most: bytes of the file. longest: characters of a row. Raises FileRefused for a file over them,
    or of over MOST_ROWS rows; OSError, UnicodeDecodeError.
    """
    text, name = read_bytes(path, most).decode("utf-8-sig"), os.fsdecode(path)
    for end in ROW_ENDS:
        text = text.replace(end, "\n")
    for count, (number, row) in enumerate(numbered_rows(text), 1):
        if len(row) > longest:
            raise FileRefused(
                f"{name}:{number}: a row of {len(row):,} characters, over the limit of "
                f"{longest:,}; shorten it, or remove it"
            )
        if count > MOST_ROWS:
            raise FileRefused(f"{name}: over {MOST_ROWS:,} rows; name a smaller file")
        yield number, row


def read_object(path: str | os.PathLike, most: int) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError that names the file, without a fix; OSError."""
    try:
        content = json.loads(read_bytes(path, most))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.fsdecode(path)}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{os.fsdecode(path)}: is not a JSON object")
    return content
