"""Damaged files, for as long as told: each has to be read, or refused by a message that names it.

    python bench/fuzz.py [--minutes 10] [--parts images records models checkpoints]

Each part has a process of its own, which writes a file down before it reads it: should reading take
the process down, the file is there.
"""

from ocr_simple.runs.model_files import PRETRAINED
from ocr_simple.runs.run_folder import RunFolder
from ocr_simple.runs.model_files import TEST_IMAGES
from ocr_simple.errors import TrainError
from ocr_simple import images as imaging
import model as models
from ocr_simple.runs.checkpoint import pack
from ocr_simple.network.backend import standard_error_closed

import contextlib
import dataclasses
import functools
import io
import itertools
import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
import typing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import tyro

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


Part = typing.Literal["images", "records", "models", "checkpoints"]
IMAGES = [path for path in sorted(TEST_IMAGES.iterdir()) if path.suffix in imaging.EXTENSIONS]


@dataclasses.dataclass(frozen=True)
class Options:
    """Read damaged files."""

    parts: tuple[Part, ...] = typing.get_args(Part)
    """Images, data sets, model files, checkpoints."""
    minutes: float = 1
    """For each part."""
    seed: int = 0
    """Of the damage."""
    kept: Path = Path("results/fuzz")
    """Where files stay that could neither be read nor were refused."""


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with some bytes changed, left out, doubled, or claiming another size."""
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
    elif kind == 4:  # the head, where sizes stand
        for i in rng.integers(0, min(64, len(out)), 4):
            out[i] = (0, 255, 127, 128)[int(rng.integers(4))]
    else:
        out[16:24] = rng.bytes(8) if rng.random() < 0.5 else b"\x00\x00\xff\xff" * 2
    return bytes(out)


# --- what is damaged, and how it is read: a file's bytes; a function from a file to what came ---


def images() -> tuple[list[bytes], Callable[[Path], str]]:
    def read(file: Path) -> str:
        try:
            shape = imaging.load(file, warn=False).shape
        except imaging.ImageError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        assert min(shape) > 0
        return "read"

    return [path.read_bytes() for path in IMAGES], read


def data_sets() -> tuple[list[bytes], Callable[[Path], str]]:
    with tempfile.TemporaryDirectory() as folder:
        rows = [f"{path} {i}\u00e9{i}\n" for i, path in enumerate(IMAGES)]
        (Path(folder) / "a.txt").write_text("".join(rows), encoding="utf-8")
        records.convert(Path(folder) / "a.txt", Path(folder) / "b.tfrecords", save_filename=True)
        files = [(Path(folder) / name).read_bytes() for name in ("a.txt", "b.tfrecords")]

    def read(file: Path) -> str:
        try:
            found = records.find(file)
        except records.RecordsError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        written = (records.converted(line, True, False) for line in found)
        faults = [line for line in written if isinstance(line, records.Fault)]
        assert all(fault.place.startswith(str(file)) for fault in faults)
        return "read in part" if faults else "read"

    return files, read


def model_files() -> tuple[list[bytes], Callable[[Path], str]]:
    def read(file: Path) -> str:
        try:
            models.load(file)
        except ValueError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        return "read"

    return [(PRETRAINED / "digits.keras").read_bytes()], read


def checkpoints() -> tuple[list[bytes], Callable[[Path], str]]:
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


TARGETS = {
    "images": images,
    "records": data_sets,
    "models": model_files,
    "checkpoints": checkpoints,
}


def attack(part: Part, file: Path, seconds: float, most: float, seed: int) -> Counter[str]:
    """Damage and read for that long, or that often; how often each outcome came.

    file: what is written and read; one that is neither read nor refused is kept beside it.
    """
    sources, read = TARGETS[part]()
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


def main(options: Options) -> None:
    """Print what came of each part. Exits with 1 where something could not stand it."""
    options.kept.mkdir(parents=True, exist_ok=True)
    context, well = multiprocessing.get_context("spawn"), True
    for part in options.parts:
        file = options.kept / f"{part}.bin"
        run = functools.partial(attack, part, file, 60 * options.minutes, np.inf, options.seed)
        try:
            with ProcessPoolExecutor(1, context) as pool:
                found = pool.submit(run).result()
        except BrokenProcessPool:
            found = Counter({f"CRASH of the process; see {file}": 1})
        well &= not any(outcome.startswith("CRASH") for outcome in found)
        print(f"{part}: {sum(found.values()):,} files: {dict(found.most_common())}", flush=True)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main(tyro.cli(Options))
