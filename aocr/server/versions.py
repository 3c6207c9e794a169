"""The versions of an exported model: numbered subfolders, as TensorFlow Serving has them."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Any

from aocr.export_files import ABOUT, MOST_BYTES, check_described
from ocr_simple import storage
from ocr_simple.local_files import read_object
from ocr_simple.messages import shown

MAX_HEIGHT = 1024  # of a model's images, in rows
MAX_DIGITS = 18  # of a version: TensorFlow Serving's are of 64 bits


def newest(folder: Path) -> Path | None:
    """The SavedModel with the highest version in a folder, or a local copy if it is in a bucket.

    Raises StorageError.
    """
    if url := storage.url_of(folder):
        # model.json is written last: a version that has it is complete
        found = (name.split("/") for name in storage.list_files(url))
        numbers = [int(n) for n, *rest in found if is_version(n) and rest == [ABOUT]]
        return storage.local_folder(f"{url}/{max(numbers)}") if numbers else None
    with contextlib.suppress(OSError):
        return next(reversed(versions_in(folder)), None)
    return None


def versions_in(folder: Path) -> list[Path]:
    """The SavedModels with a version in a local folder, the newest last. Raises OSError."""
    versions = [path for path in folder.iterdir() if is_version(path.name)]
    models = [path for path in versions if (path / "saved_model.pb").is_file()]
    return sorted(models, key=lambda path: int(path.name))


def is_version(name: str) -> bool:
    """Whether a folder is a version by its name."""
    return name.isascii() and name.isdecimal() and len(name) <= MAX_DIGITS


def read_about(version: Path) -> dict[str, Any]:
    """What `model.json` says about a version, checked as far as the server uses it.

    Raises ValueError and OSError that name the file, also if another file of the version is a pipe
    or a device, which could block its reader forever.
    """
    about = read_object(version / ABOUT, MOST_BYTES)
    channels = about.get("channels")
    if type(channels) is not int or channels not in (1, 3):
        raise ValueError(f"{version / ABOUT}: channels {shown(channels)}: 1 or 3 expected")
    for name in ("height", "multiple"):
        if type(about.get(name)) is not int or not 0 < about[name] <= MAX_HEIGHT:
            value = shown(about.get(name))
            raise ValueError(f"{version / ABOUT}: {name} {value}: 1 to {MAX_HEIGHT} expected")
    for place, _, names in os.walk(version):
        for path in (os.path.join(place, name) for name in names):
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise ValueError(f"{path}: is a pipe or a device")
    check_described(version, about)
    return about


def last_change(folder: Path) -> int:
    """When a folder, or a file or folder in it, last changed, in ns."""
    times = [0]
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            with contextlib.suppress(OSError):
                times.append(os.stat(path).st_mtime_ns)
    return max(times)
