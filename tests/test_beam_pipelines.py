"""Beam pipelines on this computer write what the local commands write."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from support.bucket import Faults, bucket
from support.commands import ROOT
from support.in_process import run_aocr

from ocr_simple.storage import list_files, output_folder, read

pytest.importorskip("apache_beam", reason="requirements/beam.txt is not installed")
BEAM = ["--runner", "DirectRunner"]
GENERATE = ["--generate", "23", "--alphabet", "digits", "--shards", "3"]


def shards(folder: Path, name: str) -> list[bytes]:
    files = sorted(folder.glob(f"{name}-*-of-*"))
    return [file.read_bytes() for file in files]


@pytest.mark.long
def test_generated_lines_are_those_of_the_local_command(tmp_path, capsys):
    assert run_aocr("dataset", *GENERATE, tmp_path / "here.tfrecords") == 0
    here = capsys.readouterr().out
    assert run_aocr("dataset", *GENERATE, *BEAM, tmp_path / "beam.tfrecords") == 0
    assert capsys.readouterr().out.replace("beam-", "here-") == here
    assert shards(tmp_path, "beam") == shards(tmp_path, "here") and here.startswith("23 images")
    assert {p.suffix for p in tmp_path.iterdir()} == {".tfrecords"}, "nothing else is left"


@pytest.fixture
def annotations(labelled_folder, tmp_path):
    """Labels of images of which one is not there and one is none."""
    (tmp_path / "none.png").write_bytes(b"no image")
    lines = (labelled_folder / "labels.tsv").read_text().splitlines()
    lines = [f"{labelled_folder}/{line}" for line in lines]
    lines[2:2] = [f"{tmp_path}/none.png\t1", "missing.png\t2"]
    file = tmp_path / "annotations.txt"
    file.write_text("\n".join(lines))
    return file


def test_labelled_images_are_those_of_the_local_command(annotations, tmp_path, capsys):
    options = ["dataset", str(annotations), "--shards", "4", "--save-filename"]
    assert run_aocr(*options, *BEAM, str(tmp_path / "beam.tfrecords")) == 2
    refused = capsys.readouterr().err
    assert not shards(tmp_path, "beam")
    assert run_aocr(*options, str(tmp_path / "here.tfrecords")) == 2
    assert capsys.readouterr().err == refused and "2 of 14 rows" in refused
    for name, how in (("here", []), ("beam", BEAM)):
        output = str(tmp_path / f"{name}.tfrecords")
        assert run_aocr(*options, "--skip-bad", *how, output) == 1
    here, beam = capsys.readouterr().out.split("12 images")[1:]
    assert beam.replace("beam-", "here-") == here
    assert shards(tmp_path, "beam") == shards(tmp_path, "here")
    skipped = [tmp_path / f"{name}.tfrecords.skipped.tsv" for name in ("beam", "here")]
    assert skipped[0].read_text() == skipped[1].read_text() != ""


@pytest.mark.parametrize("style", ["aocr", "tsv"])
def test_images_read_as_by_the_local_command(labelled_folder, tmp_path, capsys, style):
    (tmp_path / "none.png").write_bytes(b"no image")
    paths = [str(labelled_folder), str(tmp_path / "none.png")]
    options = ["predict", *paths, "--model", "digits", "--format", style, "--min-confidence", "0.5"]
    assert run_aocr(*options) == 1
    here = capsys.readouterr()
    assert run_aocr(*options, *BEAM, "--shards", "5", "--output", str(tmp_path / "read")) == 1
    beam = capsys.readouterr()
    assert b"".join(shards(tmp_path, "read")).decode() == here.out and not beam.out
    assert [line for line in beam.err.splitlines() if not line.startswith("written")] == (
        here.err.splitlines()
    )


@pytest.mark.long
def test_a_killed_pipeline_resumes_with_the_missing_shards(tmp_path):
    """Every image is read once, in worker processes, whenever the command ends."""
    folder = tmp_path / "images"
    folder.mkdir()
    source = Image.open(next((ROOT / "inference_test_imgs").glob("*.jpg")))
    for i in range(96):
        source.save(folder / f"{i:03}.jpg")
    command = [
        *(sys.executable, "-m", "aocr", "predict", str(folder), "--model", "digits"),
        *("--format", "tsv", "--shards", "24", "--output", str(tmp_path / "read.tsv"), *BEAM),
        *("--runner-options", "direct_num_workers=2", "direct_running_mode=multi_processing"),
    ]
    parts = tmp_path / "read.tsv.parts"
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    while len(list(parts.glob("*.done.json"))) < 5:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = [file.name.partition(".")[0] for file in parts.glob("*.done.json")]
    files = [tmp_path / f"read-{shard}-of-00024.tsv" for shard in done]
    written = [file.stat().st_mtime_ns for file in files]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert [file.stat().st_mtime_ns for file in files] == written, "they were made again"
    assert "of 24 shards are already written" in ended.stderr
    rows = b"".join(shards(tmp_path, "read")).decode().splitlines()
    assert [row.split("\t")[0] for row in rows] == [f"{folder}/{i:03}.jpg" for i in range(96)]
    assert not parts.exists() and not list(tmp_path.glob(".*"))


def test_a_command_that_differs_from_the_interrupted_one_is_refused(tmp_path, capsys):
    output, parts = tmp_path / "set.tfrecords", tmp_path / "set.tfrecords.parts"
    assert run_aocr("dataset", *GENERATE, *BEAM, str(output), "--width", "8") == 2  # nothing fits
    assert "text wider than --width 8" in capsys.readouterr().err
    assert parts.is_dir()
    assert run_aocr("dataset", *GENERATE, *BEAM, str(output), "--seed", "1") == 2
    error = capsys.readouterr().err
    assert f"{parts}: belongs to an interrupted command that differs from" in error
    assert "in seed, width; repeat that command" in error


def test_a_command_whose_strings_have_changed_is_refused(tmp_path, capsys):
    strings = tmp_path / "strings.txt"
    source = ["--text-source", "strings", "--strings-file", str(strings), "--width", "8"]
    command = ["dataset", *GENERATE, *source, *BEAM, str(tmp_path / "set.tfrecords")]
    for line, message in (
        ("1234", "text wider than --width 8"),
        ("5678", "from this one in texts"),
    ):
        strings.write_text(line)
        assert run_aocr(*command) == 2
        assert message in capsys.readouterr().err


def test_options_of_beam_are_known_by_all_of_their_names():
    from aocr.beam_pipelines import _beam
    from aocr.options import RunnerOptions

    flags = ("worker_machine_type=n1-standard-4", "no_use_public_ips", "experiment=a")
    _, options = _beam(RunnerOptions(runner="DirectRunner", runner_options=flags))
    found = options.get_all_options()
    assert found["machine_type"] == "n1-standard-4" and found["use_public_ips"] is False
    assert found["experiments"] == ["a"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runner", "NoRunner"], "NoRunner"),
        ([*BEAM, "--runner-options", "speed=9"], "runner-options speed: Beam has no such option"),
        ([*BEAM, "--shards", "100000"], "--shards 100000: give 1 to 99999"),
        ([*BEAM, "--shards", "0"], "--shards 0: give a number of at least 1"),
    ],
)
def test_a_pipeline_that_cannot_run_is_status_2(options, message, tmp_path, capsys):
    assert run_aocr("dataset", tmp_path / "set.tfrecords", *GENERATE, *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [BEAM, ["--output", "x"], ["--shards", "2"]])
def test_reading_into_files_is_for_runners(options, capsys):
    assert run_aocr("predict", "x.png", "--model", "digits", *options) == 2
    assert "runner" in capsys.readouterr().err


@pytest.mark.long
def test_data_sets_and_readings_of_buckets(labelled_folder, tmp_path, monkeypatch):
    with bucket(Faults()) as url:
        monkeypatch.setattr("ocr_simple.storage.FIRST_WAIT", 0.01)
        with output_folder(f"{url}/images") as there:
            for file in labelled_folder.iterdir():
                (there / file.name).write_bytes(file.read_bytes())
        options = ["--shards", "2"]
        made = f"{url}/set.tfrecords"
        assert run_aocr("dataset", f"{url}/images", *options, *BEAM, made) == 0
        local = str(tmp_path / "set.tfrecords")
        assert run_aocr("dataset", str(labelled_folder), *options, local) == 0
        for name in ("set-00000-of-00002.tfrecords", "set-00001-of-00002.tfrecords"):
            assert read(f"{url}/{name}") == (tmp_path / name).read_bytes()
        reading = ["predict", f"{url}/images", "--model", "digits", *options, *BEAM]
        assert run_aocr(*reading, "--output", f"{url}/read.txt") == 0
        lines = [read(f"{url}/read-{i:05}-of-00002.txt").splitlines() for i in range(2)]
        assert [len(part) for part in lines] == [6, 6]
        assert not [name for name in list_files(url) if ".parts" in name]
