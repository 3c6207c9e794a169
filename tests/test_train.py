"""Training: an interrupted run resumes as if it had not stopped; what cannot work says so."""

import contextlib
import dataclasses
import functools
import io
import json
import multiprocessing
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest
from support.in_process import run_inference, run_train, without_graphs
from support.made_once import made_once

import model as models
import train
from data_generator import LineSequence
from inference import Recognizer
from ocr_simple.command_line import parse
from ocr_simple.datasets.batches import Batches
from ocr_simple.datasets.tfrecords import write_labelled
from ocr_simple.drawing.fonts import find_fonts, split_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.network import encoders
from ocr_simple.network.backend import keras
from ocr_simple.options import HELD_OUT, LineOptions, TrainOptions
from ocr_simple.runs import devices
from ocr_simple.runs.checkpoint import TrainState, pack, unpack
from ocr_simple.runs.config import NOT_COMPARED
from ocr_simple.runs.run_folder import RunFolder
from ocr_simple.runs.signals import Stopper

ROOT = Path(__file__).resolve().parent.parent
FONT = next(font for font in find_fonts(("trdg",)) if font.endswith("OpenSans-Regular.ttf"))
TINY = shlex.split(
    "--rnn-units 8 --batch-size 4 --max-length 3 --warmup 2 --validation-lines 8 "
    "--steps 60 --interval 20"
)
SHORT = [*TINY, "--steps", "2", "--interval", "1", "--workers", "0"]  # the last one given counts


def compiled(folder, *options):
    return run_train(*SHORT, "--model-dir", folder, *options)


def run(folder, *options):
    with without_graphs():
        return compiled(folder, *options)


def script(folder, *options, **environment):
    """A real process of train.py on the tiny run."""
    return subprocess.Popen(
        [sys.executable, "train.py", *TINY, "--model-dir", str(folder), *options],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
        # what a shell starts in the background ignores Ctrl-C, and so would the runs of a test
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for(path, process, seconds=300):
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.005)


def wait_for_another(path, process):
    """Until the process has written `path`, there before or not."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    wait_for(path, process)
    while path.stat().st_mtime_ns == before:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)


def arrays(folder):
    with np.load(folder / "checkpoint.npz") as saved:
        return dict(saved)


def same_run(a, b):
    one, two = arrays(a), arrays(b)
    assert (a / "metrics.csv").read_text() == (b / "metrics.csv").read_text()
    assert set(one) == set(two)
    assert str(one.pop("progress")) == str(two.pop("progress"))
    assert not [name for name in one if not np.array_equal(one[name], two[name])]
    for name in ("best.keras", "last.keras"):
        weights = [models.load(folder / name).get_weights() for folder in (a, b)]
        assert all(map(np.array_equal, *weights))
    return True


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The tiny run, in another process that is never stopped: its folder and what it printed."""

    def make(folder):
        process = script(folder / "run")
        out, error = process.communicate()
        assert process.returncode == 0, error
        return folder / "run", out

    return made_once(tmp_path_factory, "whole", make)


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    """The folder of a finished run of two steps, for tests to copy."""

    def make(folder):
        assert run(folder / "run") == 0
        return folder / "run"

    return made_once(tmp_path_factory, "short", make)


@pytest.fixture
def finished(short_run, tmp_path):
    return Path(shutil.copytree(short_run, tmp_path / "run"))


@pytest.mark.parametrize("head", ["ctc", "attention"])
def test_a_batch_computed_in_parts_gives_the_same_step(head, tmp_path, monkeypatch):
    options = "--batch-size 7 --steps 1 --optimizer sgd --learning-rate 0.1 --mixed-precision off"
    for parts in (1, 3):
        monkeypatch.setattr(devices, "part_count", lambda batch_size, parts=parts: parts)
        assert run(tmp_path / str(parts), *options.split(), "--head", head) == 0
    whole, cut = (models.load(tmp_path / n / "last.keras").get_weights() for n in "13")
    fresh = models.build(models.load(tmp_path / "1/last.keras").spec, seed=0).get_weights()
    assert max(abs(a - b).max() for a, b in zip(whole, fresh)) > 1e-3, "the step changes weights"
    assert max(abs(a - b).max() for a, b in zip(whole, cut)) < 1e-6


def test_the_command_that_reads_with_the_model_is_quoted_for_the_shell(finished, capsys):
    folder = finished.rename(finished.with_name("it's mine"))
    assert run(folder) == 0
    printed = capsys.readouterr().out
    command = re.search("Read your own images with: (.*)", printed)[1]
    assert shlex.split(command) == [
        "python", "inference.py", "--model", str(folder), "IMAGE...",
    ]  # fmt: skip


# --- interrupt and resume ----------------------------------------------------------------------


@pytest.mark.long
def test_an_interrupted_run_resumes_as_if_it_had_not_stopped(whole, tmp_path):
    process = script(tmp_path / "run")
    wait_for(tmp_path / "run" / "checkpoint.npz", process)
    process.send_signal(signal.SIGTERM)
    error = process.communicate()[1]
    assert process.returncode == 130, error
    again = shlex.split(re.search("Resume with: python train.py (.*)", error)[1])
    assert json.loads(str(arrays(tmp_path / "run")["progress"]))["step"] < 60
    assert run_train(*again) == 0
    assert same_run(tmp_path / "run", whole[0])


@pytest.fixture
def dropping():
    """The name of an encoder with dropout, whose random state is part of a run."""

    @encoders.encoder("dropping", stride=4)
    def build(x, mask):
        x = keras.layers.Conv2D(8, 3, padding="same")(x)
        return keras.layers.Dropout(0.5)(mask(keras.layers.MaxPooling2D(4)(x)))

    yield "dropping"
    del encoders.ENCODERS["dropping"]


def test_the_command_printed_at_an_interrupt_resumes_the_run(
    dropping, tmp_path, monkeypatch, capsys
):
    def interrupted(progress, number, *rest):
        step(progress, number, *rest)
        if number == 1:
            signal.raise_signal(signal.SIGINT)

    options = ("--architecture", dropping, "--steps", "4", "--interval", "2")
    step = train.Progress.step
    with monkeypatch.context() as patched:
        patched.setattr(train.Progress, "step", interrupted)
        assert compiled(tmp_path / "run", *options, "--no_resume") == 130  # not repeated
    error = capsys.readouterr().err
    assert 0 < json.loads(str(arrays(tmp_path / "run")["progress"]))["step"] < 4
    resume = re.search(r"Interrupted; checkpoint saved\. Resume with: python train.py (.*)", error)
    assert run_train(*shlex.split(resume[1])) == 0
    assert compiled(tmp_path / "whole", *options) == 0
    assert same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            KeyboardInterrupt,
            130,
            "Interrupted outside the training steps; the same command resumes",
        ),
        (MemoryError, 2, "train.py: not enough memory; give a smaller --batch-size"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), 2, "train.py: not enough memory; give"),
    ],
)
def test_an_end_before_the_first_step_claims_no_checkpoint(
    error, status, message, tmp_path, monkeypatch, capsys
):
    def gather(*args, **kwargs):
        raise error

    monkeypatch.setattr(train, "gather", gather)
    assert run(tmp_path / "run") == status
    said = capsys.readouterr().err
    assert message in said and "saved" not in said


def test_images_whose_names_are_not_utf8_are_trained_on(labelled_folder, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/stra\xdfe"))
    shutil.copytree(labelled_folder, folder)
    said = io.StringIO()  # pytest's own streams do not take such names
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        for _ in range(2):  # the second time, the run is known by its config.json
            assert run(tmp_path / "run", "--dataset", str(folder)) == 0, said.getvalue()
    assert json.loads((tmp_path / "run" / "config.json").read_bytes())["dataset"] == [str(folder)]


def test_a_run_notices_that_the_images_to_validate_on_have_changed(
    labelled_folder, tmp_path, capsys
):
    seen = shutil.copytree(labelled_folder, tmp_path / "seen")
    unseen = shutil.copytree(labelled_folder, tmp_path / "unseen")
    given = ("--dataset", str(seen), "--validation", str(unseen))
    assert run(tmp_path / "run", *given) == 0
    rows = (unseen / "labels.tsv").read_text().splitlines()
    (unseen / "labels.tsv").write_text("\n".join([rows[0] + rows[0][-1], *rows[1:]]))
    assert run(tmp_path / "run", *given) == 2
    assert "the labelled images have changed since this run began" in capsys.readouterr().err


def test_a_stop_is_kept_where_something_swallows_it():
    with Stopper() as stopper:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stopper.asked


def test_in_the_loop_the_second_request_insists():
    with Stopper() as stopper:
        stopper.in_loop = True
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.long
@pytest.mark.parametrize("moment", ["config.json", "checkpoint.npz"])
def test_a_killed_run_resumes_as_if_it_had_not_stopped(moment, whole, tmp_path):
    process = script(tmp_path / "run")
    wait_for(tmp_path / "run" / moment, process)
    process.kill()
    process.communicate()
    if moment == "config.json":
        assert not (tmp_path / "run" / "checkpoint.npz").exists(), "written before the first step"
    assert run_train(*TINY, "--model-dir", tmp_path / "run") == 0
    assert same_run(tmp_path / "run", whole[0])


@pytest.mark.long
def test_a_killed_run_on_labelled_images_resumes_as_if_it_had_not_stopped(
    labelled_folder, tmp_path
):
    records = tmp_path / "set.tfrecords"
    write_labelled(labelled_folder, records)
    datasets = ("--dataset", str(records), "--head", "attention", "--mix-generated", "0.3")
    process = script(tmp_path / "run", *datasets)
    wait_for(tmp_path / "run" / "checkpoint.npz", process)
    process.kill()
    process.communicate()
    for folder in ("run", "whole"):
        assert run_train(*TINY, *datasets, "--model-dir", tmp_path / folder) == 0
    assert same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.long
def test_stops_at_any_moment_change_nothing(tmp_path):
    long = ("--steps", "1200", "--interval", "100", "--patience", "0")
    kinds = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    checkpoint, rng = tmp_path / "run" / "checkpoint.npz", random.Random(0)
    reached = []
    for i in range(4):
        process = script(tmp_path / "run", *long)
        if i % 2:  # while it trains, validates, writes
            wait_for_another(checkpoint, process)
            time.sleep(rng.uniform(0, 1))
        else:  # while it starts up, or a little later
            time.sleep(rng.uniform(0, 5))
        process.send_signal(kinds[i % 3])
        error = process.communicate()[1]
        assert process.returncode != 0, f"ended by itself: {error}"
        saved = checkpoint.exists()
        reached += [json.loads(str(arrays(tmp_path / "run")["progress"]))["step"] if saved else 0]
    assert reached == sorted(reached) and reached[-1] >= 200, reached
    for folder in ("run", "whole"):
        process = script(tmp_path / folder, *long)
        error = process.communicate()[1]
        assert process.returncode == 0, error
    assert same_run(tmp_path / "run", tmp_path / "whole"), reached


@pytest.mark.long
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux limits another process")
@pytest.mark.parametrize("room", [100_000, 1_000_000])  # a model is larger; a checkpoint alone is
def test_a_run_that_could_not_write_resumes_as_if_it_could(room, whole, tmp_path):
    process = script(tmp_path / "run")
    wait_for(tmp_path / "run" / "checkpoint.npz", process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
    error = process.communicate()[1]
    assert process.returncode == 2, error
    assert "free some disk space" in error and "Traceback" not in error
    assert not list((tmp_path / "run").glob(".*")), "half a file is left"
    assert run_train(*TINY, "--model-dir", tmp_path / "run") == 0
    assert same_run(tmp_path / "run", whole[0])


def test_a_removed_folder_is_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train.Progress, "validated", lambda *_: shutil.rmtree(tmp_path / "run"))
    assert run(tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "run: was removed during the run; the same command starts a new run" in error
    assert "Traceback" not in error


@pytest.mark.long
def test_a_run_whose_worker_died_resumes_as_if_it_had_not_stopped(tmp_path):
    def kill_the_worker(validation):
        children = multiprocessing.active_children()  # also those that read fonts and images
        (worker,) = [child for child in children if isinstance(child, SpawnProcess)]
        worker.kill()
        worker.join()

    longer = [*TINY, "--steps", "160"]  # than a worker draws ahead
    command = [*longer, "--workers", "1", "--model-dir", str(tmp_path / "run")]
    options = parse(TrainOptions, command)
    with pytest.raises(train.TrainError, match="resume with fewer --workers, or 0"):
        train.train(options, on_validation=kill_the_worker)
    for folder in ("run", "whole"):
        assert run_train(*longer, "--workers", "0", "--model-dir", tmp_path / folder) == 0
    assert same_run(tmp_path / "run", tmp_path / "whole")


def test_a_stop_on_the_last_step_of_an_interval_keeps_its_validation(tmp_path, monkeypatch):
    four, shown = ("--steps", "4", "--interval", "2"), train.Progress.step

    def interrupted(self, number, loss, rows):
        shown(self, number, loss, rows)
        if number == 0:  # so that step 1, the last of the first interval, is the last one made
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(train.Progress, "step", interrupted)
        assert run(tmp_path / "stopped", *four) == 130
    assert (tmp_path / "stopped" / "metrics.csv").read_text().count("\n") == 2
    assert run(tmp_path / "stopped", *four) == 0
    assert run(tmp_path / "whole", *four) == 0
    assert same_run(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.long
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="/proc lists a process's children")
def test_workers_end_with_a_run_that_was_killed(tmp_path):
    process = script(tmp_path / "run", "--workers", "2", "--steps", "100000")
    wait_for(tmp_path / "run" / "checkpoint.npz", process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.communicate()
    until = time.monotonic() + 20
    while any(os.path.isdir(f"/proc/{child}") for child in children):
        assert time.monotonic() < until, "workers are left over"
        time.sleep(0.1)


def test_a_finished_run_is_reported_and_not_changed(finished, capsys):
    before = {p: p.read_bytes() for p in finished.glob("*.*") if p.is_file()}
    assert run(finished) == 0
    assert "is finished, at step 2. Continue it with more --steps" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in finished.glob("*.*") if p.is_file()} == before


def test_a_run_of_before_some_options_were_renamed_is_the_same_run(finished, capsys):
    file = finished / "config.json"
    config = json.loads(file.read_text())
    former = {"rnn": "none", "weight": config["stroke_weight"], "letters": False, "symbols": False}
    former["image_dir"] = "/elsewhere/lib/python3.11/site-packages/trdg/images"
    assert config["context"] == "conv"
    kept = {k: v for k, v in config.items() if k not in ("context", "stroke_weight")}
    file.write_text(json.dumps(kept | former))
    assert run(finished, "--context", "lstm", "--stroke-weight", "0.5") == 2
    error = capsys.readouterr().err
    assert '--context "conv" -> "lstm"' in error and "--stroke-weight 0.6 -> 0.5" in error
    assert run(finished) == 0
    assert "is finished, at step 2" in capsys.readouterr().err
    assert json.loads(file.read_text()) == config


def test_a_finished_run_continues_with_more_steps(finished):
    assert run(finished, "--steps", "4") == 0
    steps = [row.split(",")[0] for row in (finished / "metrics.csv").read_text().split()]
    assert steps == ["step", "1", "2", "3", "4"]
    assert json.loads((finished / "config.json").read_text())["steps"] == 4


def test_different_options_are_an_error_that_names_them(finished, capsys):
    before = (finished / "config.json").read_text()
    assert run(finished, "--batch-size", "5", "--rotation", "3", "--steps", "1") == 2
    error = capsys.readouterr().err
    for change in ("--batch-size 4 -> 5", "--rotation 2.0 -> 3.0", "--steps 2 -> 1", "--no-resume"):
        assert change in error
    assert (finished / "config.json").read_text() == before


def test_no_resume_moves_the_earlier_run_aside(finished, capsys):
    before = (finished / "metrics.csv").read_text()
    for number in (1, 2):
        assert run(finished, "--no-resume", "--seed", str(number)) == 0
        assert (finished.parent / f"run.{number}" / "best.keras").exists()
    assert (finished.parent / "run.1" / "metrics.csv").read_text() == before
    assert json.loads((finished / "config.json").read_text())["seed"] == 2
    first, second = (arrays(folder)["model0"] for folder in (finished.parent / "run.1", finished))
    assert not np.array_equal(first, second), "another seed gives another run"
    assert "Moved the earlier run to" in capsys.readouterr().err


STILL = ["--learning-rate", "1e-12", "--average", "0", "--steps", "5"]  # nothing is learned


def test_it_stops_after_validations_without_fewer_errors(tmp_path, capsys):
    assert run(tmp_path / "run", *STILL, "--patience", "2") == 0
    assert "Stopped early: 2 validations did not reduce the errors" in capsys.readouterr().err
    assert len((tmp_path / "run" / "metrics.csv").read_text().split()) == 1 + 3


@pytest.mark.long
def test_a_run_that_stopped_early_continues_with_more_patience(tmp_path, capsys):
    assert run(tmp_path / "run", *STILL, "--patience", "2") == 0
    assert run(tmp_path / "run", *STILL, "--patience", "2") == 0
    assert "is finished, at step 3. Continue it with a larger --patience" in capsys.readouterr().err
    assert len((tmp_path / "run" / "metrics.csv").read_text().split()) == 1 + 3
    assert run(tmp_path / "run", *STILL, "--patience", "0") == 0
    assert len((tmp_path / "run" / "metrics.csv").read_text().split()) == 1 + 5


# --- the run folder ---------------------------------------------------------------------------


def test_a_run_folder_holds_models_checkpoints_metrics_and_pictures(finished):
    names = {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    assert {
        "config.json", "best.keras", "best.onnx", "last.keras", "checkpoint.npz",
        "checkpoint.before.npz", "metrics.csv", "pictures/step_000001.png",
        "pictures/step_000002.png",
    } == {name for name in names if not name.startswith("tensorboard")}  # fmt: skip
    assert any(name.startswith("tensorboard/events") for name in names)


def test_the_config_holds_the_options_that_make_the_run(finished):
    config = json.loads((finished / "config.json").read_text())
    options = {field.name for field in dataclasses.fields(TrainOptions)}
    assert set(config) == options - NOT_COMPARED
    assert (config["steps"], config["alphabet"], config["margins"]) == (2, "digits", [5, 5, 5, 5])


def test_metrics_have_a_row_for_each_validation(finished):
    header, *rows = (finished / "metrics.csv").read_text().split()
    assert header == "step,loss,val_exact,val_cer"
    values = np.array([row.split(",") for row in rows], float)
    assert values[:, 0].tolist() == [1, 2] and np.isfinite(values).all()
    assert ((values[:, 2] >= 0) & (values[:, 2] <= 1)).all()


@pytest.mark.long
def test_the_command_printed_at_the_end_reads_with_what_was_trained(whole, capsys):
    folder, printed = whole
    command = shlex.split(re.search(r"python inference\.py (.*) IMAGE\.\.\.", printed)[1])
    assert command == ["--model", str(folder)]
    assert run_inference(*command, ROOT / "inference_test_imgs" / "water_meter.png") == 0
    out, error = capsys.readouterr()
    assert len(out.splitlines()) == 1 and str(folder / "best.keras") in error


def test_each_validation_is_passed_to_the_caller(tmp_path):
    seen = []
    options = TrainOptions(
        rnn_units=8, steps=3, interval=2, batch_size=2, validation_lines=35,
        model_dir=tmp_path / "run",
    )  # fmt: skip
    best = train.train(options, on_validation=seen.append)
    assert [validation.step for validation in seen] == [2, 3]
    expected = min(seen, key=lambda validation: (1 - validation.exact, validation.cer))
    assert (best.step, best.texts) == (expected.step, expected.texts)
    by_font = best.by_font()
    assert len(by_font) == 35 and {count for _, _, count in by_font} == {1}
    assert [exact for _, exact, _ in by_font] == sorted(exact for _, exact, _ in by_font)


def test_the_averaged_weights_are_what_is_saved(finished, tmp_path):
    assert run(tmp_path / "whole", "--average", "0") == 0
    for folder, same in ((tmp_path / "whole", True), (finished, False)):
        weights = models.load(folder / "last.keras").get_weights()
        saved = arrays(folder)
        trained = [saved[f"model{i}"] for i in range(len(weights))]
        assert all(map(np.array_equal, weights, trained)) == same


# --- seeds ------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run(finished, tmp_path):
    assert run(tmp_path / "again") == 0 and same_run(tmp_path / "again", finished)


# --- what cannot work -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ("--steps 0", "--steps 0: give a number of at least 1"),
        ("--batch-size 0", "--batch-size 0:"),
        ("--validation-lines 0", "--validation-lines 0:"),
        ("--learning-rate 2", "--learning-rate 2.0:"),
        ("--clip-norm nan", "--clip-norm nan:"),
        ("--average 1", "--average 1.0:"),
        ("--final-rate 2", "--final-rate 2.0:"),
        ("--seed -1", "--seed -1:"),
        ("--seed 4294967296", "--seed 4294967296: give a number of at most 4294967295"),
        ("--height 20", "height 20"),
        (
            "--architecture huge",
            "architecture 'huge': choose from deep, deeper, fine, plain, residual, wide, "
            "wide_residual",
        ),
        ("--alphabet ''", "the alphabet is empty"),
        ("--min-length 5", "--min-length 5 and --max-length 3"),
        ("--fonts nowhere", "--fonts 'nowhere': no font file there"),
        (f"--fonts {FONT} --held-out OpenSans", "every font is held out"),
        ("--alphabet digits --text-source strings --strings 12a", "strings[0]: '12a' has 'a'"),
        ("--text-source strings --strings-file missing.txt", "--strings-file missing.txt"),
        ("--text-color '#ffffff'", "--text-color too close to the background"),
        ("--width 12 --min-length 3", "text wider than --width 12"),
    ],
)
def test_a_bad_option_is_named_before_anything_is_written(options, message, tmp_path, capsys):
    assert run(tmp_path / "run", *shlex.split(options)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", ["--no-such-option", "--steps many", "--context bilstm"])
def test_an_option_that_does_not_parse_ends_with_status_2(options, tmp_path, capsys):
    assert run(tmp_path / "run", *shlex.split(options)) == 2
    assert options.split()[-1] in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_is_left_as_it_is(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("all I have")
    assert run(tmp_path) == 2
    assert "holds files but no config.json" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_behind_a_link_is_moved_aside_with_its_link(finished, tmp_path):
    (tmp_path / "link").symlink_to(finished.rename(tmp_path / "elsewhere"))
    assert run(tmp_path / "link", "--no-resume") == 0
    assert (tmp_path / "link.1").is_symlink() and (tmp_path / "link.1" / "best.keras").exists()


def test_runs_in_folders_inside_are_left_alone(finished, capsys):
    folder = finished.parent / "all"
    folder.mkdir()
    shutil.copytree(finished, folder / "mine")
    for number, options in enumerate([(), (), ("--no-resume",)]):
        assert run(folder, *options) == 0, capsys.readouterr().err
        assert ("Moved the earlier run" in capsys.readouterr().err) is (number == 2)
    assert (folder / "mine" / "best.keras").exists()
    aside = folder.with_name("all.1")
    assert (aside / "best.keras").exists() and not (aside / "mine").exists()


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path, capsys):
    (tmp_path / "run").write_text("")
    assert run(tmp_path / "run") == 2
    assert f"{tmp_path / 'run'}: is a file" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut", "garbage", "other"])
def test_a_damaged_checkpoint_is_an_error_with_the_fix(damage, finished, capsys):
    path = finished / "checkpoint.npz"
    whole = path.read_bytes()
    if damage == "other":
        path.write_bytes(pack({"progress": np.array("{}"), "model0": np.zeros(3)}))
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"garbage")
        (finished / "checkpoint.before.npz").unlink(missing_ok=True)
    assert run(finished, "--steps", "3") == 2
    error = capsys.readouterr().err
    assert "checkpoint" in error and "--no-resume" in error


def test_a_checkpoint_of_another_model_is_an_error_without_all_its_weights(tmp_path):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
    model.compile("sgd")
    state = TrainState(model, model)
    (tmp_path / "checkpoint.npz").write_bytes(state.as_bytes())
    saved = unpack(tmp_path / "checkpoint.npz")
    state.restore(saved)
    with pytest.raises(train.TrainError, match="the checkpoint does not fit the model") as error:
        state.restore(saved | {"model0": np.zeros((3, 3))})
    assert len(str(error.value)) < 400 and "start a new run with --no-resume" in str(error.value)


def damage(path, how):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "gone":
        path.unlink()
    elif how == "an array":  # as a damaged directory of the archive leaves it
        incomplete = arrays(path.parent)
        del incomplete["model1"]
        np.savez(path, **incomplete)
    else:
        path.write_bytes(content if how == "a bit" else content[: len(content) // 2])


@pytest.mark.parametrize("how", ["cut", "a bit", "an array", "gone"])
def test_the_checkpoint_before_is_used_for_a_damaged_one(how, finished, capsys):
    shutil.copy(finished / "checkpoint.before.npz", finished / "kept.npz")
    damage(finished / "checkpoint.npz", how)
    found = RunFolder(finished).last_checkpoint()
    with np.load(finished / "kept.npz") as kept:
        assert all(np.array_equal(found[name], kept[name]) for name in found)
    assert json.loads(str(found["progress"]))["step"] == 1
    assert "resuming from the previous checkpoint, checkpoint.before.npz" in capsys.readouterr().err


def test_a_run_resumes_from_the_checkpoint_before_a_damaged_one(finished, short_run, capsys):
    damage(finished / "checkpoint.npz", "a bit")
    assert run(finished) == 0
    assert "resuming from the previous checkpoint" in capsys.readouterr().err
    assert same_run(finished, short_run)


def test_a_folder_takes_one_training_at_a_time(finished, capsys):
    with contextlib.closing(RunFolder(finished)) as other:
        other.open(json.loads((finished / "config.json").read_text()), resume=True)
        for options in ((), ("--no-resume",)):
            assert run(finished, *options) == 2
            assert "another process is training in it" in capsys.readouterr().err
    assert run(finished) == 0


def test_a_run_is_not_moved_aside_if_its_model_is_to_be_the_start(finished, capsys):
    assert run(finished, "--no-resume", "--init-from", str(finished)) == 2
    assert "is in --model-dir" in capsys.readouterr().err
    assert (finished / "best.keras").is_file()


def test_a_config_that_is_not_json_is_an_error_with_the_fix(finished, capsys):
    (finished / "config.json").write_text("{")
    assert run(finished) == 2
    error = capsys.readouterr().err
    assert "config.json: not JSON" in error and "--no-resume" in error


def test_a_loss_that_is_not_finite_stops_and_keeps_its_batch(finished, capsys):
    weights = arrays(finished)
    for name in weights:  # all, as a gradient that is not finite leaves them after clipping
        if name.startswith("model"):
            weights[name] = np.full_like(weights[name], np.nan)
    np.savez(finished / "checkpoint.npz", **weights)
    assert run(finished, "--steps", "4") == 2
    error = capsys.readouterr().err
    path = finished / "not_finite_step_000002.npz"
    assert "the loss is nan at step 2" in error and str(path) in error
    with np.load(path) as batch:
        options = LineOptions(max_length=3)
        stream = Lines(options, TrainOptions(max_length=3).spec(), train_fonts(), 0)
        x, y = Batches(stream, 4)[2]
        assert np.array_equal(batch["image"], x["image"]) and np.array_equal(batch["y"], y)


def train_fonts():
    return split_fonts(find_fonts(("trdg",)), HELD_OUT)[0]


# --- the rest ---------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("switch, dtype", [("on", "bfloat16"), ("off", "float32")])
def test_mixed_precision_trains_a_model_that_reads(switch, dtype, tmp_path, capsys):
    before = keras.config.dtype_policy().name
    assert compiled(tmp_path / "run", "--mixed-precision", switch, "--context", "lstm") == 0
    assert f", computing in {dtype}" in capsys.readouterr().err
    assert keras.config.dtype_policy().name == before
    image = ROOT / "inference_test_imgs" / "water_meter.png"
    [line] = Recognizer.load(tmp_path / "run" / "best.keras").read([image])
    assert 0 < line.confidence <= 1


@pytest.mark.long
@pytest.mark.parametrize("architecture", ["plain", "residual"])  # test_model.py has all of them
def test_colour_images_of_another_height_are_trained_on(architecture, tmp_path):
    options = ("--architecture", architecture, "--color", "--height", "48")
    assert compiled(tmp_path / "run", *options) == 0


def test_keras_fit_trains_on_the_sequence_with_threads():
    options = TrainOptions(rnn_units=8, max_length=3)
    stream = Lines(options, options.spec(), [FONT])
    model = models.build(options.spec(), seed=0)
    model.compile("adam", models.ctc_loss, jit_compile=False)
    sequence = LineSequence(stream, 4, num_batches=6, workers=3, max_queue_size=4)
    history = model.fit(sequence, epochs=2, verbose=0).history
    assert len(history["loss"]) == 2 and np.isfinite(history["loss"]).all()


@pytest.mark.long
def test_it_learns_to_read(tmp_path):
    options = shlex.split(
        "--rnn-units 64 --max-length 2 --photo 0 --average 0.9 --held-out none --batch-size 16 "
        "--warmup 20 --steps 400 --interval 400"
    )
    assert compiled(tmp_path / "run", "--fonts", FONT, "--validation-lines", "50", *options) == 0
    last = (tmp_path / "run" / "metrics.csv").read_text().split()[-1].split(",")
    assert float(last[2]) > 0.9


@pytest.mark.long
def test_a_killed_run_on_jax_alone_resumes_as_if_it_had_not_stopped(labelled_folder, tmp_path):
    pytest.importorskip("jax")
    (tmp_path / "tensorflow.py").write_text("raise ImportError('not installed')")
    jax = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(tmp_path)}
    jax["JAX_COMPILATION_CACHE_DIR"] = str(tmp_path / "compiled")
    short = ["--steps", "4", "--interval", "1", "--max-length", "1"]  # few shapes to compile
    short += ["--dataset", str(labelled_folder), "--mix-generated", "0.5"]
    killed = script(tmp_path / "run", *short, **jax)
    wait_for(tmp_path / "run" / "checkpoint.npz", killed)
    killed.kill()
    killed.communicate()
    for folder in ("run", "whole"):
        process = script(tmp_path / folder, *short, **jax)
        error = process.communicate()[1]
        assert process.returncode == 0, error
    assert same_run(tmp_path / "run", tmp_path / "whole")
