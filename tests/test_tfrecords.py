"""TFRecords: what is written, what is read again, and what is refused."""

import gzip
import os
import re
from pathlib import Path

import pytest
from support.datasets import annotate

from ocr_simple.datasets.annotations import DatasetError, find_entries
from ocr_simple.datasets.record_writer import Record, RecordWriter
from ocr_simple.datasets.tfrecords import write_labelled
from ocr_simple.options import LabelOptions

tf = pytest.importorskip("tensorflow")


def examples(path):
    """What is in a TFRecord file, as aocr's reader takes it."""
    schema = {
        key: tf.io.FixedLenFeature([], tf.string, "") for key in ("image", "label", "comment")
    }
    parsed = [tf.io.parse_single_example(r, schema) for r in tf.data.TFRecordDataset(str(path))]
    return [{key: value.numpy() for key, value in example.items()} for example in parsed]


def test_what_is_written_is_the_schema_of_aocr(image_folder):
    annotations = annotate(Path("annotations.txt"), "images/a.png Hello", "images/b.jpg 2")
    write_labelled(annotations, image_folder / "out.tfrecords", save_filename=True)
    images = [(image_folder / "images" / name).read_bytes() for name in ("a.png", "b.jpg")]
    assert examples(image_folder / "out.tfrecords") == [
        {"image": images[0], "label": b"HELLO", "comment": b"images/a.png"},
        {"image": images[1], "label": b"2", "comment": b"images/b.jpg"},
    ]


def test_what_is_written_is_read_again(image_folder):
    annotations = annotate(
        image_folder / "annotations.txt", "images/a.png Caf\u00e9", "images/b.jpg 2"
    )
    write_labelled(annotations, "out.tfrecords", force_uppercase=False, save_filename=True)
    found = find_entries("out.tfrecords")
    assert [(e.name, e.label) for e in found] == [
        ("images/a.png", "Caf\u00e9"),
        ("images/b.jpg", "2"),
    ]
    for entry in found:
        assert entry.image_bytes() == (image_folder / entry.name).read_bytes()


def test_files_of_aocr_are_read_as_they_are(image_folder):
    image = (image_folder / "images" / "a.png").read_bytes()
    with tf.io.TFRecordWriter("aocr.tfrecords") as writer:  # its labels are Latin-1
        for label in (b"ABC", "CAF\u00c9".encode("latin-1")):
            feature = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for key, value in (("image", image), ("label", label))
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    found = find_entries("aocr.tfrecords", LabelOptions(label_encoding="latin-1"))
    assert [entry.label for entry in found] == ["ABC", "CAF\u00c9"]
    assert all(entry.image_bytes() == image for entry in found)
    good, fault = find_entries("aocr.tfrecords")
    assert good.label == "ABC" and fault.place == "aocr.tfrecords:2"
    assert "is not UTF-8; write labels in UTF-8, or give --label-encoding latin-1" in fault.reason


def test_an_example_of_two_labels_or_two_images_is_a_fault(image_folder):
    image = (image_folder / "images" / "a.png").read_bytes()
    with tf.io.TFRecordWriter("two.tfrecords") as writer:
        for images, labels in (([image], [b"1", b"2"]), ([image] * 2, [b"1"]), ([image], [b"3"])):
            feature = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
                for key, values in (("image", images), ("label", labels))
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    label, pictures, good = find_entries("two.tfrecords")
    assert label == ("two.tfrecords:1", "its label has 2 values; write an Example for each")
    assert pictures.reason == "its image has 2 values; write an Example for each"
    assert good.label == "3"


def test_broken_records_are_an_error_with_the_fix(image_folder):
    annotations = annotate(
        image_folder / "annotations.txt", *(f"images/a.png {i}" for i in range(9))
    )
    write_labelled(annotations, "out.tfrecords")
    content = bytearray((image_folder / "out.tfrecords").read_bytes())
    content[len(content) // 2] ^= 255
    (image_folder / "out.tfrecords").write_bytes(content)
    with pytest.raises(DatasetError, match=r"out.tfrecords: damaged after record 4 .*again"):
        find_entries("out.tfrecords")


def test_shards_share_the_images(image_folder):
    annotations = annotate(
        image_folder / "annotations.txt", *(f"images/a.png {i}" for i in range(7))
    )
    written = write_labelled(annotations, image_folder / "out.tfrecords", shards=3)
    assert [file.name for file in written.files] == [
        f"out-0000{i}-of-00003.tfrecords" for i in range(3)
    ]
    shared = [[entry.label for entry in find_entries(file)] for file in written.files]
    assert shared == [["0", "3", "6"], ["1", "4"], ["2", "5"]]


def test_files_whose_names_end_in_gz_are_compressed_and_read_again(image_folder):
    annotations = annotate(image_folder / "annotations.txt", "images/a.png 1", "images/a.png 2")
    written = write_labelled(annotations, image_folder / "out.tfrecords.gz", shards=2)
    assert [file.name for file in written.files] == [
        f"out-0000{i}-of-00002.tfrecords.gz" for i in range(2)
    ]
    for file, label in zip(written.files, "12"):
        assert gzip.decompress(file.read_bytes())
        assert [entry.label for entry in find_entries(file)] == [label]


# --- bad rows -------------------------------------------------------------------------------


def test_all_bad_rows_are_reported_at_once_and_nothing_is_left_behind(bad_rows, image_folder):
    before = sorted(image_folder.rglob("*"))
    with pytest.raises(DatasetError, match=r"7 of 9 rows .*--skip-bad") as error:
        write_labelled(bad_rows, "out.tfrecords")
    assert re.findall(r"annotations\.txt:(\d+): ", str(error.value)) == list("2345689")
    assert sorted(image_folder.rglob("*")) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_an_error_that_leaves_nothing(image_folder):
    with (
        pytest.raises(DatasetError, match="cannot be written"),
        RecordWriter("out.tfrecords") as writer,
    ):
        writer._writers[0] = tf.io.TFRecordWriter("/dev/full")
        writer.add(0, Record(b"x" * 100_000, "1", "", (1, 1)))
    assert not list(image_folder.glob("*.tfrecords")) and not list(image_folder.glob(".*"))


def test_a_file_that_was_there_stays_as_it_was(bad_rows, image_folder):
    (image_folder / "out.tfrecords").write_bytes(b"before")
    with pytest.raises(DatasetError):
        write_labelled(bad_rows, "out.tfrecords")
    assert (image_folder / "out.tfrecords").read_bytes() == b"before"
