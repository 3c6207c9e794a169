"""Files damaged at random: each has to be read, or refused with a message that names it.

No file may take more time or memory than a user would wait for or have.
"""

import contextlib
import copy
import io
import itertools
import json
import logging
import resource
import shutil
import sys
import tempfile
import time
import traceback
import typing
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fontTools import subset
from fontTools.ttLib import TTFont

import model as models
from aocr import beam_parts, reader
from aocr.server.versions import ABOUT, read_about
from ocr_simple import images as imaging
from ocr_simple.datasets.annotations import DatasetError, Fault, find_entries
from ocr_simple.datasets.tfrecords import to_record, write_labelled
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import TrainError
from ocr_simple.network.backend import standard_error_closed
from ocr_simple.options import LineOptions, TrainOptions
from ocr_simple.reports.charts import learning_curves
from ocr_simple.runs.checkpoint import pack
from ocr_simple.runs.config import as_config
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES
from ocr_simple.runs.model_weights import WEIGHTS_FILE
from ocr_simple.runs.run_folder import RunFolder
from ocr_simple.spec import SPEC_FILE, ModelSpec
from support.lines import OPEN_SANS

Part = typing.Literal[
    "images", "records", "models", "checkpoints", "fonts", "configs", "metrics", "exports", "jobs"
]
Read = Callable[[Path], str]  # from a file to the outcome: read, read in part, refused
SECONDS = 5.0  # of processor time for one file
MEGABYTES = 1000  # more than before
ODD_VALUES = (
    None, True, -1, 0, 0.5, 10**9, 10**30, 1e308, float("nan"), "", "9", "x" * 5000, "\x1b[31m",
    "\u202e", "\ud800", [], [1], {}, {"a": [{}]},
)  # fmt: skip
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


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """(object or array, key) of each value in JSON."""
    if isinstance(content, (dict, list)):
        for key in content if isinstance(content, dict) else range(len(content)):
            yield content, key
            yield from _places(content[key])


def damaged_json(data: bytes, rng: np.random.Generator) -> bytes:
    """JSON with other values in some places, or without them, or damaged as any file."""
    if rng.random() < 0.2:
        return damaged(data, rng)
    content = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        if places := list(_places(content)):
            place, key = places[int(rng.integers(len(places)))]
            place[key] = copy.deepcopy(ODD_VALUES[int(rng.integers(len(ODD_VALUES)))])
            if rng.random() < 0.3:
                del place[key]
    return json.dumps(content).encode()


def damaged_model(data: bytes, rng: np.random.Generator) -> bytes:
    """A model file, damaged in its spec or weights, or as any file: those have a checksum."""
    if rng.random() < 0.2:
        return damaged(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if rng.random() < 0.5:
        entries[SPEC_FILE] = damaged_json(entries[SPEC_FILE], rng)
    else:
        entries[WEIGHTS_FILE] = damaged(entries[WEIGHTS_FILE], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def damaged_font(data: bytes, rng: np.random.Generator) -> bytes:
    """A font with values of one table changed to those that are often wrong, or as any file."""
    if data[:4] != b"\0\1\0\0" or rng.random() < 0.4:
        return damaged(data, rng)
    out = bytearray(data)
    entry = 12 + 16 * int(rng.integers(int.from_bytes(out[4:6])))
    start, size = (int.from_bytes(out[entry + i : entry + i + 4]) for i in (8, 12))
    for _ in range(int(rng.integers(1, 5))):
        place = start + int(rng.integers(max(1, min(size, 200))))
        out[place : place + 2] = ((0, 0), (255, 255), (127, 255), (128, 0))[int(rng.integers(4))]
    return bytes(out)


# --- the kinds of file: examples to damage, and how they are read --------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of file: examples, how they are read, how they are damaged."""

    examples: list[bytes]
    read: Read
    damage: Callable[[bytes, np.random.Generator], bytes] = damaged


def images() -> Kind:
    def read(file: Path) -> str:
        try:
            shape = imaging.load(file, warn=False).shape
        except imaging.ImageError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        assert min(shape) > 0
        return "read"

    return Kind([path.read_bytes() for path in IMAGES], read)


def data_sets() -> Kind:
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

    return Kind(files, read)


def model_files() -> Kind:
    def read(file: Path) -> str:
        model = file.with_suffix(".keras")
        shutil.copy(file, model)
        try:
            models.load(model)
        except ValueError as error:
            assert str(model) in str(error), f"its message names no file: {error}"
            assert len(str(error)) < 1000, "its message is long"
            return "refused"
        return "read"

    return Kind([(PRETRAINED / "digits.keras").read_bytes()], read, damaged_model)


def checkpoints() -> Kind:
    rng = np.random.default_rng(0)
    weights = {f"model{i}": rng.normal(size=(9, 9)).astype(np.float32) for i in range(20)}
    progress = {"step": 7, "losses": [0.5], "rows": [{"step": 6, "loss": 1.0, "val_exact": 0.5}]}
    progress |= {"best": [0.5, 0.1], "best_step": 6, "waited": 0}
    content = pack({"progress": np.array(json.dumps(progress)), **weights})

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

    return Kind([content], read)


def fonts() -> Kind:
    def font(flavour: str | None) -> bytes:
        whole, part, out = TTFont(OPEN_SANS), subset.Subsetter(), io.BytesIO()
        part.populate(text="0123456789ABCabc.,- ")
        part.subset(whole)
        whole.flavor = flavour
        whole.save(out)
        return out.getvalue()

    numbers = itertools.count()  # fonts are remembered by their names

    def read(file: Path) -> str:
        """A folder with a good font goes on without a damaged one, which a warning names."""
        with tempfile.TemporaryDirectory(dir=file.parent) as name:
            good, bad = Path(name, "good.ttf"), Path(name, f"bad{next(numbers)}.ttf")
            shutil.copy(OPEN_SANS, good)
            shutil.copy(file, bad)
            with _warnings() as messages:
                found = find_fonts((name,))
                lines = Lines(LineOptions(), ModelSpec(), found, augment=False)
                for k in range(2 * len(found)):
                    lines[k]
            assert str(good) in lines.fonts
            assert str(bad) in found or any(str(bad) in message for message in messages)
            return "read" if str(bad) in lines.fonts else "refused"

    return Kind([*map(font, (None, "woff")), Path(OPEN_SANS).read_bytes()], read, damaged_font)


@contextlib.contextmanager
def _warnings() -> Iterator[list[str]]:
    """The messages that are logged."""
    messages: list[str] = []
    handler, log = logging.Handler(), logging.getLogger("ocr_simple")
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    before, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield messages
    finally:
        log.removeHandler(handler)
        log.propagate = before


def run_configs() -> Kind:
    config = as_config(TrainOptions(steps=100))

    def read(file: Path) -> str:
        with tempfile.TemporaryDirectory(dir=file.parent) as name:
            shutil.copy(file, Path(name, "config.json"))
            folder = RunFolder(Path(name))
            try:
                folder.earlier("steps")
                folder.open(config, resume=True)
            except TrainError as error:
                assert name in str(error), f"its message names no file: {error}"
                assert len(str(error)) < 30_000
                return "refused"
            finally:
                folder.close()
        return "read"

    return Kind([json.dumps(config).encode()], read, damaged_json)


def run_metrics() -> Kind:
    rows = [f"{100 * i},{3 / i:.6g},{1 - 1 / i},{1 / i}" for i in range(1, 5)]
    text = "\n".join(["step,loss,val_exact,val_cer", *rows]) + "\n"

    def read(file: Path) -> str:
        try:
            learning_curves(file)
        except ValueError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        return "read"

    return Kind([text.encode()], read)


def export_descriptions() -> Kind:
    about = {"made_from": "a.keras", "alphabet": "0123456789", "height": 32, "channels": 1}
    about |= {"least_spread": 8.0, "stride": 4, "multiple": 4, "accuracy": {"exact": 0.9}}

    def read(file: Path) -> str:
        """By the server, and by reader.py, which is copied beside exports."""
        with tempfile.TemporaryDirectory(dir=file.parent) as name:
            shutil.copy(file, Path(name, ABOUT))
            model = Path(name, "model.onnx")
            model.write_bytes(b"")
            refused = 0
            for look in (read_about, lambda folder: reader.read_description(folder / model.name)):
                try:
                    look(Path(name))
                except ValueError as error:
                    assert name in str(error), f"its message names no file: {error}"
                    refused += 1
        return ("read", "read in part", "refused")[refused]

    return Kind([json.dumps(about).encode()], read, damaged_json)


def pipeline_jobs() -> Kind:
    result = {"labels": ["1", "22"], "sizes": [[40, 32], [50, 32]], "faults": []}

    def read(file: Path) -> str:
        try:
            beam_parts.read_job(file)
            beam_parts.read_result(file, beam_parts.DRAWN)
        except beam_parts.PipelineError as error:
            assert str(file) in str(error), f"its message names no file: {error}"
            return "refused"
        return "read"

    return Kind([json.dumps(result).encode()], read, damaged_json)


KINDS: dict[str, Callable[[], Kind]] = {
    "images": images,
    "records": data_sets,
    "models": model_files,
    "checkpoints": checkpoints,
    "fonts": fonts,
    "configs": run_configs,
    "metrics": run_metrics,
    "exports": export_descriptions,
    "jobs": pipeline_jobs,
}


# --- damage and read ------------------------------------------------------------------------------


def _memory() -> float:
    """The most memory of this process so far, in megabytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def attack(part: Part, file: Path, seconds: float, most: float, seed: int) -> Counter[str]:
    """Damage and read files of one kind. Returns how often each outcome occurred.

    file: where each damaged file is written. One that is neither read nor refused is kept beside
    it, as is one that takes too much time or memory. seconds, most: when to stop, by time and by
    the number of files.
    """
    kind = KINDS[part]()
    found: Counter[str] = Counter()
    for example in kind.examples:
        file.write_bytes(example)
        assert kind.read(file) == "read", "an undamaged file was refused"
    until = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > until or number >= most:
            return found
        rng = np.random.default_rng((seed, number))
        file.write_bytes(kind.damage(kind.examples[int(rng.integers(len(kind.examples)))], rng))
        began, before, fault = time.process_time(), _memory(), ""
        try:
            with contextlib.redirect_stderr(io.StringIO()), standard_error_closed():
                found[kind.read(file)] += 1
        except Exception:
            fault = f"CRASH {{}}: {traceback.format_exc().splitlines()[-1]}"
        if time.process_time() - began > SECONDS:
            fault = fault or f"CRASH {{}}: takes over {SECONDS:g} s"
        if _memory() - before > MEGABYTES:
            fault = fault or f"CRASH {{}}: takes over {MEGABYTES} MB"
        if fault:
            kept = file.with_name(f"{file.stem}_{number}{file.suffix}")
            shutil.copy(file, kept)
            found[fault.replace("{}", str(kept))] += 1
    raise AssertionError("unreachable")
