"""Which font files there are, and which characters each draws."""

import importlib.util
import string
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph
from support.lines import FONTS, OPEN_SANS, font_named

from ocr_simple.drawing.fonts import characters_drawn, find_fonts, split_fonts, why_unusable
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec


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


# --- files in a folder of fonts that cannot be used -------------------------------------------


def without_ink(path):
    """A font that names a glyph for 1 and draws nothing: as colour fonts look to a renderer."""
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "one"])
    builder.setupCharacterMap({0x31: "one"})
    builder.setupGlyf({".notdef": Glyph(), "one": Glyph()})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "one": (500, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Nothing", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


BITMAP = b"""STARTFONT 2.1
FONT -x-x-Medium-R-Normal--8-80-75-75-C-80-ISO10646-1
SIZE 8 75 75
FONTBOUNDINGBOX 8 8 0 0
STARTPROPERTIES 2
FONT_ASCENT 8
FONT_DESCENT 0
ENDPROPERTIES
CHARS 1
STARTCHAR one
ENCODING 49
SWIDTH 500 0
DWIDTH 8 0
BBX 8 8 0 0
BITMAP
18
18
18
18
18
18
18
18
ENDCHAR
ENDFONT
"""
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.fixture
def mixed_folder(tmp_path):
    """A good font among files that are none."""
    whole = Path(OPEN_SANS).read_bytes()
    (tmp_path / "good.ttf").write_bytes(whole)
    for name, content in {
        "cut.ttf": whole[:3000], "empty.otf": b"", "pointer.ttf": LFS_POINTER,
        "bitmap.ttf": BITMAP, "text.woff2": b"no font", "._good.ttf": b"\0\5\x16\7",
        "__MACOSX/good.ttf": b"x", "readme.txt": b"no font",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    without_ink(tmp_path / "colour.ttf")
    return tmp_path


def test_a_folder_uses_its_good_fonts_and_names_the_others_once(mixed_folder, caplog):
    for _ in range(2):
        assert find_fonts((str(mixed_folder),)) == [str(mixed_folder / "good.ttf")]
    (message,) = caplog.messages
    assert message.startswith("6 font files left out:")
    rows = {
        Path(row.partition(": ")[0]).name: row.partition(": ")[2] for row in message.split("\n")
    }
    assert set(rows) - {""} >= {"cut.ttf", "empty.otf", "pointer.ttf", "bitmap.ttf", "colour.ttf"}
    assert rows["pointer.ttf"].startswith("a Git LFS pointer")
    assert rows["colour.ttf"].startswith("has no outlines")
    assert rows["cut.ttf"].startswith("not a font, or damaged")
    assert "good.ttf" not in rows


def test_lines_are_drawn_from_such_a_folder(mixed_folder):
    fonts = find_fonts((str(mixed_folder),))
    _, text, font = Lines(LineOptions(), ModelSpec(), fonts)[0]
    assert text and font == str(mixed_folder / "good.ttf")


def test_a_file_that_is_named_outright_must_be_a_font(mixed_folder):
    with pytest.raises(LineError, match=r"pointer\.ttf': a Git LFS pointer.*git lfs pull"):
        find_fonts((str(mixed_folder / "pointer.ttf"),))


def test_a_folder_of_none_but_bad_fonts_is_an_error(mixed_folder):
    (mixed_folder / "good.ttf").unlink()
    with pytest.raises(LineError, match="no font file there"):
        find_fonts((str(mixed_folder),))


def test_a_woff2_font_is_used_or_the_package_that_it_needs_is_named(tmp_path):
    path = tmp_path / "web.woff2"
    if importlib.util.find_spec("brotli"):
        face = TTFont(OPEN_SANS)
        face.flavor = "woff2"
        face.save(path)
        assert find_fonts((str(tmp_path),)) == [str(path)]
        assert characters_drawn(str(path), "0123456789") == "0123456789"
    else:
        path.write_bytes(b"wOF2\0\1\0\0" + bytes(100))
        assert "needs the package brotli" in str(why_unusable(str(path)))


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
