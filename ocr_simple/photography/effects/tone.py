"""Grey levels of ink and paper, and how the ink is printed or shines."""

import math

import cv2
import numpy as np

from ocr_simple.photography.effects.shot import Shot, happens, softened

LUMA = np.array((0.299, 0.587, 0.114), np.float32)  # share of red, green and blue in a grey level
LEAST_CONTRAST = 18  # grey levels between two random colours


def choose_tone(shot: Shot, rng: np.random.Generator) -> None:
    """Grey levels of paper and ink: either of them may be the lighter one."""
    tone = shot.recipe.tone
    contrast = rng.uniform(*tone.contrast)
    paper = rng.uniform(0, 255 - contrast)
    if happens(tone.light_paper, rng):
        paper = (255 - contrast) * rng.uniform(0.9, 1)
    if happens(tone.dark_paper, rng):
        paper = min(255 - contrast, 70) * rng.random()
    if happens(tone.dark_on_light, rng):
        paper, contrast = paper + contrast, -contrast
    if happens(tone.hues, rng):
        paper, contrast = _two_colours(rng)
    shot.paper, shot.contrast = paper, contrast


def _two_colours(rng: np.random.Generator) -> tuple[float, float]:
    """Grey levels of a random colour, and how far that of another one is from it."""
    while True:  # until they can be told apart: red on green may be one grey
        colours = rng.random((2, 3)) ** rng.choice([0.5, 1, 2], (2, 1))
        paper, ink = (255 * colours @ LUMA).tolist()
        if abs(ink - paper) > LEAST_CONTRAST:
            return paper, ink - paper


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
        slope, pitch, start = rng.normal(0, 0.4), rng.uniform(4, 16), rng.uniform(0, 1)
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


# Light of displays, red, green and blue: three reds, amber, green, the blue-green of a VFD, white.
LIGHTS = np.array(
    [
        (1, 0.08, 0.15), (1, 0.08, 0.15), (1, 0.2, 0.35), (1, 0.5, 0.08), (0.25, 1, 0.15),
        (0.3, 0.95, 0.8), (0.25, 0.5, 1), (1, 1, 1),
    ],
    np.float32,
)  # fmt: skip


def glow(shot: Shot, rng: np.random.Generator) -> None:
    """Characters that shine: LED, VFD. Their cores are saturated, and a halo is around them."""
    ink = shot.ink
    reach = len(shot.inked_rows) * rng.uniform(0.05, 0.3)  # of the halo
    size = (max(1, round(reach)),) * 2
    halo = cv2.blur(cv2.blur(ink, size), size).reshape(ink.shape)
    power = rng.uniform(0.8, 1.2) if rng.random() < 0.4 else rng.uniform(1.2, 4)  # 1 saturates
    # squared: segments that are off stay faint where those that are on are saturated
    core = np.clip((ink - 0.15) / 0.65, 0, 1) ** 2
    light = power * (core + rng.uniform(0, 1.1) ** 2 * halo)
    colour = LIGHTS[rng.integers(len(LIGHTS))]
    if ink.shape[2] == 3:
        lit = np.minimum(light * colour, 1)
    else:
        grey = [np.minimum(light * level, 1) * part for level, part in zip(colour, LUMA)]
        lit = grey[0] + grey[1] + grey[2]
        lit = lit / max(0.01, float(lit.max()))
    # a dark panel, or one that the light of a room makes grey
    shot.paper = rng.uniform(0, 40) if rng.random() < 0.7 else rng.uniform(40, 140)
    shot.contrast = (255 - shot.paper) * rng.uniform(0.02, 1) ** 0.4
    shot.image = shot.paper + shot.contrast * lit


def pixel_grid(shot: Shot, rng: np.random.Generator) -> None:
    """The dark gaps between the pixels of a panel, over ink and paper."""
    rows, columns, _ = shot.image.shape
    pitch = max(2.0, len(shot.inked_rows) / rng.uniform(7, 16))  # rows of the image to a pixel
    across, down = rng.uniform(0, 0.5, 2).tolist()
    x = np.arange(columns, dtype=np.float32) * (2 * math.pi / (pitch * rng.uniform(0.9, 1.1)))
    y = np.arange(rows, dtype=np.float32) * (2 * math.pi / pitch)
    gaps_x = across * np.maximum(np.sin(x + rng.uniform(0, 6)), 0)
    gaps_y = down * np.maximum(np.sin(y + rng.uniform(0, 6)), 0)
    dimmed = ((1 - gaps_y)[:, None] * (1 - gaps_x)[None, :])[..., None]
    # relative to the tone: black ink keeps no gaps
    darkest = min(shot.paper, shot.paper + shot.contrast) - 0.5 * shot.levels
    shot.image = darkest + (shot.image - darkest) * dimmed


def drop_shadow(shot: Shot, rng: np.random.Generator) -> None:
    """The shadow that raised characters cast on the wall beside them."""
    ink = shot.ink
    reach = max(1.0, len(shot.inked_rows) * rng.uniform(0.04, 0.14))
    angle = rng.uniform(0, 2 * math.pi)
    move = np.array([[1, 0, reach * math.cos(angle)], [0, 1, reach * math.sin(angle)]], np.float32)
    moved = cv2.warpAffine(ink, move, ink.shape[1::-1]).reshape(ink.shape)
    shadow = softened(moved, reach * rng.uniform(0.1, 0.6)) * (1 - ink)
    shot.image = shot.image - rng.uniform(0.2, 0.6) * shot.levels * shadow


def gloss(shot: Shot, rng: np.random.Generator) -> None:
    """Characters of metal or glass: light and dark bands run through the strokes."""
    rows, columns, _ = shot.ink.shape
    x = np.arange(columns, dtype=np.float32)[None, :] / rows
    y = np.arange(rows, dtype=np.float32)[:, None] / rows
    turns = rng.normal(0, 1.5) * x + (rng.uniform(0.5, 3) * y + rng.uniform(0, 1))
    bands = np.sin(2 * math.pi * turns)[..., None]
    shot.image = shot.image + rng.uniform(0.15, 0.45) * shot.levels * shot.ink * bands
