"""The versions of an exported model: numbered subfolders, as TensorFlow Serving has them."""

import contextlib
import os
from pathlib import Path

from ocr_simple import storage


def newest(folder: Path) -> Path | None:
    """The SavedModel with the highest version in a folder, or a local copy if it is in a bucket.

    Raises StorageError.
    """
    if url := storage.url_of(folder):
        # model.json is written last: a version that has it is complete
        found = (name.split("/") for name in storage.list_files(url))
        numbers = [int(n) for n, *rest in found if n.isdecimal() and rest == ["model.json"]]
        return storage.local_folder(f"{url}/{max(numbers)}") if numbers else None
    with contextlib.suppress(OSError):
        versions = [p for p in folder.iterdir() if p.name.isdecimal()]
        models = [p for p in versions if (p / "saved_model.pb").is_file()]
        return max(models, key=lambda path: int(path.name), default=None)
    return None


def last_change(folder: Path) -> int:
    """When a folder, or a file or folder in it, last changed, in ns."""
    times = [0]
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            with contextlib.suppress(OSError):
                times.append(os.stat(path).st_mtime_ns)
    return max(times)
