"""The recogniser: an encoder, context layers, and a head for CTC or attention.

    image (batch, height, width, channels) -> encoder -> features (batch, steps, channels)
        -> context: convolutions, with or without self-attention, or LSTM or GRU both ways
        -> logits (batch, steps, classes)

after Shi et al. 2015, "An End-to-End Trainable Neural Network for Image-based Sequence
Recognition". Any width can go in; `spec.time_steps` says how many steps come out.

The result for an image does not depend on what else is in the batch: padded columns are set back
to zero after every block, the normalisation looks at one position at a time, and the backward
direction starts at the image's last valid step.

A model file is a `.keras` archive that carries the model's `ModelSpec` as `ocr.json`. Loading
validates the JSON, builds the model from it and loads the weights: no code in a file is ever run.
"""

import dataclasses
import functools
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ocr_simple import preprocessing
from ocr_simple.datasets.batches import Example, collate
from ocr_simple.datasets.crops import kept_box
from ocr_simple.datasets.labelled_lines import LabelledLines
from ocr_simple.datasets.usable_images import why_unusable
from ocr_simple.engines import onnx_writer
from ocr_simple.engines.engine import Engine
from ocr_simple.engines.onnx_engine import why_not_onnx
from ocr_simple.engines.step_decoder import StepDecoder
from ocr_simple.errors import TrainError
from ocr_simple.messages import reason_of
from ocr_simple.network.attention import AttentionDecoder, attention_loss, halves, teacher_forced
from ocr_simple.network.backend import backend, keras, side_by_side
from ocr_simple.network.encoders import BLOCK, ENCODERS, strides_at_masks
from ocr_simple.network.layers import MaskPadding, ReverseValid, ValidColumns
from ocr_simple.options import TrainOptions
from ocr_simple.runs.model_files import find_model
from ocr_simple.runs.model_weights import check_fit, check_weights, damaged
from ocr_simple.spec import CONTEXT_STRIDE, SPEC_FILE, ModelSpec, read_spec, time_steps
from ocr_simple.text import BLANK, Alphabet
from ocr_simple.written_files import replacing_file

ops = keras.ops
Tensor = Any  # of Keras's backend

CLASS_AXES = {"logits/": -1, "embedding": 0}  # parts of weights' paths -> their axis of classes
OPTIONAL = (BLOCK, "line_")  # how the paths of layers begin that change nothing until trained
HEAD = ("logits/", "decoder/")  # how the paths of the head's weights begin
# What each filter of a grey model is multiplied by for red, green and blue, when the model is
# extended to colour. The factors sum to 1, so grey images are read as before. So do their squares,
# so the filters keep their norm.
GREY_TO_RGB = np.array([2 / 3, 2 / 3, -1 / 3], np.float32)
HEAD_FIELDS = ("head", "attn_num_hidden", "attn_num_layers", "target_embedding_size", "use_gru")


# --- the network ------------------------------------------------------------------------------


def build(spec: ModelSpec, seed: int | None = None) -> keras.Model:
    """A model with fresh weights: {"image", "width"} -> logits (batch, steps, classes).

    image: float32 (batch, height, width, channels), normalised and padded by `preprocessing.py` to
    a width that is a multiple of `spec.multiple`; width: int32 (batch,), the valid columns.

    With the attention head: {"logits": (batch, characters, classes), "attention": (batch,
    characters, steps)}, a row for each character and one for the end symbol, class 0. Rows after
    a line's end are 0. `trainable` gives the model that is trained in its place.
    """
    # before the seed is set, as it draws random numbers the first time
    strides_at_masks(ENCODERS[spec.architecture], spec.height, spec.channels)
    if seed is not None:
        keras.utils.set_random_seed(seed)
    image = keras.Input((spec.height, None, spec.channels), name="image")
    width = keras.Input((), dtype="int32", name="width")
    features, view, valid = encode(image, width, spec)
    classes = Alphabet(spec.alphabet).classes
    if spec.head == "attention":
        outputs = AttentionDecoder(
            classes,
            spec.attn_num_hidden,
            spec.attn_num_layers,
            spec.target_embedding_size,
            spec.use_gru,
            reach=spec.height // spec.stride,  # in steps: as wide as a line is high
            max_prediction=spec.max_prediction,
            name="decoder",
        )(features, view, valid)
    else:
        head = keras.layers.Dense(classes, dtype="float32", name="logits")
        outputs = head(view)  # (batch, steps, classes)
    model = keras.Model({"image": image, "width": width}, outputs, name="ocr_simple")
    model.spec = spec
    return model


def encode(image: Tensor, width: Tensor, spec: ModelSpec) -> tuple[Tensor, Tensor, Tensor]:
    """(features, features with context, valid steps) for the heads: (batch, steps, ...) each."""
    steps = time_steps(width, spec.stride)  # (batch,)
    valid = ValidColumns(spec.stride, name="valid")(image, steps)  # (batch, steps)
    masks = {spec.stride: valid}  # by image columns in one column of features

    encoder = ENCODERS[spec.architecture]
    strides = iter(strides_at_masks(encoder, spec.height, spec.channels))

    def mask(x: Tensor) -> Tensor:
        stride = next(strides)
        if stride not in masks:
            masks[stride] = ValidColumns(stride, spec.stride // stride)(image, steps)
        return MaskPadding()(x, masks[stride])

    x = encoder.build(image, mask)  # (batch, rows, steps, channels)
    rows, channels = x.shape[1], x.shape[3]
    x = keras.layers.Permute((2, 1, 3), name="columns_first")(x)  # (batch, steps, rows, channels)
    x = keras.layers.Reshape((-1, rows * channels), name="flatten_rows")(x)
    x = keras.layers.Dense(2 * spec.rnn_units, name="features")(x)  # (batch, steps, 2 * units)
    x = keras.layers.LayerNormalization(name="features_norm")(x)
    x = MaskPadding()(keras.layers.ReLU(name="features_relu")(x), valid)
    if spec.stride >= CONTEXT_STRIDE:
        return x, context(x, valid, spec), valid
    # context needs fewer steps than narrow characters do
    fewer = CONTEXT_STRIDE // spec.stride
    wide = keras.layers.AveragePooling1D(fewer, name="coarse")(x)  # (batch, steps / fewer, ...)
    coarse_steps = time_steps(width, CONTEXT_STRIDE)
    wide = context(wide, ValidColumns(CONTEXT_STRIDE)(image, coarse_steps), spec)
    wide = keras.layers.UpSampling1D(fewer, name="upsample")(wide)  # (batch, steps, 2 * units)
    return x, keras.layers.Concatenate(name="fine_and_wide")([x, wide]), valid


def context(x: Tensor, valid: Tensor, spec: ModelSpec) -> Tensor:
    """Features (batch, steps, 2 * units) that know more of their line; the same shape."""
    if spec.context in ("conv", "attention"):
        for i in (1, 2):
            y = keras.layers.Conv1D(
                2 * spec.rnn_units, 5, padding="same", use_bias=False, name=f"context{i}"
            )(x)
            y = keras.layers.LayerNormalization(name=f"context_norm{i}")(y)
            y = MaskPadding()(keras.layers.ReLU(name=f"context_relu{i}")(y), valid)
            x = keras.layers.Add(name=f"context_add{i}")([x, y])
        return x if spec.context == "conv" else self_attention(x, valid, spec)
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[spec.context]
    forward = layer(spec.rnn_units, return_sequences=True, name="forward")(x)
    backward = ReverseValid(name="to_backward")(x, valid)
    backward = layer(spec.rnn_units, return_sequences=True, name="backward")(backward)
    backward = ReverseValid(name="from_backward")(backward, valid)
    return keras.layers.Concatenate(name="both_ways")([forward, backward])


def self_attention(x: Tensor, valid: Tensor, spec: ModelSpec) -> Tensor:
    """Self-attention along the line: a step can use what the same font or hand shows elsewhere.
    After Vaswani et al. 2017. x and the result: (batch, steps, 2 * units). With its initial
    weights it changes nothing, so training can start from a model without it.
    """
    y = keras.layers.LayerNormalization(name="line_norm")(x)
    query, key, value = (
        keras.layers.Dense(
            spec.rnn_units, use_bias=False, kernel_initializer="random_normal", name=f"line_{name}"
        )(y)
        for name in ("query", "key", "value")
    )
    found = keras.layers.Attention(name="line_attention")(
        [query, value, key], mask=[None, ops.cast(valid, "bool")]
    )  # (batch, steps, units)
    y = keras.layers.Concatenate(name="line_both")([y, found])
    y = keras.layers.Dense(spec.rnn_units, activation="relu", name="line_dense1")(y)
    y = keras.layers.Dense(2 * spec.rnn_units, kernel_initializer="zeros", name="line_dense2")(y)
    return MaskPadding()(keras.layers.Add(name="line_add")([x, y]), valid)


# --- what is trained, and how it is called --------------------------------------------------


def ctc_loss(y_true: Tensor, logits: Tensor) -> Tensor:
    """CTC loss of each line (batch,), over its valid time steps (Graves et al. 2006).

    y_true: see `spec.pack_labels`; the label of a line with nothing to read is empty.
    """
    y_true = ops.cast(y_true, "int32")
    steps, length, labels = y_true[:, 0], y_true[:, 1], y_true[:, 2:]
    if backend() != "tensorflow":
        return ops.ctc_loss(labels, logits, length, steps, mask_index=BLANK)
    import tensorflow as tf  # its op for sparse labels is faster, but takes no empty label

    empty = length == 0
    in_label = tf.sequence_mask(tf.maximum(length, 1), tf.shape(labels)[1])
    labels = tf.where(empty[:, None], 1, labels)  # any label: its loss is not used
    sparse = tf.SparseTensor(
        tf.where(in_label), tf.boolean_mask(labels, in_label), tf.cast(tf.shape(labels), tf.int64)
    )
    loss = tf.nn.ctc_loss(sparse, logits, None, steps, logits_time_major=False, blank_index=BLANK)
    valid = tf.sequence_mask(steps, tf.shape(logits)[1], logits.dtype)  # (batch, steps)
    blank = -tf.reduce_sum(valid * tf.nn.log_softmax(logits)[:, :, BLANK], axis=1)
    return tf.where(empty, blank, loss)


def robust(loss: Callable, strength: float) -> Callable:
    """`loss`, -log p of each line (batch,), changed so that improbable lines weigh less.

    A line of n characters, whose mean probability is q = p**(1 / n), costs
    n (1 - q**strength) / strength: nearly -log p where q is near 1, and at most n / strength.
    After Zhang and Sabuncu 2018, "Generalized Cross Entropy Loss for Training Deep Neural Networks
    with Noisy Labels".
    """

    def robust_loss(y_true: Tensor, logits: Tensor) -> Tensor:
        length = ops.maximum(ops.cast(y_true[:, 1], logits.dtype), 1.0)
        return -ops.expm1(-strength * loss(y_true, logits) / length) * length / strength

    return robust_loss if strength else loss


def trainable(model: keras.Model) -> tuple[keras.Model, Callable]:
    """The trainable model (sharing weights with `model`) and its loss, like `ctc_loss`."""
    if model.spec.head == "ctc":
        return model, ctc_loss
    if not hasattr(model, "teacher_forced"):  # made once: each one is compiled again
        model.teacher_forced = teacher_forced(model)
        model.teacher_forced.compile(jit_compile=backend() == "jax")
    return model.teacher_forced, attention_loss


def predictor(model: keras.Model) -> Callable[[dict[str, np.ndarray]], Any]:
    """`model.predict_on_batch`, but on TensorFlow with one graph for all shapes.

    Looking up one graph per shape takes longer than reading a short line.
    """
    if backend() != "tensorflow":
        if not model.compiled:
            model.compile(jit_compile=backend() == "jax")
        return model.predict_on_batch
    import tensorflow as tf

    signature = {name: tf.TensorSpec(x.shape, x.dtype, name) for name, x in model.input.items()}
    if not hasattr(model, "graph"):  # made once; a concrete one, or TensorFlow warns of many models
        function = tf.function(
            lambda x: model(x, training=False), input_signature=[signature], autograph=False
        )
        model.graph = function.get_concrete_function()
    return lambda x: tf.nest.map_structure(lambda output: output.numpy(), model.graph(x))


class KerasEngine(Engine):
    """Reads with a Keras model."""

    def __init__(self, model: keras.Model):
        self.model, self.spec = model, model.spec
        self.at_once = side_by_side()
        self._predict = predictor(model)

    def run(self, x: dict[str, np.ndarray]) -> Any:
        """As `Engine.run`."""
        return self._predict(x)

    def step_decoder(self) -> StepDecoder:
        """As `Engine.step_decoder`."""
        return StepDecoder(self.spec, *halves(self.model))


def training_inputs(spec: ModelSpec, x: dict[str, np.ndarray], y: np.ndarray) -> dict:
    """A batch's inputs for the trainable model: an attention head also sees the labels."""
    return x if spec.head == "ctc" else x | {"label": y[:, 2:]}


def losses(model: keras.Model, examples: Sequence[Example]) -> np.ndarray:
    """Loss of each labelled line (lines,); infinite for a label that the model cannot write."""
    spec, found = model.spec, np.full(len(examples), np.inf)
    stream = LabelledLines([], spec)
    scorer, loss = trainable(model)
    logits_of = predictor(scorer)
    possible = [i for i, each in enumerate(examples) if why_unusable(*each[:2], spec) is None]
    sizes = [examples[i][0].shape[:2] for i in possible]
    widths = [preprocessing.scaled_width(columns, rows, spec.height) for rows, columns in sizes]
    for batch in preprocessing.batches(widths, stream.multiple):
        chosen = [possible[i] for i in batch]
        x, y = collate([examples[i] for i in chosen], stream)
        logits = logits_of(training_inputs(spec, x, y))
        found[chosen] = ops.convert_to_numpy(loss(y, logits))
    return found


# --- save and load ------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)  # a run saves many models of one network
def _bare(spec: ModelSpec) -> keras.Model:
    """A model to be saved with the weights of another one, and without its optimiser."""
    return build(spec)


def save(model: keras.Model, path: str | os.PathLike) -> None:
    """Write `model` with its spec to one `.keras` file, whole or not at all; no optimiser state."""
    path = Path(path)
    bare = _bare(dataclasses.replace(model.spec, temperature=1.0))
    bare.set_weights(model.get_weights())
    with replacing_file(path, ending=".keras") as temporary:
        bare.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            text = json.dumps(model.spec.as_json(), ensure_ascii=False, indent=1)
            archive.writestr(SPEC_FILE, text)


def save_onnx(path: Path, model: keras.Model | None = None) -> str:
    """Write the ONNX files beside a model file, unless they exist.

    model: the model in the file, if it is loaded already. Returns "", or why they cannot be
    written: the converter is not installed, or does not support the network. Raises ValueError for
    a file that is not a model, and OSError.
    """
    if not why_not_onnx(path):
        return ""
    if not onnx_writer.can_write():
        return "tf2onnx or TensorFlow is not installed, or not what Keras uses"
    try:
        onnx_writer.write_onnx(model or load(path), path)
    except onnx_writer.NotConverted as error:
        return str(error)
    return ""


def load(path: str | os.PathLike) -> keras.Model:
    """The model in a file. Raises ValueError that names the file and the fix.

    The file is checked before the model is built, and again before its weights are read.
    """
    spec = read_spec(path)
    found = check_weights(path, spec)
    if Path(path).suffix != ".keras":
        raise ValueError(f"{path}: Keras reads only files that are named .keras; rename it")
    model = build(spec)
    weights, variables = (
        {v.path: (tuple(v.shape), keras.backend.standardize_dtype(v.dtype)) for v in owned}
        for owned in (model.weights, model.variables)
    )
    others = {name: kind for name, kind in variables.items() if name not in weights}
    check_fit(path, found, weights, others)
    try:
        model.load_weights(os.fspath(path))
    except Exception as error:  # h5py and Keras raise many kinds
        raise damaged(path, reason_of(error)) from error
    return model


def mean(parts: Sequence[keras.Model]) -> keras.Model:
    """Average the weights of models of one network. Changes and returns the first of them."""
    weights = zip(*(part.get_weights() for part in parts))
    parts[0].set_weights([np.mean(values, axis=0) for values in weights])
    return parts[0]


def transfer(source: keras.Model, target: keras.Model) -> str:
    """Start `target` with the weights of `source`.

    Returns the characters of `target` that `source` has no weights for: the two may differ in
    alphabet, and classes are matched by their characters. A different head starts from scratch.
    Residual blocks and self-attention may be in `target` only: they change nothing until they are
    trained. So may colour: grey images are then read as before. Raises ValueError.
    """
    known, wanted = Alphabet(source.spec.alphabet).ids, Alphabet(target.spec.alphabet).ids
    same_head = source.spec.head == target.spec.head
    pairs = [(BLANK, BLANK)] + [(known[c], i) for c, i in wanted.items() if c in known]
    before, after = map(list, zip(*pairs))
    values = {v.path: ops.convert_to_numpy(v) for v in source.weights}
    for variable in target.weights:
        if variable.path.startswith(HEAD) and not same_head:
            continue
        start = values.get(variable.path)
        if start is None and variable.path.startswith(OPTIONAL):
            continue
        if start is None:
            raise ValueError(
                f"it has no weights {variable.path}; use its --architecture, --context and --head"
            )
        if start.ndim == 4 and start.shape[2] == 1 and variable.shape[2] == 3:
            start = start * GREY_TO_RGB[:, np.newaxis]  # (rows, columns, colours, filters)
        axis = next((a for name, a in CLASS_AXES.items() if name in variable.path), None)
        if axis is not None:
            mixed = np.moveaxis(ops.convert_to_numpy(variable).copy(), axis, 0)
            mixed[after] = np.moveaxis(start, axis, 0)[before]
            start = np.moveaxis(mixed, 0, axis)
        if start.shape != tuple(variable.shape):
            raise ValueError(
                f"its weights {variable.path} have the shape {start.shape}, not "
                f"{tuple(variable.shape)}; use its --architecture, --context and --head"
            )
        variable.assign(start)
    return "".join(c for c in wanted if not same_head or c not in known)


def spec_to_train(options: TrainOptions) -> ModelSpec:
    """The model that options describe, or with --init-from that model, extended as they ask.

    Raises ValueError, and TrainError for a model that cannot be extended so.
    """
    given = dataclasses.replace(options.spec(), crop=kept_box(options.crops))
    if not options.init_from:
        return given
    file, name = find_model(options.init_from), options.init_from
    spec, default = read_spec(file), TrainOptions().spec()

    def is_asked(field: str) -> bool:
        typed = {"channels": "color"}.get(field, field) in options.given
        return typed or getattr(given, field) != getattr(default, field)

    if given.head == "attention" and spec.head == "ctc":  # a new head, trained from scratch
        spec = dataclasses.replace(spec, **{field: getattr(given, field) for field in HEAD_FIELDS})
    for field in ("architecture", "context"):  # may add blocks or self-attention
        wanted, known = getattr(given, field), getattr(spec, field)
        if wanted != known and is_asked(field):
            extended = dataclasses.replace(spec, **{field: wanted})
            try:
                transfer(load(file), build(extended))
            except ValueError as error:
                raise TrainError(
                    f"--init-from {name}: its {field} is {known}, which cannot become {wanted} "
                    f"({error}); leave --{field} out"
                ) from error
            spec = extended
    if given.channels > spec.channels:  # a grey model is extended to colour
        spec = dataclasses.replace(spec, channels=given.channels)
    for field in ("rnn_units", "height", "channels", *HEAD_FIELDS):
        wanted, known = getattr(given, field), getattr(spec, field)
        if wanted != known and is_asked(field):
            raise TrainError(
                f"--init-from {name}: its {field} is {known}, not {wanted}; leave that option out"
            )
    return dataclasses.replace(
        spec,
        alphabet=spec.alphabet if options.alphabet == "auto" else given.alphabet,
        temperature=1.0,
        max_prediction=(given if is_asked("max_prediction") else spec).max_prediction,
        crop=given.crop,
    )
