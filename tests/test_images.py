"""From an image file to a model's input: any mode, upright, on white, or a clear error."""

import importlib.util
import io
import logging
import os
import struct
import time

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageColor, ImageDraw, ImageFont, ImageOps
from support import slow_images
from support.images import encoded, off_by, png
from support.lines import OPEN_SANS

from ocr_simple import decoding_time, odd_shapes, preprocessing
from ocr_simple import images as imaging
from ocr_simple.datasets.crops import upright_size
from ocr_simple.images import ImageError, load
from ocr_simple.preprocessing import pad_batch, prepare, resize, scaled_width

RNG = np.random.default_rng(0)


def ramp(height=20, width=60, channels=3):
    """A smooth coloured picture that survives JPEG; unlike itself under every turn and flip."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)]
    return np.stack(planes[:channels], axis=2).astype(np.uint8)


def luma(rgb):
    return (rgb[..., :3].astype(float) @ [0.299, 0.587, 0.114])[..., None]


def on_white(rgba):
    alpha = rgba[..., 3:].astype(float) / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


# --- formats and modes ----------------------------------------------------------------------

LOSSLESS = [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {})]
WEBP = ("WEBP", {"lossless": True, "exact": True})


@pytest.mark.parametrize("kind", ["png", "tif", "tiff", "bmp", "webp", "gif", "jpg", "jpeg"])
def test_every_extension_is_read_grey_and_in_colour(tmp_path, kind):
    file = tmp_path / f"line.{kind}"
    options = {"lossless": True} if kind == "webp" else {"quality": 95} if kind[0] == "j" else {}
    Image.fromarray(ramp()).save(file, **options)
    lossy = {"jpg": 8, "jpeg": 8, "gif": 40}.get(kind, 0)  # GIF has 256 colours
    grey, color = load(file), load(file, channels=3)
    assert (grey.dtype, grey.shape) == (np.uint8, (20, 60, 1))
    assert off_by(grey, luma(ramp())) <= max(1, lossy)
    assert (color.dtype, color.shape) == (np.uint8, (20, 60, 3))
    assert off_by(color, ramp()) <= lossy


@pytest.mark.parametrize(("kind", "options"), [*LOSSLESS, ("JPEG", {"quality": 100}), ("GIF", {})])
def test_grey(kind, options):
    grey = ramp(channels=1)
    content = encoded(Image.fromarray(grey[..., 0]), kind, **options)
    assert off_by(load(content), grey) <= (1 if kind == "JPEG" else 0)
    assert off_by(load(content, channels=3), np.repeat(grey, 3, axis=2)) <= (kind == "JPEG")


@pytest.mark.parametrize(("kind", "options"), [LOSSLESS[0], LOSSLESS[1], LOSSLESS[2], WEBP])
def test_alpha_is_composited_on_white(kind, options):
    rgba = np.dstack([ramp(), np.tile(np.linspace(0, 255, 60).astype(np.uint8), (20, 1))])
    content = encoded(Image.fromarray(rgba), kind, **options)
    assert off_by(load(content, channels=3), on_white(rgba)) <= 1
    assert off_by(load(content), luma(on_white(rgba))) <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_with_alpha(kind):
    grey = Image.fromarray(ramp(channels=1)[..., 0])
    grey.putalpha(128)
    assert off_by(load(encoded(grey, kind)), ramp(channels=1) * 0.502 + 127) <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_palette(kind):
    image = Image.fromarray(ramp()).quantize(16)
    assert off_by(load(encoded(image, kind), channels=3), np.asarray(image.convert("RGB"))) == 0


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_with_transparency_is_on_white(kind):
    image = Image.new("P", (4, 2))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    pixels = load(encoded(image, kind, transparency=0), channels=3)
    assert pixels[0, 1].tolist() == [0, 0, 255]
    assert pixels[0, 0].tolist() == [255, 255, 255]


def test_a_palette_with_an_alpha_for_each_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.putpixel((1, 0), 1)
    assert load(encoded(image, transparency=bytes([255, 51]))).ravel().tolist() == [0, 204]


def test_a_transparent_colour_of_an_rgb_image_is_white():
    content = encoded(Image.new("RGB", (4, 2), (10, 20, 30)), transparency=(10, 20, 30))
    assert load(content).min() == 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit(kind):
    bits = RNG.random((8, 24)) < 0.5
    assert off_by(load(encoded(Image.fromarray(bits), kind))[..., 0], bits * 255) == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_by_257(kind):
    levels = np.linspace(0, 65535, 240).astype(np.uint16).reshape(4, 60)
    assert off_by(load(encoded(Image.fromarray(levels), kind))[..., 0], levels / 257) <= 0.5


def test_sixteen_bit_colour():
    data = b"".join(b"\0" + struct.pack(">6H", 0, 30000, 65535, 65535, 0, 12850) for _ in "ab")
    pixels = load(png(2, 2, depth=16, color=2, data=data), channels=3)
    assert off_by(pixels[0], np.array([[0, 116.7, 255], [255, 0, 50]])) <= 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 255)])
def test_a_float_tiff_in_either_range(low, high):
    values = np.linspace(low, high, 80, dtype=np.float32).reshape(4, 20)
    values[0, 0] = np.nan  # no value: black, not an error
    expected = np.nan_to_num(values) * (255 / high)
    assert off_by(load(encoded(Image.fromarray(values), "TIFF"))[..., 0], expected) <= 0.5


@pytest.mark.parametrize("high", [4095, 65535, 2_000_000])
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_levels_over_8_bits_keep_their_differences(kind, high):
    values = np.linspace(high / 100, high, 80).astype(kind).reshape(4, 20)
    found = load(encoded(Image.fromarray(values), "TIFF"))[..., 0]
    assert off_by(found, values * (255 / high)) <= 0.51


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    content = encoded(Image.fromarray(ramp()).convert("CMYK"), kind)
    assert off_by(load(content, channels=3), ramp()) <= (16 if kind == "JPEG" else 0)


def test_a_progressive_jpeg():
    assert off_by(load(encoded(Image.fromarray(ramp()), "JPEG", progressive=True), 3), ramp()) <= 16


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (500, 1)])
def test_the_smallest_images(size):
    assert load(encoded(Image.new("L", size, 7))).shape == (size[1], size[0], 1)


# --- upright --------------------------------------------------------------------------------

TURNED = {  # what a camera stores, by the orientation it notes
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(kind, orientation, **options):
    """An encoded picture of `ramp`, stored turned, with the orientation that undoes it."""
    image = Image.fromarray(ramp())
    if orientation > 1:
        image = image.transpose(TURNED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_exif_orientation_is_undone(kind, options, orientation):
    content = turned(kind, orientation, **options)
    tolerance = 8 if kind == "JPEG" else 0
    assert off_by(load(content, channels=3), ramp()) <= tolerance
    assert off_by(load(Image.open(io.BytesIO(content)), channels=3), ramp()) <= tolerance


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_means_nothing_is_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert off_by(load(encoded(Image.fromarray(ramp()), exif=exif), channels=3), ramp()) == 0


def test_a_broken_exif_block_is_reported_and_the_image_read(caplog):
    content = encoded(Image.fromarray(ramp()), exif=b"Exif\0\0XX*\0garbage!")
    assert off_by(load(content, channels=3, name="odd.png"), ramp()) == 0
    assert "odd.png: EXIF cannot be read" in caplog.text


def test_an_exif_block_that_cannot_be_written_again_still_turns_the_image():
    entries = [(0x0102, 4, 70_000), (0x0112, 3, 6)]  # a short by its tag, yet too long for one
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    exif += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    stored = Image.fromarray(ramp()).transpose(TURNED[6])
    content = encoded(stored, exif=exif + bytes(4))
    with pytest.raises(struct.error):
        ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert off_by(load(content, channels=3), ramp()) == 0


# --- sources --------------------------------------------------------------------------------


def test_path_text_bytes_pil_and_array_agree(tmp_path):
    file = tmp_path / "line.png"
    image = Image.fromarray(ramp())
    image.save(file)
    sources = [file, str(file), file.read_bytes(), bytearray(file.read_bytes())]
    sources += [memoryview(file.read_bytes()), image, Image.open(file), ramp()]
    for source in sources:
        assert off_by(load(source), load(file)) == 0


def test_a_pil_image_is_left_as_it_was():
    image = Image.open(io.BytesIO(turned("PNG", 6)))
    load(image)
    assert image.size == (20, 60)
    assert image.getexif()[0x0112] == 6


@pytest.mark.parametrize(
    "array",
    [
        ramp(channels=1),
        ramp(channels=1)[..., 0],
        ramp(channels=1).astype(np.uint16) * 257,
        ramp(channels=1) / 255,
        (ramp(channels=1) / np.float32(255)).astype(np.float32),
        np.repeat(ramp(channels=1), 3, axis=2),
        np.dstack([ramp(channels=1), np.full((20, 60), 255, np.uint8)]),  # with alpha
        np.asfortranarray(ramp(channels=1)),
        ramp(channels=1)[::-1][::-1],
    ],
    ids=["3-d", "2-d", "uint16", "float64", "float32", "colour", "alpha", "fortran", "view"],
)
def test_arrays(array):
    assert off_by(load(array), ramp(channels=1)) <= 1


def test_a_boolean_array_is_black_and_white():
    assert load(np.array([[True, False]])).ravel().tolist() == [255, 0]


def test_the_half_precision_floats():
    assert load(np.full((2, 4), 0.5, np.float16)).max() == 128


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.zeros((0, 5), np.uint8), "no pixels"),
        (np.zeros((5, 0, 3), np.uint8), "no pixels"),
        (np.zeros(5, np.uint8), r"shape \(5,\); give \(height, width"),
        (np.zeros((2, 5, 7), np.uint8), "shape"),
        (np.zeros((1, 2, 5, 3), np.uint8), "shape"),
        (np.zeros((2, 5), np.int64), "int64; give uint8"),
        (np.full((2, 5), 128.0), "outside 0 to 1; give uint8"),
        (np.full((2, 5), np.nan), "outside 0 to 1"),
        (np.full((2, 5), "x"), "give uint8"),
    ],
)
def test_an_array_that_cannot_be_used_says_what_to_give(array, what):
    with pytest.raises(ImageError, match=rf"^crop 3: .*{what}"):
        load(array, name="crop 3")


# --- errors ---------------------------------------------------------------------------------


def failure(source, **options):
    with pytest.raises(ImageError) as error:
        load(source, **options)
    return str(error.value)


def test_a_missing_file(tmp_path):
    assert failure(tmp_path / "none.png") == f"{tmp_path}/none.png: no such file"


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.png").touch()
    assert failure(tmp_path / "empty.png").endswith("empty.png: the file is empty; save it again")
    assert failure(b"", name="upload") == "upload: the file is empty; save it again"


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png", "/dev/zero"):
        assert "a folder, pipe or device; name an image file" in failure(path)


def test_a_path_that_cannot_be_opened_says_why(tmp_path):
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert "cannot be opened (" in failure(tmp_path / "loop.png")
    assert "cannot be opened (File name too long)" in failure("x" * 5000)
    assert "cannot be decoded" in failure("a\0b.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path):
    file = tmp_path / "secret.png"
    file.write_bytes(encoded(Image.new("L", (4, 4))))
    file.chmod(0)
    assert failure(file) == f"{file}: cannot be opened (Permission denied)"


@pytest.mark.parametrize(
    "content",
    [
        b"just text",
        b"<!DOCTYPE html><title>404</title>",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GI",
    ],
)
def test_what_is_no_image(content):
    assert failure(content, name="x.png") == (
        "x.png: not an image, or damaged at its start; save it again as PNG or JPEG"
    )


def test_formats_that_run_other_programs_are_not_opened():
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 10\n%%EndComments\nshowpage\n"
    assert "not an image" in failure(eps)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_a_truncated_file(kind, share):
    content = encoded(Image.fromarray(RNG.integers(0, 256, (40, 120, 3), np.uint8)), kind)
    message = failure(content[: int(len(content) * share)], name="cut")
    assert message.startswith("cut: ")
    assert message.endswith("save it again as PNG or JPEG")


def test_a_corrupt_png():
    content = bytearray(encoded(Image.fromarray(RNG.integers(0, 256, (40, 120), np.uint8))))
    content[200:260] = bytes(60)
    assert "cannot be decoded" in failure(bytes(content))


@pytest.mark.parametrize("size", [(9000, 6000), (12_000, 12_000), (100_000, 100_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_over_the_limit_is_refused_by_its_header(size):
    message = failure(png(*size), name="bomb.png")
    assert message.startswith("bomb.png: ")
    assert "over the limit of 50,000,000" in message
    assert "; crop it" in message


def test_the_limit_of_other_code_in_the_process_is_left_alone():
    limit = Image.MAX_IMAGE_PIXELS
    load(encoded(Image.new("L", (4, 4))))
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_a_header_that_claims_no_width(size):
    failure(png(*size))
    failure(Image.new("L", size))


def test_an_image_too_long_for_one_line():
    assert load(np.zeros((2, 1000), np.uint8)).shape == (2, 1000, 1)
    assert "1001 x 2 pixels is too long for one line" in failure(np.zeros((2, 1001), np.uint8))


def test_names_are_printed_in_one_line(tmp_path):
    assert failure(tmp_path / "a\nb\x1b.png") == f"{tmp_path}/a\\nb\\x1b.png: no such file"


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.png"
    with open(path, "wb") as file:
        file.truncate(imaging.MAX_BYTES + 1)  # sparse: no disk is used
    assert "400,000,001 bytes, over the limit of 400,000,000" in failure(path)


def test_memory_that_runs_out_is_an_error_of_that_image(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", exhausted)
    assert "cannot be decoded (MemoryError)" in failure(encoded(Image.new("RGB", (4, 4))))


# --- warnings -------------------------------------------------------------------------------


def warned(caplog, source):
    with caplog.at_level(logging.WARNING, logger="ocr_simple"):
        load(source, name="it")
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_further_frames_are_reported_and_the_first_read(caplog, kind):
    frames = [Image.new("L", (40, 20), level) for level in (200, 100, 50)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    message = "it: has several pages; the first is read, --page N reads another"
    assert warned(caplog, content) == [message]
    assert off_by(load(content), np.full((20, 40, 1), 200)) <= 1


def test_a_phones_picture_with_a_preview_is_one_picture(caplog):
    image = Image.fromarray(ramp())
    content = encoded(image, "MPO", save_all=True, append_images=[image.resize((30, 10))])
    assert warned(caplog, content) == []
    assert load(content).shape == (20, 60, 1)


def test_a_picture_taller_than_wide(caplog):
    content = encoded(Image.new("L", (20, 80)))
    assert warned(caplog, content) == [
        "it: taller than wide (20 x 80); only single lines can be read; crop it to the "
        "line, or if the line runs from top to bottom, read it with --orientation auto"
    ]


def test_a_pointer_of_git_lfs():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    with pytest.raises(ImageError, match=r"it: a pointer of Git LFS, .* git lfs pull"):
        load(pointer, name="it")


def test_a_page(caplog):
    content = encoded(Image.new("L", (600, 400)))
    assert warned(caplog, content) == [
        "it: looks like a page (600 x 400); only single lines can be read; crop it to the line"
    ]


def test_ordinary_lines_and_arrays_give_no_warning(caplog):
    assert warned(caplog, encoded(Image.new("L", (20, 32)))) == []  # a single digit
    assert warned(caplog, encoded(Image.new("L", (200, 40)))) == []
    assert warned(caplog, np.zeros((80, 20), np.uint8)) == []


# --- resize, normalise, batch ---------------------------------------------------------------

SIZES = [
    *((h, w) for h in (1, 2, 7, 16, 31, 33, 48, 63, 64, 100, 333) for w in (1, 5, 97, 500)),
    (900, 2000),
    (20, 4000),
]


@pytest.mark.parametrize("channels", [1, 3])
def test_resize_equals_tensorflow_within_one_level(channels):
    tf = pytest.importorskip("tensorflow")
    for height in (32, 48):
        for rows, columns in SIZES:
            pixels = RNG.integers(0, 256, (rows, columns, channels), np.uint8)
            ours = resize(pixels, height)
            size = (height, scaled_width(columns, rows, height))
            theirs = tf.image.resize(pixels, size, "bilinear", antialias=True).numpy()
            assert ours.dtype == np.float32
            assert off_by(ours, theirs) < 1, (rows, columns, height)


def test_grey_equals_tensorflows_luma_within_one_level(tmp_path):
    tf = pytest.importorskip("tensorflow")
    rgb = RNG.integers(0, 256, (40, 90, 3), np.uint8)
    weighted = tf.reduce_sum(tf.constant(rgb, tf.float32) * [0.299, 0.587, 0.114], -1, True)
    assert off_by(load(encoded(Image.fromarray(rgb))), weighted.numpy()) <= 1


def test_resize_leaves_an_image_of_the_right_height_alone():
    pixels = RNG.integers(0, 256, (32, 50, 1), np.uint8)
    assert off_by(resize(pixels, 32), pixels) == 0


@pytest.mark.parametrize(
    ("size", "width"), [((60, 20), 96), ((1, 900), 1), ((10, 64), 5), ((11, 64), 6), ((3, 2), 48)]
)
def test_the_aspect_is_kept_and_no_width_is_zero(size, width):
    assert scaled_width(*size, 32) == width
    assert resize(np.zeros((size[1], size[0], 1), np.uint8), 32).shape == (32, width, 1)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_is_all_zeros(level):
    assert not prepare(np.full((20, 60, 1), level, np.uint8), 32).any()


def test_the_background_is_zero_and_ink_has_its_sign():
    line = np.full((32, 100, 1), 200, np.uint8)
    line[10:20, 10:20] = 20
    dark, light = prepare(line, 32), prepare(255 - line, 32)
    assert np.median(dark) == 0
    assert dark.min() < -1
    assert off_by(light, -dark) < 1e-5
    assert dark.dtype == np.float32


def test_exposure_and_contrast_do_not_matter():
    line = RNG.integers(0, 101, (32, 100, 1), np.uint8)
    assert off_by(prepare(line, 32), prepare(line * 2 + 30, 32)) < 1e-5


def test_faint_noise_is_not_blown_up():
    assert np.abs(prepare(RNG.integers(126, 131, (32, 90, 1)).astype(np.uint8), 32)).max() < 0.5


def test_training_columns_are_a_few_more_at_most_and_stay_as_they_are():
    columns = range(4, 3000, 4)
    padded = [preprocessing.training_columns(count) for count in columns]
    assert all(0 <= more - count < 64 and more % 4 == 0 for more, count in zip(padded, columns))
    assert padded == [preprocessing.training_columns(count) for count in padded]
    assert preprocessing.training_columns(128) == 128 and preprocessing.training_columns(124) == 128


def test_pad_batch_stands_images_left_with_zeros_behind():
    images = [np.full((32, width, 1), width, np.float32) for width in (10, 33, 1)]
    batch = pad_batch(images, 32)
    assert batch["image"].shape == (3, 32, 64, 1)
    assert batch["image"].dtype == np.float32
    assert (batch["width"].tolist(), batch["width"].dtype) == ([10, 33, 1], np.int32)
    for row, image in zip(batch["image"], images):
        assert off_by(row[:, : image.shape[1]], image) == 0
        assert not row[:, image.shape[1] :].any()


@pytest.mark.parametrize(("width", "columns"), [(1, 32), (32, 32), (33, 64)])
def test_a_batch_is_a_multiple_of_32_columns_or_of_what_is_asked(width, columns):
    image = np.ones((32, width, 3), np.float32)
    assert pad_batch([image], 32)["image"].shape == (1, 32, columns, 3)
    assert pad_batch([image], 1)["image"].shape == (1, 32, width, 3)


def test_the_extensions_are_those_that_pillow_lists_for_the_formats_and_those_of_heif():
    known = Image.registered_extensions()
    heif = {".heic", ".heif", ".hif"}
    assert heif | {e for e, f in known.items() if f in imaging.FORMATS} == imaging.EXTENSIONS


# --- ink on transparency --------------------------------------------------------------------


def ink(colour, size=(120, 32)):
    """A few strokes of one colour on nothing: RGBA, with soft edges."""
    mask = Image.new("L", (4 * size[0], 4 * size[1]))
    draw = ImageDraw.Draw(mask)
    for x in range(40, 4 * size[0] - 40, 60):
        draw.line((x, 24, x + 20, 4 * size[1] - 24), 255, 14)
    picture = Image.new("RGBA", size, (*ImageColor.getrgb(colour), 0))
    picture.putalpha(mask.resize(size, Image.Resampling.BOX))
    return picture


@pytest.mark.parametrize("colour", ["white", "#f0f0f0", "yellow", "#d8d8d8"])
def test_light_ink_is_put_on_black(colour):
    pixels = load(encoded(ink(colour)), channels=3)
    alpha = np.asarray(ink(colour))[..., 3:] / 255
    assert off_by(pixels, alpha * ImageColor.getrgb(colour)) <= 1
    assert off_by(load(ink(colour)), load(np.asarray(ink(colour)))) == 0


@pytest.mark.parametrize("colour", ["black", "#282828", "red", "blue", "#808080", "#c8c8c8"])
def test_darker_ink_is_put_on_white_as_ever(colour):
    picture = ink(colour)
    white = Image.new("RGBA", picture.size, "white")
    expected = np.asarray(Image.alpha_composite(white, picture).convert("L"))[..., None]
    assert off_by(load(encoded(picture)), expected) == 0


def test_a_picture_with_transparent_corners_stays_on_white():
    paper = Image.new("RGBA", (120, 40), "#f8f8f8")
    paper.paste(ink("#303030"), (0, 4), ink("#303030"))
    corners = Image.new("L", paper.size, 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, 119, 39), 18, fill=255)
    paper.putalpha(corners)
    assert load(encoded(paper))[0, 0, 0] == 255


def test_an_opaque_picture_with_alpha_is_the_same_without_it():
    light = Image.fromarray(np.maximum(ramp(), 200))
    assert off_by(load(encoded(light.convert("RGBA")), 3), load(encoded(light), 3)) == 0


@pytest.mark.parametrize("picture", [Image.new("RGBA", (40, 20)), Image.new("LA", (40, 20))])
def test_a_picture_with_nothing_to_see_is_white(picture):
    assert load(encoded(picture)).min() == 255


# --- pages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_another_page_is_read_when_asked_for(caplog, kind):
    pages = [Image.new("L", (40, 20), level) for level in (200, 100, 50)]
    content = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
    assert [load(content, page=page).max() // 10 for page in (2, 3)] == [10, 5]
    assert not caplog.messages
    message = "scan: has 3 pages, so no page 4; give a smaller --page"
    assert failure(content, name="scan", page=4) == message
    assert "has 1 page, so no page 2" in failure(encoded(pages[0]), page=2)


def test_pictures_of_the_caller_stay_at_their_page():
    pages = [Image.new("L", (40, 20), level) for level in (200, 100)]
    content = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert load(Image.open(io.BytesIO(content)), page=2).max() == 200


# --- what may be a mistake ------------------------------------------------------------------


def printed(text, **options):
    """Printed text on white, cropped: uint8 (rows, columns, 1)."""
    picture = Image.new("L", (700, 300), 255)
    font = ImageFont.truetype(OPEN_SANS, 40)
    ImageDraw.Draw(picture).text((30, 30), text, 30, font, **options)
    left, top, right, bottom = ImageOps.invert(picture).getbbox()
    box = (left - 6, top - 6, right + 6, bottom + 6)
    return np.asarray(picture.crop(box))[..., None]


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("text", ["First line\nsecond one", "4711 0815\n2003 12"])
def test_two_lines_in_one_picture_are_a_warning(caplog, text, invert):
    pixels = printed(text, spacing=10)
    content = encoded(Image.fromarray((255 - pixels if invert else pixels)[..., 0]))
    message = "it: looks like two lines; only single lines can be read; crop it to the line"
    assert warned(caplog, content) == [message]
    load(content, warn=False)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    "text", ["First line", "1 = 2 = 3 = 4", "i:j:i:j", "÷÷÷÷÷", "ÄÖÜ äöü", "8"]
)
def test_a_single_line_is_no_warning(text):
    assert not odd_shapes.shows_two_lines(printed(text))


def test_a_display_without_middle_segments_is_one_line():
    display = np.full((40, 200, 1), 255, np.uint8)
    for x in range(10, 190, 30):  # the digit 0, which leaves its middle segment out
        display[4:18, [x, x + 1, x + 14, x + 15]] = display[22:36, [x, x + 1, x + 14, x + 15]] = 0
        display[[4, 5, 34, 35], x : x + 16] = 0
    assert not odd_shapes.shows_two_lines(display)


# --- HEIC -----------------------------------------------------------------------------------


def test_a_heic_picture_is_read_or_the_package_that_it_needs_is_named(tmp_path):
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.from_pillow(Image.fromarray(ramp())).save(tmp_path / "a.heic", quality=-1)
        assert off_by(load(tmp_path / "a.heic", 3), ramp()) <= 8
        assert upright_size(tmp_path / "a.heic") == ramp().shape[1::-1]
    else:
        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
        assert "a.heic: a HEIC picture, which needs the package pillow-heif" in failure(
            tmp_path / "a.heic"
        )


# --- sideways -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "turns"),
    [((100, 32), (0, 180)), ((32, 100), (90, 270)), ((20, 32), (0, 180, 90, 270))],
)
def test_the_shape_of_a_picture_says_how_it_may_be_turned(size, turns):
    assert imaging.possible_turns(np.zeros((*size[::-1], 1))) == turns


def test_a_tall_picture_that_may_be_turned_is_no_warning_but_has_the_same_limit(caplog):
    assert load(Image.new("L", (20, 100)), may_be_turned=True).shape == (100, 20, 1)
    assert not caplog.messages
    tall = Image.new("L", (2, 2000))
    assert "too long for one line" in failure(tall, may_be_turned=True)


# --- time -----------------------------------------------------------------------------------


@pytest.fixture
def half_a_second(monkeypatch):
    """A shorter limit of time, also of other processes."""
    monkeypatch.setattr(decoding_time, "SECONDS", 0.5)
    monkeypatch.setattr(decoding_time, "_processes", decoding_time._Processes())


@pytest.mark.parametrize("kind", slow_images.SLOW)
def test_a_file_that_takes_very_long_to_decode_is_given_up(kind, half_a_second):
    start = time.process_time()
    assert failure(slow_images.SLOW[kind](), name=kind) == (
        f"{kind}: cannot be decoded (takes over 0.5 s); save it again as PNG or JPEG"
    )
    assert time.process_time() - start < 3
    assert load(encoded(Image.new("RGB", (40, 20)), "JPEG2000")).shape == (20, 40, 1)


def test_pages_are_not_counted_for_a_message(caplog):
    content = slow_images.many_pages(20_000)
    start = time.process_time()
    assert warned(caplog, content) == [
        "it: has several pages; the first is read, --page N reads another"
    ]
    assert time.process_time() - start < 1


def test_counting_pages_ends(half_a_second):
    assert "takes over" in failure(slow_images.many_pages(), page=60_000)


def test_what_is_decoded_in_another_process_is_read_like_the_rest(caplog):
    picture = Image.fromarray(ramp())
    exif = picture.getexif()
    exif[ExifTags.Base.Orientation] = 3
    content = encoded(picture, "TIFF", compression="tiff_lzw", exif=exif)
    assert (load(content) == np.rot90(load(picture), 2)).all()
    assert not caplog.messages


def test_of_uploads_only_formats_that_people_have_are_decoded():
    plain = b"P3 1 1 255 1 2 3\n"
    assert load(plain).shape == (1, 1, 1)
    assert "not an image" in failure(plain, formats=imaging.UPLOADS)
    assert load(encoded(Image.new("L", (4, 4))), formats=imaging.UPLOADS).shape == (4, 4, 1)
