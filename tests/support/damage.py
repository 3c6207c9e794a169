"""Files damaged at random: each has to be read, or refused with a message that names it."""

import contextlib
import io
import itertools
import shutil
import tempfile
import time
import traceback
import typing
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

import model as models
from ocr_simple import images as imaging
from ocr_simple.datasets.annotations import DatasetError, Fault, find_entries
from ocr_simple.datasets.tfrecords import to_record, write_labelled
from ocr_simple.errors import TrainError
from ocr_simple.network.backend import standard_error_closed
from ocr_simple.runs.checkpoint import pack
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES
from ocr_simple.runs.run_folder import RunFolder

Part = typing.Literal["images", "records", "models", "checkpoints"]
Read = Callable[[Path], str]  # from a file to the outcome: read, read in part, refused
IMAGES = [path for path in sorted(TEST_IMAGES.iterdir()) if path.suffix in imaging.EXTENSIONS]


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with some bytes changed, removed or inserted, or with another size in its header."""
    out, kind = bytearray(data), int(rng.integers(6))
    place = int(rng.integers(len(out)))
    if kind == 0:
        for i in rng.integers(0, len(out), int(rng.integers(1, 30))):
            out[i] = int(rng.integers(256))
    elif kind == 1:
        del out[place:]
    elif kind == 2:
        del out[place : place + int(rng.integers(1, 200))]
    elif kind == 3:
        out[place:place] = rng.bytes(int(rng.integers(1, 200)))
    elif kind == 4:  # the header, which holds sizes
        for i in rng.integers(0, min(64, len(out)), 4):
            out[i] = (0, 255, 127, 128)[int(rng.integers(4))]
    else:
        out[16:24] = rng.bytes(8) if rng.random() < 0.5 else b"\x00\x00\xff\xff" * 2
    return bytes(out)


# --- the kinds of file: examples to damage, and how they are read --------------------------------


def images() -> tuple[list[bytes], Read]:
    def read(file: Path) -> str:
        try:
            shape = imaging.load(file, warn=False).shape
        except imaging.ImageError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        assert min(shape) > 0
        return "read"

    return [path.read_bytes() for path in IMAGES], read


def data_sets() -> tuple[list[bytes], Read]:
    with tempfile.TemporaryDirectory() as folder:
        rows = [f"{path} {i}\u00e9{i}\n" for i, path in enumerate(IMAGES)]
        (Path(folder) / "a.txt").write_text("".join(rows), encoding="utf-8")
        write_labelled(Path(folder) / "a.txt", Path(folder) / "b.tfrecords", save_filename=True)
        files = [(Path(folder) / name).read_bytes() for name in ("a.txt", "b.tfrecords")]

    def read(file: Path) -> str:
        try:
            found = find_entries(file)
        except DatasetError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        written = (to_record(row, force_uppercase=True, save_filename=False) for row in found)
        faults = [row for row in written if isinstance(row, Fault)]
        assert all(fault.place.startswith(str(file)) for fault in faults)
        return "read in part" if faults else "read"

    return files, read


def model_files() -> tuple[list[bytes], Read]:
    def read(file: Path) -> str:
        try:
            models.load(file)
        except ValueError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        return "read"

    return [(PRETRAINED / "digits.keras").read_bytes()], read


def checkpoints() -> tuple[list[bytes], Read]:
    rng = np.random.default_rng(0)
    weights = {f"model{i}": rng.normal(size=(9, 9)).astype(np.float32) for i in range(20)}
    content = pack({"progress": np.array('{"step": 7}'), **weights})

    def read(file: Path) -> str:
        folder = RunFolder(file.parent)
        folder.checkpoint, folder.checkpoint_before = file, file.with_name("none")
        try:
            found = folder.last_checkpoint()
        except TrainError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        assert found is not None
        same = all(np.array_equal(found[name], value) for name, value in weights.items())
        assert same, "it was read, but is not what was written"
        return "read"

    return [content], read


KINDS = {
    "images": images,
    "records": data_sets,
    "models": model_files,
    "checkpoints": checkpoints,
}


# --- damage and read ------------------------------------------------------------------------------


def attack(part: Part, file: Path, seconds: float, most: float, seed: int) -> Counter[str]:
    """Damage and read files of one kind. Returns how often each outcome occurred.

    file: where each damaged file is written. One that is neither read nor refused is kept beside
    it. seconds, most: when to stop, by time and by the number of files.
    """
    sources, read = KINDS[part]()
    found: Counter[str] = Counter()
    until = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > until or number >= most:
            return found
        rng = np.random.default_rng((seed, number))
        file.write_bytes(damaged(sources[int(rng.integers(len(sources)))], rng))
        try:
            with contextlib.redirect_stderr(io.StringIO()), standard_error_closed():
                found[read(file)] += 1
        except Exception:
            kept = file.with_name(f"{file.stem}_{number}{file.suffix}")
            shutil.copy(file, kept)
            found[f"CRASH {kept}: {traceback.format_exc().splitlines()[-1]}"] += 1
    raise AssertionError("unreachable")
