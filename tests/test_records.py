"""Data sets: what is read from annotations and TFRecords, what is written, and what is refused."""

from ocr_simple.datasets.annotations import Entry
from ocr_simple.datasets.annotations import Fault

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


tf = pytest.importorskip("tensorflow")


def picture(path, size=(60, 20), seed=0):
    """A real small image file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, size[::-1], np.uint8)
    Image.fromarray(noise).save(path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with images in images/."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("a.png", "b.jpg", "with space.png", "com,ma.png")):
        picture(tmp_path / "images" / name, (40 + i, 20 + i), i)
    return tmp_path


def annotate(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def labels(found):
    return [(os.path.basename(entry.file), entry.label) for entry in found]


def examples(path):
    """What is in a TFRecord file, as aocr's reader takes it."""
    schema = {
        key: tf.io.FixedLenFeature([], tf.string, "") for key in ("image", "label", "comment")
    }
    parsed = [tf.io.parse_single_example(r, schema) for r in tf.data.TFRecordDataset(str(path))]
    return [{key: value.numpy() for key, value in example.items()} for example in parsed]


# --- annotations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line, label",
    [
        ("images/a.png hello", "hello"),
        ("images/a.png  two words ", "two words"),
        ("images/a.png 1,234", "1,234"),
        ("images/a.png\thello", "hello"),
        ("images/a.png,hello", "hello"),
        ("images/a.png, 1,50", "1,50"),
        ("images/with space.png\thello", "hello"),
        ("images/with space.png,hello", "hello"),
        ('"images/com,ma.png",hello', "hello"),
        ("images/com,ma.png hello", "hello"),
        ("images/a.png e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\ufeffimages/a.png hello", "hello"),
    ],
)
def test_a_line_is_a_path_and_a_label(folder, line, label):
    (entry,) = records.find(annotate(folder / "annotations.txt", line))
    assert entry.label == label and os.path.basename(entry.file) in line


def test_a_path_may_be_absolute_or_relative_to_here_or_to_the_annotations(folder, monkeypatch):
    picture(folder / "set" / "c.png")
    lines = (f"{folder / 'images' / 'a.png'} 1", "images/b.jpg 2", "c.png 3")
    found = records.find(annotate(folder / "set" / "annotations.txt", *lines))
    assert labels(found) == [("a.png", "1"), ("b.jpg", "2"), ("c.png", "3")]


def test_a_folder_is_read_by_its_labels(folder):
    annotate(folder / "images" / "labels.tsv", "a.png\tone", "with space.png\ttwo")
    assert labels(records.find(folder / "images")) == [("a.png", "one"), ("with space.png", "two")]


def test_a_folder_means_its_own_images_whatever_lies_here(folder):
    picture(folder / "a.png")
    annotate(folder / "images" / "labels.tsv", "a.png\tone", "images/b.jpg\ttwo")
    found = records.find(folder / "images")
    assert [Path(entry.file).parent.name for entry in found] == ["images", "images"]


@pytest.mark.parametrize(
    "line, reason",
    [
        ("images/gone.png hello", "no such image 'images/gone.png'"),
        ("images/a.png", "no label for 'images/a.png'"),
        ("images/a.png\t ", "no label for 'images/a.png'"),
        ("images/with space.png", "no label for 'images/with space.png'"),
        ("images hello", "no such image 'images'"),
        ("x" * 5000 + " hello", "no such image"),
        ("a\0b hello", "no such image"),
    ],
)
def test_a_bad_line_is_told_with_its_place(folder, line, reason):
    (_, fault) = records.find(annotate(folder / "annotations.txt", "images/a.png 1", line))
    assert isinstance(fault, Fault) and reason in fault.reason
    assert fault.place.endswith("annotations.txt:2")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00 caf\xe9 not UTF-8 at all"])
def test_a_file_that_is_no_data_set_is_an_error_that_names_it(folder, content):
    (folder / "annotations.txt").write_bytes(content)
    with pytest.raises(records.RecordsError, match=r"annotations\.txt: .*(give|save)"):
        records.find(folder / "annotations.txt")


@pytest.mark.parametrize("name", ["gone.txt", "images"])
def test_a_data_set_that_is_not_there_is_an_error_that_names_it(folder, name):
    with pytest.raises(records.RecordsError, match=f"{name}: no data set there; name"):
        records.find(name)


# --- TFRecords --------------------------------------------------------------------------------


def test_what_is_written_is_the_schema_of_aocr(folder):
    annotations = annotate(folder / "annotations.txt", "images/a.png Hello", "images/b.jpg 2")
    records.convert(annotations, folder / "out.tfrecords", save_filename=True)
    images = [(folder / "images" / name).read_bytes() for name in ("a.png", "b.jpg")]
    assert examples(folder / "out.tfrecords") == [
        {"image": images[0], "label": b"HELLO", "comment": b"images/a.png"},
        {"image": images[1], "label": b"2", "comment": b"images/b.jpg"},
    ]


def test_what_is_written_is_read_again(folder):
    annotations = annotate(folder / "annotations.txt", "images/a.png Caf\u00e9", "images/b.jpg 2")
    records.convert(annotations, "out.tfrecords", force_uppercase=False, save_filename=True)
    found = records.find("out.tfrecords")
    assert [(e.name, e.label) for e in found] == [
        ("images/a.png", "Caf\u00e9"),
        ("images/b.jpg", "2"),
    ]
    for entry in found:
        assert entry.encoded() == (folder / entry.name).read_bytes()


def test_files_of_aocr_are_read_as_they_are(folder):
    image = (folder / "images" / "a.png").read_bytes()
    with tf.io.TFRecordWriter("aocr.tfrecords") as writer:  # its labels are Latin-1
        for label in (b"ABC", "CAF\u00c9".encode("latin-1")):
            feature = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for key, value in (("image", image), ("label", label))
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    found = records.find("aocr.tfrecords")
    assert [entry.label for entry in found] == ["ABC", "CAF\u00c9"]
    assert all(entry.encoded() == image for entry in found)


def test_broken_records_are_an_error_with_the_mend(folder):
    annotations = annotate(folder / "annotations.txt", *(f"images/a.png {i}" for i in range(9)))
    records.convert(annotations, "out.tfrecords")
    content = bytearray((folder / "out.tfrecords").read_bytes())
    content[len(content) // 2] ^= 255
    (folder / "out.tfrecords").write_bytes(content)
    with pytest.raises(records.RecordsError, match=r"out.tfrecords: broken after record 4 .*anew"):
        records.find("out.tfrecords")


def test_shards_share_the_images(folder):
    annotations = annotate(folder / "annotations.txt", *(f"images/a.png {i}" for i in range(7)))
    written = records.convert(annotations, folder / "out.tfrecords", shards=3)
    assert [file.name for file in written.files] == [
        f"out-0000{i}-of-00003.tfrecords" for i in range(3)
    ]
    shared = [[entry.label for entry in records.find(file)] for file in written.files]
    assert shared == [["0", "3", "6"], ["1", "4"], ["2", "5"]]


# --- bad lines --------------------------------------------------------------------------------


@pytest.fixture
def bad(folder):
    """Annotations with every kind of bad line, between good ones."""
    (folder / "images" / "text.png").write_text("this is no image")
    (folder / "images" / "empty.png").write_bytes(b"")
    whole = (folder / "images" / "b.jpg").read_bytes()
    (folder / "images" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    picture(folder / "images" / "long.png", (3000, 2))
    return annotate(
        folder / "annotations.txt", "images/a.png 1", "images/gone.png 2", "images/text.png 3",
        "images/empty.png 4", "images/cut.jpg 5", "images/a.png", "", "images 8",
        "images/long.png 9", "images/b.jpg 10",
    )  # fmt: skip


def test_all_bad_lines_are_reported_at_once_and_nothing_is_left_behind(bad, folder):
    before = sorted(folder.rglob("*"))
    with pytest.raises(records.RecordsError, match=r"7 of 9 lines .*--skip-bad") as error:
        records.convert(bad, "out.tfrecords")
    assert re.findall(r"annotations\.txt:(\d+): ", str(error.value)) == list("2345689")
    assert sorted(folder.rglob("*")) == before


def test_bad_lines_can_be_left_out_and_are_listed(bad, folder, capsys):
    assert aocr.main(["dataset", str(bad), "out.tfrecords", "--skip-bad"]) == 1
    assert [entry.label for entry in records.find("out.tfrecords")] == ["1", "10"]
    with open("out.tfrecords.skipped.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, "excel-tab"))
    assert [place.rpartition(":")[2] for place, _ in rows] == list("2345689")
    assert "7 lines left out, listed in out.tfrecords.skipped.tsv" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_an_error_that_leaves_nothing(folder):
    with (
        pytest.raises(records.RecordsError, match="cannot be written"),
        records.Writer("out.tfrecords") as writer,
    ):
        writer._writers[0] = tf.io.TFRecordWriter("/dev/full")
        writer.add(0, records.Record(b"x" * 100_000, "1", "", (1, 1)))
    assert not list(folder.glob("*.tfrecords")) and not list(folder.glob(".*"))


def test_a_file_that_was_there_stays_as_it_was(bad, folder):
    (folder / "out.tfrecords").write_bytes(b"before")
    with pytest.raises(records.RecordsError):
        records.convert(bad, "out.tfrecords")
    assert (folder / "out.tfrecords").read_bytes() == b"before"


# --- the command ------------------------------------------------------------------------------


def test_the_command_writes_and_tells_what_is_in_it(folder, capsys):
    annotate(folder / "annotations.txt", "images/a.png hello", "images/b.jpg B2")
    assert aocr.main(["dataset", "annotations.txt", "out.tfrecords"]) == 0
    out = capsys.readouterr().out
    assert "2 images in out.tfrecords\nlabels changed to upper case: 1\n" in out
    assert "longest label: HELLO (5 characters)" in out and "alphabet: 2BEHLO (6 characters)" in out
    assert "widths: 40 to 41 pixels, median 40" in out


def test_the_output_is_named_as_aocr_names_it(folder):
    annotate(folder / "annotations.txt", "images/a.png hello")
    assert aocr.main(["dataset", "annotations.txt", "--no-force-uppercase"]) == 0
    assert [entry.label for entry in records.find("dataset.tfrecords")] == ["hello"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "name an ANNOTATIONS file"),
        (["gone.txt"], "gone.txt: no data set there"),
        (
            ["annotations.txt", "no_folder/out.tfrecords"],
            "no_folder/out.tfrecords: cannot be written",
        ),
        (["annotations.txt", "annotations.txt"], "annotations.txt: is the data set itself"),
        (["annotations.txt", "--shards", "0"], "shards 0: give 1"),
        (["--generate", "9", "--workers", "0", "out.tfrecords"], "workers 0: give at least 1"),
        (["--generate", "-1", "out.tfrecords"], "generate -1: give at least 1"),
        (["--generate", "9", "a.txt", "out.tfrecords"], "--generate takes OUTPUT alone"),
        (["--generate", "9", "--fonts", "no_folder"], "fonts 'no_folder'"),
    ],
)
def test_what_cannot_work_is_exit_status_2_with_the_mend(folder, arguments, message, capsys):
    annotate(folder / "annotations.txt", "images/a.png hello")
    before = sorted(folder.rglob("*"))
    assert aocr.main(["dataset", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_generated_lines_are_the_same_for_any_number_of_processes(folder):
    for workers in (1, 2):
        arguments = ["--generate", "150", f"{workers}.tfrecords", "--workers", str(workers)]
        assert aocr.main(["dataset", *arguments, "--seed", "3", "--shards", "1"]) == 0
    one, two = (folder / f"{workers}.tfrecords" for workers in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    found = records.find(one)
    assert len(found) == 150 and all(isinstance(entry, Entry) for entry in found)
    assert all(re.fullmatch("[0-9]{1,10}", entry.label) for entry in found)
