"""ONNX Runtime reads what Keras reads; which of them reads; ONNX files of strangers."""

import logging
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.commands import python

import model as models
from aocr.options import ServeOptions
from aocr.parity import samples
from aocr.server.app import find_served
from aocr.server.engine_model import EngineModel
from aocr.server.served_model import ServedModel
from aocr.server.uploads import Preparation
from inference import Recognizer
from ocr_simple import image_loader, preprocessing
from ocr_simple import images as imaging
from ocr_simple.engines import onnx_file
from ocr_simple.engines.onnx_engine import resolve_engine, why_not_onnx
from ocr_simple.engines.onnx_file import MADE_FROM, SEAL, onnx_of, read_onnx, sealed, step_of
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES
from ocr_simple.spec import ModelSpec, read_spec
from ocr_simple.written_files import digest

SHIPPED = sorted(PRETRAINED.glob("*.keras"))
DIGITS = PRETRAINED / "digits.keras"
SMALL = {"alphabet": "abc", "rnn_units": 8, "attn_num_hidden": 16}


def same_lines(found, expected):
    """Whether two engines read the same, to 1e-4."""
    assert [line.text for line in found] == [line.text for line in expected]
    for line, other in zip(found, expected):
        assert line.confidence == pytest.approx(other.confidence, abs=1e-4)
        for name in ("confidence", "start", "end"):
            values = [getattr(c, name) for c in line.characters]
            assert values == pytest.approx([getattr(c, name) for c in other.characters], abs=1e-2)
    return True


# --- the same as Keras ------------------------------------------------------------------------


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_model_has_an_onnx_file_that_reads_the_same(file):
    assert why_not_onnx(file) == ""  # after a training: aocr onnx digits numbers text
    images = [sample.encoded for sample in samples(read_spec(file))]
    onnx_lines, keras_lines = (
        Recognizer.load(file, engine=engine).read(images) for engine in ("onnx", "keras")
    )
    assert same_lines(onnx_lines, keras_lines)


@pytest.mark.parametrize(
    ("spec", "how"),
    [
        ({"head": "attention"}, {}),
        ({"head": "attention", "use_gru": True, "attn_num_layers": 1, "max_prediction": 3}, {}),
        ({"context": "lstm"}, {"pattern": "[ab]+c?"}),
    ],
    ids=["attention", "attention with a GRU", "CTC with LSTM"],
)
def test_every_head_reads_the_same_greedily_in_beams_and_with_a_pattern(tmp_path, spec, how):
    file = tmp_path / "model.keras"
    model = models.build(ModelSpec(**SMALL | spec), seed=1)
    for weight in model.weights:  # so that it writes various texts, and ends
        if "logits/kernel" in weight.path:
            weight.assign(weight * 8)
    models.save(model, file)
    assert models.save_onnx(file) == ""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (32, width), np.uint8) for width in (20, 21, 40, 64)]
    for more in ({}, {"beam_width": 4}, {"pattern": "(ab)+c?"}, how):
        lines = [Recognizer.load(file, engine=e, **more).read(images) for e in ("onnx", "keras")]
        assert same_lines(*lines)
    alone = Recognizer.load(file).read(images)
    texts = []
    for engine in ("onnx", "keras"):
        lines = Recognizer.load(file, engine=engine, alternatives=3).read(images)
        assert same_lines(lines, alone) and all(len(line.alternatives) == 3 for line in lines)
        texts.append([[other.text for other in line.alternatives] for line in lines])
    assert texts[0] == texts[1]
    if model.spec.head == "attention":
        found = [Recognizer.load(file, engine=e).attention(images[2]) for e in ("onnx", "keras")]
        assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_batches_read_at_the_same_time_give_the_same_lines_in_order(monkeypatch):
    images = [sample.encoded for sample in samples(read_spec(DIGITS))]
    alone = Recognizer.load("digits", engine="onnx", threads=1)
    expected = [alone.read([image])[0] for image in images]
    monkeypatch.setattr(image_loader, "CHUNK", 16)
    monkeypatch.setattr(preprocessing, "BATCH_COLUMNS", 400)
    found = Recognizer.load("digits", engine="onnx", threads=3).read(images)
    assert same_lines(found, expected)


def test_losses_are_as_by_keras():
    by_onnx, by_keras = (Recognizer.load("digits", engine=name) for name in ("onnx", "keras"))
    images = [imaging.load(sample.encoded) for sample in samples(by_keras.spec)[:6]]
    labels = [line.text for line in by_keras.read(images)]
    examples = [(pixels, label, "") for pixels, label in zip(images, labels)]
    examples += [(images[0], "1", ""), (images[0], "", ""), (images[0], "x", "")]
    losses = by_onnx.losses(examples)
    assert losses == pytest.approx(by_keras.losses(examples), rel=1e-3, abs=1e-4)
    assert losses[-1] == np.inf and np.isfinite(losses[:-1]).all()


# --- which engine -----------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path):
    """A copy of digits.keras with its ONNX file."""
    for file in (DIGITS, onnx_of(DIGITS)):
        shutil.copy(file, tmp_path)
    return tmp_path / DIGITS.name


def test_auto_reads_with_the_onnx_file_where_there_is_one(copied, caplog):
    assert resolve_engine(copied, "auto") == "onnx"
    assert resolve_engine(copied, "keras") == "keras"
    onnx_of(copied).unlink()
    assert resolve_engine(copied, "auto") == "keras" and not caplog.records
    with pytest.raises(ValueError, match=r"digits\.onnx: is missing; write it with: aocr onnx /"):
        resolve_engine(copied, "onnx")


def test_an_onnx_file_with_damaged_weights_is_not_used(copied):
    content = bytearray(onnx_of(copied).read_bytes())
    content[len(content) // 2] ^= 255
    onnx_of(copied).write_bytes(content)
    assert "digits.onnx: is not used: damaged; write it with: aocr onnx" in why_not_onnx(copied)


def test_an_onnx_file_without_a_checksum_is_not_used(copied):
    onnx_of(copied).write_bytes(onnx_of(copied).read_bytes()[:-SEAL])
    assert "it has no checksum; an earlier version wrote it" in why_not_onnx(copied)


def test_an_onnx_file_of_another_model_is_not_used(copied, caplog):
    shutil.copy(PRETRAINED / "text.keras", copied)
    caplog.set_level(logging.WARNING)
    assert resolve_engine(copied, "auto") == "keras"
    assert "made from another digits.keras; write it with: aocr onnx " in caplog.text
    with pytest.raises(ValueError, match=r"--engine onnx: .*made from another digits\.keras"):
        Recognizer.load(copied, engine="onnx")


def test_without_onnxruntime_or_tensorflow_the_fix_is_named(copied, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"onnxruntime is not installed.*tensorflow is not inst"):
        resolve_engine(copied, "auto")


def test_an_attention_model_needs_both_of_its_files(tmp_path):
    file = tmp_path / "model.keras"
    models.save(models.build(ModelSpec(**SMALL, head="attention"), seed=0), file)
    onnx_of(file).write_bytes(sealed(with_digest(file).SerializeToString()))
    assert "model.step.onnx: is missing" in why_not_onnx(file)
    step_of(file).write_bytes(sealed(with_digest(file).SerializeToString()))
    assert why_not_onnx(file) == ""


# --- files of strangers -----------------------------------------------------------------------


def with_digest(file, *nodes, **graph):
    """A small network that claims to be that of a model file."""
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None])
    nodes = nodes or (helper.make_node("Identity", ["image"], ["logits"]),)
    made = helper.make_model(helper.make_graph(nodes, "network", [value], [value], **graph))
    helper.set_model_props(made, {MADE_FROM: digest(file)})
    return made


def elsewhere():
    tensor = helper.make_tensor("a", TensorProto.FLOAT, [1], [0.0])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def huge():
    return TensorProto(name="a", data_type=TensorProto.FLOAT, dims=[1 << 40])


def nested(depth):
    node = helper.make_node("Identity", ["image"], ["logits"])
    for _ in range(depth):
        node = helper.make_node(
            "If", ["a"], ["b"], then_branch=helper.make_graph([node], "", [], [])
        )
    return node


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: with_digest(f, helper.make_node("Evil", [], [], domain="mine")), "not define"),
        (lambda f: with_digest(f, initializer=[elsewhere()]), "names another file"),
        (lambda f: with_digest(f, initializer=[huge()]), "an array that is not in it"),
        (lambda f: with_digest(f, helper.make_node("Constant", [], ["a"], value=huge())), "not in"),
        (lambda f: with_digest(f, helper.make_node("If", ["a"], [], then_branch=helper.make_graph(
            [helper.make_node("Constant", [], ["a"], value=elsewhere())], "", [], []
        ))), "names another file"),
        (lambda f: with_digest(f, nested(onnx_file.MAX_DEPTH)), "graphs are nested over"),
        (lambda f: with_digest(f, sparse_initializer=[onnx.SparseTensorProto()]), "sparse"),
        (lambda f: onnx.ModelProto(metadata_props=with_digest(f).metadata_props), "no network"),
    ],
)  # fmt: skip
def test_what_an_onnx_file_may_not_hold_is_named(copied, make, message):
    onnx_of(copied).write_bytes(make(copied).SerializeToString())
    assert message in why_not_onnx(copied)


def test_a_function_of_its_own_is_refused(copied):
    made = with_digest(copied)
    made.functions.add(name="f", domain="mine")
    onnx_of(copied).write_bytes(made.SerializeToString())
    assert "it defines functions" in why_not_onnx(copied)


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x3a\xff\xff\xff\x7f", b"not a model"])
def test_a_damaged_file_is_refused(copied, content):
    onnx_of(copied).write_bytes(content)
    assert "not an ONNX file of ocr_simple" in why_not_onnx(copied)


def test_a_file_that_is_cut_off_is_refused_wherever(copied):
    whole = onnx_of(copied).read_bytes()
    for size in (*range(1, 200, 7), len(whole) // 2, len(whole) - 1):
        onnx_of(copied).write_bytes(whole[:size])
        with pytest.raises(ValueError):
            read_onnx(onnx_of(copied), copied)


def test_a_file_that_is_large_or_of_many_fields_is_not_read(copied, monkeypatch):
    onnx_of(copied).write_bytes(bytes([8, 1]) * (onnx_file.MOST_FIELDS + 1))
    assert "over 200,000 fields" in why_not_onnx(copied)
    monkeypatch.setattr(onnx_file, "ROOM", -2 * copied.stat().st_size + 100)
    assert "over the limit of 100" in why_not_onnx(copied)


def test_a_network_that_runtime_refuses_or_of_other_shapes_is_an_error_with_a_fix(copied):
    onnx_of(copied).write_bytes(sealed(with_digest(copied).SerializeToString()))
    with pytest.raises(
        ValueError, match=r"digits\.onnx: cannot be used .* write it again with aocr"
    ):
        Recognizer.load(copied).read([np.zeros((32, 40), np.uint8)])


# --- without Keras ----------------------------------------------------------------------------

SERVE = """
import sys
import aocr.server.app
from aocr.options import ServeOptions
options, file = aocr.server.app.find_served(ServeOptions())
aocr.server.app.load_served(options, file)
import importlib.metadata
packages = importlib.metadata.packages_distributions()
modules = {name.partition(".")[0] for name in sys.modules}
print(file.name, *sorted({name for module in modules for name in packages.get(module, ())}))
"""


def test_a_server_of_digits_needs_the_packages_for_reading_alone():
    done = python("-c", SERVE)
    assert done.returncode == 0, done.stderr
    name, *loaded = done.stdout.split()
    listed = {
        row.partition("==")[0] for row in (PRETRAINED.parent / "requirements/read.txt").open()
    }
    assert name == "digits.keras"
    assert {n.lower().replace("_", "-") for n in loaded} <= listed | {"setuptools"}  # of the venv


# --- served -----------------------------------------------------------------------------------


def test_a_model_file_and_its_savedmodel_are_served_alike(exported):
    preparation = Preparation(1, 32, 1_000_000, 16_000)
    served = EngineModel(DIGITS), ServedModel(exported / "1")
    files = [TEST_IMAGES / name for name in ("water_meter.png", "receipt.jpg", "chalkboard.gif")]
    answers = [
        m.read([m.prepare(f.read_bytes(), f.name, preparation) for f in files], maps=True)
        for m in served
    ]
    for found, expected in zip(*answers):
        assert (found.output, found.characters) == (expected.output, expected.characters)
        assert found.probability == pytest.approx(expected.probability, abs=1e-3)
        for name in ("probabilities", "starts", "ends"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-2)
        assert found.maps == pytest.approx(expected.maps, abs=1e-2)


def test_digits_is_served_unless_a_model_or_a_folder_is_named(exported):
    assert find_served(ServeOptions()) == (ServeOptions(), DIGITS)
    assert find_served(ServeOptions(model="text"))[1] == PRETRAINED / "text.keras"
    for options in (ServeOptions(exported), ServeOptions(model=str(exported))):
        found, version = find_served(options)
        assert (found.folder, version) == (exported, exported / "1")
    with pytest.raises(ValueError, match=r"DIR exported and --model text: give one of them"):
        find_served(ServeOptions(Path("exported"), "text"))
