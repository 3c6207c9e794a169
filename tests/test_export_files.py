"""Which files of a folder an export may replace, and how each is described. No TensorFlow."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from aocr import export_files, reader
from aocr.export_files import READER, README, check_described, check_replaceable, describe, signed
from aocr.server.versions import read_about, versions_in
from ocr_simple.messages import CONTROLS
from ocr_simple.spec import ModelSpec

ABOUT = {"made_from": "digits.keras"} | export_files.description(ModelSpec())
REFUSED = "already exists and is not an unchanged file of an earlier export"


def model(folder: Path, name: str = "model.onnx", content: bytes = b"weights") -> Path:
    """An exported file with its description."""
    (folder / name).write_bytes(content)
    describe(folder / name, ABOUT)
    return folder / name


def test_what_an_export_wrote_is_replaced(tmp_path):
    model(tmp_path)
    for name in (READER, README):
        (tmp_path / name).write_text(signed("# text\n", name))
    names = ["model.onnx", "model.onnx.json", READER, README, "model.tflite"]
    check_replaceable(tmp_path, names)


@pytest.mark.parametrize("name", ["model.onnx", READER, README])
def test_what_somebody_changed_since_is_not_replaced(tmp_path, name):
    model(tmp_path)
    for each in (READER, README):
        (tmp_path / each).write_text(signed("# text\n", each))
    content = (tmp_path / name).read_text()
    (tmp_path / name).write_text("my notes\n" + content)
    with pytest.raises(ValueError, match=rf"{name}: {REFUSED}"):
        check_replaceable(tmp_path, [name])


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.json", READER, README, "1"])
def test_what_no_export_wrote_is_not_replaced(tmp_path, name):
    if name == "1":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("Mine. Exported by ocr_simple from digits.keras, I think.\n")
    with pytest.raises(ValueError, match=rf"{name}: {REFUSED}, so it is not overwritten; move it"):
        check_replaceable(tmp_path, [name])


def test_pipes_links_and_huge_files_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / README)
    os.symlink("nowhere", tmp_path / "model.onnx")
    with open(tmp_path / READER, "wb") as file:
        file.truncate(200 << 30)
    for name in (README, READER, "model.onnx"):
        with pytest.raises(ValueError, match=rf"{name}: {REFUSED}"):
            check_replaceable(tmp_path, [name])


def test_files_of_earlier_versions_are_replaced(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(ABOUT))
    (tmp_path / "model.onnx").write_bytes(b"weights")
    (tmp_path / README).write_text("# out\n\nExported by ocr_simple from digits.keras. Each file\n")
    (tmp_path / READER).write_text(
        '"""Read lines of text with an exported model. Copy this file and model.json beside the '
        'model.\n"""\n'
    )
    check_replaceable(tmp_path, ["model.onnx", README, READER])


def test_a_savedmodel_that_is_not_the_one_described_is_refused(tmp_path):
    version = tmp_path / "1"
    (version / "variables").mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"graph")
    (version / "variables" / "variables.data").write_bytes(b"weights")
    describe(version, ABOUT)
    about = read_about(version)
    check_described(version, about)
    (version / "variables" / "variables.data").write_bytes(b"others!")
    with pytest.raises(ValueError, match=r"1: is not the SavedModel that its model\.json"):
        read_about(version)
    (version / "model.json").write_text(json.dumps(ABOUT))  # as earlier versions wrote it
    assert read_about(version) == ABOUT


# --- what reader.py reads ---------------------------------------------------------------------


def test_the_description_of_a_file_is_its_own(tmp_path):
    assert reader.read_description(model(tmp_path))["alphabet"] == ModelSpec().alphabet
    (tmp_path / "model.json").write_text(json.dumps(ABOUT | {"alphabet": "other"}))
    assert reader.read_description(tmp_path / "model.onnx")["alphabet"] == ModelSpec().alphabet


def test_an_export_of_an_earlier_version_is_read_by_its_model_json(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"weights")
    (tmp_path / "model.json").write_text(json.dumps(ABOUT))
    assert reader.read_description(tmp_path / "model.tflite") == ABOUT


def test_a_file_with_the_description_of_another_is_refused(tmp_path):
    file = model(tmp_path)
    file.write_bytes(b"other weights")
    with pytest.raises(ValueError, match=r"model\.onnx: is not the file that model\.onnx\.json"):
        reader.Reader(file)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "null", "[" * 100_000, "{}", json.dumps(ABOUT | {"height": "32"}),
        json.dumps(ABOUT | {"channels": 2}), json.dumps(ABOUT | {"stride": 0}),
        json.dumps(ABOUT | {"multiple": -1}), json.dumps(ABOUT | {"least_spread": float("nan")}),
        json.dumps(ABOUT | {"height": 10**9}), json.dumps(ABOUT | {"alphabet": None}),
        json.dumps(ABOUT | {"kinds": "L"}), json.dumps(ABOUT | {"kinds": 3}),
        json.dumps(ABOUT | {"kinds": "R" * len(ABOUT["alphabet"])}),  # without mirrored
        json.dumps(ABOUT | dict.fromkeys(("kinds", "mirrored"), [3] * len(ABOUT["alphabet"]))),
    ],
)  # fmt: skip
def test_a_description_of_a_wrong_shape_is_named(tmp_path, content, capsys):
    (tmp_path / "model.onnx").write_bytes(b"weights")
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ValueError, match=r"model\.json: describes no model.*export it again"):
        reader.read_description(tmp_path / "model.onnx")
    assert reader.main([str(tmp_path / "model.onnx"), "a.png"]) == 2
    assert "model.json: describes no model" in capsys.readouterr().err


def test_a_model_that_is_a_pipe_is_not_waited_for(tmp_path, capsys):
    os.mkfifo(tmp_path / "model.onnx")
    (tmp_path / "model.onnx.json").write_text(json.dumps(ABOUT))
    for about in (None, ABOUT):
        with pytest.raises(ValueError, match=r"model\.onnx: no such model file"):
            reader.Reader(tmp_path / "model.onnx", about)
    assert reader.main([str(tmp_path / "model.onnx"), "a.png"]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}/model.onnx: no such model file; name a .onnx or .tflite file\n"
    )


def test_errors_of_reader_are_short_and_cannot_control_the_terminal(tmp_path, capsys):
    file = tmp_path / "m\x1b[2J.onnx"
    file.write_bytes(b"no model \x1b[2J")
    about = ABOUT | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    file.with_name(f"{file.name}.json").write_text(json.dumps(about))
    assert reader.main([str(file), "a.png"]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"{tmp_path}/m\\x1b[2J.onnx: ") and message.count("\n") == 1
    assert "\x1b" not in message and len(message) < 500


@pytest.mark.parametrize("constraint", [5, "automaton", ["automaton"]])
def test_a_constraint_of_a_wrong_shape_is_named(tmp_path, constraint):
    with pytest.raises(ValueError, match="its constraint is not an object; export it again"):
        reader.constraint_of(ABOUT | {"constraint": constraint}, tmp_path / "model.onnx")


def test_folders_with_numbers_that_are_no_savedmodels_are_no_versions(tmp_path):
    for name in ("2024", "3", "12"):
        (tmp_path / name).mkdir()
    for name in ("3", "12"):
        (tmp_path / name / "saved_model.pb").write_bytes(b"graph")
    assert [path.name for path in versions_in(tmp_path)] == ["3", "12"]


def test_a_missing_or_huge_description_is_named(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"weights")
    with pytest.raises(ValueError, match=r"model\.onnx\.json: not there; copy it from the export"):
        reader.Reader(tmp_path / "model.onnx")
    with open(tmp_path / "model.json", "wb") as file:
        file.truncate(200 << 30)
    with pytest.raises(ValueError, match=r"model\.json: over 4,194,304 bytes"):
        reader.Reader(tmp_path / "model.onnx")


def test_a_damaged_model_is_named(tmp_path, capsys):
    file = model(tmp_path, content=b"no model")
    assert reader.main([str(file), "a.png"]) == 2
    assert str(file) in capsys.readouterr().err


def test_a_model_that_does_not_fit_its_description_is_named(tmp_path, monkeypatch):
    def fails(x):
        raise RuntimeError("index: 1 Got: 64 Expected: 32")

    monkeypatch.setattr(reader.Reader, "_load", lambda self, threads=0: fails)
    with pytest.raises(ValueError, match=r"model\.onnx: fails \(index: 1 Got: 64.*export it again"):
        reader.Reader(model(tmp_path)).read(Image.new("L", (100, 32)))


def test_what_the_reader_prints_is_escaped_as_elsewhere():
    assert reader.CONTROLS.pattern == CONTROLS.pattern
    assert reader.escape("a\u202eb\x1b") == r"a\u202eb\x1b"
