"""Fonts that fonts/make.py makes: of writers, printers, displays, and of collected digits."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont
from support.lines import font_named

from ocr_simple.drawing.fonts import characters_drawn
from ocr_simple.runs.model_files import PRETRAINED
from ocr_simple.spec import read_spec

FONTS = Path(__file__).resolve().parent.parent / "fonts"
sys.path.insert(0, str(FONTS))

import displays
import handwriting
import make

DIGITS = "0123456789"


def ink(file: Path, text: str) -> np.ndarray:
    font = ImageFont.truetype(str(file), 48)
    mask = font.getmask2(text, "L", anchor="ls")
    canvas = np.zeros((96, 96), bool)
    (left, top), (columns, rows) = mask[1], mask[0].size
    found = np.frombuffer(bytes(mask[0]), np.uint8).reshape(rows, columns) > 127
    canvas[72 + top : 72 + top + rows, 24 + left : 24 + left + columns] = found
    return canvas


@pytest.mark.parametrize("kind", [make.written_by, make.printer, make.display])
def test_a_made_font_draws_every_digit_and_the_marks(kind, tmp_path):
    make.save_font(tmp_path / "a.ttf", kind(np.random.default_rng(0)))
    assert characters_drawn(str(tmp_path / "a.ttf"), DIGITS + ".- ") == DIGITS + ".- "


def test_the_segments_of_a_digit_are_some_of_the_eights(tmp_path):
    for seed in range(8):
        file = tmp_path / f"{seed}.ttf"
        make.save_font(file, displays.segments(np.random.default_rng(seed)))
        eight = ink(file, "8")
        for digit in "0123456790":
            assert not (ink(file, digit) & ~eight).any()
            assert 0.15 < ink(file, digit).sum() / eight.sum() < 0.95


@pytest.mark.parametrize("seed", range(8))
def test_the_point_of_a_display_stands_at_the_foot_of_the_digit_before_it(seed, tmp_path):
    file = tmp_path / "a.ttf"
    make.save_font(file, displays.segments(np.random.default_rng(seed)))
    assert characters_drawn(str(file), DIGITS + ".,:- /") == DIGITS + ".,:- "
    font = ImageFont.truetype(str(file), 96)
    assert font.getlength(".") < 0.6 * font.getlength("8")
    digit, point = (font.getbbox(character, anchor="ls") for character in "8.")
    before = font.getlength("8")  # to where the point's cell starts
    assert point[1] > 0.5 * digit[1], "in the lower half"
    assert before + point[2] <= before + font.getlength(".") + 1, "and in its cell or left of it"
    assert (digit[0] + digit[2]) / 2 < before + point[0], "and right of the digit's middle"


@pytest.mark.parametrize("seed", range(24))
def test_the_point_of_a_display_is_seen_apart_from_the_digits_beside_it(seed, tmp_path):
    make.save_font(tmp_path / "a.ttf", displays.segments(np.random.default_rng(seed)))
    font = ImageFont.truetype(str(tmp_path / "a.ttf"), 250)  # digits are 190 pixels high
    places = 100, 100 + font.getlength("8"), 100 + font.getlength("8.")
    masks = [np.zeros((300, 1200), np.uint8) for _ in places]
    for mask, character, x in zip(masks, "8.8", places):
        picture = Image.new("L", mask.shape[::-1])
        ImageDraw.Draw(picture).text((x, 250), character, 255, font=font, anchor="ls")
        mask[np.asarray(picture) > 127] = 1
    before, point, after = masks
    wider = cv2.dilate(point, np.ones((13, 13), np.uint8))
    assert point.any() and not (wider & (before | after)).any()


def test_a_panel_draws_the_whole_alphabet_of_numbers_with_narrow_points(tmp_path):
    for seed in range(4):
        file = tmp_path / f"{seed}.ttf"
        make.save_font(file, displays.panel(np.random.default_rng(seed)))
        assert characters_drawn(str(file), DIGITS + ".,:-/ ") == DIGITS + ".,:-/ "


@pytest.mark.parametrize("seed", range(6))  # drawn, of dots, of needles
def test_a_printers_characters_are_of_one_width_and_tell_digits_apart(seed, tmp_path):
    make.save_font(tmp_path / "a.ttf", make.printer(np.random.default_rng(seed)))
    font = ImageFont.truetype(str(tmp_path / "a.ttf"), 48)
    assert len({font.getlength(character) for character in DIGITS + ".,:-/ "}) == 1
    drawn = [ink(tmp_path / "a.ttf", digit) for digit in DIGITS]
    for i, one in enumerate(drawn):
        assert all((one != other).sum() > 0.08 * one.sum() for other in drawn[:i])


def test_two_writers_write_alike_only_with_the_same_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make.save_font(tmp_path / f"{name}.ttf", make.written_by(np.random.default_rng(seed)))
    a, b, c = (ink(tmp_path / f"{name}.ttf", "4") for name in "abc")
    assert (a == b).all() and (a != c).any()


def test_zeros_that_are_linked_reach_under_the_next_one(monkeypatch):
    linked = handwriting.LINKED_ZEROS[:1]
    for forms, overlaps in ((linked, True), (handwriting.FORMS["0"][:1], False)):
        monkeypatch.setitem(handwriting.FORMS, "0", forms)
        glyph = make.written_by(np.random.default_rng(3))["0"]
        right = max(points[:, 0].max() for points in glyph.outline)
        assert (right > glyph.advance + 40) == overlaps


def test_a_collected_digit_is_used_only_with_its_holes():
    ring = np.zeros((8, 8))
    ring[1:7, 1:7] = 16
    ring[3:5, 3:5] = 0
    assert handwriting.thinned(ring, "0") is not None
    assert handwriting.thinned(ring, "1") is None and handwriting.thinned(ring, "8") is None


@pytest.mark.long
def test_the_collected_digits_make_a_hundred_fonts(tmp_path):
    fonts = list(make.collected(np.random.default_rng(1)))
    assert len(fonts) > 100
    make.save_font(tmp_path / "a.ttf", fonts[0])
    assert characters_drawn(str(tmp_path / "a.ttf"), DIGITS) == DIGITS


def test_a_family_that_is_not_installed_is_named_with_the_fix(tmp_path, monkeypatch):
    (tmp_path / "package.json").write_text('{"kinds": {"print": ["nowhere"]}}')
    monkeypatch.setattr(make, "HERE", tmp_path)
    with pytest.raises(SystemExit, match="no file of nowhere; run make fonts"):
        list(make.packaged())


def test_signs_have_every_family_with_its_bold_and_pages_the_italic(tmp_path, monkeypatch):
    package = {"kinds": {"handwriting": ["pen"], "page": ["book"], "sign": ["wall"]}}
    (tmp_path / "package.json").write_text(json.dumps(package))
    names = ["pen-latin-400-normal", "book-latin-400-normal", "book-latin-400-italic"]
    for name in (*names, "wall-latin-400-normal", "wall-latin-900-normal", "wall-latin-300-normal"):
        file = tmp_path / "node_modules/@fontsource" / name.split("-")[0] / "files" / f"{name}.woff"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.setattr(make, "HERE", tmp_path)
    found = sorted((kind, file.stem.replace("-latin", "")) for kind, file in make.packaged())
    assert found == [
        ("handwriting", "pen-400-normal"),
        ("page", "book-400-italic"),
        ("page", "book-400-normal"),
        ("sign", "book-400-italic"),
        ("sign", "book-400-normal"),
        ("sign", "pen-400-normal"),
        ("sign", "wall-400-normal"),
        ("sign", "wall-900-normal"),
    ]


def test_earlier_fonts_stay_until_the_new_ones_are_complete(tmp_path, monkeypatch, capsys):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "earlier.ttf").write_bytes(b"font")
    monkeypatch.setattr(make, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make.py", "--help"])
    with pytest.raises(SystemExit):
        make.main()
    monkeypatch.setattr(sys, "argv", ["make.py"])
    with pytest.raises(FileNotFoundError):  # no package.json in this folder
        make.main()
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "earlier.ttf"]
    monkeypatch.setattr(make, "make", lambda folder: folder.mkdir() or {"npm": 0})
    make.main()
    assert [path.name for path in tmp_path.rglob("*")] == ["made"]
    assert capsys.readouterr().out.endswith("made: 0 npm\n")


def test_every_family_is_locked_and_has_a_kind():
    package = json.loads((FONTS / "package.json").read_text())
    locked = json.loads((FONTS / "package-lock.json").read_text())["packages"]
    named = {f"@fontsource/{name}" for names in package["kinds"].values() for name in names}
    assert named == set(package["dependencies"])
    assert {f"node_modules/{name}" for name in named} == set(locked) - {""}
    for name, entry in locked.items():
        assert not name or re.fullmatch("OFL-1.1|Apache-2.0|MIT|UFL-1.0", entry["license"]), name
        assert "resolved" not in entry


@pytest.mark.long
@pytest.mark.parametrize("name", ["digits", "text"])
def test_the_command_of_a_shipped_model_trains(name, tmp_path):
    fonts = tmp_path / "fonts"
    for kind in ("print", "receipt", "handwriting", "display", "sign", "page"):
        (fonts / kind).mkdir(parents=True)
    make.save_font(fonts / "handwriting" / "a.ttf", make.written_by(np.random.default_rng(0)))
    make.save_font(fonts / "display" / "a.ttf", make.display(np.random.default_rng(0)))
    plain = font_named("Raleway-Regular.ttf")
    for kind in ("print", "receipt", "sign", "page"):
        shutil.copy(plain, fonts / kind)
    web = TTFont(plain)
    web.flavor = "woff"
    web.save(fonts / "handwriting" / "b.woff")
    command = ["sh", f"pretrained/train_{name}.sh", "--model-dir", tmp_path / "run"]
    few = ["--steps", "2", "--interval", "2", "--batch-size", "4", "--validation-lines", "8"]
    done = subprocess.run(
        [*command, *few], cwd=FONTS.parent, capture_output=True, text=True,
        env={**os.environ, "PYTHON": sys.executable, "FONTS": str(fonts)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trained = read_spec(tmp_path / "run" / "best.keras")
    if (PRETRAINED / f"{name}.keras").is_file():
        shipped = read_spec(PRETRAINED / f"{name}.keras")
        assert dataclasses.replace(trained, temperature=shipped.temperature) == shipped
