"""crops.tsv: where the line of text is in a picture that shows more than the line.

Each row is a path, a tab and eight numbers: x and y, in pixels of the upright picture, of the top
left, top right, bottom right and bottom left corner of the line, as its text runs. 0 0 is the top
left corner of the picture, and the edges of its last pixel are its width and height. The pictures
themselves are not changed.
"""

import io
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from ocr_simple import images as imaging
from ocr_simple.boxes import (
    CameraBox,
    Corners,
    camera_box,
    check_corners,
    is_inside,
    line_size,
    line_to_picture,
)
from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.entries import Entry, Fault, quoted
from ocr_simple.local_files import numbered_rows, open_regular
from ocr_simple.messages import counted, escape_controls

CROPS = "crops.tsv"
ON_THEIR_SIDE = (5, 6, 7, 8)  # EXIF orientations
NO_CROPS = "none"  # for --crops: read whole images
ONE_BOX = re.compile(r"(\d+)x(\d+):([-\d.,]+)")
EXAMPLE = "WIDTHxHEIGHT:X,Y,... of its four corners, such as 640x480:10,4,50,4,50,16,10,16"
FIX = f"draw the box again with aocr label, or correct {CROPS}"


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
    size, name = (columns, rows), escape_controls(name)
    if not is_inside(corners, size):
        raise imaging.ImageError(
            f"{name}: its box reaches beyond the picture of {columns} x {rows} pixels; {FIX}"
        )
    width, height = line_size(corners)
    if width * height > imaging.MAX_PIXELS or width > imaging.MAX_ASPECT * height:
        raise imaging.TooLargeError(
            f"{name}: its box is {width} x {height} pixels, too large for one line; {FIX}"
        )
    left, top = (max(0, int(min(numbers)) - 1) for numbers in (corners[::2], corners[1::2]))
    right, bottom = (int(max(numbers)) + 2 for numbers in (corners[::2], corners[1::2]))
    a, b, c, e, f, g, h, i = line_to_picture(corners, size)
    # from the line to the part of the picture that is around the box
    transform = (a - left * h, b - left * i, c - left, e - top * h, f - top * i, g - top, h, i)
    part = pixels[top:bottom, left:right].astype(np.float32)  # Pillow rounds bytes down
    planes = [
        Image.fromarray(part[..., channel]).transform(
            (width, height), Image.Transform.PERSPECTIVE, transform, Image.Resampling.BILINEAR
        )
        for channel in range(channels)
    ]
    return np.rint(np.stack([np.asarray(plane) for plane in planes], 2)).astype(np.uint8)


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
        place, image = f"{path}:{number}", os.path.join(path.parent, name.strip())
        if not os.path.isfile(image):
            faults.append(Fault(place, f"no such image {quoted(name)}; remove or correct the row"))
            continue
        try:
            boxes[os.path.realpath(image)] = parse_corners(text)
        except ValueError as error:
            boxes[os.path.realpath(image)] = Fault(place, str(error))
    return boxes, faults


def with_crops(
    folder: Path, rows: Sequence[Entry | Fault]
) -> tuple[list[Entry | Fault], tuple[str, ...]]:
    """(rows whose entries have their boxes, notes for messages), from the crops.tsv of a folder.

    Any crops.tsv beside the images is read too. A row of crops.tsv that cannot be used becomes a
    fault, in the place of its entry. Raises DatasetError.
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
        with open_regular(file) as (content, _):
            formats = tuple(imaging.formats_of(content.read(12), file.name))
            content.seek(0)
            with Image.open(content, formats=formats) as image:
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
        box = self.boxes.get(os.path.realpath(source)) if is_path(source) else None
        return box or self.sizes.get(size, ())

    @property
    def listed_sizes(self) -> str:
        """The sizes of the images that are not named and have a box, for messages."""
        return ", ".join(f"{width} x {height}" for width, height in sorted(self.sizes))

    def about(self, images: Sequence[str]) -> str:
        """A message: which of the images have a box."""
        if not self.boxes:
            return f"images of {self.listed_sizes} pixels are read in the box"
        named = sum(os.path.realpath(image) in self.boxes for image in images)
        sizes = self.listed_sizes
        more = sizes and named < len(images)
        others = f"; others are read in a box if they are {sizes} pixels" if more else ""
        return f"{named:,} of {counted(len(images), 'image')} have a box{others}"

    def about_whole(self, whole: int, images: int) -> str:
        """A message: how many of the images are read without a box."""
        boxes = f"the box is for images of {self.listed_sizes} pixels" if self.sizes else "no box"
        return f"{whole:,} of {counted(images, 'image')} read whole: {boxes}"


def is_path(source: Any) -> bool:
    """Whether an image is given as a path."""
    return isinstance(source, (str, os.PathLike))


def load_crops(given: str | os.PathLike) -> Crops:
    """The boxes of --crops: of a file, or one for all pictures of a size, or none.

    given: a crops.tsv, whose rows name images relative to it; WIDTHxHEIGHT: and four corners, such
    as 640x480:10,4,50,4,50,16,10,16; or "none". Two or more images of a crops.tsv that are of one
    size, and have the same box, are of a camera that does not move: the box is for all images of
    that size, unless another image of the size has another.
    Raises ValueError for a file that is not there, or a row without a box.
    """
    if (text := os.fspath(given)) == NO_CROPS:
        return Crops({}, {})
    if numbers := ONE_BOX.fullmatch(text):
        try:
            corners = [float(number) for number in numbers[3].split(",")]
            box = camera_box((int(numbers[1]), int(numbers[2])), corners)
        except ValueError as error:
            raise ValueError(f"--crops {text}: {error}; give {EXAMPLE}") from error
        return Crops({}, dict([box]))
    path = Path(os.path.expanduser(text))
    if not path.is_file():
        raise ValueError(f"--crops {path}: no such file; aocr label writes {CROPS} in the folder")
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
) -> tuple[np.ndarray, bool]:
    """(an image, or the line in its box: uint8 (rows, columns, channels); whether it has a box).

    name, how: as in `images.load`. Raises ImageError.
    """
    # without warnings about surroundings, which are expected
    pixels = imaging.load(source, channels, name, **{"warn": crops is None} | how)
    box = crops.box(source, (pixels.shape[1], pixels.shape[0])) if crops else ()
    return (straightened(pixels, box, name), True) if box else (pixels, False)


# --- the box that a model keeps ---------------------------------------------------------------


def kept_box(crops: str | None) -> CameraBox | None:
    """The one box of --crops that is for all pictures of a size; None if no --crops is given.

    Raises ValueError, also if there is no such box, or more than one.
    """
    if crops in (None, NO_CROPS):
        return None
    sizes = load_crops(crops).sizes
    if len(sizes) != 1:
        several = f"boxes for several sizes ({Crops({}, sizes).listed_sizes})"
        raise ValueError(
            f"--crops {crops}: a model keeps one box, for a camera that does not move: two or more "
            f"pictures of one size must have the same box, and no picture of that size another. "
            f"Found {several if sizes else 'no such box'}. Apply the box to all pictures of the "
            f"size in aocr label, or give {EXAMPLE}"
        )
    return camera_box(*next(iter(sizes.items())))


def as_crops(box: CameraBox | None) -> Crops | None:
    """What images are read with by a model that keeps a box."""
    return Crops({}, {box.size: box.corners}) if box else None


def in_kept_box(
    rows: Sequence[Entry | Fault], box: CameraBox | None, say: Callable[[str], Any]
) -> list[Entry | Fault]:
    """Rows whose entries without a box have that of a model, if they are files of its size.

    say: called with a message that counts them, if there are any.
    """
    if box is None:
        return list(rows)
    found = [
        row._replace(corners=box.corners)
        if isinstance(row, Entry) and not row.corners and _is_of_size(row, box.size)
        else row
        for row in rows
    ]
    if count := sum(before != after for before, after in zip(rows, found)):
        say(f"{counted(count, 'image')} read in the model's box")
    return found


def _is_of_size(entry: Entry, size: tuple[int, int]) -> bool:
    """Whether an entry is an image file, not part of another file, of a width and height."""
    return not entry.key and entry.size < 0 and upright_size(Path(entry.file)) == size
