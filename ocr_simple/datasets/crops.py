"""crops.tsv: where the line of text is in a picture that shows more than the line.

Each row is a path, a tab and eight numbers: x and y, in pixels of the upright picture, of the top
left, top right, bottom right and bottom left corner of the line, as its text runs. 0 0 is the top
left corner of the picture, and the edges of its last pixel are its width and height. The pictures
themselves are not changed.
"""

import importlib.util
import io
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from ocr_simple import images as imaging
from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.entries import Entry, Fault, quoted
from ocr_simple.local_files import numbered_rows
from ocr_simple.text import counted, escape_controls

CROPS = "crops.tsv"
Corners = tuple[float, ...]  # eight numbers: see above
SMALLEST = 2.0  # pixels that a side has at least
ON_THEIR_SIDE = (5, 6, 7, 8)  # EXIF orientations
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
    import cv2  # reading without boxes does without it

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
    return _rows(path) if path.is_file() else ({}, [])


def _rows(path: Path) -> tuple[dict[str, Corners | Fault], list[Fault]]:
    """As `read_crops`, of a file of any name."""
    boxes: dict[str, Corners | Fault] = {}
    faults: list[Fault] = []
    for number, row in numbered_rows(read_text(path)):
        name, _, text = row.rstrip("\r").partition("\t")
        place, image = f"{path}:{number}", os.path.realpath(path.parent / name.strip())
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


# --- reading ----------------------------------------------------------------------------------


def upright_size(file: Path) -> tuple[int, int] | None:
    """The width and height of a picture as it is shown, without decoding it; None if unknown."""
    try:
        with Image.open(file, formats=imaging.FORMATS) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation) in ON_THEIR_SIDE
            return image.size[::-1] if turned else image.size
    except Exception:  # decoders raise errors of many types; reading it reports them
        return None


class Crops(NamedTuple):
    """The boxes that images are read with."""

    boxes: dict[str, Corners]  # by the path of the image, without links
    sizes: dict[tuple[int, int], Corners]  # by (width, height), for the images not named

    def box(self, source: Any, size: tuple[int, int]) -> Corners:
        """The box of an image of this width and height, which may be a path; empty if none."""
        own = self.boxes.get(os.path.realpath(source)) if is_path(source) else None
        return own or self.sizes.get(size, ())

    def about(self, images: Sequence[str]) -> str:
        """Which of the images have a box, for people."""
        named = sum(os.path.realpath(image) in self.boxes for image in images)
        sizes = ", ".join(f"{width} x {height}" for width, height in sorted(self.sizes))
        others = f"; the others have one if they are {sizes} pixels" if sizes else ""
        return f"{named:,} of {counted(len(images), 'image')} named with a box{others}"


def is_path(source: Any) -> bool:
    """Whether an image is given as a path."""
    return isinstance(source, (str, os.PathLike))


def load_crops(path: str | os.PathLike) -> Crops:
    """The boxes of a crops.tsv, whose rows name images relative to it.

    Two or more of them that are of one size, and have the same box, are of a camera that does not
    move: the box is for all images of that size, unless another image of the size has another.
    Raises ValueError for a file that is not there, or a row without a box.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"--crops {path}: no such file; aocr label writes {CROPS} beside pictures")
    if importlib.util.find_spec("cv2") is None:
        raise ValueError("--crops needs OpenCV: pip install opencv-python-headless")
    found, _ = _rows(path)  # images that are gone need no box
    boxes: dict[str, Corners] = {}
    of_size: dict[tuple[int, int], list[Corners]] = {}
    for image, box in found.items():
        if isinstance(box, Fault):
            raise ValueError(f"{box.place}: {box.reason}")
        boxes[image] = box
        if size := upright_size(Path(image)):
            of_size.setdefault(size, []).append(box)
    same = {
        size: each[0] for size, each in of_size.items() if len(each) > 1 and len(set(each)) == 1
    }
    return Crops(boxes, same)


def load_line(
    source: imaging.Source, crops: Crops | None, channels: int, name: str, **how: Any
) -> np.ndarray:
    """An image, or the line in its box: uint8 (rows, columns, channels).

    name, how: as in `images.load`. Raises ImageError.
    """
    # without warnings about surroundings, which are expected
    pixels = imaging.load(source, channels, name, **{"warn": crops is None} | how)
    if crops is None:
        return pixels
    box = crops.box(source, (pixels.shape[1], pixels.shape[0]))
    return straightened(pixels, box, name) if box else pixels
