"""bench/accuracy.py: folds, timing and peers on labelled folders."""

from ocr_simple.runs.model_files import PRETRAINED
from ocr_simple.runs.model_files import TEST_IMAGES
from ocr_simple.reports.metrics import evaluate
from aocr import export

import importlib.util
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from bench import accuracy
from bench.peers import Reader, peers

pytestmark = pytest.mark.skipif(
    not (PRETRAINED / "digits.keras").is_file(), reason="pretrained/digits.keras is not there"
)
installed = all(map(importlib.util.find_spec, ("rapidocr", "tesserocr"))) and any(
    Path("/usr/share/tesseract-ocr").glob("*/tessdata/eng.traineddata")
)


@pytest.mark.parametrize(
    ("fold", "text", "folded"),
    [
        ("digits", "1.234,- EUR", "1234"),
        ("alnum", "It's 5 O\u2019Clock", "its5oclock"),
        ("none", " a  b ", "a b"),
    ],
)
def test_a_fold_keeps_what_counts(fold, text, folded):
    assert accuracy.FOLDS[fold](text) == folded


def test_the_shipped_model_is_measured_with_its_calibration(capsys):
    accuracy.main(accuracy.Options())
    rows = [row.split(" | ") for row in capsys.readouterr().out.splitlines() if " | " in row]
    measured = next(row for row in rows if "inference_test_imgs" in row[0])
    assert measured[1:6] == ["12", "ocr_simple digits", "100.0%", "0.0%", "1.000"]
    assert float(measured[6].rstrip("%")) > 80 and float(measured[7].replace(",", "")) > 0
    assert any("100.0% from" in cell for cell in rows[-1])


@pytest.mark.slow
def test_an_export_is_measured_as_the_model_is(tmp_path, capsys):
    export.export(PRETRAINED / "digits.keras", tmp_path / "digits", ["onnx"])
    truths = accuracy.read_labels(TEST_IMAGES)
    engine = accuracy.ours(str(tmp_path / "digits" / "model.onnx"))
    readings, one_by_one, _ = accuracy.measure(engine, truths, "digits")
    assert engine.name == "ocr_simple digits, ONNX" and one_by_one > 0
    assert evaluate(readings).exact == 1

    found = engine.many([tmp_path / "gone.png", *truths])  # more than one batch
    assert [text for text, _ in found] == ["", *(reading.line.text for reading in readings)]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "gone.png: " in said[0]


def test_an_image_that_cannot_be_read_counts_as_empty_and_is_named(tmp_path, capsys):
    shutil.copy(TEST_IMAGES / "receipt.jpg", tmp_path)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    (tmp_path / "labels.tsv").write_text("receipt.jpg\t1\nbroken.png\t2\n")
    truths = accuracy.read_labels(tmp_path)
    readings, _, _ = accuracy.measure(accuracy.ours("digits"), truths, "digits")
    assert readings[1].line.text == "" and evaluate(readings).lines == 2
    assert "broken.png" in capsys.readouterr().err


def test_a_folder_without_labels_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"labels\.tsv: wanted one line an image"):
        accuracy.read_labels(tmp_path)


@pytest.mark.skipif(installed, reason="the peers are installed")
def test_peers_that_are_not_installed_name_the_mend():
    with pytest.raises(ValueError, match=r"requirements-peers\.txt"):
        peers(digits=True)


@pytest.mark.skipif(not installed, reason="rapidocr, tesserocr or tesseract-ocr-eng is missing")
def test_every_peer_reads_a_plain_line_alone_and_among_many(tmp_path):
    path, image = tmp_path / "line.png", Image.new("L", (220, 60), 255)
    ImageDraw.Draw(image).text((20, 10), "471205", fill=0, font_size=38)
    image.save(path)
    found = peers(digits=True)
    assert [reader.name.split()[0] for reader in found] == ["Tesseract", "Tesseract", "PP-OCRv6"]
    for reader in found:
        assert isinstance(reader, Reader)
        alone, among = reader.one(path), reader.many([path, path, path])
        assert among == [alone] * 3 and alone[0] == "471205"
