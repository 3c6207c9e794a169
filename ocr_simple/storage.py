"""Files and folders in buckets: fetched before they are read, published when they are written.

A URL (s3://, gs://, or whatever else fsspec knows) may stand where a path is asked for. The work is
done on local copies, so that nothing else has to know of buckets; an object is written in one
piece, and so is there whole or as it was before.
"""

import atexit
import contextlib
import functools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec

URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)")  # a Path has but one of its slashes
ATTEMPTS = 5  # at one request, beside those of fsspec's own
FIRST_WAIT = 0.5  # seconds before the second; twice as long before each further one
THREADS = 16  # files on their way at a time


class StorageError(OSError):
    """A bucket that cannot be reached or used. The message names the URL, and the mend."""


def url_of(path: str | os.PathLike) -> str | None:
    """The URL that a path was meant as; None for a local path."""
    found = URL.fullmatch(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else None
    return f"{found[1]}://{found[2]}" if found else None


def named(path: str | os.PathLike) -> str:
    """How a path is told to people: where a local copy came from, if it is one."""
    place = Path(path)
    for folder in (place, *place.parents):
        if origin := _origins.get(str(folder)):
            return "/".join((origin, *place.relative_to(folder).parts))
    return url_of(path) or os.fspath(path)


def read(url: str, most: int | None = None, start: int = 0, size: int = -1) -> bytes:
    """`size` bytes of a file from `start` on, by default all; an error where it has over `most`.

    Raises FileNotFoundError or StorageError.
    """
    system, path = _system(url)
    whole = _insist(url, system.size, path)
    if most is not None and whole > most:
        raise StorageError(f"{url}: {whole:,} bytes, over the limit of {most:,}")
    end = whole if size < 0 else start + size
    return _insist(url, functools.partial(system.cat_file, path, start=start, end=end))


def names(url: str) -> list[str]:
    """What is under a folder, at any depth, by its path from there; none where nothing is."""
    system, path = _system(url)
    found = _insist(url, system.find, path)
    root = path.rstrip("/") + "/"
    return sorted(name.removeprefix(root) for name in found if name.startswith(root))


def is_file(url: str) -> bool:
    """Whether an object is there."""
    system, path = _system(url)
    try:
        return _insist(url, system.info, path)["type"] == "file"
    except FileNotFoundError:
        return False


def fetch(url: str, folder: str | os.PathLike, wanted: Iterable[str] | None = None) -> None:
    """Copy what is under a folder, or the `wanted` names of it, into a local folder."""
    system, path = _system(url)

    def one(name: str) -> None:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise StorageError(f"{url}/{name}: leads out of its folder; give it another name")
        target = Path(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        source = f"{path.rstrip('/')}/{name}"
        _insist(f"{url}/{name}", _whole, system, source, partial)
        os.replace(partial, target)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(one, names(url) if wanted is None else wanted):
            pass


def fetched(url: str) -> Path:
    """A local copy of one file, kept until this process ends. Raises FileNotFoundError."""
    folder, _, name = url.rpartition("/")
    place = Path(tempfile.mkdtemp(dir=_cache()))
    fetch(folder, place, [name])
    _origins[str(place / name)] = url
    return place / name


@functools.cache
def fetched_folder(url: str) -> Path:
    """A local copy of a folder that does not change any more, kept until this process ends."""
    place = Path(tempfile.mkdtemp(dir=_cache())) / url.rpartition("/")[2]
    fetch(url, place)
    _origins[str(place)] = url
    return place


def local(path: str | os.PathLike) -> Path:
    """A file that can be opened: the file itself, or for a URL a copy."""
    url = url_of(path)
    return fetched(url) if url else Path(path)


def remove(path: str | os.PathLike) -> None:
    """Remove a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        if url := url_of(path):
            system, place = _system(url)
            _insist(url, system.rm_file, place)
        else:
            os.remove(path)


class Mirror:
    """A local folder that stands for one in a bucket; for a local path it is that path itself.

    Raises StorageError for a URL that cannot be used.
    """

    def __init__(self, path: str | os.PathLike):
        self.url = url_of(path)
        if self.url:
            _system(self.url)
            self.path = Path(tempfile.mkdtemp(dir=_cache()))
            _origins[str(self.path)] = self.url
        else:
            self.path = Path(path)
        self._published: dict[str, tuple[int, int]] = {}

    def fetch(self) -> None:
        """Bring the local folder to the state of the bucket."""
        if self.url:
            fetch(self.url, self.path)
            self._published = self._state()

    def publish(self) -> None:
        """Bring the bucket to the state of the local folder, the files changed last written last.

        Raises StorageError; what was not written then is written the next time.
        """
        if not self.url:
            return
        system, path = _system(self.url)
        state = self._state()
        changed = [name for name, now in state.items() if self._published.get(name) != now]
        for name in sorted(changed, key=lambda name: state[name][0]):
            content, target = (self.path / name).read_bytes(), f"{path.rstrip('/')}/{name}"
            _insist(f"{self.url}/{name}", system.pipe_file, target, content)
            self._published[name] = state[name]
        for name in set(self._published) - set(state):
            remove(f"{self.url}/{name}")
            del self._published[name]

    def _state(self) -> dict[str, tuple[int, int]]:
        """When each file was last changed, in ns, and its bytes."""
        files = (p for p in self.path.rglob("*") if p.is_file() and not p.name.startswith("."))
        return {
            p.relative_to(self.path).as_posix(): (p.stat().st_mtime_ns, p.stat().st_size)
            for p in files
        }


@contextlib.contextmanager
def written(path: str | os.PathLike, fetch: bool = False) -> Iterator[Path]:
    """A local folder to write to; left without an error, it is published.

    fetch: whether it holds what is in the bucket already.
    """
    mirror = Mirror(path)
    if fetch:
        mirror.fetch()
    yield mirror.path
    mirror.publish()


def move(url: str, to: str) -> None:
    """Give a folder another name: its objects one by one, as buckets have no folders."""
    system, path = _system(url)
    target = _system(to)[1]
    for name in names(url):
        places = (f"{folder.rstrip('/')}/{name}" for folder in (path, target))
        _insist(f"{url}/{name}", system.mv, *places)


def _system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it. Raises StorageError."""
    try:
        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise StorageError(
            f"{url}: {error}; buckets need pip install --no-deps -r requirements/cloud.txt"
        ) from error
    return system, path


def _whole(system: Any, source: str, target: Path) -> None:
    """Fetch a file; one that was cut off on its way is an error."""
    size = system.size(source)
    system.get_file(source, str(target))
    if target.stat().st_size != size:
        raise OSError(f"{target.stat().st_size} of {size} bytes came")


def _insist(url: str, ask: Callable, *about: Any) -> Any:
    """The answer to a request that may fail for a while; StorageError if it does for long."""
    for attempt in range(ATTEMPTS):
        try:
            return ask(*about)
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise StorageError(f"{url}: not allowed ({error})") from error
        except Exception as error:  # each file system raises kinds of its own
            if attempt == ATTEMPTS - 1:
                reason = str(error) or type(error).__name__
                raise StorageError(f"{url}: cannot be reached ({reason})") from error
        time.sleep(FIRST_WAIT * 2**attempt)
    raise AssertionError("unreachable")


_origins: dict[str, str] = {}  # URLs of files and folders, by their local copies
_made: list[str] = []  # the folder of this process's copies, once there are any


def keep() -> None:
    """Leave this process's copies where they are when it ends."""
    atexit.unregister(_remove)


def _remove() -> None:
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)


def _cache() -> str:
    """The folder of this process's copies, removed when it ends."""
    if not _made:
        _made.append(tempfile.mkdtemp(prefix="ocr_simple-"))
        atexit.register(_remove)
    return _made[0]
