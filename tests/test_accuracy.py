"""bench/accuracy.py: sets, folds, speeds and peers on labelled folders."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tyro
from PIL import Image, ImageDraw

from aocr import export
from bench import accuracy
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not (PRETRAINED / "digits.keras").is_file(), reason="pretrained/digits.keras is not there"
    ),
]
installed = all(map(importlib.util.find_spec, ("rapidocr", "tesserocr"))) and any(
    Path("/usr/share/tesseract-ocr").glob("*/tessdata/eng.traineddata")
)


def main(*arguments):
    accuracy.main(tyro.cli(accuracy.Options, args=list(map(str, arguments))))


@pytest.fixture
def measure(capsys):
    """A function of arguments: the rows, as lists of cells, of two tables, and the messages."""

    def measured(*arguments):
        capsys.readouterr()
        main(*arguments)
        shown = capsys.readouterr()
        measured, accepted = (
            [row.strip("| ").split(" | ") for row in table.splitlines() if row.startswith("| ")][1:]
            for table in shown.out.split("\nCoverage: ")
        )
        return measured, accepted, shown.err

    return measured


def test_the_shipped_model_is_measured_with_its_calibration(measure):
    (row,), accepted, _ = measure()
    assert row[:7] == [
        "inference_test_imgs", "none", "12", "ocr_simple digits", "100.0%", "0.0%", "1.000",
    ]  # fmt: skip
    assert float(row[7].rstrip("%")) > 80 and float(row[8].replace(",", "")) > 0
    assert any("100.0% from" in cell for cell in accepted[0])


def test_an_export_is_measured_as_the_model_is(measure, tmp_path):
    export.export(PRETRAINED / "digits.keras", tmp_path / "digits", ["onnx"])
    shutil.copytree(TEST_IMAGES, tmp_path / "images")
    onnx = tmp_path / "digits" / "model.onnx"
    measured, _, messages = measure(tmp_path / "images", "--models", onnx)
    assert "differ alone" not in messages
    assert measured[0][2:5] == ["12", "ocr_simple digits/model.onnx", "100.0%"]
    assert float(measured[0][8].replace(",", "")) > 0

    (tmp_path / "images" / "broken.png").write_bytes(b"not a picture")
    with open(tmp_path / "images" / "labels.tsv", "a") as labels:
        labels.write("broken.png\t1\n")
    measured, _, messages = measure(tmp_path / "images", "--models", onnx)
    assert measured[0][2:5] == ["13", "ocr_simple digits/model.onnx", "92.3%"]  # 12 of 13
    assert len(messages.splitlines()) == 1 and "broken.png: " in messages


def test_an_image_that_cannot_be_read_counts_as_empty_and_is_named(measure, tmp_path):
    shutil.copy(TEST_IMAGES / "receipt.jpg", tmp_path)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    (tmp_path / "labels.tsv").write_text("receipt.jpg\t1\nbroken.png\t2\n")
    measured, _, messages = measure(tmp_path, "--fold", "digits")
    assert measured[0][1:3] == ["digits", "2"]
    assert messages.count("broken.png: ") == 1


def test_a_folder_of_sets_is_measured_set_by_set_in_each_fold(measure, tmp_path):
    for name, label in (("a", "471.205-"), ("b", "471205")):
        (tmp_path / name).mkdir()
        image = Image.new("L", (220, 60), 255)
        ImageDraw.Draw(image).text((20, 10), "471205", fill=0, font_size=38)
        image.save(tmp_path / name / "line.png")
        (tmp_path / name / "labels.tsv").write_text(f"line.png\t{label}\n")
    measured, accepted, _ = measure(tmp_path, "--fold", "none", "digits", "--no-speed")
    assert [(row[0], row[1], row[4]) for row in measured] == [
        ("a", "none", "0.0%"), ("a", "digits", "100.0%"),
        ("b", "none", "100.0%"), ("b", "digits", "100.0%"),
    ]  # fmt: skip
    assert [row[1] for row in accepted] == ["none", "digits"]


def test_a_set_that_cannot_be_used_is_status_2(tmp_path):
    command = [sys.executable, accuracy.__file__, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert str(tmp_path) in done.stderr and "labels.tsv" in done.stderr


def test_an_image_that_is_not_there_is_named(tmp_path):
    (tmp_path / "labels.tsv").write_text("gone.png\t1\n")
    with pytest.raises(ValueError, match=r"gone\.png"):
        main(tmp_path)


@pytest.mark.skipif(installed, reason="the peers are installed")
def test_peers_that_are_not_installed_are_an_error_that_says_how():
    with pytest.raises(ValueError, match=r"requirements/peers\.txt"):
        main("--peers")


@pytest.mark.skipif(not installed, reason="rapidocr, tesserocr or tesseract-ocr-eng is missing")
def test_every_peer_reads_a_plain_line_alone_and_among_many(measure, tmp_path):
    image = Image.new("L", (220, 60), 255)
    ImageDraw.Draw(image).text((20, 10), "471205", fill=0, font_size=38)
    for name in "abc":
        image.save(tmp_path / f"{name}.png")
    (tmp_path / "labels.tsv").write_text("".join(f"{name}.png\t471205\n" for name in "abc"))
    measured, _, messages = measure(tmp_path, "--fold", "digits", "--peers")
    engines = [row[3].split()[0] for row in measured]
    assert engines == ["ocr_simple", "Tesseract", "Tesseract", "PP-OCRv6"]
    assert all(row[4] == "100.0%" for row in measured)
    assert "differ alone" not in messages
