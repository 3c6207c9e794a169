"""reader.py, which is copied beside every export, prepares images as ocr_simple/images.py does."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from support.images import encoded, off_by

from aocr import reader
from ocr_simple import images as imaging

ABOUT = {"height": 32, "channels": 1, "least_spread": imaging.MIN_SPREAD}


def line() -> Image.Image:
    picture = Image.new("L", (150, 40), 230)
    for x in range(10, 140, 14):
        ImageDraw.Draw(picture).line((x, 6, x + 6, 33), 20 + x, 4)
    return picture


def transparent(level: int) -> Image.Image:
    ink = Image.new("L", (150, 40), level).convert("RGBA")
    ink.putalpha(ImageOps.invert(line()))
    return ink


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(line().transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


def unwritable_exif() -> bytes:
    """An orientation in an EXIF block that Pillow can read but not write."""
    entries = [(0x0102, 4, 70_000), (0x0112, 3, 6)]
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    exif += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return encoded(line().transpose(Image.Transpose.ROTATE_90), exif=exif + bytes(4))


def floats(high: float) -> bytes:
    values = np.asarray(line(), np.float32) * np.float32(high / 255)
    values[0, 0] = np.nan
    return encoded(Image.fromarray(values), "TIFF")


FILES = {
    "grey": encoded(line()),
    "colour": encoded(line().convert("RGB"), "JPEG"),
    "palette": encoded(line().convert("P"), "GIF"),
    "one bit": encoded(line().convert("1")),
    "16 bits": encoded(Image.fromarray(np.asarray(line()).astype(np.uint16) * 257), "TIFF"),
    "16 bits, 8 of them used": encoded(Image.fromarray(np.asarray(line(), np.uint16))),
    "32 bits": encoded(Image.fromarray(np.asarray(line()).astype(np.int32)), "TIFF"),
    "float to 1": floats(1),
    "float to 255": floats(255),
    "CMYK": encoded(line().convert("RGB").convert("CMYK"), "TIFF"),
    "dark ink": encoded(transparent(30)),
    "light ink": encoded(transparent(255)),
    "grey with alpha": encoded(transparent(30).convert("LA")),
    "light grey with alpha": encoded(transparent(240).convert("LA")),
    "turned": turned(),
    "garbage in EXIF": encoded(line(), exif=b"Exif\0\0XX*\0garbage!"),
    "EXIF that cannot be written": unwritable_exif(),
    "PGM": encoded(line(), "PPM"),
    "AVIF": encoded(line(), "AVIF", quality=100),
    "JPEG 2000": encoded(line(), "JPEG2000"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_prepared_as_the_model_was_trained(name, channels):
    expected = imaging.prepare(imaging.load(FILES[name], channels, warn=False), 32)
    found = reader.prepare(io.BytesIO(FILES[name]), ABOUT | {"channels": channels})
    assert off_by(found, expected) < 1e-4


def test_the_formats_and_the_contrast_are_those_of_images_py():
    assert reader.FORMATS == imaging.FORMATS
    assert reader.LIGHT_INK == imaging.LIGHT_INK
    assert reader.TRANSPOSES == imaging.TRANSPOSES


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "No such file or directory"),
        (b"", "not an image, or damaged"),
        (b"no image", "not an image, or damaged"),
        (FILES["colour"][:300], "not an image, or damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image, or damaged"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(content, what, tmp_path):
    file = tmp_path / "x.png"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{file}: {what}$"):
        reader.prepare(file, ABOUT)
