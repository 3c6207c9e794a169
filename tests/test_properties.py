"""What holds for any text, image, data set and checkpoint, by Hypothesis."""

import io
import unicodedata

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.datasets.annotations import find_entries
from ocr_simple.datasets.entries import to_label
from ocr_simple.datasets.record_writer import Record, RecordWriter
from ocr_simple.decoding.greedy import ctc_greedy
from ocr_simple.messages import escape_controls
from ocr_simple.text import NOT_READ, Alphabet, ctc_steps_needed, normalise_text
from ocr_simple.written_files import write_whole

settings.register_profile(
    "here",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("here")

CHARACTERS = st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"))
TEXTS = (
    st.text(CHARACTERS, min_size=1, max_size=12)
    .map(normalise_text)
    .filter(
        lambda text: text and not NOT_READ.search(text)  # what an alphabet may have
    )
)
LABELS = TEXTS.filter(lambda text: to_label(text, clean=True) == text) | st.just("")
PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 90), st.just(1)))


# --- text -------------------------------------------------------------------------------------


@given(TEXTS)
def test_text_comes_back_from_its_label(text):
    alphabet = Alphabet.parse("".join(dict.fromkeys(text)) + "0")
    assert alphabet.decode(alphabet.encode(text)) == alphabet.to_visual(text)


@given(TEXTS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_text_comes_back_from_any_path_that_writes_it(text, extra, random):
    alphabet = Alphabet.parse("".join(dict.fromkeys(text)))
    path = []
    for i, class_id in enumerate(ids := alphabet.encode(text)):
        path += [0] * (random.randint(0, extra) or (i > 0 and ids[i - 1] == class_id))
        path += [class_id] * random.randint(1, 1 + extra)
    probabilities = np.full((len(path), alphabet.classes), 0.01)
    probabilities[np.arange(len(path)), path] = 0.9
    line = ctc_greedy(probabilities, alphabet)
    assert line.text == alphabet.to_visual(text) and len(path) >= ctc_steps_needed(text)
    edges = [edge for c in line.characters for edge in (c.start, c.end)]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= len(path)


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing_and_a_line_stays_one(text):
    once = normalise_text(text)
    assert normalise_text(once) == once and unicodedata.is_normalized("NFC", once)
    assert len(escape_controls(text).splitlines()) <= 1


# --- images -----------------------------------------------------------------------------------


@given(PIXELS, st.sampled_from(["PNG", "BMP", "TIFF", "WEBP"]))
def test_pixels_come_back_from_any_lossless_file(pixels, kind):
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(content, kind, lossless=True)
    if pixels.shape[1] <= imaging.MAX_ASPECT * pixels.shape[0]:
        loaded = imaging.load(content.getvalue(), warn=False)
        assert loaded.shape == pixels.shape
        assert abs(loaded.astype(int) - pixels).max() <= 1  # WebP has no grey: luma rounds


@given(PIXELS, st.sampled_from([16, 32, 48]))
def test_a_prepared_image_has_the_models_height_and_keeps_its_aspect(pixels, height):
    prepared = preprocessing.prepare(pixels, height)
    assert prepared.shape[0] == height and prepared.dtype == np.float32
    assert prepared.shape[1] == preprocessing.scaled_width(pixels.shape[1], pixels.shape[0], height)
    assert np.isfinite(prepared).all()
    brighter = preprocessing.prepare((pixels // 2) + 60, height)
    darker = preprocessing.prepare((pixels // 2) + 10, height)
    assert np.allclose(brighter, darker, atol=1e-3), "exposure makes a difference"


@given(st.lists(PIXELS, min_size=1, max_size=4))
def test_a_batch_holds_each_image_and_zeros(images):
    prepared = [preprocessing.prepare(pixels, 32) for pixels in images]
    batch = preprocessing.pad_batch(prepared, 32)
    assert batch["image"].shape[2] % 32 == 0
    for row, width, image in zip(batch["image"], batch["width"], prepared):
        assert np.array_equal(row[:, :width], image) and not row[:, width:].any()


# --- files ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(PIXELS, LABELS, TEXTS), min_size=1, max_size=5))
@settings(max_examples=15)
def test_a_data_set_comes_back_from_tfrecords(tmp_path, lines):
    file = tmp_path / "set.tfrecords"
    encoded = []
    with RecordWriter(file) as writer:
        for number, (pixels, label, name) in enumerate(lines):
            content = io.BytesIO()
            Image.fromarray(pixels[..., 0]).save(content, "PNG")
            encoded.append(content.getvalue())
            record = Record(encoded[-1], label, name, pixels.shape[1::-1])
            writer.add(number, record)
    found = find_entries(file)
    assert [entry.image_bytes() for entry in found] == encoded
    assert [(entry.label, entry.name) for entry in found] == [line[1:] for line in lines]


@given(st.binary(max_size=200), st.binary(max_size=200), st.booleans())
def test_a_file_is_whole_and_the_one_before_is_kept(tmp_path, first, second, keep):
    path, before = tmp_path / "a.bin", tmp_path / "b.bin"
    before.unlink(missing_ok=True)
    write_whole(path, first)
    write_whole(path, second, before if keep else None)
    assert path.read_bytes() == second and before.exists() == keep
    assert not keep or before.read_bytes() == first
    assert {p.name for p in tmp_path.iterdir()} <= {"a.bin", "b.bin"}
