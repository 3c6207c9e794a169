"""Effects: what real pictures of lines have and drawn ones lack, on ink, tone, scene and sensor.

EFFECTS, at the end, lists them in the order in which they are applied, each with the field of a
recipe that holds its chance. An effect changes a `Shot`, a picture in the making.

To add an effect, write it here, add a row to EFFECTS and a field for its chance to a group in
recipes.py (0 by default, so that existing recipes stay as they are), and set the field in the
recipes that should have it. To add a recipe, see recipes.py.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ocr_simple.photography.recipes import Recipe


@dataclass
class Shot:
    """A picture in the making. Effects replace its arrays and never change them in place."""

    recipe: Recipe
    ink: np.ndarray  # (rows, columns, channels) float32: 0 where there is paper, 1 ink
    image: np.ndarray  # the same shape, float32: 0 to 255; the drawn line until `print_ink`
    paper: float = 255.0  # grey level
    contrast: float = -255.0  # grey levels from paper to ink, under 0 for dark ink

    @property
    def levels(self) -> float:
        """Grey levels between paper and ink, whichever is lighter."""
        return abs(self.contrast)

    @property
    def inked_rows(self) -> np.ndarray:
        """The numbers of rows with ink."""
        return np.flatnonzero(self.ink.max(axis=(1, 2)) > 0.3)


Effect = Callable[[Shot, np.random.Generator], None]


def happens(chance: float, rng: np.random.Generator) -> bool:
    """Whether something of a chance of 0 to 1 happens; 0 draws no random number."""
    return chance > 0 and rng.random() < chance


# --- ink: what a printer, a pen or a display does ---------------------------------------------


def dot_matrix(shot: Shot, rng: np.random.Generator) -> None:
    """Characters made of the dots of a needle printer, or of the finer ones of a thermal head."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    height = max(8, len(shot.inked_rows))
    needles = rng.random() < 0.5
    pitch = height / (rng.uniform(8.5, 14) if needles else rng.uniform(14, 26))  # rows to a dot
    across = pitch * rng.uniform(0.6, 1.0)
    size = max(2, round(columns / across)), max(2, round(rows / pitch))
    dots = cv2.resize(ink, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    struck = np.clip((dots / max(0.1, dots.max()) - rng.uniform(0.25, 0.5)) / 0.15, 0, 1)
    struck *= rng.uniform(0.7, 1.0, struck.shape[:2]).astype(np.float32)[..., None]
    enlarged = cv2.resize(struck, (columns, rows), interpolation=cv2.INTER_NEAREST)
    x = np.arange(columns, dtype=np.float32) * (size[0] / columns) % 1 - 0.5
    y = np.arange(rows, dtype=np.float32) * (size[1] / rows) % 1 - 0.5
    radius = rng.uniform(0.4, 0.75)
    distance = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / radius  # from a dot's centre
    shot.ink = enlarged.reshape(ink.shape) * np.clip(1.5 - distance, 0, 1)[..., None]


def bleed(shot: Shot, rng: np.random.Generator) -> None:
    """Ink that has run, until narrow gaps close: a 5 becomes nearly a 6, a 6 nearly an 8."""
    ink = shot.ink
    soft = _softened(ink, len(shot.inked_rows) * rng.uniform(0.03, 0.08))
    grown = (soft - rng.uniform(0.15, 0.45)) / rng.uniform(0.1, 0.4) + 0.5
    shot.ink = np.maximum(ink, np.clip(grown, 0, 1))


def starvation(shot: Shot, rng: np.random.Generator) -> None:
    """Too little ink: in patches, thin strokes and the sides of characters are missing."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    height = len(shot.inked_rows)
    soft = _softened(ink, height * rng.uniform(0.02, 0.06))
    size = max(2.0, height * rng.uniform(0.2, 0.7))  # of a patch
    cells = max(2, round(columns / size)), max(2, round(rows / size))
    patches = cv2.resize(
        rng.standard_normal(cells[::-1], np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC
    )[..., None]
    level = rng.uniform(0.3, 0.55) + rng.uniform(0.05, 0.25) * patches
    kept = (soft - level) / rng.uniform(0.05, 0.3) + 0.5
    shot.ink = ink * np.clip(kept, rng.uniform(0, 0.3), 1)


def _softened(ink: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(ink, (0, 0), max(0.5, sigma)).reshape(ink.shape)


def voids(shot: Shot, rng: np.random.Generator) -> None:
    """Print with gaps: worn patches, or rows or columns that the print head left out."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    if rng.random() < 0.6:
        worn = grain(rows, columns, rng)
        shot.ink = ink * np.clip(0.9 + worn / worn.std() * rng.uniform(0.1, 0.5), 0, 1)
        return
    shot.ink = ink = ink.copy()  # a new array, so that it may be changed
    across = rng.random() < 0.6
    lines = ink if across else ink.swapaxes(0, 1)
    for _ in range(int(rng.integers(1, 4 if across else 2 + 3 * columns // rows))):
        start = int(rng.integers(0, len(lines)))
        lines[start : start + rng.integers(1, 3)] *= rng.uniform(0, 0.6)


def fading(shot: Shot, rng: np.random.Generator) -> None:
    """Ink that runs out towards one end, or varies from row to row, as on thermal paper."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    least = rng.uniform(0.05, 0.7)
    if rng.random() < 0.6:
        full = rng.uniform(0.2, 1) ** 2  # share of the width at which the ink is full
        slope = np.linspace(least, least + (1 - least) / full, columns, dtype=np.float32)
        level = np.minimum(slope, 1)[None, :, None]
        shot.ink = ink * (level if rng.random() < 0.5 else level[:, ::-1])
    else:
        rough = np.convolve(rng.uniform(least, 1.3, rows + 4), np.ones(3) / 3)[3 : rows + 3]
        shot.ink = ink * np.clip(rough, 0, 1).astype(np.float32)[:, None, None]


def neighbour_lines(shot: Shot, rng: np.random.Generator) -> None:
    """The feet of a line above and the heads of a line below, cut by the crop."""
    inked = shot.inked_rows
    if len(inked) < 8:
        return
    ink = shot.ink.copy()
    top, bottom = inked[0], inked[-1] + 1
    other = ink[:, ::-1]  # this line, mirrored: strokes like a neighbour's
    above, below = (rng.integers(0, 4, 2) * len(ink) / 32).astype(int)
    above = min(above, max(0, top - 2))
    below = min(below, max(0, len(ink) - bottom - 2))
    if above:
        ink[:above] = other[bottom - above : bottom]
    if below:
        ink[-below:] = other[top : top + below]
    shot.ink = ink


def separators(shot: Shot, rng: np.random.Generator) -> None:
    """Rules in the gaps between characters: the drums of a counter, the boxes of a form."""
    ink = shot.ink.copy()
    gaps = np.flatnonzero(ink.max(axis=(0, 2)) < 0.1)  # columns without ink
    level, half = rng.uniform(0.15, 1), rng.random()
    for run in np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1):
        if 2 <= len(run) < len(ink):
            middle = (run[0] + run[-1] + 1) / 2
            width = max(1, round(half * len(run) / 2))
            ink[:, round(middle - width / 2) : round(middle + width / 2)] = level
    shot.ink = ink


def underline(shot: Shot, rng: np.random.Generator) -> None:
    """A rule under the line, or through its feet, over the whole width or a part."""
    ink = shot.ink.copy()
    rows, columns, _ = ink.shape
    inked = shot.inked_rows
    foot = inked[-1] if len(inked) else rows - 2
    top = int(np.clip(foot + rng.integers(-2, 4), 0, rows - 1))
    thickness = int(rng.integers(1, 3))
    start = int(rng.integers(0, columns)) if rng.random() < 0.3 else 0
    part = ink[top : top + thickness, start:]
    np.maximum(part, rng.uniform(0.3, 1), out=part)
    shot.ink = ink


# --- tone: grey levels of ink and paper -------------------------------------------------------


def choose_tone(shot: Shot, rng: np.random.Generator) -> None:
    """Grey levels of paper and ink: either of them may be the lighter one."""
    tone = shot.recipe.tone
    contrast = rng.uniform(*tone.contrast)
    paper = rng.uniform(0, 255 - contrast)
    if happens(tone.light_paper, rng):
        paper = (255 - contrast) * rng.uniform(0.9, 1)
    if happens(tone.dark_on_light, rng):
        paper, contrast = paper + contrast, -contrast
    shot.paper, shot.contrast = paper, contrast


def guilloche(shot: Shot, rng: np.random.Generator) -> None:
    """Fine waved lines, as under the writing on cheques and forms."""
    strength = rng.uniform(0.05, 0.35)
    rows, columns, _ = shot.ink.shape
    shot.ink = np.maximum(shot.ink, strength * _waved_lines(rows, columns, rng))


def _waved_lines(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Lines of 1 on 0, (rows, columns, 1)."""
    x = np.arange(columns, dtype=np.float32)[None, :] / rows
    y = np.arange(rows, dtype=np.float32)[:, None] / rows
    lines = np.zeros((rows, columns), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        wave = rng.uniform(0, 0.3) * np.sin(x * rng.uniform(1, 8) + rng.uniform(0, 6))
        slope, pitch, start = rng.normal(0, 0.3), rng.uniform(4, 12), rng.uniform(0, 1)
        phase = pitch * y + (pitch * (wave + slope * x) + start)
        distance = abs(phase - np.floor(phase) - 0.5)  # from the middle of a line
        lines = np.maximum(lines, 1 - distance / rng.uniform(0.1, 0.3))
    return lines[..., None]


def print_ink(shot: Shot, rng: np.random.Generator) -> None:
    """The ink on the paper; the characters may have an outline or be in relief, never both."""
    shot.image = shot.paper + shot.contrast * shot.ink
    tone, style = shot.recipe.tone, rng.random()
    if style < tone.outline:
        outline(shot, rng)
    elif style < tone.outline + tone.relief:
        relief(shot, rng)


def outline(shot: Shot, rng: np.random.Generator) -> None:
    """Characters with a rim of another tone, as on jerseys and signs."""
    size = int(rng.integers(3, 6))
    dilated = cv2.dilate(shot.ink, np.ones((size, size), np.uint8)).reshape(shot.ink.shape)
    rim = np.clip(dilated - shot.ink, 0, 1)
    shot.image = shot.image + (rng.uniform(0, 255) - shot.image) * rim


def relief(shot: Shot, rng: np.random.Generator) -> None:
    """Stamped or embossed characters: one side of each stroke lit, the other in shadow."""
    ink = shot.ink
    dx, dy = rng.choice([-1, 1], 2)
    slope = np.roll(ink, (dy, dx), (0, 1)) - np.roll(ink, (-dy, -dx), (0, 1))
    flat = shot.image - shot.contrast * ink * rng.uniform(0.0, 0.9)
    shot.image = flat + shot.levels * rng.uniform(0.3, 0.8) * slope


# --- scene: what surrounds and lights the line, and what it is written on ---------------------


def frame(shot: Shot, rng: np.random.Generator) -> None:
    """The rim of a plate, a window or a box, or what is outside it, on one or more sides."""
    image = shot.image.copy()
    rows = len(image)
    level = rng.uniform(0, 255)
    for side in range(4):
        if rng.random() < 0.5:
            view = (image, image[::-1], image.swapaxes(0, 1), image.swapaxes(0, 1)[::-1])[side]
            thickness = int(rng.integers(1, max(2, rows // 7)))
            inset = int(rng.integers(0, 3)) * rows // 32 if rng.random() < 0.4 else 0
            start = int(rng.integers(0, view.shape[1])) if rng.random() < 0.2 else 0
            view[inset : inset + thickness, start:] = level
    shot.image = image


def bezel(shot: Shot, rng: np.random.Generator) -> None:
    """The surroundings of a window that is smaller than the crop; its edges are slightly tilted."""
    image = shot.image
    rows, columns, _ = image.shape
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    inside = np.full((rows, columns), np.inf, np.float32)  # pixels from the nearest edge
    for side in range(4):
        if rng.random() < 0.3:
            continue
        along, across = ((x, y), (x, rows - 1 - y), (y, x), (y, columns - 1 - x))[side]
        length = columns if side < 2 else rows
        start, end = ((rng.uniform(-0.02, 0.15) + rng.uniform(0, 0.15, 2)) * rows).tolist()
        inside = np.minimum(inside, across - (start + (end - start) / length * along))
    outside = np.clip(0.5 - inside, 0, 1)[..., None]
    if rng.random() < 0.5:  # a rim, or the shadow of one
        rim = np.clip(rng.uniform(0.5, 6) * rows / 32 - inside, 0, 1)[..., None]
        image = image * (1 - rim * rng.uniform(0.1, 0.9))
    shot.image = image + (rng.uniform(0, 255) - image) * outside


def light(shot: Shot, rng: np.random.Generator) -> None:
    """Uneven light: a slope over the picture, and sometimes the edge of a shadow."""
    rows, columns, _ = shot.image.shape
    x, y = _from_edge_to_edge(columns)[None, :], _from_edge_to_edge(rows)[:, None]
    field = 1 + rng.normal(0, shot.recipe.scene.unevenness) * x + rng.normal(0, 0.15) * y
    if rng.random() < 0.3:
        side = x * rng.normal(0, 1) + y * rng.normal(0, 0.5) - rng.uniform(-0.6, 0.6)
        softness = rng.uniform(0.02, 0.3)
        field = field * (
            1 - rng.uniform(0.1, 0.5) / (1 + np.exp(-np.clip(side / softness, -20, 20)))
        )
    field = np.clip(field, 0.3, None)
    brightness = (field * rng.uniform(0.85, 1.1) / field.max())[..., None]
    shot.image = shot.image * brightness


@functools.lru_cache(maxsize=1024)
def _from_edge_to_edge(count: int) -> np.ndarray:
    return np.linspace(-1, 1, count, dtype=np.float32)


def reflections(shot: Shot, rng: np.random.Generator) -> None:
    """Reflections in a window or a display: lighter or darker patches with soft edges."""
    image = shot.image
    rows, columns, _ = image.shape
    x = np.arange(columns, dtype=np.float32)[None, :] / rows
    y = np.arange(rows, dtype=np.float32)[:, None] / rows
    for _ in range(int(rng.integers(1, 4))):
        left, right = np.sort(rng.uniform(-0.5, columns / rows + 0.5, 2)).tolist()
        top, bottom = np.sort(rng.uniform(-0.5, 1.5, 2)).tolist()
        slant, soft = rng.normal(0, 0.4), rng.uniform(0.02, 0.2)
        middle = (left + right) / 2 - slant * (y - 0.5)
        inside = np.minimum((right - left) / 2 - abs(x - middle), np.minimum(y - top, bottom - y))
        patch = np.clip(inside / soft + 0.5, 0, 1)[..., None]
        image = image + shot.levels * rng.normal(0, 0.6) * patch
    shot.image = image


def surface(shot: Shot, rng: np.random.Generator) -> None:
    """Grain of paper, metal or a wall."""
    rows, columns, _ = shot.image.shape
    shot.image = shot.image + shot.levels * grain(rows, columns, rng)


def grain(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise around 0, of a random scale and direction, (rows, columns, 1)."""
    cells = rng.uniform(0.05, 0.7, 2)
    small = rng.normal(
        0, rng.uniform(0.01, 0.12), (max(2, int(rows * cells[0])), max(2, int(columns * cells[1])))
    )
    return cv2.resize(small.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)[
        ..., None
    ]


# --- sensor: what a camera or a scanner, and a file, do ---------------------------------------


def blur(shot: Shot, rng: np.random.Generator) -> None:
    """Defocus, or motion along a random direction."""
    image = shot.image
    if rng.random() < 0.7:
        shot.image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.4)).reshape(image.shape)
        return
    length = int(rng.integers(2, 5))
    kernel = np.zeros((5, 5), np.float32)
    angle = rng.uniform(0, math.pi)
    for t in np.linspace(-length / 2, length / 2, 9):
        kernel[round(2 + t * math.sin(angle) * 0.8), round(2 + t * math.cos(angle) * 0.8)] += 1
    shot.image = cv2.filter2D(image, -1, kernel / kernel.sum()).reshape(image.shape)


def low_resolution(shot: Shot, rng: np.random.Generator) -> None:
    """A picture taken from afar and enlarged: down to as little as 40 % and up again."""
    small = _shrunk(shot.image, rng.uniform(0.4, 0.9))
    shot.image = _enlarged(small, shot.image.shape)


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    rows, columns, _ = image.shape
    size = max(4, round(columns * scale)), max(4, round(rows * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)


def _enlarged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_LINEAR).reshape(shape)


def noise(shot: Shot, rng: np.random.Generator) -> None:
    """Gaussian noise of each pixel."""
    sigma = shot.levels * rng.uniform(0.005, 0.08)
    shot.image = shot.image + sigma * rng.standard_normal(shot.image.shape, np.float32)


def binarisation(shot: Shot, rng: np.random.Generator) -> None:
    """A scanner's black and white: rough edges, specks, strokes that merge or break.

    Half of the pictures are scanned in larger pixels than the image's.
    """
    image = shot.image
    if rng.random() < 0.5:
        small = _shrunk(image, rng.uniform(0.45, 0.9))
        black_and_white = _enlarged(_binarised(small, shot.levels, rng), image.shape)
    else:
        black_and_white = _binarised(image, shot.levels, rng)
    shot.image = black_and_white


def _binarised(image: np.ndarray, levels: float, rng: np.random.Generator) -> np.ndarray:
    """`image` near its lowest and highest level, by a rough threshold between them."""
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.1)).reshape(image.shape)
    rough = cv2.GaussianBlur(
        rng.standard_normal(image.shape[:2], np.float32), (0, 0), rng.uniform(0.4, 0.9)
    )[..., None]
    low, high = float(soft.min()), float(soft.max())
    threshold = low + (high - low) * rng.uniform(0.35, 0.75)
    value = soft - threshold + levels * rng.uniform(0.02, 0.15) * rough
    steep = np.clip(value * rng.uniform(3, 25) / max(1.0, high - low), -20, 20)
    return low + (high - low) / (1 + np.exp(-steep))


def jpeg(shot: Shot, rng: np.random.Generator) -> None:
    """Compression artefacts."""
    image = to_uint8(shot.image)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 85))]
    flag = cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR
    encoded = cv2.imencode(".jpg", image, quality)[1]
    decoded = np.asarray(cv2.imdecode(encoded, flag), np.float32)
    shot.image = decoded.reshape(image.shape)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Grey levels as whole numbers from 0 to 255."""
    return np.clip(image, 0, 255).astype(np.uint8)


# In the order in which they are applied, each after the recipe's field that holds its chance; None
# is always applied. (`ink.unlit_segments` is not here: drawing/lines.py draws them.)
EFFECTS: tuple[tuple[str | None, Effect], ...] = (
    ("ink.dot_matrix", dot_matrix),
    ("ink.bleed", bleed),
    ("ink.starvation", starvation),
    ("ink.voids", voids),
    ("ink.fading", fading),
    ("ink.neighbour_lines", neighbour_lines),
    ("ink.separators", separators),
    ("ink.underline", underline),
    (None, choose_tone),
    ("tone.guilloche", guilloche),
    (None, print_ink),  # with tone.outline, tone.relief
    ("scene.frame", frame),
    ("scene.bezel", bezel),
    ("scene.light", light),
    ("scene.reflections", reflections),
    ("scene.surface", surface),
    ("sensor.blur", blur),
    ("sensor.low_resolution", low_resolution),
    ("sensor.noise", noise),
    ("sensor.binarisation", binarisation),
    ("sensor.jpeg", jpeg),
)
