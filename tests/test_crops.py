"""crops.tsv: boxes of lines in pictures, obeyed wherever a data set is read."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.datasets import annotate, picture

from aocr import cli
from aocr.diagnose.pictures import find_pictures, load
from ocr_simple.boxes import check_corners
from ocr_simple.datasets.annotations import find_dataset
from ocr_simple.datasets.crops import (
    encoded_line,
    format_corners,
    load_crops,
    load_line,
    parse_corners,
    read_crops,
    straightened,
)
from ocr_simple.datasets.labelled_lines import fingerprint, load_image
from ocr_simple.datasets.tfrecords import to_record
from ocr_simple.errors import DatasetError
from ocr_simple.images import ImageError
from ocr_simple.options import InferenceOptions, LabelOptions
from ocr_simple.reading_commands import plan

DOCS = Path(__file__).resolve().parents[1] / "docs" / "data.md"
BOX = (10, 4, 50, 4, 50, 16, 10, 16)  # of a picture of 60 x 20 pixels


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        picture(tmp_path / "set" / f"{number}.png", seed=number)
    annotate(Path("set/labels.tsv"), "1.png\tone", "2.png\ttwo", "3.png\tthree")
    return Path("set")


def pixels_of(path):
    return np.asarray(Image.open(path))[..., None]


def crops(folder, *rows):
    annotate(folder / "crops.tsv", *rows)


def row(name, corners=BOX):
    return f"{name}\t{format_corners(corners)}"


# --- one box ------------------------------------------------------------------------------------


def test_a_level_box_is_a_slice_of_the_picture(folder):
    pixels = pixels_of(folder / "1.png")
    np.testing.assert_array_equal(straightened(pixels, BOX, "1.png"), pixels[4:16, 10:50])
    whole = (0, 0, 60, 0, 60, 20, 0, 20)
    np.testing.assert_array_equal(straightened(pixels, whole, "1.png"), pixels)


def test_the_first_corner_says_how_the_text_runs(folder):
    pixels = pixels_of(folder / "1.png")
    upside_down = BOX[4:] + BOX[:4]
    line = straightened(pixels, upside_down, "1.png")
    np.testing.assert_array_equal(line, np.rot90(pixels[4:16, 10:50], 2))
    sideways = straightened(pixels, BOX[2:] + BOX[:2], "1.png")  # the text runs downwards
    np.testing.assert_array_equal(sideways, np.rot90(pixels[4:16, 10:50]))


def test_a_line_in_perspective_becomes_level():
    line = np.full((40, 160, 3), 230, np.uint8)
    cv2.putText(line, "01742", (8, 31), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (20, 20, 20), 2)
    seen = np.array([(60, 50), (230, 30), (220, 90), (70, 85)], np.float32)
    edges = np.array([(0, 0), (160, 0), (160, 40), (0, 40)], np.float32)
    transform = cv2.getPerspectiveTransform(edges - 0.5, seen - np.float32(0.5))
    photo = cv2.warpPerspective(line, transform, (300, 120), borderValue=(90, 90, 90))
    found = cv2.resize(straightened(photo, seen.ravel(), "photo"), (160, 40))
    assert np.abs(found.astype(float) - line).mean() < 8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2 3", "four corners are eight numbers"),
        ("", "not eight numbers"),
        ("a b c d e f g h", "not eight numbers"),
        ("nan 4 50 4 50 16 10 16", "four corners are eight numbers"),
        ("10 4 50 4 10 16 50 16", "not the corners of a box"),  # crossed
        ("50 4 10 4 10 16 50 16", "not the corners of a box"),  # a mirror image
        ("10 4 50 4 11 5 10 16", "not the corners of a box"),  # not convex
        ("10 4 11 4 11 16 10 16", "not the corners of a box"),  # a pixel wide
    ],
)
def test_what_is_no_box_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_corners(text)


def test_corners_are_kept_to_a_tenth_of_a_pixel():
    corners = check_corners([10.04, 4, 50.26, 4, 50, 16, 10, 16])
    assert format_corners(corners) == "10 4 50.3 4 50 16 10 16"
    assert parse_corners("10, 4, 50.3, 4 50 16 10 16 ") == corners


def test_a_box_that_reaches_beyond_the_picture_is_an_error(folder):
    with pytest.raises(ImageError, match=r"1\.png: its box reaches beyond .* 60 x 20 pixels; draw"):
        straightened(pixels_of(folder / "1.png"), (10, 4, 61, 4, 50, 16, 10, 16), "1.png")


# --- data sets ----------------------------------------------------------------------------------


def test_the_documented_file_is_read(folder):
    (example,) = [part for part in DOCS.read_text("utf-8").split("```") if "⇥10 4" in part]
    crops(folder, *example.strip().replace("⇥", "\t").splitlines())
    found = find_dataset(folder)
    assert [entry.corners for entry in found.entries] == [BOX, (8, 3, 52, 5, 51, 17, 7, 15), ()]
    assert "crops.tsv: 2 images cropped to the line" in str(found)


def test_the_line_is_what_training_sees(folder):
    before = find_dataset(folder)
    crops(folder, row("2.png"))
    first, second, _ = find_dataset(folder).entries
    pixels = pixels_of(folder / "2.png")[4:16, 10:50]
    assert load_image(first).shape == (20, 60, 1)
    np.testing.assert_array_equal(load_image(second), pixels)
    assert to_record(second, False, True).size == (40, 12)
    (folder / "x.png").write_bytes(encoded_line(second))
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "x.png"))[..., :1], pixels)
    assert fingerprint(before.rows) != fingerprint(find_dataset(folder).rows)


@pytest.mark.parametrize("layout", ["texts beside", "names", "another file", "a link"])
def test_every_layout_of_files_is_cropped(folder, layout):
    how, name = LabelOptions(), folder
    if layout == "texts beside":
        (folder / "labels.tsv").unlink()
        for number in (1, 2, 3):
            (folder / f"{number}.gt.txt").write_text("x")
    elif layout == "names":
        how = LabelOptions(labels_from_names=True)
    elif layout == "another file":
        name = annotate(Path("annotations.txt"), "set/1.png one", "set/2.png two", "set/3.png 3")
    else:
        Path("link").symlink_to(folder)
        name = Path("link")
    crops(folder, row("2.png"))
    assert [entry.corners for entry in find_dataset(name, how).entries] == [(), BOX, ()]


def test_rows_that_cannot_be_used_are_faults_with_their_place_and_the_fix(folder, capsys):
    crops(folder, row("1.png"), "2.png\t1 2 3", row("gone.png"))
    _, second, _, gone = find_dataset(folder).rows
    assert second.place == gone.place[:-1] + "2" == "set/crops.tsv:2"
    assert "draw the box again, or remove the row" in second.reason
    assert "no such image 'gone.png'" in gone.reason
    assert cli.main(["check", "set", "--sheet", "None"]) == 1
    shown = capsys.readouterr()
    assert "set/crops.tsv:2: '1 2 3'" in shown.out + shown.err


def test_a_file_that_is_no_text_is_an_error(folder):
    shutil.copy(folder / "1.png", folder / "crops.tsv")
    with pytest.raises(DatasetError, match=r"crops\.tsv: "):
        find_dataset(folder)


def test_a_box_of_a_name_that_no_file_can_have_is_a_fault_of_its_row(folder):
    crops(folder, row("2\0.png"), row("2.png"))
    boxes, faults = read_crops(folder)
    assert len(boxes) == 1 and "no such image" in faults[0].reason


def test_pictures_without_labels_are_cropped_in_a_diagnosis(folder):
    (folder / "labels.tsv").unlink()
    crops(folder, row("2.png"), "3.png\t1")
    listed, faults = find_pictures(str(folder), LabelOptions())
    assert [fault.place for fault in faults] == ["set/crops.tsv:2"]
    shapes = [picture.pixels.shape for picture in load(listed, faults, 10).pictures]
    assert shapes == [(20, 60, 1), (12, 40, 1)]


def test_a_row_of_boxes_that_several_files_share_is_one_fault(folder):
    crops(folder, row("gone.png"))
    annotate(folder / "rows-1.tsv", "1.png\t1")
    annotate(folder / "rows-2.tsv", "2.png\t2")
    found = find_dataset(folder / "rows-*.tsv")
    assert len(found.rows) - len(found.entries) == 1


@pytest.mark.long
def test_the_copies_of_a_cross_validation_are_cropped(folder):
    from aocr.auto.trainings import write_folds

    crops(folder, row("2.png"))
    entries = find_dataset(folder).entries * 2
    training, _ = write_folds(entries, Path("folds"), 0)[0]
    names = [json.loads(line)["file_name"] for line in training.read_text().splitlines()]
    sizes = {name: Image.open(Path("folds", name)).size for name in names}
    assert all(
        size == ((40, 12) if name[:3] in ("001", "004") else (60, 20))
        for name, size in sizes.items()
    )


# --- reading ------------------------------------------------------------------------------------


def test_images_are_read_by_name_and_by_size(folder):
    picture(folder / "other size.png", size=(80, 20))
    crops(folder, row("1.png"), row("2.png"), row("gone.png", (1, 1, 9, 1, 9, 9, 1, 9)))
    boxes = load_crops(folder / "crops.tsv")
    assert boxes.sizes == {(60, 20): BOX}
    assert boxes.box("set/1.png", (60, 20)) == boxes.box("set/3.png", (60, 20)) == BOX
    assert boxes.box(np.zeros((20, 60, 1)), (60, 20)) == BOX  # an array has no name
    assert boxes.box("set/other size.png", (80, 20)) == ()
    assert boxes.about(["set/1.png", "set/3.png"]) == (
        "1 of 2 images have a box; others are read in a box if they are 60 x 20 pixels"
    )


def test_different_boxes_are_for_no_other_image(folder):
    crops(folder, row("1.png"), row("2.png", (10, 4, 51, 4, 51, 16, 10, 16)))
    assert load_crops(folder / "crops.tsv").sizes == {}
    crops(folder, row("1.png"))
    boxes = load_crops(folder / "crops.tsv")
    assert boxes.sizes == {} and boxes.about(["set/3.png"]) == "0 of 1 image have a box"


def test_the_box_is_what_a_model_is_given(folder):
    crops(folder, row("1.png"), row("2.png"))
    boxes = load_crops(folder / "crops.tsv")
    line, boxed = load_line(folder / "3.png", boxes, 1, "3.png")
    assert boxed
    np.testing.assert_array_equal(line, pixels_of(folder / "3.png")[4:16, 10:50])
    line, boxed = load_line(folder / "3.png", None, 1, "3.png")
    assert line.shape == (20, 60, 1) and not boxed


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "--crops gone.tsv: no such file"), (["1.png\t1 2 3"], "gone.tsv:1: '1 2 3': four cor")],
)
def test_a_file_of_boxes_that_cannot_be_used_is_an_error(folder, monkeypatch, rows, message):
    monkeypatch.chdir(folder)
    if rows:
        annotate(Path("gone.tsv"), *rows)
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(InferenceOptions(paths=("1.png",), crops="gone.tsv"))
