"""Pictures: what options draw, how a run learns, and what it reads.

Every public function returns a PIL image, which a notebook shows and `save` writes.
"""

import csv
import os
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple.options import TRDG_FOLDER, LineOptions
from ocr_simple.photography.recipes import RECIPES
from ocr_simple.reports import canvas as pages
from ocr_simple.reports.canvas import Page
from ocr_simple.text import Line

# --- lines and what was read in them ----------------------------------------------------------


def _said(text: str) -> str:
    return pages.visible(text) if text else "nothing"


def _with_truth(said: str, truth: str, width: float) -> str:
    """Both, of which a long one makes way for the other."""
    truth, room = _said(truth), width - pages.length("  (is )")
    said = pages.shorten(said, max(room / 2, room - pages.length(truth)))
    return f"{said}  (is {pages.shorten(truth, room - pages.length(said))})"


def lines(
    pixels: Sequence[np.ndarray],
    titles: Sequence[str],
    columns: int | None = None,
    colors: Sequence[str] | None = None,
) -> Image.Image:
    """A grid of lines, each under its title.

    pixels: uint8 (rows, columns, channels) each; columns: fewer for wide lines unless told;
    colors: of the titles, black unless told.
    """
    columns = columns or pages.columns_for(map(pages.natural_width, pixels))
    page, width, places = pages.grid(len(pixels), columns, 78)
    for i, (left, top) in enumerate(places):
        color = colors[i] if colors else "black"
        page.write(left + 8, top + 18, titles[i], color, width - 16)
        page.show(pixels[i], left + 8, top + 30, width - 16, 42)
    return page.picture()


def predictions(
    pixels: Sequence[np.ndarray], truths: Sequence[str], texts: Sequence[str], count: int = 24
) -> Image.Image:
    """Validation lines under what was read: green if right, red with the truth if not.

    Two thirds of `count` are the same lines at every call, spread over all, so that the pictures
    of a run compare; below them stand others, misread ones first.
    """
    columns = pages.columns_for(map(pages.natural_width, pixels))
    room = pages.WIDTH / columns - 16
    same = min(count, len(texts)) * 2 // 3
    fixed = [i * len(texts) // same for i in range(same)]
    others = sorted(set(range(len(texts))) - set(fixed), key=lambda i: (texts[i] == truths[i], i))
    titles, colors = [], []
    shown = [*fixed, *others][:count]
    for text, truth in ((texts[i], truths[i]) for i in shown):
        said = _said(text)
        titles.append(said if text == truth else _with_truth(said, truth, room))
        colors.append(pages.RIGHT if text == truth else pages.WRONG)
    return lines([pixels[i] for i in shown], titles, columns, colors)


def readings(
    images: Sequence[imaging.Source],
    lines: Sequence[Line],
    truths: Sequence[str] | None = None,
    columns: int | None = None,
) -> Image.Image:
    """Each image above its text and confidence; green or red where `truths` are given.

    columns: fewer for wide images unless told.
    """
    loaded = [imaging.load(source, channels=3, warn=False) for source in images]
    columns = columns or pages.columns_for(map(pages.natural_width, loaded))
    page, width, places = pages.grid(len(loaded), columns, 140)
    for i, (left, top) in enumerate(places):
        right = truths is None or lines[i].text == truths[i]
        color = "black" if truths is None else pages.RIGHT if right else pages.WRONG
        note = f"{lines[i].confidence:.1%}"
        if truths is not None and not right:
            note = _with_truth(note, truths[i], width - 20)
        middle, room = left + width / 2, width - 20
        page.show(loaded[i], left + 10, top + 10, room, 80, across=0.5, down=1.0)
        said = _said(lines[i].text)
        page.write(middle, top + 104, said, color, room, align=0.5, size=pages.LARGE, bold=True)
        page.write(middle, top + 122, note, pages.QUIET, room, align=0.5)
    return page.picture()


# --- what the options of generated lines do -------------------------------------------------


def _trdg_font(name: str) -> dict[str, Any]:
    return {"fonts": (str(TRDG_FOLDER / "fonts" / "latin" / f"{name}.ttf"),)}


# Rows of `generator_options`: the changed options of each cell.
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

KINDS = {name: [{"recipe": (name,), "photo": 1.0}] * 4 for name in RECIPES}  # of pictures


def generator_options(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    draw_line: Callable[[LineOptions, int], np.ndarray],
    plain: LineOptions = PLAIN,
) -> Image.Image:
    """A row of lines for each entry of `rows`, every line drawn with other options than `plain`.

    rows: name -> changed options of each line, as in DRAWING, VARIATION and KINDS; one without
        changes is the plain one. draw_line(options, k): the pixels of line k, uint8 (rows, columns,
        3). Raises ValueError for options that cannot be drawn.
    """
    width, height, left = 240, 66, 190
    page = Page(left + width * max(map(len, rows.values())), height * len(rows))
    for row, (name, cells) in enumerate(rows.items()):
        page.write(5, (row + 0.64) * height, name, bold=True, even=True)
        for column, changes in enumerate(cells):
            options = replace(plain, **changes)
            x, y = left + column * width, row * height
            title = ", ".join(f"{k}={_value(v)}" for k, v in changes.items()) or "plain"
            page.write(x, y + 14, title, pages.QUIET, width - 8, size=pages.SMALL)
            page.show(draw_line(options, column), x, y + 24, width - 15, 36)
    return page.picture()


def _value(value: Any) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return ", ".join(Path(v).name for v in value)
    return str(value)


# --- how a run learns -------------------------------------------------------------------------


def curves(metrics: str | os.PathLike) -> Image.Image:
    """Training loss, and exact lines and character errors of the validation, over the steps.

    metrics: the metrics.csv of a run folder.
    """
    with open(metrics, encoding="utf-8", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    steps = [row["step"] for row in rows]
    panels = (
        ("loss", "training loss", 1, "log"),
        ("val_exact", "unseen fonts: lines read exactly, %", 100, "linear"),
        ("val_cer", "unseen fonts: character errors, %", 100, "linear"),
    )
    figure = pages.chart(pages.WIDTH, 270)
    for axes, (name, title, scale, kind) in zip(figure.subplots(1, len(panels)), panels):
        values = [row[name] * scale for row in rows]
        axes.plot(steps, values, color=pages.BLUE, marker="o", markersize=4)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel("step", fontsize=9)
        axes.set(yscale=kind, xlim=(0, steps[-1] * 1.15))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(which="both", labelsize=8)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if kind == "linear":
            axes.set_ylim(0, 104 if name == "val_exact" else max(values) * 1.05 or 1)
        last = f" {values[-1]:.3g}"
        axes.text(steps[-1] * 1.01, values[-1], last, color=pages.BLUE, fontsize=8, va="center")
    return pages.charted(figure)
