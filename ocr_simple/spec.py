"""What a model is: its alphabet, input, architecture and head, and what follows from them.

`ModelSpec` is kept as `ocr.json` in every model file. Keras is not needed here.
"""

import contextlib
import dataclasses
import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ocr_simple.boxes import CameraBox, box_of_json
from ocr_simple.local_files import LFS_MESSAGE, LFS_POINTER, FileRefused, open_regular
from ocr_simple.messages import reason_of, shown
from ocr_simple.network.backend import backend
from ocr_simple.network.encoders import ENCODERS
from ocr_simple.text import Alphabet, ctc_steps_needed

SCHEMA = 1
SPEC_FILE = "ocr.json"
ONNX, INT8, STEP = ".onnx", ".int8.onnx", ".step.onnx"  # endings of the files beside a model
NORMALISATION = "median"  # see `preprocessing.normalise`

# Limits of a model file, which may come from a stranger
MAX_ARCHIVE_BYTES = 1 << 30  # unpacked
MAX_UNPACKED = 4  # times the size of the file: weights hardly shrink
MAX_DIRECTORY_BYTES = 1 << 16  # of the archive's list of entries; there are four
MAX_SPEC_BYTES = 4 << 20
LEAST_TEMPERATURE = 0.01

Context = Literal["conv", "attention", "lstm", "gru"]
Head = Literal["ctc", "attention"]
CONTEXT_STRIDE = 4  # fewest image columns in one step of the context layers
JAX_MULTIPLE = 32  # JAX compiles for each shape: padding to this many columns keeps shapes few
FORMER_CONTEXTS = {"none": "conv", "transformer": "attention"}  # before `rnn` became `context`
LARGEST = {  # of whole numbers, which start from 1, or 0 for max_prediction
    "rnn_units": 2048,
    "attn_num_hidden": 2048,
    "attn_num_layers": 8,
    "target_embedding_size": 2048,
    "max_prediction": 1_000_000,
}


def time_steps(width: Any, stride: int) -> Any:
    """Time steps of images with `width` valid columns (an int, or an array of them)."""
    return (width + stride - 1) // stride


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build a model and to read with it. Raises ValueError."""

    alphabet: str = "0123456789"
    height: int = 32  # rows of the input image: a multiple of 16, 16 to 256
    channels: int = 1  # 1 grey, 3 colour
    architecture: str = "plain"  # a name in ENCODERS
    context: Context = "conv"  # what follows the encoder
    rnn_units: int = 64  # width of the context layers, each way
    normalisation: str = NORMALISATION
    temperature: float = 1.0  # of the softmax that gives confidences
    head: Head = "ctc"
    attn_num_hidden: int = 128  # width of each layer of the attention head
    attn_num_layers: int = 2
    target_embedding_size: int = 10  # of a character, in the attention head
    use_gru: bool = False  # GRU instead of LSTM in the attention head
    max_prediction: int = 0  # most characters of the attention head; 0: the time steps
    crop: CameraBox | None = None  # the box that pictures of its camera are read in
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        def check(ok: bool, name: str, fix: str) -> None:
            if not ok:
                raise ValueError(f"{name} {shown(getattr(self, name))}: {fix}")

        def choices(name: str, known: Any) -> None:
            check(getattr(self, name) in known, name, f"choose from {', '.join(map(str, known))}")

        # first: another version may have changed everything else
        check(self.schema == SCHEMA, "schema", f"this version reads {SCHEMA}; update ocr_simple")
        integers = {f.name for f in dataclasses.fields(self) if f.type in (int, "int")}
        for name in sorted(integers):
            check(type(getattr(self, name)) is int, name, "give a whole number")
        check(isinstance(self.alphabet, str), "alphabet", "give a string")
        Alphabet(self.alphabet)
        height_fits = 16 <= self.height <= 256 and self.height % 16 == 0
        check(height_fits, "height", "give a multiple of 16 from 16 to 256")
        check(self.channels in (1, 3), "channels", "give 1 (grey) or 3 (colour)")
        choices("architecture", sorted(ENCODERS))
        choices("context", get_args(Context))
        choices("head", get_args(Head))
        choices("normalisation", (NORMALISATION,))
        number = type(self.temperature) in (int, float)
        in_range = number and LEAST_TEMPERATURE <= self.temperature < 100
        check(in_range, "temperature", f"give at least {LEAST_TEMPERATURE}, and less than 100")
        for name, most in LARGEST.items():
            least = 0 if name == "max_prediction" else 1
            check(least <= getattr(self, name) <= most, name, f"give {least} to {most}")
        check(type(self.use_gru) is bool, "use_gru", "give true or false")

    def as_json(self) -> dict[str, Any]:
        """The entries of `ocr.json`; only a model that keeps a box has `crop`."""
        found = dataclasses.asdict(self)
        del found["crop"]  # which earlier versions do not know
        return found | ({"crop": self.crop.as_json()} if self.crop else {})

    @property
    def stride(self) -> int:
        """Image columns in one time step."""
        return ENCODERS[self.architecture].stride

    @property
    def least_parameters(self) -> int:
        """A rough lower bound of the number of parameters of the context layers and the head.

        A model file chooses the sizes of these layers. Before the model is built, this bound is
        compared with the size of the weights in the file. Change it only if the layers get far
        fewer parameters.
        """
        classes, units = len(self.alphabet) + 1, 2 * self.rnn_units
        if self.head == "ctc":
            return 4 * units**2 + classes * units
        hidden = self.attn_num_hidden
        recurrent = 3 * self.attn_num_layers * hidden**2
        embedding = classes * self.target_embedding_size
        return 4 * units**2 + recurrent + embedding + classes * (hidden + units)

    def steps_needed(self, text: str) -> int:
        """Time steps that the model needs to write `text`."""
        return len(text) if self.head == "attention" else ctc_steps_needed(text)

    @property
    def multiple(self) -> int:
        """Batches are padded to a multiple of this many columns."""
        return JAX_MULTIPLE if backend() == "jax" else max(self.stride, CONTEXT_STRIDE)


def padded_columns(width: int, multiple: int) -> int:
    """The columns that training pads images of up to `width` columns to: a multiple of `multiple`.

    On JAX, which compiles for each width, a power of two, so that there are few.
    """
    columns = -(-width // multiple) * multiple
    return 1 << (columns - 1).bit_length() if backend() == "jax" else columns


def pack_labels(steps: list[int], labels: list[list[int]]) -> np.ndarray:
    """Targets (batch, 2 + longest label) int32: time steps, label length, ids, zeros.

    On JAX, which compiles for each shape, labels are padded to a multiple of 16 ids.
    """
    longest = max(1, *map(len, labels))  # a line with nothing to read has no label
    if backend() == "jax":
        longest = -(-longest // 16) * 16
    packed = np.zeros((len(labels), 2 + longest), np.int32)
    for row, count, label in zip(packed, steps, labels):
        row[0], row[1], row[2 : 2 + len(label)] = count, len(label), label
    return packed


# --- the model file ---------------------------------------------------------------------------


class _ArchiveFile(io.BufferedReader):
    """A file that `zipfile` opens. It would read a directory of any size, and keep 500 bytes of
    memory for each entry."""

    most: float = MAX_DIRECTORY_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """Like a file's. Raises ValueError for more than `most` bytes."""
        if size is not None and size > self.most:
            raise ValueError(f"its list of entries has over {self.most:,} bytes")
        return super().read(size)


@contextlib.contextmanager
def open_archive(path: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    """A model file, opened as the archive it is, of a size that can be unpacked.

    Raises ValueError that names the file and the fix, also for errors while it is open.
    """
    try:
        with open_regular(path) as (opened, size), _ArchiveFile(opened.raw) as file:
            if file.peek(len(LFS_POINTER)).startswith(LFS_POINTER):
                raise ValueError(LFS_MESSAGE)
            most = min(MAX_ARCHIVE_BYTES, MAX_UNPACKED * size)
            with zipfile.ZipFile(file) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > most:
                    raise ValueError(f"unpacks to over {most:,} bytes")
                file.most = math.inf
                yield archive
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such model file; see --model and --model-dir") from error
    except FileRefused as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # zipfile, zlib and JSON raise many kinds
        raise ValueError(f"{path}: not a model of ocr_simple ({reason_of(error)})") from error


def read_spec(path: str | os.PathLike) -> ModelSpec:
    """The validated spec of a model file. Raises ValueError that names the file and the fix."""
    with open_archive(path) as archive:
        if SPEC_FILE not in archive.namelist():
            raise ValueError(f"no {SPEC_FILE} in it: not saved by ocr_simple")
        if archive.getinfo(SPEC_FILE).file_size > MAX_SPEC_BYTES:
            raise ValueError(f"its {SPEC_FILE} has over {MAX_SPEC_BYTES:,} bytes")
        values = json.loads(archive.read(SPEC_FILE))
        if not isinstance(values, dict):
            raise ValueError(f"{SPEC_FILE} is not an object")
        if "rnn" in values:
            former = values.pop("rnn")
            values["context"] = FORMER_CONTEXTS.get(str(former), former)
        if values.get("crop") is not None:
            values["crop"] = box_of_json(values["crop"])
        unknown = sorted(set(values) - set(ModelSpec.__dataclass_fields__))
        if values.get("schema") == SCHEMA and unknown:
            raise ValueError(f"{SPEC_FILE} has unknown entries {shown(unknown)}")
        return ModelSpec(**{k: v for k, v in values.items() if k not in unknown})
