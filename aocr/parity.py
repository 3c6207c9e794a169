"""Checks that an export reads what its Keras model reads: sample images, and the comparison."""

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from ocr_simple.boxes import CameraBox, line_size, line_to_picture
from ocr_simple.decoding.automaton import Automaton
from ocr_simple.drawing.fonts import characters_drawn, find_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet, Line

TOLERANCE = 1e-3  # largest difference of a confidence
SEED = 4_000_000  # not likely to be the --seed of a training
ALLOWED = 10  # texts that fit a constraint
LONGEST = 16  # characters of most lines; every eighth has three times as many
Read = Callable[[Sequence[bytes]], list[tuple[str, float]]]  # encoded images -> texts, confidences


class ExportError(RuntimeError):
    """A model that cannot be exported, or an export that gives other results than its model."""


class Sample(NamedTuple):
    """An image to compare by."""

    name: str
    format: str
    encoded: bytes


class Parity(NamedTuple):
    """How an export compares with the Keras model."""

    lines: int
    same: int  # lines with the same text, or with next to no confidence in either
    difference: float  # largest difference of a confidence, among those


# --- the images -------------------------------------------------------------------------------


def samples(spec: ModelSpec) -> list[Sample]:
    """About forty images, from a fixed seed, in every format and colour mode.

    Lines of all widths in several fonts, and three images without text.
    """
    rng = np.random.default_rng(SEED)
    fonts = find_fonts(("matplotlib", "trdg"))
    known = Alphabet(spec.alphabet).characters.replace(" ", "")
    found = []
    for number, (name, encode) in enumerate(_ENCODERS * 3):
        font = fonts[int(rng.integers(len(fonts)))]
        characters = characters_drawn(font, known) or "0123456789"
        length = 1 + number % LONGEST if number % 8 else 3 * LONGEST
        text = "".join(characters[i] for i in rng.integers(len(characters), size=length))
        colour = "#{:02x}{:02x}{:02x}".format(*rng.integers(0, 120, 3))
        size = (16, 32, 57, 120)[number % 4]
        options = LineOptions(size=size, margins=(2, 2, 2, 2), text_color=colour)
        drawn = draw(text, font, options, number)
        if drawn is None:
            continue
        picture = drawn.convert("RGB")
        if number % 3 == 0:  # light on dark
            picture = Image.fromarray(255 - np.asarray(picture))
        found.append(Sample(f"{name} {number}", *encode(picture)))
    blank = Image.new("RGB", (60, 20), "#c0c0c0")
    dot = Image.new("RGB", (1, 1), "white")
    noise = Image.fromarray(rng.integers(0, 256, (40, 200, 3), np.uint8))
    for name, picture in (("blank", blank), ("single pixel", dot), ("noise", noise)):
        found.append(Sample(name, *_encoder("png")(picture)))
    return found


def allowed_samples(automaton: Automaton) -> list[Sample]:
    """Images of texts that a constraint allows; none for right-to-left text."""
    rng = np.random.default_rng(SEED)
    font = find_fonts(("matplotlib",))[0]
    found: list[Sample] = []
    for number in range(0 if automaton.alphabet.right_to_left else ALLOWED):
        text = automaton.random_text(rng, LONGEST)
        if not text.strip() or characters_drawn(font, text) != text:
            continue
        drawn = draw(text, font, LineOptions(size=32, margins=(2, 2, 2, 2)), number)
        if drawn is not None:
            picture = drawn.convert("RGB")
            found.append(Sample(f"allowed text {number}", *_encoder("png")(picture)))
    return found


def camera_sample(spec: ModelSpec, box: CameraBox) -> Sample:
    """A picture of a camera, with a line in its box."""
    known = Alphabet(spec.alphabet).characters.replace(" ", "")
    font = find_fonts(("matplotlib",))[0]
    text = (characters_drawn(font, known) or "0123456789")[:6]
    drawn = draw(text, font, LineOptions(size=32, margins=(2, 2, 2, 2)), SEED)
    width, height = line_size(box.corners)
    line = (drawn or Image.new("RGB", (60, 20))).convert("RGB").resize((width, height))
    a, b, c, e, f, g, h, i = line_to_picture(box.corners, box.size)
    back = np.linalg.inv([[a, b, c], [e, f, g], [h, i, 1]])  # from the picture to the line
    picture = line.transform(
        box.size,
        Image.Transform.PERSPECTIVE,
        (back / back[2, 2]).ravel()[:8].tolist(),
        Image.Resampling.BILINEAR,
        fillcolor="#808080",
    )
    return Sample("picture with a box", *_encoder("png")(picture))


def _encoder(
    form: str, mode: str = "RGB", **options: Any
) -> Callable[[Image.Image], tuple[str, bytes]]:
    """A function from a picture to (format, encoded bytes)."""

    def encode(picture: Image.Image) -> tuple[str, bytes]:
        file = io.BytesIO()
        picture.convert(mode).save(file, form, **options)
        return form, file.getvalue()

    return encode


def _transparent(picture: Image.Image) -> tuple[str, bytes]:
    """The ink alone: the paper is transparent."""
    alpha = picture.convert("L").point(lambda level: 255 - level)
    return _encoder("png", "RGBA")(Image.merge("RGBA", (*picture.split(), alpha)))


def _light_and_transparent(picture: Image.Image) -> tuple[str, bytes]:
    """White ink alone: the paper is transparent."""
    grey = picture.convert("L")
    light = grey if np.median(np.asarray(grey)) < 128 else grey.point(lambda level: 255 - level)
    white = Image.new("L", grey.size, 255)
    return _encoder("png", "RGBA")(Image.merge("RGBA", (white, white, white, light)))


def _sixteen_bits(picture: Image.Image) -> tuple[str, bytes]:
    file = io.BytesIO()
    levels = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(levels).save(file, "tiff")
    return "tiff", file.getvalue()


def _rotated(picture: Image.Image) -> tuple[str, bytes]:
    """Rotated by 90 degrees, with the EXIF orientation that undoes it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return "exif", _encoder("jpeg", exif=exif)(picture.transpose(Image.Transpose.ROTATE_90))[1]


_ENCODERS = (
    ("grey PNG", _encoder("png", "L")),
    ("colour PNG", _encoder("png")),
    ("black and white PNG", _encoder("png", "1")),
    ("PNG with a palette", _encoder("png", "P")),
    ("transparent PNG", _transparent),
    ("transparent PNG with white ink", _light_and_transparent),
    ("colour JPEG", _encoder("jpeg", quality=75)),
    ("grey JPEG", _encoder("jpeg", "L", quality=60)),
    ("progressive JPEG", _encoder("jpeg", progressive=True, subsampling=0)),
    ("BMP", _encoder("bmp")),
    ("GIF", _encoder("gif", "L")),
    ("WebP", _encoder("webp", lossless=True)),
    ("16-bit TIFF", _sixteen_bits),
    ("JPEG with EXIF orientation", _rotated),
)


# --- the comparison ---------------------------------------------------------------------------


def compare(
    expected: list[Line],
    found: list[tuple[str, float]],
    lines: list[Sample],
    exact: bool,
    constrained: bool = False,
) -> Parity:
    """Compare an export's texts and confidences with those of the Keras model.

    exact: raise ExportError, for the line that differs most, where a text differs or a confidence
    is off by more than TOLERANCE. constrained: whether lines were read with a constraint. Most
    sample images show none of its texts; where both confidences are below TOLERANCE, the texts may
    differ then.
    """
    differences = [
        abs(line.confidence - confidence)
        if line.text == text or (constrained and max(line.confidence, confidence) < TOLERANCE)
        else np.inf
        for line, (text, confidence) in zip(expected, found, strict=True)
    ]
    same = [difference for difference in differences if difference < np.inf]
    worst = int(np.argmax(np.nan_to_num(differences, nan=np.inf)))
    if exact and not differences[worst] <= TOLERANCE:
        line, (text, confidence) = expected[worst], found[worst]
        wrong = f"{text!r} ({confidence:.5f}) instead of {line.text!r} ({line.confidence:.5f})"
        if text == line.text:
            wrong = f"confidence {confidence:.5f} instead of {line.confidence:.5f} for {text!r}"
        raise ExportError(
            "gives other results than the Keras model: "
            f"{len(differences) - len(same)} of {len(differences)} texts differ; "
            f"{lines[worst].name}: {wrong}"
        )
    return Parity(len(differences), len(same), max(same, default=0.0))
