"""The box that an export keeps in its description: that of a camera that does not move.

reader.py, `aocr serve` and the page of `--format web` read pictures of its size in the box, and
others whole. A TensorFlow graph that is called by another program reads whole images.
"""

from typing import Any

from aocr.kept_constraint import APPLIED, ReadBy
from ocr_simple.boxes import CameraBox, box_of_json, line_size, line_to_picture


def described(box: CameraBox, by: ReadBy) -> dict[str, Any]:
    """What a description says about a box; by: what reads the export with it.

    line: width and height of the level line in the box. transform: from there to the picture, see
    `line_to_picture`, so that reader.py and the page need not compute them.
    """
    return box.as_json() | {
        "line": list(line_size(box.corners)),
        "transform": line_to_picture(box.corners, box.size),
        "obeyed": APPLIED[by],
    }


def box_in(about: dict[str, Any]) -> CameraBox | None:
    """The box that a description has; None if it has none. Raises ValueError for a damaged one."""
    return box_of_json(about["crop"]) if about.get("crop") is not None else None
