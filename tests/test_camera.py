"""Effects keep shape and range; a picture shows the line that it is of."""

from dataclasses import fields, is_dataclass, replace
from operator import attrgetter

import numpy as np
import pytest
from support.lines import FONTS

from ocr_simple.drawing.glyphs import draw
from ocr_simple.options import Drawing
from ocr_simple.photography.camera import legibility, photograph, take
from ocr_simple.photography.effects import EFFECTS, ink, scene, surroundings, tone
from ocr_simple.photography.effects.craft import STYLES
from ocr_simple.photography.effects.shot import Shot
from ocr_simple.photography.recipes import LEGIBLE, PHOTO, Recipe, Sensor, Tone


def with_chance(field, value=1.0):
    """The recipe of photographs with the field `group.name` set to `value`."""
    group, name = field.split(".")
    return replace(PHOTO, **{group: replace(getattr(PHOTO, group), **{name: value})})


@pytest.mark.parametrize("effect", [effect for _, effect in EFFECTS], ids=lambda f: f.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_effect_keeps_shape_and_range(effect, channels):
    ink = np.zeros((32, 100, channels), np.float32)
    ink[6:26, 40:44] = 1
    if effect is not surroundings.cut_digits:  # which is for a single one
        ink[6:26, 10:14] = ink[14:18, 60:80] = 1
    image = 255 * ink
    changed = 0
    for seed in range(20):
        before = ink.copy(), image.copy()
        shot = Shot(PHOTO, ink, image)
        effect(shot, np.random.default_rng(seed))
        assert shot.ink.shape == shot.image.shape == ink.shape and np.isfinite(shot.image).all()
        assert shot.ink.min() >= 0 and shot.ink.max() <= 1 + 1e-5
        assert all(map(np.array_equal, before, (ink, image))), "what is given stays as it is"
        same = np.array_equal(shot.ink, ink) and np.array_equal(shot.image, image)
        changed += not same or shot.contrast != -255
    assert changed >= 10


@pytest.mark.parametrize("style", dict.fromkeys(STYLES), ids=lambda style: style.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_letters_of_every_craft_are_seen_and_no_letters_are_no_trouble(style, channels):
    ink = np.zeros((32, 100, channels), np.float32)
    for empty in (True, False):
        ink[8:24, 20:80:12] = ink[8:24, 21:80:12] = ink[8:24, 22:80:12] = float(not empty)
        for seed in range(10):
            shot = Shot(PHOTO, ink, 200 - 150 * ink, paper=200.0, contrast=-150.0)
            style(shot, np.random.default_rng(seed))
            assert shot.image.shape == ink.shape and np.isfinite(shot.image).all()
            assert empty or np.ptp(shot.image) > 20


def test_a_photograph_behind_shows_between_the_letters_and_rarely_through_them():
    ink = np.zeros((32, 100, 1), np.float32)
    ink[8:24, 40:60] = 1
    changed = np.zeros(ink.shape)
    for seed in range(20):
        shot = Shot(PHOTO, ink, 200 - 150 * ink, paper=200.0, contrast=-150.0)
        surroundings.photograph_behind(shot, np.random.default_rng(seed))
        changed += abs(shot.image - (200 - 150 * ink))
    assert changed[ink == 0].mean() > 2 * changed[ink == 1].mean() > 0
    assert len(surroundings.photographs(1)) >= 5, "trdg and matplotlib are always installed"


@pytest.mark.parametrize("effect", [surroundings.rules, surroundings.cut_letters])
def test_rules_and_cut_letters_stay_off_the_line(effect):
    ink = np.zeros((32, 120, 1), np.float32)
    ink[8:24, 40:80:8] = 1
    for seed in range(30):
        shot = Shot(PHOTO, ink, 255 * ink)
        effect(shot, np.random.default_rng(seed))
        assert np.array_equal(shot.ink[8:24, 40:73], ink[8:24, 40:73])


def test_parts_of_the_next_digits_are_beside_a_single_one_alone():
    for columns, changes in (((50, 62), True), ((20, 100), False)):
        ink = np.zeros((32, 120, 1), np.float32)
        ink[6:26, columns[0] : columns[1]] = 1
        added = np.zeros(ink.shape, bool)
        for seed in range(30):
            shot = Shot(PHOTO, ink, 255 * ink)
            surroundings.cut_digits(shot, np.random.default_rng(seed))
            added |= shot.ink > ink
        assert added[:, :4].any() == added[:, -4:].any() == changes
        assert not added[:, 48:64].any(), "a gap is left beside the digit"


def test_cut_lines_stand_above_and_below_the_line():
    ink = np.zeros((32, 120, 1), np.float32)
    ink[11:21, 10:110] = 1
    added = np.zeros(ink.shape, bool)
    for seed in range(30):
        shot = Shot(PHOTO, ink, 255 * ink)
        surroundings.cut_lines(shot, np.random.default_rng(seed))
        added |= shot.ink > ink
    assert added[:9].any() and added[-9:].any() and not added[11:21].any()


def test_every_chance_of_an_effect_is_a_field_of_recipes():
    chances = {chance for chance, _ in EFFECTS if chance}
    assert all(isinstance(attrgetter(chance)(PHOTO), float) for chance in chances)
    others = {"ink.unlit_segments", "scene.unevenness"} | {
        f"tone.{name}"
        for name in ("light_paper", "dark_paper", "dark_on_light", "hues", "outline", "relief")
    }
    assert chances | others == {
        f"{group}.{field.name}"
        for group in ("ink", "tone", "scene", "sensor")
        for field in fields(getattr(PHOTO, group))
        if field.type is float
    }


@pytest.mark.parametrize("effect", [scene.sides, scene.small_print])
def test_what_is_beside_a_line_never_covers_it(effect):
    ink = np.zeros((32, 60, 1), np.float32)
    ink[10:22, 15:45] = 1
    changed = np.zeros(ink.shape, bool)
    for seed in range(200):
        shot = Shot(PHOTO, ink, 255 * ink)
        effect(shot, np.random.default_rng(seed))
        changed |= shot.image != 255 * ink
    assert changed.any() and not changed[10:22, 15:45].any()


def test_a_shadow_is_beside_the_strokes():
    ink = np.zeros((32, 60, 1), np.float32)
    ink[10:22, 15:20] = 1
    for seed in range(50):
        shot = Shot(PHOTO, ink, 150 + 100 * ink, paper=150, contrast=100)
        tone.drop_shadow(shot, np.random.default_rng(seed))
        darker = 150 + 100 * ink - shot.image
        assert darker.max() > 10 and abs(darker[10:22, 15:20]).max() == 0


def test_dots_leave_a_line_legible():
    drawn = np.zeros((32, 60, 1), np.float32)
    drawn[4:28, 10:15] = 1
    kept = []
    for seed in range(50):
        shot = Shot(PHOTO, drawn, 255 * drawn)
        ink.dot_matrix(shot, np.random.default_rng(seed))
        kept.append(shot.ink)
    assert np.mean([out[4:28, 10:15].mean() for out in kept]) > 0.3
    assert np.mean([out[:, 25:].mean() for out in kept]) < 0.02


@pytest.mark.parametrize("channels", [1, 3])
def test_what_glows_is_lighter_than_its_halo_and_that_than_the_panel(channels):
    ink = np.zeros((32, 90, channels), np.float32)
    ink[6:26, 10:14] = 1
    for seed in range(20):
        shot = Shot(PHOTO, ink, 255 * ink)
        tone.glow(shot, np.random.default_rng(seed))
        core, beside, panel = (shot.image[8:24, x].mean() for x in (12, 14, 80))
        assert core > beside >= panel and panel < 150
        assert shot.image.dtype == np.float32 and 0 <= shot.image.min() <= shot.image.max() <= 256


def test_a_window_shows_its_line():
    ink = np.zeros((32, 90, 1), np.float32)
    ink[3:29, 2:88] = 1
    for seed in range(50):
        shot = Shot(PHOTO, ink, 255 * ink)
        scene.bezel(shot, np.random.default_rng(seed))
        assert (shot.image[6:26, 6:84] > 20).all(), "dimmed by the rim at most, and not hidden"


def test_a_window_may_end_right_beside_its_last_character():
    ink = np.zeros((32, 90, 1), np.float32)
    ink[8:24, 20:60] = 1
    beside = 0
    for seed in range(100):
        shot = Shot(PHOTO, ink, np.full((32, 90, 1), 100, np.float32))
        scene.bezel(shot, np.random.default_rng(seed))
        surroundings = shot.image[12:20, 66:].std(axis=0).max() < 1  # one level up to the edge
        beside += surroundings and abs(shot.image[16, 66, 0] - 100) > 5
    assert 3 < beside < 40


@pytest.mark.parametrize(
    "field",
    [
        f"{group.name}.{field.name}"
        for group in fields(Recipe)
        if is_dataclass(group.default)
        for field in fields(group.default)
        if field.type is float
    ],
)
def test_every_chance_can_be_one(field):
    recipe = with_chance(field)
    pixels = np.full((32, 80, 1), 255, np.uint8)
    pixels[8:24, 20:60:6] = 0
    for seed in range(10):
        out = photograph(pixels, recipe, np.random.default_rng(seed))
        assert out.shape == pixels.shape and out.dtype == np.uint8


@pytest.mark.parametrize("channels", [1, 3])
def test_legibility_is_of_strokes_whatever_the_light_and_the_polarity(channels):
    pixels = np.repeat(
        np.asarray(draw("20486", FONTS[0], Drawing(), 0).convert("L"))[..., None], channels, 2
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


def test_a_picture_in_which_the_line_cannot_be_seen_is_taken_again():
    pixels = np.asarray(draw("20486", FONTS[0], Drawing(), 0).convert("L"))[..., None]
    dim = Recipe(tone=Tone(contrast=(1, 40)), sensor=Sensor(noise=1.0, blur=1.0))
    rngs = [[np.random.default_rng(k) for k in range(100)] for _ in range(2)]
    found = [legibility(pixels, photograph(pixels, dim, rng)) for rng in rngs[0]]
    once = [legibility(pixels, take(pixels, dim, rng)) for rng in rngs[1]]
    assert sum(x < LEGIBLE for x in once) > 20 > 5 > sum(x < LEGIBLE for x in found)
