"""What real pictures of lines have and drawn ones lack: effects on ink, light, surface and sensor.

Each takes float32 pixels (rows, columns, channels) and returns as many; `ink` is 0 where there is
paper and 1 where there is ink, an image has 256 levels. How often each comes is said in recipes.py.
"""

import functools
import math

import cv2
import numpy as np


def dot_matrix(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Characters of the dots of a needle printer, or of the finer ones of a thermal head."""
    rows, columns, _ = ink.shape
    inked = np.flatnonzero(ink.max(axis=(1, 2)) > 0.3)
    height = max(8, len(inked))
    needles = rng.random() < 0.5
    pitch = height / (rng.uniform(8.5, 14) if needles else rng.uniform(14, 26))  # rows to a dot
    across = pitch * rng.uniform(0.6, 1.0)
    size = max(2, round(columns / across)), max(2, round(rows / pitch))
    dots = cv2.resize(ink, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    struck = np.clip((dots / max(0.1, dots.max()) - rng.uniform(0.25, 0.5)) / 0.15, 0, 1)
    struck *= rng.uniform(0.7, 1.0, struck.shape[:2]).astype(np.float32)[..., None]
    grown = cv2.resize(struck, (columns, rows), interpolation=cv2.INTER_NEAREST)
    x = np.arange(columns, dtype=np.float32) * (size[0] / columns) % 1 - 0.5
    y = np.arange(rows, dtype=np.float32) * (size[1] / rows) % 1 - 0.5
    radius = rng.uniform(0.4, 0.75)
    away = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / radius
    return grown.reshape(ink.shape) * np.clip(1.5 - away, 0, 1)[..., None]


def faded(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink that runs out towards one end, or from row to row, as on thermal paper."""
    rows, columns, _ = ink.shape
    least = rng.uniform(0.05, 0.7)
    if rng.random() < 0.6:
        full = rng.uniform(0.2, 1) ** 2  # from here on, of its width: half a character, or all
        slope = np.linspace(least, least + (1 - least) / full, columns, dtype=np.float32)
        level = np.minimum(slope, 1)[None, :, None]
        return ink * (level if rng.random() < 0.5 else level[:, ::-1])
    rough = np.convolve(rng.uniform(least, 1.3, rows + 4), np.ones(3) / 3)[3 : rows + 3]
    return ink * np.clip(rough, 0, 1).astype(np.float32)[:, None, None]


def bled(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink that has run, until narrow gaps close: a 5 becomes nearly a 6, a 6 nearly an 8."""
    height = np.count_nonzero(ink.max(axis=(1, 2)) > 0.3)
    soft = cv2.GaussianBlur(ink, (0, 0), max(0.5, height * rng.uniform(0.03, 0.08)))
    grown = (soft.reshape(ink.shape) - rng.uniform(0.15, 0.45)) / rng.uniform(0.1, 0.4) + 0.5
    return np.maximum(ink, np.clip(grown, 0, 1))


def starved(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Too little ink: thin strokes and sides of characters do not take, by patches."""
    rows, columns, _ = ink.shape
    height = np.count_nonzero(ink.max(axis=(1, 2)) > 0.3)
    soft = cv2.GaussianBlur(ink, (0, 0), max(0.5, height * rng.uniform(0.02, 0.06)))
    size = max(2.0, height * rng.uniform(0.2, 0.7))  # of a patch
    cells = max(2, round(columns / size)), max(2, round(rows / size))
    patches = cv2.resize(
        rng.standard_normal(cells[::-1], np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC
    )[..., None]
    level = rng.uniform(0.3, 0.55) + rng.uniform(0.05, 0.25) * patches
    taken = (soft.reshape(ink.shape) - level) / rng.uniform(0.05, 0.3) + 0.5
    return ink * np.clip(taken, rng.uniform(0, 0.3), 1)


def scanned(image: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """A scanner's black and white: rough edges, specks, strokes that grow together or break.

    Half of them in its own pixels, larger than the image's.
    """
    if rng.random() < 0.5:
        small = _shrunk(image, rng.uniform(0.45, 0.9))
        return _grown(_in_black_and_white(small, contrast, rng), image.shape)
    return _in_black_and_white(image, contrast, rng)


def _in_black_and_white(image: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.1)).reshape(image.shape)
    rough = cv2.GaussianBlur(
        rng.standard_normal(image.shape[:2], np.float32), (0, 0), rng.uniform(0.4, 0.9)
    )[..., None]
    low, high = float(soft.min()), float(soft.max())
    level = low + (high - low) * rng.uniform(0.35, 0.75)
    value = soft - level + contrast * rng.uniform(0.02, 0.15) * rough
    steep = np.clip(value * rng.uniform(3, 25) / max(1.0, high - low), -20, 20)
    return low + (high - low) / (1 + np.exp(-steep))


def guilloche(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Fine waved lines, 0 to 1, as under the writing on cheques and forms."""
    x = np.arange(columns, dtype=np.float32)[None, :] / rows
    y = np.arange(rows, dtype=np.float32)[:, None] / rows
    print_ = np.zeros((rows, columns), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        wave = rng.uniform(0, 0.3) * np.sin(x * rng.uniform(1, 8) + rng.uniform(0, 6))
        slope, pitch, start = rng.normal(0, 0.3), rng.uniform(4, 12), rng.uniform(0, 1)
        phase = pitch * y + (pitch * (wave + slope * x) + start)
        away = abs(phase - np.floor(phase) - 0.5)  # from the middle of a line
        print_ = np.maximum(print_, 1 - away / rng.uniform(0.1, 0.3))
    return print_[..., None]


def underline(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rule under the line, or through its feet, over the whole width or a part."""
    ink = ink.copy()
    rows, columns, _ = ink.shape
    inked = np.flatnonzero(ink.max(axis=(1, 2)) > 0.3)
    foot = inked[-1] if len(inked) else rows - 2
    top = int(np.clip(foot + rng.integers(-2, 4), 0, rows - 1))
    thickness = int(rng.integers(1, 3))
    start = int(rng.integers(0, columns)) if rng.random() < 0.3 else 0
    part = ink[top : top + thickness, start:]
    np.maximum(part, rng.uniform(0.3, 1), out=part)
    return ink


def reflections(image: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """What a window or a display mirrors: patches lighter or darker, their edges soft."""
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
        image = image + contrast * rng.normal(0, 0.6) * patch
    return image


def broken_print(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink that did not take everywhere: worn patches, or rows or columns that a head left out."""
    rows, columns, _ = ink.shape
    if rng.random() < 0.6:
        worn = surface(rows, columns, rng)
        return ink * np.clip(0.9 + worn / worn.std() * rng.uniform(0.1, 0.5), 0, 1)
    ink = ink.copy()
    across = rng.random() < 0.6
    lines = ink if across else ink.swapaxes(0, 1)
    for _ in range(int(rng.integers(1, 4 if across else 2 + 3 * columns // rows))):
        start = int(rng.integers(0, len(lines)))
        lines[start : start + rng.integers(1, 3)] *= rng.uniform(0, 0.6)
    return ink


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


def bezel(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What is around a window that the crop holds whole, the window's edges a little aslant."""
    rows, columns, _ = image.shape
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    inside = np.full((rows, columns), np.inf, np.float32)  # how far, in pixels
    for side in range(4):
        if rng.random() < 0.3:
            continue
        along, across = ((x, y), (x, rows - 1 - y), (y, x), (y, columns - 1 - x))[side]
        length = columns if side < 2 else rows
        start, end = ((rng.uniform(-0.02, 0.15) + rng.uniform(0, 0.15, 2)) * rows).tolist()
        inside = np.minimum(inside, across - (start + (end - start) / length * along))
    outer = np.clip(0.5 - inside, 0, 1)[..., None]
    if rng.random() < 0.5:  # its rim, or the shadow of it
        rim = np.clip(rng.uniform(0.5, 6) * rows / 32 - inside, 0, 1)[..., None]
        image = image * (1 - rim * rng.uniform(0.1, 0.9))
    return image + (rng.uniform(0, 255) - image) * outer


def light(image: np.ndarray, rng: np.random.Generator, uneven: float = 0.2) -> np.ndarray:
    """Uneven light: a slope over the picture, and now and then the edge of a shadow."""
    rows, columns, _ = image.shape
    x, y = _from_edge_to_edge(columns)[None, :], _from_edge_to_edge(rows)[:, None]
    field = 1 + rng.normal(0, uneven) * x + rng.normal(0, 0.15) * y
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
    return _grown(_shrunk(image, rng.uniform(0.4, 0.9)), image.shape)


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    rows, columns, _ = image.shape
    size = max(4, round(columns * scale)), max(4, round(rows * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)


def _grown(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_LINEAR).reshape(shape)
