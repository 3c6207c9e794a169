"""reader.py, which is copied beside every export, prepares images as ocr_simple/images.py does."""

import io
import os
import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from support.images import encoded, off_by

from aocr import reader
from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.options import InferenceOptions

ABOUT = {"height": 32, "channels": 1, "least_spread": preprocessing.MIN_SPREAD}


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
    "float to 4,000": floats(4000),
    "12 bits": encoded(Image.fromarray(np.asarray(line()).astype(np.uint16) * 16), "TIFF"),
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
    expected = preprocessing.prepare(imaging.load(FILES[name], channels, warn=False), 32)
    found = reader.prepare(io.BytesIO(FILES[name]), ABOUT | {"channels": channels})
    assert off_by(found, expected) < 1e-4


def test_the_formats_and_the_contrast_are_those_of_images_py():
    assert reader.FORMATS == imaging.FORMATS
    assert reader.LIGHT_INK == imaging.LIGHT_INK
    assert reader.TRANSPOSES == imaging.TRANSPOSES


def test_what_is_no_file_of_an_image_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(200 << 30)
    for name in (tmp_path / "pipe.png", "/dev/zero", tmp_path):
        with pytest.raises(ValueError, match=rf"^{name}: a folder, pipe or device; name an image"):
            reader.prepare(name, ABOUT)
    with pytest.raises(ValueError, match=r"huge\.png: over the limit of 400,000,000 bytes; crop"):
        reader.prepare(tmp_path / "huge.png", ABOUT)


def test_the_limits_are_those_of_images_py():
    assert (reader.MAX_PIXELS, reader.MAX_BYTES) == (imaging.MAX_PIXELS, imaging.MAX_BYTES)
    assert InferenceOptions().max_pixels == imaging.MAX_PIXELS
    message = "^image: 150 x 40 pixels, over the limit of 100; crop it to the line, or scale it do"
    with pytest.raises(ValueError, match=message):
        reader.prepare(io.BytesIO(FILES["grey"]), ABOUT, max_pixels=100)


def test_an_image_of_far_too_many_pixels_is_said_to_be_one():
    content = encoded(Image.new("1", (20_000, 10_000)))
    with pytest.raises(ValueError, match=r"^image: far over the limit of 50,000,000 pixels; crop"):
        reader.prepare(io.BytesIO(content), ABOUT)


def test_a_line_that_is_too_long_costs_nothing():
    message = (
        "^image: 150 x 40 pixels, 120 columns at the model's height of 32, over the limit of 119; "
        "cut it into pieces$"
    )
    with pytest.raises(ValueError, match=message):
        reader.prepare(line(), ABOUT, max_columns=119)
    with pytest.raises(ValueError, match="480,000 columns"):
        reader.prepare(Image.new("1", (15_000, 1)), ABOUT)
    assert reader.MAX_COLUMNS == preprocessing.MAX_COLUMNS == InferenceOptions().max_columns
    assert reader.prepare(Image.new("L", (10_000, 32)), ABOUT).shape[1] == 10_000


def test_batches_are_those_of_images_py():
    widths = [100, 16_000, 90, 3000, 3100, 80, 5000, *[500] * 40]
    assert list(reader.batches(widths, 4, 100)) == list(preprocessing.batches(widths, 4))
    assert [len(batch) for batch in reader.batches([10] * 20, 4, 8)] == [8, 8, 4]


def test_few_long_lines_are_in_memory_at_a_time():
    prepared = [np.zeros((1, 16_000, 1), np.float32)] * 300
    found = reader._chunk(iter(prepared), lambda images: images)
    assert sum(x.shape[1] for x in found) <= reader.CHUNK_COLUMNS + reader.FEW * 16_000
    assert len(reader._chunk(iter(prepared[:3]), lambda images: images)) == 3


def test_a_name_cannot_control_the_terminal(tmp_path):
    with pytest.raises(ValueError, match=r"x\\x1b\[2J\\u202e: No such file"):
        reader.prepare(tmp_path / "x\x1b[2J\u202e", ABOUT)


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
