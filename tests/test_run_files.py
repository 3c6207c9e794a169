"""Files of a run folder that were damaged or made by a stranger: named, with what to do."""

import contextlib
import json
import os
import shutil
import zipfile

import numpy as np
import pytest

from ocr_simple.errors import TrainError
from ocr_simple.options import TrainOptions
from ocr_simple.reports.charts import learning_curves
from ocr_simple.reports.metrics_file import read_metrics
from ocr_simple.runs.checkpoint import pack, progress_of, unpack
from ocr_simple.runs.config import as_config, read_config
from ocr_simple.runs.model_files import find_model
from ocr_simple.runs.run_folder import RunFolder, replacing
from ocr_simple.written_files import write_whole

PROGRESS = {
    "step": 7, "losses": [0.5], "rows": [{"step": 6, "loss": 1.0}], "best": [0.5, float("inf")],
    "best_step": 6, "waited": 0,
}  # fmt: skip
METRICS = "step,loss,val_exact,val_cer\n"


@pytest.fixture
def folder(tmp_path):
    """A run folder with a config.json."""
    (tmp_path / "config.json").write_text(json.dumps(as_config(TrainOptions())))
    return RunFolder(tmp_path)


def checkpoint(progress) -> bytes:
    content = "[" * 100_000 if progress == "deep" else json.dumps(progress)
    return pack({"progress": np.array(content), "model0": np.ones(3)})


def resume(folder):
    """Open a run folder with the options of its config.json."""
    with contextlib.closing(folder):
        return folder.open(as_config(TrainOptions()), resume=True)


# --- links ------------------------------------------------------------------------------------

WRITTEN = [
    "config.json", "metrics.csv", "best.keras", "last.keras", "checkpoint.npz",
    "checkpoint.before.npz", "not_finite_step_000001.npz", ".checkpoint.npz.partial",
    ".best.keras.partial.keras", "pictures", "tensorboard", "pictures/step_000004.png",
    "tensorboard/events.out.tfevents.1.a",
]  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_run_folder_with_a_link_where_it_writes_is_refused(folder, tmp_path_factory, name):
    mine = tmp_path_factory.mktemp("mine") / "mine"
    mine.write_text("mine")
    link = folder.path / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(mine if "." in name else mine.parent)
    if name == "config.json":
        mine.write_text(json.dumps(as_config(TrainOptions())))
    before = mine.read_text(), os.listdir(mine.parent)
    message = rf"{name}: is a link to .*, and resuming would write there; replace it with its"
    with pytest.raises(TrainError, match=message):
        resume(folder)
    assert (mine.read_text(), os.listdir(mine.parent)) == before


def test_links_that_a_run_does_not_write_to_are_left_alone(folder):
    (folder.path / "newest").symlink_to("nowhere")
    assert resume(folder) is None


def test_a_file_is_written_beside_a_link_and_not_through_it(tmp_path):
    (mine := tmp_path / "mine").write_text("mine")
    for name in ("a", ".a.partial"):
        (tmp_path / name).symlink_to(mine)
    write_whole(tmp_path / "a", b"new")
    assert mine.read_text() == "mine" and (tmp_path / "a").read_bytes() == b"new"
    assert not (tmp_path / "a").is_symlink()


# --- config.json ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "is not a JSON object"),
        ('"text"', "is not a JSON object"),
        ('{"steps": "many"}', "its steps is 'many', and must be a number, 0 or more"),
        ('{"steps": null}', "its steps is None, and must be a number, 0 or more"),
        ('{"shares": -3}', "its shares is -3, and must be a number, 0 or more"),
        ('{"shares": true}', "its shares is True, and must be a number, 0 or more"),
        ('{"alphabet": 5}', "its alphabet is 5, and must be text"),
        ('{"rnn": []}', r"its rnn is \[\], and must be text"),
    ],
)
def test_a_config_of_a_wrong_shape_is_named(folder, content, reason):
    folder.config.write_text(content)
    message = rf"config\.json: {reason}.*; restore the file, or start a new run with --no-resume$"
    with pytest.raises(TrainError, match=message):
        folder.open(as_config(TrainOptions()), resume=True)
    folder.close()
    assert folder.earlier("alphabet") is None and folder.earlier("shares") is None


def test_a_config_that_is_no_file_or_a_huge_one_is_named(folder):
    folder.config.unlink()
    os.mkfifo(folder.config)
    with pytest.raises(TrainError, match=r"config\.json: is a folder, pipe or device, not a file"):
        read_config(folder.config)
    folder.config.unlink()
    with open(folder.config, "wb") as file:
        file.truncate(200 << 30)
    with pytest.raises(TrainError, match=r"config\.json: 214,748,364,800 bytes, over the limit"):
        read_config(folder.config)


def test_long_values_are_cut_in_messages(folder):
    folder.config.write_text(json.dumps(as_config(TrainOptions()) | {"strings": ["x" * 10_000]}))
    with pytest.raises(TrainError, match="holds a run with other options") as error:
        folder.open(as_config(TrainOptions()), resume=True)
    folder.close()
    assert len(str(error.value)) < 1000


# --- checkpoints ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("progress", "reason"),
    [
        ([], "its progress is not an object"),
        ("deep", "its progress is not JSON"),
        ({}, "its progress has no step"),
        ({k: v for k, v in PROGRESS.items() if k != "best"}, "its progress has no best"),
        (PROGRESS | {"step": "7"}, "its progress has a step of a wrong kind"),
        (PROGRESS | {"step": -1}, "its progress has a step of a wrong kind"),
        (PROGRESS | {"step": None}, "its progress has a step of a wrong kind"),
        (PROGRESS | {"step": True}, "its progress has a step of a wrong kind"),
        (PROGRESS | {"losses": 3}, "its progress has a losses of a wrong kind"),
        (PROGRESS | {"rows": [1]}, "its progress has a rows of a wrong kind"),
        (PROGRESS | {"rows": [{"loss": 1}]}, "its progress has a rows of a wrong kind"),
        (PROGRESS | {"best": [1]}, "its progress has a best of a wrong kind"),
    ],
)
def test_progress_of_a_wrong_shape_never_starts_again_in_silence(folder, progress, reason):
    folder.checkpoint.write_bytes(checkpoint(progress))
    folder.checkpoint_before.write_bytes(checkpoint(PROGRESS | {"step": 3}))
    message = (
        rf"checkpoint\.npz: is intact, but not a checkpoint of ocr_simple \({reason}\); remove it"
    )
    with pytest.raises(TrainError, match=message):
        folder.last_checkpoint()
    folder.checkpoint.unlink()
    assert progress_of(folder.last_checkpoint())["step"] == 3


def test_progress_is_read_as_it_was_written(tmp_path):
    (tmp_path / "a.npz").write_bytes(checkpoint(PROGRESS))
    assert progress_of(unpack(tmp_path / "a.npz")) == PROGRESS


def test_a_checkpoint_without_progress_is_named(folder):
    folder.checkpoint.write_bytes(pack({"model0": np.ones(3)}))
    with pytest.raises(TrainError, match=r"checkpoint\.npz: is intact, .* \(it has no progress\)"):
        folder.last_checkpoint()


def test_a_checkpoint_that_unpacks_to_more_is_not_unpacked(folder):
    with zipfile.ZipFile(folder.checkpoint, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model0.npy", bytes(50_000_000))
    with pytest.raises(TrainError, match="it is compressed, and a checkpoint is not"):
        folder.last_checkpoint()


def test_a_checkpoint_that_is_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder.checkpoint)
    with pytest.raises(TrainError, match="is a folder, pipe or device"):
        folder.last_checkpoint()


# --- best.keras -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cut", "a bit", "missing", "a pipe"])
def test_a_damaged_best_model_is_noticed_before_the_training_goes_on(folder, how):
    content = bytearray(find_model("digits").read_bytes())
    folder.best.write_bytes(content)
    folder.checkpoint.write_bytes(checkpoint(PROGRESS))
    assert progress_of(resume(folder)) == PROGRESS
    content[len(content) // 2] ^= 1
    if how in ("cut", "a bit"):
        folder.best.write_bytes(content if how == "a bit" else content[: len(content) // 2])
    else:
        folder.best.unlink()
    if how == "a pipe":
        os.mkfifo(folder.best)
    message = (
        r"best\.keras: .*To resume, restore best\.keras, or copy last\.keras to best\.keras; or"
    )
    with pytest.raises(TrainError, match=message):
        resume(folder)


def test_a_run_without_a_validation_needs_no_best_model(folder):
    folder.checkpoint.write_bytes(checkpoint(PROGRESS | {"rows": [], "best_step": 0}))
    assert progress_of(resume(folder))["step"] == 7


# --- metrics.csv ------------------------------------------------------------------------------


def test_damaged_metrics_are_refused_and_not_replaced(folder):
    folder.best.write_bytes(find_model("digits").read_bytes())
    folder.checkpoint.write_bytes(checkpoint(PROGRESS))
    folder.metrics.write_text("my notes")
    message = (
        r"metrics\.csv: not the metrics of a run .*; restore it, or remove it: a run that resu"
    )
    with pytest.raises(TrainError, match=message):
        resume(folder)
    assert folder.metrics.read_text() == "my notes"
    folder.metrics.unlink()
    assert progress_of(resume(folder))["step"] == 7


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it has no column step"),
        ("step,loss\n1,2\n", "it has no column val_exact"),
        (METRICS, "it has no rows"),
        (METRICS + "1,2,3\n", "it has more or fewer columns than the first row"),
        (METRICS + "1,2,3,4,5\n", "it has more or fewer columns than the first row"),
        (METRICS + "1,2,x,4\n", "could not convert string to float: 'x'"),
        (METRICS + "1,2,nan,4\n", "a number is not finite"),
        (METRICS + f'1,2,"{"3" * 200_000}",4\n', "field larger than field limit"),
        (METRICS + '1,2,"3,4\n', "unexpected end of data"),
        ("\x00\xff", "'utf-8' codec can't decode|it has no column"),
    ],
)
def test_metrics_of_a_wrong_shape_are_named(tmp_path, content, reason):
    file = tmp_path / "metrics.csv"
    file.write_text(content, encoding="latin-1")
    message = rf"metrics\.csv(:\d+)?: not the metrics of a run \(({reason}).*\); restore it, or rem"
    for read in (read_metrics, learning_curves):
        with pytest.raises(ValueError, match=message):
            read(file)


def test_metrics_of_labelled_images_may_have_an_infinite_loss(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text("step,loss,val_exact,val_cer,val_loss\n1,2,0.5,0.25,inf\n")
    expected = {"step": 1, "loss": 2, "val_exact": 0.5, "val_cer": 0.25, "val_loss": float("inf")}
    assert read_metrics(file) == [expected]


# --- a folder that takes the place of another -------------------------------------------------


@pytest.fixture
def earlier(tmp_path):
    """A folder with a model."""
    folder = tmp_path / "meters"
    folder.mkdir()
    (folder / "best.keras").write_bytes(b"before")
    return folder


def test_what_was_in_a_folder_is_moved_aside_when_what_replaces_it_is_done(earlier):
    with replacing(earlier) as made:
        made.mkdir()
        (made / "best.keras").write_bytes(b"after")
        assert (earlier / "best.keras").read_bytes() == b"before"
    assert (earlier / "best.keras").read_bytes() == b"after"
    assert (earlier.with_name("meters.1") / "best.keras").read_bytes() == b"before"
    assert len(list(earlier.parent.iterdir())) == 2, "nothing else is left"


def test_an_empty_folder_is_replaced_and_a_file_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with replacing(tmp_path / "empty") as made:
        made.mkdir()
        (made / "best.keras").write_bytes(b"after")
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["best.keras"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrainError, match="is a file; name a folder"), replacing(tmp_path / "file"):
        pass


def test_a_folder_stays_as_it_was_if_what_would_replace_it_fails(earlier):
    with pytest.raises(KeyboardInterrupt), replacing(earlier) as made:
        made.mkdir()
        raise KeyboardInterrupt
    assert [path.name for path in earlier.parent.iterdir()] == ["meters"]
    assert (earlier / "best.keras").read_bytes() == b"before"


def test_a_folder_is_replaced_by_one_process_at_a_time(earlier):
    message = "another process is training in it"
    with replacing(earlier) as made:
        with pytest.raises(TrainError, match=message), replacing(earlier):
            pass
        made.mkdir()
    new = earlier.with_name("new")
    with replacing(new) as made:
        with pytest.raises(TrainError, match=message), replacing(new):
            pass
        made.mkdir()


def test_a_folder_that_holds_other_runs_is_not_replaced(earlier):
    shutil.copytree(earlier, earlier / "inside")
    (earlier / "inside" / "config.json").write_text("{}")
    before = sorted(earlier.rglob("*"))
    with pytest.raises(TrainError, match="holds other runs; name another"), replacing(earlier):
        pass
    assert sorted(earlier.rglob("*")) == before
