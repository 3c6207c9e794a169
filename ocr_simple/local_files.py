"""Files that a stranger may have written: read only if they are regular and of bounded size.

Reading a pipe could block forever; a device, or a file of which only the size is large, could fill
the memory. So a file's kind and size are checked on the open file, before its content is read.
"""

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from typing import Any


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


def read_object(path: str | os.PathLike, most: int) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError that names the file, without a fix; OSError."""
    try:
        content = json.loads(read_bytes(path, most))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.fsdecode(path)}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{os.fsdecode(path)}: is not a JSON object")
    return content
