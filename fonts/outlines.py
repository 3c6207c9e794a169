"""Glyphs as outlines, drawn by strokes, and the font files made of them."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

EM = 1000  # units of a font's height
GRID = 400  # pixels on which strokes are drawn


class Glyph(NamedTuple):
    """A character's outline and its advance width, both in units of EM."""

    outline: list[np.ndarray]  # closed polygons (points, 2), y upwards; holes run the other way
    advance: int


def save_font(file: Path, glyphs: dict[str, Glyph]) -> None:
    """A TrueType file of these characters."""
    names = {character: f"u{ord(character):04x}" for character in glyphs}
    drawn, metrics = {".notdef": TTGlyphPen(None).glyph()}, {".notdef": (EM // 2, 0)}
    for character, (outline, advance) in glyphs.items():
        pen, corners = TTGlyphPen(None), [np.rint(polygon).astype(int) for polygon in outline]
        for points in corners:
            pen.moveTo(tuple(points[0].tolist()))
            for point in points[1:].tolist():
                pen.lineTo(tuple(point))
            pen.closePath()
        drawn[names[character]] = pen.glyph()
        left = min((int(points[:, 0].min()) for points in corners), default=0)
        metrics[names[character]] = (advance, left)
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder([".notdef", *names.values()])
    font.setupCharacterMap({ord(character): name for character, name in names.items()})
    font.setupGlyf(drawn)
    font.setupHorizontalMetrics(metrics)
    font.setupHorizontalHeader(ascent=850, descent=-150)
    font.setupNameTable({"familyName": file.stem, "styleName": "Regular"})
    font.setupOS2(sTypoAscender=850, sTypoDescender=-150, usWinAscent=1000, usWinDescent=300)
    font.setupPost()
    font.save(file)


def outline_of(ink: np.ndarray, unit: float, left: int, foot: int) -> list[np.ndarray]:
    """Outlines of a picture's ink (bool); unit: font units per pixel; left, foot: its origin."""
    contours, _ = cv2.findContours(ink.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    smooth = (cv2.approxPolyDP(contour, 0.7, True)[:, 0] for contour in contours)
    return [(p - (left, foot)) * (unit, -unit) for p in smooth if len(p) > 2]


def curve(points: np.ndarray, steps: int = 12) -> np.ndarray:
    """A Catmull-Rom spline through points (n, 2), with `steps` points per segment."""
    p = np.concatenate((points[:1], points, points[-1:]))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2)
        + 0.5 * (3 * b - a - 3 * c + d) * t**3
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:])
    ]
    return np.concatenate((*pieces, points[-1:]))


def strokes(form: str) -> list[np.ndarray]:
    """The points (n, 2) of each stroke of a form."""
    return [
        np.array([[float(v) for v in point.split()] for point in stroke.split(",")])
        for stroke in form.split("/")
    ]


def glyph_of(ink: np.ndarray, high: float, room: int) -> Glyph:
    """A picture's ink as a glyph: GRID pixels are `high` units; its foot is GRID / 4 from below."""
    columns = np.flatnonzero(ink.any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    unit = high / GRID
    foot = ink.shape[0] - GRID // 4
    outline = [np.add(p, (room // 2, 0)) for p in outline_of(ink, unit, left, foot)]
    return Glyph(outline, max(60, round((right - left) * unit) + room))
