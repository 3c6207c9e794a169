"""Annotation files and folders: what their rows mean, and what is reported of bad ones."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.datasets import annotate, picture

from ocr_simple.datasets.annotations import (
    DatasetError,
    Fault,
    find_dataset,
    find_entries,
    read_labels,
    require_entries,
    write_folder,
)
from ocr_simple.datasets.labelled_lines import load_image


def labels(found):
    return [(os.path.basename(entry.file), entry.label) for entry in found]


@pytest.mark.parametrize(
    "line, label",
    [
        ("images/a.png hello", "hello"),
        ("images/a.png  two words ", "two words"),
        ("images/a.png 1,234", "1,234"),
        ("images/a.png\thello", "hello"),
        ("images/a.png\tName", "Name"),  # no header, though columns may be called so
        ("images/a.png\tone, image", "one, image"),
        ("images/a.png,hello", "hello"),
        ("images/a.png, 1,50", "1,50"),
        ("images/with space.png\thello", "hello"),
        ("images/with space.png,hello", "hello"),
        ('"images/com,ma.png",hello', "hello"),
        ("images/com,ma.png hello", "hello"),
        ("images/a.png e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\ufeffimages/a.png hello", "hello"),
        ("images/a.png\t", ""),
        ("images/a.png\t ", ""),
        ("images/a.png,", ""),
        ("images\\a.png hello", "hello"),
        ("images\\a.png\thello", "hello"),
        ('images/a.png, "say \\"hi\\""', 'say "hi"'),
        ('images/a.png, "say ""hi"""', 'say "hi"'),
        ('images/a.png, "[06], a\\\\b \\""', '[06], a\\b "'),
        ("images/a.png\tone\u2028two", "one two"),
        ("images/a.png\tone\x0btwo\x0cthree\x85four", "one two three four"),
        ("images/a.png\tone\rtwo", "one two"),
        ("images/a.png\t\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("images/a.png\thello\t0.98765", "hello"),
        ("images/a.png\ta\\tb\\\\c\t0.98765\tunsure", "a b\\c"),
    ],
)
def test_a_row_is_a_path_and_a_label(image_folder, line, label):
    (entry,) = find_entries(annotate(image_folder / "annotations.txt", line))
    assert entry.label == label and Path(entry.file).name in line


def test_a_path_may_be_absolute_or_relative_to_here_or_to_the_annotations(
    image_folder, monkeypatch
):
    picture(image_folder / "set" / "c.png")
    lines = (f"{image_folder / 'images' / 'a.png'} 1", "images/b.jpg 2", "c.png 3")
    found = find_entries(annotate(image_folder / "set" / "annotations.txt", *lines))
    assert labels(found) == [("a.png", "1"), ("b.jpg", "2"), ("c.png", "3")]


def test_a_folder_is_read_by_its_labels(image_folder):
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone", "with space.png\ttwo")
    assert labels(find_entries(image_folder / "images")) == [
        ("a.png", "one"),
        ("with space.png", "two"),
    ]


def test_a_folder_means_its_images_whatever_is_in_the_working_directory(image_folder):
    picture(image_folder / "a.png")
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone", "images/b.jpg\ttwo")
    found = find_entries(image_folder / "images")
    assert [Path(entry.file).parent.name for entry in found] == ["images", "images"]


@pytest.mark.parametrize(
    "line, reason",
    [
        ("images/gone.png hello", "no such image 'images/gone.png'"),
        ("images/a.png", "no label for 'images/a.png'"),
        ("images/with space.png hello", "the path 'images/with space.png' has a space; put a tab"),
        ("images/a.png;hello", "separated by a semicolon; put a tab or a comma"),
        ("images/a.png\thello\tmore", "has 3 columns; a path and a label are two"),
        ('images/a.png,"hello",more', "has more than two columns"),
        ('images/a.png,"say "hi""', "cannot be read as CSV"),
        (
            "images/a.png\ta\u200bb\ufeff",
            "U+200B ZERO WIDTH SPACE, U+FEFF ZERO WIDTH",
        ),
        (
            "images/a.png\ta\u200eb",
            "U+200E LEFT-TO-RIGHT MARK; correct it, or remove",
        ),
        ("images/a.png\tlove \u2764\ufe0f", "U+FE0F VARIATION SELECTOR-16; correct it, or remove"),
        ("images/a.png\t\U0001f468\u200d\U0001f469", "U+200D ZERO WIDTH JOINER; correct it"),
        ("images/a.png\ta\x07b", "U+0007 control character"),
        ("images/a.png\tab\u200d", "U+200D ZERO WIDTH JOINER"),
        ("images/with space.png", "no label for 'images/with space.png'"),
        ("images hello", "no such image 'images'"),
        ("images/A.PNG hello", "did you mean 'images/a.png'?"),
        ("scans/a.png hello", "did you mean 'images/a.png'?"),
        ("images/a\thello", "did you mean 'images/a.png'?"),
        ("C:\\Users\\Max\\a.png\thello", "did you mean 'images/a.png'?"),
        ("/data/upload/1/1f2e3d4c-a.png\thello", "did you mean 'images/a.png'?"),
        ("/data/local-files/?d=set/a.png\thello", "did you mean 'images/a.png'?"),
        ("file:///elsewhere/with%20space.png\thello", "did you mean 'images/with space.png'?"),
        ("https://example.org/a.png?raw=1\thello", "did you mean 'images/a.png'?"),
        ("https://example.org/gone.png\thello", "web addresses are not read: download the images"),
        ("'images/a.png'\thello", "did you mean 'images/a.png'?"),
        ("hello\timages/a.png", "path and label are swapped: write the path first"),
        ("images/a.png|hello", "put a tab instead of '|' between the path and the label"),
        ("images/a.png: hello you", "put a tab instead of ':' between the path and the label"),
        ("images/a.png->hello", "put a tab instead of '->' between the path and the label"),
        ("0,images/a.png,hello", "the path is not the first column: add a header that names all"),
        ("# one comment", "if it is a comment, remove this row"),
        ("x" * 5000 + " hello", "no such image"),
        ("a\0b hello", "no such image"),
    ],
)
def test_a_bad_row_is_reported_with_its_place(image_folder, line, reason):
    (_, fault) = find_entries(annotate(image_folder / "annotations.txt", "images/a.png 1", line))
    assert isinstance(fault, Fault) and reason in fault.reason
    assert fault.place.endswith("annotations.txt:2")


@pytest.mark.parametrize(
    "name, rows, labels",
    [
        ("a.csv", ["images/a.png , AB-1", "images/b.jpg , 2 3"], ["AB-1", "2 3"]),
        ("a.csv", ["images/a.png,AB,,,", 'images/b.jpg,"C",,'], ["AB", "C"]),
        ("a.csv", ["images/a.png one", "images/b.jpg 1,50"], ["one", "1,50"]),
        ("a.csv", ["filename,text", "images/a.png,AB,,,"], ["AB"]),
        ("a.csv", ["sep=,", "filename,text", "images/a.png,AB"], ["AB"]),
        ("a.csv", ['"sep=,"', "images/a.png,AB"], ["AB"]),
        ("a.tsv", ['images/a.png\t"AB"', 'images/b.jpg\t"say ""hi"""'], ["AB", 'say "hi"']),
        ("a.txt", ['images/a.png "A B"', 'images/b.jpg "C"'], ["A B", "C"]),
        ("a.txt", ['images/a.png "AB"', "images/b.jpg C"], ['"AB"', "C"]),
        ("a.txt", ["images/a.png -5", "images/b.jpg -6"], ["-5", "-6"]),
        ("a.txt", ["images/a.png , 5", "images/b.jpg 6"], [", 5", "6"]),
        ("a.tsv", ["images/a.png\t:30", "images/b.jpg\t:45"], [":30", ":45"]),
        ("a.json", ['{"images/a.png": "- 1", "images/b.jpg": "- 2"}'], ["- 1", "- 2"]),
    ],
)
def test_columns_are_separated_as_the_file_means_it(image_folder, name, rows, labels):
    found = find_entries(annotate(image_folder / name, *rows))
    assert [entry.label for entry in found] == labels


@pytest.mark.parametrize("separator", [",", ";", ":", "|", "=", "-", "->", "=>", "–"])
def test_a_separator_is_no_part_of_every_label(image_folder, separator):
    rows = (f"images/a.png {separator} AB", f"images/b.jpg {separator} C")
    file = annotate(image_folder / "a.txt", *rows)
    with pytest.raises(DatasetError, match=r"a\.txt: every label begins with .* put only a t") as e:
        find_entries(file)
    assert repr(separator) in str(e.value)


def test_labels_in_single_quotes_are_refused(image_folder):
    file = annotate(image_folder / "a.txt", "images/a.png 'AB'", "images/b.jpg 'C'")
    with pytest.raises(DatasetError, match=r"every label is in single quotes, .*'AB'.*; remove"):
        find_entries(file)


@pytest.mark.parametrize(
    "label", ['"=""00451"""', "'00451", "1.23457E+12", "#NAME?", "########", '"=""AB"""']
)
def test_labels_that_a_spreadsheet_changed_are_counted(image_folder, label):
    rows = ("filename,text", f"images/a.png,{label}", "images/b.jpg,1e5 C#")
    (note,) = find_dataset(annotate(image_folder / "a.csv", *rows)).notes
    assert note.startswith("labels that a spreadsheet may have changed: 1 (first: ")


@pytest.mark.parametrize("separator", [",", "\t", ";", " "])
def test_a_header_with_unknown_names_is_told_from_a_missing_image(image_folder, separator):
    rows = (f"Dateiname{separator}Text", f"images/a.png{separator}one")
    fault = find_entries(annotate(image_folder / "a.txt", *rows))[0]
    assert fault.reason == (
        "'Dateiname' looks like the name of a column; name the column of the paths file_name, and "
        "that of the labels text"
    )


def test_of_images_with_the_same_name_the_folders_decide(image_folder):
    for folder in ("train", "test"):
        picture(image_folder / "scans" / folder / "c.png")
    rows = ("D:/scans/test/c.png\tone", "test/c.png\tone", "c.png\tone")
    reasons = [fault.reason for fault in find_entries(annotate(image_folder / "a.tsv", *rows))]
    assert all(reason.endswith("did you mean 'scans/test/c.png'?") for reason in reasons[:2])
    assert "is there" not in reasons[2]


def test_a_file_name_is_found_in_any_unicode_form(image_folder):
    picture(image_folder / "u\u0308ber.png")
    file = annotate(image_folder / "a.tsv", "\u00fcber.png\tone")
    assert labels(find_entries(file)) == [("u\u0308ber.png", "one")]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00 caf\xe9 not UTF-8 at all"])
def test_a_file_that_is_no_data_set_is_an_error_that_names_it(image_folder, content):
    (image_folder / "annotations.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=r"annotations\.txt: .*(add|save)"):
        find_entries(image_folder / "annotations.txt")


@pytest.mark.parametrize("name", ["gone.txt", "images"])
def test_a_data_set_that_is_not_there_is_an_error_that_names_it(image_folder, name):
    with pytest.raises(DatasetError, match=f"{name}: no data set found; name"):
        find_entries(name)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_written_folder_is_a_data_set(tmp_path, channels):
    images = [np.full((8, 20 + i, channels), 10 * i, np.uint8) for i in range(3)]
    write_folder(tmp_path / "new" / "set", images, ["1", "two words", "é"])
    assert read_labels(tmp_path / "new" / "set") == {
        "000.png": "1",
        "001.png": "two words",
        "002.png": "é",
    }
    entries = require_entries(tmp_path / "new" / "set")
    assert all((load_image(e, channels) == pixels).all() for e, pixels in zip(entries, images))
    with pytest.raises(ValueError):
        write_folder(tmp_path, images, ["1", "2"])


def test_labels_of_a_folder_with_bad_rows_are_an_error_that_lists_them(image_folder):
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone", "gone.png\ttwo", "b.jpg")
    with pytest.raises(DatasetError, match="2 of 3 rows cannot be used") as error:
        read_labels(image_folder / "images")
    assert "labels.tsv:2: no such image 'gone.png'" in str(error.value)
    assert "labels.tsv:3: no label for 'b.jpg'" in str(error.value)
