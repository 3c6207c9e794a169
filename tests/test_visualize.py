"""Pictures hold what they promise, where they promise it."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visualize
from augmentation import Augmentation
from drawing import DataError
from model import ModelSpec, time_steps
from text import Alphabet, Line, ctc_decode

GREEN, RED = (26, 127, 55), (207, 34, 46)


def line(width: int = 120, channels: int = 1) -> np.ndarray:
    """A white line with a black bar in the middle."""
    pixels = np.full((32, width, channels), 255, np.uint8)
    pixels[8:24, width // 2 - 4 : width // 2 + 4] = 0
    return pixels


def near(picture: Image.Image, color: tuple[int, int, int]) -> np.ndarray:
    """Which pixels are of about this colour."""
    distance = np.asarray(picture.convert("RGB")).astype(int) - color
    return np.abs(distance).max(axis=2) < 40


def filled(picture: Image.Image) -> float:
    """Share of the pixels that are not white."""
    return float((np.asarray(picture.convert("L")) < 250).mean())


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_lines_has_a_row_for_every_four(count):
    picture = visualize.lines([line()] * count, ["12"] * count)
    assert picture.size == (1000, 78 * max(1, -(-count // 4)))
    assert (filled(picture) > 0) == (count > 0)


def test_lines_of_any_width_and_either_depth_fit_their_cells():
    pixels = [line(1), line(3000), line(100, channels=3)]
    picture = visualize.lines(pixels, ["a", "b", "c"], columns=3)
    page = np.asarray(picture.convert("L"))
    for gap in (0, 332, 333, 665, 666, 999):  # between cells
        assert (page[:, gap] > 250).all()


@pytest.mark.parametrize("title", ["$x^2$ $", "\\frac", "字汉", "ひらがな", "жλ", "x" * 500, ""])
@pytest.mark.filterwarnings("error::UserWarning")
def test_titles_of_any_text_are_drawn(title):
    assert visualize.lines([line()], [title]).size == (1000, 78)


def test_predictions_are_green_if_right_and_red_if_not():
    pixels = [line()] * 3
    right = visualize.predictions(pixels, ["1", "2", "3"], ["1", "2", "3"])
    assert near(right, GREEN).any() and not near(right, RED).any()
    wrong = visualize.predictions(pixels, ["1", "2", "3"], ["7", "7", ""])
    assert near(wrong, RED).any() and not near(wrong, GREEN).any()


@pytest.mark.parametrize("misread", [3, 77, 499])
def test_predictions_show_the_same_lines_and_then_a_misread_one_wherever_it_is(misread):
    magenta = np.full((32, 60, 3), (255, 0, 255), np.uint8)
    pixels, truths = [line(50 + i) for i in range(500)], [str(i) for i in range(500)]
    before = visualize.predictions(pixels, truths, truths, count=12)
    pixels[misread], texts = magenta, [*truths[:misread], "?", *truths[misread + 1 :]]
    after = visualize.predictions(pixels, truths, texts, count=12)
    found = np.flatnonzero(near(after, (255, 0, 255)).any(axis=1))
    assert len(found) and found.min() > 2 * 78  # in the third row of three
    first_rows = (np.asarray(p.convert("L")).astype(int)[: 2 * 78] for p in (before, after))
    assert np.abs(np.subtract(*first_rows)).max() < 40


def test_readings_mark_what_is_not_the_truth(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(line()[..., 0]).save(path)
    read = [Line("12", 0.5, ()), Line("", 0.9, ())]
    assert not near(visualize.readings([path, path], read), GREEN).any()
    picture = visualize.readings([path, line()], read, truths=["12", "34"])
    left, right = picture.crop((0, 0, 250, 140)), picture.crop((250, 0, 500, 140))
    assert near(left, GREEN).any() and not near(left, RED).any()
    assert near(right, RED).any() and not near(right, GREEN).any()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "∅"),
        (" ", "␣"),
        (" a  b ", "␣a ␣b␣"),
        ("a b", "a b"),
        ("a\n", "a\\n"),
        ("\u0301", "◌\u0301"),
    ],
)
def test_visible_shows_what_cannot_be_seen(text, shown):
    assert visualize.visible(text) == shown


@pytest.mark.filterwarnings("error::UserWarning")
def test_misread_gives_long_lines_more_width():
    wrong = Line("$x$ 字\n", 0.5, ())
    for width, text, rows in (
        (100, "12", 1),
        (400, "12", 2),
        (100, "x" * 45, 2),
        (100, "字" * 50, 4),
    ):
        picture = visualize.misread([line(width)] * 4, [text] * 4, [wrong] * 4, ["a.png"] * 4)
        assert picture.size == (1000, 116 * rows)
        assert near(picture, RED).any()
        page = np.asarray(picture.convert("L"))
        assert (page[:, 999] > 250).all()  # nothing runs over the edge


@pytest.mark.parametrize("rows", [visualize.DRAWING, visualize.VARIATION])
@pytest.mark.filterwarnings("error::UserWarning")
def test_generator_options_has_a_row_for_each_option(rows):
    picture = visualize.generator_options(rows)
    assert picture.size == (1110, 66 * len(rows))
    for row in range(len(rows)):
        assert filled(picture.crop((0, 66 * row, 190, 66 * row + 66))) > 0.01  # its name
        assert filled(picture.crop((190, 66 * row, 420, 66 * row + 66))) > 0.03  # its first line


def test_every_variation_has_a_row_and_is_off_in_the_plain_line():
    names = {field.name for field in fields(Augmentation)} | {"spacing"}
    assert set(visualize.VARIATION) == names
    assert not any(getattr(visualize.PLAIN, name) for name in names)


def test_generator_options_change_what_they_name():
    def cell(changes):
        picture = visualize.generator_options({"row": [changes]})
        return np.asarray(picture.crop((190, 24, 420, 66)).convert("L"))

    plain = cell({})
    assert (cell({}) == plain).all()
    for changes in ({"blur": 2}, {"photo": 1.0}, {"spacing": 9}, {"shear": 0.3}):
        assert (cell(changes) != plain).any(), changes


def test_generator_options_names_what_cannot_be_drawn():
    with pytest.raises(DataError, match="margins"):
        visualize.generator_options({"size": [{"size": 8}]})


def test_curves_of_a_metrics_file(tmp_path):
    metrics = tmp_path / "metrics.csv"
    header = "step,loss,val_exact,val_cer\n"
    metrics.write_text(header + "500,12.5,0.1,0.8\n1000,0.25,0.975,0.01\n")
    assert visualize.curves(metrics).size == (1000, 270)
    metrics.write_text(header + "1,3,0,0\n")  # the first validation of a short run
    assert filled(visualize.curves(str(metrics))) > 0


def test_confusions_are_darker_the_more_there_are():
    picture = visualize.confusions([("0", "8", 90), ("1", "7", 1), ("", "7", 1)])
    page = np.asarray(picture.convert("L")).astype(int)
    # rows 0, 1, nothing; columns 7, 8, of 34 pixels each
    corner = page[95 + 4 : 95 + 3 * 34 : 34, 95 + 4 : 95 + 2 * 34 : 34]
    often, seldom = corner[0, 1], corner[1, 0]
    assert often < seldom < corner[0, 0] and corner[2, 0] == seldom


@pytest.mark.filterwarnings("error::UserWarning")
def test_confusions_of_many_characters_are_cut():
    many = [(chr(65 + i), chr(0x4E00 + i), 1 + i) for i in range(40)]
    assert visualize.confusions(many, most=12).height == visualize.confusions(many[:12]).height
    assert filled(visualize.confusions([])) > 0


def test_reliability_has_a_bar_for_each_bin_with_lines():
    picture = visualize.reliability([np.nan, 0.25, 0.95, 0.99], [np.nan, 0, 1, 1], [0, 3, 100, 9])
    above = np.asarray(picture.convert("RGB")).astype(int)[150, 66:434]  # at about half the height
    blue = above[:, 2] - above[:, 0] > 40
    assert not blue[: len(blue) // 2].any() and blue[len(blue) // 2 + 5 :].mean() > 0.9


def heated_columns(picture: Image.Image, row: int) -> list[int]:
    page = np.asarray(picture.convert("RGB")).astype(int)[row]
    return np.flatnonzero(page[:, 0] - page[:, 2] > 60)[[0, -1]].tolist()


def test_attention_sheet_heats_the_columns_of_the_steps_looked_at():
    image, read = np.full((50, 400, 1), 255, np.uint8), Line("17", 0.9, ())
    attention = np.array([[1.0, 0, 0, 0], [0, 0, 0.5, 0.5]])
    picture = visualize.attention_sheet(image, read, attention)
    assert picture.size == (510, 40 + 58 * 3)
    assert heated_columns(picture, 40 + 58 + 25) == pytest.approx([100, 199], abs=2)
    assert heated_columns(picture, 40 + 2 * 58 + 25) == pytest.approx([300, 499], abs=2)


def test_attention_gif_has_a_frame_for_each_character(tmp_path):
    path = tmp_path / "a.gif"
    visualize.attention_gif(line(300, channels=3), Line("117", 0.9, ()), np.eye(3), path)
    with Image.open(path) as frames:
        assert frames.n_frames == 3
        starts = []
        for i in range(3):
            frames.seek(i)
            starts.append(heated_columns(frames, 40)[0])
    assert starts == pytest.approx([10, 10 + 300, 10 + 600], abs=3)  # 9 inches wide


@pytest.mark.parametrize("shape", [(300, 200, 3), (20, 2000, 1), (1, 1, 1)])
@pytest.mark.parametrize("text", ["", "$ 字"])
@pytest.mark.filterwarnings("error::UserWarning")
def test_attention_of_any_image_and_text(tmp_path, shape, text):
    image, attention = np.full(shape, 9, np.uint8), np.full((len(text), 7), 1 / 7)
    assert visualize.attention_sheet(image, Line(text, 0.5, ()), attention).width <= 1010
    visualize.attention_gif(image, Line(text, 0.5, ()), attention, tmp_path / "a.gif")


def test_attention_without_a_row_for_each_character_is_refused(tmp_path):
    for shape in ((2, 5), (3, 0), (3,)):
        with pytest.raises(ValueError, match="3 characters for 'abc'"):
            visualize.attention_sheet(line(), Line("abc", 0.5, ()), np.ones(shape))


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
    picture = visualize.time_step_map(image, line, probabilities, spec)

    width = picture.width - 85  # inches of axes beside 0.85 of margins, 100 pixels each
    left, right = 70 + width * at / steps, 70 + width * (at + 1) / steps
    page = np.asarray(picture.convert("RGB")).astype(int)
    coloured = np.ptp(page[90], axis=1) > 15  # across the image, grey but for the span
    assert abs(np.flatnonzero(coloured)[[0, -1]] - [left, right]).max() <= 1.5
    row = picture.height - 55 - 17 * 3 + 8  # the third class from below: 0 to 9, so 7
    dark = page[row, 75:-20].sum(axis=1) < 300
    assert abs(np.flatnonzero(dark)[[0, -1]] + 75 - [left, right]).max() <= 1.5


@pytest.mark.parametrize("shape", [(32, 8, 1), (300, 200, 3), (20, 2000, 1)])
def test_time_step_map_of_any_image(shape):
    spec = ModelSpec()
    steps = time_steps(max(1, round(shape[1] * 32 / shape[0])), spec.stride)
    image = np.full(shape, 200, np.uint8)
    picture = visualize.time_step_map(image, Line("", 0.5, ()), peaks(steps, spec, "", []), spec)
    assert 300 <= picture.width <= 1000 and 300 <= picture.height <= 600


@pytest.mark.filterwarnings("error::UserWarning")
def test_time_step_map_shows_the_likeliest_of_many_classes():
    spec = ModelSpec(alphabet=Alphabet.parse("ascii").characters + "字")
    text = "$ 字"
    probabilities = peaks(30, spec, text, at=[3, 9, 20])
    line = ctc_decode(probabilities, Alphabet(spec.alphabet))
    assert line.text == text
    picture = visualize.time_step_map(np.zeros((32, 120), np.uint8), line, probabilities, spec)
    assert picture.height == 532  # of 16 classes


def test_pictures_leave_pyplot_alone():
    source = Path(visualize.__file__).read_text(encoding="utf-8")
    assert "pyplot" not in source and "rcParams" not in source
