"""Exports: each format reads as the Keras model does, or is refused and leaves nothing."""

import io
import json
import os
import shutil
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support.commands import ROOT
from support.in_process import run_aocr
from support.made_once import made_once

import model as models
from aocr import example_lines, export, export_files, formats, graph, model_accuracy, reader
from aocr.export_readme import earlier_exports
from aocr.graph import ServingModule
from aocr.parity import samples
from inference import Recognizer
from ocr_simple import images as imaging
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES
from ocr_simple.spec import ModelSpec
from ocr_simple.written_files import DiskFull, staged

DIGITS = PRETRAINED / "digits.keras"
IMAGES = [
    path.read_bytes()
    for path in sorted(TEST_IMAGES.iterdir())
    if path.suffix in {".png", ".jpg", ".gif", ".bmp"} and path.name != "crate.jpg"  # on its side
]
FILES = {
    "1", "frozen_graph.pb", "model.onnx", "model_8bit.onnx", "model.tflite", "model_8bit.tflite",
}  # fmt: skip
HEBREW = "0123 abאבגד(),."
ALL = sorted({form.name for form in formats.FORMATS} - {"web"})  # test_web_page.py has it


ATTENTION_TEXT = {
    "head": "attention", "alphabet": string.printable[:95], "architecture": "wide",
    "max_prediction": 4,  # an untrained head writes as many as it may
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few_examples():
    """Few lines to measure 8 bits on: drawing and reading 400 takes seconds an export."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example_lines, "EXAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with digits.keras in every format, and how each compared with the model."""

    def make(folder):
        return folder / "digits", export.export(DIGITS, folder / "digits", ALL)

    return made_once(tmp_path_factory, "exports", make)


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported[0] / "1"))
    return loaded.signatures


def untrained(path: Path, **options) -> Path:
    """A model that reads something: weights that start as zeros are random."""
    model = models.build(ModelSpec(**options), seed=0)
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        if "bias" in weight.path or not np.any(weight):
            weight.assign(rng.normal(0, 0.3, weight.shape))
    models.save(model, path)
    return path


# --- every format ------------------------------------------------------------------------------


def test_every_format_of_digits_reads_as_the_model_does(exported):
    folder, found = exported
    assert {item.path.name for item in found} == FILES
    for item in found:
        assert item.path.exists() and item.parity.lines >= 30
        if "8bit" not in item.path.name:
            assert item.parity.same == item.parity.lines and item.parity.difference <= 1e-3
    for name in FILES:
        file = export_files.description_of(folder / name)
        about = json.loads(file.read_text())
        assert about["made_from"] == "digits.keras" and about["file"] == name
        assert about["sha256"] == export_files.digest(folder / name)
    assert about["alphabet"] == "0123456789" and about["accuracy"]["exact"] > 0.95
    assert {path.name for path in folder.iterdir()} == {
        *FILES, *(f"{name}.json" for name in FILES - {"1"}), "reader.py", "README.md",
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "formats"),
    [
        (ATTENTION_TEXT, ALL),
        ({"head": "attention", "use_gru": True, "attn_num_layers": 1}, ["onnx"]),
        ({"context": "lstm", "architecture": "fine", "alphabet": "ab漢"}, ["onnx", "litert"]),
        ({"architecture": "residual", "channels": 3}, ["onnx"]),
        ({"alphabet": HEBREW}, ["savedmodel", "onnx"]),
    ],
    ids=[
        "attention-text",
        "attention-gru",
        "lstm",
        "residual-colour",
        "right-to-left",
    ],
)
def test_every_kind_of_model_can_be_exported(tmp_path, monkeypatch, options, formats):
    monkeypatch.setattr(model_accuracy, "LINES", 8)  # the networks are not trained
    found = export.export(untrained(tmp_path / "m.keras", **options), tmp_path / "out", formats)
    assert all(item.path.exists() for item in found)
    assert len(found) == len(formats) + ("litert" in formats) + ("onnx" in formats)


@pytest.mark.long
def test_every_format_of_text_reads_as_the_model_does(tmp_path):
    found = export.export(PRETRAINED / "text.keras", tmp_path / "out", ALL)
    assert {item.path.name for item in found} == FILES
    exact = [item for item in found if "8bit" not in item.path.name]
    assert all(item.parity.same == item.parity.lines for item in exact)


# --- refused -----------------------------------------------------------------------------------


def by_mean(pixels):
    return (pixels - tf.reduce_mean(pixels)) / tf.math.reduce_std(pixels)


@pytest.mark.parametrize("before", [False, True], ids=["fresh", "over-another"])
def test_a_wrong_normalisation_in_the_graph_is_refused(tmp_path, monkeypatch, before):
    monkeypatch.setattr(graph, "normalise", by_mean)
    earlier = {"frozen_graph.pb": b"earlier", "model.json": b'{"made_from": "m.keras"}'}
    if before:
        (tmp_path / "out").mkdir()
        for name, content in earlier.items():
            (tmp_path / "out" / name).write_bytes(content)
    with pytest.raises(
        export.ExportError, match=r"frozen_graph.pb: gives other results than the Keras"
    ):
        export.export(DIGITS, tmp_path / "out", ["frozengraph"])
    left = {path.name: path.read_bytes() for path in tmp_path.glob("out/*")}
    assert left == (earlier if before else {}) and (tmp_path / "out").exists() == before


@pytest.mark.parametrize(
    "name", ["README.md", "reader.py", "frozen_graph.pb.json", "frozen_graph.pb"]
)
def test_a_file_that_no_export_wrote_is_not_replaced(tmp_path, name):
    (tmp_path / name).write_bytes(b"the user's")
    with pytest.raises(ValueError, match=rf"{name}: already exists .* name another DIR"):
        export.export(DIGITS, tmp_path, ["frozengraph"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"the user's"}


def test_the_files_of_an_export_are_known_as_such(exported):
    names = (path.name for path in exported[0].iterdir() if path.is_file())
    export_files.check_replaceable(exported[0], names)


def test_exports_of_two_models_in_one_folder_read_as_before(exported, tmp_path):
    for name in ("model.tflite", "model.tflite.json", "reader.py", "README.md"):
        shutil.copy(exported[0] / name, tmp_path)
    expected = reader.Reader(tmp_path / "model.tflite").read(TEST_IMAGES / "sticker.png")
    other = untrained(tmp_path / "letters.keras", alphabet="abcdefghij", architecture="fine")
    found = export.export(other, tmp_path, ["onnx"])
    new = {item.path.name for item in found}
    assert earlier_exports(tmp_path, new) == ["model.tflite (from digits.keras)"]
    assert reader.Reader(tmp_path / "model.tflite").read(TEST_IMAGES / "sticker.png") == expected
    text, _ = reader.Reader(tmp_path / "model.onnx").read(TEST_IMAGES / "sticker.png")
    assert set(text) <= set("abcdefghij")
    readme = (tmp_path / "README.md").read_text()
    assert r"`model.tflite`, from digits\.keras" in readme
    assert r"`model.onnx`, from letters\.keras" in readme


def test_a_mix_that_an_earlier_version_made_is_noticed(exported, tmp_path):
    shutil.copy(exported[0] / "model.tflite", tmp_path)
    about = json.loads((exported[0] / "model.tflite.json").read_text())
    del about["sha256"], about["file"]
    (tmp_path / "model.json").write_text(json.dumps(about))
    portable = reader.Reader(tmp_path / "model.tflite")
    assert portable.read(TEST_IMAGES / "sticker.png")[0].isdigit()
    (tmp_path / "model.json").write_text(json.dumps(about | {"alphabet": "0123456789abc"}))
    with pytest.raises(ValueError, match=r"model\.tflite: is not the model that is described"):
        reader.Reader(tmp_path / "model.tflite").read(TEST_IMAGES / "sticker.png")


def test_all_files_are_checked_before_the_first_is_replaced(exported, tmp_path):
    for name in ("model.onnx", "model.onnx.json", "reader.py", "README.md"):
        shutil.copy(exported[0] / name, tmp_path)
    (tmp_path / "model_8bit.tflite").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"model_8bit\.tflite: already exists and is not"):
        export.export(DIGITS, tmp_path, ALL)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_wrong_normalisation_in_the_reader_is_refused(tmp_path, monkeypatch):
    scaled = reader._scaled
    monkeypatch.setattr(reader, "_scaled", lambda *given: scaled(*given) + 0.5)
    with pytest.raises(export.ExportError, match=r"model.onnx: gives other results than the Keras"):
        export.export(DIGITS, tmp_path / "out", ["onnx"])
    assert not (tmp_path / "out").exists()


def test_a_model_that_does_not_convert_is_refused_with_the_reason(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("first\nno such operation: Mystery")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_concrete_functions", fails)
    message = r"model.tflite: this ctc model does not convert \(no such operation: Mystery\); try"
    with pytest.raises(export.ExportError, match=message):
        export.export(DIGITS, tmp_path / "out", ["litert"])
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_not_taken_for_a_model_that_does_not_convert(tmp_path):
    def write(model, file, about):
        file.symlink_to("/dev/full")
        file.write_bytes(b"content")

    form = formats.Format("onnx", "model.onnx", write)
    with (
        pytest.raises(DiskFull, match=r"out/model\.onnx: the disk is full, so nothing was written"),
        staged(tmp_path / "out", list) as folder,
    ):
        export._write_and_check(form, None, folder / form.file, {}, [], [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--model-dir docs", "model docs: holds no model yet; train one with"),
        ("--model nothing.keras", "no such file or folder; shipped models: digits, numbers, text"),
        ("--model pretrained/digits.md", "pretrained/digits.md: not a model of ocr_simple"),
        ("README.md --model digits", "README.md: is a file; name a folder to write into"),
    ],
)
def test_an_export_that_cannot_work_is_status_2(capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(ROOT)
    assert run_aocr(f"export {arguments} --log-path None") == 2
    assert message in capsys.readouterr().err


# --- the SavedModel ----------------------------------------------------------------------------


def test_the_serving_signature_takes_a_batch_of_any_sizes(signatures):
    found = signatures["serving_default"](tf.constant(IMAGES))
    lines = Recognizer.load("digits").read(IMAGES)
    assert [text.decode() for text in found["output"].numpy()] == [line.text for line in lines]
    assert found["probability"].numpy() == pytest.approx([x.confidence for x in lines], abs=1e-3)
    assert set(found) == {"output", "probability"}


def test_the_serving_signature_takes_a_single_image(signatures):
    found = signatures["serving_default"](tf.constant(IMAGES[0]))
    line = Recognizer.load("digits").read(IMAGES[:1])[0]
    assert found["output"].shape == () and found["output"].numpy().decode() == line.text
    assert float(found["probability"]) == pytest.approx(line.confidence, abs=1e-3)


def test_it_answers_serialised_requests_as_tensorflow_serving_asks(signatures):
    request = tf.make_tensor_proto(IMAGES[:3])
    received = type(request).FromString(request.SerializeToString())
    found = signatures["serving_default"](input=tf.constant(tf.make_ndarray(received)))
    answer = tf.make_tensor_proto(found["output"].numpy()).SerializeToString()
    lines = Recognizer.load("digits").read(IMAGES[:3])
    texts = tf.make_ndarray(type(request).FromString(answer)).tolist()
    assert [text.decode() for text in texts] == [line.text for line in lines]


@pytest.mark.parametrize(
    ("head", "alphabet"),
    [("ctc", ""), ("attention", "0123456789"), ("ctc", HEBREW), ("attention", HEBREW)],
)
def test_the_read_signature_gives_the_place_of_each_character(tmp_path, head, alphabet):
    options = {"head": head, "alphabet": alphabet}
    file = untrained(tmp_path / "a.keras", **options) if alphabet else DIGITS
    recognizer = Recognizer.load(file)
    module = ServingModule(recognizer.model)
    found = {name: value.numpy() for name, value in module.read(tf.constant(IMAGES)).items()}
    for i, line in enumerate(recognizer.read(IMAGES)):
        count = len(line.text)
        assert b"".join(found["characters"][i]).decode() == line.text
        for name, of_line in (
            ("probabilities", [c.confidence for c in line.characters]),
            ("starts", [c.start for c in line.characters]),
            ("ends", [c.end for c in line.characters]),
        ):
            assert found[name][i][:count] == pytest.approx(of_line, abs=0.01)
            assert not found[name][i][count:].any()


def test_attention_follows_the_characters_of_right_to_left_text(tmp_path):
    file = untrained(tmp_path / "a.keras", head="attention", alphabet=HEBREW)
    recognizer = Recognizer.load(file)
    module = ServingModule(recognizer.model)
    found = module.look(tf.constant(IMAGES[:4]))
    for image, maps, steps in zip(IMAGES, found["maps"].numpy(), found["steps"].numpy()):
        attention = recognizer.attention(image)
        assert len(attention) and maps[: len(attention), :steps] == pytest.approx(
            attention, abs=1e-4
        )


def test_an_input_that_is_not_an_image_is_an_error_that_names_the_formats(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="not a PNG, JPEG, GIF or BMP image"):
        signatures["serving_default"](tf.constant(b"nothing of the kind"))


def test_the_graph_decodes_as_images_py_does():
    for sample in samples(ModelSpec()):
        if sample.format in formats.GRAPH_FORMATS:
            seen = graph.decode_image(tf.constant(sample.encoded), 1).numpy()
            assert np.abs(seen - imaging.load(sample.encoded)).max() <= 1, sample.name


def test_a_version_is_one_more_than_the_highest(tmp_path):
    assert export._next_version(tmp_path) == 1
    for name in ("7", "12", "13a", "model.onnx"):
        (tmp_path / name).mkdir()
    assert export._next_version(tmp_path) == 13


def test_the_accuracy_that_an_export_states_is_that_of_its_checkpoint(tmp_path):
    rows = "step,loss,val_exact,val_cer,val_loss\n1,9,0.6,0.2,3\n2,8,0.8,0.1,1\n3,7,0.9,0.1,2\n"
    (tmp_path / "metrics.csv").write_text(rows)
    for name, exact in (("best.keras", 0.8), ("last.keras", 0.9)):
        assert model_accuracy.validation_of(tmp_path / name)["exact"] == exact
    assert model_accuracy.validation_of(tmp_path / "other.keras") == {}


def test_the_accuracy_of_a_best_model_that_was_chosen_again_is_its_own(tmp_path, monkeypatch):
    rows = "step,loss,val_exact,val_cer,val_loss\n1,9,0.9,0.2,3\n2,8,0.8,0.1,1\n"
    (tmp_path / "metrics.csv").write_text(rows)
    monkeypatch.setattr(model_accuracy.RunFolder, "last_checkpoint", lambda _: {"step": 2})
    monkeypatch.setattr(model_accuracy, "progress_of", lambda saved: {"best_step": saved["step"]})
    assert model_accuracy.validation_of(tmp_path / "best.keras")["exact"] == 0.8


def test_a_damaged_checkpoint_does_not_keep_a_model_from_being_exported(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,loss,val_exact,val_cer,val_loss\n1,9,0.9,0.2,3\n")
    (tmp_path / "checkpoint.npz").write_bytes(b"damaged")
    assert model_accuracy.validation_of(tmp_path / "best.keras")["exact"] == 0.9


# --- the reader that is copied -----------------------------------------------------------------


def test_the_reader_needs_only_what_its_docstring_names(exported, tmp_path):
    installed = Path(np.__file__).parent.parent
    for name in ("numpy", "numpy.libs", "PIL", "pillow.libs", "onnxruntime"):
        if (installed / name).exists():
            os.symlink(installed / name, tmp_path / name)
    folder = exported[0]
    program = (
        f"import sys; sys.path += [{str(tmp_path)!r}, {str(folder)!r}]; from reader import Reader; "
        f"print(*Reader({str(folder / 'model.onnx')!r}).read({str(TEST_IMAGES / 'sticker.png')!r}))"
    )
    run = [sys.executable, "-I", "-S", "-c", program]
    found = subprocess.run(run, capture_output=True, text=True, timeout=60)
    line = Recognizer.load("digits").read([TEST_IMAGES / "sticker.png"])[0]
    text, confidence = found.stdout.split()
    assert text == line.text and float(confidence) == pytest.approx(line.confidence, abs=1e-3)


def test_the_reader_reads_files_and_pictures(exported):
    portable = reader.Reader(exported[0] / "model.onnx")
    path = TEST_IMAGES / "sticker.png"
    with Image.open(path) as picture:
        from_picture = portable.read(picture)
    assert portable.read(path) == from_picture == portable.read(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite"])
def test_the_reader_reads_many_in_their_order(name, exported, monkeypatch):
    monkeypatch.setattr(reader, "BATCH_SIZE", 2)
    monkeypatch.setattr(reader, "CHUNK", 5)
    portable = reader.Reader(exported[0] / name)
    paths = sorted(p for p in TEST_IMAGES.iterdir() if p.suffix in imaging.EXTENSIONS)
    assert len(paths) > 5 and portable.read_many([]) == []
    for (text, confidence), path in zip(portable.read_many(paths), paths, strict=True):
        alone = portable.read(path)
        assert text == alone[0] and confidence == pytest.approx(alone[1], abs=1e-4)


def test_the_reader_reads_good_files_among_bad_ones(exported, tmp_path, capsys):
    (tmp_path / "bad.png").write_bytes(b"no image")
    portable = reader.Reader(exported[0] / "model.onnx")
    good, bad = TEST_IMAGES / "sticker.png", tmp_path / "bad.png"
    first, error, last = portable.read_many([good, bad, good], errors="return")
    assert first == last == pytest.approx(portable.read(good))
    assert str(error) == f"{bad}: not an image, or damaged"
    with pytest.raises(ValueError, match=r"bad\.png: not an image"):
        portable.read_many([good, bad])
    model = str(exported[0] / "model.onnx")
    for names, status in (([good], 0), ([bad, good], 1), ([bad, tmp_path / "gone.png"], 2)):
        assert reader.main([model, *map(str, names)]) == status
    assert f"{tmp_path}/gone.png: No such file or directory" in capsys.readouterr().err


def test_the_graph_decodes_ink_on_transparency_as_images_py_does():
    grey = 255 - np.tile(np.linspace(0, 255, 60).astype(np.uint8), (20, 1))
    for level in (0, 40, 128, 200, 210, 230, 255):
        for channels in (1, 3):
            ink = Image.new("RGBA", (60, 20), (level, level, min(255, level + 9), 0))
            ink.putalpha(Image.fromarray(grey))
            file = io.BytesIO()
            ink.save(file, "PNG")
            seen = graph.decode_image(tf.constant(file.getvalue()), channels).numpy()
            assert np.abs(seen - imaging.load(file.getvalue(), channels)).max() <= 1, level


def test_the_examples_beside_an_export_run_as_they_stand(exported, tmp_path, monkeypatch):
    folder = shutil.copytree(exported[0], tmp_path / "exported")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)  # as a script in the folder has it
    (folder / "photo.png").write_bytes((TEST_IMAGES / "sticker.png").read_bytes())
    blocks = (folder / "README.md").read_text().split("```python\n")[1:]
    assert len(blocks) == len(FILES)
    for block in blocks:
        exec(block.split("```")[0], {"tf": tf})
    assert Path(sys.modules.pop("reader").__file__).parent == folder, "the copied reader is used"
