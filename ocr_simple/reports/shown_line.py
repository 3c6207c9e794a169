"""A line that was read, as a picture for a notebook: the image, spans, characters by confidence.

It is an SVG: a browser draws the text, and has fonts for every script. Pillow and NumPy only.
"""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from ocr_simple import images as imaging
from ocr_simple.messages import printable, visible
from ocr_simple.text import Character, Line

WIDTH, HEIGHT = 900, 96  # pixels of the image in the picture, at most
MARGIN, TEXT, NOTE = 8, 26, 15  # pixels; the last two of an em
FONT = "font-family='system-ui, sans-serif'"


def colour(confidence: float) -> str:
    """From red for 0 to green for 1, as on the server's page."""
    return f"hsl({round(130 * confidence**2)} 75% 33%)"


def _element(text: str, left: float, baseline: float, size: float, style: str) -> str:
    where = f"x='{left:.1f}' y='{baseline:.1f}' font-size='{size:.1f}'"
    return f"<text {where} {style}>{escape(text)}</text>"


@dataclass(frozen=True)
class ShownLine:
    """A line with its image; a notebook shows it as a picture, and `print` as text."""

    line: Line
    pixels: np.ndarray  # uint8 (rows, columns, channels), upright

    def __str__(self) -> str:
        others = "".join(f"; or {visible(t)} {share:.1%}" for t, share in self.line.alternatives)
        return f"{visible(self.line.text)}  ({self.line.confidence:.1%}{others})"

    __repr__ = __str__

    def _repr_svg_(self) -> str:
        """The picture; notebooks call it."""
        rows, columns = self.pixels.shape[:2]
        scale = min(WIDTH / columns, HEIGHT / rows)
        width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
        image = imaging.as_picture(self.pixels)
        if scale < 1:
            image = image.resize((width, height))
        file = io.BytesIO()
        image.convert("RGB").save(file, "jpeg", quality=85)  # a notebook stays small
        encoded = base64.b64encode(file.getvalue()).decode()
        room = max(width, 400) + 2 * MARGIN
        bottom = height + 2 * TEXT + 4 * MARGIN + 2 * NOTE * bool(self.line.alternatives)
        parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{room}' height='{bottom}' "
            f"viewBox='0 0 {room} {bottom}' role='img' {FONT}>",
            f"<title>{escape(str(self))}</title>",
            "<rect width='100%' height='100%' fill='white'/>",
            f"<image x='{MARGIN}' y='{MARGIN}' width='{width}' height='{height}' "
            f"preserveAspectRatio='none' href='data:image/jpeg;base64,{encoded}'/>",
            *(part for c in self.line.characters for part in _drawn(c, scale, height)),
            *self._text(height + TEXT + 2 * MARGIN),
            "</svg>",
        ]
        return "\n".join(parts)

    def _text(self, top: float) -> Iterator[str]:
        """The whole text in its colours, its confidence, and the alternatives."""
        pieces = "".join(
            f"<tspan fill='{colour(c.confidence)}'>{escape(printable(c.text))}</tspan>"
            for c in self.line.characters
        )
        pieces = pieces or escape(visible(""))
        note = f"<tspan font-size='{NOTE}' fill='#57606a'>  {self.line.confidence:.1%}</tspan>"
        style = f"xml:space='preserve' x='{MARGIN}' y='{top + TEXT}' font-size='{TEXT}'"
        yield f"<text {style}>{pieces}{note}</text>"
        others = ", ".join(f"{visible(t)} {share:.1%}" for t, share in self.line.alternatives)
        if others:
            yield _element(f"or {others}", MARGIN, top + TEXT + 2 * NOTE, NOTE, "fill='#57606a'")


def _drawn(character: Character, scale: float, height: float) -> Iterator[str]:
    """A character's span on the image, and itself below."""
    left, width = character.start * scale, (character.end - character.start) * scale
    ink = colour(character.confidence)
    yield (
        f"<rect x='{MARGIN + left:.1f}' y='{MARGIN}' width='{width:.1f}' height='{height}' "
        f"fill='{ink}' fill-opacity='0.12' stroke='{ink}'/>"
    )
    size = min(TEXT, max(8.0, 1.3 * width))
    style = f"fill='{ink}' text-anchor='middle'"
    middle = MARGIN + left + width / 2
    yield _element(visible(character.text), middle, height + TEXT + MARGIN, size, style)
