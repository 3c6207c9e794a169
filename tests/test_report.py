"""A report holds what was found and nothing else."""

import json

import numpy as np
import pytest
from PIL import Image

from ocr_simple.images import ImageError
from ocr_simple.reports.markdown import MOST_ROWS
from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.report import SHEET, safe_file_name, write_report
from ocr_simple.reports.report_page import MOST_WRONG
from ocr_simple.text import Line


def reading(truth: str, text: str, confidence: float = 0.5, **others) -> Reading:
    return Reading(others.pop("name", f"{truth}.png"), truth, Line(text, confidence, ()), **others)


def pixels(index: int) -> np.ndarray:
    return np.full((32, 100, 1), 200, np.uint8)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.png", "a.png"), ("scans/1 a.png", "scans_1 a.png"), ("..\\x", "_x"), ("", "_"),
        ("...", "_"), (".git", "git"), ("con.txt", "_con.txt"), ("Console", "Console"),
        ("LPT1", "_LPT1"), ("a\tb\x00c\u202e", "a_b_c_"), ("字 ", "字"), ("\udcff", "_"),
        ('<>:"|?*', "_______"), ("e\u0301", "é"),
    ],
)  # fmt: skip
def test_safe_name(name, safe):
    assert safe_file_name(name) == safe


@pytest.mark.parametrize("name", ["x" * 500, "字" * 500, "x" * 118 + "...y", "con." + "x" * 500])
def test_safe_name_is_bounded_and_can_be_made(name, tmp_path):
    (tmp_path / safe_file_name(name)).mkdir()
    assert len(safe_file_name(name).encode()) <= 120


def test_report_writes_figures_pictures_and_lines(tmp_path):
    folder = tmp_path / "new" / "results"
    readings = [reading("12", "12", np.float32(0.9)), reading("34", "31", 0.95, loss=3.0)]
    found = write_report(readings, folder, pixels, title="Digits")
    pictures = {"confusions.png", "worst.png", "suspects.png", "reliability.png", "coverage.png"}
    assert {p.name for p in folder.iterdir()} == {
        "report.md",
        "report.html",
        "report.json",
        "lines.tsv",
    } | pictures
    text = (folder / "report.md").read_text("utf-8")
    assert text.startswith("# Digits\n") and str(found) in text
    for name in pictures:
        assert f"]({name})" in text
        Image.open(folder / name).verify()
    values = json.loads((folder / "report.json").read_text("utf-8"))
    assert values["exact"] == 0.5 and values["loss"] == 3
    assert values["confusions"] == [{"truth": "4", "read": "1", "count": 1}]
    assert [line["text"] for line in values["worst"]] == ["31"]
    assert (folder / "lines.tsv").read_text("utf-8").splitlines()[1:] == [
        "12.png\t12\t12\t0.9000",
        "34.png\t34\t31\t0.9500",
    ]


def test_what_few_accepted_lines_show_is_said_beside_a_minimum_confidence(tmp_path):
    write_report([reading("1", "1", 0.9)] * 4 + [reading("1", "2", 0.5)], tmp_path, pixels)
    assert (
        "| 99.0% | 0.9000 | 80.00% | 100.0% (51 to 100 %) |" in (tmp_path / "report.md").read_text()
    )
    assert "100.0% (51 to 100 %)" in (tmp_path / "report.html").read_text()


def test_report_without_errors_leaves_their_pictures_out(tmp_path):
    write_report([reading("1", "2", 0.99)], tmp_path, pixels)
    write_report([reading("1", "1", 0.99)], tmp_path, pixels)
    names = {p.name for p in tmp_path.iterdir()}
    texts = {"report.md", "report.html", "report.json", "lines.tsv"}
    assert names == texts | {"reliability.png", "coverage.png"}
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "every line was read exactly" in text and "Suspected" not in text
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["loss"] is None


@pytest.mark.filterwarnings("error::UserWarning")
def test_report_is_safe_for_any_label_and_name(tmp_path):
    names = ["a|b", "`x`", "<b>", "\udcff.png", "a\nb\tc"]
    write_report([reading("|`<", " *\t", name=name) for name in names], tmp_path, pixels, "a\n# b")
    rows = (tmp_path / "report.md").read_text("utf-8").splitlines()
    assert rows[0] == r"# a\\n# b"
    assert r"| a\|b | \|\`\< | ␣\*\\t | 50.00% |" in rows
    assert all(len(row.split("\t")) == 4 for row in (tmp_path / "lines.tsv").open(encoding="utf-8"))
    json.loads((tmp_path / "report.json").read_text("utf-8"))


def test_long_tables_are_cut_but_not_in_the_json(tmp_path):
    wrong = [reading(f"{i:03}", "x") for i in range(MOST_ROWS + 5)]
    write_report(wrong, tmp_path, pixels)
    assert "... and 5 more, in report.json" in (tmp_path / "report.md").read_text("utf-8")
    assert len(json.loads((tmp_path / "report.json").read_text("utf-8"))["worst"]) == len(wrong)


def test_report_asks_only_for_the_images_it_draws(tmp_path):
    asked = []
    wrong = [reading(f"{i}", "x") for i in range(MOST_WRONG + 50)]
    write_report(wrong, tmp_path, lambda i: (asked.append(i), pixels(i))[1])
    assert len(asked) == SHEET + MOST_WRONG


def test_an_image_that_cannot_be_read_is_drawn_empty(tmp_path):
    def broken(index):
        raise ImageError("a.png: not an image")

    write_report([reading("12", "", 0.0)], tmp_path, broken)
    assert (tmp_path / "worst.png").is_file()


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    file = tmp_path / "results"
    file.write_text("")
    for place in (file, file / "under"):
        with pytest.raises(ValueError, match="a file is in the way"):
            write_report([reading("1", "1")], place, pixels)


def test_labels_that_the_model_cannot_read_are_counted(tmp_path):
    write_report([reading("A", "4", 0.99, unknown="A"), reading("1", "1")], tmp_path, pixels)
    text = (tmp_path / "report.md").read_text("utf-8")
    assert r"1 of 2 labels have characters that the model cannot read\: A." in text
    assert "Suspected label errors" not in text
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["unknown_lines"] == 1
