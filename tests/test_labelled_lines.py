"""Labelled images as lines to train on: which, in what order, and what is reported of bad ones."""

import dataclasses
import shlex
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from support.in_process import run_train, without_graphs
from support.lines import OPEN_SANS

import model as models
from ocr_simple.datasets import labelled_lines as labelled
from ocr_simple.datasets.annotations import DatasetError, find_entries
from ocr_simple.datasets.batches import collate
from ocr_simple.datasets.labelled_lines import LabelledLines, MixedLines
from ocr_simple.datasets.tfrecords import write_labelled
from ocr_simple.datasets.usable_images import select_usable
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions, TrainOptions, Variation
from ocr_simple.photography import geometry
from ocr_simple.runs.config import resolve
from ocr_simple.runs.model_files import find_model
from ocr_simple.spec import ModelSpec, read_spec, time_steps

SPEC = ModelSpec()
TINY = shlex.split(
    "--context conv --rnn-units 8 --batch-size 4 --warmup 2 --steps 4 --interval 2 --workers 0"
)


def entries_of(folder):
    return select_usable(find_entries(folder), SPEC)[0]


def run(folder, *options):
    with without_graphs():
        return run_train(*TINY, "--model-dir", folder, *options)


def test_each_image_comes_once_an_epoch_in_an_order_that_changes(labelled_folder):
    lines = LabelledLines(entries_of(labelled_folder), SPEC)
    first, second = ([lines[k][2] for k in range(i, i + 12)] for i in (0, 12))
    assert sorted(first) == sorted(second) and len(set(first)) == 12
    assert first != second


def test_line_k_is_a_function_of_seed_and_k(labelled_folder):
    entries = entries_of(labelled_folder)
    variation = Variation(rotation=2, shift=0.1, photo=0.5)
    in_order = LabelledLines(entries, SPEC, 3, variation)
    drawn = [in_order[k] for k in range(30)]
    backwards = LabelledLines(entries, SPEC, 3, variation)
    for k in reversed(range(30)):
        assert np.array_equal(backwards[k][0], drawn[k][0]) and backwards[k][1:] == drawn[k][1:]
    other = LabelledLines(entries, SPEC, 4, variation)
    assert any(other[k][2] != drawn[k][2] for k in range(12))


def test_no_labelled_image_is_made_blank(labelled_folder):
    entries = entries_of(labelled_folder)
    blank = LabelledLines(entries, SPEC, 3, Variation(photo=1.0, recipe=("blank",)))
    clean = LabelledLines(entries, SPEC, 3, Variation(photo=1.0, recipe=("clean",)))
    assert all(np.array_equal(blank[k][0], clean[k][0]) for k in range(12))


def test_variation_never_leaves_a_label_without_time_steps(tmp_path):
    Image.fromarray(np.full((32, 24), 200, np.uint8)).save(tmp_path / "narrow.png")
    (tmp_path / "labels.tsv").write_text("narrow.png\t123456\n")
    lines = LabelledLines(entries_of(tmp_path), SPEC, 0, Variation(stretch=2.0))
    for k in range(40):
        collate([lines[k]], lines)
        columns = lines[k][0].shape[1] * 32 / lines[k][0].shape[0]
        assert time_steps(round(columns), SPEC.stride) >= 6
    assert lines.redrawn


@pytest.mark.long
@pytest.mark.parametrize("head", ["ctc", "attention"])
def test_empty_labels_train(labelled_folder, tmp_path, head):
    for number, label in enumerate(("12", "", "3", "", "4", "")):
        shutil.copy(labelled_folder / f"{number}.png", tmp_path)
        with open(tmp_path / "labels.tsv", "a") as file:
            file.write(f"{number}.png\t{label}\n")
    options = ("--dataset", str(tmp_path), "--head", head, "--batch-size", "1")
    assert run(tmp_path / "run", *options) == 0
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert all(np.isfinite(float(value)) for row in rows[1:] for value in row.split(","))


def test_only_empty_labels_give_no_alphabet(labelled_folder, tmp_path):
    shutil.copy(labelled_folder / "0.png", tmp_path)
    (tmp_path / "labels.tsv").write_text("0.png\t\n")
    with pytest.raises(
        DatasetError, match=r"only empty labels \(1\); .* if there is nothing to read$"
    ):
        labelled.characters_of_labels(find_entries(tmp_path))
    (tmp_path / "labels.tsv").write_text("gone.png\t1\n")
    with pytest.raises(DatasetError, match=r"can be used; correct these:\n.*gone.png"):
        labelled.characters_of_labels(find_entries(tmp_path))


def test_all_rows_of_an_image_are_trained_on_or_all_are_validated_on(labelled_folder):
    entries = entries_of(labelled_folder)
    twice = [*entries, *(entry._replace(place="again") for entry in entries)]
    for seed in range(5):
        train_on, validate_on = labelled.split_entries(twice, 0.25, seed)
        assert len(train_on) + len(validate_on) == 24 and len(validate_on) >= 6
        assert not {entry.file for entry in train_on} & {entry.file for entry in validate_on}
    with pytest.raises(DatasetError, match=r"0.25 of 1 labelled image leaves none"):
        labelled.split_entries([entries[0], entries[0]], 0.25, 0)


def test_the_share_to_validate_on_is_drawn_by_the_seed(labelled_folder):
    entries = entries_of(labelled_folder)
    train_on, validate_on = labelled.split_entries(entries, 0.25, 0)
    assert len(validate_on) == 3 and sorted(train_on + validate_on) == sorted(entries)
    assert labelled.split_entries(entries, 0.25, 0) == (train_on, validate_on)
    assert labelled.split_entries(entries, 0.25, 1) != (train_on, validate_on)
    with pytest.raises(DatasetError, match=r"0.25 of 1 labelled image leaves none .*--validation"):
        labelled.split_entries(entries[:1], 0.25, 0)


def test_a_mixture_has_its_share_and_every_image(labelled_folder):
    images = LabelledLines(entries_of(labelled_folder), SPEC)
    drawn = Lines(LineOptions(), SPEC, [OPEN_SANS])
    names = Counter(MixedLines(images, drawn, 0.25)[k][2] for k in range(16))
    assert names.pop(OPEN_SANS) == 4
    assert set(names.values()) == {1} and len(names) == 12


@pytest.mark.long
def test_tfrecords_and_a_folder_train_the_same(labelled_folder, tmp_path):
    write_labelled(labelled_folder, tmp_path / "set.tfrecords", save_filename=True)
    for name, dataset in (("a", labelled_folder), ("b", tmp_path / "set.tfrecords")):
        assert run(tmp_path / name, "--dataset", str(dataset), "--workers", "1") == 0
    metrics = [(tmp_path / name / "metrics.csv").read_text() for name in "ab"]
    assert metrics[0] == metrics[1]
    assert metrics[0].splitlines()[0] == "step,loss,val_exact,val_cer,val_loss"


def test_the_alphabet_is_that_of_the_labels(labelled_folder, tmp_path):
    assert run(tmp_path / "run", "--dataset", str(labelled_folder)) == 0
    labels = {entry.label for entry in find_entries(labelled_folder)}
    spec = read_spec(tmp_path / "run" / "best.keras")
    assert spec.alphabet == "".join(sorted(set("".join(labels))))


@pytest.mark.parametrize(("share", "steps"), [(0.0, 6), (0.5, 11)])
def test_epochs_are_times_that_each_image_is_seen(share, steps):
    options = TrainOptions(num_epoch=2, mix_generated=share, batch_size=4)
    assert resolve(options, "0123456789", images=11).steps == steps


@pytest.mark.long
def test_a_changed_data_set_is_another_run(labelled_folder, tmp_path, capsys):
    for name in ("0.png", "1.png", "2.png"):
        (tmp_path / name).write_bytes((labelled_folder / name).read_bytes())
    labels = tmp_path / "labels.tsv"
    labels.write_text("0.png\t1\n1.png\t2\n2.png\t3\n")
    assert run(tmp_path / "run", "--dataset", str(tmp_path)) == 0
    labels.write_text("0.png\t1\n1.png\t2\n2.png\t1\n")
    assert run(tmp_path / "run", "--dataset", str(tmp_path)) == 2
    error = capsys.readouterr().err
    assert "the labelled images have changed" in error and "with --data-changed" in error
    options = ("--dataset", str(tmp_path), "--data-changed", "--steps", "6")
    labels.write_text("0.png\t1\n1.png\t2\n2.png\t1\n2.png\t1\n")
    assert run(tmp_path / "run", *options) == 0
    assert "the best model is chosen again" in capsys.readouterr().err
    assert (tmp_path / "run" / "metrics.csv").read_text().splitlines()[-1].startswith("6,")
    labels.write_text("0.png\t1\n1.png\t2\n2.png\t4\n")
    assert run(tmp_path / "run", *options, "--steps", "8") == 2
    error = capsys.readouterr().err
    assert "lacks some of their characters: '4'. Start a new run: --init-from" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--dataset nowhere", "no data set found"),
        ("--dataset {} --alphabet abc", "not in --alphabet"),
        ("--dataset {} --max-width 1", "leave none of 12"),
        ("--dataset {} --mix-generated 1", "--mix-generated 1.0: give"),
        ("--validation {}", "--validation needs labelled images; add --dataset"),
        (
            "--dataset {} --init-from digits --context lstm",
            "its context is attention, which cannot become lstm",
        ),
        ("--dataset {} --init-from digits --architecture residual", "which cannot become residual"),
        ("--dataset {} --init-from digits --architecture plain", "which cannot become plain"),
        ("--dataset {} --init-from digits --rnn_units=64", "its rnn_units is 80, not 64"),
    ],
)
def test_what_cannot_work_is_reported_before_anything_is_written(
    options, message, labelled_folder, tmp_path, capsys
):
    arguments = [option.format(labelled_folder) for option in shlex.split(options)]
    assert run(tmp_path / "run", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_an_attention_head_starts_after_the_encoder_of_a_ctc_model(
    labelled_folder, tmp_path, capsys
):
    start = tmp_path / "start.keras"
    source = models.build(ModelSpec(rnn_units=8), seed=1)
    models.save(source, start)
    target = models.build(ModelSpec(rnn_units=8, head="attention"), seed=2)
    fresh = {v.path: np.asarray(v).copy() for v in target.weights}
    assert models.transfer(source, target) == source.spec.alphabet
    before = {v.path: np.asarray(v) for v in source.weights}
    kept = [v.path for v in target.weights if v.path in before]
    assert len(kept) == len(before) - 2, "all but the logits"
    for variable in target.weights:
        expected = before if variable.path in kept else fresh
        assert np.array_equal(variable, expected[variable.path])
    options = ("--dataset", str(labelled_folder), "--init-from", str(start), "--head", "attention")
    assert run(tmp_path / "run", *options, "--attn-num-hidden", "16") == 0
    assert "The attention head is new and starts from scratch" in capsys.readouterr().err
    spec = read_spec(tmp_path / "run" / "best.keras")
    assert (spec.head, spec.rnn_units, spec.attn_num_hidden) == ("attention", 8, 16)


@pytest.mark.parametrize(
    "more", [{"architecture": "deeper"}, {"context": "attention"}, {"channels": 3}]
)
def test_what_a_model_to_start_from_lacks_starts_as_if_it_was_not_there(more):
    spec = ModelSpec(architecture="fine", rnn_units=8)
    source, target = models.build(spec), models.build(dataclasses.replace(spec, **more))
    assert models.transfer(source, target) == ""
    x = {
        "image": np.random.default_rng(0).normal(size=(2, 32, 64, 1)).astype(np.float32),
        "width": np.array([64, 40], np.int32),
    }
    before = source.predict_on_batch(x)
    grey = {"image": np.repeat(x["image"], target.spec.channels, axis=3), "width": x["width"]}
    assert np.allclose(before, target.predict_on_batch(grey), atol=1e-4)
    assert np.abs(before).max() > 0.1


def test_a_model_of_grey_images_starts_to_read_in_colour():
    options = TrainOptions(init_from="digits", color=True)
    found, grey = models.spec_to_train(options), read_spec(find_model("digits"))
    assert found == dataclasses.replace(grey, channels=3, temperature=1.0)


@pytest.mark.long
def test_a_run_starts_from_a_model_that_knows_other_characters(labelled_folder, tmp_path, capsys):
    start = tmp_path / "start.keras"
    spec = dataclasses.replace(SPEC, alphabet="7x2", rnn_units=8)
    source = models.build(spec, seed=1)
    models.save(source, start)
    target = models.build(dataclasses.replace(spec, alphabet="0127"), seed=2)
    fresh = {v.path: v.numpy().copy() for v in target.variables}
    new = models.transfer(source, target)
    assert new == "01"
    before = {v.path: np.asarray(v) for v in source.variables}
    for variable in target.variables:
        values = np.asarray(variable)
        if "logits" in variable.path:  # blank, 0, 1, 2, 7 from blank, 7, x, 2
            assert np.array_equal(values[..., [0, 3, 4]], before[variable.path][..., [0, 3, 1]])
            assert np.array_equal(values[..., [1, 2]], fresh[variable.path][..., [1, 2]])
        else:
            assert np.array_equal(values, before[variable.path])
    (tmp_path / "labels.tsv").write_text(
        f"{labelled_folder / '0.png'}\t12\n{labelled_folder / '1.png'}\t7\n"
    )
    assert run(tmp_path / "run", "--dataset", str(tmp_path), "--init-from", str(start)) == 0
    assert f"{start} lacks '1'; these characters start from scratch" in capsys.readouterr().err
    assert read_spec(tmp_path / "run" / "best.keras").alphabet == "7x21"


def test_images_of_any_layout_are_compared(labelled_folder, tmp_path):
    entries = entries_of(labelled_folder)
    write_labelled(labelled_folder, tmp_path / "set.tfrecords")
    records = find_entries(tmp_path / "set.tfrecords")
    assert labelled.in_both(entries[3:], records) == records[3:]
    assert labelled.in_both(entries[:3], entries[3:]) == []


def test_an_image_too_wide_to_be_varied_is_used_as_it_is(labelled_folder, monkeypatch):
    entries = entries_of(labelled_folder)
    plain = LabelledLines(entries, ModelSpec())[0]
    monkeypatch.setattr(geometry, "WIDEST", 10)
    varied = LabelledLines(entries, ModelSpec(), variation=Variation())
    assert np.array_equal(varied[0][0], plain[0])
    assert varied.redrawn == {labelled.TOO_WIDE: 1}  # a line, however often it was tried
