"""Names, labels and readings of strangers cannot control a terminal, or run in a spreadsheet."""

import json
import logging
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.commands import status_of

from aocr import evaluate
from aocr.server import pages
from ocr_simple.command_line import MessageFormatter, say
from ocr_simple.datasets.annotations import Dataset
from ocr_simple.datasets.entries import Entry
from ocr_simple.datasets.record_writer import WriteSummary
from ocr_simple.messages import CONTROLS, HIDDEN, escape_controls, escape_json, escape_message
from ocr_simple.options import InferenceOptions
from ocr_simple.reading_commands import format_line, plan
from ocr_simple.reports.markdown import cell
from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.validation import Validation
from ocr_simple.runs.journal import log
from ocr_simple.text import Alternative, Line

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
OTHERS = "\x00\x07\x08\r\x1b\x7f\x85\x9b\x9d\u2028\u2029\u200b\u2060\ufeff\U000e0041"
EVIL = f"a\x1b]0;title\x07{BIDI}{OTHERS}b"


def is_safe(text: str) -> bool:
    return not CONTROLS.search(text.replace("\n", "").replace("\t", ""))


def test_each_character_that_changes_how_text_is_shown_is_escaped():
    for character in BIDI + OTHERS:
        assert escape_controls(f"a{character}b").isascii() and is_safe(escape_controls(character))
    assert escape_controls("\u202e\x1b\U000e0041\r") == r"\u202e\x1b\U000e0041\r"


def test_letters_of_all_scripts_stay():
    text = "naïve שלום مرحبا \u06a9\u200c\u06cc क\u094d\u200dष 漢字 😀"
    assert escape_controls(text) == escape_message(text) == escape_json(text) == text


def test_a_message_keeps_its_rows():
    assert escape_message("a:\n  b\tc\r\x1b") == "a:\n  b\tc\\r\\x1b"


def test_what_is_said_is_escaped(capsys):
    say(EVIL)
    log(EVIL)
    out, err = capsys.readouterr()
    assert is_safe(out) and is_safe(err) and out == err == escape_message(EVIL) + "\n"


def test_what_is_logged_is_escaped():
    record = logging.LogRecord("ocr_simple", logging.INFO, "", 0, "label %s", (EVIL,), None)
    assert MessageFormatter("%(message)s").format(record) == f"label {escape_message(EVIL)}"


@pytest.mark.parametrize("style", ["text", "aocr", "tsv", "json"])
def test_readings_are_printed_on_one_row_and_escaped(style):
    row = format_line(EVIL, Line(EVIL, 0.5, ()), style)
    assert not CONTROLS.search(row.replace("\t", ""))
    if style == "json":
        assert json.loads(row)["text"] == json.loads(row)["path"] == EVIL


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"])
def test_a_spreadsheet_runs_no_cell_where_that_is_asked(text):
    line = Line(text, 0.5, ())
    assert format_line(text, line, "tsv", safe=True) == f"'{text}\t'{text}\t0.50000"
    assert format_line(text, line, "tsv") == f"{text}\t{text}\t0.50000"
    assert format_line("a=b", Line("1-2", 0.5, ()), "tsv", safe=True) == "a=b\t1-2\t0.50000"


def test_safe_tsv_is_for_tsv():
    with pytest.raises(ValueError, match="--safe-tsv needs --format tsv, not text"):
        plan(InferenceOptions(safe_tsv=True))


def test_alternatives_are_printed_where_they_are_asked_for():
    line = Line("12", 0.7, (), alternatives=(Alternative("1\t2", 0.2),))
    asked, twice = partial(format_line, "a.png", line), Line("12", 0.7, ())
    assert asked("text") == "a.png: 12  (70.0%; or 1\\t2 20.0%)"
    assert asked("tsv", alternatives=2) == "a.png\t12\t0.70000\t1\\t2\t0.20000\t\t"
    assert asked("tsv", 0.8, alternatives=1) == "a.png\t12\t0.70000\tunsure\t1\\t2\t0.20000"
    found = json.loads(asked("json", alternatives=2))["alternatives"]
    assert found == [{"text": "1\t2", "confidence": 0.2}]
    assert json.loads(format_line("a.png", twice, "json", alternatives=2))["alternatives"] == []
    assert "alternatives" not in json.loads(format_line("a.png", twice, "json"))


def test_the_format_of_aocr_has_no_alternatives():
    with pytest.raises(ValueError, match="--alternatives 3 cannot be shown in --format aocr"):
        plan(InferenceOptions(format="aocr", alternatives=3))


def test_summaries_of_data_sets_are_escaped_when_they_are_said(capsys):
    entry = Entry("a.txt:1", "a.png", EVIL, "a.png")
    say(Dataset(f"d\x1b{BIDI}", "rows", [entry], (f"note \x1b{BIDI}",)))
    say(WriteSummary([], [EVIL], [(3, 4)], 0, [], ""))
    assert is_safe(capsys.readouterr().out)


def test_the_log_of_aocr_test_has_one_row_for_each_line():
    row = evaluate._log_line(1, 0.5, 1.0, Reading("n\r", EVIL, Line("x\ny", 0.5, ()), 1.0), True)
    assert not CONTROLS.search(row)


def test_misread_images_are_said_escaped(capsys):
    pixels = [np.zeros((2, 2, 1), np.uint8)]
    say(Validation.of(1, [Reading(EVIL, "x", Line(EVIL, 0.5, ()), 1.0)], pixels).misread_images())
    assert is_safe(capsys.readouterr().out)


def test_errors_of_a_command_are_escaped(capsys, monkeypatch, tmp_path):
    from aocr import cli

    monkeypatch.chdir(tmp_path)
    assert status_of(cli.main, ["dataset", f"none\x1b]0;x\x07{BIDI}", "out.tfrecords"]) == 2
    assert is_safe(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example/x", r"https\://a\.example/x"),
        ("www.a.example", r"www\.a\.example"),
        ("me@a.example", r"me@<!-- -->a\.example"),
        ("@user", "@<!-- -->user"),
        ("[a](b)", r"\[a\](b)"),
    ],
)
def test_a_report_makes_no_links(text, expected):
    assert cell(text) == expected


def test_a_table_that_the_page_copies_has_none_of_these_characters_either():
    page = (Path(pages.__file__).parent / "results.js").read_text("utf-8")
    found = re.search(r"const HIDDEN = /\[(.+)\]/gu", page)
    python = re.sub(r"\\U000(\w{5})", r"\\u{\1}", HIDDEN)
    assert found and found[1] == python
