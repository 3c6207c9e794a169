"""`aocr check`: what it reports about a data set."""

import os
import shutil
import subprocess
import sys

import fsspec
import numpy as np
import pytest
from PIL import Image
from support.commands import ROOT, status_of
from support.datasets import annotate, picture

from aocr import cli
from ocr_simple.reports.sheet import choose_sheet, write_sheet


@pytest.fixture
def odd_folder(tmp_path, monkeypatch):
    """A folder with one image of each kind that is reported, and two that are fine."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "odd"
    for name, size in (("a.png", (90, 30)), ("b.png", (80, 20)), ("tiny.png", (40, 5)),
                       ("narrow.png", (30, 30))):  # fmt: skip
        picture(folder / name, size, seed=len(name))
    shutil.copy(folder / "a.png", folder / "same.png")
    shutil.copy(folder / "a.png", folder / "other.png")
    Image.fromarray(np.full((30, 90), 250, np.uint8)).save(folder / "blank.png")
    Image.fromarray(np.full((30, 95), 250, np.uint8)).save(folder / "nothing.png")
    annotate(
        folder / "labels.tsv", "a.png\t12", "b.png\té3", "tiny.png\t4", "narrow.png\t1234567890",
        "same.png\t12", "other.png\t13", "blank.png\t5", "nothing.png\t",
    )  # fmt: skip
    return folder


def test_labels_that_no_model_of_the_alphabet_can_write_are_nothing_to_use(odd_folder, capsys):
    annotate(odd_folder / "labels.tsv", "a.png\tone", "b.png\ttwo")
    assert cli.main(["check", "odd", "--alphabet", "digits"]) == 2
    assert "none of its 2 rows can be used" in capsys.readouterr().err


def test_many_copies_of_an_image_are_counted_and_not_all_listed(odd_folder, capsys):
    annotate(odd_folder / "labels.tsv", *["a.png\t12"] * 30, "a.png\t13")
    assert cli.main(["check", "odd"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (row for row in lines if row.startswith("  ") and "labels.tsv:31 '13'" in row)
    assert line.endswith("; and 26 more") and line.count("labels.tsv") == 5


def test_what_is_in_a_data_set_and_what_is_odd_is_printed(odd_folder, capsys):
    before = sorted(odd_folder.iterdir())
    assert cli.main(["check", "odd", "--alphabet", "digits"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "odd: labels.tsv, rows separated by tabs; 8 images, labels of 0 to 10 characters, "
        "alphabet 0123456789é (11); 1 empty label\n"
    )
    assert "characters per label: 0 (1x), 1 (2x), 2 (4x), 10 (1x)\n" in out
    assert "widths in pixels: 30 to 95, median 90; heights: 5 to 30, median 30\n" in out
    assert "rare characters, in fewer than 10 labels: 0 (1x), 1 (4x), 2 (3x)" in out
    for line in (
        "the same image with different labels: 1\n  odd/labels.tsv:1 '12'; odd/labels.tsv:5 '12'; "
        "odd/labels.tsv:6 '13'\n",
        "the same image several times: 0\n",
        "images under 8 pixels wide or high: 1\n  odd/labels.tsv:3: 40 x 5 pixels\n",
        "blank images with a label: 1\n  odd/labels.tsv:7: label '5'\n",
        "labels with characters outside --alphabet: 1\n  odd/labels.tsv:2: label 'é3' has 'é'",
    ):
        assert line in out
    assert "labels too long for --architecture fine" in out
    assert "label '1234567890' needs 10 time steps, but its image of 30 x 30 pixels gives 8" in out
    assert sorted(odd_folder.iterdir()) == before
    assert Image.open("check.png").width == 1000


def test_rows_that_cannot_be_used_are_exit_status_1(odd_folder, capsys):
    with open(odd_folder / "labels.tsv", "a", encoding="utf-8") as file:
        file.write("gone.png\t1\n")
    assert cli.main(["check", "odd", "--sheet", "None"]) == 1
    assert (
        "rows that cannot be used: 1\n  odd/labels.tsv:9: no such image" in capsys.readouterr().out
    )
    assert not (odd_folder.parent / "check.png").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "name a DATASET"),
        (["gone"], "gone: no data set found"),
        (["odd", "--sheet", "no_folder/a.png"], "--sheet no_folder/a.png: no such folder"),
        (["odd", "--sheet", "a.xyz"], "--sheet a.xyz: name a .png file, such as a.png"),
        (["odd", "--sheet", "odd/a.png"], "--sheet odd/a.png: already exists and was not"),
        (["odd", "--sheet", "folder.png"], "--sheet folder.png: already exists"),
        (["bad.txt"], "bad.txt: none of its 1 rows can be used"),
    ],
)
def test_what_cannot_work_is_exit_status_2(odd_folder, arguments, message, capsys):
    annotate(odd_folder.parent / "bad.txt", "gone.png\t1")
    (odd_folder.parent / "folder.png").mkdir()
    before = (odd_folder / "a.png").read_bytes()
    assert status_of(cli.main, ["check", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert (odd_folder / "a.png").read_bytes() == before


def test_its_own_picture_is_replaced_and_no_other(odd_folder):
    picture(odd_folder.parent / "check.png")
    assert cli.main(["check", "odd"]) == 2
    (odd_folder.parent / "check.png").unlink()
    assert cli.main(["check", "odd"]) == cli.main(["check", "odd"]) == 0


def test_the_same_image_in_several_data_sets_is_found(odd_folder, capsys):
    other = odd_folder.parent / "other"
    for file in ("a.png", "b.png"):
        picture(other / file, (70, 21), seed=7 + len(file))
    shutil.copy(odd_folder / "b.png", other / "copy.png")
    annotate(other / "labels.tsv", "a.png\t1", "copy.png\t2")
    (odd_folder.parent / "link").symlink_to("odd")
    assert cli.main(["check", "odd", "other", "--sheet", "None"]) == 0
    out = capsys.readouterr().out
    assert (
        "the same image in several data sets; do not validate on what is trained on: 1\n"
        "  odd/labels.tsv:2 'é3'; other/labels.tsv:2 '2'\n"
    ) in out
    assert "other: images in the folder without a usable row: 1 (first: other/b.png)" in out
    assert cli.main(["check", "odd", "link", "--sheet", "None"]) == 0
    assert "several data sets; do not validate on what is trained on: 6\n" in (
        capsys.readouterr().out
    )


def test_an_image_on_its_side_is_to_be_turned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, size in (("1.png", (32, 110)), ("2.png", (20, 32))):
        picture(tmp_path / "set" / name, size)
    annotate(tmp_path / "set" / "labels.tsv", "1.png\tAB-123", "2.png\t7")
    assert cli.main(["check", "set", "--sheet", "None"]) == 0
    out = capsys.readouterr().out
    assert (
        "images taller than wide with several characters: turn them, so that the text is level: 1\n"
        "  set/labels.tsv:1: 32 x 110 pixels, label 'AB-123'\n"
    ) in out
    assert "gives 3; the image is taller than wide: turn it" in out


def test_a_reader_that_stops_early_is_no_error(odd_folder):
    gone, output = os.pipe()
    os.close(gone)
    command = [sys.executable, "-m", "aocr", "check", str(odd_folder), "--sheet", "None"]
    done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.PIPE, text=True)
    os.close(output)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_picture_in_a_bucket_is_replaced_and_no_other(odd_folder):
    bucket = fsspec.filesystem("memory")
    bucket.pipe_file("/pictures/mine.png", b"the user's")
    assert cli.main(["check", "odd", "--sheet", "memory://pictures/mine.png"]) == 2
    assert bucket.cat_file("/pictures/mine.png") == b"the user's"
    for _ in range(2):
        assert cli.main(["check", "odd", "--sheet", "memory://pictures/check.png"]) == 0


def test_no_picture_is_written_into_the_data_set(odd_folder, capsys, monkeypatch):
    before = sorted(odd_folder.iterdir())
    (odd_folder.parent / "link").symlink_to("odd")
    for sheet in ("odd/new.png", "link/new.png"):
        assert status_of(cli.main, ["check", "odd", "--sheet", sheet]) == 2
        message = f"--sheet {sheet}: is in the data set's folder odd; name another output"
        assert message in capsys.readouterr().err
    monkeypatch.chdir(odd_folder)
    assert cli.main(["check", "."]) == 0
    assert "no picture is written: check.png: is in the data set's folder ." in (
        capsys.readouterr().err
    )
    assert sorted(odd_folder.iterdir()) == before
    assert cli.main(["check", ".", "--sheet", "../mine.png"]) == 0
    assert Image.open("../mine.png").width == 1000


def test_a_sheet_is_not_written_through_a_link_nor_waited_for_in_a_pipe(tmp_path):
    write_sheet(Image.new("L", (9, 9)), tmp_path / "ours.png", "aocr check")
    (tmp_path / "a.png").symlink_to("nowhere.png")
    (tmp_path / "b.png").symlink_to("ours.png")
    os.mkfifo(tmp_path / "c.png")
    for name in ("a.png", "b.png", "c.png"):
        message = rf"{name}: already exists and was not written by aocr check"
        with pytest.raises(ValueError, match=message):
            choose_sheet(tmp_path / name, None, "aocr check", [])
    assert choose_sheet(tmp_path / "ours.png", None, "aocr check", []) == tmp_path / "ours.png"
