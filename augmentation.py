"""Variation of a generated line, so that what is learned from drawings holds for photographs.

Two stages, both on uint8 pixels and both drawn from one random generator:

geometry  rotation, shift, shear, zoom, stretch, elastic, in one warp; the crop grows or shrinks
photo     what a camera sees: perspective, curl, worn print, neighbours, frames, contrast and
          polarity, outlines, relief, light and shadow, surface, blur, noise, JPEG

Only training lines pass here; validation lines never do.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np

cv2.setNumThreads(0)  # small images: OpenCV's own threads cost more than they give


@dataclass(frozen=True)
class Augmentation:
    """Strengths; 0 turns a variation off. Lengths are fractions of the line's height."""

    rotation: float = 2.0  # degrees, either way
    shift: float = 0.08  # up or down, left or right
    shear: float = 0.2  # horizontal shift from top to bottom
    zoom: float = 0.3  # log scale, up to this larger and twice this smaller
    stretch: float = 0.5  # log scale of width alone
    elastic: float = 0.0  # how far strokes bend
    weight: float = 0.6  # share of lines whose strokes get thinner or bolder
    photo: float = 0.5  # share of lines that pass through the camera stage

    def __bool__(self) -> bool:
        return any(
            (
                self.rotation,
                self.shift,
                self.shear,
                self.zoom,
                self.stretch,
                self.elastic,
                self.weight,
                self.photo,
            )
        )


def augment(pixels: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A varied copy of a line: uint8 (rows, columns, channels) -> the same rows, other columns.

    The line is expected to fit its image; up to a few rows of it may be cut, as crops do.
    """
    if not how:
        return pixels
    photo = rng.random() < how.photo
    if rng.random() < how.weight:
        pixels = stroke_weight(pixels, rng)
    pixels = warp(pixels, how, rng, photo)
    return camera(pixels, rng) if photo else pixels


def stroke_weight(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strokes thinner or bolder, by up to about a pixel each side."""
    kernel = np.ones((2 + rng.integers(2), 2 + rng.integers(2)), np.uint8)
    grow_dark = rng.random() < 0.5
    changed = (cv2.erode if grow_dark else cv2.dilate)(pixels, kernel)
    # thinning by more than half a pixel would wipe out hairlines
    amount = rng.uniform(0.1, 1.0 if grow_dark else 0.55)
    return cv2.addWeighted(pixels, 1 - amount, changed, amount, 0).reshape(pixels.shape)


def background(pixels: np.ndarray) -> tuple[float, ...]:
    """Grey level or colour that fills what a warp uncovers: the median of the image's edges."""
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    middle = len(edge) // 2
    return tuple(np.partition(edge, middle, axis=0)[middle].tolist())


def warp(
    pixels: np.ndarray, how: Augmentation, rng: np.random.Generator, photo: bool
) -> np.ndarray:
    """All of the geometry in one resampling; for photographs perspective and curl too."""
    rows, columns, _ = pixels.shape
    zoom_y = math.exp(rng.uniform(-2 * how.zoom, how.zoom) + rng.uniform(-0.1, 0.15) * photo)
    zoom_x = zoom_y * math.exp(rng.uniform(-how.stretch, how.stretch))
    shear = rng.uniform(-how.shear, how.shear)
    # a long line may turn less: its ends would leave the picture
    angle = math.radians(rng.uniform(-how.rotation, how.rotation)) * min(1.0, 4 * rows / columns)
    loose = rng.uniform(-0.1, 0.5, size=2) * rows * photo  # wider or narrower crop, left and right
    width = max(rows // 2, round(columns * zoom_x + abs(shear) * rows + loose.sum()))

    # output pixel -> source pixel, about the two centres
    sine, cosine = math.sin(angle), math.cos(angle)
    across_x, across_y = (cosine + shear * sine) / zoom_x, (shear * cosine - sine) / zoom_x
    down_x, down_y = sine / zoom_y, cosine / zoom_y
    room = max(0.0, 1 - zoom_y) * rows / 2  # above and below a line made smaller
    shift_x, shift_y = rng.uniform(-1, 1, size=2) * (how.shift * rows, how.shift * rows + room)
    # in float32: NumPy's own scalars would make it float64
    x = np.arange(width, dtype=np.float32) + float(
        0.5 - width / 2 - (loose[0] - loose[1]) / 2 - shift_x
    )
    y = np.arange(rows, dtype=np.float32)[:, None] + float(0.5 - rows / 2 - shift_y)
    if photo:
        tilt_x, tilt_y = (2 * rng.normal(0, 0.05, 2)).tolist()
        curl, turns, phase = rng.normal(0, 0.04) * rows, rng.uniform(1, 4), rng.uniform(0, 6)
        depth = 1 + np.clip(tilt_x / width * x + tilt_y / rows * y, -0.3, 0.3)
        y = y + curl * np.sin(x * (turns / max(width, 3 * rows)) + phase)
        x, y = x / depth, y / depth
    source_x = across_x * x + (across_y * y + (columns / 2 - 0.5))
    source_y = down_x * x + (down_y * y + (rows / 2 - 0.5))
    if how.elastic:
        bend = rng.uniform(0, how.elastic) * rows
        source_x += bend * bumps(rows, width, rng)
        source_y += bend * bumps(rows, width, rng)
    warped = cv2.remap(
        pixels,
        source_x,
        source_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=background(pixels),
    )
    return warped.reshape(rows, width, -1)


def bumps(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (rows, columns) of spread 1 about, with a bump for every stroke or so.

    Elastic distortion, after Simard et al. 2003: other letter forms from the same font.
    """
    coarse = rng.standard_normal((5, max(2, 5 * columns // rows)), np.float32)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)


def camera(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink, neighbours, light, surface and sensor of a photograph. Same shape, uint8."""
    rows, columns, _ = pixels.shape
    ink = 1 - pixels.astype(np.float32) / 255  # 0 paper to 1 ink
    if rng.random() < 0.15:
        ink = broken_print(ink, rng)
    if rng.random() < 0.15:
        ink = neighbour_lines(ink, rng)
    if rng.random() < 0.15:
        ink = separators(ink, rng)
    # contrast: paper and ink are at least 50 of 255 levels apart, either way round
    contrast = rng.uniform(50, 255)
    paper = rng.uniform(0, 255 - contrast)
    if rng.random() < 0.6:
        paper, contrast = paper + contrast, -contrast
    image = paper + contrast * ink
    style = rng.random()
    if style < 0.08:
        image = outline(image, ink, rng)
    elif style < 0.16:
        image = relief(image, ink, contrast, rng)
    contrast = abs(contrast)
    if rng.random() < 0.4:
        image = frame(image, rng)
    if rng.random() < 0.6:
        image = light(image, rng)
    if rng.random() < 0.5:
        image = image + contrast * surface(rows, columns, rng)
    if rng.random() < 0.5:
        image = blur(image, rng)
    if rng.random() < 0.3:
        image = low_resolution(image, rng)
    if rng.random() < 0.6:
        grain = contrast * rng.uniform(0.005, 0.08)
        image = image + grain * rng.standard_normal(image.shape, np.float32)
    image = np.clip(image, 0, 255).astype(np.uint8).reshape(pixels.shape)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 85))]
        flag = cv2.IMREAD_GRAYSCALE if pixels.shape[2] == 1 else cv2.IMREAD_COLOR
        encoded = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(encoded, flag), np.uint8).reshape(pixels.shape)
    return image


def broken_print(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink that did not take everywhere: worn patches, or the dots of a matrix printer."""
    rows, columns, _ = ink.shape
    if rng.random() < 0.6:
        worn = surface(rows, columns, rng)
        return ink * np.clip(0.9 + worn / worn.std() * rng.uniform(0.1, 0.5), 0, 1)
    pitch, phase = rng.uniform(2.2, 4), rng.uniform(0, 6)
    x, y = np.arange(columns), np.arange(rows)
    dots = (
        np.sin(2 * math.pi * x / pitch + phase)[None, :] * np.sin(2 * math.pi * y / pitch)[:, None]
    )
    return ink * np.clip(0.75 + rng.uniform(0.2, 0.6) * dots, 0, 1)[..., None].astype(np.float32)


def neighbour_lines(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The feet of a line above and the heads of a line below, cut by the crop."""
    ink = ink.copy()
    inked = np.flatnonzero(ink.max(axis=(1, 2)) > 0.3)
    if len(inked) < 8:
        return ink
    top, bottom = inked[0], inked[-1] + 1
    other = ink[:, ::-1]  # our own line, mirrored: strokes like a neighbour's
    above, below = (rng.integers(0, 4, 2) * len(ink) / 32).astype(int)
    above = min(above, max(0, top - 2))
    below = min(below, max(0, len(ink) - bottom - 2))
    if above:
        ink[:above] = other[bottom - above : bottom]
    if below:
        ink[-below:] = other[top : top + below]
    return ink


def separators(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rules in the gaps between characters: the drums of a counter, the boxes of a form."""
    ink = ink.copy()
    gaps = np.flatnonzero(ink.max(axis=(0, 2)) < 0.1)  # columns without ink
    level, half = rng.uniform(0.15, 1), rng.random()
    for run in np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1):
        if 2 <= len(run) < len(ink):
            middle = (run[0] + run[-1] + 1) / 2
            width = max(1, round(half * len(run) / 2))
            ink[:, round(middle - width / 2) : round(middle + width / 2)] = level
    return ink


def outline(image: np.ndarray, ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Characters with a rim of another tone, as on jerseys and signs."""
    size = int(rng.integers(3, 6))
    rim = cv2.dilate(ink, np.ones((size, size), np.uint8)).reshape(ink.shape) - ink
    return image + (rng.uniform(0, 255) - image) * np.clip(rim, 0, 1)


def relief(
    image: np.ndarray, ink: np.ndarray, contrast: float, rng: np.random.Generator
) -> np.ndarray:
    """Stamped or embossed characters: one side of each stroke lit, the other in shadow."""
    dx, dy = rng.choice([-1, 1], 2)
    slope = np.roll(ink, (dy, dx), (0, 1)) - np.roll(ink, (-dy, -dx), (0, 1))
    flat = image - contrast * ink * rng.uniform(0.0, 0.9)
    return flat + abs(contrast) * rng.uniform(0.3, 0.8) * slope


def frame(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rim of a plate, a window or a box, or the world outside it, on one or more sides."""
    image = image.copy()
    rows = len(image)
    level = rng.uniform(0, 255)
    for side in range(4):
        if rng.random() < 0.5:
            view = (image, image[::-1], image.swapaxes(0, 1), image.swapaxes(0, 1)[::-1])[side]
            thickness = int(rng.integers(1, max(2, rows // 7)))
            inset = int(rng.integers(0, 3)) * rows // 32 if rng.random() < 0.4 else 0
            start = int(rng.integers(0, view.shape[1])) if rng.random() < 0.2 else 0
            view[inset : inset + thickness, start:] = level
    return image


def light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uneven light: a slope over the picture, and now and then the edge of a shadow."""
    rows, columns, _ = image.shape
    x, y = _from_edge_to_edge(columns)[None, :], _from_edge_to_edge(rows)[:, None]
    field = 1 + rng.normal(0, 0.2) * x + rng.normal(0, 0.15) * y
    if rng.random() < 0.3:
        side = x * rng.normal(0, 1) + y * rng.normal(0, 0.5) - rng.uniform(-0.6, 0.6)
        softness = rng.uniform(0.02, 0.3)
        field = field * (
            1 - rng.uniform(0.1, 0.5) / (1 + np.exp(-np.clip(side / softness, -20, 20)))
        )
    field = np.clip(field, 0.3, None)
    return image * (field * rng.uniform(0.85, 1.1) / field.max())[..., None]


@functools.lru_cache(maxsize=1024)
def _from_edge_to_edge(count: int) -> np.ndarray:
    return np.linspace(-1, 1, count, dtype=np.float32)


def surface(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Grain of paper, metal or wall, about 0: smooth noise of a random scale and direction."""
    cells = rng.uniform(0.05, 0.7, 2)
    small = rng.normal(
        0, rng.uniform(0.01, 0.12), (max(2, int(rows * cells[0])), max(2, int(columns * cells[1])))
    )
    return cv2.resize(small.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)[
        ..., None
    ]


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Defocus, or motion along a random direction."""
    if rng.random() < 0.7:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.4)).reshape(image.shape)
    length = int(rng.integers(2, 5))
    kernel = np.zeros((5, 5), np.float32)
    angle = rng.uniform(0, math.pi)
    for t in np.linspace(-length / 2, length / 2, 9):
        kernel[round(2 + t * math.sin(angle) * 0.8), round(2 + t * math.cos(angle) * 0.8)] += 1
    return cv2.filter2D(image, -1, kernel / kernel.sum()).reshape(image.shape)


def low_resolution(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As if taken from afar: down to as little as 40 % and up again."""
    rows, columns, _ = image.shape
    scale = rng.uniform(0.4, 0.9)
    size = (max(4, round(columns * scale)), max(4, round(rows * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR).reshape(image.shape)
