"""Files that are written completely or not at all: one file, or all that a command writes.

Each is written beside its place and moved there at the end. Moving follows no link, and until
everything is written, existing files stay as they are.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ocr_simple.local_files import open_regular

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DiskFull(OSError):
    """A disk, or a user's quota, is full. The message names the file and the fix."""


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full; libraries have errors of their own for it."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return True
    reasons = map(os.strerror, DISK_FULL)
    return isinstance(error, Exception) and any(reason in str(error) for reason in reasons)


def digest(path: Path, without: str = "") -> str:
    """The SHA-256 of a file; of a folder, of the names and contents of its files.

    without: a file of the folder that is left out. Raises OSError.
    """
    if not path.is_dir():
        with open_regular(path) as (file, _):
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    lines = [f"{digest(files[name])} {name}" for name in sorted(files) if name != without]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


@contextlib.contextmanager
def replacing_file(path: Path, ending: str = "", by_several: bool = False) -> Iterator[Path]:
    """A file beside `path` to write, which replaces it at the end, or is removed on an error.

    A link is replaced, not followed. ending: of its name, for writers that ask for one.
    by_several: whether other processes may write `path` too; each then has a file of its own.
    """
    several = f".{uuid.uuid4().hex}" if by_several else ""
    temporary = path.with_name(f".{path.name}{several}.partial{ending}")
    try:
        temporary.unlink(missing_ok=True)  # it may be a link
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, before: Path | None = None) -> None:
    """Write a file completely or not at all. before: where to keep the previous version."""
    with replacing_file(path) as temporary:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            with replacing_file(before) as kept:
                try:
                    os.link(path, kept)
                except OSError:  # no hard links on this file system
                    shutil.copyfile(path, kept)


@contextlib.contextmanager
def staged(
    output: Path, check: Callable[[list[str]], None], outdated: Iterable[str] = ()
) -> Iterator[Path]:
    """A folder whose content is moved to `output` at the end, or removed on an error.

    check: called with the names of what is moved, before the first is; raises ValueError for what
    must not be replaced. outdated: names in `output` that are removed before.
    Raises DiskFull; nothing in `output` has changed then.
    """
    new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=output))
    try:
        yield folder
        written = sorted(folder.iterdir())
        check([path.name for path in written])
        for name in outdated:
            _remove(output / name)
        for path in written:
            os.replace(path, output / path.name)
        folder.rmdir()
    except BaseException as error:
        full = _disk_full(error, output, folder) if is_disk_full(error) else None
        shutil.rmtree(folder, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):
                output.rmdir()
        if full:
            raise full from error
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _disk_full(error: BaseException, output: Path, folder: Path) -> DiskFull:
    """The error to show; it names the file that was being written."""
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    last = max(files, key=lambda path: path.lstat().st_mtime_ns, default=folder)
    named = getattr(error, "filename", None)
    file = Path(os.fsdecode(named)) if isinstance(named, (str, bytes)) else last
    if file.is_relative_to(folder):
        file = output / file.relative_to(folder)
    return DiskFull(
        f"{file}: the disk is full, so nothing was written, and what was in {output} is unchanged; "
        "free some space, or name a folder on another disk"
    )
