"""Pictures of a report hold what they promise, where they promise it."""

from ocr_simple.text import Alphabet
from ocr_simple.text import Line
from ocr_simple.spec import ModelSpec
from ocr_simple.decoding.greedy import ctc_decode
from ocr_simple.spec import time_steps

import numpy as np
import pytest
from PIL import Image
from test_visualize import RED, line, near



@pytest.mark.filterwarnings("error::UserWarning")
def test_misread_gives_long_lines_more_width():
    wrong = Line("$x$ 字\n", 0.5, ())
    for width, text, rows in (
        (100, "12", 1),
        (400, "12", 2),
        (100, "x" * 45, 2),
        (100, "字" * 50, 4),
    ):
        picture = report_pictures.misread([line(width)] * 4, [text] * 4, [wrong] * 4, ["a.png"] * 4)
        assert picture.size == (1000, 116 * rows)
        assert near(picture, RED).any()
        page = np.asarray(picture.convert("L"))
        assert (page[:, 999] > 250).all()  # nothing runs over the edge


def test_confusions_are_darker_the_more_there_are():
    picture = report_pictures.confusions([("0", "8", 90), ("1", "7", 1), ("", "7", 1)])
    page = np.asarray(picture.convert("L")).astype(int)
    # rows 0, 1, nothing; columns 7, 8, of 34 pixels each
    corner = page[95 + 4 : 95 + 3 * 34 : 34, 95 + 4 : 95 + 2 * 34 : 34]
    often, seldom = corner[0, 1], corner[1, 0]
    assert often < seldom < corner[0, 0] and corner[2, 0] == seldom


@pytest.mark.filterwarnings("error::UserWarning")
def test_confusions_of_many_characters_are_cut():
    many = [(chr(65 + i), chr(0x4E00 + i), 1 + i) for i in range(40)]
    assert (
        report_pictures.confusions(many, most=12).height
        == report_pictures.confusions(many[:12]).height
    )
    assert report_pictures.confusions([]).convert("L").getextrema()[0] < 200  # says so


def test_reliability_has_a_bar_for_each_bin_with_lines():
    picture = report_pictures.reliability(
        [np.nan, 0.25, 0.95, 0.99], [np.nan, 0, 1, 1], [0, 3, 100, 9]
    )
    across = np.asarray(picture.convert("RGB")).astype(int)[150]  # at about half the height
    axis = np.flatnonzero(across.max(axis=1) < 40)[0]
    bars = np.flatnonzero(across[:, 2] - across[:, 0] > 40)
    assert bars[0] == pytest.approx((axis + bars[-1]) / 2, abs=5)  # the upper half of the bins
    assert len(bars) > 0.9 * (bars[-1] - bars[0])


def heated_columns(picture: Image.Image, row: int) -> list[int]:
    page = np.asarray(picture.convert("RGB")).astype(int)[row]
    return np.flatnonzero(page[:, 0] - page[:, 2] > 60)[[0, -1]].tolist()


def test_attention_sheet_heats_the_columns_of_the_steps_looked_at():
    image, read = np.full((50, 400, 1), 255, np.uint8), Line("17", 0.9, ())
    attention = np.array([[1.0, 0, 0, 0], [0, 0, 0.5, 0.5]])
    picture = report_pictures.attention_sheet(image, read, attention)
    assert picture.size == (510, 40 + 58 * 3)
    assert heated_columns(picture, 40 + 58 + 25) == pytest.approx([100, 199], abs=2)
    assert heated_columns(picture, 40 + 2 * 58 + 25) == pytest.approx([300, 499], abs=2)


def test_attention_frames_heat_one_character_each_and_make_a_gif(tmp_path):
    attention, path = np.eye(3), tmp_path / "a.gif"
    frames = report_pictures.attention_frames(
        line(300, channels=3), Line("117", 0.9, ()), attention
    )
    assert [frame.size for frame in frames] == [(720, 125)] * 3
    starts = [heated_columns(frame, 40)[0] for frame in frames]
    assert starts == pytest.approx([10, 10 + 700 / 3, 10 + 1400 / 3], abs=2)
    report_pictures.save_gif(frames, path)
    with Image.open(path) as animation:
        assert animation.n_frames == 3
        animation.seek(2)
        assert heated_columns(animation, 40)[0] == starts[2]


def test_attention_frames_of_a_long_text_show_what_is_read_now():
    text = "a" * 40 + "b" * 40
    frames = report_pictures.attention_frames(line(60), Line(text, 0.5, ()), np.ones((80, 5)))
    pages = [np.asarray(frame.convert("L")) for frame in frames]
    assert all((page[:, [0, -1]] > 250).all() for page in pages)  # nothing runs over the edges
    below = [page[-35:] for page in pages]
    assert (below[20] == below[21]).all() and (below[20] != below[60]).any()


@pytest.mark.parametrize("shape", [(300, 200, 3), (20, 2000, 1), (1, 1, 1)])
@pytest.mark.parametrize("text", ["", "$ 字"])
@pytest.mark.filterwarnings("error::UserWarning")
def test_attention_of_any_image_and_text(tmp_path, shape, text):
    image, attention = np.full(shape, 9, np.uint8), np.full((len(text), 7), 1 / 7)
    assert report_pictures.attention_sheet(image, Line(text, 0.5, ()), attention).width <= 1010
    frames = report_pictures.attention_frames(image, Line(text, 0.5, ()), attention)
    assert len(frames) == max(1, len(text))
    report_pictures.save_gif(frames, tmp_path / "a.gif")


def test_attention_without_a_row_for_each_character_is_refused(tmp_path):
    for shape in ((2, 5), (3, 0), (3,)):
        with pytest.raises(ValueError, match="3 characters for 'abc'"):
            report_pictures.attention_sheet(line(), Line("abc", 0.5, ()), np.ones(shape))


def peaks(steps: int, spec: ModelSpec, text: str, at: list[int]) -> np.ndarray:
    """Probabilities (steps, classes) that read `text`, each character at one step."""
    probabilities = np.full((steps, len(spec.alphabet) + 1), 0.001)
    probabilities[:, 0] = 1
    for character, step in zip(text, at):
        probabilities[step, 0] = 0
        probabilities[step, Alphabet(spec.alphabet).ids[character]] = 1
    return probabilities


def test_time_step_map_puts_spans_and_steps_under_each_other():
    spec = ModelSpec()
    steps = 400 // spec.stride  # of an image twice as high as the model's input, 800 columns wide
    image = np.full((2 * spec.height, 800, 1), 128, np.uint8)
    at = steps * 8 // 10
    probabilities = peaks(steps, spec, "7", at=[at])
    read = ctc_decode(probabilities, Alphabet(spec.alphabet))
    scale = 800 / steps
    in_pixels = [c._replace(start=at * scale, end=(at + 1) * scale) for c in read.characters]
    line = read._replace(characters=tuple(in_pixels))
    picture = report_pictures.time_step_map(image, line, probabilities, spec)

    width = picture.width - 90  # beside its margins
    left, right = 70 + width * at / steps, 70 + width * (at + 1) / steps
    page = np.asarray(picture.convert("RGB")).astype(int)
    coloured = np.ptp(page[93], axis=1) > 15  # across the image, grey but for the span
    assert abs(np.flatnonzero(coloured)[[0, -1]] - [left, right]).max() <= 1.5
    row = picture.height - 50 - 17 * 3 + 8  # the third class from below: 0 to 9, so 7
    dark = page[row, 75:-25].sum(axis=1) < 300
    assert abs(np.flatnonzero(dark)[[0, -1]] + 75 - [left, right]).max() <= 1.5


@pytest.mark.parametrize("shape", [(32, 8, 1), (300, 200, 3), (20, 2000, 1)])
def test_time_step_map_of_any_image(shape):
    spec = ModelSpec()
    steps = time_steps(max(1, round(shape[1] * 32 / shape[0])), spec.stride)
    image = np.full(shape, 200, np.uint8)
    picture = report_pictures.time_step_map(
        image, Line("", 0.5, ()), peaks(steps, spec, "", []), spec
    )
    assert 290 <= picture.width <= 990 and 300 <= picture.height <= 600


@pytest.mark.filterwarnings("error::UserWarning")
def test_time_step_map_shows_the_likeliest_of_many_classes():
    spec = ModelSpec(alphabet=Alphabet.parse("ascii").characters + "字")
    text = "$ 字"
    probabilities = peaks(30, spec, text, at=[3, 9, 20])
    line = ctc_decode(probabilities, Alphabet(spec.alphabet))
    assert line.text == text
    picture = report_pictures.time_step_map(
        np.zeros((32, 120), np.uint8), line, probabilities, spec
    )
    assert picture.height == 68 + 130 + 10 + 16 * 17 + 50  # of 16 classes


@pytest.mark.parametrize("truth", [None, "12", "17", "", "1" * 200])
def test_the_truth_is_told_where_it_is_not_what_was_read(truth):
    spec, read = ModelSpec(), Line("12", 0.5, ())
    sheet = report_pictures.attention_sheet(line(), read, np.ones((2, 9)), truth)
    steps = report_pictures.time_step_map(line(), read, peaks(15, spec, "", []), spec, truth)
    for picture in (sheet, steps):
        title = picture.crop((0, 0, picture.width, 40))
        assert near(title, RED).any() == (truth not in (None, "12"))
        assert (np.asarray(title.convert("L"))[:, -3:] > 250).all()
