"""`train.py --preview` draws what a training would see into one picture, and trains nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.commands import python, status_of
from support.pictures import filled

from aocr import cli
from ocr_simple.command_line import parse
from ocr_simple.options import TrainOptions
from ocr_simple.runs import training_preview
from ocr_simple.runs.model_files import find_model
from ocr_simple.runs.training_preview import COUNT, FILE, HEADING
from ocr_simple.spec import read_spec


@pytest.fixture
def preview(tmp_path, monkeypatch):
    """Runs the command in an empty folder: (its exit status, the picture if there is one)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        options = parse(TrainOptions, ["--preview", "--fonts", "matplotlib", *map(str, arguments)])
        status = training_preview.run(options, "train.py")
        return status, Image.open(FILE).convert("L") if FILE.exists() else None

    return run


def rows_with_ink(picture):
    return (np.asarray(picture) < 128).any(axis=1)


def test_forty_lines_are_drawn_and_nothing_is_trained(preview, capsys, tmp_path):
    status, picture = preview("--max-length", 3)
    assert status == 0
    assert picture.size == (1000, HEADING + 78 * COUNT // 4)
    assert rows_with_ink(picture)[-78:].any(), "the last row has lines too"
    assert capsys.readouterr().out.startswith("Wrote preview.png: 40 generated lines. Nothing was")
    assert [file.name for file in tmp_path.iterdir()] == ["preview.png"]


def test_the_options_change_what_is_drawn(preview):
    plain, other = (np.asarray(preview("--photo", 0, *more)[1]) for more in ([], ["--zoom", 0.4]))
    assert plain.shape != other.shape or (plain != other).any()


@pytest.mark.parametrize(
    ("more", "heading"),
    [(["--mix-generated", "0.5"], "40 generated lines"), ([], "the images as training varies")],
)
def test_images_of_the_data_set_are_beside_the_lines(
    labelled_folder, preview, capsys, more, heading
):
    status, picture = preview("--dataset", labelled_folder, *more)
    assert status == 0 and picture.width == 2000
    assert filled(picture.crop((0, HEADING, 1000, HEADING + 400))) > 0.01
    assert filled(picture.crop((1000, HEADING, 2000, HEADING + 400))) > 0.01
    out = capsys.readouterr().out
    assert f"preview.png: {heading}" in out and "beside 12 of your images" in out


def test_images_are_shown_in_the_box_that_the_model_would_keep(labelled_folder, preview, capsys):
    width, height = Image.open(labelled_folder / "0.png").size
    box = f"{width}x{height}:0,0,{width},0,{width},{height // 2},0,{height // 2}"
    whole, boxed = (
        np.asarray(preview("--dataset", labelled_folder, *more)[1])
        for more in ([], ["--crops", box])
    )
    assert "read in the model's box" in capsys.readouterr().out
    assert whole.shape != boxed.shape or (whole != boxed).any()


def test_lines_are_drawn_for_the_model_that_a_training_starts_from(labelled_folder):
    options = parse(TrainOptions, ["--dataset", str(labelled_folder), "--init-from", "numbers"])
    found = training_preview.labelled.find_all_entries(options.dataset, options)
    spec = training_preview._spec(options, found)
    start = read_spec(find_model("numbers"))
    assert spec.alphabet == start.alphabet and spec.architecture == start.architecture


def test_images_that_cannot_be_trained_on_are_named(labelled_folder, preview, capsys):
    status, _ = preview("--dataset", labelled_folder, "--alphabet", "0123456")
    assert status == 1
    assert "not in --alphabet" in capsys.readouterr().err


def test_a_file_of_the_user_is_not_replaced(preview, capsys):
    FILE.write_bytes(b"mine")
    options = parse(TrainOptions, ["--preview", "--fonts", "matplotlib"])
    assert training_preview.run(options, "train.py") == 2
    assert "is not overwritten; rename it" in capsys.readouterr().err
    assert FILE.read_bytes() == b"mine"


def test_a_folder_that_is_read_gets_no_picture(labelled_folder, monkeypatch, capsys):
    monkeypatch.chdir(labelled_folder)
    options = parse(TrainOptions, ["--preview", "--dataset", "."])
    assert training_preview.run(options, "train.py") == 2
    assert "is in the data set's folder ." in capsys.readouterr().err
    assert not FILE.exists()


def test_aocr_train_has_it_too_and_refuses_it_with_auto(
    labelled_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert status_of(cli.main, ["train", str(labelled_folder), "--preview"]) == 0
    assert Path("preview.png").exists()
    assert status_of(cli.main, ["train", str(labelled_folder), "--preview", "--auto"]) == 2
    assert "leave one of the two out" in capsys.readouterr().err
    assert not Path("checkpoints").exists()


def test_the_script_answers_without_keras(tmp_path):
    for name in ("keras", "tensorflow"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('imported')\n")
    code = (
        "import os, runpy, sys; os.chdir(sys.argv.pop(1)); script = sys.argv.pop(1);"
        "sys.argv[0] = script; runpy.run_path(script, run_name='__main__')"
    )
    root = Path(__file__).resolve().parent.parent
    done = python(
        "-c", code, str(tmp_path), str(root / "train.py"), "--preview", "--fonts", "matplotlib",
        PYTHONPATH=f"{tmp_path}:{root}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "preview.png").exists()
