"""Pictures: what options draw, how a run learns, and where in an image each character was read.

Every public function returns a PIL image, which a notebook shows and `save` writes. Lengths in here
are inches, of DPI pixels each; every part of a picture has its own place, so that nothing overlaps,
whatever the lines are.
"""

import csv
import io
import os
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font
from matplotlib.patches import Rectangle
from PIL import Image

import image as imaging
from data_generator import LineOptions, Lines
from drawing import TRDG_FOLDER, find_fonts
from model import ModelSpec
from text import Line, one_line

DPI = 100
FONTS = (
    Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"),
    TRDG_FOLDER / "fonts" / "cn" / "SourceHanSans-Normal.ttf",
    TRDG_FOLDER / "fonts" / "ja" / "TakaoMincho.ttf",
)  # the first that has the characters; Latin, Greek, Cyrillic, Arabic and more are in the first
EVEN = FONTS[0].with_name("DejaVuSansMono.ttf")
RIGHT, WRONG, QUIET = "#1a7f37", "#cf222e", "#6e7781"
CYCLE = ("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#bf3989")  # neighbours must differ
NOTHING = "∅"
CELL = 0.602 * 10 / 72  # inches of a character of EVEN at 10 points
HEAT = (255, 106, 0)  # seen on black ink, on white paper, and on most colours


# --- parts ----------------------------------------------------------------------------------


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white")


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place counted in inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    place = (left / across, 1 - (top + height) / down, width / across, height / down)
    return figure.add_axes(place)


def _draws(font: Path, text: str) -> bool:
    face = get_font(font)  # which Matplotlib keeps open
    return all(face.get_char_index(ord(c)) for c in text)


def _font(text: str) -> dict[str, Any]:
    """How Matplotlib draws `text`; dollar signs are dollar signs to it, not mathematics."""
    font = next((f for f in FONTS if text.isascii() or _draws(f, text)), FONTS[0])
    return {"parse_math": False} | ({} if font == FONTS[0] else {"font": font})


def _even(text: str) -> dict[str, Any]:
    """As `_font`, of even width where that font has the characters: texts line up, l is not I."""
    return _font("") | {"family": "monospace"} if _draws(EVEN, text) else _font(text)


def _cells(text: str) -> int:
    """Width of `text` in such a font, in characters of the alphabet; ideographs take two."""
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


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


def visible(text: str) -> str:
    """`text` with what cannot be seen made visible: no text, controls, stray spaces and accents."""
    text = one_line(text).encode(errors="backslashreplace").decode()  # file names' stray bytes
    text = re.sub(r"^ | $|(?<= ) ", "␣", text) or NOTHING
    return f"◌{text}" if unicodedata.combining(text[0]) else text


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


def misread(
    pixels: Sequence[np.ndarray],
    truths: Sequence[str],
    lines: Sequence[Line],
    names: Sequence[str],
) -> Image.Image:
    """Each line under its name and confidence; below it the truth, and what was read, in red.

    pixels: uint8 (rows, columns, channels) each. Long lines get more of the page's width.
    """
    texts = [visible(line.text) for line in lines]
    inches = [  # an image 0.4 high, and the text
        max(0.4 * image.shape[1] / image.shape[0], CELL * max(_cells(truth), _cells(text)))
        for image, truth, text in zip(pixels, truths, texts)
    ]
    usual = float(np.median(inches)) if inches else 0.0
    columns = 4 if usual < 3 else 2 if usual < 6 else 1
    width, height = 10 / columns, 1.16
    figure = _figure(10, height * max(1, -(-len(pixels) // columns)))
    for i, (line, text) in enumerate(zip(lines, texts)):
        left, top = i % columns * width + 0.08, i // columns * height + 0.06
        name, right = _shorten(visible(names[i]), int(12 * width) - 4), left + width - 0.16
        _write(figure, left, top + 0.09, name, fontsize=7, color=QUIET)
        certain = f"{line.confidence:.1%}"
        _write(figure, right, top + 0.09, certain, fontsize=7, color=QUIET, ha="right")
        _show(_axes(figure, left, top + 0.2, width - 0.16, 0.42), pixels[i])
        for down, word, value, color in (
            (0.74, "is", visible(truths[i]), "black"),
            (0.91, "read", text, RIGHT if line.text == truths[i] else WRONG),
        ):
            _write(figure, left, top + down, word, fontsize=8, color=QUIET)
            most = int((width - 0.55) / CELL * len(value) / _cells(value))
            style = {"fontsize": 10, "weight": "bold", "color": color, **_even(value)}
            _write(figure, left + 0.35, top + down, _shorten(value, most), **style)
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


# --- errors and confidence of many lines --------------------------------------------------------


def confusions(counts: Iterable[tuple[str, str, int]], most: int = 20) -> Image.Image:
    """Which characters are read as which: a heat map, the truth's down, those read across.

    counts: (truth, read, times) of each kind of edit; "" is nothing, so that it is an insertion
        as the truth, and a character missed as the one read
    most: the characters with the most edits, down and across; how much is left out is said
    """
    table, lost, gained = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    for truth, read, count in counts:
        table[visible(truth), visible(read)] += count
        lost[visible(truth)] += count
        gained[visible(read)] += count
    down, across = (
        sorted((c for c, _ in side.most_common(most)), key=lambda c: (c == NOTHING, c))
        for side in (lost, gained)
    )
    times = np.array([[table[t, r] for r in across] for t in down])  # (truths, read)
    times = times.reshape(len(down), len(across))
    cell, left, top = 0.34, 0.95, 0.95
    figure = _figure(max(4.0, left + cell * len(across) + 0.2), top + cell * len(down) + 0.2)
    shown, every = int(times.sum()), table.total()
    part = f"edits: {every:,}" if shown == every else f"edits: {shown:,} of {every:,}"
    said = f"{part}; {NOTHING}: missed or inserted; grey: right"
    _write(figure, 0.1, 0.17, said, color=QUIET, fontsize=8)
    if not shown:
        return _picture(figure)
    _write(figure, left, 0.45, "read", weight="bold")
    _write(figure, 0.1, top + cell / 2, "truth", weight="bold")
    axes = _axes(figure, left, top, cell * len(across), cell * len(down))
    # the root, or a single frequent confusion leaves all others white
    shade = np.sqrt(np.ma.masked_equal(times, 0))
    axes.imshow(shade, cmap="Reds", vmin=0, aspect="auto")
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(down)), down)
    axes.tick_params(length=0, labelsize=11, labeltop=True, labelbottom=False)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set(**_even(label.get_text()))
    axes.set_xticks(np.arange(len(across) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(down) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#d0d7de", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
    for row, column in np.ndindex(times.shape):
        if down[row] == across[column]:  # read right, which is no confusion
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color="#eaeef2"))
        if count := times[row, column]:
            color = "white" if count > times.max() * 0.4 else "black"
            said = f"{count}" if count < 1e4 else f"{count / 1e3:.0f}k"
            axes.text(column, row, said, color=color, **style)
    return _picture(figure)


def reliability(
    confidences: Sequence[float], exact: Sequence[float], lines: Sequence[int]
) -> Image.Image:
    """How far confidence can be trusted (Guo et al. 2017): on the diagonal, it is the truth.

    Of each of the bins of equal width from 0 to 1: mean confidence, share of lines read exactly,
    number of lines. Bins without lines have no bar.
    """
    figure, bins = _figure(4.6, 4.7), len(lines)
    above = _axes(figure, 0.65, 0.3, 3.7, 2.7)
    below = _axes(figure, 0.65, 3.35, 3.7, 0.8)
    edges, width = np.arange(bins) / bins, 1 / bins
    above.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", zorder=1)
    bar: dict[str, Any] = {"width": width, "align": "edge", "edgecolor": "white"}
    place: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 7}
    for i in range(bins):
        if lines[i]:
            above.bar(edges[i], exact[i], color=CYCLE[0], alpha=0.35, **bar)
            above.plot(confidences[i], exact[i], "o", color=CYCLE[0], markersize=5, clip_on=False)
            below.bar(edges[i], lines[i], color=QUIET, alpha=0.6, **bar)
            said = f"{lines[i]:,}" if lines[i] < 1e5 else f"{lines[i]:.0e}"
            below.text(edges[i] + width / 2, lines[i], said, **place)
    above.set_title("share of lines read exactly", fontsize=9, loc="left")
    below.set_title("lines", fontsize=9, loc="left")
    below.set_xlabel("confidence", fontsize=9)
    ticks = np.linspace(0, 1, 6)
    above.set(xlim=(0, 1), ylim=(0, 1.03), yticks=ticks, xticks=ticks, xticklabels=[])
    below.set(xlim=(0, 1), ylim=(0, 1.35 * max([*lines, 1])), yticks=[], xticks=ticks)
    for axes in (above, below):
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    above.yaxis.set_major_formatter("{x:.0%}")
    above.tick_params(labelbottom=False)
    above.grid(alpha=0.3)
    return _picture(figure)


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


# --- where an attention model looks -------------------------------------------------------------


def _heated(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`pixels` as uint8 (rows, columns, 3), HEAT laid over the columns of each step's weight."""
    columns, steps = pixels.shape[1], len(weights)
    step = (np.arange(columns) + 0.5) * steps / columns  # (columns,): where each one's middle is
    heat = weights[step.astype(int)] / max(float(weights.max()), 1e-9)
    share = 0.55 * heat[:, None].astype(np.float32)  # (columns, 1): ink has to shine through
    rgb = np.broadcast_to(pixels[..., :3], (*pixels.shape[:2], 3))
    return np.round(rgb * (1 - share) + share * np.array(HEAT)).astype(np.uint8)


def _check_attention(line: Line, attention: np.ndarray) -> None:
    if attention.ndim != 2 or len(attention) != len(line.text) or not attention.shape[1]:
        raise ValueError(
            f"attention has the shape {attention.shape}; wanted (characters, steps), "
            f"{len(line.text)} characters for {line.text!r}"
        )


def attention_sheet(pixels: np.ndarray, line: Line, attention: np.ndarray) -> Image.Image:
    """The image with its text, and below it once for each character, heated where it was looked at.

    pixels: uint8 (rows, columns, 1 or 3)
    attention: (characters, steps) of `line`, not negative; step s covers the columns from
        s * columns / steps to (s + 1) * columns / steps. The highest of a row is drawn strongest.
    Raises ValueError if there is not a row for each character of the text.
    """
    _check_attention(line, attention)
    rows, columns, _ = pixels.shape
    height = float(np.clip(9 * rows / columns, 0.2, 0.5))
    width = float(np.clip(height * columns / rows, 0.3, 9))
    place, left = height + 0.08, 1.0
    figure = _figure(max(4.0, left + width + 0.1), 0.4 + place * (1 + len(attention)))
    said = f"“{_shorten(visible(line.text), int(8 * (left + max(width, 2.5))))}”"
    _write(figure, 0.1, 0.2, f"{said}  {line.confidence:.1%}", fontsize=10)
    pictures = [pixels, *(_heated(pixels, weights) for weights in attention)]
    for i, picture in enumerate(pictures):
        axes = _axes(figure, left, 0.4 + i * place, width, height)
        _show(axes, picture)
        axes.set_aspect("auto")
    for i, character in enumerate(line.text):
        top = 0.4 + (i + 1) * place
        style = {"fontsize": 12, "weight": "bold", "ha": "center", **_even(visible(character))}
        _write(figure, 0.2, top + height / 2, visible(character), **style)
        if i < len(line.characters):
            certain = f"{line.characters[i].confidence:.1%}"
            style = {"fontsize": 8, "color": QUIET, "ha": "right"}
            _write(figure, left - 0.1, top + height / 2, certain, **style)
    return _picture(figure)


def attention_gif(
    pixels: np.ndarray, line: Line, attention: np.ndarray, path: str | os.PathLike
) -> None:
    """Write an animated GIF of the reading: a frame a character, heated where it was looked at.

    The text read so far stands below; its end, if it is long. Of an empty text the only frame is
    the image. Arguments and errors are those of `attention_sheet`.
    """
    _check_attention(line, attention)
    rows, columns, _ = pixels.shape
    width = float(np.clip(1.2 * columns / rows, 3, 9))
    height = float(np.clip(width * rows / columns, 0.3, 2))
    most, frames = int(5 * width), []
    for i in range(max(1, len(attention))):
        figure = _figure(width + 0.2, height + 0.6)
        heated = _heated(pixels, attention[i]) if len(attention) else pixels
        _show(_axes(figure, 0.1, 0.1, width, height), heated, anchor="C")
        read = visible(line.text[: i + 1])
        read = read if len(read) <= most else "…" + read[-(most - 1) :]
        style = {"fontsize": 14, "weight": "bold", "ha": "center"}
        _write(figure, 0.1 + width / 2, height + 0.35, read, **style)
        frames.append(_picture(figure))
    durations = [500] * (len(frames) - 1) + [2000]  # ms; the whole text stays longer
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
