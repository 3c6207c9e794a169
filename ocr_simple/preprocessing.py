"""From pixels to the model's input: the one way for training, inference and export.

resize to the model's height (antialiased bilinear in float, aspect kept) -> normalise by the
image's median and spread -> pad to a batch. A TensorFlow graph gives the same within one grey
level: `tf.image.resize(..., "bilinear", antialias=True)` on float32.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from ocr_simple.images import TooLargeError
from ocr_simple.messages import escape_controls

MAX_COLUMNS = 16_000  # of one image at the model's height: images.MAX_ASPECT at a height of 32
BATCH_COLUMNS = 6144  # of what is read at a time, padding included: fast, and small in memory
MIN_SPREAD = 8.0  # grey levels; less is noise, which must not be amplified to look like ink


def scaled_width(width: int, height: int, to_height: int) -> int:
    """Columns of a `width` x `height` image that is scaled to `to_height` rows, aspect kept."""
    return max(1, math.floor(width * to_height / height + 0.5))


def resize(pixels: np.ndarray, height: int) -> np.ndarray:
    """Scale uint8 (rows, columns, channels) to `height` rows: float32, 0 to 255, aspect kept.

    Antialiased bilinear in float (Pillow's mode F), which equals TensorFlow's.
    """
    rows, columns, _ = pixels.shape
    if rows == height:
        return pixels.astype(np.float32)
    size = (scaled_width(columns, rows, height), height)
    planes = [
        np.asarray(
            Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
        )
        for plane in np.moveaxis(pixels, 2, 0)
    ]
    return np.stack(planes, axis=2)


def normalise(pixels: np.ndarray) -> np.ndarray:
    """Subtract the image's median, the background of most lines, and divide by its spread.

    A blank image becomes 0, like the padding of a batch. Dark ink is negative and light ink is
    positive at any exposure. The result has the same shape, float32.
    """
    values = pixels.ravel().astype(np.float32)
    middle = len(values) // 2
    ordered = np.partition(values, (max(0, middle - 1), middle))
    median = ordered[middle] if len(values) % 2 else ordered[middle - 1 : middle + 1].mean()
    values -= median
    variance = values.dot(values) / len(values) - values.mean() ** 2
    spread = math.sqrt(max(0.0, variance))
    return (values / np.float32(max(MIN_SPREAD, spread))).reshape(pixels.shape)


def prepare(pixels: np.ndarray, height: int) -> np.ndarray:
    """uint8 (rows, columns, channels) -> the model's input, float32 (height, width, channels)."""
    return normalise(resize(pixels, height))


def check_columns(name: str, pixels: np.ndarray, height: int, most: int) -> None:
    """Raise TooLargeError for an image that has over `most` columns at the model's height."""
    rows, columns = pixels.shape[:2]
    if reason := why_too_wide((columns, rows), height, most):
        raise TooLargeError(f"{escape_controls(name)}: {reason}")


def why_too_wide(size: tuple[int, int], height: int, most: int = MAX_COLUMNS) -> str:
    """Why an image has too many columns at the model's height; empty if it has at most `most`.

    Time and memory depend on these columns, not on the image's pixels: 500 x 1 become 16,000 x 32.
    size: width and height of the image, in pixels.
    """
    columns, rows = size
    if (scaled := scaled_width(columns, rows, height)) <= most:
        return ""
    return (
        f"{columns} x {rows} pixels, {scaled:,} columns at the model's height of {height}, over "
        f"the limit of {most:,}; cut it into pieces"
    )


def batches(widths: Sequence[int], multiple: int, at_once: int = 1) -> Iterator[list[int]]:
    """Indices of images in batches of similar widths, the widest first.

    widths: in columns. multiple: to which a batch is padded. at_once: batches that are read at a
    time; together they have at most BATCH_COLUMNS columns, padding included. A wider image is alone
    in its batch.
    """
    by_width = sorted(range(len(widths)), key=lambda i: widths[i])
    while by_width:
        count = max(1, BATCH_COLUMNS // at_once // (widths[by_width[-1]] + multiple))
        yield by_width[-count:]
        del by_width[-count:]


def pad_batch(images: Sequence[np.ndarray], multiple: int) -> dict[str, np.ndarray]:
    """A batch of prepared images, as `padded` makes it, of a multiple of `multiple` columns."""
    return padded(images, -(-max(image.shape[1] for image in images) // multiple) * multiple)


def padded(images: Sequence[np.ndarray], columns: int) -> dict[str, np.ndarray]:
    """A batch of prepared images, which have one height and at most so many columns.

    Gives {"image": (batch, height, width, channels) float32, "width": (batch,) int32}. Images are
    at the left, with zeros on their right.
    """
    height, _, channels = images[0].shape
    batch = np.zeros((len(images), height, columns, channels), np.float32)
    for row, image in zip(batch, images):
        row[:, : image.shape[1]] = image
    return {"image": batch, "width": np.array([image.shape[1] for image in images], np.int32)}


def training_columns(columns: int) -> int:
    """The columns to pad a batch to in training, so that oneDNN's gradients cannot become NaN.

    In bfloat16 on AMX, oneDNN takes rows of features, half as wide as the image, in blocks of 32
    columns. If the last block lacks few columns (at most two per block), the gradient of a filter
    multiplies uninitialised memory by 0, which is NaN if that memory held a NaN (TensorFlow 2.21;
    see tests/test_devices.py). Such a block is filled up.
    """
    features = columns // 2
    lacking = -features % 32  # columns of the last block
    return columns + 2 * lacking if lacking <= 2 * -(-features // 32) else columns
