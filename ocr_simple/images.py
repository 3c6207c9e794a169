"""The one way from an image file to a model's input, for training, inference and export alike.

load (any common format, upright, 8 bits, alpha on white) -> resize to the model's height
(antialiased bilinear in float, aspect kept) -> normalise by the image's own median and spread
-> pad a batch.

The same in a TensorFlow graph, within one grey level: `tf.image.resize(..., "bilinear",
antialias=True)` on float32, luma 0.299 R + 0.587 G + 0.114 B. A graph that is fed with encoded
bytes cannot turn an image upright by its EXIF orientation, nor decode TIFF, WebP or 16-bit
samples as here: those are done in this module before the bytes are sent.
"""

import io
import logging
import math
import os
import stat

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ocr_simple import storage
from ocr_simple.text import one_line

log = logging.getLogger("ocr_simple")

EXTENSIONS = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif"}
# Pillow knows more, EPS among them, for which it starts Ghostscript: not for strangers' files
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
MAX_PIXELS = 50_000_000  # of one file; 4,000 x 4,000 is 16 million
MAX_BYTES = 8 * MAX_PIXELS  # of one file: four samples of 16 bits a pixel
MAX_ASPECT = 500  # width over height: past that, no line of text
WIDTH_MULTIPLE = 32  # batches are padded to it, so that few distinct shapes exist
TURNS = {  # by EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MIN_SPREAD = 8.0  # grey levels; what varies less is noise, and is not blown up to look like ink

Source = str | os.PathLike | bytes | Image.Image | np.ndarray


class ImageError(ValueError):
    """An image that cannot be used. The message names the file, what is wrong, and the mend."""


def load(
    source: Source, channels: int = 1, name: str | None = None, warn: bool = True
) -> np.ndarray:
    """Decode `source` to uint8 (height, width, channels), upright, alpha composited on white.

    source: path or URL, encoded bytes, PIL image, or array (height, width[, 1|2|3|4]); arrays are
        uint8, uint16 (scaled by 257), bool, or float in 0 to 1.
    Raises ImageError. Logs a warning, unless told not to, for what is read but may not be meant:
    further frames, a picture that is twice as tall as wide or looks like a page.
    """
    name = name or (os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else "image")
    name = one_line(name)
    level = logging.WARNING if warn else logging.DEBUG
    try:
        with _open(source, name) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {width} x {height} pixels, over the limit of {MAX_PIXELS:,}; "
                    "crop it to the line, or scale it down"
                )
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":  # a phone's: the picture and its previews
                log.log(level, "%s: has %d frames; the first is read", name, frames)
            image.load()
            image = _upright(image, name, level)
            pixels = np.asarray(_eight_bit(image).convert("L" if channels == 1 else "RGB"))
    except ImageError:
        raise
    except Exception as error:  # decoders raise many kinds; one broken file must not stop the rest
        raise ImageError(f"{name}: {_reason(error)}") from error
    height, width = pixels.shape[:2]
    if not height or not width:
        raise ImageError(f"{name}: no pixels ({width} x {height}); crop it again")
    if width > MAX_ASPECT * height:
        raise ImageError(
            f"{name}: {width} x {height} pixels is too long for one line "
            f"(over {MAX_ASPECT} times its height); cut it into pieces"
        )
    if isinstance(source, np.ndarray):
        pass  # whoever holds an array knows its shape
    elif height > 2 * width:  # a single digit is taller than wide
        said = "%s: taller than wide (%d x %d); one horizontal line is read"
        log.log(level, said, name, width, height)
    elif height > 300 and width < 2 * height:
        said = "%s: looks like a page (%d x %d); one single line is read"
        log.log(level, said, name, width, height)
    return pixels.reshape(height, width, channels)


def _open(source: Source, name: str) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.copy()
    if isinstance(source, np.ndarray):
        return _from_array(source, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        encoded = source
    elif url := storage.url_of(source):
        encoded = storage.read(url, MAX_BYTES)
    else:
        status = os.stat(source)
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
            raise ImageError(f"{name}: a folder, pipe or device; name an image file")
        if status.st_size > MAX_BYTES:
            raise ImageError(
                f"{name}: {status.st_size:,} bytes, over the limit of {MAX_BYTES:,}; "
                "crop it to the line, or scale it down"
            )
        with open(source, "rb") as file:  # whole: Pillow asks for it in many small pieces
            encoded = file.read()
    if not encoded:
        raise ImageError(f"{name}: the file is empty; save it again")
    return Image.open(io.BytesIO(encoded), formats=FORMATS)


def _reason(error: Exception) -> str:
    """What is wrong with an image that cannot be opened or decoded, and the mend."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, storage.StorageError):
        return str(error).split(": ", 1)[-1]
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or broken from its start; save it again as PNG or JPEG"
    if isinstance(error, Image.DecompressionBombError):  # Pillow's limit is three times ours
        return f"far over the limit of {MAX_PIXELS:,} pixels; crop it, or scale it down"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened ({error.strerror})"
    reason = one_line(str(error)) or type(error).__name__
    return f"cannot be decoded ({reason}); save it again as PNG or JPEG"


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise ImageError(f"{name}: array of shape {array.shape}; give (height, width[, 1 to 4])")
    if not array.size:
        raise ImageError(f"{name}: array of shape {array.shape} has no pixels; crop it again")
    if array.dtype == np.uint16:
        array = np.round(array / 257)
    elif array.dtype == bool or np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError(f"{name}: float array outside 0 to 1; give uint8 for 0 to 255")
        array = np.round(array * 255.0)
    elif array.dtype != np.uint8:
        raise ImageError(
            f"{name}: array of {array.dtype}; give uint8, uint16, bool, or float in 0 to 1"
        )
    array = array.astype(np.uint8)
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _upright(image: Image.Image, name: str, level: int) -> Image.Image:
    # not ImageOps.exif_transpose, which also writes the EXIF block anew and fails where it cannot
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # the pixels are good even where the EXIF block is not
        log.log(level, "%s: EXIF cannot be read (%s); taken as upright", name, one_line(str(error)))
        return image
    return image if turn is None else image.transpose(turn)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any PIL mode to L or RGB, 8 bits a sample, alpha on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        samples = np.nan_to_num(np.asarray(image).astype(np.float64))
        if image.mode != "F":
            samples /= 257 if samples.max(initial=0) > 255 else 1
        elif samples.max(initial=0) <= 1:
            samples *= 255
        return Image.fromarray(np.clip(np.round(samples), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return (
        image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")
    )


def scaled_width(width: int, height: int, to_height: int) -> int:
    """Columns of a `width` x `height` image scaled to `to_height` rows, aspect kept."""
    return max(1, math.floor(width * to_height / height + 0.5))


def resize(pixels: np.ndarray, height: int) -> np.ndarray:
    """Scale uint8 (rows, columns, channels) to `height` rows: float32 in 0 to 255, aspect kept.

    Antialiased bilinear in float (Pillow's F mode), the same as TensorFlow's.
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
    """Centre on the image's own median, the background of most lines, and scale by its spread.

    A blank image and the padding of a batch are both 0; dark ink is negative, light ink positive,
    whatever the exposure. Same shape, float32.
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
    """uint8 (rows, columns, channels) -> a model's input, float32 (height, width, channels)."""
    return normalise(resize(pixels, height))


def pad_batch(
    images: list[np.ndarray], multiple: int = WIDTH_MULTIPLE, training: bool = False
) -> dict[str, np.ndarray]:
    """Prepared images of one height -> a model's input.

    {"image": (batch, height, width, channels) float32, "width": (batch,) int32}.

    Each stands at the left; zeros fill up to a multiple of `multiple` columns. training: to a
    number of columns that gradients can be taken of, see `columns_to_train`.
    """
    widths = np.array([image.shape[1] for image in images], np.int32)
    columns = -(-int(widths.max()) // multiple) * multiple
    if training:
        columns = columns_to_train(columns)
    height, _, channels = images[0].shape
    batch = np.zeros((len(images), height, columns, channels), np.float32)
    for row, image in zip(batch, images):
        row[:, : image.shape[1]] = image
    return {"image": batch, "width": widths}


def columns_to_train(columns: int) -> int:
    """As many columns or a few more: none with which oneDNN's gradients may become NaN.

    In bfloat16 on AMX it goes along rows of features, half as wide as the image, by 32 columns.
    Where the last 32 lack few, two for each, it multiplies memory that nothing wrote by 0 in a
    filter's gradient: NaN, if there was one in it (TensorFlow 2.21; see tests/test_devices.py).
    """
    features = columns // 2
    lacking = -features % 32
    return columns + 2 * lacking if lacking <= 2 * -(-features // 32) else columns
