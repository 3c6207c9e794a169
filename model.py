"""The recogniser: an encoder, a wider view, class logits per time step (CTC) or attention.

    image (batch, height, width, channels) -> encoder -> features (batch, steps, channels)
        -> context: convolutions, with or without attention to the whole line, or LSTM or GRU
           both ways -> logits (batch, steps, classes)

after Shi et al. 2015, "An End-to-End Trainable Neural Network for Image-based Sequence
Recognition". Any width goes in; `time_steps` says how many steps come out.

An image's output does not depend on its company in a batch: whatever lies right of an image's
own columns is set back to zero after every block, the normalisation looks at one position at a
time, and the backward direction starts at the image's own last step.

A model is described by a `ModelSpec`; its file is a `.keras` archive that carries the spec as
`ocr.json`. Loading validates the JSON, builds the model from it and loads the weights: no code
in a file is ever run.
"""

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from attention import AttentionDecoder, attention_loss, teacher_forced
from devices import keras
from encoders import (
    BLOCK,
    ENCODERS,
    OwnColumns,
    OwnFeatureColumns,
    ReverseOwnColumns,
    Tensor,
)
from image import WIDTH_MULTIPLE
from text import BLANK, Alphabet, steps_needed

ops = keras.ops

SCHEMA = 1
SPEC_FILE = "ocr.json"
NORMALISATION = "median"  # image.normalise; named in the file, so that another one is told apart
MAX_ARCHIVE_BYTES = 1 << 30
JAX = keras.backend.backend() == "jax"
CLASS_AXES = {"logits/": -1, "embedding": 0}  # of weights that belong to characters, by their path
ADDED = (BLOCK, "line_")  # of weights that start as if they were not there
HEADS = ("logits/", "decoder/")  # how the paths of a head's weights begin
RNNS = ("none", "transformer", "lstm", "gru")
CONTEXT_STRIDE = 4  # columns of an image that make one step of context, at least


# --- the model --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build a model and to read with it; `ocr.json` in its file."""

    alphabet: str = "0123456789"
    height: int = 32  # pixels of a line image
    channels: int = 1  # 1 grey, 3 colour
    architecture: str = "plain"  # an entry of ENCODERS
    rnn: str = "none"  # none (convolutions), transformer (and attention), lstm or gru
    rnn_units: int = 64  # each way; convolutions have twice as many filters
    normalisation: str = NORMALISATION
    temperature: float = 1.0  # of the softmax that gives confidences
    head: str = "ctc"  # or attention
    attn_num_hidden: int = 128  # of each layer of the attention head
    attn_num_layers: int = 2
    target_embedding_size: int = 10  # of a character in the attention head
    use_gru: bool = False  # in the attention head, instead of LSTM
    max_prediction: int = 0  # most characters; 0 for no limit but the time steps
    schema: int = SCHEMA

    def __post_init__(self):
        def check(ok: bool, name: str, mend: str) -> None:
            if not ok:
                raise ValueError(f"{name} {getattr(self, name)!r} cannot be used; {mend}")

        check(
            type(self.schema) is int and self.schema == SCHEMA,
            "schema",
            f"this version reads {SCHEMA}; update ocr_simple",
        )
        check(isinstance(self.alphabet, str), "alphabet", "give a string")
        Alphabet(self.alphabet)
        check(
            type(self.height) is int and 16 <= self.height <= 256 and self.height % 16 == 0,
            "height",
            "give a multiple of 16 from 16 to 256",
        )
        check(
            type(self.channels) is int and self.channels in (1, 3),
            "channels",
            "give 1 (grey) or 3 (colour)",
        )
        check(
            self.architecture in ENCODERS,
            "architecture",
            f"known are {', '.join(sorted(ENCODERS))}",
        )
        check(self.rnn in RNNS, "rnn", f"known are {', '.join(RNNS)}")
        check(
            type(self.rnn_units) is int and 1 <= self.rnn_units <= 2048,
            "rnn_units",
            "give 1 to 2048",
        )
        check(self.normalisation == NORMALISATION, "normalisation", f"known is {NORMALISATION!r}")
        check(
            type(self.temperature) in (int, float) and 0 < self.temperature < 100,
            "temperature",
            "give a number over 0 and under 100",
        )
        check(self.head in ("ctc", "attention"), "head", "known are ctc, attention")
        for name, least, most in (
            ("attn_num_hidden", 1, 2048),
            ("attn_num_layers", 1, 8),
            ("target_embedding_size", 1, 2048),
            ("max_prediction", 0, 1_000_000),
        ):
            value = getattr(self, name)
            check(type(value) is int and least <= value <= most, name, f"give {least} to {most}")
        check(type(self.use_gru) is bool, "use_gru", "give true or false")

    @property
    def stride(self) -> int:
        """Columns of an image that make one time step."""
        return ENCODERS[self.architecture].stride

    def steps_needed(self, text: str) -> int:
        """Time steps that an image has to give for the model to write `text`."""
        return len(text) if self.head == "attention" else steps_needed(text)

    @property
    def multiple(self) -> int:
        """Columns of which a batch is padded to a multiple: those of one step of context.

        On JAX, which compiles anew for each shape, more, so that few distinct shapes exist.
        """
        return WIDTH_MULTIPLE if JAX else max(self.stride, CONTEXT_STRIDE)


def build(spec: ModelSpec, seed: int | None = None) -> keras.Model:
    """A model with fresh weights: {"image", "width"} -> logits (batch, steps, classes).

    image: float32 (batch, height, width, channels), normalised and padded by `image.py` to a
    width that is a multiple of `spec.multiple`; width: int32 (batch,), each image's own columns.

    With head "attention" it gives {"logits": (batch, characters, classes), "attention": (batch,
    characters, steps)}: a row for each character read and one for the end symbol, class 0; in
    rows behind a line's end all is 0. `attention.teacher_forced` makes of it what is trained.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    image = keras.Input((spec.height, None, spec.channels), name="image")
    width = keras.Input((), dtype="int32", name="width")
    features, view, own = encode(image, width, spec)
    classes = Alphabet(spec.alphabet).classes
    if spec.head == "attention":
        outputs = AttentionDecoder(
            classes,
            spec.attn_num_hidden,
            spec.attn_num_layers,
            spec.target_embedding_size,
            spec.use_gru,
            reach=spec.height // spec.stride,  # a line's height: wider than most characters
            max_prediction=spec.max_prediction,
            name="decoder",
        )(features, view, own)
    else:
        outputs = keras.layers.Dense(classes, dtype="float32", name="logits")(view)
    model = keras.Model({"image": image, "width": width}, outputs, name="ocr_simple")
    model.spec = spec
    return model


def encode(image: Tensor, width: Tensor, spec: ModelSpec) -> tuple[Tensor, Tensor, Tensor]:
    """What both heads read: features (batch, steps, channels), and the own ones (batch, steps)."""
    own = OwnFeatureColumns(spec.stride, name="own")(image, width)  # (batch, steps)

    def mask(x: Tensor) -> Tensor:
        return OwnColumns()(x, own)

    x = ENCODERS[spec.architecture].build(image, mask)  # (batch, rows, steps, channels)
    rows, channels = x.shape[1], x.shape[3]
    x = keras.layers.Permute((2, 1, 3), name="columns_first")(x)  # (batch, steps, rows, channels)
    x = keras.layers.Reshape((-1, rows * channels), name="flatten_rows")(x)
    x = keras.layers.Dense(2 * spec.rnn_units, name="features")(x)  # (batch, steps, 2 * units)
    x = keras.layers.LayerNormalization(name="features_norm")(x)
    x = mask(keras.layers.ReLU(name="features_relu")(x))
    if spec.stride >= CONTEXT_STRIDE:
        return x, context(x, own, spec), own
    fewer = CONTEXT_STRIDE // spec.stride  # the wider view needs fewer steps
    wide = keras.layers.AveragePooling1D(fewer, name="coarse")(x)
    wide = context(wide, OwnFeatureColumns(CONTEXT_STRIDE)(image, width), spec)
    wide = keras.layers.UpSampling1D(fewer, name="upsample")(wide)  # (batch, steps, 2 * units)
    return x, keras.layers.Concatenate(name="fine_and_wide")([x, wide]), own


def context(x: Tensor, own: Tensor, spec: ModelSpec) -> Tensor:
    """A wider view of features (batch, steps, 2 * units), of the same shape."""
    if spec.rnn in ("none", "transformer"):
        for i in (1, 2):
            y = keras.layers.Conv1D(
                2 * spec.rnn_units, 5, padding="same", use_bias=False, name=f"context{i}"
            )(x)
            y = keras.layers.LayerNormalization(name=f"context_norm{i}")(y)
            y = OwnColumns()(keras.layers.ReLU(name=f"context_relu{i}")(y), own)
            x = keras.layers.Add(name=f"context_add{i}")([x, y])
        return x if spec.rnn == "none" else whole_line(x, own, spec)
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[spec.rnn]
    forward = layer(spec.rnn_units, return_sequences=True, name="forward")(x)
    backward = ReverseOwnColumns(name="to_backward")(x, own)
    backward = layer(spec.rnn_units, return_sequences=True, name="backward")(backward)
    backward = ReverseOwnColumns(name="from_backward")(backward, own)
    return keras.layers.Concatenate(name="both_ways")([forward, backward])


def whole_line(x: Tensor, own: Tensor, spec: ModelSpec) -> Tensor:
    """Each step beside what it finds elsewhere in its line: its font, hand and print.

    Self-attention as in Vaswani et al. 2017; like a residual block it starts as if it were not
    there. x: (batch, steps, 2 * units), and so is what comes back.
    """
    y = keras.layers.LayerNormalization(name="line_norm")(x)
    query, key, value = (
        keras.layers.Dense(
            spec.rnn_units, use_bias=False, kernel_initializer="random_normal", name=f"line_{name}"
        )(y)
        for name in ("query", "key", "value")
    )
    found = keras.layers.Attention(name="line_attention")(
        [query, value, key], mask=[None, ops.cast(own, "bool")]
    )
    y = keras.layers.Concatenate(name="line_both")([y, found])
    y = keras.layers.Dense(spec.rnn_units, activation="relu", name="line_dense1")(y)
    y = keras.layers.Dense(2 * spec.rnn_units, kernel_initializer="zeros", name="line_dense2")(y)
    return OwnColumns()(keras.layers.Add(name="line_add")([x, y]), own)


def pack_labels(steps: list[int], labels: list[list[int]]) -> np.ndarray:
    """CTC targets (batch, 2 + longest label) int32: time steps, label length, ids, zeros.

    On JAX, which compiles anew for each shape, labels are as long as a multiple of 16.
    """
    longest = max(map(len, labels))
    packed = np.zeros((len(labels), 2 + (-(-longest // 16) * 16 if JAX else longest)), np.int32)
    for row, own, label in zip(packed, steps, labels):
        row[0], row[1], row[2 : 2 + len(label)] = own, len(label), label
    return packed


@keras.saving.register_keras_serializable("ocr_simple")
def ctc_loss(y_true: Tensor, logits: Tensor) -> Tensor:
    """CTC loss of each line (batch,), over its own time steps.

    y_true: see `pack_labels`; each label has a character at least.
    """
    y_true = ops.cast(y_true, "int32")
    steps, length, labels = y_true[:, 0], y_true[:, 1], y_true[:, 2:]
    if keras.backend.backend() != "tensorflow":
        return ops.ctc_loss(labels, logits, length, steps, mask_index=BLANK)
    import tensorflow as tf  # whose op for sparse labels is the quicker one

    own = tf.sequence_mask(length, tf.shape(labels)[1])
    sparse = tf.SparseTensor(
        tf.where(own), tf.boolean_mask(labels, own), tf.cast(tf.shape(labels), tf.int64)
    )
    return tf.nn.ctc_loss(sparse, logits, None, steps, logits_time_major=False, blank_index=BLANK)


def to_train(model: keras.Model) -> tuple[keras.Model, Callable]:
    """What learns in place of `model`, with its weights, and the loss of it: see `ctc_loss`."""
    if model.spec.head == "ctc":
        return model, ctc_loss
    if not hasattr(model, "teacher_forced"):  # made once: it is compiled anew each time
        model.teacher_forced = teacher_forced(model)
        model.teacher_forced.compile(jit_compile=JAX)
    return model.teacher_forced, attention_loss


def predictor(model: keras.Model) -> Callable[[dict[str, np.ndarray]], Any]:
    """As `model.predict_on_batch`, in one graph for every shape: TensorFlow makes one for each.

    Looking for it among hundreds takes longer than some lines do to read.
    """
    if keras.backend.backend() != "tensorflow":
        if not model.compiled:
            model.compile(jit_compile=JAX)
        return model.predict_on_batch
    import tensorflow as tf

    signature = {name: tf.TensorSpec(x.shape, x.dtype, name) for name, x in model.input.items()}
    graph = tf.function(lambda x: model(x, training=False), input_signature=[signature])
    return lambda x: tf.nest.map_structure(lambda output: output.numpy(), graph(x))


def training_inputs(spec: ModelSpec, x: dict[str, np.ndarray], y: np.ndarray) -> dict:
    """A batch's inputs as what `to_train` gives takes them: an attention head's has the labels."""
    return x if spec.head == "ctc" else x | {"label": y[:, 2:]}


def error_rates(truths: list[str], texts: list[str]) -> tuple[float, float]:
    """(share of lines read exactly, character error rate: edits over characters of truth)."""
    exact = sum(truth == text for truth, text in zip(truths, texts)) / len(truths)
    edits = sum(Levenshtein.distance(truth, text) for truth, text in zip(truths, texts))
    return exact, edits / max(1, sum(map(len, truths)))


# --- save and load ------------------------------------------------------------------------------


def save(model: keras.Model, path: str | os.PathLike) -> None:
    """Write `model` with its spec to one `.keras` file, whole or not at all; no optimiser state."""
    path = Path(path)
    bare = build(model.spec)
    bare.set_weights(model.get_weights())
    temporary = path.with_name(f".{path.stem}.partial.keras")
    try:
        bare.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(
                SPEC_FILE, json.dumps(asdict(model.spec), ensure_ascii=False, indent=1)
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_spec(path: str | os.PathLike) -> ModelSpec:
    """The validated spec of a model file. Raises ValueError that names the file and the mend."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_ARCHIVE_BYTES:
                raise ValueError(f"unpacks to over {MAX_ARCHIVE_BYTES:,} bytes")
            values = json.loads(archive.read(SPEC_FILE))
        if not isinstance(values, dict):
            raise ValueError(f"{SPEC_FILE} is not an object")
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


def load(path: str | os.PathLike) -> keras.Model:
    """The model in a file. Raises ValueError that names the file and the mend."""
    model = build(read_spec(path))
    try:
        model.load_weights(os.fspath(path))
    except Exception as error:  # h5py and Keras raise many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: its weights do not fit its {SPEC_FILE} ({reason})") from error
    return model


def transfer(source: keras.Model, target: keras.Model) -> str:
    """Start `target` with the weights of `source`; returns the characters that have none there.

    The two may differ in their alphabets, where classes go by their characters, in their heads,
    where another one starts anew with all of its characters, and in residual blocks and attention
    to the line that only `target` has, which start as if they were not there. Raises ValueError.
    """
    known, wanted = Alphabet(source.spec.alphabet).ids, Alphabet(target.spec.alphabet).ids
    same_head = source.spec.head == target.spec.head
    pairs = [(BLANK, BLANK)] + [(known[c], i) for c, i in wanted.items() if c in known]
    before, after = map(list, zip(*pairs))
    values = {v.path: ops.convert_to_numpy(v) for v in source.weights}
    for variable in target.weights:
        if variable.path.startswith(HEADS) and not same_head:
            continue
        start = values.get(variable.path)
        if start is None and variable.path.startswith(ADDED):
            continue
        if start is None:
            raise ValueError(f"the model to start from has no {variable.path}; build both alike")
        axis = next((a for name, a in CLASS_AXES.items() if name in variable.path), None)
        if axis is not None:
            mixed = np.moveaxis(ops.convert_to_numpy(variable).copy(), axis, 0)
            mixed[after] = np.moveaxis(start, axis, 0)[before]
            start = np.moveaxis(mixed, 0, axis)
        if start.shape != tuple(variable.shape):
            raise ValueError(
                f"{variable.path} is {start.shape} in the model to start from, not "
                f"{tuple(variable.shape)}; build both alike"
            )
        variable.assign(start)
    return "".join(c for c in wanted if not same_head or c not in known)
