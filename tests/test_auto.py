"""What `aocr train --auto` chooses, and what it says of the result."""

import json
import math
import shlex
import shutil
import string
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.commands import status_of
from support.lines import OPEN_SANS

from aocr import cli
from aocr.auto import choice, curve
from aocr.auto.command import _say_result
from aocr.auto.comparison import BeforeAfter
from aocr.auto.texts import pattern_of, texts_like
from aocr.model_folder import model_folder
from aocr.options import AocrTrainOptions
from ocr_simple.command_line import parse
from ocr_simple.datasets.annotations import require_entries
from ocr_simple.options import DrawingOptions, TrainOptions
from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.validation import Validation
from ocr_simple.runs.model_files import find_model
from ocr_simple.text import NAMED_ALPHABETS, Line

ASCII = NAMED_ALPHABETS["ascii"]

# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels, pattern",
    [
        (["00483", "17250"], r"\d{5}"),
        (["A-1", "B-234"], r"[A-Z]\-\d{1,3}"),
        (["12.50", "3.99"], r"\d{1,2}\.\d{2}"),
        (["12", "ab"], ""),
        ([], ""),
    ],
)
def test_a_pattern_is_learnt_from_labels_of_one_form(labels, pattern):
    assert pattern_of(labels) == pattern


def test_texts_have_the_lengths_and_kinds_of_the_labels():
    texts = texts_like(["00483", "117", "A-20"], ASCII, 300)
    assert {pattern_of([text]) for text in texts} == {r"\d{5}", r"\d{3}", r"[A-Z]\-\d{2}"}
    assert len({text for text in texts if len(text) == 5}) > 50


def test_places_that_never_change_mostly_stay():
    texts = texts_like([f"0{i}" for i in range(10)] * 9, ASCII, 1000)
    assert 0.85 < np.mean([text[0] == "0" for text in texts]) < 0.97  # 90 of 90, ten digits


def test_words_are_often_replaced_by_others_in_their_case():
    texts = texts_like(["Main Street 5", "EXIT"], ASCII, 300)
    words = {word for text in texts for word in text.split() if word.isalpha()}
    assert {"Main", "EXIT"} < words and len(words) > 100
    assert all(word.istitle() or word.isupper() or not word.isascii() for word in words)


def test_texts_stay_in_the_alphabet():
    texts = texts_like(["a1b2", "word"], "ab12dorw", 100)
    assert set("".join(texts)) <= set("ab12dorw")


def test_texts_need_a_label_with_text():
    with pytest.raises(ValueError, match="no label has any text"):
        texts_like(["", ""], ASCII, 1)


# --- choices ------------------------------------------------------------------------------------


def test_the_start_is_a_model_that_knows_the_characters():
    assert choice.shipped_models(["00483"]) == ["digits", "numbers", "text"]
    assert choice.shipped_models(["12.50"]) == ["numbers", "text"]
    assert choice.shipped_models(["AB 12"]) == ["text"]
    assert choice.shipped_models(["АБ 12", "AB"]) == ["text"]


def test_the_start_is_the_model_that_reads_best():
    texts = {"digits": ["12", "3"], "numbers": ["12", "34"], "text": ["1", "3"]}
    examples = [(np.zeros((32, 40, 1), np.uint8), truth, "") for truth in ("12", "34")]

    def read(name, examples):
        return [
            Reading("", truth, Line(text, 0.5, ()))
            for (_, truth, _), text in zip(examples, texts[name])
        ]

    assert choice.best_start(list(texts), examples, read) == "numbers"


def test_the_alphabet_is_narrow_if_all_its_characters_are_known():
    assert choice.alphabet_option(["00483", "117"]) == "digits"
    assert choice.alphabet_option(["ab12"] * 20) == "12ab"
    assert choice.alphabet_option(["ab12"] * 20 + ["abc1"]) == "auto"  # c was seen once
    assert choice.alphabet_option(["ab12"] * 2) == "auto"


def test_the_fonts_of_a_mixture_are_those_of_its_recipes(tmp_path, monkeypatch):
    for kind in ("display", "sign"):
        (tmp_path / kind).mkdir()
        shutil.copy(OPEN_SANS, tmp_path / kind / "a.ttf")
    monkeypatch.setattr(choice, "MADE_FONTS", tmp_path)
    *_, found = choice.fonts_of(("mixed:2",), DrawingOptions.fonts)
    assert Path(found).name == "display"


def test_the_command_gives_the_chosen_options():
    options = TrainOptions(
        dataset=("my images",), alphabet="-.0", recipe=("counter:7", "photo:3"), steps=120,
        init_from="numbers", held_out=("none",), resume=False, strings_file=Path("t.txt"),
        text_source="strings",
    )  # fmt: skip
    words = shlex.split(choice.command_of(options).replace("\\\n", " "))
    assert parse(TrainOptions, words[2:]) == options


# --- trainings ----------------------------------------------------------------------------------


def test_every_image_is_kept_in_one_fold(labelled_folder, tmp_path):
    from aocr.auto.trainings import FOLDS, Unseen, with_names, write_folds

    entries = require_entries(labelled_folder)
    labels = sorted(entry.label for entry in entries)
    folds = write_folds(entries, tmp_path / "folds", seed=0)
    assert len(folds) == FOLDS
    kept = []
    for files in folds:
        training, validation = (require_entries(file) for file in files)
        assert sorted(entry.label for entry in training + validation) == labels
        kept += [entry.label for entry in validation]
        names = [(np.zeros(0), entry.label, entry.name) for entry in validation]
        found = with_names(Unseen(names, [], []), entries).examples
        assert {(name, label) for _, label, name in found} <= {(e.name, e.label) for e in entries}
    assert sorted(kept) == labels


def test_steps_that_are_given_and_their_validations_are_kept():
    from aocr.auto.command import _steps
    from aocr.auto.trainings import with_steps

    given = TrainOptions(steps=5000, interval=700, warmup=9)
    assert with_steps(given, _steps(given, affordable=10)) == given
    assert _steps(TrainOptions(), affordable=10**6) == 3000


def test_colour_is_trained_where_it_tells_more_than_grey(tmp_path):
    grey = np.random.default_rng(0).integers(0, 60, (20, 60, 3)).astype(np.uint8)
    grey[:] = grey[..., :1] + 100
    lit = grey.copy()
    lit[5:15, 10:50] = (220, 90, 90)  # red, as light as the grey around it
    rows = []
    for k in range(40):
        Image.fromarray(lit if k < 2 else grey).save(tmp_path / f"{k}.png")
        rows.append(f"{k}.png\t1")
    (tmp_path / "labels.tsv").write_text("\n".join(rows))
    entries = require_entries(tmp_path)
    assert choice.needs_colour(entries) and not choice.needs_colour(entries[1:])


@pytest.mark.parametrize("typed", ["--interval", "--steps-per-checkpoint"])
def test_an_option_that_is_given_with_its_default_is_kept_too(typed):
    from aocr.auto.trainings import with_steps

    options = parse(AocrTrainOptions, ["images", "--auto", typed, "500"])
    given = TrainOptions(interval=options.interval, given=options.given)
    assert with_steps(given, 60).interval == 500
    assert with_steps(TrainOptions(), 60).interval == 10


def test_a_training_that_would_take_too_long_is_given_fewer_steps():
    from aocr.auto.trainings import NoTimeForSteps, OutOfTime, Watch, with_steps

    options = with_steps(TrainOptions(), 600)
    result = Validation(options.interval, 0.5, 0.5, math.nan, ["1"], ["1"], ["a"], [])
    watch = Watch(options, seconds=0.5, strict=True)
    time.sleep(0.02)
    watch(result)
    time.sleep(0.2)
    with pytest.raises(NoTimeForSteps) as slow:
        watch(replace(result, step=2 * options.interval))
    assert 0 < slow.value.steps_in(0.5) < 300 and slow.value.steps_in(0) == 0
    with pytest.raises(NoTimeForSteps):  # there is no time for a second interval
        Watch(options, seconds=-1, strict=True)(result)
    with pytest.raises(OutOfTime):
        Watch(options, seconds=-1, strict=False)(result)


# --- the result ---------------------------------------------------------------------------------


def readings(*texts: str) -> list[Reading]:
    return [Reading(f"{i}.png", "12", Line(text, 0.5, ())) for i, text in enumerate(texts)]


def test_before_and_after_are_said_with_the_interval():
    found = BeforeAfter(readings("1", "1", "12", "3"), readings("12", "12", "12", "3"))
    assert found.figures("digits") == (
        "digits 25 % -> yours 75 % of 4 unseen images (95 % interval: 30 to 95 %)"
    )
    assert found.changes() == "2 images from wrong to right, 0 from right to wrong"
    assert found.is_better


def test_a_model_that_reads_as_many_images_is_better_if_it_has_fewer_errors():
    assert BeforeAfter(readings("345", "12"), readings("13", "12")).is_better
    assert not BeforeAfter(readings("12", "13"), readings("13", "12")).is_better
    assert not BeforeAfter(readings("12"), readings("3")).is_better


def test_of_two_models_that_read_all_images_the_surer_one_is_better():
    surer = [replace(r, line=r.line._replace(confidence=0.9)) for r in readings("12", "12")]
    assert BeforeAfter(readings("12", "12"), surer).is_better
    assert not BeforeAfter(surer, readings("12", "12")).is_better


def test_the_best_of_several_trainings_is_kept(monkeypatch):
    from aocr.auto import trainings

    read = {"worse": readings("1", "3"), "better": readings("12", "12")}
    monkeypatch.setattr(trainings, "with_temperature", lambda model, _: model)
    monkeypatch.setattr(trainings, "read_unseen", lambda m, _: trainings.Unseen([], read[m], []))
    last = trainings.Unseen([], readings("12", "3"), [])
    assert trainings.best_of(["last", "worse"], last, 1.0) == ("last", last)
    found, unseen = trainings.best_of(["last", "worse", "better"], last, 1.0)
    assert found == "better" and unseen.readings == read["better"] and not unseen.in_time


def test_a_comparison_of_few_images_says_so(tmp_path, capsys):
    found = BeforeAfter(readings("1"), readings("12"))
    _say_result(found, tmp_path, "digits", in_time=True, labels=27)
    fix = "with more time (--minutes 15), all 27 labelled images are tested"
    out = capsys.readouterr().out
    assert f"Too few unseen images (1) to tell which model is better; {fix}\n" in out


def test_what_changed_is_listed_and_drawn(tmp_path):
    found = BeforeAfter(readings("1", "12", "7"), readings("12", "12", "8"))
    found.write("digits", [np.full((32, 60, 1), 200, np.uint8)] * 3, tmp_path)
    assert (tmp_path / "changed.tsv").read_text().splitlines() == [
        "image\ttruth\tbefore\tnow",
        "2.png\t12\t7\t8",
        "0.png\t12\t1\t12",
    ]
    assert (tmp_path / "changed.png").is_file()
    figures = json.loads((tmp_path / "auto.json").read_text())
    assert (figures["start"], figures["images"], figures["better"]) == ("digits", 3, True)


# --- the learning curve -------------------------------------------------------------------------


def points(*texts: tuple[str, ...]) -> list[curve.Point]:
    return [curve.Point(10 * i, readings(*each)) for i, each in enumerate(texts)]


def test_a_curve_holds_out_a_third_and_trains_on_parts_of_the_others():
    assert (curve.held_out_of(30), curve.parts_of(20)) == (10, [5, 10, 20])
    assert (curve.held_out_of(1000), curve.parts_of(900)) == (100, [225, 450, 900])


def test_a_curve_is_a_table_with_intervals():
    found = curve.table(points(("1", "1", "12", "3"), ("12", "12", "12", "3")), "digits")
    assert found.splitlines() == [
        "  labels   read right, of 4 other pictures",
        "       0    25 %  (5 to 70 %)          digits, not trained",
        "      10    75 %  (30 to 95 %)",
    ]


def test_a_curve_says_whether_more_labels_help():
    wrong, right = ("1",) * 9, ("12",) * 9
    said = curve.verdict(points(wrong, right), 200)
    assert said.startswith("Nearly all are read correctly") and "had only 200 steps" in said
    hardly = curve.verdict(points(("1",) * 9 + ("3",), ("12",) * 9 + ("3",)), 200)
    assert "reads 9 more pictures, which is unlikely to be chance" in hardly
    perhaps = curve.verdict(points(wrong, right[:2] + wrong[2:]), 200)
    assert "reads 2 more pictures, which may be chance" in perhaps
    assert "did not help on these few" in curve.verdict(points(wrong, wrong), 200)


def test_a_curve_of_few_labels_is_an_error(tmp_path, capsys):
    (tmp_path / "labels.tsv").write_text("a.png\t1\n")
    (tmp_path / "a.png").write_bytes(b"")
    assert status_of(cli.main, ["diagnose", str(tmp_path), "--curve"]) == 2
    assert "--curve needs 30 labelled pictures or more, and there are 1" in capsys.readouterr().err


# --- the command --------------------------------------------------------------------------------


def test_too_few_labels_are_an_error(tmp_path, capsys):
    (tmp_path / "labels.tsv").write_text("a.png\t1\n")
    (tmp_path / "a.png").write_bytes(b"")
    arguments = ["train", str(tmp_path), "--auto", "--model-dir", str(tmp_path / "run")]
    assert status_of(cli.main, arguments) == 2
    message = "--auto needs 10 labelled images that can be used, and there are 1"
    assert message in capsys.readouterr().err
    assert status_of(cli.main, ["train", "--auto"]) == 2
    assert "name a FOLDER" in capsys.readouterr().err


def test_the_name_of_a_folder_may_have_a_point(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scans.2024").mkdir()
    assert model_folder("scans.2024") == Path("checkpoints/scans.2024")
    assert model_folder("scans.tfrecords") == Path("checkpoints/scans")


def test_the_folder_of_the_pictures_is_never_the_models(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model_folder("meters/") == model_folder("elsewhere/meters") == Path("checkpoints/meters")
    assert model_folder("checkpoints/meters") == Path("checkpoints/meters_model")
    Path("checkpoints/meters").mkdir(parents=True)
    Path("checkpoints/meters/labels.tsv").write_text("a.png\t1\n")
    arguments = ["train", "checkpoints/meters", "--auto", "--model-dir", "checkpoints/meters"]
    assert status_of(cli.main, arguments) == 2
    assert "holds the pictures of checkpoints/meters" in capsys.readouterr().err


@pytest.mark.long
def test_the_model_is_never_worse_than_the_one_it_began_with(labelled_folder, tmp_path, capsys):
    folder = tmp_path / "model"
    arguments = ["train", str(labelled_folder), "--auto", "--validation", str(labelled_folder)]
    arguments += ["--steps", "3", "--recipe", "clean", "--fonts", OPEN_SANS, "--workers", "0"]
    arguments += ["--model-dir", str(folder), "--learning-rate", "0.03", "--average", "0"]
    arguments += ["--init-from", "digits"]
    assert status_of(cli.main, arguments) == 0
    shown = capsys.readouterr()
    assert "The trained model is not better" in shown.out
    assert "--text-source strings" in shown.out
    figures = json.loads((folder / "auto.json").read_text())
    assert (figures["start"], figures["better"]) == ("digits", False)
    assert (folder / "best.keras").read_bytes() == find_model("digits").read_bytes()
    texts = (folder / "texts.txt").read_text()
    assert texts and set(texts) <= set(string.digits + "\n")
    assert f"--strings-file {folder / 'texts.txt'}" in shown.out
