"""The figures are those of the papers, and the report holds what was found and nothing else."""

from ocr_simple.reports.metrics import Confusion
from ocr_simple.reports.metrics import Coverage
from ocr_simple.images import ImageError
from ocr_simple.text import Line
from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.metrics import aocr_accuracy
from ocr_simple.reports.metrics import evaluate
from ocr_simple.reports.report import report
from ocr_simple.reports.report import safe_name

import json
import math

import numpy as np
import pytest
from PIL import Image



def reading(truth: str, text: str, confidence: float = 0.5, **others) -> Reading:
    return Reading(others.pop("name", f"{truth}.png"), truth, Line(text, confidence, ()), **others)


def pixels(index: int) -> np.ndarray:
    return np.full((32, 100, 1), 200, np.uint8)


def test_rates_count_lines_characters_and_words():
    found = evaluate([reading("ab cd", "ab cd"), reading("abc", "abd"), reading("", "xy")])
    assert found.lines == 3
    assert found.exact == pytest.approx(1 / 3)
    assert found.cer == pytest.approx(3 / 8)
    assert found.wer == pytest.approx(2 / 3)
    assert found.similarity == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.confidence == 0.5


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(ValueError, match="no lines"):
        evaluate([])


def test_loss_is_of_the_lines_that_have_one():
    known = [reading("ab", "ab", loss=2.0), reading("abcd", "abcd", loss=4.0)]
    found = evaluate([*known, reading("abc", "abc")])
    assert found.loss == 3 and found.perplexity == pytest.approx(math.exp(6 / 6))
    assert "perplexity" in str(found)
    assert math.isnan(evaluate([reading("a", "a")]).loss)
    assert "perplexity" not in str(evaluate([reading("a", "a")]))
    assert evaluate([reading("a", "a", loss=1e6)]).perplexity == math.inf


def test_confusions_come_from_the_alignment():
    found = evaluate([reading("1234", "1734"), reading("129", "179"), reading("55", "5"),
                      reading("8", "88")])  # fmt: skip
    assert found.confusions == (
        Confusion("2", "7", 2),
        Confusion("", "8", 1),
        Confusion("5", "", 1),
    )


def test_characters_have_recall_and_precision():
    found = evaluate([reading("117", "177"), reading("7", "7"), reading("0", "x")])
    scores = {score.character: score for score in found.by_character}
    assert (scores["1"].count, scores["1"].recall, scores["1"].precision) == (2, 0.5, 1.0)
    assert (scores["7"].count, scores["7"].recall) == (2, 1.0)
    assert scores["7"].precision == pytest.approx(2 / 3)
    assert scores["x"].count == 0 and math.isnan(scores["x"].recall)
    assert scores["0"].recall == 0 and math.isnan(scores["0"].precision)


def test_lengths_are_those_of_the_truths():
    found = evaluate([reading("12", "12"), reading("34", "3"), reading("5", "5")])
    rows = [(s.length, s.lines, s.exact, s.cer) for s in found.by_length]
    assert rows == [(1, 1, 1.0, 0.0), (2, 2, 0.5, 0.25)]


def test_coverage_is_the_most_lines_that_reach_a_goal():
    lines = [("1", 0.99), ("1", 0.98), ("2", 0.9), ("1", 0.8), ("2", 0.3)]
    readings = [reading("1", text, confidence) for text, confidence in lines]
    assert coverage(readings, 1.0) == Coverage(1.0, 0.98, 0.4)
    assert coverage(readings, 0.75) == Coverage(0.75, 0.8, 0.8)
    assert coverage(readings, 0.6) == Coverage(0.6, 0.3, 1.0)


def test_lines_as_sure_as_each_other_are_answered_together_or_not_at_all():
    readings = [reading("1", "1", 0.9), reading("1", "2", 0.9), reading("1", "1", 0.5)]
    assert coverage(readings, 0.6) == Coverage(0.6, 0.5, 1.0)
    assert coverage(readings, 0.9) == Coverage(0.9, math.inf, 0.0)


def test_calibration_error_is_the_mean_distance_of_confidence_from_exactness():
    sure = [reading("1", "1", 0.95)] * 3 + [reading("1", "2", 0.95)]
    unsure = [reading("1", "1", 0.25), reading("1", "", 0.0), reading("1", "1", 1.0)]
    found = evaluate(sure + unsure)
    assert [b.lines for b in found.calibration] == [1, 0, 1, 0, 0, 0, 0, 0, 0, 5]
    assert found.calibration[-1].exact == pytest.approx(0.8)
    assert found.ece == pytest.approx((1 * 0 + 1 * 0.75 + 5 * abs(0.96 - 0.8)) / 7)


def test_worst_lines_and_suspects_are_in_order():
    found = evaluate([
        reading("12", "12", 0.99), reading("1234", "1235", 0.92), reading("12", "34", 0.3),
        reading("56", "78", 0.95), reading("123", "124", 0.89),
    ])  # fmt: skip
    assert found.worst == (3, 2, 4, 1)
    assert found.suspects == (3, 1)


@pytest.mark.parametrize(
    ("truth", "text", "accuracy"),
    [("1234", "1234", 1), ("1234", "1235", 0.75), ("1", "2345", 0), ("", "", 1), ("", "1", 0)],
)
def test_aocr_accuracy(truth, text, accuracy):
    assert aocr_accuracy(truth, text) == accuracy
    assert aocr_accuracy(truth, text, distance=False) == (truth == text)


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
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["x" * 500, "字" * 500, "x" * 118 + "...y", "con." + "x" * 500])
def test_safe_name_is_bounded_and_can_be_made(name, tmp_path):
    (tmp_path / safe_name(name)).mkdir()
    assert len(safe_name(name).encode()) <= 120


def test_report_writes_figures_pictures_and_lines(tmp_path):
    folder = tmp_path / "new" / "results"
    readings = [reading("12", "12", np.float32(0.9)), reading("34", "31", 0.95, loss=3.0)]
    found = report(readings, folder, pixels, title="Digits")
    pictures = {"confusions.png", "worst.png", "suspects.png", "reliability.png", "coverage.png"}
    assert {p.name for p in folder.iterdir()} == {
        "report.md",
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


def test_report_without_errors_leaves_their_pictures_out(tmp_path):
    report([reading("1", "2", 0.99)], tmp_path, pixels)
    report([reading("1", "1", 0.99)], tmp_path, pixels)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"report.md", "report.json", "lines.tsv", "reliability.png", "coverage.png"}
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "every line was read exactly" in text and "Suspected" not in text
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["loss"] is None


@pytest.mark.filterwarnings("error::UserWarning")
def test_report_is_safe_for_any_label_and_name(tmp_path):
    names = ["a|b", "`x`", "<b>", "\udcff.png", "a\nb\tc"]
    report([reading("|`<", " *\t", name=name) for name in names], tmp_path, pixels, "a\n# b")
    rows = (tmp_path / "report.md").read_text("utf-8").splitlines()
    assert rows[0] == r"# a\\n# b"
    assert r"| a\|b | \|\`\< | ␣\*\\t | 50.00% |" in rows
    assert all(len(row.split("\t")) == 4 for row in (tmp_path / "lines.tsv").open(encoding="utf-8"))
    json.loads((tmp_path / "report.json").read_text("utf-8"))


def test_long_tables_are_cut_but_not_in_the_json(tmp_path):
    wrong = [reading(f"{i:03}", "x") for i in range(evaluation.ROWS + 5)]
    report(wrong, tmp_path, pixels)
    assert "... and 5 more, in report.json" in (tmp_path / "report.md").read_text("utf-8")
    assert len(json.loads((tmp_path / "report.json").read_text("utf-8"))["worst"]) == len(wrong)


def test_report_asks_only_for_the_images_it_draws(tmp_path):
    asked = []
    wrong = [reading(f"{i}", "x") for i in range(100)]
    report(wrong, tmp_path, lambda i: (asked.append(i), pixels(i))[1])
    assert len(asked) == evaluation.SHEET


def test_an_image_that_cannot_be_read_is_drawn_empty(tmp_path):
    def broken(index):
        raise ImageError("a.png: not an image")

    report([reading("12", "", 0.0)], tmp_path, broken)
    assert (tmp_path / "worst.png").is_file()


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    file = tmp_path / "results"
    file.write_text("")
    for place in (file, file / "under"):
        with pytest.raises(ValueError, match="a file is in the way"):
            report([reading("1", "1")], place, pixels)
