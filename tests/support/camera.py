"""Pictures of a camera that does not move, and a model that keeps the box of its line."""

import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from ocr_simple.boxes import CameraBox, line_size, line_to_picture
from ocr_simple.engines.onnx_file import SEAL, sealed
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES
from ocr_simple.spec import SPEC_FILE, read_spec
from ocr_simple.written_files import digest

BOX = CameraBox((320, 240), (50.0, 75.0, 260.0, 85.0, 255.0, 130.0, 47.5, 115.0))
CROPS = "320x240:50,75,260,85,255,130,47.5,115"
TEXT = "00483617"  # in the box


def camera_picture(path: Path) -> Path:
    """A water meter, seen at an angle in the box of a picture."""
    line = Image.open(TEST_IMAGES / "water_meter.png").convert("RGB")
    a, b, c, e, f, g, h, i = line_to_picture(BOX.corners, BOX.size)
    back = np.linalg.inv([[a, b, c], [e, f, g], [h, i, 1]])  # from the picture to the line
    how = Image.Transform.PERSPECTIVE, (back / back[2, 2]).ravel()[:8].tolist()
    line = line.resize(line_size(BOX.corners))
    line.transform(BOX.size, *how, Image.Resampling.BILINEAR, fillcolor="#707860").save(path)
    return path


def with_box(folder: Path, box: CameraBox = BOX) -> Path:
    """A copy of `digits` that keeps a box, with its ONNX file: what a training writes."""
    shipped, file = PRETRAINED / "digits.keras", folder / "best.keras"
    spec = json.dumps(read_spec(shipped).as_json() | {"crop": box.as_json()})
    with zipfile.ZipFile(shipped) as before, zipfile.ZipFile(file, "w") as after:
        for name in before.namelist():
            after.writestr(name, spec if name == SPEC_FILE else before.read(name))
    network = shipped.with_suffix(".onnx").read_bytes()[:-SEAL]
    made_from = (digest(path).encode() for path in (shipped, file))
    file.with_suffix(".onnx").write_bytes(sealed(network.replace(*made_from)))
    return file
