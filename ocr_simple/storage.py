"""Files and folders in buckets: downloaded before they are read, uploaded after they are written.

A URL (s3://, gs://, or another scheme of fsspec's) can be given wherever a path is expected. The
work is done on local copies, so the rest of the code does not deal with buckets. An object is
written in one request: it is there completely, or as it was before.
"""

import atexit
import contextlib
import functools
import gzip
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ocr_simple.local_files import FileRefused
from ocr_simple.messages import reason_of
from ocr_simple.written_files import replacing_file

URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)")  # a Path keeps only one of the slashes
ATTEMPTS = 5  # per request, besides fsspec's own retries
FIRST_WAIT = 0.5  # seconds before the second attempt; doubled before each further one
THREADS = 16  # downloads at the same time
PIECE = 1 << 20  # bytes decompressed at a time
SYSTEM_FILES = {"thumbs.db", "desktop.ini"}  # of Windows

_origins: dict[str, str] = {}  # local copy of a folder -> its URL
_copied: dict[str, Path] = {}  # URL of a folder that no longer changes -> its local copy
_kept: set[Path] = set()  # copies that stay when this process ends
_folders: list[str] = []  # the folder of this process's local copies, once there is one


class StorageError(OSError):
    """A bucket that cannot be reached or used. The message names the URL, and a fix if known."""


def url_of(path: str | os.PathLike) -> str | None:
    """The URL that a path stands for; None for a local path."""
    found = URL.fullmatch(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else None
    if found is None:
        return None
    root = "/" if found[1] == "file" else ""  # which has no host before its path
    return f"{found[1]}://{root}{found[2]}"


def display_name(path: str | os.PathLike) -> str:
    """A path as messages show it: for a local copy, the URL that it was downloaded from."""
    place = Path(path)
    for folder in (place, *place.parents):
        if origin := _origins.get(str(folder)):
            return "/".join((origin, *place.relative_to(folder).parts))
    return url_of(path) or os.fspath(path)


def is_hidden(path: str | os.PathLike) -> bool:
    """Whether a file or folder is hidden, or one that an operating system made: `__MACOSX`, ...

    path: relative to the folder that is searched. What is in a hidden folder is hidden too.
    """
    parts = Path(path).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return hidden or parts[-1].lower() in SYSTEM_FILES


# --- requests ---------------------------------------------------------------------------------


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it. Raises StorageError."""
    if url.startswith(("http://", "https://")):
        raise StorageError(
            f"{url}: web addresses are not read; download it first: curl -O {shlex.quote(url)}"
        )
    try:
        import fsspec  # only buckets need it

        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise StorageError(
            f"{url}: {error}; for buckets: pip install --no-deps -r requirements/cloud.txt"
        ) from error
    return system, path


def _with_retries(url: str, request: Callable, *args: Any) -> Any:
    """The result of request(*args). Raises FileNotFoundError, or StorageError if all fail."""
    for attempt in range(ATTEMPTS):
        try:
            return request(*args)
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise StorageError(f"{url}: not allowed ({error}); check your credentials") from error
        except Exception as error:  # each file system raises errors of its own types
            if attempt == ATTEMPTS - 1:
                reason = f"cannot be reached ({reason_of(error)}); check the URL and the network"
                raise StorageError(f"{url}: {reason}") from error
        time.sleep(FIRST_WAIT * 2**attempt)
    raise AssertionError("unreachable")


def read(url: str, most: int | None = None, start: int = 0, size: int = -1) -> bytes:
    """`size` bytes of a file from byte `start` on; by default all of it.

    most: the largest file that is read, in bytes. Raises FileNotFoundError or StorageError.
    """
    system, path = _file_system(url)
    whole = _with_retries(url, system.size, path)
    if most is not None and whole > most:
        raise StorageError(f"{url}: {whole:,} bytes, over the limit of {most:,}")
    end = whole if size < 0 else start + size
    return _with_retries(url, functools.partial(system.cat_file, path, start=start, end=end))


def list_files(url: str) -> list[str]:
    """The files in a folder, at any depth, as paths relative to it; empty if there is no folder."""
    system, path = _file_system(url)
    found = _with_retries(url, system.find, path)
    root = path.rstrip("/") + "/"
    return sorted(name.removeprefix(root) for name in found if name.startswith(root))


def is_file(url: str) -> bool:
    """Whether there is an object at the URL."""
    system, path = _file_system(url)
    try:
        return _with_retries(url, system.info, path)["type"] == "file"
    except FileNotFoundError:
        return False


def remove(path: str | os.PathLike) -> None:
    """Remove a file or an object, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        if url := url_of(path):
            system, place = _file_system(url)
            _with_retries(url, system.rm_file, place)
        else:
            os.remove(path)


def move(url: str, to: str, names: Iterable[str]) -> None:
    """Move these files of a folder to another, one by one, as buckets have no folders."""
    system, path = _file_system(url)
    target = _file_system(to)[1]
    for name in names:
        places = (f"{folder.rstrip('/')}/{name}" for folder in (path, target))
        _with_retries(f"{url}/{name}", system.mv, *places)


# --- local copies -----------------------------------------------------------------------------


def download(url: str, folder: str | os.PathLike, wanted: Iterable[str] | None = None) -> None:
    """Copy the files in a folder, or only the `wanted` ones, to a local folder."""
    system, path = _file_system(url)
    _origins[str(folder)] = url

    def download_file(name: str) -> None:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise StorageError(f"{url}/{name}: its name points outside the folder; rename it")
        target = Path(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        source = f"{path.rstrip('/')}/{name}"
        with replacing_file(target) as partial:
            _with_retries(f"{url}/{name}", _copy, system, source, partial)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(download_file, list_files(url) if wanted is None else wanted):
            pass


def _copy(system: Any, source: str, target: Path) -> None:
    """Copy an object to a local file. Raises OSError if the transfer was cut short."""
    size = system.size(source)
    system.get_file(source, str(target))
    if target.stat().st_size != size:
        raise OSError(f"received only {target.stat().st_size} of {size} bytes")


def local_file(path: str | os.PathLike) -> Path:
    """A local path itself; for a URL a copy of the file, kept until this process ends.

    Raises FileNotFoundError or StorageError.
    """
    url = url_of(path)
    if not url:
        return Path(path)
    folder, _, name = url.rpartition("/")
    place = Path(tempfile.mkdtemp(dir=_copies()))
    download(folder, place, [name])
    return place / name


def unpacked(path: str | os.PathLike, most: int) -> Path:
    """A decompressed copy of a GZIP file, of at most `most` bytes, kept until this process ends.

    Raises FileRefused for a larger one; OSError, EOFError or zlib.error for a damaged one.
    """
    place = Path(tempfile.mkdtemp(dir=_copies())) / Path(path).name
    try:
        with gzip.open(path) as packed, open(place, "wb") as file:
            while content := packed.read(PIECE):
                if file.tell() + len(content) > most:
                    raise FileRefused(
                        f"{os.fsdecode(path)}: decompresses to over {most:,} bytes, far more than "
                        "expected; if you trust the file, decompress it first"
                    )
                file.write(content)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return place


def local_folder(url: str) -> Path:
    """A copy of a folder that no longer changes, kept until this process ends, or `remove_copy`."""
    if url not in _copied:
        place = Path(tempfile.mkdtemp(dir=_copies())) / url.rpartition("/")[2]
        download(url, place)
        _copied[url] = place
    return _copied[url]


def remove_copy(place: Path) -> None:
    """Remove a copy that `local_folder` made; another folder is left as it is."""
    url = _origins.get(str(place), "")
    if _copied.pop(url, None):
        del _origins[str(place)]
        shutil.rmtree(place, ignore_errors=True)


def _copies() -> str:
    """The folder of this process's local copies, removed when it ends."""
    if not _folders:
        _folders.append(tempfile.mkdtemp(prefix="ocr_simple-"))
        atexit.register(remove_copies)
    return _folders[0]


def remove_copies() -> None:
    """Remove this process's local copies; otherwise done when it ends by itself."""
    for folder in map(Path, _folders):
        for place in folder.iterdir() if folder.exists() else ():
            if place not in _kept:
                shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # a copy in it is kept
            folder.rmdir()


class Mirror:
    """A local folder that mirrors one in a bucket; for a local path, that folder itself.

    Raises StorageError for a URL that cannot be used.
    """

    def __init__(self, path: str | os.PathLike):
        self.url = url_of(path)
        if self.url:
            _file_system(self.url)
            self.path = Path(tempfile.mkdtemp(dir=_copies()))
            _origins[str(self.path)] = self.url
        else:
            self.path = Path(path)
        self._published: dict[str, tuple[int, int]] = {}

    def fetch(self) -> None:
        """Make the local folder equal to the bucket."""
        if self.url:
            names = list_files(self.url)
            download(self.url, self.path, names)
            for name in set(self._state()) - set(names):
                (self.path / name).unlink()
            self._published = self._state()

    def publish(self) -> None:
        """Make the bucket equal to the local folder; the files changed last are written last.

        Raises StorageError. The next call then writes what is missing; without a next call, the
        local folder is kept when the process ends.
        """
        if not self.url:
            return
        _kept.add(self.path)
        self._write_changes(*_file_system(self.url))
        _kept.discard(self.path)

    def _write_changes(self, system: Any, path: str) -> None:
        state = self._state()
        changed = [name for name, now in state.items() if self._published.get(name) != now]
        for name in sorted(changed, key=lambda name: state[name][0]):
            content, target = (self.path / name).read_bytes(), f"{path.rstrip('/')}/{name}"
            _with_retries(f"{self.url}/{name}", system.pipe_file, target, content)
            self._published[name] = state[name]
        for name in set(self._published) - set(state):
            remove(f"{self.url}/{name}")
            del self._published[name]

    def _state(self) -> dict[str, tuple[int, int]]:
        """(time of the last change in ns, size in bytes) of each file."""
        files = (p for p in self.path.rglob("*") if p.is_file() and not p.name.startswith("."))
        return {
            p.relative_to(self.path).as_posix(): (p.stat().st_mtime_ns, p.stat().st_size)
            for p in files
        }


def check_writable(folder: str | os.PathLike, option: str) -> None:
    """Raise ValueError, naming the option, if files cannot be written to a local folder.

    The folder is not made if it is missing; then its first parent that exists is tried.
    """
    place = Path(folder)
    if url_of(place):
        return
    found = next((p for p in (place, *place.parents) if os.path.lexists(p)), place)
    try:
        with tempfile.TemporaryFile(dir=found):
            pass
    except NotADirectoryError as error:
        raise ValueError(f"{option} {found}: is a file; name a folder") from error
    except OSError as error:
        raise ValueError(
            f"{option} {place}: cannot be written to ({error.strerror}); name another folder"
        ) from error


@contextlib.contextmanager
def output_folder(path: str | os.PathLike, fetch: bool = False) -> Iterator[Path]:
    """A local folder to write to. It is published when the context ends without an error.

    fetch: whether it starts with what is in the bucket.
    """
    mirror = Mirror(path)
    if fetch:
        mirror.fetch()
    yield mirror.path
    mirror.publish()
