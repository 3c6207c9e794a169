"""From an image file to pixels: the one way for training, inference and export.

`load` takes any common format, and gives 8 bits, upright, without alpha. `preprocessing.py` makes
the model's input of that.

A TensorFlow graph gives the same within one grey level, with luma 0.299 R + 0.587 G + 0.114 B. What
a graph cannot do with encoded bytes is done here before they are sent: turning an image upright by
its EXIF orientation, and decoding TIFF, WebP and 16-bit samples.
"""

import io
import logging
import os
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ocr_simple import decoding_time, storage
from ocr_simple.local_files import LFS_MESSAGE, LFS_POINTER, FileRefused, open_regular
from ocr_simple.messages import escape_controls, reason_of
from ocr_simple.odd_shapes import odd_shape

logger = logging.getLogger("ocr_simple")

# Pillow has more, such as EPS, for which it starts Ghostscript: unsafe with untrusted files
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
UPLOADS = tuple(kind for kind in FORMATS if kind != "PPM")  # what people upload
EXTENSIONS = {  # of these formats, as Pillow lists them, and of HEIF; by first letter
    ".apng", ".avif", ".avifs", ".bmp", ".gif", ".heic", ".heif", ".hif", ".j2c", ".j2k", ".jfif",
    ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".pbm", ".pfm", ".pgm", ".png", ".pnm",
    ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
MAX_PIXELS = 50_000_000  # of one image; 4,000 x 4,000 is 16 million
MAX_BYTES = 8 * MAX_PIXELS  # of one file: four 16-bit samples per pixel
MAX_ASPECT = 500  # width over height; no line of text is longer
TRANSPOSES = {  # by EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LIGHT_INK = 3.9  # black goes behind transparent pixels if its contrast is so many times white's
FULL_SCALES = (255, 4095, 65535)  # white in images of 8, 12 and 16 bits
STRIP_PIXELS = 1 << 20  # of a large image that are computed with at a time
LARGE = 1 << 16  # bytes of a file: smaller ones are decoded faster without a thread

Source = str | os.PathLike | bytes | Image.Image | np.ndarray


class ImageError(ValueError):
    """An image that cannot be used. The message names the file, the problem and the fix."""


class TooLargeError(ImageError):
    """An image over a limit, which the message names."""


def load(
    source: Source,
    channels: int = 1,
    name: str | None = None,
    warn: bool = True,
    page: int = 1,
    may_be_turned: bool = False,
    max_pixels: int = MAX_PIXELS,
    formats: Sequence[str] = FORMATS,
    limit_time: bool = True,
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
    max_pixels: the largest image that is decoded. formats: that a file may have, besides HEIF.
    limit_time: whether to reject a file that takes over `decoding_time.SECONDS` to decode.
    Raises ImageError.
    """
    name = name or (os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else "image")
    name = escape_controls(name)
    level = logging.WARNING if warn else logging.DEBUG
    try:
        how = page, max_pixels, formats, limit_time
        pixels, exif_fault = _decode(source, channels, name, level, *how)
    except ImageError:
        raise
    except Exception as error:  # decoders raise errors of many types
        kind = TooLargeError if isinstance(error, Image.DecompressionBombError) else ImageError
        raise kind(f"{name}: {_reason(error, max_pixels)}") from error
    if exif_fault:
        logger.log(level, "%s: EXIF cannot be read (%s); treated as upright", name, exif_fault)
    height, width = pixels.shape[:2]
    if not height or not width:
        raise ImageError(f"{name}: no pixels ({width} x {height}); crop it again")
    if width > MAX_ASPECT * height or (may_be_turned and height > MAX_ASPECT * width):
        raise TooLargeError(
            f"{name}: {width} x {height} pixels is too long for one line (one side is over "
            f"{MAX_ASPECT} times the other); cut it into pieces"
        )
    pixels = pixels.reshape(height, width, channels)
    from_file = not isinstance(source, np.ndarray)  # whoever passes an array knows its shape
    if from_file and logger.isEnabledFor(level) and (odd := odd_shape(pixels, may_be_turned)):
        logger.log(level, "%s: %s", name, odd)
    return pixels


def _decode(
    source: Source, channels: int, name: str, level: int, page: int, max_pixels: int,
    formats: Sequence[str], limit_time: bool,
) -> tuple[np.ndarray, str]:  # fmt: skip
    """(uint8 (height, width) or (height, width, 3), why EXIF data cannot be read or "").

    Raises errors of any type.
    """
    with _open(source, name, formats) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise TooLargeError(
                f"{name}: {width} x {height} pixels, over the limit of {max_pixels:,}; "
                "crop it to the line, or scale it down"
            )
        _choose_page(image, page, name, level)
        if limit_time and decoding_time.decodes_at_once(image):
            encoded, formats = image.fp.getvalue(), (image.format,)  # type: ignore[attr-defined]
            return decoding_time.run_elsewhere(_decode_file, encoded, channels, page, formats)
        return _pixels(image, channels)


def _decode_file(
    encoded: bytes, channels: int, page: int, formats: Sequence[str]
) -> tuple[np.ndarray, str]:
    """As `_decode`, in another process."""
    if "HEIF" in formats:
        formats_of(encoded[:12], "", formats)  # registers it
    with Image.open(io.BytesIO(encoded), formats=tuple(formats)) as image:
        image.seek(page - 1)
        return _pixels(image, channels)


def _pixels(image: Image.Image, channels: int) -> tuple[np.ndarray, str]:
    image.load()
    upright, exif_fault = _upright(image)
    return np.asarray(_eight_bit(upright).convert("L" if channels == 1 else "RGB")), exif_fault


def _choose_page(image: Image.Image, page: int, name: str, level: int) -> None:
    """Go to a page of a file; images of the caller's stay at theirs. Raises ImageError."""
    if page > 1 and image.format:  # only what was opened from a file has one
        pages = getattr(image, "n_frames", 1)
        if page > pages:
            only = "1 page" if pages == 1 else f"{pages} pages"
            raise ImageError(f"{name}: has {only}, so no page {page}; give a smaller --page")
        image.seek(page - 1)
    # pages are not counted for a message: there may be very many. MPO is a phone's picture with its
    # previews
    elif getattr(image, "is_animated", False) and image.format != "MPO":
        logger.log(level, "%s: has several pages; the first is read, --page N reads another", name)


def _open(source: Source, name: str, formats: Sequence[str]) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.copy()
    if isinstance(source, np.ndarray):
        return _from_array(source, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        encoded = source
    elif url := storage.url_of(source):
        encoded = storage.read(url, MAX_BYTES)
    else:
        try:
            with open_regular(source) as (file, size):
                if size > MAX_BYTES:
                    raise ImageError(
                        f"{name}: {size:,} bytes, over the limit of {MAX_BYTES:,}; "
                        "crop it to the line, or scale it down"
                    )
                encoded = file.read()  # all at once: Pillow reads in many small pieces
        except FileRefused as error:
            raise ImageError(f"{name}: a folder, pipe or device; name an image file") from error
    if not encoded:
        raise ImageError(f"{name}: the file is empty; save it again")
    if bytes(encoded[: len(LFS_POINTER)]) == LFS_POINTER:
        raise ImageError(f"{name}: {LFS_MESSAGE}")
    return decoding_time.open_file(encoded, formats_of(bytes(encoded[:12]), name, formats))


def formats_of(start: bytes, name: str, formats: Sequence[str] = FORMATS) -> Sequence[str]:
    """`formats`, and HEIF if a file that begins like this is one. Raises ImageError for HEIF."""
    if start[4:8] != b"ftyp" or start[8:12] not in HEIF_BRANDS:
        return formats
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            f"{name}: a HEIC picture, which needs the package pillow-heif: python -m pip install "
            "--no-deps pillow-heif; or save it as JPEG"
        ) from None
    pillow_heif.register_heif_opener()
    return (*formats, "HEIF")


def _reason(error: Exception, max_pixels: int) -> str:
    """Why an image cannot be opened or decoded, and the fix."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, storage.StorageError):
        return str(error).split(": ", 1)[-1]
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or damaged at its start; save it again as PNG or JPEG"
    if isinstance(error, Image.DecompressionBombError):
        most = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))  # Pillow's own limit
        return f"far over the limit of {most:,} pixels; crop it, or scale it down"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened ({error.strerror})"
    return f"cannot be decoded ({reason_of(error)}); save it again as PNG or JPEG"


def as_picture(pixels: np.ndarray) -> Image.Image:
    """uint8 (rows, columns, 1 or 3) as a grey or RGB image."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


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


def _upright(image: Image.Image) -> tuple[Image.Image, str]:
    """(the image as its EXIF data has it, why they cannot be read or "")."""
    # not ImageOps.exif_transpose: it also rewrites the EXIF data, and fails where it cannot
    try:
        transpose = TRANSPOSES.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # the pixels can be used even if the EXIF data cannot
        return image, reason_of(error)
    return image if transpose is None else image.transpose(transpose), ""


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any PIL mode to L or RGB, 8 bits per sample, without alpha."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        samples = np.asarray(image)
        highest = float(np.nan_to_num(samples).max(initial=0))
        scales = (1, *FULL_SCALES) if image.mode == "F" else FULL_SCALES
        white = next((scale for scale in scales if highest <= scale), highest)
        found = np.empty(samples.shape, np.uint8)
        for rows in _strips(samples):
            part = np.nan_to_num(samples[rows].astype(np.float64)) * 255 / white
            found[rows] = np.clip(np.round(part), 0, 255)
        return Image.fromarray(found)
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
    alpha = np.asarray(image.getchannel("A"))
    if alpha.min(initial=255) == 255:  # as in most screenshots
        return image.convert("RGB")
    luma = np.asarray(image.convert("L"))
    on_black, on_white = _variance(alpha, luma), _variance(alpha, 255 - luma)
    behind = "black" if on_black > LIGHT_INK**2 * on_white else "white"
    return Image.alpha_composite(Image.new("RGBA", image.size, behind), image).convert("RGB")


def _variance(alpha: np.ndarray, ink: np.ndarray) -> float:
    """Of the product of two uint8 arrays."""
    total = squares = 0  # exact: integers
    for rows in _strips(alpha):
        levels = alpha[rows].astype(np.int64) * ink[rows]
        total += int(levels.sum())
        squares += int((levels * levels).sum())
    return (alpha.size * squares - total**2) / alpha.size**2


def _strips(pixels: np.ndarray) -> Iterator[slice]:
    """Rows of a large image, some at a time: what is computed with them takes little memory."""
    rows = max(1, STRIP_PIXELS // max(1, pixels.shape[1]))
    for top in range(0, len(pixels), rows):
        yield slice(top, top + rows)


def possible_turns(pixels: np.ndarray) -> tuple[int, ...]:
    """How an image may have to be turned to be upright, in degrees counter-clockwise.

    A wide one is upright or upside down; one over twice as tall as wide, sideways; a single
    character may be anything.
    """
    height, width = pixels.shape[:2]
    if height <= width:
        return 0, 180
    return (90, 270) if height > 2 * width else (0, 180, 90, 270)


def is_large(source: Source) -> bool:
    """Whether decoding takes long enough to be worth a thread."""
    if isinstance(source, (str, os.PathLike)):
        if storage.url_of(source):
            return True
        try:
            return os.path.getsize(source) > LARGE
        except (OSError, ValueError):  # `load` reports what is wrong
            return False
    return isinstance(source, (bytes, bytearray, memoryview)) and len(source) > LARGE
