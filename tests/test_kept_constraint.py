"""An export keeps a pattern or a lexicon, and a box: what reads with it reads the same."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from support.camera import BOX, CROPS, camera_picture
from support.in_process import run_aocr
from support.made_once import made_once

import model as models
from aocr import export, export_files, reader
from aocr.kept_constraint import APPLIED, kept_in, to_keep
from aocr.parity import allowed_samples
from aocr.reader_constraint import Constraint
from aocr.server.served_model import ServedModel, to_png
from aocr.server.uploads import Preparation
from inference import Recognizer
from ocr_simple.decoding.greedy import ctc_greedy
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES
from ocr_simple.spec import ModelSpec, read_spec

DIGITS = PRETRAINED / "digits.keras"
IMAGES = [TEST_IMAGES / name for name in ("water_meter.png", "receipt.jpg", "sticker.png")]
PATTERN = r"\d{4}|\d{9}"  # that no image shows
CTC, ATTENTION = ModelSpec(), ModelSpec(head="attention")


@pytest.fixture(scope="module")
def kept_export(tmp_path_factory):
    """A folder with a small model as ONNX, which keeps a pattern and a box."""

    def make(folder):
        models.save(models.build(ModelSpec(rnn_units=8), seed=0), folder / "m.keras")
        kept, out = to_keep(CTC, PATTERN, None), folder / "out"
        return out, export.export(folder / "m.keras", out, ["onnx"], kept, BOX)

    return made_once(tmp_path_factory, "kept", make)


def test_recognizer_server_and_reader_read_the_same(exported, tmp_path):
    folder = shutil.copytree(exported / "1", tmp_path / "1")
    about = json.loads((folder / "model.json").read_text("utf-8"))
    kept = to_keep(read_spec(DIGITS), PATTERN, None).described("server")
    (folder / "model.json").write_text(json.dumps(about | {"constraint": kept}), "utf-8")
    recognizer = Recognizer.load("digits", pattern=PATTERN)
    lines = recognizer.read(IMAGES)
    assert all(len(line.text) in (4, 9) for line in lines)
    served = ServedModel(folder)
    preparation = Preparation(served.channels, served.height, 1 << 24, served.max_columns)
    pictures = [to_png(path.read_bytes(), path.name, preparation) for path in IMAGES]
    by_server = served.read(pictures, maps=True)
    constraint = Constraint(kept, recognizer.alphabet.classes)
    for image, line, found in zip(IMAGES, lines, by_server):
        probabilities = recognizer.probabilities(image)
        greedy = ctc_greedy(probabilities, recognizer.alphabet)
        ids, confidence = constraint.read(
            np.log(probabilities), recognizer.alphabet.ids_of(greedy.text), greedy.confidence
        )
        assert found.output == line.text == recognizer.alphabet.decode(ids)
        assert found.probability == pytest.approx(line.confidence, abs=1e-3)
        assert confidence == pytest.approx(line.confidence, abs=1e-4)
        assert found.maps.shape[0] == len(line.text) and found.maps.max() > 0.5
        assert found.starts == pytest.approx([c.start for c in line.characters], abs=0.5)
        assert found.ends == pytest.approx([c.end for c in line.characters], abs=0.5)


def test_an_export_says_who_obeys_the_constraint(kept_export):
    folder, found = kept_export
    about = reader.read_description(folder / "model.onnx")["constraint"]
    assert about["pattern"] == PATTERN and about["obeyed"].startswith("reader.py applies it")
    readme = (folder / "README.md").read_text("utf-8")
    assert r"texts that match \\d{4}\|\\d{9}\: reader\.py applies it" in readme
    assert "Box for images of 320 x 240 pixels: reader" in readme.replace("\\", "")
    assert "copy FILE, FILE.json, reader_constraint.py and" in readme
    assert [item.obeyed for item in found] == [APPLIED["reader"]] * 2  # in 32 and in 8 bits
    assert "automaton" not in to_keep(CTC, r"\d", None).described("nothing")
    assert "TensorFlow Serving read without it" in APPLIED["server"]


def test_the_reader_beside_an_export_obeys_it(kept_export):
    folder, _ = kept_export
    images = [*IMAGES, camera_picture(folder.parent / "photo.png")]
    command = [sys.executable, folder / "reader.py", folder / "model.onnx", *images]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder.parent)
    rows = done.stdout.splitlines()
    recognizer = Recognizer.load(folder.parent / "m.keras", pattern=PATTERN, crops=CROPS)
    expected = recognizer.read(images)
    about = "3 of 4 images read whole: the model's box is for 320 x 240 pixels"
    assert done.stderr.strip() == about
    for row, line in zip(rows, expected, strict=True):
        text, confidence = row.split("\t")[1:]
        assert text == line.text and float(confidence) == pytest.approx(line.confidence, abs=1e-3)


def test_the_second_file_of_the_reader_is_there_and_signed(kept_export, tmp_path):
    folder = shutil.copytree(kept_export[0], tmp_path / "kept")
    export_files.check_replaceable(folder, ["reader.py", "reader_constraint.py"])
    (folder / "reader_constraint.py").write_text("mine")
    with pytest.raises(ValueError, match=r"reader_constraint\.py: already exists"):
        export_files.check_replaceable(folder, ["reader_constraint.py"])


def test_texts_that_a_constraint_allows_are_among_what_is_compared():
    kept = to_keep(read_spec(DIGITS), r"\d{5}", None)
    found = allowed_samples(kept.automaton)
    lines = Recognizer.load("digits", pattern=r"\d{5}").read([each.encoded for each in found])
    assert len(lines) == 10 and sum(line.confidence > 0.5 for line in lines) >= 8


def test_a_lexicon_is_kept_as_the_texts_that_match(tmp_path):
    (tmp_path / "numbers.txt").write_text("12\n123\n77\n")
    kept = to_keep(CTC, r"\d\d", tmp_path / "numbers.txt")
    assert kept.texts == 2 and kept.automaton.exact and str(kept) == "one of 2 texts"
    assert [kept.automaton.allows(text) for text in ("12", "77", "123", "1")] == [
        True, True, False, False
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "pattern", "message"),
    [
        (ATTENTION, r"\d+", r"only for a CTC head.*inference\.py --model m"),
        (CTC, r"(?=1)\d", r"cannot be kept in an export \('\(\?=1\)"),
        (CTC, r"[a-z]", "matches no text in the alphabet"),
        (CTC, r"(\d)\1", "cannot be kept"),
    ],
)
def test_what_cannot_be_kept_is_an_error_before_the_work(spec, pattern, message):
    with pytest.raises(ValueError, match=message):
        to_keep(spec, pattern, None, "m")


def test_the_command_refuses_before_it_loads_tensorflow(tmp_path, capsys):
    options = f"export {tmp_path / 'out'} --model digits --pattern [a-z]"
    assert run_aocr(options) == 2 and not (tmp_path / "out").exists()
    assert "--pattern '[a-z]': matches no text" in capsys.readouterr().err


def test_a_damaged_constraint_is_named():
    about = {"alphabet": "01", "head": "ctc"}
    good = to_keep(ModelSpec(alphabet="01"), "[01]", None).described("server")
    assert kept_in(about) is None and kept_in(about | {"constraint": good}).pattern == "[01]"
    for damage in (
        5,
        [],
        {},
        good | {"pattern": 5},
        good | {"texts": "2"},
        good | {"automaton": 1},
    ):
        with pytest.raises(ValueError, match=r"constraint|automaton"):
            kept_in(about | {"constraint": damage})
    with pytest.raises(ValueError, match="alphabet 5"):
        kept_in({"alphabet": 5, "head": "ctc", "constraint": good})
    with pytest.raises(ValueError, match="constraint"):
        kept_in({"alphabet": "01", "head": "attention", "constraint": good})
