"""Reading images: the API, the script, and folders of whatever people have.

The models are untrained: what they read is nonsense, but always the same nonsense.
"""

import dataclasses
import io
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageSequence
from support.images import encoded, png
from support.in_process import run_aocr, run_inference

import model as models
from inference import Recognizer
from ocr_simple import image_loader, preprocessing
from ocr_simple import reading_commands as readings
from ocr_simple.decoding.constraints import Pattern
from ocr_simple.images import ImageError
from ocr_simple.network.attention import attention_loss, teacher_forced
from ocr_simple.options import InferenceOptions
from ocr_simple.preprocessing import pad_batch
from ocr_simple.reading_commands import find_images
from ocr_simple.runs import model_files
from ocr_simple.runs.model_files import TEST_IMAGES, find_model
from ocr_simple.spec import SPEC_FILE, ModelSpec, pack_labels, read_spec, time_steps
from ocr_simple.text import Alphabet

ROOT = Path(__file__).resolve().parent.parent


def line_image(text="0123", width=90, height=32, seed=0):
    image = Image.new("L", (width, height), 220)
    ImageDraw.Draw(image).text((4, 4), text, fill=30, font_size=height * 0.7)
    noise = np.random.default_rng(seed).integers(-20, 21, (height, width))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def untrained(seed=0, **spec):
    return models.build(ModelSpec(**spec), seed=seed)


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(untrained())


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "untrained.keras"
    models.save(untrained(), file)
    return file


@pytest.fixture
def folder(tmp_path):
    """Three lines of different width, in a folder and one within it."""
    (tmp_path / "more").mkdir()
    for k, name in enumerate(("b.png", "a.jpg", "more/c.webp")):
        line_image(str(k) * 3, 60 + 40 * k, seed=k).save(tmp_path / name)
    return tmp_path


@pytest.fixture
def script(model_file, capsys):
    """Runs the script: (exit status, lines of standard output, lines of standard error)."""

    def run(*arguments, model=model_file):
        status = run_inference(*arguments, *(["--model", model] if model else []))
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run


def same(one, other):
    """Whether two lines agree: text, confidences to 1e-4, spans."""
    return (
        one.text == other.text
        and one.confidence == pytest.approx(other.confidence, abs=1e-4)
        and [(c.text, c.start, c.end) for c in one.characters]
        == [(c.text, c.start, c.end) for c in other.characters]
        and [c.confidence for c in one.characters]
        == pytest.approx([c.confidence for c in other.characters], abs=1e-4)
    )


# --- the API --------------------------------------------------------------------------------


def test_a_line_has_text_confidence_and_characters(recognizer):
    line = recognizer.read([line_image()])[0]
    assert line.text
    assert line.text == "".join(c.text for c in line.characters)
    assert set(line.text) <= set("0123456789")
    assert line.confidence == pytest.approx(np.prod([c.confidence for c in line.characters]))
    assert 0 < line.confidence < 1


def test_spans_are_pixels_of_the_image_as_it_was_given(recognizer):
    small, large = line_image(), line_image().resize((270, 96), Image.Resampling.BICUBIC)
    for image in (small, large):
        characters = recognizer.read([image])[0].characters
        assert characters[0].start >= 0
        assert all(c.start < c.end for c in characters)
        assert all(a.end == b.start for a, b in itertools.pairwise(characters))
        assert characters[-1].end <= image.width
        assert characters[-1].end > image.width / 2


def test_spans_of_a_rotated_image_are_those_of_the_upright_one(recognizer):
    upright = line_image()
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert same(*recognizer.read([upright, stored]))


def test_path_text_bytes_pil_and_array_agree(recognizer, folder):
    file = folder / "b.png"
    sources = [file, str(file), file.read_bytes(), Image.open(file), np.asarray(Image.open(file))]
    first, *others = recognizer.read(sources)
    assert all(same(first, other) for other in others)


def test_one_pil_image_many_times(recognizer):
    noise = np.random.default_rng(0).integers(0, 256, (32, 900), np.uint8)
    content = encoded(Image.fromarray(noise))
    expected = recognizer.read([content])[0]
    lines = recognizer.read([Image.open(io.BytesIO(content))] * 16)  # opened, not yet decoded
    assert all(same(expected, line) for line in lines)


def test_the_frames_of_one_pil_image(recognizer):
    frames = [line_image(str(k) * 4, seed=k) for k in range(8)]
    content = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    lines = recognizer.read(ImageSequence.Iterator(Image.open(io.BytesIO(content))))
    assert all(map(same, lines, recognizer.read(frames)))
    assert len(lines) == 8


def test_a_broken_pil_image_is_an_image_error(recognizer):
    image = Image.open(io.BytesIO(encoded(line_image())[:300]))
    with pytest.raises(ImageError, match=r"images\[0\]: cannot be decoded"):
        recognizer.read([image])


@pytest.mark.parametrize(
    "spec",
    [
        {}, {"context": "lstm"}, {"context": "gru"}, {"architecture": "fine"},
        {"architecture": "fine", "context": "lstm"}, {"architecture": "residual"}, {"channels": 3},
    ],
    ids=["conv", "lstm", "gru", "fine", "fine-lstm", "residual", "colour"],
)  # fmt: skip
def test_results_do_not_depend_on_the_batch(spec):
    recognizer = Recognizer(untrained(**spec))
    images = [line_image(str(k), 20 + 17 * k, seed=k) for k in range(8)]
    wide = line_image("8" * 40, 2000, seed=99)
    alone = [recognizer.read([image])[0] for image in images]
    together = recognizer.read([*images, wide])[:-1]
    beside = [recognizer.read([wide, image])[1] for image in images[:3]]
    assert all(map(same, alone, together))
    assert all(map(same, alone, beside))


@pytest.mark.parametrize("columns", [1, 300, 100_000])
def test_the_size_of_batches_changes_nothing(recognizer, monkeypatch, columns):
    images = [line_image(str(k), 40 + 31 * k, seed=k) for k in range(9)]
    expected = recognizer.read(images)
    monkeypatch.setattr(preprocessing, "BATCH_COLUMNS", columns)
    assert all(map(same, recognizer.read(images), expected))


def test_images_are_read_a_chunk_at_a_time_in_order(recognizer, monkeypatch):
    monkeypatch.setattr(image_loader, "CHUNK", 4)
    images = [line_image(str(k), 40 + 31 * (k * 7 % 11), seed=k) for k in range(11)]
    taken = []
    lines = recognizer.read_each(taken.append(k) or image for k, image in enumerate(images))
    first = next(lines)
    assert taken == list(range(8))  # a chunk, and the next one ahead
    alone = [recognizer.read([image])[0] for image in images]
    assert all(map(same, [first, *lines], alone))


def test_long_lines_fill_a_chunk_sooner(recognizer, monkeypatch):
    monkeypatch.setattr(image_loader, "CHUNK_COLUMNS", 250)
    images = [line_image(str(k), 100) for k in range(11)]  # 100 columns each
    taken = []
    lines = recognizer.read_each(taken.append(k) or image for k, image in enumerate(images))
    next(lines)
    assert taken == list(range(6))  # three, and the next three ahead
    assert len(list(lines)) == 10


def test_a_line_that_is_too_long_costs_nothing(model_file):
    recognizer = Recognizer.load(model_file, max_columns=300, max_pixels=20_000)
    flat, large, good = np.zeros((1, 10), np.uint8), np.zeros((200, 101), np.uint8), line_image()
    found = recognizer.read([flat, good, large], errors="return")
    assert str(found[0]) == (
        "images[0]: 10 x 1 pixels, 320 columns at the model's height of 32, over the limit of 300; "
        "cut it into pieces"
    )
    assert "101 x 200 pixels, over the limit of 20,000" in str(found[2])
    assert same(found[1], recognizer.read([good])[0])
    turned = Recognizer.load(model_file, max_columns=300, orientation="auto")
    with pytest.raises(ImageError, match="10 x 1 pixels, 320 columns"):
        turned.read([flat.reshape(10, 1)])


def test_the_command_names_a_line_that_is_too_long_and_reads_the_others(
    model_file, tmp_path, capsys
):
    Image.new("1", (15_000, 32)).save(tmp_path / "a.png")
    line_image().save(tmp_path / "b.png")
    options = "--max-columns", 10_000, "--format", "tsv"
    assert run_inference(tmp_path, "--model", model_file, *options) == 1
    out, error = capsys.readouterr()
    assert out.startswith(f"{tmp_path}/b.png\t") and out.count("\n") == 1
    assert f"{tmp_path}/a.png: 15000 x 32 pixels, 15,000 columns" in error


def test_a_bad_image_is_raised(recognizer):
    with pytest.raises(ImageError, match=r"images\[1\]: the file is empty"):
        recognizer.read([line_image(), b"", line_image()])


def test_or_returned_in_its_place(recognizer, tmp_path):
    good = line_image()
    lines = recognizer.read(
        [tmp_path / "none.png", good, b"x", np.zeros((0, 4)), good], errors="return"
    )
    assert [isinstance(line, ImageError) for line in lines] == [True, False, True, True, False]
    assert same(lines[1], lines[4])
    assert str(lines[0]).endswith("none.png: no such file")
    assert str(lines[2]).startswith("images[2]: ")


def test_no_images_are_no_lines(recognizer):
    assert recognizer.read([]) == []
    assert recognizer.read(iter(())) == []


@pytest.mark.parametrize(
    "single",
    [
        "line.png", b"\x89PNG", Path("line.png"), None, 7, np.zeros((32, 90), np.uint8),
        np.zeros((32, 90, 3), np.uint8), Image.new("L", (90, 32)),
    ],
)  # fmt: skip
def test_a_single_image_is_asked_for_in_a_list(recognizer, single):
    with pytest.raises(TypeError, match="a list of images"):
        recognizer.read(single)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 32), (500, 1), (4000, 8)])
def test_images_of_odd_sizes_are_read(recognizer, size):
    line = recognizer.read([Image.new("L", size, 128)])[0]
    assert 0 <= line.confidence <= 1


def test_probabilities_are_those_that_the_line_is_decoded_from(recognizer):
    output = recognizer.outputs([line_image(width=90)])[0]
    steps = time_steps(90, recognizer.spec.stride)
    assert output.probabilities.shape == (steps, recognizer.alphabet.classes)
    assert output.probabilities.sum(axis=1) == pytest.approx(np.ones(steps), abs=1e-5)
    assert output.line.characters[0].confidence in output.probabilities.max(axis=1).tolist()
    # TensorFlow does not promise the same last bit when asked again
    again = recognizer.probabilities(line_image(width=90))
    np.testing.assert_allclose(again, output.probabilities, rtol=0, atol=1e-6)
    assert recognizer.read([line_image(width=90)])[0].text == output.line.text


def test_the_temperature_of_a_model_softens_confidences():
    sharp, soft = (Recognizer(untrained(temperature=t)).read([line_image()])[0] for t in (0.5, 2.0))
    assert sharp.text == soft.text
    assert sharp.confidence > soft.confidence


def test_reading_from_many_threads(recognizer):
    images = [line_image(str(k), 40 + 31 * k, seed=k) for k in range(4)]
    expected, lines = recognizer.read(images), {}

    def read(k):
        lines[k] = recognizer.read([images[k]])[0]

    threads = [threading.Thread(target=read, args=(k,)) for k in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(same(lines[k], expected[k]) for k in range(4))


# --- which model ----------------------------------------------------------------------------


def test_a_model_is_found_by_its_path_or_shipped_name(model_file, tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "PRETRAINED", model_file.parent)
    assert find_model("untrained") == model_file
    assert find_model(str(model_file)) == model_file
    with pytest.raises(
        ValueError, match="'nope': no such file or folder; shipped models: untrained"
    ):
        find_model("nope")
    with pytest.raises(ValueError, match="no such file"):
        find_model("n" * 5000)


def test_a_run_folder_gives_its_best_model_or_else_its_last(tmp_path):
    with pytest.raises(ValueError, match="holds no model yet"):
        find_model(tmp_path)
    for name in ("last.keras", "best.keras"):
        (tmp_path / name).touch()
        assert find_model(tmp_path) == tmp_path / name


def test_a_folder_of_runs_names_one_of_them(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "best.keras").touch()
    with pytest.raises(ValueError, match=r"is no run; name a model in it, such as .*/mine$"):
        find_model(tmp_path)


def test_an_onnx_file_is_no_model_file():
    with pytest.raises(ValueError, match=r"digits\.onnx: is an ONNX file; name the \.keras file"):
        find_model(model_files.PRETRAINED / "digits.onnx")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"engine": "Int8"}, "engine='Int8': give one of auto, onnx, int8, keras"),
        ({"orientation": "Auto"}, "orientation='Auto': give one of upright, auto"),
        ({"page": 0}, "page=0: give a whole number of at least 1"),
        ({"alternatives": "3"}, "alternatives='3': give a whole number of at least 0"),
        (
            {"beam_width": "5", "pattern": r"\d"},
            "beam_width='5': give a whole number of at least 1",
        ),
    ],
)
def test_an_argument_that_cannot_be_meant_is_an_error(how, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        Recognizer.load("digits", **how)


def test_loading_reads_as_the_model_saved(recognizer, model_file):
    image = line_image()
    assert same(Recognizer.load(model_file).read([image])[0], recognizer.read([image])[0])


@pytest.mark.parametrize(
    ("rnn", "context"),
    [("none", "conv"), ("transformer", "attention"), ("lstm", "lstm"), ("gru", "gru")],
)
def test_the_spec_of_a_model_file_of_before_has_rnn_for_context(rnn, context, tmp_path):
    spec = dataclasses.asdict(ModelSpec(context=context))
    del spec["context"]
    with zipfile.ZipFile(tmp_path / "former.keras", "w") as archive:
        archive.writestr(SPEC_FILE, json.dumps(spec | {"rnn": rnn}))
    assert read_spec(tmp_path / "former.keras") == ModelSpec(context=context)


def test_a_model_file_of_before_reads_as_it_did(tmp_path):
    model, former = untrained(context="attention", rnn_units=8), tmp_path / "former.keras"
    models.save(model, tmp_path / "new.keras")
    with (
        zipfile.ZipFile(tmp_path / "new.keras") as archive,
        zipfile.ZipFile(former, "w") as rewritten,
    ):
        for name in archive.namelist():
            content = archive.read(name)
            if name == SPEC_FILE:
                spec = json.loads(content)
                assert spec.pop("context") == "attention"
                content = json.dumps(spec | {"rnn": "transformer"}).encode()
            rewritten.writestr(name, content)
    assert same(*(r.read([line_image()])[0] for r in (Recognizer.load(former), Recognizer(model))))


@pytest.mark.parametrize("run", [run_inference, lambda *words: run_aocr("predict", *words)])
def test_a_model_is_a_shipped_name_a_file_or_a_run(run, model_file, tmp_path, capsys):
    (tmp_path / "best.keras").write_bytes(model_file.read_bytes())
    line_image().save(tmp_path / "line.png")
    for option, model, file in (
        ("--model", "digits", model_files.PRETRAINED / "digits.keras"),
        ("--model", model_file, model_file),
        ("--model", tmp_path, tmp_path / "best.keras"),
        ("--model-dir", tmp_path, tmp_path / "best.keras"),
    ):
        assert run(tmp_path / "line.png", option, model) == 0
        out, error = capsys.readouterr()
        assert error == f"Reading with {file}\n" and len(out.splitlines()) == 1


# --- the script -----------------------------------------------------------------------------


def test_text_names_each_file_in_order(script, folder, recognizer):
    status, out, _ = script(folder / "more", folder / "b.png", folder / "a.jpg")
    files = [folder / "more/c.webp", folder / "b.png", folder / "a.jpg"]
    lines = recognizer.read(files)
    assert status == 0
    assert out == [f"{f}: {line.text}  ({line.confidence:.1%})" for f, line in zip(files, lines)]


def test_the_model_is_named_on_standard_error(script, folder, model_file):
    assert script(folder)[2] == [f"Reading with {model_file}"]


def test_tsv_is_path_text_and_confidence_to_five_places(script, folder, recognizer):
    _, out, _ = script(folder / "b.png", "--format", "tsv")
    line = recognizer.read([folder / "b.png"])[0]
    assert out == [f"{folder}/b.png\t{line.text}\t{line.confidence:.5f}"]


def test_json_has_the_characters_with_their_spans(script, folder, recognizer):
    _, out, _ = script(folder, "--format", "json")
    rows = [json.loads(line) for line in out]
    assert [row["path"] for row in rows] == [
        f"{folder}/{f}" for f in ("a.jpg", "b.png", "more/c.webp")
    ]
    line = recognizer.read([folder / "a.jpg"])[0]
    assert rows[0]["text"] == line.text
    assert rows[0]["confidence"] == pytest.approx(line.confidence, abs=1e-5)
    assert [(c["text"], c["start"], c["end"]) for c in rows[0]["characters"]] == [
        (c.text, round(c.start, 1), round(c.end, 1)) for c in line.characters
    ]


def test_lines_less_sure_than_min_confidence_are_marked_and_counted(script, folder, recognizer):
    lines = {path: recognizer.read([path])[0] for path in (folder / "a.jpg", folder / "b.png")}
    (low, unsure), (high, sure) = sorted(lines.items(), key=lambda item: item[1].confidence)
    least = str((unsure.confidence + sure.confidence) / 2)
    _, out, err = script(low, high, "--min-confidence", least)
    assert out[0] == f"{low}: {unsure.text}  ({unsure.confidence:.1%}, unsure)"
    assert out[1] == f"{high}: {sure.text}  ({sure.confidence:.1%})"
    assert "unsure: 1 of 2 images" in err
    _, out, _ = script(low, high, "--format", "tsv", "--min-confidence", least)
    assert [row.split("\t")[3] for row in out] == ["unsure", "sure"]
    _, out, _ = script(low, high, "--format", "json", "--min-confidence", least)
    assert [json.loads(row)["sure"] for row in out] == [False, True]
    _, out, _ = script(low, high, "--format", "aocr", "--min-confidence", least)
    assert [row.split()[1] for row in out] == ["unsure", "ok"]


@pytest.mark.parametrize("style", ["text", "tsv", "json"])
def test_one_line_a_file_whatever_its_name(script, tmp_path, style):
    names = ["tab\there.png", "new\nline.png", "back\\slash.png", "名前 é.png", "\x1b[31m.png"]
    for name in names:
        line_image().save(tmp_path / name)
    status, out, _ = script(tmp_path, "--format", style)
    assert (status, len(out)) == (0, len(names))
    if style == "tsv":
        assert all(line.count("\t") == 2 for line in out)
        assert f"{tmp_path}/new\\nline.png" in [line.split("\t")[0] for line in out]
    if style == "json":
        assert {json.loads(line)["path"] for line in out} == {
            f"{tmp_path}/{name}" for name in names
        }


def test_names_on_standard_input(script, folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{folder}/b.png\r\n\n{folder}/a.jpg"))
    status, out, _ = script("-", folder / "more", "--format", "tsv")
    assert status == 0
    assert [line.split("\t")[0] for line in out] == [
        f"{folder}/{name}" for name in ("b.png", "a.jpg", "more/c.webp")
    ]


def test_other_files_of_a_folder_are_passed_over_and_counted(script, folder):
    (folder / "labels.tsv").write_text("a.jpg\t111\n")
    (folder / "more/notes").write_bytes(b"")
    status, out, err = script(folder)
    assert (status, len(out)) == (0, 3)
    assert err[1:] == ["files skipped that are not images: 2"]


def test_a_file_named_outright_is_read_whatever_its_extension(script, folder):
    (folder / "scan").write_bytes((folder / "b.png").read_bytes())
    (folder / "notes.txt").write_text("hello")
    status, out, err = script(folder / "scan", folder / "notes.txt")
    assert (status, len(out)) == (1, 1)
    assert "notes.txt: not an image" in err[1]


def test_what_cannot_be_read_is_named_and_the_rest_is_read(script, folder):
    (folder / "empty.png").touch()
    status, out, err = script(folder, folder / "none.png", "x" * 5000)
    assert (status, len(out)) == (1, 3)
    assert len(err) == 5
    assert err[1] == f"{folder}/empty.png: the file is empty; save it again"
    assert err[2] == f"{folder}/none.png: no such file"
    assert err[4] == "3 of 6 images could not be read"


def test_if_nothing_can_be_read_the_status_is_2(script, folder):
    (folder / "a.jpg").write_bytes(b"no image")
    status, out, err = script(folder / "a.jpg")
    assert (status, out, err[-1]) == (2, [], "1 of 1 images could not be read")
    status, out, err = script(folder / "none.png", folder / "gone.png")
    assert (status, out, err[-1]) == (2, [], "2 of 2 images could not be read")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("x" * 65_537, "row 1 has over 65,536 characters; write one file name per row"),
        ("a.png\n" * 1001, "over 1,000 rows, or 1,000,000 characters; name fewer images at a time"),
        ("\n" * 1001, "over 1,000 rows, or 1,000,000 characters; name fewer images at a time"),
        (("x" * 60_000 + "\n") * 20, "over 1,000 rows, or 1,000,000 characters; name fewer"),
    ],
)
def test_names_on_standard_input_have_limits(names, message, monkeypatch):
    monkeypatch.setattr(readings, "MOST_ROWS", 1000)
    monkeypatch.setattr(readings, "MOST_CHARACTERS", 1_000_000)
    monkeypatch.setattr(sys, "stdin", io.StringIO(names))
    with pytest.raises(ValueError, match=f"standard input: {message}"):
        find_images(["-"])


def test_hidden_files_and_those_of_an_operating_system_are_passed_over_silently(script, folder):
    whole = (folder / "b.png").read_bytes()
    hidden = (".b.png", "more/.cache/b.png")
    for name in ("__MACOSX/b.png", "._b.png", "more/._c.webp", ".DS_Store", "Thumbs.db", *hidden):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(whole)
    status, out, err = script(folder)
    assert (status, len(out), len(err)) == (0, 3, 1)


def test_every_format_that_is_read_is_found_in_a_folder(folder):
    kinds = {"jfif": "JPEG", "avif": "AVIF", "jp2": "JPEG2000", "pgm": "PPM", "pnm": "PPM"}
    for extension, kind in kinds.items():
        (folder / f"more/x.{extension}").write_bytes(encoded(line_image(), kind))
    found, passed_over = find_images([str(folder / "more")])
    assert {Path(path).suffix for path in found} == {".webp", *(f".{e}" for e in kinds)}
    assert passed_over == 0


def test_a_pattern_names_images(folder):
    (folder / "[1].png").write_bytes((folder / "b.png").read_bytes())
    found, _ = find_images([str(folder / "*.png")])
    assert found == sorted(map(str, folder.glob("*.png"))) and len(found) > 1
    assert find_images([str(folder / "[1].png")])[0] == [str(folder / "[1].png")]
    assert find_images([str(folder / "no*.png")])[0] == [str(folder / "no*.png")]


def test_another_page_is_read_when_asked_for(script, tmp_path, recognizer):
    pages = [line_image(str(k) * 4, seed=k) for k in range(3)]
    content = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    (tmp_path / "scan.tif").write_bytes(content)
    expected = recognizer.read([pages[2]])[0]
    _, out, _ = script(tmp_path, "--format", "tsv", "--page", "3")
    assert out[0].split("\t")[1] == expected.text
    status, _, err = script(tmp_path, "--page", "4")
    assert status == 2 and "scan.tif: has 3 pages, so no page 4" in err[1]


# --- turned images ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def turning():
    return Recognizer.load("digits", orientation="auto")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_image_is_read_as_the_upright_one(turning, degrees):
    upright = Image.open(TEST_IMAGES / "sticker.png").convert("L")
    stored = np.rot90(np.asarray(upright), -degrees // 90)
    line, expected = turning.read([stored])[0], Recognizer.load("digits").read([upright])[0]
    assert line.turned == degrees and line.confidence > 0.5
    assert line._replace(turned=0) == expected or same(line, expected)


def test_the_probabilities_are_those_of_the_turn_that_is_read(turning):
    upright = np.asarray(Image.open(TEST_IMAGES / "sticker.png").convert("L"))
    line, found = turning.read([np.rot90(upright, 2)])[0], turning.outputs([np.rot90(upright, 2)])
    assert [output.place for output in found] == [0] and found[0].line.text == line.text
    assert np.allclose(found[0].probabilities, turning.probabilities(upright), atol=1e-4)


@pytest.mark.parametrize("threads", [0, -1, "2"])
def test_a_number_of_threads_that_cannot_be_is_refused(threads):
    with pytest.raises(ValueError, match=r"threads=.*: give a whole number of at least 1"):
        Recognizer.load("digits", threads=threads)


def test_a_line_that_looks_blank_upside_down_is_read_upright(turning):
    blank, line = turning.read([np.full((32, 90), 200, np.uint8), np.asarray(line_image("7"))])
    assert blank.text == "" and line.text


def test_images_are_taken_as_upright_unless_told_otherwise():
    stored = np.rot90(np.asarray(Image.open(TEST_IMAGES / "sticker.png").convert("L")), 2)
    assert Recognizer.load("digits").read([stored])[0].turned == 0


def test_json_says_how_an_image_was_turned(tmp_path, capsys):
    upright = Image.open(TEST_IMAGES / "sticker.png").convert("L")
    upright.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "a.png")
    assert run_inference(tmp_path / "a.png", "--format", "json", "--orientation", "auto") == 0
    assert json.loads(capsys.readouterr().out)["turned"] == 180


def test_a_folder_that_cannot_be_searched_is_named(tmp_path, caplog):
    readings._not_searched(PermissionError(13, "Permission denied", f"{tmp_path}/more"))
    assert f"{tmp_path}/more: the folder cannot be searched (Permission denied)" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--model", "nope"], "model 'nope': no such file or folder"),
        (["--model-dir", "nowhere"], "model 'nowhere': no such file or folder"),
        (["--model-dir", "."], "holds no model yet; train one with"),
    ],
)
def test_without_a_model_nothing_is_done(script, folder, arguments, what, monkeypatch):
    monkeypatch.chdir(folder)
    status, out, err = script(folder, *arguments, model=None)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith("inference.py: ")
    assert what in err[0]


def test_without_an_image_nothing_is_done(script, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    status, out, err = script(tmp_path)
    assert (status, out) == (2, [])
    assert err == [f"inference.py: no image in {tmp_path}; name images, or folders of images"]


def test_a_file_that_is_no_model(script, folder, tmp_path):
    (tmp_path / "x.keras").write_bytes(b"no zip")
    status, out, err = script(folder, model=tmp_path / "x.keras")
    assert (status, out) == (2, [])
    assert "x.keras: not a model of ocr_simple" in err[-1]


def test_the_test_images_are_read_by_default():
    assert InferenceOptions().paths == ()
    found, passed_over = find_images([str(TEST_IMAGES)])
    assert len(found) >= 6
    assert passed_over == 2  # README.md and labels.tsv


# --- as a process ---------------------------------------------------------------------------


def process(arguments, **options):
    """The script as a process; TensorFlow's log lines are left out of standard error."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "inference.py"), *map(str, arguments)],
        capture_output=True,
        timeout=300,
        **options,
    )
    errors = done.stderr.decode().splitlines()
    noise = re.compile(r"[IWEF]\d{4,} |[IWEF]0000 |\d{4}-\d\d-\d\d |WARNING: All log messages")
    return done.returncode, done.stdout, [line for line in errors if not noise.match(line)]


def hostile(folder):
    """Fill `folder`; returns the names of files that are to be read, and of those that fail."""
    line = line_image()
    colour = line.convert("RGB")
    good, bad = {}, {}
    kinds = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "webp": "WEBP", "gif": "GIF"}
    for extension, kind in kinds.items():
        content = encoded(colour, kind)
        good[f"plain.{extension}"] = content
        for share in (0.3, 0.6, 0.9):
            bad[f"cut{share}.{extension}"] = content[: int(len(content) * share)]
        bad[f"header.{extension}"] = content[:12]
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = colour.transpose(Image.Transpose.ROTATE_90)
    good["turned.jpg"] = encoded(stored, "JPEG", exif=exif)
    good["cmyk.jpg"] = encoded(colour.convert("CMYK"), "JPEG")
    good["exif.png"] = encoded(line, exif=b"Exif\0\0XX*\0garbage!")
    good["exif.jpg"] = encoded(line, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage")
    good["frames.gif"] = encoded(
        line, "GIF", save_all=True, append_images=[Image.new("L", (90, 32))]
    )
    good["frames.tiff"] = encoded(line, "TIFF", save_all=True, append_images=[line.rotate(5)])
    good["one_pixel.png"] = encoded(Image.new("L", (1, 1)))
    good["tall.png"] = encoded(Image.new("L", (8, 4000)))
    good["wide.png"] = encoded(Image.new("L", (4000, 8)))
    good["bits16.png"] = encoded(Image.fromarray(np.asarray(line).astype(np.uint16) * 257))
    good["float.tif"] = encoded(Image.fromarray(np.asarray(line).astype(np.float32)), "TIFF")
    good["palette.png"] = encoded(colour.quantize(8), transparency=0)
    good["bits1.tif"] = encoded(line.convert("1"), "TIFF", compression="group4")
    good["GIF inside.PNG"] = encoded(colour, "GIF")
    for name in (
        "tab\t.png",
        "new\nline.png",
        "ünï 名前.png",
        "a space .png",
        "-dash.png",
        "'\".png",
    ):
        good[name] = encoded(line)
    good[os.fsdecode(b"not-utf8-\xff.png")] = encoded(line)
    bad["empty.png"] = b""
    bad["text.png"] = b"this is text\n" * 20
    bad["page.jpg"] = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
    bad["zeros.png"] = bytes(5000)
    bad["noise.jpg"] = np.random.default_rng(0).bytes(5000)
    bad["bomb.png"] = png(100_000, 100_000)
    bad["large.png"] = png(20_000, 5_000)
    bad["no_width.png"] = png(0, 32)
    bad["no_data.png"] = png(90, 32)
    bad["long.png"] = encoded(Image.new("L", (9000, 4)))
    bad["bad\tname\n.png"] = b""
    bad["script.gif"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    bad["archive.tif"] = b"PK\x03\x04" + bytes(500)
    broken = bytearray(encoded(line))
    broken[300:400] = bytes(100)
    bad["corrupt.png"] = bytes(broken)
    bad["tiff_loop.tif"] = b"II*\0\x08\0\0\0\0\0\x08\0\0\0"  # a directory that follows itself
    for name, content in {**good, **bad}.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    (folder / "folder.png/inner.png").write_bytes(good["plain.png"])
    (folder / "linked.png").symlink_to(folder / "plain.png")
    (folder / "broken_link.png").symlink_to(folder / "nothing")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "folder_loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    bad = [*bad, "broken_link.png", "loop.png", "pipe.png"]
    if os.geteuid() != 0:
        (folder / "secret.png").write_bytes(good["plain.png"])
        (folder / "secret.png").chmod(0)
        bad.append("secret.png")
    (folder / "notes.txt").write_text("not counted as an image")
    return [*good, "folder.png/inner.png", "linked.png"], bad


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_hostile_folder(tmp_path, model_file):
    good, bad = hostile(tmp_path)
    assert len(bad) > 40
    status, out, err = process([tmp_path, "--format", "json", "--model", model_file])
    assert status == 1
    read = [json.loads(line)["path"] for line in out.splitlines()]
    assert sorted(read) == sorted(f"{tmp_path}/{name}" for name in good)
    assert err[0] == f"Reading with {model_file}"
    assert err[-2] == "files skipped that are not images: 1"
    assert err[-1] == f"{len(bad)} of {len(good) + len(bad)} images could not be read"
    warnings = ("pages; ", "EXIF cannot be read", "taller than wide")
    failures = [line for line in err[1:-2] if not any(word in line for word in warnings)]
    escaped = [name.replace("\t", "\\t").replace("\n", "\\n") for name in bad]
    assert sorted(line.split(": ")[0] for line in failures) == sorted(
        f"{tmp_path}/{n}" for n in escaped
    )


@pytest.mark.long
@pytest.mark.parametrize("script", ["inference.py", "-m aocr --gpu-id -1 predict"])
def test_a_reader_that_has_seen_enough_ends_the_script_quietly(script, tmp_path, model_file):
    for k in range(400):  # more output than a pipe holds
        (tmp_path / f"{k}.png").symlink_to(tmp_path / "line.png")
    line_image().save(tmp_path / "line.png")
    script = f'"{sys.executable}" {script} "{tmp_path}" --model "{model_file}" --format json'
    command = ["bash", "-o", "pipefail", "-c", f"{script} | head -n 1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300)
    assert done.stdout.count(b"\n") == 1
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


# --- a lexicon and a pattern ------------------------------------------------------------------


@pytest.fixture
def words(tmp_path):
    (tmp_path / "words.txt").write_text("1234\n00413\n998877\n")
    return str(tmp_path / "words.txt")


def test_a_language_model_reads_words_where_the_image_is_unclear(tmp_path, capsys):
    texts = ("Heritage", "MEAT", "Station", "hotel", "Colorado", "Welcome", "street", "12-B4")
    files = [tmp_path / f"{text}.png" for text in texts]
    for i, (file, text) in enumerate(zip(files, texts)):
        image = line_image(text, 13 * len(text) + 12, seed=i)
        image.filter(ImageFilter.GaussianBlur(2.5)).save(file)
    alone, helped = (
        [line.text for line in Recognizer.load("text", **how).read(files)]
        for how in ({}, {"language_model": "words"})
    )
    right_alone, right = (sum(map(str.__eq__, texts, found)) for found in (alone, helped))
    assert right > right_alone + 1
    command = (*map(str, files), "--model", "text", "--language-model", "words")
    assert run_inference(*command, "--format", "tsv") == 0
    script = capsys.readouterr().out
    assert [row.split("\t")[1] for row in script.splitlines()] == helped
    assert run_aocr("predict", *command, "--format", "tsv") == 0
    assert capsys.readouterr().out == script


def test_a_pattern_and_a_lexicon_constrain_what_is_read(words, capsys):
    image = str(TEST_IMAGES / "water_meter.png")
    assert run_inference(image, "--format", "json") == 0
    free = json.loads(capsys.readouterr().out)
    assert run_inference(image, "--format", "json", "--pattern", r"\d{3}") == 0
    constrained = json.loads(capsys.readouterr().out)
    assert len(free["text"]) > 3 and re.fullmatch(r"\d{3}", constrained["text"])
    assert constrained["confidence"] < free["confidence"]
    assert run_inference(image, "--format", "json", "--lexicon", words) == 0
    assert json.loads(capsys.readouterr().out)["text"] in ("1234", "00413", "998877")
    fitting = rf"{free['text'][:2]}\d+"  # allows what is read without it
    assert run_inference(image, "--format", "json", "--pattern", fitting) == 0
    assert json.loads(capsys.readouterr().out) == free


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--language-model", "nowhere.npz"], "nowhere.npz: no such file"),
        (["--pattern", "(1"], "pattern '(1'"),
        (["--pattern", "[a-z]+"], "matches no text in the alphabet"),
        (["--lexicon", "nowhere.txt"], "lexicon nowhere.txt: cannot be read"),
    ],
)
def test_a_constraint_that_cannot_be_met_is_an_error_before_reading(options, message, capsys):
    assert run_inference(*options) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def attending(tmp_path_factory):
    """The file of an attention model that has learned nothing, but is sure of what it says."""
    model = untrained(head="attention", rnn_units=8, attn_num_hidden=16)
    kernel = model.get_layer("decoder").logits.kernel
    kernel.assign(kernel * 8)
    path = tmp_path_factory.mktemp("attention") / "attention.keras"
    models.save(model, path)
    return path


def test_an_attention_model_reads_with_spans(attending, capsys):
    image = str(TEST_IMAGES / "water_meter.png")
    assert run_inference(image, "--format", "json", "--model", str(attending)) == 0
    read = json.loads(capsys.readouterr().out)
    starts = [character["start"] for character in read["characters"]]
    assert len(starts) == len(read["text"]) and starts == sorted(starts)
    looked = Recognizer.load(attending).attention(image)
    assert len(looked) == len(read["text"]) and np.allclose(looked.sum(axis=1), 1, atol=1e-4)


def test_a_pattern_and_a_lexicon_constrain_an_attention_model(attending, words, capsys):
    image = str(TEST_IMAGES / "water_meter.png")
    command = [image, "--format", "json", "--model", str(attending)]
    assert run_inference(*command, "--pattern", r"[1-7]{3}") == 0
    constrained = json.loads(capsys.readouterr().out)
    assert re.fullmatch("[1-7]{3}", constrained["text"])
    starts = [character["start"] for character in constrained["characters"]]
    assert len(starts) == 3 and starts == sorted(starts)
    assert run_inference(*command, "--lexicon", words) == 0
    assert json.loads(capsys.readouterr().out)["text"] in ("1234", "00413", "998877")


def attention_scores(model, pixels, texts):
    """Log probability of each text by teacher forcing."""
    labels = [Alphabet(model.spec.alphabet).encode(text) for text in texts]
    y = pack_labels([0] * len(texts), labels)
    x = pad_batch([pixels] * len(texts), 32) | {"label": y[:, 2:]}
    losses = attention_loss(y, teacher_forced(model)(x, training=False))
    return dict(zip(texts, -np.asarray(losses)))


@pytest.mark.parametrize("pattern", [None, "(ab)+c?", "c.*"])
def test_a_wide_beam_finds_the_most_probable_text_of_an_attention_model(pattern):
    model = untrained(head="attention", alphabet="abc", rnn_units=8, attn_num_hidden=16)
    kernel = model.get_layer("decoder").logits.kernel
    kernel.assign(kernel * 8)
    constraint = Pattern(pattern) if pattern else None
    recognizer = Recognizer(model, constraint, beam_width=200)
    for seed in range(3):
        pixels = np.random.default_rng(seed).random((32, 16, 1)).astype(np.float32)
        steps = time_steps(16, model.spec.stride)
        texts = ["".join(t) for n in range(steps + 1) for t in itertools.product("abc", repeat=n)]
        allowed = [text for text in texts if constraint is None or constraint.allows(text)]
        scores = attention_scores(model, pixels, allowed)
        line = next(recognizer._predict([pixels])).line
        assert line.text == max(scores, key=scores.get)
        assert np.log(line.confidence) == pytest.approx(scores[line.text], abs=1e-3)
