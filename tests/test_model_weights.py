"""The weights in a stranger's model file are found by a walk that ends soon. No TensorFlow."""

import io
import shutil
import time
import zipfile
from pathlib import Path

import h5py
import pytest

from ocr_simple.runs.model_files import find_model
from ocr_simple.runs.model_weights import MAX_DEPTH, MAX_LINKS, WEIGHTS_FILE, check_weights
from ocr_simple.spec import ModelSpec, read_spec


@pytest.fixture
def model(tmp_path) -> Path:
    return Path(shutil.copy(find_model("digits"), tmp_path / "a.keras"))


def check(path: Path) -> dict:
    return check_weights(path, read_spec(path))


def with_groups(path: Path, change) -> None:
    """Replace the weights in a model file by what change(HDF5 file) makes of them."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(entries[WEIGHTS_FILE])
    with h5py.File(content, "r+") as file:
        change(file)
    with zipfile.ZipFile(path, "w") as archive:
        for name, entry in (entries | {WEIGHTS_FILE: content.getvalue()}).items():
            archive.writestr(name, entry)


def nested(file: h5py.File) -> None:
    group = file
    for _ in range(3000):
        group = group.create_group("a")


def cycle(file: h5py.File) -> None:
    ring = file.create_group("ring")
    ring["around"] = ring


def many(file: h5py.File) -> None:
    group = file.create_group("many")
    for i in range(MAX_LINKS):
        group[f"{i}"] = file["layers"]


def test_the_arrays_are_named_by_their_paths(model):
    found = check(model)
    with h5py.File(io.BytesIO(zipfile.ZipFile(model).read(WEIGHTS_FILE))) as file:
        for name, (shape, dtype) in found.items():
            assert (file[name].shape, file[name].dtype.name) == (shape, dtype)
    assert len(found) > 20 and isinstance(read_spec(model), ModelSpec)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (nested, rf"groups are nested over {MAX_DEPTH} deep, at a/a/"),
        (cycle, rf"groups are nested over {MAX_DEPTH} deep, at ring/around/around/"),
        (many, rf"over {MAX_LINKS:,} names in it"),
    ],
)
def test_groups_without_end_are_refused_at_once(model, change, reason):
    with_groups(model, change)
    started = time.process_time()
    with pytest.raises(ValueError, match=rf"{model}: its weights do not fit .*\({reason}"):
        check(model)
    assert time.process_time() - started < 2
