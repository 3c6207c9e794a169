"""Pictures of where each character was read."""

import numpy as np
import pytest
from PIL import Image
from support.pictures import RED, line, near

from ocr_simple.decoding.greedy import ctc_greedy
from ocr_simple.reports import decoding_pictures
from ocr_simple.spec import ModelSpec, time_steps
from ocr_simple.text import Alphabet, Line


def heated_columns(picture: Image.Image, row: int) -> list[int]:
    page = np.asarray(picture.convert("RGB")).astype(int)[row]
    return np.flatnonzero(page[:, 0] - page[:, 2] > 60)[[0, -1]].tolist()


def test_attention_sheet_heats_the_columns_of_the_steps_looked_at():
    image, read = np.full((50, 400, 1), 255, np.uint8), Line("17", 0.9, ())
    attention = np.array([[1.0, 0, 0, 0], [0, 0, 0.5, 0.5]])
    picture = decoding_pictures.attention_sheet(image, read, attention)
    assert picture.size == (510, 40 + 58 * 3)
    assert heated_columns(picture, 40 + 58 + 25) == pytest.approx([100, 199], abs=2)
    assert heated_columns(picture, 40 + 2 * 58 + 25) == pytest.approx([300, 499], abs=2)


def test_attention_frames_heat_one_character_each_and_make_a_gif(tmp_path):
    attention, path = np.eye(3), tmp_path / "a.gif"
    frames = decoding_pictures.attention_frames(
        line(300, channels=3), Line("117", 0.9, ()), attention
    )
    assert [frame.size for frame in frames] == [(720, 125)] * 3
    starts = [heated_columns(frame, 40)[0] for frame in frames]
    assert starts == pytest.approx([10, 10 + 700 / 3, 10 + 1400 / 3], abs=2)
    decoding_pictures.save_gif(frames, path)
    with Image.open(path) as animation:
        assert animation.n_frames == 3
        animation.seek(2)
        assert heated_columns(animation, 40)[0] == starts[2]


def test_attention_frames_of_a_long_text_show_what_is_read_now():
    text = "a" * 40 + "b" * 40
    frames = decoding_pictures.attention_frames(line(60), Line(text, 0.5, ()), np.ones((80, 5)))
    pages = [np.asarray(frame.convert("L")) for frame in frames]
    assert all((page[:, [0, -1]] > 250).all() for page in pages)  # nothing runs over the edges
    below = [page[-35:] for page in pages]
    assert (below[20] == below[21]).all() and (below[20] != below[60]).any()


@pytest.mark.parametrize("shape", [(300, 200, 3), (20, 2000, 1), (1, 1, 1)])
@pytest.mark.parametrize("text", ["", "$ 字"])
@pytest.mark.filterwarnings("error::UserWarning")
def test_attention_of_any_image_and_text(tmp_path, shape, text):
    image, attention = np.full(shape, 9, np.uint8), np.full((len(text), 7), 1 / 7)
    assert decoding_pictures.attention_sheet(image, Line(text, 0.5, ()), attention).width <= 1010
    frames = decoding_pictures.attention_frames(image, Line(text, 0.5, ()), attention)
    assert len(frames) == max(1, len(text))
    decoding_pictures.save_gif(frames, tmp_path / "a.gif")


def test_attention_without_a_row_for_each_character_is_refused(tmp_path):
    for shape in ((2, 5), (3, 0), (3,)):
        with pytest.raises(ValueError, match="3 characters for 'abc'"):
            decoding_pictures.attention_sheet(line(), Line("abc", 0.5, ()), np.ones(shape))


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
    read = ctc_greedy(probabilities, Alphabet(spec.alphabet))
    scale = 800 / steps
    in_pixels = [c._replace(start=at * scale, end=(at + 1) * scale) for c in read.characters]
    line = read._replace(characters=tuple(in_pixels))
    picture = decoding_pictures.time_step_map(image, line, probabilities, spec)

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
    picture = decoding_pictures.time_step_map(
        image, Line("", 0.5, ()), peaks(steps, spec, "", []), spec
    )
    assert 290 <= picture.width <= 990 and 300 <= picture.height <= 600


@pytest.mark.filterwarnings("error::UserWarning")
def test_time_step_map_shows_the_likeliest_of_many_classes():
    spec = ModelSpec(alphabet=Alphabet.parse("ascii").characters + "字")
    text = "$ 字"
    probabilities = peaks(30, spec, text, at=[3, 9, 20])
    line = ctc_greedy(probabilities, Alphabet(spec.alphabet))
    assert line.text == text
    picture = decoding_pictures.time_step_map(
        np.zeros((32, 120), np.uint8), line, probabilities, spec
    )
    assert picture.height == 68 + 130 + 10 + 16 * 17 + 50  # of 16 classes


@pytest.mark.parametrize("truth", [None, "12", "17", "", "1" * 200])
def test_the_truth_is_shown_where_it_is_not_what_was_read(truth):
    spec, read = ModelSpec(), Line("12", 0.5, ())
    sheet = decoding_pictures.attention_sheet(line(), read, np.ones((2, 9)), truth)
    steps = decoding_pictures.time_step_map(line(), read, peaks(15, spec, "", []), spec, truth)
    for picture in (sheet, steps):
        title = picture.crop((0, 0, picture.width, 40))
        assert near(title, RED).any() == (truth not in (None, "12"))
        assert (np.asarray(title.convert("L"))[:, -3:] > 250).all()
