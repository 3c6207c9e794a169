"""Boxes: where the line of text is in a picture that shows more than the line.

A box has four corners: the top left, top right, bottom right and bottom left one of the line, as
its text runs. They are x and y in pixels of the upright picture, whose top left corner is 0 0.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ocr_simple.messages import shown

Corners = tuple[float, ...]  # eight numbers: see above
SMALLEST = 2.0  # pixels that a side has at least
BEYOND = 0.5  # pixels that a corner may be outside of the picture
LARGEST_SIDE = 100_000  # of a picture, in pixels


def check_corners(corners: Sequence[float]) -> Corners:
    """The corners, to a tenth of a pixel. Raises ValueError if they are not those of a box."""
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


def is_inside(corners: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether a box is in a picture of this width and height."""
    return all(
        -BEYOND <= number <= side + BEYOND
        for numbers, side in zip((corners[::2], corners[1::2]), size)
        for number in numbers
    )


def line_size(corners: Sequence[float]) -> tuple[int, int]:
    """Width and height of the level line in a box: the longer of its opposite sides, in pixels."""
    points = np.reshape(corners, (4, 2)).astype(np.float32)
    top, right, bottom, left = np.hypot(*(np.roll(points, -1, axis=0) - points).T)
    return max(1, round(max(top, bottom))), max(1, round(max(left, right)))


def line_to_picture(corners: Sequence[float], size: tuple[int, int]) -> list[float]:
    """The perspective from the level line in a box to its picture of this width and height.

    A point x y of the line is at (a x + b y + c) / d and (e x + f y + g) / d of the picture, with
    d = h x + i y + 1; returned are a b c e f g h i. Corners outside of the picture are moved to its
    edge, so that every point of the line is in the picture.
    """
    width, height = line_size(corners)
    points = np.clip(np.reshape(corners, (4, 2)), 0, size)
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(((0, 0), (width, 0), (width, height), (0, height)), points):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.linalg.solve(rows, points.ravel()).tolist()


class CameraBox(NamedTuple):
    """The box of a camera that does not move: for all of its pictures, which have one size."""

    size: tuple[int, int]  # width and height of the pictures, in pixels
    corners: Corners

    def __str__(self) -> str:
        """Which pictures it is for, as a message says it."""
        return f"{self.size[0]} x {self.size[1]} pixels"

    def as_json(self) -> dict[str, Any]:
        """The box as model files and descriptions of exports keep it."""
        corners = [list(self.corners[i : i + 2]) for i in range(0, 8, 2)]
        return {"size": list(self.size), "corners": corners}


def camera_box(size: Sequence[Any], corners: Sequence[Any]) -> CameraBox:
    """A checked box; size: of the pictures. Raises ValueError."""
    width, height = size
    if not all(type(side) is int and 0 < side <= LARGEST_SIDE for side in size):
        raise ValueError(f"size {shown(list(size))}: give a width and a height in pixels")
    checked = check_corners(corners)
    if not is_inside(checked, (width, height)):
        raise ValueError(f"the box reaches beyond pictures of {width} x {height} pixels")
    return CameraBox((width, height), checked)


def box_of_json(content: Any) -> CameraBox:
    """The box that `CameraBox.as_json` gave. Raises ValueError for anything else."""
    try:
        numbers = [number for corner in content["corners"] for number in corner]
        return camera_box(content["size"], numbers)
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise ValueError(f"crop {shown(content)}: is no box ({error})") from error
