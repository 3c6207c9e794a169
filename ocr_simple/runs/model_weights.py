"""The weights in a model file: checked before a model is built, and before Keras reads them.

A file may declare arrays of any size and kind: arrays that are not in it, that unpack to gigabytes,
or that lie in another file of the computer. What passes here takes at most a few times the file's
size in memory.
"""

import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ocr_simple.messages import shortened
from ocr_simple.spec import ModelSpec, open_archive

WEIGHTS_FILE = "model.weights.h5"  # in the archive, as Keras names it
MAX_LINKS = 10_000  # names in the file; a deep model has a few hundred
MAX_DEPTH = 16  # groups in each other; Keras writes five
ROOM = 4 << 20  # bytes of weights that a model may have in any case

Kind = tuple[tuple[int, ...], str]  # shape and type of an array


def damaged(path: str | os.PathLike, reason: str) -> ValueError:
    """The error for weights that cannot be used."""
    return ValueError(
        f"{path}: its weights do not fit its ocr.json ({shortened(reason)}); the file is damaged, "
        "get it again"
    )


def check_weights(path: str | os.PathLike, spec: ModelSpec) -> dict[str, Kind]:
    """The arrays in a model file, by name. Raises ValueError that names the file and the fix.

    Each is whole in the file and holds finite numbers, and together they are enough for `spec`.
    """
    with open_archive(path) as archive:
        if WEIGHTS_FILE not in archive.namelist():
            raise ValueError(f"no {WEIGHTS_FILE} in it")
        content = archive.read(WEIGHTS_FILE)
    least = 4 * spec.least_parameters
    if least > ROOM + 2 * len(content):
        raise damaged(
            path,
            f"{len(spec.alphabet):,} characters and rnn_units {spec.rnn_units} make over {least:,} "
            f"bytes of weights, and the file has {len(content):,}",
        )
    try:
        return _arrays(content)
    except ValueError as error:
        raise damaged(path, str(error)) from error
    except Exception as error:  # h5py raises many kinds
        raise damaged(path, f"{WEIGHTS_FILE} cannot be read: {error}") from error


def check_fit(
    path: str | os.PathLike,
    found: Mapping[str, Kind],
    weights: Mapping[str, Kind],
    others: Mapping[str, Kind],
) -> None:
    """Raise ValueError unless the arrays in a file have the shapes and types of a model's.

    found: as `check_weights` gives it. weights: of the model, all of which are saved. others: its
    further variables, which may be saved.
    """
    spare = Counter(found.values())
    for name, kind in weights.items():
        if not spare[kind]:
            raise damaged(path, f"it lacks {name}, {_described(kind)}")
        spare[kind] -= 1
    spare -= Counter(others.values())
    for name, kind in found.items():
        if spare[kind] > 0:
            raise damaged(path, f"its {name}, {_described(kind)}, is not in the model")


def _described(kind: Kind) -> str:
    shape, dtype = kind
    return f"{dtype} {shape}"


def _arrays(content: bytes) -> dict[str, Kind]:
    """The arrays in an HDF5 file, by name. Raises ValueError, and what h5py raises."""
    import h5py  # only who loads a model needs it

    found: dict[str, Kind] = {}
    room = len(content)
    with h5py.File(io.BytesIO(content), "r") as file:
        for name, array in _walk(file):
            _check_is_whole(name, array, len(content))
            room -= array.nbytes
            if room < 0:
                raise ValueError(f"{name}: more weights than the file has bytes")
            if array.dtype.kind == "f" and not np.isfinite(array[()]).all():
                raise ValueError(f"{name} holds infinite or NaN values")
            found[name] = (array.shape, array.dtype.name)
    return found


def _walk(file: Any) -> Iterator[tuple[str, Any]]:
    """(name, array) of each array in an HDF5 file. Raises ValueError, and what h5py raises.

    Each item is opened from its group: HDF5 takes time for every group on a longer path.
    """
    import h5py

    groups, left = [("", file, 0)], MAX_LINKS
    while groups:
        place, group, depth = groups.pop()
        for key in _names(group, left):
            name, left = place + key.decode(errors="backslashreplace"), left - 1
            if left < 0:
                raise ValueError(f"over {MAX_LINKS:,} names in it")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is a link to another place")
            item = group[key]
            if isinstance(item, h5py.Dataset):
                yield name, item
            elif isinstance(item, h5py.Group):
                if depth == MAX_DEPTH:
                    raise ValueError(f"groups are nested over {MAX_DEPTH} deep, at {name}")
                groups.append((f"{name}/", item, depth + 1))


def _names(group: Any, most: int) -> list[bytes]:
    """The names in a group, not those in groups of it; if there are more than `most`, one more."""
    names: list[bytes] = []

    def note(name: bytes) -> bool | None:  # must not raise: the library's C code calls it
        names.append(name)
        return True if len(names) > most else None  # True ends the search

    group.id.links.iterate(note)
    return names


def _check_is_whole(name: str, array: Any, size: int) -> None:
    """Raise ValueError unless all bytes of an array lie in the file of `size` bytes, as they are.

    The other layouts of HDF5 are for arrays that are compressed, or in parts, or in other files.
    """
    from h5py import h5d

    layout, start = array.id.get_create_plist().get_layout(), array.id.get_offset()
    if layout != h5d.CONTIGUOUS or array.external:
        raise ValueError(f"{name} is compressed or chunked")
    if array.shape is None or array.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds no numbers")
    if start is None or start + array.nbytes > size:
        raise ValueError(f"{name}: {array.shape} {array.dtype.name} is not in the file")
