"""The shipped models read what they were made for, and nothing where there is nothing."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.lines import FONTS, OPEN_SANS

from inference import Recognizer
from ocr_simple.drawing import counter
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import Drawing, LineOptions
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES

pytestmark = pytest.mark.skipif(
    not (PRETRAINED / "digits.keras").is_file(), reason="pretrained/digits.keras is not there"
)

LABELS = dict(
    row.split("\t") for row in (TEST_IMAGES / "labels.tsv").read_text("utf-8").splitlines()
)
PRINT = ("Aller", "DroidSans", "Lato-Bold", "Lato-Medium", "Lato-Regular", "OpenSans", "Raleway",
         "Roboto", "Sansation")  # fmt: skip
MATPLOTLIB = find_fonts(("matplotlib",))
GENERATED = {  # model: (the lines' options, their fonts)
    "digits": ({}, FONTS + MATPLOTLIB),
    "numbers": (
        {"text_source": "numbers"},
        [font for font in FONTS if Path(font).name.startswith(PRINT)] + MATPLOTLIB,
    ),
    "text": (
        {"text_source": "dictionary", "words": 3},
        [font for font in FONTS if Path(font).name.startswith(PRINT)] + MATPLOTLIB,
    ),
}


@pytest.fixture(scope="module")
def recognizers():
    return {name: Recognizer.load(name) for name in GENERATED}


@pytest.fixture(scope="module")
def digits(recognizers):
    return recognizers["digits"]


# --- images and generated lines ---------------------------------------------------------------


def test_every_test_image_has_a_label():
    images = {path.name for path in TEST_IMAGES.iterdir() if path.suffix not in (".md", ".tsv")}
    assert images == set(LABELS)


@pytest.mark.parametrize("name", LABELS)
def test_a_test_image_is_read(digits, name):
    assert digits.read([TEST_IMAGES / name])[0].text == LABELS[name]


def test_all_test_images_together_are_read_as_each_alone(digits):
    lines = digits.read([TEST_IMAGES / name for name in LABELS])
    alone = [digits.read([TEST_IMAGES / name])[0] for name in LABELS]
    assert [line.text for line in lines] == [line.text for line in alone]
    assert [line.confidence for line in lines] == pytest.approx(
        [line.confidence for line in alone], abs=1e-4
    )


@pytest.mark.parametrize(("name", "share"), [("digits", 0.97), ("text", 0.97), ("numbers", 0.95)])
def test_a_model_reads_nearly_all_generated_lines(recognizers, name, share):
    recognizer, (options, fonts) = recognizers[name], GENERATED[name]
    options = LineOptions(alphabet=recognizer.spec.alphabet, **options)
    lines = Lines(options, recognizer.spec, fonts, seed=0, augment=False)
    readings = recognizer.read_labelled([lines[k] for k in range(300)])
    wrong = [(r.truth, r.line.text, Path(r.name).name) for r in readings if not r.exact]
    assert len(wrong) <= 300 * (1 - share), wrong


@pytest.mark.parametrize("text", ["00483617", "14.09", "-12.5", "1,250.00", "29/03/2024", "17:45"])
def test_the_numbers_model_reads_points_signs_dates_and_times(recognizers, text):
    font = next(font for font in MATPLOTLIB if font.endswith("DejaVuSans.ttf"))
    assert recognizers["numbers"].read([draw(text, font, Drawing(), 0)])[0].text == text


def test_the_numbers_model_is_less_sure_of_a_wheel_between_two_digits(recognizers, monkeypatch):
    def drawn(turned: float) -> list[np.ndarray]:
        monkeypatch.setattr(counter, "positions", lambda text, rng: np.array([0] * 4 + [turned]))
        seeds = range(30)
        return [
            counter.draw_counter(f"{k + 12340}", OPEN_SANS, 32, np.random.default_rng(k))
            for k in seeds
        ]

    at_rest, between = (recognizers["numbers"].read(drawn(turned)) for turned in (0.0, 0.47))
    assert np.mean([line.text == f"{k + 12340}" for k, line in enumerate(at_rest)]) > 0.8
    sure, unsure = (np.mean([line.confidence for line in read]) for read in (at_rest, between))
    assert unsure < sure - 0.2


def test_the_numbers_model_reads_the_digits_of_the_test_images(recognizers):
    lines = recognizers["numbers"].read([TEST_IMAGES / name for name in LABELS])
    wrong = [
        (label, line.text)
        for label, line in zip(LABELS.values(), lines)
        if re.sub(r"\D", "", line.text) != label
    ]
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("text", ["Total: $48.20", "INVOICE", "Received with thanks", "29/03/2024"])
def test_the_text_model_reads_printed_lines(recognizers, text):
    font = next(font for font in MATPLOTLIB if font.endswith("DejaVuSans.ttf"))
    drawn = draw(text, font, Drawing(word_split=True), 0)
    assert recognizers["text"].read([drawn])[0].text == text


@pytest.mark.long
def test_it_reads_the_same_on_jax_without_tensorflow(digits, tmp_path):
    pytest.importorskip("jax")
    (tmp_path / "tensorflow.py").write_text("raise ImportError('not installed')")
    done = subprocess.run(
        [sys.executable, "inference.py", "--format", "json"], cwd=TEST_IMAGES.parent,
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    lines = digits.read([row["path"] for row in rows])
    assert [row["text"] for row in rows] == [line.text for line in lines]
    on_jax = [c["confidence"] for row in rows for c in row["characters"]]
    here = [c.confidence for line in lines for c in line.characters]
    assert on_jax == pytest.approx(here, abs=1e-4)


# --- spans, and blank images ------------------------------------------------------------------


def test_characters_stand_from_left_to_right_across_the_picture(digits):
    name = "receipt.jpg"
    characters = digits.read([TEST_IMAGES / name])[0].characters
    with Image.open(TEST_IMAGES / name) as image:
        width = ImageOps.exif_transpose(image).width
    assert all(left.end == right.start for left, right in pairwise(characters))
    assert 0 <= characters[0].start < width / 4
    assert width * 3 / 4 < characters[-1].end <= width


@pytest.mark.parametrize("size", [(32, 32), (200, 32), (640, 60), (1500, 20)])
@pytest.mark.parametrize("level", [255, 0, 128, 40, 215])
def test_a_blank_image_is_empty_text_with_its_confidence(digits, level, size):
    line = digits.read([np.full(size[::-1], level, np.uint8)])[0]
    assert (line.text, line.characters) == ("", ())
    assert 0 < line.confidence <= 1


def textured_crops():
    """Ten crops without text, grey or colour of their own: uint8 (rows, columns)."""
    rng = np.random.default_rng(0)

    def x(columns):
        return np.linspace(0, 1, columns)[None, :]

    def y(rows):
        return np.linspace(0, 1, rows)[:, None]

    frame = np.full((50, 300), 200.0)
    frame[5:-5, 6:-6] = 120
    shadow = np.full((36, 120), 90.0) + 4 * rng.normal(size=(36, 120))
    shadow[:, 55:] += 70
    rule = np.full((40, 400), 235.0)
    rule[30:32] = 30
    crops = (
        np.full((20, 20), 255.0),
        40 + 180 * x(300) + 0 * y(48),
        128 + 40 * rng.normal(size=(32, 200)),  # noise
        225 + 6 * rng.normal(size=(100, 800)),  # paper
        np.where(x(400) + 0.2 * y(64) < 0.4, 40.0, 210.0),  # an edge
        120 + 40 * np.sin(40 * y(60) + 6 * np.sin(5 * x(240))),  # wood
        np.where((np.arange(60)[:, None] % 6 < 2) & (np.arange(360)[None] % 6 < 2), 90.0, 220.0),
        frame,
        shadow,
        rule,
    )
    return [np.clip(crop, 0, 255).astype(np.uint8) for crop in crops]


@pytest.mark.parametrize("name", ["digits", "numbers"])
def test_nothing_is_read_where_there_is_nothing_to_read(recognizers, name):
    assert [line.text for line in recognizers[name].read(textured_crops())] == [""] * 10
