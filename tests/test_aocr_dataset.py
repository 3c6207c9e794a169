"""`aocr dataset`: what it writes, prints and refuses."""

import csv
import gzip
import os
import re

import fsspec
import pytest
from support.commands import status_of
from support.datasets import annotate, picture

from aocr import cli
from ocr_simple.datasets.annotations import Entry, find_entries


def test_the_command_writes_and_reports_what_is_in_it(image_folder, capsys):
    annotate(image_folder / "annotations.txt", "images/a.png hello", "images/b.jpg B2")
    assert cli.main(["dataset", "annotations.txt", "out.tfrecords"]) == 0
    out = capsys.readouterr().out
    assert "2 images in out.tfrecords\nlabels changed to upper case: 1\n" in out
    assert "longest label: HELLO (5 characters)" in out and "alphabet: 2BEHLO (6 characters)" in out
    assert "widths: 40 to 41 pixels, median 40" in out


def test_the_output_is_named_as_aocr_names_it(image_folder):
    annotate(image_folder / "annotations.txt", "images/a.png hello")
    assert cli.main(["dataset", "annotations.txt", "--no-force-uppercase"]) == 0
    assert [entry.label for entry in find_entries("dataset.tfrecords")] == ["hello"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "name an ANNOTATIONS file"),
        (["gone.txt"], "gone.txt: no data set found"),
        (
            ["annotations.txt", "no_folder/out.tfrecords"],
            "no_folder/out.tfrecords: cannot be written",
        ),
        (["annotations.txt", "annotations.txt"], "annotations.txt: is the data set itself"),
        (["annotations.txt", "--shards", "0"], "--shards 0: give"),
        (["--generate", "9", "--workers", "0", "out.tfrecords"], "workers 0: give"),
        (["--generate", "-1", "out.tfrecords"], "generate -1: give"),
        (["--generate", "0", "out.tfrecords"], "generate 0: give a number of at least 1"),
        (["--generate", "9", "--words", "3", "a.tfrecords"], "add --text-source dictionary"),
        (["--generate", "9", "images"], "OUTPUT images: is a folder; name a file"),
        (["--generate", "9", "a", "--output", "b"], "OUTPUT a and --output b: name only one"),
        (
            ["--generate", "5", "--held-out", "none", "lines.tfrecords"],
            "lines.tfrecords: was taken as a value of --held-out.",
        ),
        (
            ["--generate", "5", "--held-out", "none", "rows.ndjson"],
            "rows.ndjson: was taken as a value of --held-out.",
        ),
        (
            ["--generate", "5", "--recipe", "photo", "images"],
            "images: was taken as a value of --recipe.",
        ),
        (["annotations.txt", "annotations.txt/out.tfrecords"], "annotations.txt: is a file"),
        (["--generate", "9", "a.txt", "out.tfrecords"], "with --generate, name only the OUTPUT"),
        (["--generate", "9", "--fonts", "no_folder"], "fonts 'no_folder'"),
    ],
)
def test_what_cannot_work_is_exit_status_2_with_the_fix(image_folder, arguments, message, capsys):
    annotate(image_folder / "annotations.txt", "images/a.png hello")
    before = sorted(image_folder.rglob("*"))
    assert status_of(cli.main, ["dataset", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(image_folder.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["images", "images/labels.tsv"], "images/labels.tsv: is part of the data set"),
        (["images", "images/a.png"], "images/a.png: is part of the data set"),
        (["images", "other.tsv"], "other.tsv: already exists and is not a TFRecord file"),
        (["images", "--output", "picture.png"], "picture.png: already exists and is not"),
        (
            ["images", "lines.txt", "--shards", "2"],
            "lines-00001-of-00002.txt: already exists and is not a TFRecord file",
        ),
        (["pairs", "pairs/a.gt.txt"], "pairs/a.gt.txt: is part of the data set"),
        (["--generate", "3", "other.tsv"], "other.tsv: already exists and is not a TFRecord file"),
    ],
)
def test_no_file_of_the_user_is_replaced(image_folder, arguments, message, capsys):
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone")
    annotate(image_folder / "other.tsv", "images/b.jpg\ttwo")
    annotate(image_folder / "lines-00001-of-00002.txt", "images/b.jpg\ttwo")
    picture(image_folder / "picture.png")
    annotate(picture(image_folder / "pairs" / "a.png").with_name("a.gt.txt"), "one")
    before = {path: path.read_bytes() for path in image_folder.rglob("*") if path.is_file()}
    assert status_of(cli.main, ["dataset", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in image_folder.rglob("*") if path.is_file()} == before


def test_tfrecords_are_replaced_and_so_is_an_empty_file(image_folder):
    annotate(image_folder / "a.txt", "images/a.png one")
    (image_folder / "out.tfrecords").touch()
    for label in ("ONE", "TWO"):
        annotate(image_folder / "a.txt", f"images/a.png {label}")
        assert cli.main(["dataset", "a.txt", "out.tfrecords"]) == 0
        assert [entry.label for entry in find_entries("out.tfrecords")] == [label]
    before = (image_folder / "out.tfrecords").read_bytes()
    with gzip.open("packed.tfrecords.gz", "wb") as file:
        file.write(before)
    assert status_of(cli.main, ["dataset", "packed.tfrecords.gz", "packed.tfrecords.gz"]) == 2
    assert cli.main(["dataset", "a.txt", "packed.tfrecords.gz"]) == 0


def test_in_a_bucket_too_only_tfrecords_are_replaced(image_folder, capsys):
    annotate(image_folder / "a.txt", "images/a.png one")
    bucket = fsspec.filesystem("memory")
    bucket.pipe_file("/bucket/labels.tsv", b"1.png\tthe user's")
    assert status_of(cli.main, ["dataset", "a.txt", "memory://bucket/labels.tsv"]) == 2
    assert "memory://bucket/labels.tsv: already exists" in capsys.readouterr().err
    assert bucket.cat_file("/bucket/labels.tsv") == b"1.png\tthe user's"
    for _ in range(2):
        assert cli.main(["dataset", "a.txt", "memory://bucket/out.tfrecords"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--generate", "3", "--held-out", "none", "--output", "named/out.tfrecords"],
        ["--generate", "3", "named/out.tfrecords", "--held-out", "none", "Sansation"],
        ["annotations.txt", "--output", "named/out.tfrecords"],
    ],
)
def test_the_output_can_be_an_option(image_folder, arguments):
    annotate(image_folder / "annotations.txt", *["images/a.png 12"] * 3)
    (image_folder / "named").mkdir()
    assert cli.main(["dataset", *arguments]) == 0
    assert len(find_entries("named/out.tfrecords")) == 3
    assert not (image_folder / "attentionocr.log").exists()


def test_generated_lines_are_the_same_for_any_number_of_processes(image_folder):
    for workers in (1, 2):
        arguments = ["--generate", "150", f"{workers}.tfrecords", "--workers", str(workers)]
        assert cli.main(["dataset", *arguments, "--seed", "3", "--shards", "1"]) == 0
    one, two = (image_folder / f"{workers}.tfrecords" for workers in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    found = find_entries(one)
    assert len(found) == 150 and all(isinstance(entry, Entry) for entry in found)
    assert all(re.fullmatch("[0-9]{1,10}", entry.label) for entry in found)


def test_what_a_model_cannot_learn_is_left_out_when_its_limits_are_known(image_folder, capsys):
    rows = ("images/a.png\t12", "images/a.png\tStraße", "images/b.jpg\t01234567890123456789")
    annotate(image_folder / "a.txt", *rows)
    options = ["dataset", "a.txt", "out.tfrecords", "--skip-bad", "--no-force-uppercase"]
    assert cli.main(options) == 0
    assert cli.main([*options, "--alphabet", "ascii", "--architecture", "plain"]) == 1
    assert [entry.label for entry in find_entries("out.tfrecords")] == ["12"]
    left_out = (image_folder / "out.tfrecords.skipped.tsv").read_text()
    assert "'ß', not in --alphabet" in left_out and "needs 20 time steps" in left_out
    assert status_of(cli.main, [*options, "--architecture", "none"]) == 2
    assert "architecture 'none': choose from" in capsys.readouterr().err


def test_upper_case_that_is_several_characters_is_reported(image_folder, capsys):
    annotate(image_folder / "a.txt", "images/a.png\tStraße", "images/b.jpg\tGut")
    assert cli.main(["dataset", "a.txt", "out.tfrecords"]) == 0
    out = capsys.readouterr().out
    assert "labels changed to upper case: 2 (ß became SS; --no-force-uppercase keeps labels)" in out
    assert [entry.label for entry in find_entries("out.tfrecords")] == ["STRASSE", "GUT"]


def test_bad_rows_can_be_left_out_and_are_listed(bad_rows, image_folder, capsys):
    assert cli.main(["dataset", str(bad_rows), "out.tfrecords", "--skip-bad"]) == 1
    assert [entry.label for entry in find_entries("out.tfrecords")] == ["1", "10"]
    with open("out.tfrecords.skipped.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, "excel-tab"))
    assert [place.rpartition(":")[2] for place, _ in rows] == list("2345689")
    assert "7 rows left out, listed in out.tfrecords.skipped.tsv" in capsys.readouterr().err
    annotate(image_folder / "good.tsv", "images/a.png\t1")
    assert cli.main(["dataset", "good.tsv", "out.tfrecords"]) == 0
    assert not os.path.exists("out.tfrecords.skipped.tsv"), "of the rows that were bad before"
