"""The figures of a picture's appearance."""

import warnings

import cv2
import numpy as np
import pytest
from support.lines import OPEN_SANS

from aocr.diagnose.appearance import Appearance, comparable, measure
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec


@pytest.fixture(scope="module")
def line() -> np.ndarray:
    """Eight digits, dark on white: uint8 (rows, columns, 1)."""
    options = LineOptions(min_length=8, max_length=8, size=64)
    return Lines(options, ModelSpec(), [OPEN_SANS], augment=False)[0][0]


def test_light_ink_is_told_from_dark(line):
    assert measure(line).light_ink == 0
    assert measure(255 - line).light_ink == 1


def test_a_picture_is_measured_at_one_size(line):
    smaller = cv2.resize(line, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)[..., None]
    assert measure(smaller) == pytest.approx(measure(line), rel=0.15, abs=0.05)


def test_contrast_is_in_grey_levels(line):
    faint = (200 + line / 255 * 40).astype(np.uint8)
    assert measure(faint).contrast < 45 < measure(line).contrast


def test_the_height_of_the_ink_is_a_share_of_the_picture(line):
    rows = len(line)
    taller = np.pad(line, ((rows // 2, rows // 2), (0, 0), (0, 0)), constant_values=255)
    assert measure(taller).ink_height == pytest.approx(measure(line).ink_height / 2, abs=0.07)


def test_blur_lowers_sharpness_and_noise_is_measured(line):
    blurred = cv2.GaussianBlur(line, (0, 0), 4)[..., None]
    assert measure(blurred).sharpness < 0.7 * measure(line).sharpness
    noise = np.random.default_rng(0).normal(0, 16, line.shape)
    noisy = np.clip(line.astype(float) + noise, 0, 255).astype(np.uint8)
    assert measure(noisy).noise > 2 > measure(line).noise


@pytest.mark.parametrize("slant", [-0.3, 0.3])
def test_slant_is_positive_to_the_right(line, slant):
    rows, columns, _ = line.shape
    shear = np.array([[1, -slant, slant * rows / 2], [0, 1, 0]], np.float32)
    slanted = cv2.warpAffine(line, shear, (columns, rows), borderValue=255)[..., None]
    assert measure(slanted).slant - measure(line).slant == pytest.approx(slant, abs=0.06)


def test_bolder_strokes_are_wider(line):
    bold = cv2.erode(line, np.ones((3, 3), np.uint8))[..., None]
    assert measure(bold).stroke > 1.2 * measure(line).stroke


def test_characters_farther_apart_are_fewer_strokes_along_a_height(line):
    options = LineOptions(min_length=8, max_length=8, size=64, character_spacing=40)
    apart = Lines(options, ModelSpec(), [OPEN_SANS], augment=False)[0][0]
    assert measure(apart).density < 0.7 * measure(line).density


def test_a_frame_is_a_straight_line_along_the_picture(line):
    framed = cv2.rectangle(line.copy(), (1, 2), (line.shape[1] - 2, line.shape[0] - 3), 0, 3)
    assert (measure(line).frame, measure(framed.reshape(line.shape)).frame) == (0, 1)


@pytest.mark.parametrize("size", [(1, 1), (32, 1), (1, 90), (20, 60)])
def test_a_blank_picture_has_figures_without_warnings(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = measure(np.full((*size, 1), 128, np.uint8))
        assert np.isfinite(comparable([found])).all()
    assert found.noise == found.sharpness == found.frame == 0


def test_comparable_figures_are_one_row_a_picture(line):
    assert comparable([measure(line)] * 3).shape == (3, len(Appearance._fields))
    assert comparable([]).shape == (0, len(Appearance._fields))
