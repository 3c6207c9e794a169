"""A model and its exports keep the box of a camera: pictures of its size are read in it."""

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.camera import BOX, CROPS, TEXT, camera_picture, with_box
from support.commands import status_of
from support.datasets import annotate, picture
from support.serving import serving

from aocr import cli, kept_box, reader
from aocr.server.engine_model import EngineModel
from aocr.server.served_model import to_png
from aocr.server.uploads import Preparation
from data_generator import gather
from inference import Recognizer
from model import spec_to_train
from ocr_simple import boxes
from ocr_simple import images as imaging
from ocr_simple.datasets import crops
from ocr_simple.datasets.annotations import find_dataset
from ocr_simple.options import InferenceOptions, TrainOptions
from ocr_simple.reading_commands import plan
from ocr_simple.runs.config import check
from ocr_simple.spec import ModelSpec, read_spec

ROW = "10 4 50 4 50 16 10 16"
EXAMPLE = r"give WIDTHxHEIGHT:X,Y,\.\.\."


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return with_box(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    return camera_picture(tmp_path_factory.mktemp("camera") / "photo.png")


# --- which box a model keeps ----------------------------------------------------------------------


def test_the_box_of_all_pictures_of_a_size_is_kept(tmp_path):
    for name in ("1.png", "2.png"):
        picture(tmp_path / name)
    file = annotate(tmp_path / "crops.tsv", f"1.png\t{ROW}", f"2.png\t{ROW}")
    found = crops.kept_box(str(file))
    assert found == ((60, 20), (10, 4, 50, 4, 50, 16, 10, 16)) and str(found) == "60 x 20 pixels"
    assert crops.kept_box("60x20:10,4,50,4,50,16,10,16") == found
    assert crops.kept_box(None) is None and crops.kept_box("none") is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([f"1.png\t{ROW}"], f"no such box.*{EXAMPLE}"),
        (
            [f"{n}.png\t{ROW}" for n in (1, 2, 3, 4)],
            rf"several sizes \(60 x 20, 80 x 20\).*{EXAMPLE}",
        ),
    ],
)
def test_no_box_and_several_are_an_error(tmp_path, rows, message):
    for number, size in enumerate([(60, 20), (60, 20), (80, 20), (80, 20)], 1):
        picture(tmp_path / f"{number}.png", size)
    file = annotate(tmp_path / "crops.tsv", *rows)
    with pytest.raises(ValueError, match=message):
        crops.kept_box(str(file))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gone.tsv", r"--crops gone\.tsv: no such file"),
        ("60x20:1,2,3", f"four corners are eight numbers.*{EXAMPLE}"),
        ("60x20:10,4,70,4,50,16,10,16", "reaches beyond pictures of 60 x 20 pixels"),
        ("0x20:10,4,50,4,50,16,10,16", r"size \[0, 20\]: give a width"),
    ],
)
def test_what_is_no_box_is_refused_before_the_work(given, message):
    with pytest.raises(ValueError, match=message):
        check(TrainOptions(crops=given))
    with pytest.raises(ValueError, match=message):
        plan(InferenceOptions(crops=given))


def test_a_model_file_keeps_the_box(model):
    assert read_spec(model).crop == BOX
    assert "crop" not in ModelSpec().as_json()  # so that earlier versions can read it


@pytest.mark.parametrize("damage", [{"size": [320, "240"]}, {"corners": [[1, 2]] * 4}, {"size": 5}])
def test_a_damaged_box_is_named(damage):
    with pytest.raises(ValueError, match=r"crop .*: is no box"):
        boxes.box_of_json(BOX.as_json() | damage)
    about = {"crop": kept_box.described(BOX, "server") | damage}
    with pytest.raises(ValueError, match="is no box"):
        kept_box.box_in(about)


def test_the_reader_takes_no_damaged_box_and_none_that_divides_by_zero():
    crop = kept_box.described(BOX, "reader")
    assert reader.crop_of({"crop": crop}, "model.onnx") == crop
    transforms = ([0.0] * 6 + [-1.0, 0.0], [float("nan")] * 8, [1e300] * 8, [1.0] * 7)
    for damage in (
        {"size": [320, "240"]}, {"size": 5}, {"corners": [[-9, 1]] * 4}, {"line": [0, 9]},
        *({"transform": transform} for transform in transforms),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="its crop is no box; export it again"):
            reader.crop_of({"crop": crop | damage}, "model.onnx")


# --- what reads in it ---------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_reader_cuts_out_the_line_as_training_does(photo, channels):
    pixels = imaging.load(photo, channels, warn=False)
    line = crops.straightened(pixels, BOX.corners, "photo")
    image = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
    found = reader.straightened(image, kept_box.described(BOX, "reader"))
    difference = np.abs(np.asarray(found).reshape(line.shape).astype(int) - line)
    assert difference.max() <= 1
    assert reader.straightened(image.crop((0, 0, 99, 99)), None).size == (99, 99)


def test_a_picture_of_the_size_is_read_in_the_box_and_others_are_counted(model, photo, caplog):
    frame = np.asarray(Image.open(photo))
    recognizer = Recognizer.load(model)
    with caplog.at_level(logging.WARNING):
        assert [line.text for line in recognizer.read([photo, frame])] == [TEXT, TEXT]
        assert not caplog.messages
        other, line = recognizer.read([frame[:200], frame])
    assert other.text != TEXT and line.text == TEXT
    (message,) = caplog.messages
    assert message == "1 of 2 images read whole: the box is for images of 320 x 240 pixels"
    whole = Recognizer.load(model, crops="none").read([frame])[0]
    assert whole.text != TEXT


def test_a_command_says_that_a_model_keeps_a_box(model, photo, capsys):
    plan(InferenceOptions(paths=(str(photo),), model=str(model)))
    assert "Images of 320 x 240 pixels are read in the model's box" in capsys.readouterr().err
    plan(InferenceOptions(paths=(str(photo),), crops=CROPS))
    assert "images of 320 x 240 pixels are read in the box" in capsys.readouterr().err


def test_lines_that_are_cut_out_already_are_not_cut_again(model, photo):
    frame = np.asarray(Image.open(photo))
    [reading] = Recognizer.load(model).read_labelled([(frame, TEXT, "line")])
    assert not reading.exact


def test_labelled_pictures_without_a_box_get_the_models(tmp_path, photo):
    camera_picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    annotate(tmp_path / "labels.tsv", f"1.png\t{TEXT}", "2.png\t5")
    rows = crops.in_kept_box(find_dataset(tmp_path).rows, BOX, print)
    assert [row.corners for row in rows] == [BOX.corners, ()]
    assert [row.corners for row in crops.in_kept_box(rows, None, print)] == [BOX.corners, ()]


def test_a_training_reads_pictures_in_the_box_that_its_model_keeps(tmp_path):
    for name in ("1.png", "2.png"):
        camera_picture(tmp_path / name)
    annotate(tmp_path / "labels.tsv", f"1.png\t{TEXT}", f"2.png\t{TEXT}")
    options = TrainOptions(dataset=(str(tmp_path),), crops=CROPS, validation_share=0.5)
    data = gather(options, spec_to_train(options))
    whole = gather(replace(options, crops=None), spec_to_train(replace(options, crops=None)))
    assert data.validation[0][0].shape != whole.validation[0][0].shape


def test_a_savedmodel_is_given_the_line_in_the_box(photo):
    preparation = Preparation(1, 32, 1 << 24, 16_000, BOX)
    found = to_png(photo.read_bytes(), "photo", preparation)
    assert found.cropped and found.columns == 32 * 210 // 45
    assert not to_png(photo.read_bytes(), "photo", preparation._replace(box=None)).cropped


# --- aocr serve ---------------------------------------------------------------------------------


def test_the_server_reads_in_the_box_and_counts_others(model, photo):
    options = ["--pattern", r"\d{8}", "--engine", "onnx", "--timeout", "60"]
    with serving(f"--model={model}", *options) as (_, client):
        ready = client.get("/readyz").json()
        assert ready["constraint"] == r"texts that match \d{8}"
        assert ready["source"] == model.name and ready["version"] == 1
        assert ready["crop"]["size"] == [320, 240] and len(ready["crop"]["transform"]) == 8
        small = Image.open(photo).resize((160, 120))
        small.save(photo.with_name("small.png"))
        files = [("image", file.read_bytes()) for file in (photo, photo.with_name("small.png"))]
        answer = client.post("/read", files=files).json()
        inside, whole = answer["lines"]
        assert inside["text"] == TEXT and inside["cropped"] is True
        assert len(whole["text"]) in (0, 8) and "cropped" not in whole
        assert "ocr_images_whole_total 1.0" in client.get("/metrics").text
        expected = Recognizer.load(model, pattern=r"\d{8}").read([photo])[0]
        assert inside["confidence"] == pytest.approx(expected.confidence, abs=1e-3)
        starts = [c["start"] for c in inside["characters"]]
        assert starts == pytest.approx([c.start for c in expected.characters], abs=0.5)


def test_a_pattern_makes_lines_shorter(model):
    served = EngineModel(model, pattern=r"\d{4}")
    assert served.max_columns == 1000 and served.constraint == r"texts that match \d{4}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--model digits --pattern [a-z]", r"--pattern '\[a-z\]': matches no text"),
        ("--model digits --lexicon gone.txt", r"gone\.txt"),
        ("{folder} --pattern 1", "is for a model file.*give --pattern to aocr export instead"),
        ("{folder} --engine onnx", "--engine onnx: is for a model file.*leave it out"),
    ],
)
def test_what_the_server_cannot_obey_is_refused_before_it_starts(
    tmp_path, capsys, arguments, message
):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"")
    words = ["serve", *arguments.format(folder=tmp_path).split()]
    assert status_of(cli.main, words) == 2
    assert re.search(message, capsys.readouterr().err)


def test_the_description_has_what_the_page_draws_the_box_with():
    crop = json.loads(json.dumps(kept_box.described(BOX, "page")))
    assert crop["line"] == [210, 45] and crop["obeyed"] == "the page applies it"
    a, b, c, e, f, g, h, i = crop["transform"]
    x, y = crop["line"]
    d = h * x + i * y + 1
    assert [(a * x + b * y + c) / d, (e * x + f * y + g) / d] == pytest.approx(crop["corners"][2])
