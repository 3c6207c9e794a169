"""Which font files there are, and which characters each draws."""

import string
from pathlib import Path

import pytest
from support.lines import FONTS, OPEN_SANS, font_named

from ocr_simple.drawing.fonts import characters_drawn, find_fonts, split_fonts
from ocr_simple.errors import LineError


def test_fonts_are_found_by_name_file_and_folder(tmp_path):
    folder = tmp_path / "mine" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.ttf").write_bytes(Path(OPEN_SANS).read_bytes())
    (folder / "readme.txt").write_text("no font")
    found = find_fonts(("trdg", "matplotlib", OPEN_SANS, str(tmp_path / "mine")))
    assert len(FONTS) == 100 and len(found) == len(set(found)) > 101
    assert found[-1] == str(folder / "a.ttf")


def test_an_empty_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(LineError, match=f"{tmp_path}.*no font file"):
        find_fonts((str(tmp_path),))


@pytest.mark.parametrize("content", [b"", b"no font at all", "damaged"])
def test_a_file_that_is_no_font_is_named(content, tmp_path):
    path = tmp_path / "broken.ttf"
    path.write_bytes(Path(OPEN_SANS).read_bytes()[:3000] if content == "damaged" else content)
    with pytest.raises(LineError, match=f"{path}: cannot be used .*--fonts"):
        characters_drawn(str(path), "0123456789")


def test_without_a_held_out_family_every_font_serves_both():
    assert split_fonts(FONTS, ()) == split_fonts(FONTS, ("NoSuchFamily",)) == (FONTS, FONTS)


def test_holding_out_every_font_is_an_error():
    with pytest.raises(LineError, match="every font is held out"):
        split_fonts([OPEN_SANS], ("OpenSans",))


def test_small_letters_that_look_as_capitals_are_not_drawn_beside_them():
    unicase = next(font for font in FONTS if Path(font).name.startswith("BEBAS"))
    assert characters_drawn(unicase, "abcABC") == "ABC"
    assert characters_drawn(unicase, "abc") == "abc"
    small_capitals = font_named("Amatic-Bold.ttf")
    assert characters_drawn(small_capitals, string.ascii_letters) == string.ascii_uppercase
    assert characters_drawn(small_capitals, string.ascii_lowercase) == string.ascii_lowercase
    assert characters_drawn(FONTS[0], "abcABC019 ") == "abcABC019 "
