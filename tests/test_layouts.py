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

from ocr_simple.datasets import rows
from ocr_simple.datasets.annotations import find_dataset, find_entries
from ocr_simple.datasets.entries import Entry, Fault
from ocr_simple.datasets.labelled_lines import load_image
from ocr_simple.datasets.usable_images import select_usable
from ocr_simple.errors import DatasetError
from ocr_simple.messages import counted
from ocr_simple.options import LabelOptions
from ocr_simple.spec import ModelSpec, read_spec

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
    assert counted(len(labels), "image") in str(found) and "alphabet" in str(found)


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


def test_a_home_folder_of_nobody_is_a_folder_that_is_not_there(image_folder):
    with pytest.raises(DatasetError, match=r"^~nosuchuser/images: no data set found"):
        find_entries("~nosuchuser/images")


def test_windows_rows_and_a_byte_order_mark_are_read(image_folder):
    (image_folder / "a.csv").write_bytes(
        b"\xef\xbb\xbffilename,words\r\nimages\\a.png,one\r\n\r\nimages\\b.jpg,two\r\n"
    )
    assert labels_of(find_entries("a.csv")) == ["one", "two"]


@pytest.mark.parametrize("header", [[], ["filename;words"]])
def test_spreadsheets_may_separate_columns_by_semicolons(image_folder, header):
    rows = [*header, "images/a.png;1,5", 'images/b.jpg;"x; y"']
    annotate(image_folder / "a.csv", *rows)
    assert labels_of(find_entries("a.csv")) == ["1,5", "x; y"]


def test_an_index_column_and_others_are_named_and_not_used(image_folder):
    annotate(image_folder / "a.csv", ",filename,words,region", "0,images/a.png,one,Spain")
    found = find_dataset("a.csv")
    assert labels_of(found.rows) == ["one"]
    assert "columns filename and words (not used: (no name), region)" in str(found)


def test_only_the_first_of_several_annotation_files_is_read(image_folder):
    annotate(image_folder / "images" / "gt.txt", 'a.png, "two"')
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone")
    found = find_dataset("images")
    assert labels_of(found.rows) == ["one"] and "labels.tsv is used; ignored: gt.txt" in str(found)


def test_an_image_beside_the_annotations_comes_first_and_that_is_said(image_folder):
    for folder, seed in (("set", 1), (".", 2)):
        picture(image_folder / folder / "1.png", seed=seed)
    shutil.copy("1.png", "set/same.png"), shutil.copy("1.png", "same.png")
    annotate(image_folder / "set" / "gt.txt", '1.png, "one"', 'same.png, "two"')
    for dataset in ("set", "set/gt.txt"):
        found = find_dataset(dataset)
        assert [Path(entry.file).parent.name for entry in found.entries] == ["set", "set"]
        (note,) = found.notes
        assert note == (
            "images that are beside the annotation file and, with different content, in the "
            "working directory: 1 (first: 1.png); those beside the file are used"
        )


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
    with pytest.raises(DatasetError, match=r"no data set found.*2 images without labels.*--labels"):
        find_entries(tmp_path)
    assert labels_of(find_entries(tmp_path, FROM_NAMES)) == ["12_0", "34"]
    assert labels_of(find_entries(f"{tmp_path}/*_?.png", FROM_NAMES)) == ["12"]


def test_the_names_that_a_pattern_matches_are_judged_together(tmp_path):
    for name in ("AB_12.png", "2b827.png"):
        picture(tmp_path / name)
    annotate(tmp_path / "crops.tsv", "gone.png\t1")
    for dataset in (tmp_path, f"{tmp_path}/*.png"):
        one, two, fault = find_entries(dataset, FROM_NAMES)
        assert {one.label, two.label} == {"2b827", "AB_12"} and isinstance(fault, Fault)
    with pytest.raises(DatasetError, match=r"AB_12\.png: is one image; .*/\*\.png'"):
        find_entries(tmp_path / "AB_12.png", FROM_NAMES)


def test_images_in_a_folder_beside_the_annotations_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "train" / "images" / "1.png", seed=1)
    picture(tmp_path / "1.png", seed=2)
    annotate(tmp_path / "train" / "labels.json", '{"1.png": "one"}')
    found = find_dataset("train")
    assert [entry.file for entry in found.entries] == ["train/images/1.png"]
    assert found.notes[0].startswith("images that are beside the annotation file and, with ")


def test_images_of_the_working_directory_are_named(image_folder):
    annotate(image_folder / "images" / "labels.tsv", "images/a.png\tone")
    found = find_dataset("images/labels.tsv")
    assert found.notes == (
        "images that are not beside the annotation file, but in the working directory "
        f"{image_folder}: 1 (first: images/a.png)",
    )
    annotate(image_folder / "here.tsv", "images/a.png\tone")
    assert find_dataset("here.tsv").notes == ()


MJSYNTH = {"1_CHIFFON_12000.jpg": "CHIFFON", "2_3rd_77.jpg": "3rd"}


def test_mjsynth_is_read_by_its_file_names(tmp_path):
    for name in MJSYNTH:
        picture(tmp_path / "2911" / "6" / name)
    rows = (f"./2911/6/{name} {name[:-4].rpartition('_')[2]}" for name in MJSYNTH)
    annotate(tmp_path / "annotation_train.txt", *rows)
    found = find_dataset(tmp_path / "annotation_train.txt")
    assert labels_of(found.rows) == list(MJSYNTH.values())
    assert "indexes into MJSynth's lexicon" in str(found)
    assert labels_of(find_entries(tmp_path, FROM_NAMES)) == list(MJSYNTH.values())


def test_a_number_at_the_end_of_a_file_name_may_be_the_label(tmp_path):
    for name in ("0_meter_4711.jpg", "1_meter_4712.jpg"):
        picture(tmp_path / name)
    annotate(tmp_path / "a.txt", "0_meter_4711.jpg 4711", "1_meter_4712.jpg 4712")
    assert labels_of(find_entries(tmp_path / "a.txt")) == ["4711", "4712"]


def test_empty_labels_alone_are_reported(image_folder):
    annotate(image_folder / "a.tsv", "images/a.png\t", "images/b.jpg\t")
    assert str(find_dataset("a.tsv")).endswith("; 2 images; all labels are empty")


def test_labels_are_cleaned_when_asked(image_folder):
    annotate(image_folder / "a.txt", "images/a.png\ta\u200bb\ufeff c\u200e")
    assert labels_of(find_entries("a.txt", LabelOptions(clean_labels=True))) == ["ab c"]


# --- what cannot be meant ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, rows, reason",
    [
        ("a.txt", ['images/a.png\t[{"transcription": "x", "points": [[1]]}]'], "text detection"),
        ("a.txt", ["images/a.png\t377,117,463,117,465,130,378,130,one"], "looks like boxes"),
        ("a.json", [json.dumps({"images/a.png": {"polygons": [[1, 2]]}})], "text detection"),
        ("a.json", ['{"images/a.png": "1", "images/a.png": "2"}'], "'images/a.png' appears twice"),
        ("a.json", ['{"images/a.png": "1",'], "a.json:1: not JSON"),
        ("a.jsonl", ['{"file_name": "images/a.png", "texte": "1"}'], "a.jsonl:1: .*not an image"),
        ("a.csv", ["filename,size", "images/a.png,1"], "no label among the columns"),
        ("a.csv", ["filename,text,label", "images/a.png,1,2"], "text and label could both be"),
        ("a.csv", ["filename,text,text", "images/a.png,1,2"], "text and text could both be"),
        ("a.csv", ["image,xmin,ymin,xmax,ymax,label", "images/a.png,1,2,3,4,x"], "look like boxes"),
        ("a.csv", ["image,label,x1,y1,x2,y2", "images/a.png,x,1,2,3,4"], "x1, y1, x2, y2 look l"),
        ("a.csv", ["filename,region_shape_attributes", "images/a.png,1"], "look like boxes"),
        ("a.jsonl", ['{"image": "a.png", "text": "x", "bbox": [1, 2]}'], "bbox look.* like boxes"),
        ("a.csv", ["filename,text", 'images/a.png,"{""text"": ""x""}"'], "a.csv:2: .*is JSON, as"),
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
        ("a.csv", ["filename,words", "images/a.png,1,50"], "has 3 columns, but the header has 2"),
        (
            "a.csv",
            ["filename,text,region", "images/a.png,1"],
            "has 2 columns, but the header has 3",
        ),
        ("a.csv", ["filename,text", 'images/a.png,"one', 'two"'], "the label has 2 rows. A quote"),
        ("a.json", ['{"images/a.png": "one\\ntwo"}'], "2 rows; a label is one line of text"),
        ("a.json", ['{"images/a.png": 12}'], "the label 12 is not a string; put it in quotes"),
        ("images/a.gt.txt", ["one", "two"], "2 rows; a label is one line of text"),
        ("a.tsv", ["~\0b.png\tone"], "no such image"),
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
        (b"PK\x03\x04 and so on, more than that", "is a zip archive; unpack it first$"),
        ("images/a.png one".encode("utf-16-le"), "is UTF-16 text; save it as UTF-8"),
        ("images/a.png one".encode("utf-16-be"), "is UTF-16 text; save it as UTF-8"),
        (b"MATLAB 7.3 MAT-file" + bytes(100), "is a MATLAB file, not a label file; write"),
        (b"PAR1 one two three PAR1", "is a Parquet file, not a label file; write"),
        (bytes(range(32)) * 9, "is a binary file, not a label file; write its labels"),
        (b"<?xml version='1.0'?><annotations/>", "is XML, which is not read; write a labels.tsv"),
        (b"<annotation><filename>1.png</filename></annotation>", "is XML, which is not read"),
        (gzip.compress(b"images/a.png one\n", mtime=0), "is a compressed file"),
    ],
)
def test_a_file_in_another_encoding_is_refused(image_folder, content, reason):
    (image_folder / "a.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=reason):
        find_entries("a.txt")


def test_a_spreadsheet_is_saved_as_csv(image_folder):
    Path("a.xlsx").write_bytes(b"PK\x03\x04 and so on, more than that")
    with pytest.raises(DatasetError, match=r"a\.xlsx: is a spreadsheet; save it as CSV, in UTF-8"):
        find_entries("a.xlsx")


def test_an_image_is_no_data_set(image_folder):
    with pytest.raises(DatasetError, match=r"images/a\.png: is an image; name"):
        find_entries("images/a.png")


@pytest.mark.parametrize(
    "files, fix",
    [
        (["1.png", "annotations.csv"], "labels, and 'annotations.csv': name the file, if it"),
        (["1.png", "a.txt", "Labels.tsv"], "'a.txt': name the file that has the labels. Otherwi"),
        (["a.csv", "b.csv", "c.csv", "d.csv", "1.png"], "'b.csv', 'c.csv' and 1 more: name the"),
        (["my set/labels.tsv", "my set/1.png"], "The data set is in 'my set/': name that folder"),
        (["x/test/gt.txt", "train/metadata.csv"], "data sets in 'train/' and 'x/test/': name"),
        (["MJ/MJ_train/data.mdb"], "The data set is in 'MJ/MJ_train/': name that folder"),
        (["images/1.png", "annotations.xml"], "1 image without labels, and XML, which is not read"),
        (["12.png", "34.png"], "2 images without labels: .* text; or give --labels-from-names if"),
        (["img_07.png", "img_08.png"], "such as 'img_07.png', tab, text$"),
        (["alpha/1.png", "beta/1.png"], "'alpha/1.png', tab, 'alpha', if the names of the folders"),
    ],
)  # fmt: skip
def test_a_folder_without_labels_is_told_what_it_has(tmp_path, files, fix):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=f"no data set found; name .*{fix}"):
        find_entries(tmp_path)


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


@pytest.mark.parametrize("first", [0, 1])
def test_images_of_an_lmdb_beyond_its_number_are_counted(first, tmp_path):
    keys = (f"{kind}-{first + k:09}" for kind in ("image", "label") for k in range(5))
    database = write_lmdb(tmp_path / "set", {"num-samples": b"3", **dict.fromkeys(keys, b"1")})
    found = find_dataset(database)
    assert len(found.entries) == 3
    assert found.notes == (f"images beyond num-samples, not used: 2 (first: image-{first + 3:09})",)


def test_an_lmdb_may_be_counted_from_0(tmp_path):
    keys = {f"{kind}-{k:09}": b"%d" % k for kind in ("image", "label") for k in range(3)}
    database = write_lmdb(tmp_path / "set", {"num-samples": b"3", **keys})
    assert labels_of(find_entries(database)) == ["0", "1", "2"]


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


# --- quotes that are not closed, and images with several labels ---------------------------------


def test_a_quote_that_goes_on_over_rows_is_reported_where_it_opens(image_folder):
    rows = ["path,label,note", "images/a.png,one,", 'images/a.png,"two,', "images/a.png,3,"]
    annotate(image_folder / "a.csv", *rows, 'images/b.jpg,4",', "images/b.jpg,5,")
    found = find_dataset("a.csv")
    assert labels_of(found.entries) == ["one", "5"]
    (fault,) = (row for row in found.rows if isinstance(row, Fault))
    assert fault.place == "a.csv:3"
    assert (
        "the path or the label has 3 rows. A quote opens here and closes in row 5" in fault.reason
    )
    annotate(image_folder / "b.csv", *rows)
    reason = r"b.csv:3: cannot be read as CSV from here on .*, 'images/a.png,\"two,'"
    with pytest.raises(DatasetError, match=reason):
        find_dataset("b.csv")


def test_rows_that_a_cell_without_use_takes_up_are_counted(image_folder):
    rows = ("path,note,label", 'images/a.png,"x,1', "images/a.png,,2", 'images/a.png,x",3')
    annotate(image_folder / "a.csv", *rows, "images/b.jpg,,4")
    found = find_dataset("a.csv")
    assert labels_of(found.entries) == ["3", "4"]
    assert found.notes[0].startswith(
        "entries of several rows, because a quoted cell has line breaks: 1 (first: rows 2 to 4)"
    )


def test_an_image_with_two_labels_is_named(image_folder):
    annotate(image_folder / "a.txt", "images/a.png one", "images/b.jpg 2", "./images/a.png two")
    note = (
        "images in several rows with different labels: 1 (first: a.txt:1 'one', a.txt:3 'two'); "
        "correct them"
    )
    assert find_dataset("a.txt").notes == (note,)
    annotate(image_folder / "a.txt", "images/a.png one", "images/b.jpg 2", "./images/a.png one")
    assert find_dataset("a.txt").notes == ()


def test_numbers_at_the_end_of_most_names_are_reported(tmp_path):
    for name in ("one_0.png", "two_1.png", "preview.png"):
        picture(tmp_path / name)
    found = find_dataset(tmp_path, FROM_NAMES)
    assert labels_of(found.entries) == ["one_0", "preview", "two_1"]
    assert found.notes[0].startswith("2 of 3 file names end in _ and a number, which stays in")
    assert "'preview.png'" in found.notes[0]


# --- images without labels, and labels without images -------------------------------------------


def test_images_that_no_row_names_are_counted(image_folder):
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone", "../images/b.jpg\ttwo")
    assert find_dataset("images").notes == (
        "images in the folder without a usable row: 2 (first: images/com,ma.png)",
    )
    assert find_dataset("images/labels.tsv").notes == (), "another file may have their labels"
    rows = ("a.png\tone", "b.jpg\ttwo", "with space.png\t3", "com,ma.png\t4")
    annotate(image_folder / "images" / "labels.tsv", *rows)
    Path("link").symlink_to("images")
    annotate(
        image_folder / "images" / "labels.tsv", *(f"{Path('link').absolute()}/{r}" for r in rows)
    )
    assert find_dataset("images").notes == ()


def test_a_text_without_an_image_is_counted(tmp_path):
    picture(tmp_path / "a.png")
    for name in ("a.gt.txt", "b.gt.txt", "more/c.gt.txt", "README.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one")
    found = find_dataset(tmp_path)
    assert labels_of(found.rows) == ["one"]
    assert found.notes == (f"texts without an image: 2 (first: {tmp_path / 'b.gt.txt'})",)


# --- TFRecords ----------------------------------------------------------------------------------


def test_other_tfrecords_are_named_by_what_they_are(image_folder):
    boxes = {"image/encoded": b"x", "image/object/bbox/xmin": b"0"}
    write_example_record(Path("boxes.tfrecords"), boxes)
    with pytest.raises(DatasetError, match=r"boxes.tfrecords:1: .* looks like boxes"):
        find_entries("boxes.tfrecords")
    write_example_record(Path("other.tfrecords"), {"image/encoded": b"x", "image/height": b"3"})
    with pytest.raises(DatasetError, match=r"instead of image and label; write"):
        find_entries("other.tfrecords")


def test_a_number_as_a_label_says_what_to_write(image_folder):
    tf = pytest.importorskip("tensorflow")
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[7])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    with tf.io.TFRecordWriter("numbers.tfrecords") as writer:
        writer.write(example.SerializeToString())
    (fault,) = find_entries("numbers.tfrecords")
    assert fault.reason == "its label is a number; write it as text in UTF-8, in a bytes_list"


def test_a_damaged_file_is_reported_without_the_names_of_operations(image_folder):
    values = {"image": Path("images/a.png").read_bytes(), "label": b"one"}
    content = write_example_record(Path("cut.tfrecords"), values).read_bytes()
    Path("cut.tfrecords").write_bytes(content[:-30])
    with pytest.raises(DatasetError, match=r"^cut.tfrecords: damaged after record 0 \(") as error:
        find_entries("cut.tfrecords")
    assert "{{" not in str(error.value) and "[Op" not in str(error.value)


@pytest.mark.parametrize("name", ["labels.tsv", "lines.tfrecords"])
def test_a_pointer_of_git_lfs_is_to_be_fetched(tmp_path, name):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    (tmp_path / name).write_bytes(pointer)
    with pytest.raises(DatasetError, match=r"is a pointer of Git LFS.* fetch .* git lfs pull"):
        find_entries(tmp_path / name)
    with pytest.raises(ValueError, match=r"not a model of ocr_simple \(a pointer of Git LFS"):
        read_spec(tmp_path / name)


def test_an_empty_file_of_tfrecords_is_to_be_written_again(image_folder):
    Path("none.tfrecords").touch()
    with pytest.raises(DatasetError, match=r"^none.tfrecords: is empty; .*with aocr dataset"):
        find_entries("none.tfrecords")


def test_the_place_of_a_bad_image_is_named_once(image_folder):
    write_example_record(Path("bad.tfrecords"), {"image": b"no image", "label": b"one"})
    with pytest.raises(DatasetError) as error:
        select_usable(find_entries("bad.tfrecords"), ModelSpec(alphabet="eno"))
    assert str(error.value).count("bad.tfrecords:1: ") == 1


def test_a_label_of_several_parts_is_named_as_json_names_it(image_folder):
    Path("a.json").write_text('{"images/a.png": {"text": "a"}}')
    with pytest.raises(DatasetError, match="is an object, not a string"):
        find_entries("a.json")


@pytest.mark.parametrize("separator", ["\n", ""])
def test_a_json_file_over_the_limit_is_named_with_the_limit(tmp_path, monkeypatch, separator):
    monkeypatch.setattr(rows, "MOST_JSON", 50)
    content = f",{separator}".join(f'"{i}.png": "{i}"' for i in range(10))
    annotate(tmp_path / "labels.json", "{" + separator + content + separator + "}")
    with pytest.raises(DatasetError, match=r"labels\.json: over 50 characters of JSON; write JSON"):
        find_dataset(tmp_path / "labels.json")


def test_hidden_texts_without_an_image_are_not_counted(tmp_path):
    picture(tmp_path / "1.png")
    for name in ("1.gt.txt", "2.gt.txt", "__MACOSX/._1.gt.txt", ".cache/3.gt.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    (note,) = find_dataset(tmp_path).notes
    assert note.startswith("texts without an image: 1 (first: ") and "2.gt.txt" in note
