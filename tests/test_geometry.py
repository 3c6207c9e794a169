"""Variation of lines: any shape in, the same rows and channels out, from one random generator."""

from dataclasses import fields

import numpy as np
import pytest
from support.lines import FONTS

from ocr_simple.drawing.glyphs import draw
from ocr_simple.options import Drawing, Variation
from ocr_simple.photography.camera import photograph
from ocr_simple.photography.geometry import augment
from ocr_simple.photography.recipes import PHOTO, RECIPES

STRENGTHS = [field.name for field in fields(Variation) if field.name not in ("recipe", "spacing")]
NONE = Variation(**dict.fromkeys(STRENGTHS, 0))
ALL = Variation(photo=1.0)


def line(channels=1, text="1234"):
    pixels = np.asarray(draw(text, FONTS[0], Drawing(), 0).convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def test_the_same_random_state_gives_the_same_picture():
    for seed in range(50):
        first, second = (augment(line(), ALL, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first, second)


def test_another_random_state_gives_another_picture():
    first, second = (augment(line(), ALL, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.shape != second.shape or (first != second).any()


def test_the_line_given_stays_as_it_is():
    pixels = line()
    before = pixels.copy()
    for seed in range(100):
        augment(pixels, ALL, np.random.default_rng(seed))
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("how", [Variation(), ALL])
def test_rows_type_and_channels_are_kept(channels, how):
    for seed in range(100):
        out = augment(line(channels), how, np.random.default_rng(seed))
        assert out.dtype == np.uint8
        assert (out.shape[0], out.shape[2]) == (32, channels)


@pytest.mark.parametrize("columns", [1, 8, 100, 2000])
def test_without_strengths_nothing_changes(columns):
    pixels = np.random.default_rng(0).integers(0, 256, (32, columns, 1), np.uint8)
    assert np.array_equal(augment(pixels, NONE, np.random.default_rng(0)), pixels)
    assert not NONE.varies


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_strength_has_an_effect_by_itself(name):
    how = Variation(**dict.fromkeys(STRENGTHS, 0) | {name: 0.5})
    assert how.varies
    outs = [augment(line(), how, np.random.default_rng(seed)) for seed in range(8)]
    assert any(out.shape != line().shape or (out != line()).any() for out in outs)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("shape", [(8, 8), (8, 400), (32, 3), (32, 4000), (64, 64), (256, 300)])
@pytest.mark.parametrize("channels", [1, 3])
def test_no_random_draw_fails(shape, channels, recipe):
    rng = np.random.default_rng(1)
    pixels = np.full((*shape, channels), 255, np.uint8)
    pixels[2:-2, 1 : shape[1] // 2 + 1] = 30
    for _ in range(500 if shape[1] < 100 else 20):
        assert augment(pixels, ALL, rng, RECIPES[recipe]).size


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_line_passes(level):
    rng = np.random.default_rng(2)
    pixels = np.full((32, 100, 1), level, np.uint8)
    for _ in range(300):
        assert augment(pixels, ALL, rng).shape[0] == 32


def test_what_a_warp_uncovers_has_the_colour_of_the_background():
    pixels = np.full((32, 100, 3), (10, 120, 230), np.uint8)
    out = augment(pixels, Variation(rotation=20, shift=0.5), np.random.default_rng(0))
    assert np.abs(out.astype(int) - (10, 120, 230)).max() <= 1


def test_a_photographed_line_comes_dark_on_light_and_light_on_dark():
    middle, edge = np.s_[10:22, 20:-20], np.s_[:2]
    blank = np.full((32, 120, 1), 255, np.uint8)
    blank[8:24, 15:-15] = 0
    outs = [
        photograph(blank, PHOTO, np.random.default_rng(seed)).astype(int) for seed in range(100)
    ]
    darker = sum(out[middle].mean() < out[edge].mean() for out in outs)
    assert 10 < darker < 90
