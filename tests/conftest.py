"""Real small data that several tests read."""

import sys
from pathlib import Path

import pytest
from PIL import Image
from support.datasets import annotate, picture
from support.lines import OPEN_SANS
from support.made_once import made_once

import data_generator
from ocr_simple.cores import usable_cores
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, as many tests wait for other processes; at most 4."""
    return min(4, usable_cores() + 1)


@pytest.fixture(scope="session")
def labelled_folder(tmp_path_factory) -> Path:
    """Twelve drawn digit lines with labels.tsv."""
    path = tmp_path_factory.mktemp("labelled")
    options = LineOptions(min_length=2, max_length=4)
    drawn = Lines(options, ModelSpec(), [OPEN_SANS], augment=False)
    rows = []
    for k in range(12):
        pixels, text, _ = drawn[k]
        Image.fromarray(pixels[..., 0]).save(path / f"{k}.png")
        rows.append(f"{k}.png\t{text}\n")
    (path / "labels.tsv").write_text("".join(rows))
    return path


@pytest.fixture
def image_folder(tmp_path, monkeypatch) -> Path:
    """The working directory, with images in images/."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("a.png", "b.jpg", "with space.png", "com,ma.png")):
        picture(tmp_path / "images" / name, (40 + i, 20 + i), i)
    return tmp_path


@pytest.fixture
def bad_rows(image_folder) -> Path:
    """Annotations with every kind of bad row, between good ones."""
    images = image_folder / "images"
    (images / "text.png").write_text("this is no image")
    (images / "empty.png").write_bytes(b"")
    whole = (images / "b.jpg").read_bytes()
    (images / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    picture(images / "long.png", (3000, 2))
    return annotate(
        image_folder / "annotations.txt", "images/a.png 1", "images/gone.png 2",
        "images/text.png 3", "images/empty.png 4", "images/cut.jpg 5", "images/a.png", "",
        "images 8", "images/long.png 9", "images/b.jpg 10",
    )  # fmt: skip


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Path:
    """A folder with digits.keras as a SavedModel."""
    from aocr.export import export
    from ocr_simple.runs.model_files import PRETRAINED

    def make(folder: Path) -> Path:
        export(PRETRAINED / "digits.keras", folder / "digits", ["savedmodel"])
        return folder / "digits"

    return made_once(tmp_path_factory, "served", make)


@pytest.fixture(scope="session", autouse=True)
def few_lines_around_a_training():
    """Fewer lines to look at before a training, and to fit its confidence to after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_generator, "SURVEY", 16)
        patch.setattr(data_generator, "CALIBRATION_LINES", 30)
        yield


@pytest.fixture(autouse=True)
def trainings_end_without_onnx(request, monkeypatch):
    """Spares each of many short trainings the conversion, five seconds of processor time.

    test_engines.py tests it, and the trainings of module fixtures do it.
    """
    if request.module.__name__ != "test_engines" and "model" in sys.modules:
        monkeypatch.setattr(sys.modules["model"], "save_onnx", lambda *_: "")
