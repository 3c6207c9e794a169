"""Which font files there are, and which characters each draws."""

import importlib.util
import io
import itertools
import os
import string
import time
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph, GlyphComponent
from fontTools.ttLib.tables.DefaultTable import DefaultTable
from support.lines import FONTS, OPEN_SANS, font_named

from ocr_simple.drawing import fonts as font_reading
from ocr_simple.drawing.fonts import characters_drawn, find_fonts, split_fonts, why_unusable
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import FontError, LineError
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


def square(size):
    """A glyph: a square of ink above the baseline."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, size), (size, size), (size, 0)):
        pen.lineTo(point)
    pen.closePath()
    return pen.glyph()


def build(path, glyphs, units=1000, ascent=800, advances=None):
    """A font that draws the characters of `glyphs`, by name: {"1": glyph}; other names are parts.

    units: in the height of a line. advances: of some glyphs, in units; others have half a line.
    """
    glyphs = {".notdef": Glyph()} | glyphs
    builder = FontBuilder(units, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(name): name for name in glyphs if len(name) == 1})
    builder.setupGlyf(glyphs)
    widths = dict.fromkeys(glyphs, units // 2) | (advances or {})
    builder.setupHorizontalMetrics({name: (width, 0) for name, width in widths.items()})
    builder.setupHorizontalHeader(ascent=ascent, descent=-ascent // 4)
    builder.setupNameTable({"familyName": "Nothing", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def without_ink(path):
    """A font that names a glyph for 1 and draws nothing: as colour fonts look to a renderer."""
    build(path, {"1": Glyph()})


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
    assert rows["pointer.ttf"].startswith("a pointer of Git LFS")
    assert rows["colour.ttf"].startswith("has no outlines")
    assert rows["cut.ttf"].startswith("not a font, or damaged")
    assert "good.ttf" not in rows


def test_lines_are_drawn_from_such_a_folder(mixed_folder):
    fonts = find_fonts((str(mixed_folder),))
    _, text, font = Lines(LineOptions(), ModelSpec(), fonts)[0]
    assert text and font == str(mixed_folder / "good.ttf")


def test_a_file_that_is_named_outright_must_be_a_font(mixed_folder):
    with pytest.raises(LineError, match=r"pointer\.ttf': a pointer of Git LFS.*git lfs pull"):
        find_fonts((str(mixed_folder / "pointer.ttf"),))


def test_a_folder_of_none_but_bad_fonts_is_an_error(mixed_folder):
    (mixed_folder / "good.ttf").unlink()
    with pytest.raises(LineError, match="none of its 6 font files can be used"):
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


def test_what_no_font_is_called_is_named_as_perhaps_an_argument(caplog):
    assert split_fonts(FONTS, ("none",)) == (FONTS, FONTS)
    assert split_fonts(FONTS, ("none", "OpenSans")) == split_fonts(FONTS, ("OpenSans",))
    with pytest.raises(LineError, match=r"--held-out none out: no .* with 'out'; if it is an arg"):
        split_fonts(FONTS, ("none", "out"))
    assert not caplog.messages
    split_fonts(FONTS, ("OpenSans", "out"))
    assert caplog.messages[0].startswith("--held-out OpenSans out: no font's file name begins with")


def test_small_letters_that_look_as_capitals_are_not_drawn_beside_them():
    unicase = next(font for font in FONTS if Path(font).name.startswith("BEBAS"))
    assert characters_drawn(unicase, "abcABC") == "ABC"
    assert characters_drawn(unicase, "abc") == "abc"
    small_capitals = font_named("Amatic-Bold.ttf")
    assert characters_drawn(small_capitals, string.ascii_letters) == string.ascii_uppercase
    assert characters_drawn(small_capitals, string.ascii_lowercase) == string.ascii_lowercase
    assert characters_drawn(FONTS[0], "abcABC019 ") == "abcABC019 "


# --- damaged and hostile fonts ----------------------------------------------------------------


def small_font(flavour=None):
    """The bytes of a font of a few characters."""
    font, part, out = TTFont(OPEN_SANS), Subsetter(), io.BytesIO()
    part.populate(text="0123456789")
    part.subset(font)
    font.flavor = flavour
    font.save(out)
    return out.getvalue()


def table_of(font, name):
    """(place of its entry in the directory, of its content) of a table in a font's bytes."""
    entries = range(12, 12 + 16 * int.from_bytes(font[4:6]), 16)
    entry = next(place for place in entries if font[place : place + 4] == name)
    return entry, int.from_bytes(font[entry + 8 : entry + 12])


def changed(font, place, value):
    return font[:place] + value + font[place + len(value) :]


def damaged_fonts():
    """Fonts by the error that they raise in fontTools, FreeType, Pillow, zlib or brotli."""
    font, web = small_font(), small_font("woff")
    directory, _ = table_of(font, b"maxp")
    yield "AssertionError", changed(font, table_of(font, b"cmap")[1] + 12, b"\0\0")  # its format
    yield "IndexError", changed(font, table_of(font, b"maxp")[1] + 4, b"\0\0")  # no glyphs
    yield "error", changed(font, directory + 12, bytes(4))  # struct.error: a table of no bytes
    yield "TTLibError", changed(font, 0, b"none")
    yield "OSError", changed(font, table_of(font, b"fpgm")[1], b"\xff\xff")
    yield "error", changed(web, 44 + 20 * 12, bytes(3000))  # zlib.error
    if importlib.util.find_spec("brotli"):
        yield "error", changed(small_font("woff2"), 1000, bytes(500))  # brotli.error


def raised(path):
    """The error behind a font that cannot be used, read in this process."""
    with pytest.raises(FontError) as error:
        font_reading.font_files.check_font(str(path))
    return type(error.value.__cause__).__name__


def test_a_folder_goes_on_without_damaged_fonts_whatever_they_raise(tmp_path, caplog):
    (tmp_path / "good.ttf").write_bytes(small_font())
    kinds = []
    for i, (kind, content) in enumerate(damaged_fonts()):
        bad = tmp_path / f"bad{i}.ttf"
        bad.write_bytes(content)
        kinds.append(kind)
        assert raised(bad) == kind
    build(tmp_path / "bad_huge.ttf", {"1": square(16_000)}, units=16)
    assert raised(tmp_path / "bad_huge.ttf") == "DecompressionBombError"
    assert find_fonts((str(tmp_path),)) == [str(tmp_path / "good.ttf")]
    (message,) = caplog.messages
    assert message.startswith(f"{len(kinds) + 1} font files left out:")
    assert all(f"bad{i}.ttf: not a font, or damaged" in message for i in range(len(kinds)))


def test_a_font_that_cannot_be_drawn_with_leaves_its_lines_to_others(tmp_path):
    digits = {digit: square(700) for digit in string.digits}
    build(tmp_path / "flat.ttf", digits, ascent=0)  # no rows: ZeroDivisionError
    (tmp_path / "good.ttf").write_bytes(small_font())
    fonts = find_fonts((str(tmp_path),))
    lines = Lines(LineOptions(), ModelSpec(), fonts, augment=False)
    assert len(fonts) == 2
    assert {lines[k][2] for k in range(6)} == {str(tmp_path / "good.ttf")}
    lines = Lines(LineOptions(), ModelSpec(), [str(tmp_path / "flat.ttf")], augment=False)
    with pytest.raises(LineError, match=r"flat\.ttf cannot be drawn"):
        lines[0]


def test_a_font_that_is_damaged_later_is_left_out_of_the_lines(tmp_path, caplog):
    good, bad = tmp_path / "good.ttf", tmp_path / "bad.ttf"
    for path in (good, bad):
        path.write_bytes(small_font())
    fonts = find_fonts((str(tmp_path),))
    bad.write_bytes(small_font()[:500])
    assert Lines(LineOptions(), ModelSpec(), fonts).fonts == [str(good)]
    assert caplog.messages[0].startswith(f"1 font files left out:\n  {bad}: ")
    good.unlink()
    with pytest.raises(FontError, match=r"none of the 1 fonts can be used:\n.*bad\.ttf: "):
        Lines(LineOptions(), ModelSpec(), [str(bad)])


def test_characters_of_huge_width_are_not_drawn(tmp_path, caplog):
    glyphs = {"space": Glyph()} | {digit: square(700) for digit in string.digits}
    glyphs[" "] = glyphs.pop("space")
    build(tmp_path / "some.ttf", glyphs, advances={"1": 30_000, " ": 6_000})
    assert characters_drawn(str(tmp_path / "some.ttf"), "0123 ") == "023"
    build(tmp_path / "wide.ttf", glyphs, advances=dict.fromkeys(glyphs, 30_000))
    (tmp_path / "good.ttf").write_bytes(small_font())
    assert [Path(font).name for font in find_fonts((str(tmp_path),))] == ["good.ttf", "some.ttf"]
    assert "wide.ttf: its characters are over 5 times as wide as high" in caplog.text


def test_pipes_and_devices_in_a_folder_are_left_out_at_once(tmp_path, caplog, limits):
    limits(4.0, 1 << 30)
    os.mkfifo(tmp_path / "pipe.ttf")
    os.symlink("/dev/zero", tmp_path / "zero.ttf")
    os.symlink("loop.ttf", tmp_path / "loop.ttf")
    (tmp_path / "good.ttf").write_bytes(small_font())
    start = time.monotonic()
    assert find_fonts((str(tmp_path),)) == [str(tmp_path / "good.ttf")]
    assert time.monotonic() - start < 30  # a pipe was waited for a minute
    assert caplog.text.count("a folder, pipe or device, not a file") == 2
    assert "3 font files left out" in caplog.text


def composite(*parts):
    glyph = Glyph()
    glyph.numberOfContours, glyph.components = -1, []
    for part in parts:
        component = GlyphComponent()
        component.glyphName, component.x, component.y, component.flags = part, 0, 0, 3
        glyph.components.append(component)
    glyph.xMin = glyph.yMin = glyph.xMax = glyph.yMax = 0
    return glyph


@pytest.fixture
def limits(monkeypatch):
    """A function that sets the limits of time and memory for fonts."""

    def set_to(seconds, memory):
        monkeypatch.setattr(font_reading, "SECONDS", seconds)
        monkeypatch.setattr(font_reading, "MEMORY", memory)
        font_reading._reader.cache_clear()

    yield set_to
    font_reading._reader.cache_clear()


def test_a_font_that_takes_too_long_is_left_out(tmp_path, limits):
    """A glyph of two glyphs of two glyphs and so on: 2 ** 24 of them, in 1 KB."""
    names = [f"part{i}" for i in range(24)]
    parts = {name: composite(after, after) for name, after in itertools.pairwise(names)}
    build(tmp_path / "laughs.ttf", parts | {names[-1]: Glyph(), "1": composite(names[0])})
    font = (tmp_path / "laughs.ttf").read_bytes()
    depth = table_of(font, b"maxp")[1] + 30
    (tmp_path / "laughs.ttf").write_bytes(changed(font, depth, b"\0\x40"))
    (tmp_path / "good.ttf").write_bytes(small_font())
    limits(0.5, 1 << 30)
    assert "takes over 0.5 s" in str(why_unusable(str(tmp_path / "laughs.ttf")))
    assert find_fonts((str(tmp_path),)) == [str(tmp_path / "good.ttf")]


def test_a_font_that_unpacks_to_too_much_is_left_out(tmp_path, limits):
    bomb = TTFont(io.BytesIO(small_font()))
    table = bomb["GSUB"] = DefaultTable("GSUB")
    table.data = bytes(200 << 20)
    bomb.flavor = "woff"
    bomb.save(tmp_path / "bomb.woff")
    (tmp_path / "good.ttf").write_bytes(small_font())
    limits(4.0, 180 << 20)
    assert (tmp_path / "bomb.woff").stat().st_size < 1 << 20
    assert find_fonts((str(tmp_path),)) == [str(tmp_path / "good.ttf")]
