"""Pictures: what options draw, how a run learns, and where in an image each character was read.

Every public function returns a PIL image, which a notebook shows and `save` writes. Lengths in here
are inches, of DPI pixels each; every part of a picture has its own place, so that nothing overlaps,
whatever the lines are.
"""

import csv
import io
import os
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import image as imaging
from data_generator import LineOptions, Lines
from drawing import TRDG_FOLDER, characters_drawn, find_fonts
from model import ModelSpec
from text import Line

DPI = 100
FONTS = (
    Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"),
    TRDG_FOLDER / "fonts" / "cn" / "SourceHanSans-Normal.ttf",
    TRDG_FOLDER / "fonts" / "ja" / "TakaoMincho.ttf",
)  # the first that has the characters; Latin, Greek, Cyrillic, Arabic and more are in the first
RIGHT, WRONG, QUIET = "#1a7f37", "#cf222e", "#6e7781"
CYCLE = ("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#bf3989")  # neighbours must differ


# --- parts ----------------------------------------------------------------------------------


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white")


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place counted in inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    place = (left / across, 1 - (top + height) / down, width / across, height / down)
    return figure.add_axes(place)


def _font(text: str) -> dict[str, Any]:
    """How Matplotlib draws `text`; dollar signs are dollar signs to it, not mathematics."""
    able = (f for f in FONTS if text.isascii() or characters_drawn(str(f), text) == text)
    font = next(able, FONTS[0])
    return {"parse_math": False} | ({} if font == FONTS[0] else {"font": font})


def _write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Text with its middle at `top`."""
    across, down = figure.get_size_inches()
    style = {"fontsize": 9, "va": "center", **_font(text), **style}
    figure.text(left / across, 1 - top / down, text, **style)


def _show(axes: Axes, pixels: np.ndarray, anchor: str = "W") -> None:
    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[], anchor=anchor)
    for spine in axes.spines.values():  # white lines on a white page need an edge
        spine.set(color="#d0d7de", linewidth=0.8)


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _picture(figure: Figure) -> Image.Image:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    # 256 colours: a quarter of the bytes in a notebook, and no JPEG of it beside the PNG
    return Image.open(content).convert("RGB").quantize(method=Image.Quantize.FASTOCTREE)


# --- lines and what was read in them ----------------------------------------------------------


def lines(
    pixels: Sequence[np.ndarray],
    titles: Sequence[str],
    columns: int = 4,
    colors: Sequence[str] | None = None,
) -> Image.Image:
    """A grid of lines, each under its title.

    pixels: uint8 (rows, columns, channels) each; colors: of the titles, black unless told.
    """
    width, height = 10 / columns, 0.78
    figure = _figure(10, height * max(1, -(-len(pixels) // columns)))
    for i, (line, title) in enumerate(zip(pixels, titles)):
        left, top = i % columns * width + 0.08, i // columns * height
        color = colors[i] if colors else "black"
        _write(figure, left, top + 0.18, _shorten(title, int(12 * width)), color=color)
        _show(_axes(figure, left, top + 0.3, width - 0.16, 0.42), line)
    return _picture(figure)


def predictions(
    pixels: Sequence[np.ndarray], truths: Sequence[str], texts: Sequence[str], count: int = 24
) -> Image.Image:
    """Validation lines under what was read: green if right, red with the truth if not.

    Two thirds of `count` are the same lines at every call, spread over all, so that the pictures
    of a run compare; below them stand others, misread ones first.
    """
    same = min(count, len(texts)) * 2 // 3
    fixed = [i * len(texts) // same for i in range(same)]
    others = sorted(set(range(len(texts))) - set(fixed), key=lambda i: (texts[i] == truths[i], i))
    titles, colors = [], []
    shown = [*fixed, *others][:count]
    for text, truth in ((texts[i], truths[i]) for i in shown):
        titles.append(text if text == truth else f"{text or 'nothing'}  (is {truth})")
        colors.append(RIGHT if text == truth else WRONG)
    return lines([pixels[i] for i in shown], titles, colors=colors)


def readings(
    images: Sequence[imaging.Source],
    lines: Sequence[Line],
    truths: Sequence[str] | None = None,
    columns: int = 4,
) -> Image.Image:
    """Each image above its text and confidence; green or red where `truths` are given."""
    width, height = 10 / columns, 1.4
    figure = _figure(10, height * max(1, -(-len(images) // columns)))
    for i, (source, line) in enumerate(zip(images, lines)):
        left, top = i % columns * width, i // columns * height
        right = truths is None or line.text == truths[i]
        color = "black" if truths is None else RIGHT if right else WRONG
        axes = _axes(figure, left + 0.1, top + 0.1, width - 0.2, 0.8)
        _show(axes, imaging.load(source, channels=3), anchor="S")
        said = _shorten(line.text or "nothing", int(10 * width))
        note = f"{line.confidence:.1%}" + ("" if right or truths is None else f"  (is {truths[i]})")
        style = {"ha": "center", "color": color, "fontsize": 11, "weight": "bold"}
        _write(figure, left + width / 2, top + 1.04, said, **style)
        _write(figure, left + width / 2, top + 1.22, note, ha="center", color=QUIET)
    return _picture(figure)


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
    "fonts": [_trdg_font(f) for f in ("Pacifico", "SEASRN__", "Lato-Thin", "Capture_it")],
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
        "weight": 1.0,
        "photo": 1.0,
    }.items()
}
PLAIN = LineOptions(
    alphabet=string.digits + string.ascii_letters + " ",
    text_source="strings",
    strings=("Room 4207",),
    **(_trdg_font("OpenSans-Regular") | dict.fromkeys(VARIATION, 0)),
)


def generator_options(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], plain: LineOptions = PLAIN, seed: int = 0
) -> Image.Image:
    """A row of lines for each entry of `rows`, every line drawn with other options than `plain`.

    rows: name -> changed options of each line, as in DRAWING and VARIATION; a line without
        changes is the plain one. Raises ValueError for options that cannot be drawn.
    """
    width, height, left = 2.3, 0.66, 1.9
    most = max(map(len, rows.values()))
    figure = _figure(left + most * width, height * len(rows))
    for row, (name, cells) in enumerate(rows.items()):
        _write(figure, 0.05, (row + 0.64) * height, name, family="monospace", weight="bold")
        for column, changes in enumerate(cells):
            options = replace(plain, **changes)
            spec = ModelSpec(options.parsed_alphabet().characters, channels=3)
            drawn = Lines(options, spec, find_fonts(options.fonts, options.language), seed)
            x, y = left + column * width, row * height
            title = ", ".join(f"{k}={_value(v)}" for k, v in changes.items()) or "plain"
            _write(figure, x, y + 0.14, _shorten(title, 43), fontsize=7, color=QUIET)
            _show(_axes(figure, x, y + 0.24, width - 0.15, 0.36), drawn[column][0])
    return _picture(figure)


def _value(value: Any) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return ", ".join(Path(v).name for v in value)
    return str(value)


# --- how a run learns, and where a model reads ------------------------------------------------


def curves(metrics: str | os.PathLike) -> Image.Image:
    """Training loss, and exact lines and character errors of the validation, over the steps.

    metrics: the metrics.csv of a run folder.
    """
    with open(metrics, encoding="utf-8", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    figure = _figure(10, 2.7)
    panels = (
        ("loss", "training loss", 1, "log"),
        ("val_exact", "unseen fonts: lines read exactly, %", 100, "linear"),
        ("val_cer", "unseen fonts: character errors, %", 100, "linear"),
    )
    for i, (name, title, scale, axis) in enumerate(panels):
        axes = _axes(figure, 0.45 + i * 3.25, 0.35, 2.85, 1.85)
        steps, values = [row["step"] for row in rows], [row[name] * scale for row in rows]
        axes.plot(steps, values, color=CYCLE[0], marker="o", markersize=4)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel("step", fontsize=9)
        axes.set(yscale=axis, xlim=(0, steps[-1] * 1.15))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(which="both", labelsize=8)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if axis == "linear":
            axes.set_ylim(0, 104 if name == "val_exact" else max(values) * 1.05 or 1)
        last = f" {values[-1]:.3g}"
        axes.text(steps[-1] * 1.01, values[-1], last, color=CYCLE[0], fontsize=8, va="center")
    return _picture(figure)


def time_step_map(
    image: imaging.Source, line: Line, probabilities: np.ndarray, spec: ModelSpec
) -> Image.Image:
    """Where a line was read: the image, its characters' spans, and the class probabilities below.

    line: as `Recognizer.read` gives it, spans in pixels of the upright image
    probabilities: (steps, classes), as `Recognizer.probabilities` gives them; drawn under the
        columns that each step stands for. Of a large alphabet, the likeliest classes are shown.
    """
    pixels = imaging.load(image, channels=3)  # (rows, columns, 3)
    rows, columns, _ = pixels.shape
    own = imaging.scaled_width(columns, rows, spec.height)  # columns of the model's input
    step = spec.stride * columns / own  # pixels of the image that make one time step
    names = ["blank", *spec.alphabet.replace(" ", "␣")]
    likely = np.argsort(-probabilities.max(axis=0), kind="stable")[:16]
    classes = np.sort(likely)  # in the order of the alphabet, the blank first

    width = float(np.clip(columns / rows * 1.3, 3, 9))
    high, low = min(1.6, width * rows / columns), 0.17 * len(classes)
    figure = _figure(width + 0.85, high + low + 1.3)
    above = _axes(figure, 0.7, 0.65, width, high)
    below = _axes(figure, 0.7, 0.75 + high, width, low)
    _write(figure, 0.7, 0.2, f"“{line.text}”  {line.confidence:.1%}", fontsize=10)

    _show(above, pixels)
    above.set_aspect("auto")  # the figure is cut to the image: its columns are those of the map
    extent = (0, len(probabilities) * step, len(classes), 0)
    shown = probabilities[:, classes].T  # (classes, steps)
    below.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=extent)
    for i, character in enumerate(line.characters):
        color, middle = CYCLE[i % len(CYCLE)], (character.start + character.end) / 2
        said = character.text.replace(" ", "␣")
        above.axvspan(character.start, character.end, color=color, alpha=0.25, linewidth=0)
        above.text(
            middle, -0.04 * rows, said, color=color, fontsize=12, weight="bold", ha="center",
            va="bottom", **_font(said),
        )  # fmt: skip
        below.axvspan(character.start, character.end, color=color, alpha=0.08, linewidth=0)
    above.set_xlim(0, columns)
    below.set_xlim(0, columns)
    below.set_yticks(np.arange(len(classes)) + 0.5, [names[i] for i in classes])
    for label in below.get_yticklabels():
        label.set(**_font(label.get_text()))
    below.tick_params(length=0, labelsize=8)
    below.set_xlabel(f"columns ({step:.3g} a time step)", fontsize=9)
    return _picture(figure)
