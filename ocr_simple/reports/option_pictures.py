"""Pictures of what each option of generated lines does.

`generator_options(DRAWING, draw_line)` draws a row of lines for each option, with a few of its
values; VARIATION and KINDS are further tables of rows.
"""

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ocr_simple.options import TRDG_FOLDER, LineOptions
from ocr_simple.photography.recipes import RECIPES
from ocr_simple.reports.canvas import QUIET, SMALL, Page


def _trdg_font(name: str) -> dict[str, Any]:
    return {"fonts": (str(TRDG_FOLDER / "fonts" / "latin" / f"{name}.ttf"),)}


# Rows for `generator_options`: name -> the options of each cell that differ from PLAIN.
DRAWING: dict[str, list[dict[str, Any]]] = {
    "text_source": [
        {"text_source": "random"},
        {"text_source": "dictionary", "words": 2},
        {"strings": ("Your own",)},
        {"strings": ("Your own",), "case": "upper"},
    ],
    "fonts": [_trdg_font(f) for f in ("Pacifico", "Caviar_Dreams_Bold", "Lato-Thin", "FFF_Tusj")],
    "size": [{"size": size} for size in (20, 28, 40, 64)],
    "skewing_angle": [
        {"skewing_angle": 4},
        {"skewing_angle": 8},
        *[{"skewing_angle": 8, "random_skew": True}] * 2,
    ],
    "blur": [{"blur": 1}, {"blur": 2}, *[{"blur": 2, "random_blur": True}] * 2],
    "background_type": [{"background_type": i} for i in range(4)],
    "distorsion_type": [{"distorsion_type": i} for i in range(4)],
    "distorsion_orientation": [
        *[{"distorsion_type": 1, "distorsion_orientation": i} for i in range(3)],
        {"distorsion_type": 3, "distorsion_orientation": 2},
    ],
    "text_color": [
        {"text_color": "#cf222e"},
        {"text_color": "#a0a0a0"},
        *[{"text_color": "#000000,#00a0ff"}] * 2,
    ],
    "stroke_width": [
        {"stroke_width": 1},
        {"stroke_width": 2},
        {"stroke_width": 1, "stroke_fill": "#0969da"},
        {"stroke_width": 1, "stroke_fill": "red", "text_color": "#fff"},
    ],
    "space_width": [{"space_width": space} for space in (0.0, 0.5, 2.0, 4.0)],
    "character_spacing": [{"character_spacing": pixels} for pixels in (-2, 2, 5, 10)],
    "margins": [{"margins": (0, 0, 0, 0)}, {"margins": (12, 5, 2, 5)}, {"margins": (5, 40, 5, 5)}],
    "fit": [{"fit": False}, {"fit": True}, {"fit": True, "margins": (0, 0, 0, 0)}],
    "word_split": [{"word_split": split, "strings": ("AVAToV",)} for split in (False, True)],
    "width, alignment": [{"width": 220, "alignment": i} for i in range(3)],
}
VARIATION: dict[str, list[dict[str, Any]]] = {
    name: [{}, *[{name: strength}] * 3]
    for name, strength in {
        "rotation": 4.0,
        "shift": 0.15,
        "shear": 0.3,
        "zoom": 0.25,
        "stretch": 0.3,
        "elastic": 0.05,
        "spacing": 3,
        "stroke_weight": 1.0,
        "photo": 1.0,
    }.items()
}
PLAIN = LineOptions(
    alphabet=string.digits + string.ascii_letters + " ",
    text_source="strings",
    strings=("Room 4207",),
    **(_trdg_font("OpenSans-Regular") | dict.fromkeys(VARIATION, 0)),
)

KINDS = {name: [{"recipe": (name,), "photo": 1.0}] * 3 for name in RECIPES}


def generator_options(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    draw_line: Callable[[LineOptions, int], np.ndarray],
) -> Image.Image:
    """A row of lines for each of `rows`; the options of each line are PLAIN with changes.

    rows: name -> the changed options of each line, such as DRAWING; {} is the plain line.
    draw_line(options, k): the pixels of generated line k, uint8 (rows, columns, 3). Its errors for
    options that cannot be drawn are passed on.
    """
    width, height, left = 240, 66, 190
    page = Page(left + width * max(map(len, rows.values())), height * len(rows))
    for row, (name, cells) in enumerate(rows.items()):
        page.write(5, (row + 0.64) * height, name, bold=True, mono=True)
        for column, changes in enumerate(cells):
            options = replace(PLAIN, **changes)
            x, y = left + column * width, row * height
            title = ", ".join(f"{k}={_shown(v)}" for k, v in changes.items()) or "plain"
            page.write(x, y + 14, title, QUIET, width - 8, size=SMALL)
            page.put_scaled(draw_line(options, column), x, y + 24, width - 15, 36)
    return page.picture()


def _shown(value: Any) -> str:
    """An option's value in a title: of paths, only their names."""
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return ", ".join(Path(v).name for v in value)
    return str(value)
