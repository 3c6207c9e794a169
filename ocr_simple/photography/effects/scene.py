"""What surrounds and lights the line, and what it is written on."""

import functools

import cv2
import numpy as np

from ocr_simple.photography.effects.shot import Shot, grain

CAPITALS = list("ABCDEFGHIKLMNOPRSTUVW")  # of small print


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


def _margins(shot: Shot) -> tuple[int, int, int, int]:
    """Pixels without ink at the top, the bottom, the left and the right."""
    inked = shot.ink.max(axis=2) > 0.3
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return (inked.shape[0],) * 2 + (inked.shape[1],) * 2
    below, beside = inked.shape[0] - 1 - rows[-1], inked.shape[1] - 1 - columns[-1]
    return int(rows[0]), int(below), int(columns[0]), int(beside)


def bezel(shot: Shot, rng: np.random.Generator) -> None:
    """The surroundings of a window that is smaller than the crop; its edges are slightly tilted."""
    image = shot.image
    rows, columns, _ = image.shape
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    inside = np.full((rows, columns), np.inf, np.float32)  # pixels from the nearest edge
    margins = _margins(shot)
    for side in range(4):
        if rng.random() < 0.3:
            continue
        along, across = ((x, y), (x, rows - 1 - y), (y, x), (y, columns - 1 - x))[side]
        length = columns if side < 2 else rows
        edge = (rng.uniform(-0.02, 0.15) + rng.uniform(0, 0.15, 2)) * rows
        if side > 1 and rng.random() < 0.35:  # right beside the first or the last character
            edge = np.maximum(edge, margins[side] - rng.uniform(0, 0.15, 2) * rows)
        # up to the characters, and hardly over them: a window shows its line
        start, end = np.minimum(edge, margins[side] + 0.06 * rows).tolist()
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
    """Reflections in a window or a display: lighter, darker or veiled patches with soft edges."""
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
        veil = rng.uniform(0, 0.7) if rng.random() < 0.5 else 0.0  # takes contrast
        change = min(120.0, shot.levels) * rng.normal(0, 0.6) + veil * (image.mean() - image)
        image = image + change * patch
    shot.image = image


def glare(shot: Shot, rng: np.random.Generator) -> None:
    """A lamp or a window mirrored in the glass: a small bright spot, often over a character."""
    image = shot.image
    rows, columns, _ = image.shape
    wide, high = (rows * rng.uniform(0.05, 0.4, 2)).tolist()  # half its axes
    x = np.arange(columns, dtype=np.float32)[None, :] - rng.uniform(0, columns)
    y = np.arange(rows, dtype=np.float32)[:, None] - rng.uniform(0, rows)
    x = x + rng.normal(0, 0.5) * y
    distance = (x / wide) ** 2 + (y / high) ** 2
    spot = np.clip((1.3 - distance) / rng.uniform(0.3, 1.3), 0, 1)[..., None]
    shot.image = image + rng.uniform(0.3, 1) * (255 - image) * spot


def surface(shot: Shot, rng: np.random.Generator) -> None:
    """Grain of paper, metal or a wall."""
    rows, columns, _ = shot.image.shape
    shot.image = shot.image + shot.levels * grain(rows, columns, rng)


def folds(shot: Shot, rng: np.random.Generator) -> None:
    """Folds of cloth or crumpled paper: soft bands of light and shade across the line."""
    image = shot.image
    rows, columns, _ = image.shape
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    shade = np.zeros((rows, columns), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        slope, width = rng.normal(0, 0.7), rng.uniform(0.1, 0.5) * rows
        offset = (x - (slope * y + rng.uniform(0, columns))) / width
        # light on one side of a fold, shade on the other one
        shade += rng.normal(0, 0.35) * offset * np.exp(-0.5 * offset * offset)
    shot.image = image * np.clip(1 + shade, 0.4, 1.6)[..., None]


def small_print(shot: Shot, rng: np.random.Generator) -> None:
    """A row of small letters above or below the line, often cut by the crop, perhaps on a strip."""
    inked = shot.inked_rows
    rows, columns, _ = shot.image.shape
    if not len(inked):
        return
    image = shot.image.copy()
    for below, room in ((False, int(inked[0]) - 1), (True, rows - 2 - int(inked[-1]))):
        if room < 3 or rng.random() < 0.4:
            continue
        height = min(room * rng.uniform(0.5, 1.5), 0.35 * len(inked))  # of a capital
        view = image[rows - room :] if below else image[:room]
        if rng.random() < 0.3:
            view[:] = rng.uniform(0, 255)
        foot = height if below else room - rng.uniform(0, 0.3) * height
        letters = rng.choice(CAPITALS, 2 + int(columns / height))
        spaces = rng.random(len(letters)) < 0.15
        text = "".join(np.where(spaces, " ", letters).tolist())
        print_ = np.zeros((room, columns), np.uint8)
        start = int(rng.uniform(-1, 0.5) * rows), round(foot)
        scale = height / 22  # a capital of OpenCV's is 22 pixels high
        face = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(print_, text, start, face, scale, 255, 1 + (height > 11), cv2.LINE_AA)
        level = shot.paper + shot.contrast if rng.random() < 0.6 else rng.uniform(0, 255)
        view += (level - view) * (print_[..., None] / np.float32(255))
    shot.image = image


def sides(shot: Shot, rng: np.random.Generator) -> None:
    """What stands beside a line that is worn or held: an arm, a hand, the edge of a shirt."""
    rows, columns, _ = shot.image.shape
    inked = np.flatnonzero(shot.ink.max(axis=(0, 2)) > 0.3)
    if not len(inked):
        return
    image = shot.image.copy()
    y = np.linspace(-0.5, 0.5, rows, dtype=np.float32)[:, None]
    first, last = int(inked[0]), int(inked[-1])
    for margin, view in ((first, image), (columns - 1 - last, image[:, ::-1])):
        if margin < 2 or rng.random() < 0.35:
            continue
        edge = rng.uniform(0.2, 1) * margin + rows * (
            rng.normal(0, 0.3) * y - rng.uniform(-0.3, 0.5) * y * y
        )
        edge = np.minimum(edge, margin)
        x = np.arange(margin, dtype=np.float32)[None, :]
        covered = np.clip((edge - x) / rng.uniform(0.5, 4), 0, 1)[..., None]
        level = rng.uniform(0, 255) * (1 + rng.normal(0, 0.3) * y)[..., None]
        view[:, :margin] += (level - view[:, :margin]) * covered
    shot.image = image


def tiles(shot: Shot, rng: np.random.Generator) -> None:
    """Joints of a mosaic, of bricks or of planks, and stones of slightly different tones."""
    rows, columns, _ = shot.image.shape
    high = rng.uniform(0.08, 0.5) * rows
    wide = high * rng.uniform(0.8, 2.5) if rng.random() < 0.7 else 2.0 * columns  # planks
    y = np.arange(rows, dtype=np.float32) / high + rng.uniform(0, 1)
    x = np.arange(columns, dtype=np.float32) / wide + rng.uniform(0, 1)
    row, column = y.astype(np.intp)[:, None], x.astype(np.intp)[None, :]
    tones = rng.normal(0, 0.12, (row[-1, 0] + 1, column[0, -1] + 1)).astype(np.float32)
    width = rng.uniform(0.6, 1.5)  # of a joint, in pixels
    inside = np.minimum((y % 1)[:, None] * high, (x % 1)[None, :] * wide)  # pixels from a joint
    joints = np.clip(width - inside, 0, 1) * rng.normal(0, 0.35)
    changed = tones[row, column] + joints  # (rows, columns)
    shot.image = shot.image + shot.levels * changed[..., None]
