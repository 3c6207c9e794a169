"""A line composed from cached glyphs, with exactly the pixels that trdg draws.

Each font renders a glyph once, which makes this many times faster than trdg. Vertical text is left
to trdg. Text that needs shaping (see shaping.py) is drawn by Pillow in one piece, which trdg cannot
do.
"""

import functools
import logging
import random
from typing import NamedTuple

from PIL import Image, ImageColor, ImageFilter

from ocr_simple.command_line import option_name
from ocr_simple.drawing.shaping import needs_shaping, pieces_of
from ocr_simple.drawing.trdg_renderer import (
    Font,
    background,
    distort,
    mean_grey,
    pictures_in,
    render,
    text_width,
)
from ocr_simple.errors import LineError
from ocr_simple.images import MAX_ASPECT, MAX_PIXELS
from ocr_simple.messages import first_ten
from ocr_simple.options import Drawing
from ocr_simple.right_to_left import is_right_to_left

TOO_WIDE = f"over {MAX_ASPECT} times as wide as high"  # no image of that shape can be read

logger = logging.getLogger("ocr_simple")


def check_drawing(options: Drawing) -> None:
    """Raise LineError for options that cannot be drawn, beyond the ranges in options.py."""
    # horizontal text fills the size between the upper and lower margins, vertical the other two
    across = options.margins[options.orientation] + options.margins[options.orientation + 2]
    if options.size < 8 or options.size - across < 4 or min(options.margins) < 0:
        raise LineError(
            f"--size {options.size} with --margins {' '.join(map(str, options.margins))} leaves no "
            "room for text; give a size of at least 8, and at least 4 pixels more than the margins "
            "across the text"
        )
    for name in ("text_color", "stroke_fill"):
        try:
            for colour in getattr(options, name).split(","):
                ImageColor.getrgb(colour)
        except ValueError as error:
            raise LineError(
                f"{option_name(name)} {getattr(options, name)!r}: {error}; give a colour such as "
                "#282828"
            ) from error
    if options.background_type == 3:
        folder = options.picture_folder
        pictures, left_out = pictures_in(folder)
        if left_out:
            _warn(folder, left_out)
        if not pictures:
            raise LineError(f"--image-dir {folder}: no pictures there; give a folder of pictures")


@functools.lru_cache  # so that it warns once
def _warn(folder: str, left_out: tuple[str, ...]) -> None:
    names = first_ten(list(left_out))
    why = "no pictures, too large or slow to decode, or over twenty times as long as wide"
    logger.warning("--image-dir %s: %d files left out, %s:%s", folder, len(left_out), why, names)


# --- glyphs -----------------------------------------------------------------------------------


class _Glyph(NamedTuple):
    """A character, or a word, at the size of its font."""

    width: int
    height: int
    plain: tuple  # mask, and the offset at which it is drawn
    stroked: tuple  # with its outline


class _Face:
    """A font at a size, and the characters that it has rendered; words are too many to keep."""

    def __init__(self, font: str, size: int, stroke_width: int):
        self.font, self.stroke_width = Font(font, size), stroke_width
        self.space = self.font.getsize(" ")[0]
        self.glyphs: dict[str, _Glyph] = {}

    def glyph(self, text: str) -> _Glyph:
        if text in self.glyphs:
            return self.glyphs[text]
        direction = "rtl" if is_right_to_left(text) else None
        plain = stroked = self.font.getmask2(text, "L", direction=direction, anchor="la")
        if self.stroke_width:
            stroked = self.font.getmask2(
                text, "L", direction=direction, stroke_width=self.stroke_width, anchor="la",
                stroke_filled=True,
            )  # fmt: skip
        width, height = text_width(self.font, text), self.font.getsize(text)[1]
        glyph = _Glyph(width, height, plain, stroked)
        if len(text) == 1:
            self.glyphs[text] = glyph
        return glyph


_face = functools.lru_cache(maxsize=1024)(_Face)


# --- steps of a drawing, in trdg's order ------------------------------------------------------


@functools.lru_cache
def _bounds(colours: str) -> list[tuple[int, int]]:
    """Least and greatest red, green and blue between two colours."""
    ends = [ImageColor.getrgb(colour) for colour in colours.split(",")]
    return [(min(levels), max(levels)) for levels in zip(ends[0], ends[-1])][:3]


def _random_colour(colours: str, rng: random.Random) -> tuple[int, ...]:
    return tuple(rng.randint(low, high) for low, high in _bounds(colours))


def _room(
    glyphs: list[_Glyph], widths: list[int], spacing: int, size: tuple[int, int]
) -> tuple[int, int, tuple[int, int]]:
    """(columns to add on the left, rows to add above, new size), so that no ink is cut off.

    Marks may stand above the line, and letters may reach beyond their advance widths.
    """
    lefts, tops, rights, bottoms = [0], [0], [size[0]], [size[1]]
    x = 0
    for glyph, width in zip(glyphs, widths):
        mask, (left, top) = glyph.stroked
        lefts.append(x + left)
        tops.append(top)
        rights.append(x + left + mask.size[0])
        bottoms.append(top + mask.size[1])
        x += width + spacing
    left, top = min(lefts), min(tops)
    return -left, -top, (max(rights) - left, max(bottoms) - top)


def _compose(
    text: str, face: _Face, options: Drawing, fill: tuple, stroke: tuple, grey: bool
) -> Image.Image:
    """The text at the size of its font, on a transparent background: mode LA or RGBA.

    Raises ValueError for a font that makes it huge.
    """
    pieces: str | list[str] = text
    spacing = options.character_spacing
    shaped = needs_shaping(text)
    if shaped:
        pieces, spacing = pieces_of(text, options), 0 if options.word_split else spacing
    elif options.word_split:
        pieces = [piece for word in text.split(" ") for piece in (word, " ")][:-1]
        spacing = 0
    glyphs = [face.glyph(piece) for piece in pieces]
    space = int(face.space * options.space_width)
    widths = [space if piece == " " else glyph.width for piece, glyph in zip(pieces, glyphs)]
    size = (sum(widths) + spacing * (len(pieces) - 1), max(glyph.height for glyph in glyphs))
    left, above = 0, 0
    if shaped:
        left, above, size = _room(glyphs, widths, spacing, size)
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"over {MAX_PIXELS:,} pixels")
    picture = Image.new("LA" if grey else "RGBA", size)
    paste = picture.im.paste
    ink, outline = ((c[0], 255) if grey else (*c, 255) for c in (fill, stroke))
    x = left
    for glyph, width in zip(glyphs, widths):
        layers = [(glyph.plain, ink)]
        if options.stroke_width:  # a stroke of the same colour is drawn alone
            layers = [(glyph.stroked, outline)] + layers * (fill != stroke)
        for (mask, (beside, top)), colour in layers:
            start, top = x + beside, above + top
            columns, rows = mask.size
            paste(colour, (start, top, start + columns, top + rows), mask)
        x += width + spacing
    return picture.crop(picture.getbbox()) if options.fit else picture


def _has_contrast(picture: Image.Image, ground: Image.Image, white: bool, lightest: int) -> bool:
    """trdg's check of contrast, which text without ink fails too; `lightest`: level of the text."""
    if white and picture.mode == "LA" and lightest <= 200:  # the mean is at most this, too
        return picture.getbbox() is not None  # of the alpha channel
    try:
        return abs(mean_grey(picture) - (255 if white else mean_grey(ground))) >= 15
    except ZeroDivisionError:
        return False


# --- a line -----------------------------------------------------------------------------------


def draw(text: str, font: str, options: Drawing, seed: int) -> Image.Image | None:
    """What `render` draws, pixel for pixel; in mode L where no colour is possible.

    Raises ValueError for a line too wide to be read, and what Pillow raises for a damaged font.
    """
    if options.orientation == 1:
        return render(text, font, options, seed)
    rng = random.Random(seed)
    fill = _random_colour(options.text_color, rng)
    stroke = _random_colour(options.stroke_fill, rng)
    colours = [fill, stroke] if options.stroke_width else [fill]
    grey = options.background_type != 3 and all(r == g == b for r, g, b in colours)

    face = _face(font, options.size, options.stroke_width)
    picture = _compose(text, face, options, fill, stroke, grey)
    angle = rng.randint(-options.skewing_angle, options.skewing_angle)
    if options.skewing_angle:
        picture = picture.rotate(angle if options.random_skew else options.skewing_angle, expand=1)
    if options.distorsion_type:
        picture = distort(picture, options, rng)

    top, left, bottom, right = options.margins
    rows = options.size - top - bottom
    columns = int(picture.width * (float(rows) / float(picture.height)))
    if columns > MAX_ASPECT * options.size:
        raise ValueError(TOO_WIDE)
    picture = picture.resize((columns, rows), Image.Resampling.LANCZOS)
    width = options.width if options.width > 0 else columns + left + right
    ground = background(width, options, seed, rng)
    if ground.mode != ("L" if grey else "RGB"):
        ground = ground.convert("L" if grey else "RGB")
    if not _has_contrast(picture, ground, options.background_type == 1, max(map(max, colours))):
        return None
    if options.width != -1 and options.alignment == 1:
        left = int(width / 2 - columns / 2)
    elif options.width != -1 and options.alignment == 2:
        left = width - columns - right
    ground.paste(picture.getchannel("L") if grey else picture.convert("RGB"), (left, top), picture)
    if options.blur:
        radius = rng.random() * options.blur if options.random_blur else options.blur
        ground = ground.filter(ImageFilter.GaussianBlur(radius=radius))
    return ground
