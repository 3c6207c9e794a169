"""Layouts of data sets: each of docs/data.md is read, and what cannot be meant is refused."""

import gzip
import io
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.datasets import annotate, picture

from ocr_simple.datasets.annotations import find_dataset, find_entries
from ocr_simple.datasets.entries import Entry, Fault
from ocr_simple.datasets.labelled_lines import load_image
from ocr_simple.errors import DatasetError
from ocr_simple.options import LabelOptions

DOCS = Path(__file__).resolve().parents[1] / "docs" / "data.md"
FROM_NAMES = LabelOptions(labels_from_names=True)


def documented() -> list:
    """(layout, file, example lines, labels) of each row of the table in docs/data.md."""
    rows = re.findall(r"^\| (.+) \| `(.+)` \| `(.+)` \| (.+) \|$", DOCS.read_text("utf-8"), re.M)
    return [
        pytest.param(
            layout, file, example.replace("⇥", "\t").split("`<br>`"),
            ["" if label == "(empty)" else label[1:-1] for label in labels.split(" · ")],
            id=layout,
        )
        for layout, file, example, labels in rows
    ]  # fmt: skip


def labels_of(found):
    return [row.label if isinstance(row, Entry) else row for row in found]


# --- the documented layouts -------------------------------------------------------------------


def values_of(lines: list[str]) -> dict[str, bytes]:
    """The example of a file of keys and values; (1.png) stands for the bytes of an image."""
    pairs = (line.split(" = ") for line in lines)
    return {k: Path("set/1.png").read_bytes() if "png)" in v else v.encode() for k, v in pairs}


def write_example(layout: str, file: str, lines: list[str]) -> Path:
    """Write the example to the working directory, with its images. Returns what to read."""
    for number in (1, 2, 3):
        picture(Path(f"set/{number}.png"), seed=number)
    if layout.startswith("LMDB"):
        return write_lmdb(Path("set"), values_of(lines))
    if layout.startswith("TFRecords"):
        return write_example_record(Path(file), values_of(lines))
    if layout.startswith("labels in file names"):
        shutil.rmtree("set")
        for line in lines:
            picture(Path("set", line))
        return Path("set")
    if file.endswith("*.gt.txt"):
        for line in lines:
            name, text = line.split(": ")
            Path("set", name).write_text(text + "\n", encoding="utf-8")
        return Path("set")
    for name in re.findall(r"train/\d\.png", " ".join(lines)):
        picture(Path("set", name))
    annotate(Path(file), *lines)
    return Path("set") if file.startswith("set/") else Path(file)


def write_lmdb(folder: Path, values: dict[str, bytes]) -> Path:
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(folder), map_size=1 << 20) as database, database.begin(write=True) as all_:
        for key, value in values.items():
            all_.put(key.encode(), value)
    return folder


def write_example_record(file: Path, values: dict[str, bytes]) -> Path:
    tf = pytest.importorskip("tensorflow")
    features = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in values.items()
    }
    with tf.io.TFRecordWriter(str(file)) as writer:
        features = tf.train.Features(feature=features)
        writer.write(tf.train.Example(features=features).SerializeToString())
    return file


def test_the_document_has_the_layouts():
    assert len(documented()) >= 15
    assert all(len(layout.values[2]) == 3 for layout in documented())


@pytest.mark.parametrize("layout, file, lines, labels", documented())
def test_each_documented_example_is_read(layout, file, lines, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = write_example(layout, file, lines)
    how = FROM_NAMES if "--labels-from-names" in layout else LabelOptions()
    found = find_dataset(dataset, how)
    assert labels_of(found.rows) == labels
    assert all(load_image(entry).size for entry in found.entries)
    assert f"{len(labels):,} images" in str(found) and "alphabet" in str(found)


# --- what is recognised -----------------------------------------------------------------------


def test_gzipped_tfrecords_and_patterns_are_read(image_folder):
    values = {"image": Path("images/a.png").read_bytes(), "label": b"one"}
    content = write_example_record(Path("lines-0.tfrecords"), values).read_bytes()
    Path("lines-1.tfrecords").write_bytes(gzip.compress(content))
    found = find_dataset("lines-*.tfrecords")
    assert labels_of(found.rows) == ["one", "one"] and "2 files of TFRecords" in str(found)
    assert all(entry.image_bytes() == values["image"] for entry in found.entries)
    Path("lines-1.tfrecords").write_bytes(gzip.compress(content)[:-30])
    with pytest.raises(DatasetError, match=r"lines-1.tfrecords"):
        find_entries("lines-1.tfrecords")


def test_an_empty_label_comes_back_from_tfrecords(image_folder):
    from ocr_simple.datasets.tfrecords import write_labelled

    annotate(image_folder / "a.txt", "images/a.png\t", "images/b.jpg\tone")
    write_labelled("a.txt", "out.tfrecords")
    assert labels_of(find_entries("out.tfrecords")) == ["", "ONE"]


def test_a_home_folder_is_found(image_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(image_folder))
    annotate(image_folder / "images" / "labels.tsv", "~/images/a.png\tone")
    assert labels_of(find_entries("~/images")) == ["one"]


def test_windows_rows_and_a_byte_order_mark_are_read(image_folder):
    (image_folder / "a.csv").write_bytes(
        b'\xef\xbb\xbffilename,words\r\nimages\\a.png,one\r\n\r\nimages\\b.jpg,"two\r\nthree"\r\n'
    )
    assert labels_of(find_entries("a.csv")) == ["one", "two three"]


def test_an_index_column_and_others_are_named_and_not_used(image_folder):
    annotate(image_folder / "a.csv", ",filename,words,region", "0,images/a.png,one,Spain")
    found = find_dataset("a.csv")
    assert labels_of(found.rows) == ["one"]
    assert "columns filename and words (not used: (no name), region)" in str(found)


def test_only_the_first_of_several_annotation_files_is_read(image_folder):
    annotate(image_folder / "images" / "gt.txt", 'a.png, "two"')
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone")
    found = find_dataset("images")
    assert labels_of(found.rows) == ["one"] and "gt.txt not used, only labels.tsv" in str(found)


def test_an_image_beside_the_annotations_comes_first_and_that_is_said(image_folder):
    for folder, seed in (("set", 1), (".", 2)):
        picture(image_folder / folder / "1.png", seed=seed)
    shutil.copy("1.png", "set/same.png"), shutil.copy("1.png", "same.png")
    annotate(image_folder / "set" / "gt.txt", '1.png, "one"', 'same.png, "two"')
    for dataset in ("set", "set/gt.txt"):
        found = find_dataset(dataset)
        assert [Path(entry.file).parent.name for entry in found.entries] == ["set", "set"]
        (note,) = found.notes
        assert note.startswith("1 images are both beside it and in the working directory, and diff")
        assert "first: 1.png" in note


def test_a_missing_image_is_reported_with_the_folders_that_were_searched(image_folder):
    annotate(image_folder / "images" / "labels.tsv", "gone.png\tone")
    (fault,) = find_entries("images")
    assert fault.reason == (
        f"no such image 'gone.png' in {image_folder / 'images'} or {image_folder}"
    )


def test_pairs_are_found_by_the_whole_name_or_its_beginning(tmp_path):
    (
        picture(tmp_path / "a.bin.png"),
        picture(tmp_path / "more" / "b.png"),
        picture(tmp_path / "c.png"),
    )
    for name, text in (("a.gt.txt", "one\n"), ("more/b.gt.txt", "two\r\n"), ("more/b.txt", "no")):
        (tmp_path / name).write_text(text, newline="")
    first, fault, second = find_entries(tmp_path)
    assert (first.label, second.label) == ("one", "two")
    assert "no c.gt.txt or c.txt beside it" in fault.reason


def test_names_are_labels_only_when_asked(tmp_path):
    for name in ("12_0.png", "34.png"):
        picture(tmp_path / name)
    with pytest.raises(DatasetError, match=r"no data set there.*2 images without labels.*--labels"):
        find_entries(tmp_path)
    assert labels_of(find_entries(tmp_path, FROM_NAMES)) == ["12_0", "34"]
    assert labels_of(find_entries(f"{tmp_path}/*_?.png", FROM_NAMES)) == ["12"]


def test_labels_are_cleaned_when_asked(image_folder):
    annotate(image_folder / "a.txt", "images/a.png\ta\u200bb\ufeff c\u200e")
    assert labels_of(find_entries("a.txt", LabelOptions(clean_labels=True))) == ["ab c"]


# --- what cannot be meant ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, rows, reason",
    [
        ("a.txt", ['images/a.png\t[{"transcription": "x", "points": [[1]]}]'], "detection of text"),
        ("a.txt", ["images/a.png\t377,117,463,117,465,130,378,130,one"], "looks like boxes"),
        ("a.json", [json.dumps({"images/a.png": {"polygons": [[1, 2]]}})], "detection of text"),
        ("a.json", ['{"images/a.png": "1", "images/a.png": "2"}'], "'images/a.png' is there twice"),
        ("a.json", ['{"images/a.png": "1",'], "a.json:1: not JSON"),
        ("a.jsonl", ['{"file_name": "images/a.png", "texte": "1"}'], "a.jsonl:1: .*is no image"),
        ("a.csv", ["filename;words", "images/a.png;one"], "separated by semicolons; save it with"),
        ("a.csv", ["filename,size", "images/a.png,1"], "which of the columns filename, size is"),
        ("a.csv", ["filename,text,label", "images/a.png,1,2"], "2 columns could be it; call"),
        ("a.csv", ["filename,words", 'images/a.png,"one"x'], "a.csv:2: cannot be read as CSV"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused_with_what_it_looks_like(
    image_folder, name, rows, reason
):
    annotate(image_folder / name, *rows)
    with pytest.raises(DatasetError, match=reason) as error:
        find_entries(name)
    assert name in str(error.value)


@pytest.mark.parametrize(
    "name, rows, reason",
    [
        ("a.csv", ["images/a.png,1,50"], "has more than two columns"),
        ("a.csv", ["filename,words", "images/a.png,1,50"], "has 3 columns, and the first row 2"),
        ("a.json", ['{"images/a.png": 12}'], "the label 12 is not a text; put it in quotes"),
        ("images/a.gt.txt", ["one", "two"], "2 rows; a label is one line of text"),
    ],
)
def test_a_row_that_cannot_be_meant_is_a_fault(image_folder, name, rows, reason):
    annotate(image_folder / name, *rows)
    fault = find_entries("images" if "gt" in name else name)[0]
    assert isinstance(fault, Fault) and reason in fault.reason


@pytest.mark.parametrize(
    "content, reason",
    [
        ("images/a.png one".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        (b"images/a.png one\rimages/b.jpg two\r", "its rows end in CR; save it"),
        (b"PK\x03\x04 and so on, more than that", "is a zip archive"),
        (gzip.compress(b"images/a.png one\n"), "is a compressed file"),
    ],
)
def test_a_file_in_another_encoding_is_refused(image_folder, content, reason):
    (image_folder / "a.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=reason):
        find_entries("a.txt")


def test_an_image_is_no_data_set(image_folder):
    with pytest.raises(DatasetError, match=r"images/a\.png: is an image; name"):
        find_entries("images/a.png")


def test_tfrecords_of_fsns_are_refused(image_folder):
    write_example_record(Path("f.tfrecords"), {"image/encoded": b"x", "image/text": b"Rue"})
    with pytest.raises(DatasetError, match=r"f.tfrecords:1: an Example with image/encoded.*FSNS"):
        find_entries("f.tfrecords")


def test_an_lmdb_without_its_package_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    (tmp_path / "data.mdb").write_bytes(b"x")
    with pytest.raises(DatasetError, match="is an LMDB database, which needs pip install lmdb=="):
        find_entries(tmp_path)


def test_an_lmdb_of_another_kind_is_refused(tmp_path):
    write_lmdb(tmp_path / "set", {"length": b"3"})
    with pytest.raises(DatasetError, match=r"set: an LMDB database without num-samples .*length"):
        find_entries(tmp_path / "set")
    image = io.BytesIO()
    Image.new("L", (9, 9)).save(image, "PNG")
    values = {"num-samples": b"2", "label-000000001": b"1", "image-000000002": image.getvalue()}
    faults = find_entries(write_lmdb(tmp_path / "holes", values))
    assert [fault.reason for fault in faults] == [
        "no image for image-000000001", "no label for image-000000002",
    ]  # fmt: skip


# --- many faults ------------------------------------------------------------------------------


def test_the_first_ten_faults_are_listed_and_a_file_has_all(image_folder):
    from ocr_simple.datasets.annotations import require_entries

    annotate(image_folder / "a.txt", *(f"{k}.png\tone" for k in range(25)))
    with pytest.raises(DatasetError, match="25 of 25 rows cannot be used") as error:
        require_entries("a.txt")
    listed = str(error.value).splitlines()[1:]
    assert len(listed) == 12 and "a.txt:10: no such image '9.png'" in listed[9]
    assert listed[10].strip() == "... and 15 more"
    file = Path(re.fullmatch("  all of them: (.+)", listed[11])[1])
    assert len(file.read_text("utf-8").splitlines()) == 25
    file.unlink()
