"""From encoded images to text in a TensorFlow graph, for SavedModels and frozen graphs.

decode -> no alpha -> grey -> resize -> normalise -> pad -> model -> greedy decoding. The results
are those of `ocr_simple/images.py`, `preprocessing.py` and `decoding/greedy.py`. Images in a batch
may have any sizes. A graph decodes PNG, JPEG, GIF and BMP; it ignores EXIF orientation, and uses
the upper eight bits of 16-bit samples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from aocr.reading_order import ReadingOrder
from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.network.backend import keras
from ocr_simple.spec import time_steps
from ocr_simple.text import BLANK, Alphabet

Tensor = Any


# --- pixels: see ocr_simple/images.py and preprocessing.py ------------------------------------


def decode_image(encoded: Tensor, channels: int) -> Tensor:
    """An image file as float32 (rows, columns, channels), 0 to 255, without alpha."""
    formats = (
        (b"\xff\xd8\xff", _decode_jpeg),
        (b"\x89PNG", _decode_png),
        (b"GIF", _decode_gif),
        (b"BM", _decode_bmp),
    )
    matches = [tf.strings.substr(encoded, 0, len(magic)) == magic for magic, _ in formats]
    message = "not a PNG, JPEG, GIF or BMP image; save it again as one"
    known = tf.debugging.assert_equal(tf.reduce_any(matches), True, message)
    with tf.control_dependencies([known]):
        rgb = tf.case(
            [(match, _call(decode, encoded)) for match, (_, decode) in zip(matches, formats)]
        )
    return tf.cast(rgb, tf.float32) if channels == 3 else _luma(rgb)


def _luma(rgb: Tensor) -> Tensor:
    """Pillow's luma, which it computes in 16 bits: float32 (rows, columns, 1)."""
    weighted = tf.cast(rgb, tf.int32) * (19595, 38470, 7471)
    return tf.cast((tf.reduce_sum(weighted, -1, keepdims=True) + 32768) // 65536, tf.float32)


def _call(decode: Callable[[Tensor], Tensor], encoded: Tensor) -> Callable[[], Tensor]:
    return lambda: decode(encoded)


def _decode_jpeg(encoded: Tensor) -> Tensor:
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")  # as Pillow


def _decode_png(encoded: Tensor) -> Tensor:
    rgba = tf.cast(tf.io.decode_png(encoded, channels=4), tf.float32)
    alpha = rgba[..., 3:]
    # where the file has no alpha, TensorFlow fills in the largest value of its bit depth
    depth = tf.io.decode_raw(tf.strings.substr(encoded, 24, 1), tf.uint8)[0]
    filled = 2 ** tf.cast(tf.minimum(depth, 8), tf.float32) - 1
    alpha = alpha / tf.where(tf.reduce_max(alpha) == filled, filled, 255)
    rgb, luma = rgba[..., :3], _luma(rgba[..., :3])
    on_black, on_white = _variance(alpha * luma), _variance(alpha * (255 - luma))
    light_ink = on_black > imaging.LIGHT_INK**2 * on_white
    return tf.cast(tf.round(tf.where(light_ink, alpha * rgb, 255 - alpha * (255 - rgb))), tf.uint8)


def _variance(levels: Tensor) -> Tensor:
    return tf.math.reduce_variance(tf.cast(levels, tf.float64))


def _decode_gif(encoded: Tensor) -> Tensor:
    return tf.io.decode_gif(encoded)[0]  # the first frame


def _decode_bmp(encoded: Tensor) -> Tensor:
    samples = tf.io.decode_bmp(encoded)[..., :3]  # of 1, 3 or 4 channels
    return tf.broadcast_to(samples, tf.concat([tf.shape(samples)[:2], [3]], 0))


def normalise(pixels: Tensor) -> Tensor:
    """Pixels with their median at 0, in units of their standard deviation."""
    values = tf.reshape(pixels, [-1])
    count = tf.size(values)
    ordered = tf.sort(values)
    median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    spread = tf.math.reduce_std(values)
    return (pixels - median) / tf.maximum(spread, preprocessing.MIN_SPREAD)


# --- greedy decoding: see ocr_simple/decoding/greedy.py ---------------------------------------


class DecodedBatch(NamedTuple):
    """The lines of a batch, each padded with zeros to the characters of the longest."""

    ids: Tensor  # (batch, characters) int32
    probabilities: Tensor  # (batch, characters)
    starts: Tensor  # (batch, characters), in time steps
    ends: Tensor  # (batch, characters)
    confidence: Tensor  # (batch,)


def ctc_greedy(logits: Tensor, steps: Tensor, temperature: float) -> DecodedBatch:
    """The best path of each line, as `greedy.ctc_greedy` finds it.

    logits: (batch, steps, classes); steps: (batch,), the valid time steps of each line.
    """
    probabilities = tf.nn.softmax(logits / temperature)
    best = tf.reduce_max(probabilities, -1)  # (batch, steps)
    step = tf.range(tf.shape(logits)[1])[None]
    valid = step < steps[:, None]
    ids = tf.where(valid, tf.argmax(probabilities, -1, tf.int32), BLANK)
    runs = _runs(ids)
    count = tf.reduce_max(runs, 1)  # characters of each line
    in_line = tf.sequence_mask(count, tf.reduce_max(count))  # (batch, characters)

    step = tf.broadcast_to(tf.cast(step, tf.float32), tf.shape(best))
    peaks = tf.where(in_line, _per_run(tf.math.unsorted_segment_max, best, runs), 0)
    first = tf.where(in_line, _per_run(tf.math.unsorted_segment_min, step, runs), 0)
    last = tf.where(in_line, _per_run(tf.math.unsorted_segment_max, step + 1, runs), 0)
    found = tf.where(in_line, _per_run(tf.math.unsorted_segment_max, ids, runs), BLANK)

    starts, ends = _ctc_spans(first, last, count)
    empty = tf.reduce_min(tf.where(valid, best, 1), 1)  # the confidence of a line without text
    confidence = tf.where(count > 0, tf.reduce_prod(tf.where(in_line, peaks, 1), 1), empty)
    return DecodedBatch(
        found, peaks, tf.where(in_line, starts, 0), tf.where(in_line, ends, 0), confidence
    )


def _runs(ids: Tensor) -> Tensor:
    """Which character of its line each time step belongs to, from 1; 0 for blanks."""
    before = tf.pad(ids[:, :-1], ((0, 0), (1, 0)))  # the first step follows a blank
    begins = (ids != BLANK) & (ids != before)
    return tf.where(ids != BLANK, tf.cumsum(tf.cast(begins, tf.int32), 1), 0)


def _per_run(reduce: Callable[..., Tensor], values: Tensor, runs: Tensor) -> Tensor:
    """Values (batch, steps) reduced over each run: (batch, most runs of a line)."""
    batch, segments = tf.shape(runs)[0], tf.reduce_max(runs) + 1
    reduced = reduce(values, tf.range(batch)[:, None] * segments + runs, batch * segments)
    return tf.reshape(reduced, (batch, segments))[:, 1:]  # without the blanks


def _ctc_spans(first: Tensor, last: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """(starts, ends) of characters: neighbours meet halfway across the blanks between them."""
    most = tf.shape(first)[1]
    edges = (last[:, :-1] + first[:, 1:]) / 2
    starts = tf.concat([first[:, :1], edges], 1)[:, :most]
    ends = tf.concat([edges, last[:, -1:]], 1)[:, :most]
    return starts, tf.where(tf.range(most)[None] == count[:, None] - 1, last, ends)


def attention_greedy(outputs: dict[str, Tensor], steps: Tensor, temperature: float) -> DecodedBatch:
    """The characters that an attention head writes, as `greedy.attention_greedy` finds them.

    outputs: logits (batch, characters, classes) and attention (batch, characters, steps);
    steps: (batch,), the valid time steps of each line.
    """
    ids, probabilities, count = best_characters(outputs, temperature)
    most = tf.reduce_max(count)
    in_line = tf.sequence_mask(count, most)  # (batch, characters)
    attention = tf.where(in_line[..., None], outputs["attention"][:, :most], 0)
    starts, ends = _attention_spans(attention, count)
    last_step = tf.cast(steps, tf.float32)[:, None]
    starts, ends = (
        tf.where(in_line, tf.clip_by_value(edge, 0, last_step), 0) for edge in (starts, ends)
    )
    return DecodedBatch(
        ids[:, :most],
        tf.where(in_line, probabilities[:, :most], 0),
        starts,
        ends,
        tf.reduce_prod(probabilities, 1),
    )


def best_characters(
    outputs: dict[str, Tensor], temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(ids (batch, characters), probabilities (batch, characters), lengths (batch,)) of each line.

    Ids are 0 after the end of a line. The product of a line's probabilities is its confidence:
    those of its characters are followed by that of the end symbol, and then by ones.
    """
    rows = tf.range(tf.shape(outputs["logits"])[1])[None]
    probabilities = tf.nn.softmax(outputs["logits"] / temperature)
    ids = tf.math.top_k(probabilities, 1)[1][..., 0]  # ONNX does not take tf.argmax here
    best = tf.reduce_max(probabilities, -1)
    # rows that the decoder has written; the rest are zeros
    used = tf.reduce_sum(
        tf.cast(tf.reduce_max(outputs["attention"], -1) > 0, tf.int32), 1, keepdims=True
    )
    end = tf.reduce_min(tf.where((ids == BLANK) & (rows < used), rows, used), 1, keepdims=True)
    # without an end symbol the decoder was cut off, and its last row is left out
    length = tf.where(end < used, end, tf.maximum(used - 1, 0))
    counted = tf.where(end < used, end + 1, length)
    return tf.where(rows < length, ids, BLANK), tf.where(rows < counted, best, 1), length[:, 0]


def _attention_spans(attention: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """(starts, ends) of characters by their attention (batch, characters, steps).

    A character's centre is the mean of its attention, and neighbours meet halfway. The outer edges
    are as far from their centres as the inner ones; a single character is as wide as its attention.
    """
    most = tf.shape(attention)[1]
    place, count = tf.range(most)[None], count[:, None]
    position = tf.range(tf.shape(attention)[2], dtype=tf.float32) + 0.5
    centre = tf.linalg.matvec(attention, position)  # (batch, characters)
    # centres never move from right to left: each is the rightmost so far
    earlier = tf.range(most)[None, :] <= tf.range(most)[:, None]
    centres = tf.reduce_max(tf.where(earlier, centre[:, None, :], 0), -1)
    inner = (centres[:, 1:] + centres[:, :-1]) / 2
    left, right = tf.pad(inner, ((0, 0), (1, 0))), tf.pad(inner, ((0, 0), (0, 1)))
    left, right = left[:, :most], right[:, :most]
    spread = tf.reduce_sum(attention[:, :1] * (position - centre[:, :1, None]) ** 2, (1, 2))
    half = 0.5 + tf.sqrt(3.0 * tf.maximum(spread, 0))[:, None]  # half the width of a single one
    outer_start = tf.where(count == 1, centres - half, 2 * centres - right)
    outer_end = tf.where(count == 1, centres + half, 2 * centres - left)
    return tf.where(place > 0, left, outer_start), tf.where(place < count - 1, right, outer_end)


# --- the module ---------------------------------------------------------------------------------


class ServingModule(tf.Module):
    """A model of `model.build` that takes encoded images, with these signatures.

    `serving_default`: input, a scalar or a batch of encoded images -> output, the texts, and
    probability, both of the input's shape.
    `read`: a batch -> also characters, probabilities, starts and ends (batch, characters), padded
    with "" and zeros; starts and ends are in pixels of the image.
    `look`: a batch -> also maps (batch, characters, steps): a CTC head's probability of each
    character at each time step, or an attention head's attention; and steps (batch,), the valid
    time steps of each line.
    """

    def __init__(self, model: keras.Model):
        super().__init__(name="reader")
        self.model, self.spec = model, model.spec
        # by class id; the blank, which is also the end symbol, writes nothing
        alphabet = Alphabet(self.spec.alphabet)
        self.characters = ["", *alphabet.characters]
        self.order = ReadingOrder(alphabet) if alphabet.right_to_left else None

    @tf.function(input_signature=[tf.TensorSpec(None, tf.string, name="input")])
    def serving_default(self, input: Tensor) -> dict[str, Tensor]:
        found = self._read(tf.reshape(input, [-1]))
        shape = tf.shape(input)
        return {name: tf.reshape(found[name], shape) for name in ("output", "probability")}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="input")])
    def read(self, input: Tensor) -> dict[str, Tensor]:
        found = self._read(input)
        return {name: values for name, values in found.items() if name not in ("maps", "steps")}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="input")])
    def look(self, input: Tensor) -> dict[str, Tensor]:
        return self._read(input)

    def _read(self, encoded: Tensor) -> dict[str, Tensor]:
        x, columns = self._prepare_batch(encoded)
        steps = time_steps(x["width"], self.spec.stride)
        outputs = self.model(x, training=False)
        decode = ctc_greedy if self.spec.head == "ctc" else attention_greedy
        line = decode(outputs, steps, self.spec.temperature)
        maps = self._maps(outputs, line.ids)
        if self.order:  # right-to-left text was read in visual order
            order = self.order(line.ids)
            line = line._replace(
                ids=order.ids,
                probabilities=order.to_logical(line.probabilities),
                starts=order.to_logical(line.starts),
                ends=order.to_logical(line.ends),
            )
            maps = order.to_logical(maps)
        pixels = self.spec.stride * columns / x["width"]  # of the original image, in a time step
        pixels = tf.cast(pixels, tf.float32)[:, None]
        characters = tf.gather(tf.constant(self.characters), line.ids)
        return {
            "output": tf.strings.reduce_join(characters, axis=1),
            "probability": line.confidence,
            "characters": characters,
            "probabilities": line.probabilities,
            "starts": line.starts * pixels,
            "ends": tf.minimum(line.ends * pixels, tf.cast(columns, tf.float32)[:, None]),
            "maps": maps,
            "steps": steps,
        }

    def _maps(self, outputs: Any, ids: Tensor) -> Tensor:
        if self.spec.head == "attention":
            return outputs["attention"][:, : tf.shape(ids)[1]]
        probabilities = tf.nn.softmax(outputs / self.spec.temperature)
        return tf.gather(tf.transpose(probabilities, (0, 2, 1)), ids, axis=1, batch_dims=1)

    def _prepare_batch(self, encoded: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The model's inputs, padded with zeros to one width, and the columns of each image."""
        spec = self.spec
        rows = tf.RaggedTensorSpec([None, spec.height * spec.channels], tf.float32, 0)
        prepared, columns = tf.map_fn(self._prepare, encoded, fn_output_signature=(rows, tf.int32))
        width = tf.cast(prepared.row_lengths(), tf.int32)
        image = prepared.to_tensor()  # (batch, width, height * channels)
        image = tf.pad(image, ((0, 0), (0, -tf.reduce_max(width) % spec.multiple), (0, 0)))
        image = tf.reshape(image, (tf.size(width), -1, spec.height, spec.channels))
        return {"image": tf.transpose(image, (0, 2, 1, 3)), "width": width}, columns

    def _prepare(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """One image as (width, height * channels), and its columns before it was scaled."""
        pixels = decode_image(encoded, self.spec.channels)
        rows, columns = tf.shape(pixels)[0], tf.shape(pixels)[1]
        height, channels = self.spec.height, self.spec.channels
        width = tf.maximum(1, (2 * columns * height + rows) // (2 * rows))
        pixels = normalise(tf.image.resize(pixels, (height, width), "bilinear", antialias=True))
        return tf.reshape(tf.transpose(pixels, (1, 0, 2)), (width, height * channels)), columns


class CTCServingModule(ServingModule):
    """The module of a CTC model, with one signature more.

    `probabilities`: a batch -> probabilities (batch, steps, classes), not decoded; steps (batch,);
    pixels (batch,), of the image in a time step; and columns (batch,) of the image.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="input")])
    def probabilities(self, input: Tensor) -> dict[str, Tensor]:
        x, columns = self._prepare_batch(input)
        logits = self.model(x, training=False)
        return {
            "probabilities": tf.nn.softmax(logits / self.spec.temperature),
            "steps": time_steps(x["width"], self.spec.stride),
            "pixels": tf.cast(self.spec.stride * columns / x["width"], tf.float32),
            "columns": columns,
        }
