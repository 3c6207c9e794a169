"""Recipes: mixed by weight, drawn in their fonts; effects keep shape and range."""

from ocr_simple.photography.recipes import CLEAN
from ocr_simple.errors import DataError
from ocr_simple.options import DrawingOptions
from ocr_simple.photography.camera import LEGIBLE
from ocr_simple.options import LineOptions
from ocr_simple.drawing.lines import Lines
from ocr_simple.photography.recipes import Mix
from ocr_simple.spec import ModelSpec
from ocr_simple.photography.recipes import RECIPES
from ocr_simple.photography.recipes import Recipe
from ocr_simple.options import Variation
from ocr_simple.photography.geometry import _inked_rows
from ocr_simple.photography.camera import _taken
from ocr_simple.photography.geometry import background
from ocr_simple.photography.camera import camera
from ocr_simple.drawing.glyphs import draw
from ocr_simple.photography import effects
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.photography.camera import legibility
from ocr_simple.photography.geometry import warp

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest


FONTS = find_fonts(("trdg",))
PACIFICO = next(font for font in FONTS if font.endswith("Pacifico.ttf"))
ON_INK = (
    effects.dot_matrix, effects.bled, effects.broken_print, effects.faded, effects.neighbour_lines,
    effects.separators, effects.underline,
)  # fmt: skip
ON_IMAGES = (effects.frame, effects.bezel, effects.light, effects.blur, effects.low_resolution)


def test_recipes_come_by_their_weight():
    mix, rng = Mix(("photo:3", "clean"), FONTS), np.random.default_rng(0)
    drawn = Counter(mix.choose(rng)[0].photographed for _ in range(2000))
    assert 0.7 < drawn[True] / 2000 < 0.8


def test_mixed_is_every_kind_but_clean():
    recipes = Mix(("mixed",), FONTS).recipes
    assert [RECIPES[name] for name in RECIPES if name != "clean"] == recipes


def test_the_mixture_can_be_weighted_too():
    mix = Mix(("mixed:3", "clean"), FONTS)
    assert len(mix.recipes) == 6 and mix.chances[4] == pytest.approx(40.5 / 41.5)


def test_a_kind_is_drawn_in_its_own_fonts_and_the_others_are_not():
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
    assert abs(drawn.count([fixed]) / len(drawn) - RECIPES["serial"].own) < 0.05


def test_a_recipe_that_shares_its_lines_draws_some_in_any_font():
    printer = "mine/receipt/printer.ttf"
    mix, rng = Mix(("photo", "receipt"), [FONTS[0], printer]), np.random.default_rng(0)
    drawn = [f for r, f in (mix.choose(rng) for _ in range(2000)) if r is RECIPES["receipt"]]
    assert abs(drawn.count([printer]) / len(drawn) - RECIPES["receipt"].own) < 0.05
    assert drawn.count([printer]) + drawn.count([FONTS[0], printer]) == len(drawn)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.fills])
def test_ink_fills_the_share_of_a_picture_that_its_recipe_names(name):
    recipe = RECIPES[name]
    still = replace(recipe, bent=0, wobble=0, turn=0, elastic=0, slant=(0, 0))
    how = Variation(photo=1.0, rotation=0, shear=0, shift=0, stretch=0)
    line = np.asarray(draw("0123456789", FONTS[0], DrawingOptions(), 0).convert("L"))[..., None]
    for seed in range(50):
        varied = warp(line, how, np.random.default_rng(seed), still)
        top, bottom = _inked_rows(varied, background(varied))
        share = (bottom - top) / len(line)
        assert recipe.fills[0] - 0.1 < share < recipe.fills[1] + 0.1


def test_a_folder_of_a_kind_names_what_its_fonts_are_for():
    written = "mine/handwriting/anything.ttf"
    mix = Mix(("photo", "handwriting"), [FONTS[0], written])
    assert mix.fonts == [[FONTS[0]], [written]]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("film",), "recipe 'film': known are clean, photo"),
        (("photo:0",), "recipe 'photo:0': give a weight over 0"),
        (("photo:much",), "recipe 'photo:much': give a weight over 0"),
        ((), "name at least one"),
    ],
)
def test_what_is_no_recipe_is_an_error_with_the_mend(names, message):
    with pytest.raises(DataError, match=message):
        Lines(LineOptions(recipe=names), ModelSpec(), FONTS)


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_line_of_a_recipe_is_a_function_of_seed_and_number(name):
    first, second = (
        Lines(LineOptions(recipe=(name,), photo=1.0), ModelSpec(), FONTS, seed=4) for _ in range(2)
    )
    for k in (7, 3):
        assert np.array_equal(first[k][0], second[k][0]) and first[k][1:] == second[k][1:]


def test_clean_lines_are_not_photographed():
    spec = ModelSpec(architecture="fine")  # which has time steps for any line: none is drawn anew
    clean = Lines(LineOptions(recipe=("clean",), photo=1.0), spec, FONTS)
    drawn = Lines(LineOptions(photo=0.0), spec, FONTS)
    assert not CLEAN.photographed
    assert sum(clean[k][0].max() == 255 for k in range(20)) == 20
    assert [clean[k][1] for k in range(9)] == [drawn[k][1] for k in range(9)]


@pytest.mark.parametrize("effect", [*ON_INK, *ON_IMAGES], ids=lambda effect: effect.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_effect_keeps_shape_and_range(effect, channels):
    ink = np.zeros((32, 100, channels), np.float32)
    ink[6:26, 10:14] = ink[6:26, 40:44] = ink[14:18, 60:80] = 1
    changed = 0
    for seed in range(20):
        before = ink.copy()
        out = effect(ink if effect in ON_INK else 255 * ink, np.random.default_rng(seed))
        assert out.shape == ink.shape and np.isfinite(out).all()
        assert np.array_equal(ink, before), "what is given stays as it is"
        changed += not np.array_equal(out, ink)
        if effect in ON_INK:
            assert out.min() >= 0 and out.max() <= 1 + 1e-5
    assert changed >= 10


def test_dots_leave_a_line_legible():
    ink = np.zeros((32, 60, 1), np.float32)
    ink[4:28, 10:15] = 1
    kept = [effects.dot_matrix(ink, np.random.default_rng(seed)) for seed in range(50)]
    assert np.mean([out[4:28, 10:15].mean() for out in kept]) > 0.3
    assert np.mean([out[:, 25:].mean() for out in kept]) < 0.02


def test_a_display_shows_the_segments_that_are_off():
    options, rng = LineOptions(), np.random.default_rng(0)
    stream = Lines(options, ModelSpec(), FONTS)
    font = next(
        font for font in FONTS if font.endswith("OpenSans-Regular.ttf")
    )  # digits alike wide
    pixels = np.asarray(draw("6106", font, options, 0).convert("L"))[..., None]
    out = stream._with_ghosts(pixels, "6106", font, options, 0, rng)
    assert (out <= pixels).all() and (out < pixels).any()
    assert ((pixels.astype(int) - out)[pixels == 255] < 0.4 * 255).all(), "but palely"


@pytest.mark.parametrize("field", [f.name for f in fields(Recipe) if f.type is float])
def test_every_chance_can_be_one(field):
    recipe = Recipe(**{field: 1.0})
    pixels = np.full((32, 80, 1), 255, np.uint8)
    pixels[8:24, 20:60:6] = 0
    for seed in range(10):
        out = camera(pixels, recipe, np.random.default_rng(seed))
        assert out.shape == pixels.shape and out.dtype == np.uint8


@pytest.mark.parametrize("channels", [1, 3])
def test_legibility_is_of_strokes_whatever_the_light_and_the_polarity(channels):
    pixels = np.repeat(
        np.asarray(draw("20486", FONTS[0], LineOptions(), 0).convert("L"))[..., None], channels, 2
    )
    shade = np.linspace(0.2, 1, pixels.shape[1])[None, :, None]
    noise = np.random.default_rng(0).integers(0, 256, pixels.shape)
    assert legibility(pixels, pixels) > 0.99
    assert legibility(pixels, 255 - pixels) > 0.99
    assert legibility(pixels, (shade * (100 + 0.3 * pixels)).astype(np.uint8)) > 0.9
    assert legibility(pixels, noise.astype(np.uint8)) < LEGIBLE
    assert legibility(pixels, np.full_like(pixels, 80)) < 0.01
    half = pixels.copy()
    half[:, pixels.shape[1] // 2 :] = 255
    assert legibility(pixels, half) < 0.01, "the line is as legible as its worst place"


def test_a_picture_in_which_the_line_drowns_is_taken_anew():
    pixels = np.asarray(draw("20486", FONTS[0], LineOptions(), 0).convert("L"))[..., None]
    dim = Recipe(contrast=(1, 40), noise=1.0, blur=1.0)
    found = [legibility(pixels, camera(pixels, dim, np.random.default_rng(k))) for k in range(100)]
    once = [legibility(pixels, _taken(pixels, dim, np.random.default_rng(k))) for k in range(100)]
    assert sum(x < LEGIBLE for x in once) > 20 > 5 > sum(x < LEGIBLE for x in found)
