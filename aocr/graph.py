"""Encoded images to text inside a TensorFlow graph: what SavedModels and frozen graphs hold.

decode -> alpha on white -> grey -> resize -> normalise -> pad -> model -> text, as `image.py` and
`text.py` do it, for images of any sizes in one batch. A graph decodes PNG, JPEG, GIF and BMP; it
does not know of EXIF orientation, and of samples of 16 bits it takes the upper eight.
"""

from typing import Any

import tensorflow as tf

from ocr_simple import images as imaging
from ocr_simple.network.backend import keras
from ocr_simple.spec import time_steps
from ocr_simple.text import BLANK, Alphabet

Tensor = Any


class ServingModule(tf.Module):
    """A model of `model.build` with all that is around it, as two signatures of one graph.

    `serving_default`: input, encoded images, a scalar or a batch -> output, the texts, and
    probability, of the same shape. `read`: a batch -> besides these characters, probabilities,
    starts and ends (batch, most characters), padded with "" and zeros; edges in pixels. `look`: a
    batch -> besides these maps (batch, most characters, time steps), of each character its
    probability at each step, or an attention head's attention; and steps (batch,), each own ones.
    """

    def __init__(self, model: keras.Model):
        super().__init__(name="reader")
        self.model, self.spec = model, model.spec
        # gathered by class id; the blank, or the end symbol, writes nothing
        self.characters = ["", *Alphabet(self.spec.alphabet).characters]

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
        prepared, columns = tf.map_fn(
            self._prepare,
            encoded,
            fn_output_signature=(
                tf.RaggedTensorSpec([None, self.spec.height * self.spec.channels], tf.float32, 0),
                tf.int32,
            ),
        )
        width = tf.cast(prepared.row_lengths(), tf.int32)
        image = prepared.to_tensor()  # zeros behind the narrower
        image = tf.pad(image, ((0, 0), (0, -tf.reduce_max(width) % self.spec.multiple), (0, 0)))
        image = tf.reshape(image, (tf.size(width), -1, self.spec.height, self.spec.channels))
        x = {"image": tf.transpose(image, (0, 2, 1, 3)), "width": width}
        steps = time_steps(width, self.spec.stride)
        outputs = self.model(x, training=False)
        decode = ctc if self.spec.head == "ctc" else attention
        ids, probabilities, starts, ends, confidence = decode(outputs, steps, self.spec.temperature)
        pixels = self.spec.stride * columns / width  # of the image as it came, in a time step
        pixels = tf.cast(pixels, tf.float32)[:, None]
        written = tf.gather(tf.constant(self.characters), ids)
        return {
            "output": tf.strings.reduce_join(written, axis=1),
            "probability": confidence,
            "characters": written,
            "probabilities": probabilities,
            "starts": starts * pixels,
            "ends": tf.minimum(ends * pixels, tf.cast(columns, tf.float32)[:, None]),
            "maps": self._maps(outputs, ids),
            "steps": steps,
        }

    def _maps(self, outputs: Any, ids: Tensor) -> Tensor:
        if self.spec.head == "attention":
            return outputs["attention"][:, : tf.shape(ids)[1]]
        probabilities = tf.nn.softmax(outputs / self.spec.temperature)
        return tf.gather(tf.transpose(probabilities, (0, 2, 1)), ids, axis=1, batch_dims=1)

    def _prepare(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Columns of the prepared image (width, height * channels), and how many there were."""
        pixels = decode_image(encoded, self.spec.channels)
        rows, columns = tf.shape(pixels)[0], tf.shape(pixels)[1]
        height, channels = self.spec.height, self.spec.channels
        width = tf.maximum(1, (2 * columns * height + rows) // (2 * rows))
        pixels = normalise(tf.image.resize(pixels, (height, width), "bilinear", antialias=True))
        return tf.reshape(tf.transpose(pixels, (1, 0, 2)), (width, height * channels)), columns


# --- pixels: see image.py ---------------------------------------------------------------------


def decode_image(encoded: Tensor, channels: int) -> Tensor:
    """float32 (rows, columns, channels), 0 to 255, alpha composited on white."""

    def jpeg() -> Tensor:
        return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")

    def png() -> Tensor:
        rgba = tf.cast(tf.io.decode_png(encoded, channels=4), tf.float32)
        depth = tf.io.decode_raw(tf.strings.substr(encoded, 24, 1), tf.uint8)[0]  # bits a sample
        alpha, filler = rgba[..., 3:], 2 ** tf.cast(tf.minimum(depth, 8), tf.float32) - 1
        # where a file has no alpha it is given the most that so many bits hold
        alpha = alpha / tf.where(tf.reduce_max(alpha) == filler, filler, 255)
        return tf.cast(tf.round(255 - alpha * (255 - rgba[..., :3])), tf.uint8)

    def gif() -> Tensor:
        return tf.io.decode_gif(encoded)[0]

    def bmp() -> Tensor:
        samples = tf.io.decode_bmp(encoded)[..., :3]  # 1, 3 or 4
        return tf.broadcast_to(samples, tf.concat([tf.shape(samples)[:2], [3]], 0))

    formats = ((b"\xff\xd8\xff", jpeg), (b"\x89PNG", png), (b"GIF", gif), (b"BM", bmp))
    begins = [tf.strings.substr(encoded, 0, len(magic)) == magic for magic, _ in formats]
    message = "not a PNG, JPEG, GIF or BMP image; save it again as one"
    with tf.control_dependencies([tf.debugging.assert_equal(tf.reduce_any(begins), True, message)]):
        rgb = tf.case([(b, decode) for b, (_, decode) in zip(begins, formats)])
    if channels == 3:
        return tf.cast(rgb, tf.float32)
    weighted = tf.cast(rgb, tf.int32) * (19595, 38470, 7471)  # Pillow's luma, in 16 bits
    return tf.cast((tf.reduce_sum(weighted, -1, keepdims=True) + 32768) // 65536, tf.float32)


def normalise(pixels: Tensor) -> Tensor:
    """The same shape, its median at 0, in units of its spread."""
    values = tf.reshape(pixels, [-1])
    count = tf.size(values)
    ordered = tf.sort(values)
    median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    spread = tf.math.reduce_std(values)
    return (pixels - median) / tf.maximum(spread, imaging.MIN_SPREAD)


# --- text: see text.py ------------------------------------------------------------------------


def ctc(logits: Tensor, steps: Tensor, temperature: float) -> tuple[Tensor, ...]:
    """ids, probabilities, starts, ends (batch, most characters), confidence (batch,)."""
    probabilities = tf.nn.softmax(logits / temperature)
    batch, columns = tf.shape(logits)[0], tf.shape(logits)[1]
    own = tf.range(columns)[None] < steps[:, None]
    ids = tf.where(own, tf.argmax(probabilities, -1, tf.int32), BLANK)
    best = tf.reduce_max(probabilities, -1)
    before = tf.pad(ids[:, :-1], ((0, 0), (1, 0)))  # BLANK: there is nothing before the first
    inside = ids != BLANK
    number = tf.cumsum(tf.cast(inside & (ids != before), tf.int32), 1)  # 1, 2, ... of characters
    written = tf.reduce_max(number, 1)
    most = tf.reduce_max(written)
    segment = tf.where(inside, tf.range(batch)[:, None] * (most + 1) + number, 0)

    def of_each(values: Tensor, reduce: Any) -> Tensor:
        found = reduce(tf.where(inside, values, tf.zeros_like(values)), segment, batch * (most + 1))
        return tf.reshape(found, (batch, most + 1))[:, 1:]

    step = tf.broadcast_to(tf.range(columns, dtype=tf.float32), tf.shape(best))
    shown = tf.sequence_mask(written, most)
    peaks, first, last = (
        tf.where(shown, of_each(values, reduce), 0)
        for values, reduce in (
            (best, tf.math.unsorted_segment_max),
            (step, tf.math.unsorted_segment_min),
            (step + 1, tf.math.unsorted_segment_max),
        )
    )
    found = tf.where(shown, of_each(ids, tf.math.unsorted_segment_max), BLANK)
    edges = (last[:, :-1] + first[:, 1:]) / 2
    starts = tf.concat([first[:, :1], edges], 1)[:, :most]
    ends = tf.concat([edges, last[:, -1:]], 1)[:, :most]
    ends = tf.where(tf.range(most)[None] == written[:, None] - 1, last, ends)
    blank = tf.reduce_min(tf.where(own, best, 1), 1)
    confidence = tf.reduce_prod(tf.where(shown, peaks, 1), 1)
    confidence = tf.where(written > 0, confidence, blank)
    return found, peaks, tf.where(shown, starts, 0), tf.where(shown, ends, 0), confidence


def written(outputs: dict[str, Tensor], temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """What an attention head wrote: ids, probabilities (batch, rows), lengths (batch,).

    Behind a line's characters the ids are 0. A line's confidence is the product of its row of
    probabilities: the end symbol's follows those of the characters, then there are ones.
    """
    rows = tf.range(tf.shape(outputs["logits"])[1])[None]
    probabilities = tf.nn.softmax(outputs["logits"] / temperature)
    ids = tf.math.top_k(probabilities, 1)[1][..., 0]  # tf.argmax is in the way of ONNX
    best = tf.reduce_max(probabilities, -1)
    used = tf.reduce_sum(
        tf.cast(tf.reduce_max(outputs["attention"], -1) > 0, tf.int32), 1, keepdims=True
    )
    end = tf.reduce_min(tf.where((ids == BLANK) & (rows < used), rows, used), 1, keepdims=True)
    # without an end symbol it was cut off, and the last row is left out
    count = tf.where(end < used, end, tf.maximum(used - 1, 0))
    shown = tf.where(end < used, end + 1, count)
    return tf.where(rows < count, ids, BLANK), tf.where(rows < shown, best, 1), count[:, 0]


def attention(outputs: dict[str, Tensor], steps: Tensor, temperature: float) -> tuple[Tensor, ...]:
    """As `ctc`, of an attention head's logits and attention."""
    ids, probabilities, count = written(outputs, temperature)
    most = tf.reduce_max(count)
    confidence = tf.reduce_prod(probabilities, 1)
    shown = tf.sequence_mask(count, most)
    looked = tf.where(shown[..., None], outputs["attention"][:, :most], 0)
    position = tf.range(tf.shape(looked)[2], dtype=tf.float32) + 0.5
    centre = tf.linalg.matvec(looked, position)
    # never from right to left: the furthest so far
    earlier = tf.range(most)[None, :] <= tf.range(most)[:, None]
    centres = tf.reduce_max(tf.where(earlier, centre[:, None, :], 0), -1)
    inner = (centres[:, 1:] + centres[:, :-1]) / 2
    spread = tf.reduce_sum(looked[:, :1] * (position - centre[:, :1, None]) ** 2, (1, 2))
    half = 0.5 + tf.sqrt(3.0 * tf.maximum(spread, 0))[:, None]
    single = count[:, None] == 1
    place = tf.range(most)[None]
    left, right = tf.pad(inner, ((0, 0), (1, 0))), tf.pad(inner, ((0, 0), (0, 1)))
    last = place == count[:, None] - 1
    starts = tf.where(
        place > 0, left[:, :most], tf.where(single, centres - half, 2 * centres - right[:, :most])
    )
    ends = tf.where(
        ~last, right[:, :most], tf.where(single, centres + half, 2 * centres - left[:, :most])
    )
    most_steps = tf.cast(steps, tf.float32)[:, None]
    starts, ends = (
        tf.where(shown, tf.clip_by_value(edge, 0, most_steps), 0) for edge in (starts, ends)
    )
    return ids[:, :most], tf.where(shown, probabilities[:, :most], 0), starts, ends, confidence
