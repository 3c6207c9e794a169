"""Drawn lines are trdg's, pixel for pixel, and every drawing option of trdg's is there."""

import hashlib
import inspect
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.lines import FONTS, OPEN_SANS
from trdg.generators import GeneratorFromStrings

from ocr_simple import decoding_time
from ocr_simple.drawing import glyphs
from ocr_simple.drawing.glyphs import check_drawing, draw
from ocr_simple.options import TRDG_FOLDER, Drawing

ROOT = Path(__file__).resolve().parent.parent


def pixels(text="AVA To 2", seed=0, **options):
    """What is drawn, in RGB, whichever mode it is drawn in."""
    return np.asarray(draw(text, OPEN_SANS, Drawing(**options), seed).convert("RGB"))


# --- the same as trdg -------------------------------------------------------------------------

PLAIN_TRDG = """
import hashlib, json, random, sys
sys.modules["tensorflow"] = None  # for handwriting alone, and slow
import cv2
from PIL import ImageFont
ImageFont.FreeTypeFont.getsize = lambda self, text: self.getbbox(text)[2:]
from trdg.generators import GeneratorFromStrings
for text, font, options, seed in json.load(sys.stdin):
    random.seed(seed)
    cv2.setRNGSeed(seed)
    try:
        image, _ = next(GeneratorFromStrings([text], fonts=[font], **options))
        seen = hashlib.sha256(f"{image.mode} {image.size}".encode() + image.tobytes()).hexdigest()
    except ValueError:
        seen = "cannot be drawn"
    print("seen", seen)
"""
VARIANTS = (
    {},
    {"stroke_width": 2, "stroke_fill": "#ff0000"},
    {"stroke_width": 1},
    {"stroke_width": 1, "stroke_fill": "#404040,#808080"},
    {"character_spacing": 3},
    {"character_spacing": -3},
    {"word_split": True},
    {"fit": True},
    {"space_width": 2.5},
    {"space_width": 0},
    {"text_color": "#000000,#4060a0"},
    {"text_color": "#000000,#888888"},
    {"size": 48, "margins": (1, 2, 3, 4)},
    {"skewing_angle": 6},
    {"skewing_angle": 6, "random_skew": True},
    {"blur": 2},
    {"blur": 2, "random_blur": True},
    {"background_type": 0},
    {"background_type": 2},
    {"background_type": 3},
    {"distorsion_type": 1},
    {"distorsion_type": 2, "distorsion_orientation": 1},
    {"distorsion_type": 3, "distorsion_orientation": 2},
    {"orientation": 1},
    {"width": 300, "alignment": 0},
    {"width": 300, "alignment": 1},
    {"width": 300, "alignment": 2},
    {"width": 60, "alignment": 1},
    {"background_type": 0, "distorsion_type": 3, "skewing_angle": 4, "random_skew": True,
     "text_color": "#000000,#4060a0", "blur": 1, "random_blur": True, "stroke_width": 1},
)  # fmt: skip


def different_from_trdg(jobs, tmp_path):
    """How many of the (text, font, variant, seed) are not drawn as trdg does, by variant."""
    one = tmp_path / "one"  # of several pictures, each picks by its own order
    one.mkdir()
    shutil.copy(min((TRDG_FOLDER / "images").iterdir()), one)
    ours = {"background_type": 1, "image_dir": str(one)}
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN_TRDG],
        input=json.dumps([(text, font, ours | how, seed) for text, font, how, seed in jobs]),
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    expected = [row[5:] for row in plain.stdout.splitlines() if row.startswith("seen ")]
    different = Counter()
    for (text, font, variant, seed), seen in zip(jobs, expected, strict=True):
        try:
            image = draw(text, font, Drawing(**ours | variant), seed).convert("RGB")
            drawn = hashlib.sha256(f"RGB {image.size}".encode() + image.tobytes()).hexdigest()
        except ValueError:
            drawn = "cannot be drawn"
        different[str(variant)] += seen != drawn
    return {variant: count for variant, count in different.items() if count}


def test_every_latin_font_draws_as_plain_trdg_does(tmp_path):
    jobs = [
        (text, font, {}, k) for k, font in enumerate(FONTS) for text in ("0123456789", "To fi, AV!")
    ]
    jobs += [
        (text, FONTS[(7 * k + i) % len(FONTS)], variant, k)
        for k, variant in enumerate(VARIANTS)
        for i, text in enumerate(("AVA To 77", "Queen & fjord", "8", "a b c", "[3.14] + {x}"))
    ]
    assert not different_from_trdg(jobs, tmp_path)


@pytest.mark.long
def test_every_option_draws_as_plain_trdg_does_with_every_latin_font(tmp_path):
    rng = random.Random(0)
    characters = "0123456789 ABCabcfgjAVWTo.,-'&@"
    jobs = []
    for variant in VARIANTS:
        for k in range(len(FONTS)):
            text = "".join(rng.choices(characters, k=rng.randint(1, 12)))
            jobs.append((" ".join(text.split()) or "7", FONTS[k], variant, k))
    assert not different_from_trdg(jobs, tmp_path)


def test_characters_are_remembered_and_words_are_not():
    options = Drawing(word_split=True, text_color="#000000,#808080")
    for seed in range(20):
        draw(f"a bc {seed + 100}", OPEN_SANS, options, seed)
    remembered = glyphs._face(OPEN_SANS, 32, 0).glyphs
    assert "a" in remembered and set(map(len, remembered)) == {1}


def test_nothing_is_printed(capfd):
    assert draw("123", OPEN_SANS, Drawing(text_color="#ffffff"), 0) is None  # trdg would explain
    assert draw("123", OPEN_SANS, Drawing(text_color="#ffffff", orientation=1), 0) is None
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed_by_the_import():
    done = subprocess.run(
        [sys.executable, "-c", "import ocr_simple.drawing.lines"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout == b""


def test_pictures_in_a_folder_are_taken_in_order_of_name(monkeypatch):
    first = [pixels(seed=seed, background_type=3) for seed in range(6)]
    shuffled = os.listdir(TRDG_FOLDER / "images")[::-1]
    monkeypatch.setattr(os, "listdir", lambda _: shuffled)
    again = [pixels(seed=seed, background_type=3) for seed in range(6)]
    assert all(map(np.array_equal, first, again))


# --- options ----------------------------------------------------------------------------------

NOT_DRAWING = {"self", "strings", "count", "fonts", "language"} | {
    "is_handwritten",  # needs TensorFlow 1
    "rtl",  # right to left: not read
    *("output_mask", "image_mode", "output_bboxes"),  # forms of output
}
EFFECTS = {  # option: (another value, what else it takes to see it)
    "size": (48, {}),
    "skewing_angle": (8, {}),
    "random_skew": (True, {"skewing_angle": 20}),
    "blur": (2, {}),
    "random_blur": (True, {"blur": 4}),
    "background_type": (0, {}),
    "distorsion_type": (2, {}),
    "distorsion_orientation": (1, {"distorsion_type": 1}),
    "width": (300, {}),
    "alignment": (2, {"width": 300}),
    "text_color": ("#ff0000", {}),
    "orientation": (1, {}),
    "space_width": (3.0, {}),
    "character_spacing": (4, {}),
    "margins": ((2, 9, 2, 9), {}),
    "fit": (True, {}),
    "word_split": (True, {}),
    "image_dir": (ROOT / "inference_test_imgs", {"background_type": 3}),
    "stroke_width": (2, {}),
    "stroke_fill": ("#ff0000", {"stroke_width": 2}),
}


def test_every_drawing_option_of_trdg_is_here_under_its_name():
    of_trdg = set(inspect.signature(GeneratorFromStrings.__init__).parameters) - NOT_DRAWING
    assert of_trdg == set(EFFECTS) <= {f.name for f in fields(Drawing)}


@pytest.mark.parametrize("name", EFFECTS)
def test_a_drawing_option_has_an_effect(name, tmp_path):
    value, needed = EFFECTS[name]
    if name == "image_dir":
        Image.new("RGB", (400, 400), "yellow").save(tmp_path / "yellow.png")
        value = tmp_path
    before, after = pixels(seed=3, **needed), pixels(seed=3, **needed | {name: value})
    assert before.shape != after.shape or (before != after).any()


def test_a_folder_of_pictures_uses_the_good_ones_and_names_the_others_once(tmp_path, caplog):
    Image.new("RGB", (400, 400), "#aabbcc").save(tmp_path / "b.png")
    options = Drawing(background_type=3, image_dir=tmp_path)
    alone = np.asarray(draw("12", OPEN_SANS, options, 5))
    whole = (tmp_path / "b.png").read_bytes()
    for name, content in {
        "a_cut.png": whole[: len(whole) // 2], "._b.png": b"x", ".DS_Store": b"x",
        "page.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "z.txt": b"text",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    (tmp_path / "more").mkdir()
    Image.new("1", (1, 5000)).save(tmp_path / "long.png")
    for _ in range(2):
        check_drawing(options)
    (message,) = caplog.messages
    names = [row.strip() for row in message.splitlines()[1:]]
    assert "4 files left out" in message
    assert names == ["a_cut.png", "long.png", "page.eps", "z.txt"]
    assert (np.asarray(draw("12", OPEN_SANS, options, 5)) == alone).all()


def test_what_is_no_regular_picture_or_decodes_slowly_is_named_at_once(
    tmp_path, caplog, monkeypatch
):
    Image.new("RGB", (400, 400), "#aabbcc").save(tmp_path / "good.bmp")
    Image.new("RGB", (400, 400), "#aabbcc").save(tmp_path / "slow.jpg")
    os.mkfifo(tmp_path / "pipe.png")
    os.symlink("loop.png", tmp_path / "loop.png")
    os.symlink("gone", tmp_path / "gone.png")
    opened = decoding_time.open_file

    def slowly(encoded, formats):
        image = opened(encoded, formats)
        if image.format == "JPEG":
            image.fp.until = 0.0  # as after ten seconds
        return image

    monkeypatch.setattr(decoding_time, "open_file", slowly)
    check_drawing(Drawing(background_type=3, image_dir=tmp_path))
    (message,) = caplog.messages
    assert "4 files left out, no pictures, too large or slow to decode" in message
    names = [row.strip() for row in message.splitlines()[1:]]
    assert names == ["gone.png", "loop.png", "pipe.png", "slow.jpg"]
