"""crops.tsv: where the line of text is in a picture that shows more than the line.

Each row is a path, a tab and eight numbers: x and y, in pixels of the upright picture, of the top
left, top right, bottom right and bottom left corner of the line, as its text runs. 0 0 is the top
left corner of the picture, and the edges of its last pixel are its width and height. The pictures
themselves are not changed.
"""

import io
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.entries import Entry, Fault, quoted
from ocr_simple.local_files import numbered_rows
from ocr_simple.text import counted, escape_controls

CROPS = "crops.tsv"
Corners = tuple[float, ...]  # eight numbers: see above
SMALLEST = 2.0  # pixels that a side has at least
FIX = f"draw the box again with aocr label, or correct {CROPS}"


def check_corners(corners: Sequence[float]) -> Corners:
    """The corners of a box, to a tenth of a pixel. Raises ValueError for what is none."""
    if len(corners) != 8 or not all(math.isfinite(number) for number in corners):
        raise ValueError("four corners are eight numbers: x and y of each")
    xs, ys = corners[::2], corners[1::2]  # not with NumPy: there may be very many boxes
    sides = [(xs[i - 3] - xs[i], ys[i - 3] - ys[i]) for i in range(4)]
    turns = [sides[i][0] * sides[i - 3][1] - sides[i][1] * sides[i - 3][0] for i in range(4)]
    if min(math.hypot(*side) for side in sides) < SMALLEST or min(turns) <= 0:
        raise ValueError(
            "these are not the corners of a box in the order top left, top right, bottom right, "
            "bottom left"
        )
    return tuple(round(float(number), 1) for number in corners)


def parse_corners(text: str) -> Corners:
    """The corners in a row of crops.tsv. Raises ValueError."""
    try:
        return check_corners([float(number) for number in re.split(r"[\s,]+", text.strip())])
    except ValueError as error:
        reason = str(error) if "corners" in str(error) else "not eight numbers"
        raise ValueError(f"{quoted(text)}: {reason}; draw the box again, or remove the row") from (
            error
        )


def format_corners(corners: Corners) -> str:
    """The corners as crops.tsv has them."""
    return " ".join(f"{number:g}" for number in corners)


def straightened(pixels: np.ndarray, corners: Sequence[float], name: str) -> np.ndarray:
    """The box in a picture as a level line: uint8 (rows, columns, channels), as `pixels`.

    The line is as wide and as high as the longer of the box's opposite sides. name: of the picture
    in messages. Raises ImageError if the box reaches beyond the picture, or is too large.
    """
    rows, columns, channels = pixels.shape
    points = np.reshape(corners, (4, 2)).astype(np.float32)
    name = escape_controls(name)
    if points.min() < -0.5 or (points.max(axis=0) > (columns + 0.5, rows + 0.5)).any():
        raise imaging.ImageError(
            f"{name}: its box reaches beyond the picture of {columns} x {rows} pixels; {FIX}"
        )
    top, right, bottom, left = np.hypot(*(np.roll(points, -1, axis=0) - points).T)
    width, height = max(1, round(max(top, bottom))), max(1, round(max(left, right)))
    if width * height > imaging.MAX_PIXELS or width > imaging.MAX_ASPECT * height:
        raise imaging.TooLargeError(
            f"{name}: its box is {width} x {height} pixels, too large for one line; {FIX}"
        )
    line = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    half = np.float32(0.5)  # OpenCV counts from the middle of a pixel
    transform = cv2.getPerspectiveTransform(points - half, line - half)
    found = cv2.warpPerspective(
        pixels, transform, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return found.reshape(height, width, channels)


def encoded_line(entry: Entry) -> bytes:
    """An entry's encoded image: its file's bytes, or, if it has a box, the line in it as PNG.

    Raises OSError, ImageError.
    """
    encoded = entry.image_bytes()
    if not entry.corners:
        return encoded
    pixels = imaging.load(encoded, 3, entry.name, warn=False)
    file = io.BytesIO()
    Image.fromarray(straightened(pixels, entry.corners, entry.name)).save(file, "PNG")
    return file.getvalue()


# --- the file ---------------------------------------------------------------------------------


def read_crops(folder: Path) -> tuple[dict[str, Corners | Fault], list[Fault]]:
    """(the box of each image by its path without links, rows that name no image) of a folder.

    Nothing if there is no crops.tsv. Raises DatasetError if it is not text.
    """
    path = folder / CROPS
    boxes: dict[str, Corners | Fault] = {}
    faults: list[Fault] = []
    for number, row in numbered_rows(read_text(path)) if path.is_file() else ():
        name, _, text = row.rstrip("\r").partition("\t")
        place, image = f"{path}:{number}", os.path.realpath(folder / name.strip())
        if not os.path.isfile(image):
            faults.append(Fault(place, f"no such image {quoted(name)}; remove or correct the row"))
            continue
        try:
            boxes[image] = parse_corners(text)
        except ValueError as error:
            boxes[image] = Fault(place, str(error))
    return boxes, faults


def with_crops(
    folder: Path, rows: Sequence[Entry | Fault]
) -> tuple[list[Entry | Fault], tuple[str, ...]]:
    """(rows whose entries have their boxes, notes for people), from the crops.tsv of a folder.

    The files in which the images themselves are count too. A row of crops.tsv that cannot be used
    is a fault, in the place of its entry. Raises DatasetError.
    """
    images = {os.path.dirname(row.file) for row in rows if isinstance(row, Entry)}
    folders = {os.path.realpath(place): Path(place) for place in images}
    folders[os.path.realpath(folder)] = folder
    boxes: dict[str, Corners | Fault] = {}
    faults: list[Fault] = []
    for _, place in sorted(folders.items()):  # a folder before those in it
        found, more = read_crops(place)
        boxes |= found
        faults += more
    if not boxes:
        return [*rows, *faults], ()
    cropped = [_with_crop(row, boxes) for row in rows]
    count = sum(isinstance(row, Entry) and bool(row.corners) for row in cropped)
    note = f"{CROPS}: {counted(count, 'image')} cropped to the line" if count else ""
    return [*cropped, *faults], (note,) if note else ()


def _with_crop(row: Entry | Fault, boxes: dict[str, Corners | Fault]) -> Entry | Fault:
    if isinstance(row, Fault) or not (box := boxes.get(os.path.realpath(row.file))):
        return row
    return box if isinstance(box, Fault) else row._replace(corners=box)
