"""Models in 8 bits: `aocr onnx --int8` writes them, and `--engine int8` reads with them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.commands import status_of
from support.lines import FONTS

import aocr.onnx
import model as models
from aocr import cli
from aocr.options import ServeOptions
from aocr.server.app import find_served, load_served
from aocr.server.engine_model import EngineModel
from inference import Recognizer
from ocr_simple.drawing.lines import Lines
from ocr_simple.engines.onnx_engine import resolve_engine, why_not_onnx
from ocr_simple.engines.onnx_file import int8_of, onnx_of
from ocr_simple.options import LineOptions
from ocr_simple.runs.model_files import PRETRAINED
from ocr_simple.spec import ModelSpec, read_spec

SHIPPED = sorted(PRETRAINED.glob("*.keras"))
SMALL = {"alphabet": "abc", "rnn_units": 8, "attn_num_hidden": 16}


@pytest.fixture
def copied(tmp_path) -> Path:
    """A copy of digits.keras with its ONNX file in 32 bits."""
    for file in (PRETRAINED / "digits.keras", PRETRAINED / "digits.onnx"):
        shutil.copy(file, tmp_path)
    return tmp_path / "digits.keras"


@pytest.fixture
def few_lines(monkeypatch):
    """A command that draws few lines."""
    monkeypatch.setattr(aocr.onnx, "EXAMPLES", 12)
    monkeypatch.setattr(aocr.onnx, "CHECKED", 20)


def plain_lines(file: Path, count: int) -> tuple[list[np.ndarray], list[str]]:
    spec = read_spec(file)
    lines = Lines(LineOptions(alphabet=spec.alphabet), spec, FONTS, seed=3, augment=False)
    return lines.pixels_and_texts(range(count))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_model_in_8_bits_is_small_and_reads_as_well_as_in_32(file):
    # after a training: aocr onnx --int8 digits numbers text
    assert why_not_onnx(file, int8=True) == ""
    assert int8_of(file).stat().st_size < 0.35 * onnx_of(file).stat().st_size
    pixels, texts = plain_lines(file, 200)
    found, expected = (Recognizer.load(file, engine=e).read(pixels) for e in ("int8", "onnx"))
    right = [sum(line.text == t for line, t in zip(lines, texts)) for lines in (found, expected)]
    assert right[0] >= right[1] - 4
    differences = [
        abs(line.confidence - other.confidence)
        for line, other in zip(found, expected)
        if line.text == other.text
    ]
    assert np.median(differences) < 0.02


def test_the_command_writes_it_and_says_how_well_it_reads(copied, few_lines, capsys):
    assert status_of(cli.main, ["onnx", "--int8", str(copied)]) == 0
    said = capsys.readouterr()
    assert f"{int8_of(copied)}: 1.0 MB; of 20 generated lines it reads " in said.out
    assert said.err.startswith("Drawing 32 lines, to convert digits.int8.onnx to 8 bits")
    assert onnx_of(copied).read_bytes() == (PRETRAINED / "digits.onnx").read_bytes()
    assert resolve_engine(copied, "int8") == "int8"
    pixels, texts = plain_lines(copied, 20)
    assert [line.text for line in Recognizer.load(copied, engine="int8").read(pixels)] == texts


def test_what_reads_fewer_lines_right_is_not_written(copied, few_lines, monkeypatch, capsys):
    monkeypatch.setattr(aocr.onnx, "LOSS", -1.0)
    assert status_of(cli.main, ["onnx", "--int8", str(copied)]) == 2
    assert "digits.int8.onnx: was not written: of 20 generated lines it" in capsys.readouterr().err
    assert not int8_of(copied).exists()


def test_an_alphabet_that_no_font_draws_is_an_error_before_the_work(tmp_path, capsys):
    file = tmp_path / "model.keras"
    models.save(models.build(ModelSpec(alphabet="ሀሁ", rnn_units=8), seed=0), file)
    assert status_of(cli.main, ["onnx", "--int8", "--fonts", "matplotlib", "--", str(file)]) == 2
    assert "add one that does with --fonts" in capsys.readouterr().err
    assert not onnx_of(file).exists()


def test_fonts_without_int8_are_refused(copied, capsys):
    assert status_of(cli.main, ["onnx", str(copied), "--fonts", "matplotlib"]) == 2
    assert "--fonts matplotlib: is used only with --int8; add it" in capsys.readouterr().err


def test_without_the_file_the_command_that_writes_it_is_named(copied):
    with pytest.raises(ValueError, match=r"--engine int8: .*is missing; .* aocr onnx --int8 /"):
        Recognizer.load(copied, engine="int8")
    assert resolve_engine(copied, "auto") == "onnx"


def test_results_do_not_depend_on_the_batch():
    pixels, _ = plain_lines(PRETRAINED / "digits.keras", 12)
    recognizer = Recognizer.load("digits", engine="int8")
    together = recognizer.read(pixels)
    for image, line in zip(pixels, together):
        (alone,) = recognizer.read([image])
        assert alone.text == line.text
        assert alone.confidence == pytest.approx(line.confidence, abs=1e-4)


def test_an_attention_head_is_read_in_8_bits_greedily_and_in_beams(tmp_path, few_lines):
    file = tmp_path / "model.keras"
    models.save(models.build(ModelSpec(**SMALL, head="attention"), seed=1), file)
    assert status_of(cli.main, ["onnx", "--int8", str(file)]) == 0
    image = np.random.default_rng(0).integers(0, 256, (32, 64), np.uint8)
    for how in ({}, {"beam_width": 4}, {"pattern": "(ab)+c?"}):
        lines = [Recognizer.load(file, engine=e, **how).read([image])[0] for e in ("int8", "onnx")]
        assert lines[0].confidence == pytest.approx(lines[1].confidence, abs=0.05)


def test_a_server_reads_with_it():
    options, found = find_served(ServeOptions(model="digits", engine="int8"))
    served = load_served(options, found)
    assert isinstance(served, EngineModel)
    pixels, texts = plain_lines(found, 10)
    assert [line.text for line in served.recognizer.read(pixels)] == texts
