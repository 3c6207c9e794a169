"""Real small data that several modules test on."""

from ocr_simple.options import LineOptions
from ocr_simple.drawing.lines import Lines
from ocr_simple.spec import ModelSpec
from ocr_simple.drawing.fonts import find_fonts

import pytest
from PIL import Image



@pytest.fixture(scope="session")
def labelled_folder(tmp_path_factory):
    """Twelve drawn digit lines with labels.tsv."""
    path = tmp_path_factory.mktemp("labelled")
    font = next(f for f in find_fonts(("trdg",)) if f.endswith("OpenSans-Regular.ttf"))
    options = LineOptions(min_length=2, max_length=4)
    drawn = Lines(options, ModelSpec(), [font], augment=False)
    rows = []
    for k in range(12):
        pixels, text, _ = drawn[k]
        Image.fromarray(pixels[..., 0]).save(path / f"{k}.png")
        rows.append(f"{k}.png\t{text}\n")
    (path / "labels.tsv").write_text("".join(rows))
    return path


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A folder with digits.keras as a SavedModel."""
    import export
    from inference import PRETRAINED

    folder = tmp_path_factory.mktemp("served") / "digits"
    export.export(PRETRAINED / "digits.keras", folder, ["savedmodel"])
    return folder
