"""From an image file to the model's input: the one way for training, inference and export.

load (any common format, upright, 8 bits, without alpha) -> resize to the model's height
(antialiased bilinear in float, aspect kept) -> normalise by the image's median and spread -> pad
to a batch.

A TensorFlow graph gives the same within one grey level: `tf.image.resize(..., "bilinear",
antialias=True)` on float32, luma 0.299 R + 0.587 G + 0.114 B. What a graph cannot do with encoded
bytes is done here before they are sent: turning an image upright by its EXIF orientation, and
decoding TIFF, WebP and 16-bit samples.
"""

import io
import itertools
import logging
import math
import os
import stat

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ocr_simple import storage
from ocr_simple.text import escape_controls

log = logging.getLogger("ocr_simple")

# Pillow has more, such as EPS, for which it starts Ghostscript: unsafe with untrusted files
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
EXTENSIONS = {  # of these formats, as Pillow lists them, and of HEIF; by first letter
    ".apng", ".avif", ".avifs", ".bmp", ".gif", ".heic", ".heif", ".hif", ".j2c", ".j2k", ".jfif",
    ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".pbm", ".pfm", ".pgm", ".png", ".pnm",
    ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
MAX_PIXELS = 50_000_000  # of one image; 4,000 x 4,000 is 16 million
MAX_BYTES = 8 * MAX_PIXELS  # of one file: four 16-bit samples per pixel
MAX_ASPECT = 500  # width over height; no line of text is longer
WIDTH_MULTIPLE = 32  # batches are padded to a multiple of it, so that there are few shapes
TRANSPOSES = {  # by EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LIGHT_INK = 3.9  # times the contrast that black behind transparent pixels must give over white
MIN_SPREAD = 8.0  # grey levels; less is noise, which must not be amplified to look like ink
ONE_LINE = "only single lines can be read; crop it to the line"

Source = str | os.PathLike | bytes | Image.Image | np.ndarray


class ImageError(ValueError):
    """An image that cannot be used. The message names the file, the problem and the fix."""


def load(
    source: Source,
    channels: int = 1,
    name: str | None = None,
    warn: bool = True,
    page: int = 1,
    may_be_turned: bool = False,
) -> np.ndarray:
    """Decode `source` to uint8 (height, width, channels), upright, without alpha.

    Transparent pixels become white, or black where the ink is too light to be seen on white.

    source: path or URL, encoded bytes, PIL image, or array (height, width[, 1|2|3|4]) of uint8,
        uint16 (divided by 257), bool, or float from 0 to 1.
    name: the image's name in messages.
    warn: whether to log a warning about an image that may be a mistake: one with several pages,
        one more than twice as tall as wide, one that looks like a page or like two lines.
    page: which page of a TIFF, or frame of a GIF, from 1; files and bytes only.
    may_be_turned: whether the line may run from top to bottom, so that the image is tall.
    Raises ImageError.
    """
    name = name or (os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else "image")
    name = escape_controls(name)
    level = logging.WARNING if warn else logging.DEBUG
    try:
        pixels = _decode(source, channels, name, level, page)
    except ImageError:
        raise
    except Exception as error:  # decoders raise errors of many types
        raise ImageError(f"{name}: {_reason(error)}") from error
    height, width = pixels.shape[:2]
    if not height or not width:
        raise ImageError(f"{name}: no pixels ({width} x {height}); crop it again")
    if width > MAX_ASPECT * height or (may_be_turned and height > MAX_ASPECT * width):
        raise ImageError(
            f"{name}: {width} x {height} pixels is too long for one line "
            f"(over {MAX_ASPECT} times its height); cut it into pieces"
        )
    pixels = pixels.reshape(height, width, channels)
    from_file = not isinstance(source, np.ndarray)  # whoever passes an array knows its shape
    if from_file and log.isEnabledFor(level) and (odd := _odd_shape(pixels, may_be_turned)):
        log.log(level, "%s: %s", name, odd)
    return pixels


def _decode(source: Source, channels: int, name: str, level: int, page: int) -> np.ndarray:
    """uint8 (height, width) or (height, width, 3); raises errors of any type."""
    with _open(source, name) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"{name}: {width} x {height} pixels, over the limit of {MAX_PIXELS:,}; "
                "crop it to the line, or scale it down"
            )
        _choose_page(image, page, name, level)
        image.load()
        image = _upright(image, name, level)
        return np.asarray(_eight_bit(image).convert("L" if channels == 1 else "RGB"))


def _choose_page(image: Image.Image, page: int, name: str, level: int) -> None:
    """Go to a page of a file; images of the caller's stay at theirs. Raises ImageError."""
    pages = getattr(image, "n_frames", 1)
    if page > 1 and image.format:  # only what was opened from a file has one
        if page > pages:
            only = "1 page" if pages == 1 else f"{pages} pages"
            raise ImageError(f"{name}: has {only}, and no page {page}; give a smaller --page")
        image.seek(page - 1)
    elif pages > 1 and image.format != "MPO":  # a phone's: the picture and its previews
        message = "%s: has %d pages; the first is read, --page N reads another"
        log.log(level, message, name, pages)


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
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could block forever
            raise ImageError(f"{name}: a folder, pipe or device; name an image file")
        if status.st_size > MAX_BYTES:
            raise ImageError(
                f"{name}: {status.st_size:,} bytes, over the limit of {MAX_BYTES:,}; "
                "crop it to the line, or scale it down"
            )
        with open(source, "rb") as file:  # all at once: Pillow reads in many small pieces
            encoded = file.read()
    if not encoded:
        raise ImageError(f"{name}: the file is empty; save it again")
    if bytes(encoded[: len(storage.LFS_POINTER)]) == storage.LFS_POINTER:
        raise ImageError(f"{name}: a pointer of Git LFS, not the image; fetch it with git lfs pull")
    return Image.open(io.BytesIO(encoded), formats=_formats(bytes(encoded[:12]), name))


def _formats(start: bytes, name: str) -> tuple[str, ...]:
    """The formats that a file may have, by its first 12 bytes. Raises ImageError for HEIF."""
    if start[4:8] != b"ftyp" or start[8:12] not in HEIF_BRANDS:
        return FORMATS
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            f"{name}: a HEIC picture, which needs the package pillow-heif: python -m pip install "
            "--no-deps pillow-heif; or save it as JPEG"
        ) from None
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _reason(error: Exception) -> str:
    """Why an image cannot be opened or decoded, and the fix."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, storage.StorageError):
        return str(error).split(": ", 1)[-1]
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or damaged at its start; save it again as PNG or JPEG"
    if isinstance(error, Image.DecompressionBombError):  # Pillow's limit is three times ours
        return f"far over the limit of {MAX_PIXELS:,} pixels; crop it, or scale it down"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened ({error.strerror})"
    reason = escape_controls(str(error)) or type(error).__name__
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
    # not ImageOps.exif_transpose: it also rewrites the EXIF data, and fails where it cannot
    try:
        transpose = TRANSPOSES.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # the pixels can be used even if the EXIF data cannot
        reason = escape_controls(str(error))
        log.log(level, "%s: EXIF cannot be read (%s); treated as upright", name, reason)
        return image
    return image if transpose is None else image.transpose(transpose)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any PIL mode to L or RGB, 8 bits per sample, without alpha."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        samples = np.nan_to_num(np.asarray(image).astype(np.float64))
        if image.mode != "F":
            samples /= 257 if samples.max(initial=0) > 255 else 1
        elif samples.max(initial=0) <= 1:
            samples *= 255
        return Image.fromarray(np.clip(np.round(samples), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        return _without_alpha(image.convert("RGBA"))
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _without_alpha(image: Image.Image) -> Image.Image:
    """RGBA composited on white; on black where white would hide the ink: RGB.

    Light ink is composited on black if that gives LIGHT_INK times the standard deviation of grey
    levels. An opaque image has the same on both, and ink darker than grey level 203 less.
    """
    alpha = np.asarray(image.getchannel("A"), np.float32)
    if alpha.min(initial=255) == 255:  # as in most screenshots
        return image.convert("RGB")
    luma = np.asarray(image.convert("L"), np.float32)
    on_black, on_white = _variance(alpha * luma), _variance(alpha * (255 - luma))
    behind = "black" if on_black > LIGHT_INK**2 * on_white else "white"
    return Image.alpha_composite(Image.new("RGBA", image.size, behind), image).convert("RGB")


def _variance(levels: np.ndarray) -> float:
    return float(np.var(levels, dtype=np.float64))


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


def possible_turns(pixels: np.ndarray) -> tuple[int, ...]:
    """How an image may have to be turned to be upright, in degrees counter-clockwise.

    A wide one is upright or upside down; one over twice as tall as wide, sideways; a single
    character may be anything.
    """
    height, width = pixels.shape[:2]
    if height <= width:
        return 0, 180
    return (90, 270) if height > 2 * width else (0, 180, 90, 270)


def prepare(pixels: np.ndarray, height: int) -> np.ndarray:
    """uint8 (rows, columns, channels) -> the model's input, float32 (height, width, channels)."""
    return normalise(resize(pixels, height))


def pad_batch(
    images: list[np.ndarray], multiple: int = WIDTH_MULTIPLE, training: bool = False
) -> dict[str, np.ndarray]:
    """A batch of prepared images, which have one height.

    Gives {"image": (batch, height, width, channels) float32, "width": (batch,) int32}. Images are
    at the left, with zeros on their right up to a multiple of `multiple` columns. training: pad to
    a width whose gradients are safe to compute; see `training_columns`.
    """
    widths = np.array([image.shape[1] for image in images], np.int32)
    columns = -(-int(widths.max()) // multiple) * multiple
    if training:
        columns = training_columns(columns)
    height, _, channels = images[0].shape
    batch = np.zeros((len(images), height, columns, channels), np.float32)
    for row, image in zip(batch, images):
        row[:, : image.shape[1]] = image
    return {"image": batch, "width": widths}


def training_columns(columns: int) -> int:
    """The number of columns to pad to, so that oneDNN's gradients cannot become NaN.

    In bfloat16 on AMX, oneDNN takes rows of features, half as wide as the image, in blocks of 32
    columns. If the last block lacks few columns (at most two per block), the gradient of a filter
    multiplies uninitialised memory by 0, which is NaN if that memory held a NaN (TensorFlow 2.21;
    see tests/test_devices.py). Such a block is filled up.
    """
    features = columns // 2
    lacking = -features % 32  # columns of the last block
    return columns + 2 * lacking if lacking <= 2 * -(-features // 32) else columns


# --- images that may be a mistake -------------------------------------------------------------


def _odd_shape(pixels: np.ndarray, may_be_turned: bool) -> str | None:
    """A warning about an image that is probably not a single line; None for others."""
    height, width = pixels.shape[:2]
    if height > 2 * width:  # a single digit is taller than wide
        turned = "if the line runs from top to bottom, read it with --orientation auto"
        taller = f"taller than wide ({width} x {height}); {ONE_LINE}, or {turned}"
        return None if may_be_turned else taller
    if height > 300 and width < 2 * height:
        return f"looks like a page ({width} x {height}); {ONE_LINE}"
    return f"looks like two lines; {ONE_LINE}" if shows_two_lines(pixels) else None


def shows_two_lines(pixels: np.ndarray) -> bool:
    """Whether a clear band without ink divides an image into two lines of similar height.

    pixels: uint8 (rows, columns, channels). Meant to be right when it says so: of 6,000 photographs
    and scans of single lines one is taken for two; of two printed lines it finds about half.
    """
    step = max(1, pixels.shape[0] // 64)  # detail that is not needed
    levels = pixels[::step, ::step].max(axis=2).astype(np.int16)
    rows = len(levels)
    dark, background, light = np.percentile(levels[::2, ::2], (1, 50, 99))
    if rows < 16 or light - dark < 40:
        return False
    inked: np.ndarray = abs(levels - background) > (light - dark) / 4  # (rows, columns)
    tall = [(top, end) for top, end in _runs(inked.max(axis=1)) if end - top >= rows / 5]
    lines = [band for band in tall if _looks_like_text(inked[slice(*band)])]
    for (top, end), (next_top, next_end) in itertools.pairwise(lines):
        low, high = sorted((end - top, next_end - next_top))
        between = inked[end:next_top]
        if low >= 0.6 * high and len(between) >= 0.4 * high and not between.any():
            return True
    return False


def _looks_like_text(inked: np.ndarray) -> bool:
    """Whether a band (rows, columns) has at least three characters, and is wide for its height."""
    characters = _runs(inked.max(axis=0))
    return len(characters) >= 3 and characters[-1][1] - characters[0][0] >= 2 * len(inked)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of each run of true values."""
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return list(zip(changes[::2].tolist(), changes[1::2].tolist()))
