"""The ONNX file beside a model file: `best.onnx` of `best.keras`. Neither Keras nor ONNX is needed.

With it a model is read without TensorFlow. It holds the SHA-256 of the model file that it was made
from, and is used for no other. A model with an attention head has a second one, `best.step.onnx`,
for one step of beam search. `best.int8.onnx` is the same network in 8 bits. Each ends with a
checksum, since a file with damaged weights would read other texts.

Such a file may be untrusted. What passes `read_onnx` has only ONNX's standard operations, names no
other file, and declares no array that is larger than its data. The format is protobuf: the field
numbers below are those of onnx.proto, and never change.
"""

import functools
import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

from ocr_simple.local_files import read_bytes
from ocr_simple.messages import shortened
from ocr_simple.spec import INT8, ONNX, SPEC_FILE, STEP, ModelSpec
from ocr_simple.written_files import digest

MADE_FROM, CHECKSUM = "keras_sha256", "sha256"  # in its metadata, besides SPEC_FILE
ROOM = 4 << 20  # bytes that it may have over twice those of the model file
MOST_FIELDS = 200_000  # of the messages in it; a deep model has ten thousand
MAX_DEPTH = 8  # graphs in each other: loops and branches; ours have two

# fields of onnx.proto, by message
MODEL_GRAPH, MODEL_METADATA, MODEL_TRAINING, MODEL_FUNCTIONS = 7, 14, 20, 25
NODES, INITIALIZERS, SPARSE_INITIALIZERS = 1, 5, 15
NODE_ATTRIBUTES, NODE_DOMAIN = 5, 7
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11
ATTRIBUTE_SPARSE = (22, 23)
DIMENSIONS, EXTERNAL_DATA, DATA_LOCATION = 1, 13, 14
KEY, VALUE = 1, 2  # of an entry of the metadata
ONNX_DOMAINS = (b"", b"ai.onnx")


def onnx_of(model: Path) -> Path:
    """The ONNX file of a model file, whether or not it is there."""
    return model.with_suffix(ONNX)


def int8_of(model: Path) -> Path:
    """The ONNX file of a model file in 8 bits, whether or not it is there."""
    return model.with_suffix(INT8)


def step_of(model: Path) -> Path:
    """The ONNX file of a model's attention head, for beam search; whether or not it is there."""
    return model.with_suffix(STEP)


def metadata(model: Path, spec: ModelSpec) -> dict[str, str]:
    """What the ONNX files of a model file hold besides the network. Raises OSError."""
    text = json.dumps(spec.as_json(), ensure_ascii=False)
    return {SPEC_FILE: text, MADE_FROM: digest(model)}


def sealed(content: bytes) -> bytes:
    """The content of an ONNX file with one more entry of its metadata: the checksum of the rest."""
    key, value = CHECKSUM.encode(), hashlib.sha256(content).hexdigest().encode()
    entry = _field(KEY, key) + _field(VALUE, value)
    return content + _field(MODEL_METADATA, entry)


def _field(number: int, content: bytes) -> bytes:
    """A field of a message, of up to 127 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


SEAL = len(sealed(b""))  # bytes of the checksum at the end of a file


def read_onnx(file: Path, model: Path) -> bytes:
    """An ONNX file of a model file, checked. Raises ValueError with the reason, and OSError.

    The file and the fix are for the caller to name. The files read last are kept in memory:
    a command checks them before it starts, and then loads them.
    """
    return _read(file, model, tuple(_state(path) for path in (file, model)))


def _state(path: Path) -> tuple[int, int, int]:
    """What differs if a file was written again."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


@functools.lru_cache(maxsize=2)  # the network, and the step of an attention head
def _read(file: Path, model: Path, state: tuple) -> bytes:
    """As `read_onnx`. state: of both files, so that one that was written again is read again."""
    content = read_bytes(file, 2 * os.path.getsize(model) + ROOM)
    try:
        about = _check(memoryview(content))
    except ValueError as error:
        raise ValueError(f"not an ONNX file of ocr_simple ({shortened(str(error))})") from error
    if about.get(MADE_FROM.encode()) != digest(model).encode():
        raise ValueError(f"made from another {model.name}")
    if CHECKSUM.encode() not in about:
        raise ValueError("it has no checksum; an earlier version wrote it")
    if sealed(content[:-SEAL]) != content:
        raise ValueError("damaged")
    return content


# --- protobuf ---------------------------------------------------------------------------------


class _Reader:
    """Reads the fields of messages, of which there may be MOST_FIELDS in all."""

    def __init__(self) -> None:
        self.left = MOST_FIELDS

    def fields(self, message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        """(number, value) of each field: bytes, or a whole number. Raises ValueError."""
        place = 0
        while place < len(message):
            self.left -= 1
            if self.left < 0:
                raise ValueError(f"over {MOST_FIELDS:,} fields")
            key, place = _varint(message, place)
            number, kind = key >> 3, key & 7
            if kind == 0:
                value, place = _varint(message, place)
                yield number, value
                continue
            size = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                size, place = _varint(message, place)
            if size is None or place + size > len(message):
                raise ValueError("damaged")
            yield number, message[place : place + size]
            place += size

    def messages(self, message: memoryview, *wanted: int) -> Iterator[memoryview]:
        """The fields with those numbers, all of which are messages. Raises ValueError."""
        for number, value in self.fields(message):
            if number in wanted:
                if isinstance(value, int):
                    raise ValueError("damaged")
                yield value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """(a whole number, the place after it). Raises ValueError."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("damaged")


# --- what a file may hold ---------------------------------------------------------------------


def _check(model: memoryview) -> dict[bytes, bytes]:
    """The metadata of a model. Raises ValueError for what is not allowed in it."""
    reader = _Reader()
    about: dict[bytes, bytes] = {}
    graphs = 0
    for number, value in reader.fields(model):
        if number in (MODEL_TRAINING, MODEL_FUNCTIONS):
            raise ValueError("it defines functions")
        if number in (MODEL_GRAPH, MODEL_METADATA) and isinstance(value, int):
            raise ValueError("damaged")
        if number == MODEL_METADATA:
            entry = dict(reader.fields(value))  # type: ignore[arg-type]
            about[bytes(entry.get(KEY, b""))] = bytes(entry.get(VALUE, b""))
        elif number == MODEL_GRAPH:
            graphs += 1
            _check_graph(reader, value, MAX_DEPTH)  # type: ignore[arg-type]
    if graphs != 1:
        raise ValueError("no network in it")
    return about


def _check_graph(reader: _Reader, graph: memoryview, depth: int) -> None:
    if depth == 0:
        raise ValueError(f"graphs are nested over {MAX_DEPTH} deep")
    for number, value in reader.fields(graph):
        if number == SPARSE_INITIALIZERS:
            raise ValueError("it has sparse arrays")
        if number in (NODES, INITIALIZERS):
            if isinstance(value, int):
                raise ValueError("damaged")
            if number == INITIALIZERS:
                _check_tensor(reader, value)
            else:
                _check_node(reader, value, depth)


def _check_node(reader: _Reader, node: memoryview, depth: int) -> None:
    for number, value in reader.fields(node):
        if number == NODE_DOMAIN and (isinstance(value, int) or bytes(value) not in ONNX_DOMAINS):
            raise ValueError("it has operations that ONNX does not define")
        if number != NODE_ATTRIBUTES:
            continue
        if isinstance(value, int):
            raise ValueError("damaged")
        for kind, item in reader.fields(value):
            if kind in ATTRIBUTE_SPARSE:
                raise ValueError("it has sparse arrays")
            if isinstance(item, int):
                continue
            if kind in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
                _check_tensor(reader, item)
            elif kind in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
                _check_graph(reader, item, depth - 1)


def _check_tensor(reader: _Reader, tensor: memoryview) -> None:
    """Raise ValueError for an array that is not in the file, or not all of it."""
    sizes: list[int] = []
    for number, value in reader.fields(tensor):
        if number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0):
            raise ValueError("it names another file")
        if number == DIMENSIONS:
            if isinstance(value, int):
                sizes.append(value)
            else:  # several of them in one field
                place = 0
                while place < len(value):
                    size, place = _varint(value, place)
                    sizes.append(size)
    if math.prod(sizes) > len(tensor):
        raise ValueError("it declares an array that is not in it")
