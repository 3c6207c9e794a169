"""`aocr test`: what it reports about images on their side and labels of other characters."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from support.in_process import run_aocr as run

import model as models
from ocr_simple.datasets.annotations import read_labels
from ocr_simple.spec import ModelSpec


@pytest.fixture
def folder(labelled_folder, tmp_path, monkeypatch):
    """A copy of the labelled images in the working directory."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(labelled_folder, tmp_path / "lines")


def report():
    return json.loads(open("results/report.json", encoding="utf-8").read())


def test_images_on_their_side_are_read_if_asked_for(folder):
    labels = {name: label for name, label in read_labels(folder).items() if len(label) > 2}
    upright = {name: label for name, label in labels.items() if set(label) & set("347")}
    for name in upright:  # the others could be read upside down, such as 898
        Image.open(folder / name).rotate(90, expand=True).save(folder / name)
    rows = [f"{name}\t{label}" for name, label in upright.items()]
    (folder / "labels.tsv").write_text("\n".join(rows))
    assert run("test lines --model digits --orientation auto --visualize") == 0
    assert report()["exact"] == 1 and report()["loss"] < 1
    assert len(list(folder.parent.glob("results/correct/*/time_steps.png"))) == len(upright) == 6


def test_an_image_that_is_too_long_on_its_side_is_left_out(folder, caplog):
    Image.new("L", (10, 5100), 255).save(folder / "tall.png")
    with open(folder / "labels.tsv", "a") as labels:
        labels.write("\ntall.png\t1\n")
    assert run("test lines --model digits --orientation auto") == 1
    assert "1 of 13 rows" in caplog.text and report()["lines"] == 12


def test_an_image_that_cannot_be_read_counts_once_where_two_share_a_text(tmp_path, caplog):
    Image.new("L", (40, 20), 255).save(tmp_path / "a.png")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 damaged")
    (tmp_path / "a.txt").write_text("1")
    assert run(f"test {tmp_path} --model digits --output-dir {tmp_path}/out") == 1
    assert "1 of 2 rows" in caplog.text


def test_labels_of_other_characters_are_counted_and_no_suspects(folder, capsys):
    text = (folder / "labels.tsv").read_text().splitlines()
    (folder / "labels.tsv").write_text("\n".join([f"{text[0]}-A", f"{text[1]}B", *text[2:]]))
    assert run("test lines --model digits") == 0
    out = capsys.readouterr().out
    assert "2 of 12 labels have characters that the model cannot read: - A B\n" in out
    assert report()["suspects"] == [] and len(report()["worst"]) == 2


def test_a_report_does_not_replace_a_file_of_the_data_set(folder, capsys):
    (folder / "labels.tsv").rename(folder / "lines.tsv")
    before = (folder / "lines.tsv").read_bytes()
    assert run("test lines/lines.tsv --model digits --output-dir lines") == 2
    assert "--output-dir lines: the report would replace lines/lines.tsv" in capsys.readouterr().err
    assert (folder / "lines.tsv").read_bytes() == before


def test_a_model_is_compared_with_another(folder, capsys):
    assert run("test lines --model digits --against numbers --pattern [0-9]+") == 0
    out = capsys.readouterr().out
    assert "\nnumbers:\n| lines | exact" in out and "(web page: report.html)" in out
    found = report()["comparison"]
    assert found["other"] == "numbers" and 0 <= found["p"] <= 1
    assert "Compared with" in (folder.parent / "results/report.html").read_text("utf-8")


def test_an_image_too_long_for_the_other_model_is_a_fault_of_both(folder, capsys, caplog):
    models.save(models.build(ModelSpec(height=64, rnn_units=8)), Path("high.keras"))
    Image.new("L", (6000, 20), 255).save(folder / "long.png")  # 9,600 columns, or 19,200
    with open(folder / "labels.tsv", "a", encoding="utf-8") as rows:
        rows.write("long.png\t1\n")
    assert run("test lines --model digits --against high.keras") == 1
    assert "1 of 13 rows cannot be used" in caplog.text
    assert "19,200 columns at the model's height of 64" in caplog.text
    assert "high.keras" in report()["comparison"]["other"]


def test_a_model_to_compare_with_that_is_not_there_is_an_error_before_the_work(folder, capsys):
    assert run("test lines --model digits --against nowhere.keras") == 2
    assert "nowhere.keras" in capsys.readouterr().err
