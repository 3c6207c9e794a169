"""Recipes are mixed by weight, and each is drawn in its fonts."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from support.lines import FONTS, OPEN_SANS, font_named

from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.lines import Lines, without_line
from ocr_simple.errors import LineError
from ocr_simple.options import Drawing, LineOptions, Variation
from ocr_simple.photography.geometry import background, inked_rows, warp
from ocr_simple.photography.mixtures import MIXTURES, Mix
from ocr_simple.photography.recipes import CLEAN, RECIPES, Warp
from ocr_simple.spec import ModelSpec

PACIFICO = font_named("Pacifico.ttf")


def test_recipes_come_by_their_weight():
    mix, rng = Mix(("photo:3", "clean"), FONTS), np.random.default_rng(0)
    drawn = Counter(mix.choose(rng)[0].photographed for _ in range(2000))
    assert 0.7 < drawn[True] / 2000 < 0.8


def test_the_mixtures_have_every_kind_but_clean():
    of_numbers, of_words = (Mix((name,), FONTS).recipes for name in ("mixed", "words"))
    assert RECIPES["sign"] not in of_numbers and RECIPES["display"] not in of_words
    names = [name for name in RECIPES if name != "clean"]
    assert all(RECIPES[name] in of_numbers + of_words for name in names)


def test_the_mixture_can_be_weighted_too():
    mix = Mix(("mixed:3", "clean"), FONTS)
    assert len(mix.recipes) == len(MIXTURES["mixed"]) + 1
    weights = sum(float(item.split(":")[1]) for item in MIXTURES["mixed"])
    assert mix.chances[-2] == pytest.approx(3 * weights / (3 * weights + 1))


def test_a_kind_is_drawn_in_its_fonts_and_the_others_are_not():
    mix = Mix(("photo", "handwriting", "display"), FONTS)
    plain, written, segments = mix.fonts
    assert PACIFICO in written and PACIFICO not in plain and len(written) < len(plain)
    assert segments == plain, "none of trdg's fonts has segments"
    assert Mix(("photo",), FONTS).fonts == [FONTS]
    assert Mix(("handwriting",), [FONTS[0]]).fonts == [[FONTS[0]]]


def test_serial_numbers_are_of_fixed_pitch_faces_and_of_others():
    fixed = "made/receipt/noto-sans-mono-latin-700-normal.woff"
    mix, rng = Mix(("serial",), [FONTS[0], fixed]), np.random.default_rng(0)
    drawn = [mix.choose(rng)[1] for _ in range(2000)]
    assert abs(drawn.count([fixed]) / len(drawn) - RECIPES["serial"].fonts.share) < 0.05


def test_a_recipe_that_shares_its_lines_draws_some_in_any_font():
    printer = "mine/receipt/printer.ttf"
    mix, rng = Mix(("photo", "receipt"), [FONTS[0], printer]), np.random.default_rng(0)
    drawn = [f for r, f in (mix.choose(rng) for _ in range(2000)) if r is RECIPES["receipt"]]
    assert abs(drawn.count([printer]) / len(drawn) - RECIPES["receipt"].fonts.share) < 0.05
    assert drawn.count([printer]) + drawn.count([FONTS[0], printer]) == len(drawn)


@pytest.mark.parametrize(
    "name", [name for name, recipe in RECIPES.items() if recipe.crop.ink_height]
)
def test_ink_fills_the_share_of_a_picture_that_its_recipe_names(name):
    recipe = RECIPES[name]
    least, most = recipe.crop.ink_height
    still = replace(recipe, warp=Warp(distortion=0))
    how = Variation(photo=1.0, rotation=0, shear=0, shift=0, stretch=0)
    line = np.asarray(draw("0123456789", FONTS[0], Drawing(), 0).convert("L"))[..., None]
    for seed in range(50):
        varied = warp(line, how, np.random.default_rng(seed), still)
        top, bottom = inked_rows(varied, background(varied))
        share = (bottom - top) / len(line)
        assert least - 0.1 < share < most + 0.1


def test_a_folder_of_a_kind_names_what_its_fonts_are_for():
    written = "mine/handwriting/anything.ttf"
    mix = Mix(("photo", "handwriting"), [FONTS[0], written])
    assert mix.fonts == [[FONTS[0]], [written]]


def test_signs_are_drawn_in_every_family_as_often_and_others_never_in_theirs():
    bold = [f"mine/sign/roboto-latin-{weight}-normal.woff" for weight in (400, 700, 900)]
    fonts = ["mine/print/a.ttf", *bold, "mine/sign/noto-sans-latin-400-normal.woff"]
    signs, photos = Mix(("sign",), fonts), Mix(("photo",), fonts)
    rng = np.random.default_rng(0)
    drawn = [signs.choose(rng)[1] for _ in range(1000)]
    assert 0.45 < drawn.count(bold) / 1000 < 0.55
    assert photos.fonts == [["mine/print/a.ttf"]]
    assert Mix(("sign",), fonts[:1]).choose(rng)[1] == fonts[:1], "without a folder of signs"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("film",), "--recipe 'film': choose from clean, photo"),
        (("photo:0",), "--recipe 'photo:0': give a weight over 0"),
        (("photo:much",), "--recipe 'photo:much': give a weight over 0"),
        ((), "name at least one"),
    ],
)
def test_what_is_no_recipe_is_an_error_with_the_fix(names, message):
    with pytest.raises(LineError, match=message):
        Lines(LineOptions(recipe=names), ModelSpec(), FONTS)


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_line_of_a_recipe_is_a_function_of_seed_and_number(name):
    first, second = (
        Lines(LineOptions(recipe=(name,), photo=1.0), ModelSpec(), FONTS, seed=4) for _ in range(2)
    )
    for k in (7, 3):
        assert np.array_equal(first[k][0], second[k][0]) and first[k][1:] == second[k][1:]


def test_a_blank_picture_has_an_empty_label_and_no_readable_line():
    lines = Lines(LineOptions(recipe=("blank",), photo=1.0), ModelSpec(), FONTS)
    assert {lines[k][1] for k in range(20)} == {""}
    pixels = np.full((32, 90, 1), 255, np.uint8)
    pixels[8:24, 10:80] = 0
    for seed in range(50):
        seen = (without_line(pixels, np.random.default_rng(seed)) == 0).any(axis=1)
        assert seen.sum() <= 4, "at most a cut neighbour is left"


def test_characters_that_overlap_make_a_narrower_line(monkeypatch):
    widths = []
    for overlap in (0.0, 1.0):
        warp = Warp(distortion=0, overlap=overlap)
        monkeypatch.setitem(RECIPES, "photo", replace(RECIPES["photo"], warp=warp))
        options = LineOptions(photo=1.0, spacing=0, min_length=8, max_length=8)
        stream = Lines(options, ModelSpec(architecture="fine"), [OPEN_SANS])
        widths.append(np.mean([stream[k][0].shape[1] for k in range(60)]))
    assert widths[1] < 0.95 * widths[0]


def test_clean_lines_are_not_photographed():
    spec = ModelSpec(architecture="fine")  # which has time steps for any line: none is redrawn
    clean = Lines(LineOptions(recipe=("clean",), photo=1.0), spec, FONTS)
    drawn = Lines(LineOptions(photo=0.0), spec, FONTS)
    assert not CLEAN.photographed
    assert sum(clean[k][0].max() == 255 for k in range(20)) == 20
    assert [clean[k][1] for k in range(9)] == [drawn[k][1] for k in range(9)]


def test_a_display_shows_the_segments_that_are_off():
    options, rng = LineOptions(), np.random.default_rng(0)
    stream = Lines(options, ModelSpec(), FONTS)
    font = OPEN_SANS  # its digits are of one width
    pixels = np.asarray(draw("6106", font, options, 0).convert("L"))[..., None]
    out = stream._with_unlit_segments(pixels, "6106", font, options, 0, rng)
    assert (out <= pixels).all() and (out < pixels).any()
    assert ((pixels.astype(int) - out)[pixels == 255] < 0.65 * 255).all(), "but paler than lit ones"
