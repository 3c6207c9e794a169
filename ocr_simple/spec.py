"""What a model is: its alphabet, input, architecture and head, and what follows from them.

`ModelSpec` is kept as `ocr.json` in every model file. Keras is not needed here.
"""

import dataclasses
import json
import os
import zipfile
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ocr_simple.network.backend import backend
from ocr_simple.network.encoders import ENCODERS
from ocr_simple.storage import LFS_POINTER
from ocr_simple.text import Alphabet, ctc_steps_needed

SCHEMA = 1
SPEC_FILE = "ocr.json"
NORMALISATION = "median"  # see `images.normalise`
MAX_ARCHIVE_BYTES = 1 << 30
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
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        def check(ok: bool, name: str, fix: str) -> None:
            if not ok:
                raise ValueError(f"{name} {getattr(self, name)!r}: {fix}")

        def choices(name: str, known: Any) -> None:
            check(getattr(self, name) in known, name, f"choose from {', '.join(map(str, known))}")

        integers = {f.name for f in dataclasses.fields(self) if f.type in (int, "int")}
        for name in sorted(integers):
            check(type(getattr(self, name)) is int, name, "give a whole number")
        check(self.schema == SCHEMA, "schema", f"this version reads {SCHEMA}; update ocr_simple")
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
        in_range = number and 0 < self.temperature < 100
        check(in_range, "temperature", "give a number above 0 and below 100")
        for name, most in LARGEST.items():
            least = 0 if name == "max_prediction" else 1
            check(least <= getattr(self, name) <= most, name, f"give {least} to {most}")
        check(type(self.use_gru) is bool, "use_gru", "give true or false")

    @property
    def stride(self) -> int:
        """Image columns in one time step."""
        return ENCODERS[self.architecture].stride

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


def read_spec(path: str | os.PathLike) -> ModelSpec:
    """The validated spec of a model file. Raises ValueError that names the file and the fix."""
    try:
        with open(path, "rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise ValueError("a pointer of Git LFS; fetch the file with git lfs pull")
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_ARCHIVE_BYTES:
                raise ValueError(f"unpacks to over {MAX_ARCHIVE_BYTES:,} bytes")
            values = json.loads(archive.read(SPEC_FILE))
        if not isinstance(values, dict):
            raise ValueError(f"{SPEC_FILE} is not an object")
        if "rnn" in values:
            former = values.pop("rnn")
            values["context"] = FORMER_CONTEXTS.get(former, former)
        unknown = set(values) - set(ModelSpec.__dataclass_fields__)
        if values.get("schema") == SCHEMA and unknown:
            raise ValueError(f"{SPEC_FILE} has unknown entries {sorted(unknown)}")
        return ModelSpec(**{k: v for k, v in values.items() if k not in unknown})
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such model file; see --model and --model-dir") from error
    except KeyError as error:
        raise ValueError(f"{path}: no {SPEC_FILE} in it; not saved by ocr_simple") from error
    except Exception as error:  # zipfile, zlib and JSON raise many kinds
        raise ValueError(f"{path}: not a model of ocr_simple ({error})") from error
