"""Which labelled images a model can be trained on, and the messages about the others."""

import shutil

import numpy as np
import pytest
from PIL import Image

from ocr_simple.datasets.annotations import DatasetError, find_entries
from ocr_simple.datasets.usable_images import select_usable, too_long, why_unusable
from ocr_simple.preprocessing import MAX_COLUMNS, scaled_width
from ocr_simple.spec import ModelSpec

SPEC = ModelSpec()


def test_all_that_cannot_be_used_is_reported_at_once(labelled_folder, tmp_path):
    for name in ("0", "1"):
        Image.open(labelled_folder / f"{name}.png").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((32, 8), np.uint8)).save(tmp_path / "narrow.png")
    (tmp_path / "labels.tsv").write_text(
        "0.png\t12\n1.png\tx7\nbroken.png\t1\nnarrow.png\t1234\nmissing.png\t1\n0.png\n"
    )
    with pytest.raises(DatasetError) as error:
        select_usable(find_entries(tmp_path), SPEC)
    message = str(error.value)
    assert "5 of 6 labelled images" in message
    for number, reason in ((2, "'x'"), (3, "not an image"), (4, "4 time steps"), (5, "no such"),
                           (6, "no label")):  # fmt: skip
        line = next(line for line in message.splitlines() if f"labels.tsv:{number}:" in line)
        assert reason in line


def test_what_cannot_be_used_can_be_left_out(labelled_folder, tmp_path):
    shutil.copy(labelled_folder / "0.png", tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((32, 8), np.uint8)).save(tmp_path / "narrow.png")
    labels = tmp_path / "labels.tsv"
    labels.write_text("0.png\t12\n0.png\tStraße\nbroken.png\t1\nnarrow.png\t1234\n0.png\t\n")
    entries, left_out = select_usable(find_entries(tmp_path), SPEC, skip_bad=True)
    assert [entry.label for entry in entries] == ["12", ""]
    assert [fault.place.rpartition(":")[2] for fault in left_out] == ["2", "3", "4"]
    with pytest.raises(
        DatasetError, match=r"3 of 5 labelled images .* leave them out with --skip-b"
    ):
        select_usable(find_entries(tmp_path), SPEC)
    labels.write_text("0.png\tx\n")
    with pytest.raises(DatasetError, match="1 of 1 labelled images cannot be used; correct them:"):
        select_usable(find_entries(tmp_path), SPEC, skip_bad=True)


def test_images_over_the_limits_are_counted_and_listed(labelled_folder):
    found = find_entries(labelled_folder)
    widths = {entry.name: Image.open(entry.file).width for entry in found}
    limit = sorted(widths.values())[5]
    entries, left_out = select_usable(found, SPEC, max_width=limit)
    assert {e.name for e in entries} == {name for name, width in widths.items() if width <= limit}
    assert len(entries) + len(left_out) == 12
    with pytest.raises(DatasetError, match="--max-height 1 leave none of 12"):
        select_usable(found, SPEC, max_height=1)


def test_an_image_that_is_too_wide_to_be_read_is_not_trained_on():
    pixels = np.zeros((20, 6000, 1), np.uint8)
    assert why_unusable(pixels, "1", ModelSpec(height=32)) is None
    reason = why_unusable(pixels, "1", ModelSpec(height=64))
    assert reason is not None and "19,200 columns at the model's height of 64" in reason


def test_an_image_that_becomes_too_wide_by_being_scaled_twice_is_not_trained_on():
    spec, rows = ModelSpec(height=48), 192  # load_example scales it to 96 rows
    assert scaled_width(64_001, rows, 48) == MAX_COLUMNS
    assert "16,001" in why_unusable(np.zeros((rows, 64_001, 1), np.uint8), "1", spec)
    assert why_unusable(np.zeros((rows, 64_000, 1), np.uint8), "1", spec) is None


def test_a_label_that_is_too_long_is_reported_with_what_helps():
    reasons = {
        ((30, 32), "1234567890"): "try --architecture fine, or correct the label",
        ((30, 32), "1234567890123456"): "no --architecture gives enough; correct the label",
        ((32, 110), "123456"): "the image is taller than wide: turn it, so that its text is level",
    }
    for (size, label), fix in reasons.items():
        assert str(too_long(size, label, SPEC)).endswith(fix)
    assert too_long((110, 32), "1234567890", SPEC) is None
