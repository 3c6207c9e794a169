"""The `aocr` command with attention-ocr's names: training, test and prediction of a data set."""

import io
import json
import os
import re
import shutil
import sys

import pytest
from PIL import Image
from support.in_process import run_aocr as run
from support.lines import OPEN_SANS

from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec

TINY = "--rnn-units 8 --batch-size 4 --num-epoch 2 --steps-per-checkpoint 2 --workers 0"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A working directory as in attention-ocr's README, in which a model has been trained."""
    path = tmp_path_factory.mktemp("project")
    before = os.getcwd()
    os.chdir(path)
    (path / "datasets" / "images").mkdir(parents=True)
    drawn = Lines(LineOptions(min_length=2, max_length=4), ModelSpec(), [OPEN_SANS], augment=False)
    for kind, numbers in (("training", range(8)), ("testing", range(8, 12))):
        rows = []
        for k in numbers:
            pixels, text, _ = drawn[k]
            Image.fromarray(pixels[..., 0]).save(f"datasets/images/{k}.png")
            rows.append(f"datasets/images/{k}.png {text}\n")
        (path / "datasets" / f"annotations-{kind}.txt").write_text("".join(rows))
        assert run(f"dataset ./datasets/annotations-{kind}.txt ./datasets/{kind}.tfrecords") == 0
    log = "--log-path attentionocr.log"
    assert run(f"train ./datasets/training.tfrecords {TINY} {log}") == 0
    yield path
    os.chdir(before)


def test_training_fills_the_run_folder_and_the_log(project):
    names = {path.name for path in (project / "checkpoints").iterdir()}
    assert {"config.json", "best.keras", "checkpoint.npz", "metrics.csv"} <= names
    log = (project / "attentionocr.log").read_text()
    assert re.search(r"step 4: loss .* loss [\d.]+, perplexity [\d.]+", log)


def test_a_finished_run_is_reported(project, capsys):
    assert run(f"train ./datasets/training.tfrecords {TINY}") == 0
    assert "is finished" in capsys.readouterr().err


def test_options_may_come_before_the_command(project):
    shutil.copytree(project / "checkpoints", project / "early")
    command = f"--log-path early.log --gpu-id -1 train {TINY} ./datasets/training.tfrecords"
    options = "--no-gradient-clipping --optimizer adadelta --no-resume --job-dir early"
    assert run(f"{command} {options}") == 0
    assert (project / "early.log").read_text()
    config = json.loads((project / "early" / "config.json").read_text())
    assert config["clip_norm"] == 0 and config["optimizer"] == "adadelta"
    assert (project / "early.1" / "best.keras").is_file(), "--no-resume moves the run aside"


def test_the_report_has_every_line(project, capsys):
    log = "--log-path attentionocr.log"
    assert run(f"test --visualize ./datasets/testing.tfrecords {log}") == 0
    assert "Report: results/report.md" in capsys.readouterr().out
    log = (project / "attentionocr.log").read_text()
    steps = re.findall(
        r"Step (\d+) \([\d.]+s\)\. Accuracy of characters so far: +[\d.]+%, loss: [\d.]+, "
        r"perplexity: \S+, probability: +[\d.]+%, this line: +\d+% \(",
        log,
    )
    assert steps[-4:] == ["1", "2", "3", "4"]
    report = json.loads((project / "results" / "report.json").read_text())
    assert report["lines"] == 4


def line_folders(results):
    """The folders of the lines, in order; each is under the kind that the report says."""
    rows = [row.split("\t") for row in (results / "lines.tsv").read_text().splitlines()[1:]]
    kinds = ["correct" if truth == text else "incorrect" for _, truth, text, _ in rows]
    folders = [*results.glob("correct/*"), *results.glob("incorrect/*")]
    folders.sort(key=lambda folder: folder.name)
    assert [folder.parent.name for folder in folders] == kinds
    return [
        ({path.name for path in f.iterdir()}, text) for f, (_, _, text, _) in zip(folders, rows)
    ]


def test_every_line_has_pictures_of_where_its_characters_were_read(project):
    results = project / "results"
    assert run("test --visualize ./datasets/testing.tfrecords") == 0
    for names, text in line_folders(results):
        one_each = {f"{place:02}_{c}.png" for place, c in enumerate(text, 1)}
        assert names == {"attention.png", "attention.gif"} | one_each
    # another model's readings replace them
    assert run("test --visualize ./datasets/testing.tfrecords --model digits") == 0
    assert [names for names, _ in line_folders(results)] == [{"time_steps.png"}] * 4


def test_without_distance_a_line_counts_whole_or_not(project):
    log = project / "whole.log"
    assert run(f"--no-distance test ./datasets/testing.tfrecords --log-path {log}") == 0
    shares = re.findall(r"this line: +(\d+)% \(", log.read_text())
    assert len(shares) == 4 and set(shares) <= {"0", "100"}


def test_images_that_cannot_be_read_are_listed_and_the_rest_reported(project, caplog):
    (project / "broken.png").write_bytes(b"no image")
    (project / "mixed.txt").write_text("datasets/images/8.png 12\nbroken.png 3\nmissing.png 4\n")
    assert run("test mixed.txt --output-dir mixed") == 1
    log = caplog.text
    assert "2 of 3 rows cannot be used" in log and "mixed.txt:2: broken.png: not an image" in log
    assert "mixed.txt:3: no such image" in log
    assert json.loads((project / "mixed" / "report.json").read_text())["lines"] == 1


def test_names_on_standard_input_are_predicted_in_order(project, capsys, monkeypatch):
    names = "datasets/images/9.png\nmissing.png\ndatasets/images/8.png\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(names))
    assert run("predict") == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[1] == "result: err opening file missing.png"
    assert all(re.fullmatch(r"result: ok [01]\.\d\d \d*", line) for line in lines[::2])


def test_names_as_arguments_and_another_format(project, capsys):
    assert run("predict datasets/images/9.png --format tsv") == 0
    assert capsys.readouterr().out.startswith("datasets/images/9.png\t")
    assert run("predict datasets/images/9.png --model digits") == 0
    assert capsys.readouterr().out.startswith("result: ok 1.00 ")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("test ./datasets/testing.tfrecords --model-dir datasets", "holds no model yet"),
        ("test ./datasets/testing.tfrecords --model nothing", "no such file or folder"),
        ("predict x.png --model-dir datasets", "holds no model yet"),
        ("predict x.png --model-dir nothing", "no such file or folder"),
        ("test", "name a DATASET"),
        ("test nowhere.tfrecords", "no data set found"),
        ("train nowhere.tfrecords", "no data set found"),
    ],
)
def test_what_cannot_work_is_one_message_and_status_2(project, command, message, capsys):
    assert run(command) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_exhausted_memory_is_said_without_a_traceback(project, monkeypatch, capsys):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr("aocr.evaluate.run", exhausted)
    assert run("test ./datasets/testing.tfrecords") == 2
    assert "aocr: not enough memory" in capsys.readouterr().err
