"""`aocr label` without a browser: the files, the order, answers, undo, the lock, the routes."""

import fcntl
import io
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from support.commands import ROOT
from support.datasets import picture

from aocr import cli
from aocr.label.app import application, pictures_in, reading_model
from aocr.label.labels_file import Answer, LabelsFile
from aocr.label.lock import LOCK, FolderLock
from aocr.label.order import next_to_label
from aocr.label.readings import BackgroundReader, PictureReading, look_of
from aocr.label.routes import SILENCE, Labelling, OnePage
from aocr.label.rows_file import RowsFile
from aocr.label.session import Session
from aocr.label.training import Training, training_command
from aocr.server.connections import listen
from ocr_simple.datasets.annotations import find_dataset
from ocr_simple.datasets.crops import upright_size
from ocr_simple.datasets.folders import images_in
from ocr_simple.errors import DatasetError
from ocr_simple.stoppable import StoppableProcess

NAMES = ("a.png", "b.png", "c.png", "d.png", "e.png")


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(NAMES):
        picture(tmp_path / name, seed=seed)
    return tmp_path


def opened(folder):
    return LabelsFile(folder, images_in(folder))


def written(folder, name="labels.tsv"):
    return (folder / name).read_text(encoding="utf-8").splitlines()


def reading(text, confidence):
    return PictureReading(text, confidence, (confidence,) * len(text), ())


# --- the files ----------------------------------------------------------------------------------


def test_labels_with_a_header_are_written_without_it(folder):
    (folder / "labels.tsv").write_text("file_name\ttext\tsource\na.png\t1\tme\n")
    file = opened(folder)
    file.put("b.png", Answer('"Hotel" Bar'))
    assert written(folder) == ["a.png\t1", 'b.png\t"Hotel" Bar']
    assert [entry.label for entry in find_dataset(folder).entries] == ["1", '"Hotel" Bar']


def test_an_answer_is_on_disk_and_is_read_as_a_data_set(folder):
    file = opened(folder)
    file.put("b.png", Answer("12"))
    file.put("a.png", Answer(""))
    assert written(folder) == ["b.png\t12", "a.png\t"]
    assert [(e.name, e.label) for e in find_dataset(folder).entries] == [
        ("b.png", "12"), ("a.png", ""),
    ]  # fmt: skip
    assert opened(folder).get("b.png") == Answer("12")


def test_pictures_that_are_left_out_are_no_labels(folder):
    file = opened(folder)
    file.put("a.png", Answer("1"))
    file.put("b.png", Answer(None, "unreadable"))
    file.put("a.png", Answer(None, "not a line"))
    assert written(folder, "left_out.tsv") == ["b.png\tunreadable", "a.png\tnot a line"]
    assert opened(folder).get("a.png") == Answer(None, "not a line")
    with pytest.raises(DatasetError):
        find_dataset(folder)


def test_rows_keep_their_place_and_form(folder):
    before = ["c.png\t 3  3", "gone.png\t9", "", "./a.png\t1", "b.png\t2"]
    (folder / "labels.tsv").write_text("\r\n".join(before), encoding="utf-8")
    file = opened(folder)
    assert file.get("c.png") == Answer("3 3") and file.get("a.png") == Answer("1")
    file.put("a.png", Answer("one"))
    file.put("d.png", Answer("4"))
    assert written(folder) == [
        "c.png\t 3  3",
        "gone.png\t9",
        "./a.png\tone",
        "b.png\t2",
        "d.png\t4",
    ]
    file.put("c.png", Answer(None, "unreadable"))
    file.put("c.png", Answer("33"))
    assert written(folder)[0] == "c.png\t33"


def test_the_file_of_before_is_kept_once_per_session(folder):
    (folder / "labels.tsv").write_text("a.png\t1\n")
    file = opened(folder)
    for label in ("2", "3"):
        file.put("a.png", Answer(label))
    assert written(folder, "labels.tsv.bak") == ["a.png\t1"]
    opened(folder).put("a.png", Answer("4"))
    assert written(folder, "labels.tsv.bak") == ["a.png\t3"]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("labels.csv", ["file_name,text", 'a.png,"say ""hi"""', "b.png,2"]),
        ("labels.tsv", ["file_name\ttext", 'a.png\t"say ""hi"""', "b.png\t2"]),
        ("gt.txt", ['a.png, "say \\"hi\\""', 'b.png, "2"']),
        ("labels.tsv", ['a.png\t"say ""hi"""', 'b.png\t"2"']),  # quotes around every label
    ],
)
def test_labels_in_another_layout_are_taken_over(folder, name, rows):
    (folder / name).write_text("\n".join(rows), encoding="utf-8")
    file = opened(folder)
    assert "2 labels from " + name in file.notes[0]
    file.put("b.png", Answer("22"))
    assert written(folder) == ['a.png\tsay "hi"', "b.png\t22"]
    assert [e.label for e in find_dataset(folder).entries] == ['say "hi"', "22"]


def test_texts_beside_the_images_are_taken_over(folder):
    (folder / "a.gt.txt").write_text("1")
    opened(folder).put("b.png", Answer("2"))
    assert written(folder) == ["a.png\t1", "b.png\t2"]


def test_labels_that_cannot_be_used_are_an_error_that_lists_them(folder):
    (folder / "labels.csv").write_text("file_name,text\na.png,1\ngone.png,2\n")
    with pytest.raises(DatasetError, match=r"1 row cannot be used; correct or remove(.|\n)*gone"):
        opened(folder)


def test_nothing_is_written_over_the_work_of_another_program(folder):
    file = opened(folder)
    file.put("a.png", Answer("1"))
    (folder / "labels.tsv").write_text("a.png\tby hand\n")
    with pytest.raises(ValueError, match=r"labels\.tsv: was changed by another program"):
        file.put("b.png", Answer("2"))
    assert written(folder) == ["a.png\tby hand"] and file.get("b.png") is None


@pytest.mark.parametrize("end_after", [0, 1])
@pytest.mark.parametrize(
    ("before", "after"),
    [(Answer("1"), Answer(None, "unreadable")), (Answer(None, "unreadable"), Answer("1"))],
)
def test_an_end_between_the_two_files_loses_nothing(folder, before, after, end_after, monkeypatch):
    opened(folder).put("a.png", before)
    file, whole, writes = opened(folder), RowsFile.write, []

    def write(self, *arguments):
        if len(writes) == end_after:
            raise SystemExit  # the process ends here
        writes.append(self.path.name)
        whole(self, *arguments)

    monkeypatch.setattr(RowsFile, "write", write)
    with pytest.raises(SystemExit):
        file.put("a.png", after)
    decided = "labels.tsv" in writes
    assert opened(folder).get("a.png") == (after if decided else before)


@pytest.mark.parametrize("name", ["{a}.png", "~x.png", "#1.png", "<b>.png", "a b.png", "name.png"])
def test_any_name_of_a_picture_can_be_labelled(folder, name):
    picture(folder / name)
    opened(folder).put(name, Answer("1"))
    (entry,) = find_dataset(folder).entries
    assert (folder / name).samefile(entry.file) and entry.label == "1"
    assert opened(folder).get(name) == Answer("1")


@pytest.mark.parametrize("name", ["{a}.png", "<b>.png", "~x.png"])
def test_any_name_of_a_picture_can_have_a_label_that_is_taken_over(folder, name):
    picture(folder / name)
    (folder / name).with_suffix(".txt").write_text("12")
    opened(folder).put("a.png", Answer("1"))
    assert {entry.label for entry in find_dataset(folder).entries} == {"1", "12"}
    assert opened(folder).get(name) == Answer("12")


def test_texts_beside_the_images_that_cannot_be_used_are_an_error(folder):
    (folder / "a.txt").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"1 row cannot be used(.|\n)*a\.txt"):
        opened(folder)


@pytest.mark.parametrize("rows", ["a.png\t1\u200b2\n", "a.png\t12\na.png\t1\u200b2\n"])
def test_an_answer_replaces_a_row_that_cannot_be_used(folder, rows):
    (folder / "labels.tsv").write_text(f"b.png\t7\n{rows}gone.png\t3\n")
    file = opened(folder)
    assert "cannot be used" in file.notes[0]
    file.put("a.png", Answer("12"))
    assert written(folder) == ["b.png\t7", "a.png\t12", "gone.png\t3"]


def test_undo_brings_back_a_row_that_cannot_be_used(folder):
    before = "a.png\t1\u200b2\n"
    (folder / "labels.tsv").write_text(before)
    file = opened(folder)
    file.put("a.png", Answer("12"))
    file.put("a.png", None)
    assert (folder / "labels.tsv").read_text() == before


# --- the session --------------------------------------------------------------------------------


def session_of(folder, order="unsure", alphabet="0123456789", clock=lambda: 0.0):
    return Session(NAMES, opened(folder), order, alphabet, clock)


def shown(session):
    return session.state()["picture"] and session.state()["picture"]["name"]


def test_pictures_come_by_name(folder):
    session = session_of(folder, "name")
    seen = []
    while name := shown(session):
        seen.append(name)
        session.answer(session.current, "label", "1")
    assert tuple(seen) == NAMES
    assert session.state()["waiting"] == 0


def test_the_least_sure_come_first(folder):
    session = session_of(folder)
    sure = {0: 0.9, 1: 0.2, 2: 0.5, 3: 0.1}
    session.deliver({n: reading("1", share) for n, share in sure.items()})
    session.deliver({4: "not an image"})
    seen = []
    for _ in NAMES:
        seen.append(session.current)
        session.answer(session.current, "skip")
    fixed = seen[:2]  # chosen, and fetched by the page, before anything was read
    left = [n for n in (3, 1, 2, 0, 4) if n not in fixed]
    assert seen[2:] == left


def test_of_the_least_sure_ones_the_most_diverse_is_unlike_those_that_are_known():
    looks = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.2), (5.0, 5.0), (9.0, 9.0)]
    sure = [0.1, 0.11, 0.12, 0.13, 0.9] + [0.99] * 15
    readings = {n: PictureReading("1", s, (s,), (), looks[min(n, 4)]) for n, s in enumerate(sure)}
    assert next_to_label(range(20), readings, "diverse") == 0  # nothing is known yet
    assert next_to_label(range(1, 17), readings, "diverse", [0]) == 3
    assert next_to_label(range(1, 17), readings, "unsure", [0]) == 1
    assert next_to_label([1, 2], {}, "diverse", [0]) == 1  # nothing is read yet


def test_pictures_of_one_kind_look_alike():
    rng = np.random.default_rng(0)
    stripes = np.tile(np.repeat([40, 200], 8), (24, 6))[..., None]
    first, second = ((stripes + rng.integers(-9, 9, stripes.shape)).astype(np.uint8) for _ in "12")
    other = np.rot90(first).copy()
    looks = [np.array(look_of(pixels)) for pixels in (first, second // 2 + 60, other)]
    assert np.linalg.norm(looks[0] - looks[1]) < 0.2 * np.linalg.norm(looks[0] - looks[2])


def test_the_next_of_ten_thousand_pictures_is_chosen_at_once():
    rng = np.random.default_rng(0)
    readings = {
        n: PictureReading("1", float(rng.random()), (), (), tuple(rng.random(128).tolist()))
        for n in range(10_000)
    }
    started = time.process_time()
    next_to_label(range(5000), readings, "diverse", range(5000, 10_000))
    assert time.process_time() - started < 1


def test_what_is_shown_first_is_read_first(folder):
    session = session_of(folder)
    assert list(session.wanted(2)) == [session.current, session.upcoming]
    assert sorted(session.wanted(9)) == [0, 1, 2, 3, 4]
    session.deliver({n: reading("1", 0.5) for n in session.wanted(3)})
    assert len(session.wanted(9)) == 2


def test_skipped_pictures_come_again_at_the_end(folder):
    session = session_of(folder, "name")
    session.answer(0, "skip")
    for number in (1, 2, 3):
        session.answer(number, "label", "1")
    session.answer(4, "skip")
    assert [session.current, session.upcoming] == [0, 4]


def test_answers_are_taken_back_one_by_one(folder):
    (folder / "labels.tsv").write_text("c.png\tthree\n")
    session = session_of(folder, "name")
    session.answer(0, "label", "1")
    session.answer(1, "unreadable")
    session.answer(3, "skip")
    session.undo()
    assert shown(session) == "d.png"
    session.undo()
    assert shown(session) == "b.png" and not (folder / "left_out.tsv").exists()
    session.undo()
    assert shown(session) == "a.png" and written(folder) == ["c.png\tthree"]
    with pytest.raises(ValueError, match="nothing to undo"):
        session.undo()
    session.answer(0, "label", "one")
    assert [session.current, session.upcoming] == [1, 3]


def test_an_answer_to_a_picture_that_is_not_shown_changes_nothing(folder):
    session = session_of(folder, "name")
    session.answer(0, "label", "1")
    with pytest.raises(ValueError, match="not shown any more"):
        session.answer(0, "label", "2")
    assert written(folder) == ["a.png\t1"]


@pytest.mark.parametrize(
    ("typed", "label"),
    [(" 1  2 ", "1 2"), ("e\u0301", "\u00e9"), ("1\u200b2", "12"), ("1\t2", "1 2"), ("", "")],
)
def test_a_label_is_written_as_it_is_trained_on(folder, typed, label):
    session_of(folder, "name").answer(0, "label", typed)
    assert [entry.label for entry in find_dataset(folder).entries] == [label]


@pytest.mark.parametrize("text", ["two\nrows", "1" * 20_000, "10,20,30,40,50,60,70,80,90"])
def test_what_cannot_be_a_label_is_refused(folder, text):
    session = session_of(folder, "name")
    with pytest.raises(ValueError):
        session.answer(0, "label", text)
    assert session.current == 0 and not (folder / "labels.tsv").exists()


def test_a_picture_that_cannot_be_used_gets_no_label(folder):
    session = session_of(folder, "name")
    session.deliver({0: "not an image"})
    assert session.state()["picture"]["error"] == "not an image"
    with pytest.raises(ValueError, match=r"a\.png: not an image; it cannot have a label"):
        session.answer(0, "label", "1")
    session.answer(0, "not a line")
    assert written(folder, "left_out.tsv") == ["a.png\tnot a line"]


def test_the_figures(folder, monkeypatch):
    monkeypatch.setattr("aocr.label.session.FEWEST", 4)
    seconds = iter(range(0, 10_000, 2))
    session = session_of(folder, "name", clock=lambda: next(seconds) * 1.0)
    session.deliver({n: reading("12", 0.5) for n in range(5)})
    session.answer(0, "label", "12")
    session.answer(1, "label", "13")
    session.answer(2, "not a line")
    state = session.state()
    assert state["unchanged"] == 0.5 and state["per_minute"] is None  # after two texts
    assert (state["labelled"], state["left_out"], state["waiting"]) == (2, 1, 2)
    session.answer(3, "label", "12")
    session.answer(4, "label", "13")
    state = session.state()
    assert state["unchanged"] == 0.5
    assert state["per_minute"] == 24.0  # four texts in ten seconds, and one left out
    session.review(True)
    session.answer(session.current, "label", "12")
    after = session.state()  # what is looked at again does not count
    assert (after["unchanged"], after["per_minute"]) == (state["unchanged"], state["per_minute"])


def test_a_review_begins_with_suspected_errors(folder):
    rows = [f"{name}\t{label}" for name, label in zip(NAMES, ("1", "2", "3", "4", "5x"))]
    (folder / "labels.tsv").write_text("\n".join(rows))
    session = session_of(folder)
    read = {0: ("1", 0.99), 1: ("7", 0.6), 2: ("8", 0.92), 3: ("9", 0.99), 4: ("5", 0.99)}
    session.deliver({n: reading(*each) for n, each in read.items()})
    assert session.current is None and session.state()["suspected"] == 2
    session.review(True)
    seen = []
    while session.current is not None:
        seen.append(NAMES[session.current])
        kept = session.state()["picture"]["label"]
        session.answer(session.current, "label", "44" if kept == "4" else kept)
    # x is no character of the model: that it reads something else says little, sure as it is
    assert seen[:2] == ["d.png", "c.png"] and seen[-1] == "a.png"
    assert written(folder) == [row.replace("\t4", "\t44") for row in rows]
    session.undo()
    assert session.reviewing and shown(session) == "a.png"


# --- boxes --------------------------------------------------------------------------------------

BOX = (10.0, 4.0, 50.0, 4.0, 50.0, 16.0, 10.0, 16.0)


def test_a_box_is_on_disk_and_obeyed_and_the_picture_is_not_changed(folder):
    before = (folder / "a.png").read_bytes()
    session = session_of(folder, "name")
    session.deliver({0: reading("1", 0.9)})
    session.box(0, BOX)
    assert written(folder, "crops.tsv") == ["a.png\t10 4 50 4 50 16 10 16"]
    shown_now = session.state()["picture"]
    assert shown_now["box"] == BOX and shown_now["reading"] is None  # it is read again
    assert session.wanted(1) == {0: BOX}
    session.deliver({0: reading("old", 0.9)}, {0: ()})  # read before the box was there
    assert session.state()["picture"]["reading"] is None
    session.answer(0, "label", "12")
    (entry,) = find_dataset(folder).entries
    assert entry.corners == BOX and (folder / "a.png").read_bytes() == before
    assert session_of(folder).file.crops.get("a.png") == BOX


def test_a_box_for_all_pictures_of_the_same_size_is_undone_at_once(folder):
    picture(folder / "c.png", (80, 20))
    own = (1.0, 1.0, 30.0, 1.0, 30.0, 9.0, 1.0, 9.0)
    (folder / "crops.tsv").write_text("d.png\t1 1 30 1 30 9 1 9\ngone.png\t1 2 3\n")
    session = session_of(folder, "name")
    session.box(0, BOX, to_all=True)
    boxes = [session.file.crops.get(name) for name in NAMES]
    assert boxes == [BOX, BOX, (), BOX, BOX] and session.state()["last"]["boxes"] == 4
    assert written(folder, "crops.tsv.bak")[0] == "d.png\t1 1 30 1 30 9 1 9"
    session.undo()
    assert [session.file.crops.get(name) for name in NAMES] == [(), (), (), own, ()]
    assert written(folder, "crops.tsv") == ["d.png\t1 1 30 1 30 9 1 9", "gone.png\t1 2 3"]


def test_a_picture_on_its_side_has_the_size_that_it_is_shown_in(folder):
    turned = Image.new("L", (20, 60))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "b.png", exif=exif)
    session = session_of(folder, "name")
    session.box(0, BOX, to_all=True)
    assert session.file.crops.get("b.png") == BOX


@pytest.mark.parametrize("corners", [BOX[:6], (*BOX[:4], 61.0, *BOX[5:]), BOX[::-1], (0.0,) * 8])
def test_what_is_no_box_changes_nothing(folder, corners):
    session = session_of(folder, "name")
    with pytest.raises(ValueError, match=r"corners|beyond the picture of 60 x 20"):
        session.box(0, corners)
    assert not (folder / "crops.tsv").exists() and session.state()["last"] is None


def test_a_pipe_among_the_pictures_has_no_size_and_is_not_waited_for(folder):
    os.mkfifo(folder / "a.pipe.png")
    assert upright_size(folder / "a.pipe.png") is None


def test_a_box_is_removed_and_that_is_undone(folder):
    session = session_of(folder, "name")
    session.box(0, BOX)
    session.box(0, [])
    assert not (folder / "crops.tsv").exists()
    session.undo()
    assert session.file.crops.get("a.png") == BOX


# --- training -----------------------------------------------------------------------------------


def test_a_training_keeps_the_box_of_all_pictures_of_a_size(folder):
    session = session_of(folder, "name")
    session.box(0, BOX)
    assert "--crops" not in training_command(folder, folder / "model")
    session.box(0, BOX, to_all=True)
    assert training_command(folder, folder / "model")[-2:] == ["--crops", str(folder / "crops.tsv")]


def training_of(folder, script, done=lambda model: None):
    """A training whose command is a script of Python."""
    command = [sys.executable, "-c", script, str(folder / "model")]
    return Training(lambda: command, folder / "model", done)


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


TRAINED = """
import json, pathlib, sys
print("Fold 2 of 5\\r 50%|##  | 10/20 [00:01<00:01]\\r", flush=True)
folder = pathlib.Path(sys.argv[1]); folder.mkdir()
(folder / "auto.json").write_text(json.dumps({"summary": ["11 % -> yours 91 %", "9 images"],
    "better": True, "in_time": True, "start": "digits"}))
"""


def test_a_training_shows_its_messages_and_its_result(folder):
    models = []
    training = training_of(folder, TRAINED, models.append)
    training.start()
    until(lambda: not training.state()["running"])
    state = training.state()
    assert state["result"][:2] == ["11 % -> yours 91 %", "9 images"] and not state["failed"]
    assert state["result"][2].startswith("The new model now reads the pictures.")
    assert state["lines"] == ["Fold 2 of 5"]
    assert state["doing"] == "Training 2 of 5, step 10 of 20" and state["progress"] == 0.3
    assert models == [folder / "model" / "best.keras"]


def test_all_trainings_are_done_when_the_models_are_compared(folder):
    compares = TRAINED.replace("folder =", 'print("Comparing with digits")\nfolder =')
    training = training_of(folder, compares)
    training.start()
    until(lambda: not training.state()["running"])
    state = training.state()
    assert state["doing"] == "Comparing the models" and state["progress"] == 1


def test_a_training_that_is_not_better_says_so(folder):
    training = training_of(folder, TRAINED.replace('"better": True', '"better": False'))
    training.start()
    until(lambda: not training.state()["running"])
    kept = f"The trained model is not better; {folder / 'model'} holds digits instead. More labels"
    assert training.state()["result"][2].startswith(kept)


def test_a_training_that_had_too_little_time_says_so(folder):
    training = training_of(folder, TRAINED.replace(": True", ": False"))
    training.start()
    until(lambda: not training.state()["running"])
    result = training.state()["result"][2]
    assert result.startswith("The time was up") and "--minutes" in result
    assert "More labels" not in result


def test_a_training_says_what_it_does_and_not_its_messages(folder):
    rows = [
        "Looking for recipes that draw lines like your pictures",
        "x.jsonl: JSON Lines; 8 images",
    ]
    script = f"print({chr(10).join(rows)!r}, flush=True); import time; time.sleep(60)"
    training = training_of(folder, script)
    training.start()
    assert training.state()["doing"] == "Starting"
    until(lambda: rows[1] in training.state()["lines"])
    assert training.state()["doing"] == "Looking for recipes that draw lines like your pictures"
    training.close()


@pytest.mark.parametrize("script", ["raise SystemExit('no such thing')", "print('no such thing')"])
def test_a_training_that_fails_says_why(folder, script):
    training = training_of(folder, script)
    training.start()
    until(lambda: not training.state()["running"])
    state = training.state()
    assert state["failed"] and "no such thing" in state["lines"] and not state["result"]


def test_a_training_is_stopped_and_started_again(folder):
    training = training_of(folder, "print('here', flush=True); import time; time.sleep(60)")
    training.start()
    until(lambda: "here" in training.state()["lines"])
    with pytest.raises(ValueError, match="running already"):
        training.start()
    training.stop()
    until(lambda: not training.state()["running"])
    assert not training.state()["failed"] and training.state()["stopped"]
    training.start()
    training.close()
    assert not training.state()["running"]


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(0)"])
def test_a_training_ends_with_the_server(folder, end):
    child = "from aocr.label import training_process as t; import threading, time, sys, os\n"
    child += "threading.Thread(target=t._end_with_server, daemon=True).start()\n"
    child += "import fcntl; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
    child += "file.write('running'); file.flush(); time.sleep(60)"
    server = (
        "import os, sys, time, pathlib; from aocr.label.training import Training\n"
        "command = lambda: [sys.executable, '-c', *sys.argv[1:]]\n"
        "training = Training(command, pathlib.Path(), print)\n"
        "training.start(); file = pathlib.Path(sys.argv[2])\n"
        "while not (file.exists() and file.read_text()): time.sleep(0.02)\n" + end
    )
    file = folder / "process"
    subprocess.run([sys.executable, "-c", server, child, str(file)], cwd=ROOT, timeout=60)

    def has_ended():  # its lock is gone, also before anybody has waited for it
        with file.open() as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    until(has_ended)


def test_after_a_training_all_pictures_are_read_again(folder):
    session = session_of(folder, "name")
    session.answer(0, "label", "1")
    session.deliver({n: reading("1", 0.5) for n in range(5)})
    session.forget_readings("xyz")
    assert not session.readings and [*session.wanted(5)] == [1, 2, 3, 4, 0]


# --- the process ------------------------------------------------------------------------------


def test_the_model_that_was_trained_on_a_folder_reads_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert reading_model(None, Path("mine")).name == "digits.keras"
    trained = Path("checkpoints/mine/best.keras")
    trained.parent.mkdir(parents=True)
    trained.touch()
    assert reading_model(None, Path("mine")) == trained
    (trained.parent / "auto.json").write_text('{"dataset": ["/elsewhere/mine"]}')
    assert reading_model(None, Path("mine")).name == "digits.keras"
    assert reading_model("numbers", Path("mine")).name == "numbers.keras"


def test_a_second_process_is_told_of_the_first(folder):
    lock = FolderLock(folder)
    lock.describe("http://127.0.0.1:8502")
    message = rf"{folder}: is open in another aocr label \(process {os.getpid()}, http://127"
    with pytest.raises(ValueError, match=message):
        FolderLock(folder)
    lock.close()
    FolderLock(folder).close()
    assert not (folder / LOCK).exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_file_is_refused_and_not_followed(folder, tmp_path_factory, kind):
    other = tmp_path_factory.mktemp("other") / "thesis.txt"
    other.write_text("text")
    lock = folder / LOCK
    make = {"link": lambda: lock.symlink_to(other), "pipe": lambda: os.mkfifo(lock)}
    make.get(kind, lock.mkdir)()
    with pytest.raises(ValueError, match="is a link, folder, pipe or device; remove it"):
        FolderLock(folder)
    assert other.read_text() == "text" and os.path.lexists(lock)


def test_the_lock_of_a_killed_process_is_taken_over(folder):
    script = "import os, sys, pathlib; from aocr.label.lock import FolderLock\n"
    script += "lock = FolderLock(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT)
    assert (folder / LOCK).exists()
    FolderLock(folder).close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "name the FOLDER with your pictures"),
        (["no such"], "no such: no such folder"),
        (["images/a.png"], "is a file; name the folder"),
        (["empty"], "empty: no images there"),
        (["s3://bucket/set"], "is in a bucket; copy it to a local folder"),
        (["images", "--model", "no_such"], "no such file or folder; shipped models"),
        (["images", "--order", "size"], "--order"),
    ],
)
def test_mistakes_are_reported_before_anything_starts(image_folder, capsys, given, message):
    (image_folder / "empty").mkdir()
    try:
        status = cli.main(["label", *given])
    except SystemExit as end:
        status = end.code
    assert status == 2 and message in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc")
def test_a_folder_that_cannot_be_written_to_is_an_error_before_anything_starts(capsys):
    assert cli.main(["label", "/proc"]) == 2
    assert "FOLDER /proc: cannot be written to" in capsys.readouterr().err


def test_pictures_whose_names_no_row_can_have_are_left_out_and_named(folder, capsys):
    for name in (b"caf\xe9.png", b"a\tb.png"):
        picture(folder / os.fsdecode(name))
    assert [image.name for image in pictures_in(folder)] == list(NAMES)
    message = capsys.readouterr().err
    assert "2 pictures left out" in message and r"caf\udce9.png" in message


def test_another_model_is_read_with_after_a_failure(folder, monkeypatch):
    def pool(*given):
        models.append(given[-1].name)
        raise BrokenExecutor

    models, begun = [], threading.Event()
    monkeypatch.setattr("aocr.label.readings.WorkerPool", pool)
    monkeypatch.setattr("aocr.label.readings.IDLE", 0.01)
    reader = BackgroundReader(folder / "one", [], lambda count: {}, lambda *found: None)
    reader.start()
    until = time.monotonic() + 20
    while not reader.problem and time.monotonic() < until:
        time.sleep(0.01)
    assert "the process that reads ended" in reader.problem
    reader.use(folder / "two", begun.set)
    assert begun.wait(20)
    reader.stop()
    assert models == ["one", "two"]


def test_a_reader_that_stops_ends_its_own_process_alone(folder):
    process = StoppableProcess(5, 1 << 30)
    number = process.run(60, os.getpid)
    reader = BackgroundReader(folder / "no model", [], lambda count: {}, lambda *found: None)
    reader.start()
    reader.stop()
    assert process.run(60, os.getpid) == number
    process.close()


# --- the routes -------------------------------------------------------------------------------


@pytest.fixture
def client(folder):
    session, files = session_of(folder, "name"), images_in(folder)
    reader = BackgroundReader(folder / "no model", files, session.wanted, session.deliver)
    training = Training(list, folder / "model", lambda model: None)
    app = application(Labelling(session, files, reader, training, {"folder": "here"}))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    with httpx.Client(base_url=f"http://localhost:{listening.getsockname()[1]}") as client:
        yield client
    server.should_exit = True
    thread.join()


def test_a_page_labels_a_picture(client, folder):
    found = client.post("/open", json={}).json()
    assert found["picture"]["name"] == "a.png" and found["folder"] == "here"
    answer = {"page": found["page"], "number": 0, "kind": "label", "text": "12"}
    assert client.post("/answer", json=answer).json()["picture"]["name"] == "b.png"
    assert written(folder) == ["a.png\t12"]
    assert client.post("/undo", json={"page": found["page"]}).json()["picture"]["name"] == "a.png"


def test_a_page_draws_a_box(client, folder):
    page = client.post("/open", json={}).json()["page"]
    ask = {"page": page, "number": 0, "corners": BOX}
    assert client.post("/read", json=ask).json() == {"reading": None}  # there is no model yet
    assert client.post("/box", json=ask | {"to_all": True}).json()["last"]["boxes"] == 5
    line = client.get("/picture/0", params={"box": "10,4,50,4,50,16,10,16"})
    assert Image.open(io.BytesIO(line.content)).size == (40, 12)
    assert client.get("/picture/0", params={"box": "10,4"}).status_code == 422
    assert client.post("/box", json=ask | {"corners": [1] * 9}).status_code == 400


def test_a_training_needs_ten_labels(client):
    page = client.post("/open", json={}).json()["page"]
    refused = client.post("/train", json={"page": page, "on": True})
    assert refused.status_code == 400 and "10 labels are needed" in refused.json()["error"]


def test_what_is_refused_says_why(client):
    page = client.post("/open", json={}).json()["page"]
    answer = {"page": page, "number": 0, "kind": "label", "text": "two\nrows"}
    refused = client.post("/answer", json=answer)
    assert refused.status_code == 400 and "a label is one line" in refused.json()["error"]
    assert client.post("/answer", json=answer | {"kind": "other"}).status_code == 400


def test_a_second_page_is_told_of_the_first_and_may_take_its_place(client):
    first = client.post("/open", json={}).json()["page"]
    refused = client.post("/open", json={})
    assert refused.status_code == 409 and "open in another page" in refused.json()["error"]
    second = client.post("/open", json={"take": True}).json()["page"]
    answer = {"number": 0, "kind": "label", "text": "12"}
    assert client.post("/answer", json=answer | {"page": first}).status_code == 409
    assert client.post("/answer", json=answer | {"page": second}).status_code == 200
    client.post("/close", json={"page": second})
    assert client.post("/open", json={}).status_code == 200


def test_a_page_of_an_earlier_start_is_told_so(client):
    answer = {"number": 0, "kind": "label", "text": "12", "page": "of an earlier start"}
    refused = client.post("/answer", json=answer)
    assert refused.status_code == 410 and "started again" in refused.json()["error"]


def test_a_page_that_was_silent_is_taken_to_be_closed():
    now = [0.0]
    pages = OnePage(lambda: now[0])
    pages.open(take=False)
    now[0] = SILENCE + 1
    pages.open(take=False)


def test_a_page_that_is_opened_while_it_is_being_closed_stays_open():
    opened, threads = [], []

    def clock():
        if first and not threads:  # in the middle of `close`
            threads.append(threading.Thread(target=lambda: opened.append(pages.open(False, first))))
            threads[0].start()
            threads[0].join(0.3)
        return 0.0

    first = ""
    pages = OnePage(clock)
    first = pages.open(False)
    pages.close(first)
    threads[0].join()
    pages.check(opened[0])


def test_a_page_that_is_reloaded_keeps_the_folder_before_its_close_arrives(client):
    before = client.post("/open", json={}).json()["page"]
    after = client.post("/open", json={"page": before}).json()["page"]
    assert client.post("/close", json={"page": before}).status_code == 409, "too late"
    answer = {"number": 0, "kind": "label", "text": "12", "page": after}
    assert client.post("/answer", json=answer).status_code == 200
    assert client.post("/open", json={"page": before}).status_code == 409
    half = {"content": b'{"page": "\\ud800"}', "headers": {"content-type": "application/json"}}
    assert client.post("/open", **half).status_code == 409


def test_pictures_are_not_shown_in_pages_of_other_sites(client):
    there = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/picture/0", headers=there).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=followed).status_code == 200


def test_pages_of_other_sites_are_refused(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    other = {"origin": "http://evil.example"}
    assert client.post("/open", json={"take": True}, headers=other).status_code == 403
    same = {"origin": str(client.base_url).rstrip("/")}
    assert client.post("/open", json={}, headers=same).status_code == 200


def test_a_picture_is_sent_as_browsers_show_it(client, folder):
    assert client.get("/picture/0").headers["content-type"] == "image/png"
    Image.new("RGB", (30, 10)).save(folder / "b.png", "JPEG")  # whatever its name is
    jpeg = client.get("/picture/1")
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert jpeg.content == (folder / "b.png").read_bytes()
    (folder / "c.png").write_text("<script>alert(1)</script>")
    assert client.get("/picture/2").status_code == 422
    assert client.get("/picture/99").status_code == 404


def test_the_page_asks_only_its_own_server(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "connect-src 'self'; img-src 'self' blob:" in policy
    assert "http" not in answer.text.replace("http://127.0.0.1", "").replace("https://", "http://")
