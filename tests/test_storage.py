"""Paths in a bucket, over a real socket that fails at times, work as local ones do."""

import asyncio
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest
from s3fs import S3FileSystem
from support.bucket import Faults, bucket
from support.commands import ROOT
from support.datasets import annotate
from support.in_process import run_aocr, run_train
from support.serving import serving

from aocr.options import ServeOptions
from aocr.server import service
from aocr.server.versions import newest
from ocr_simple import storage
from ocr_simple.datasets.annotations import find_dataset
from ocr_simple.datasets.tfrecords import write_labelled
from ocr_simple.errors import TrainError
from ocr_simple.runs.model_files import TEST_IMAGES, find_model
from ocr_simple.runs.run_folder import RunFolder

TINY = shlex.split(
    "--rnn-units 8 --batch-size 4 --max-length 3 --warmup 2 --validation-lines 8 "
    "--steps 20 --interval 10 --workers 0"
)


@pytest.fixture(scope="module")
def store():
    faults = Faults()
    with bucket(faults) as url:
        yield url, faults


@pytest.fixture
def faulty(store, monkeypatch):
    """The bucket's URL; a tenth of the requests fail in each way."""
    url, faults = store
    monkeypatch.setattr(storage, "FIRST_WAIT", 0.01)
    faults.chances = {"unavailable": 0.1, "slow": 0.05, "cut": 0.1}
    faults.met.clear()
    yield url
    faults.chances = dict.fromkeys(faults.chances, 0.0)


def put(folder: Path, url: str) -> None:
    with storage.output_folder(url) as there:
        for file in folder.iterdir():
            (there / file.name).write_bytes(file.read_bytes())


@pytest.mark.long
def test_a_bucket_of_the_tests_is_empty_at_first():
    for _ in range(2):
        with bucket(Faults()) as url:
            assert storage.list_files(url) == []
            with storage.output_folder(url) as there:
                (there / "left").write_bytes(b"x")


@pytest.mark.parametrize("path", ["s3://b/x/y.z", "gs://b", "memory://a/b"])
def test_a_url_is_known_from_a_path_too(path):
    assert storage.url_of(path) == path == storage.url_of(Path(path))
    assert storage.display_name(Path(path)) == path


@pytest.mark.parametrize("path", ["a/b", "/a", "a:b", "C:/x", "s3:", "", ".", "x y://b"])
def test_a_local_path_has_no_url(path):
    assert storage.url_of(path) is None


def test_a_file_url_is_no_path_in_the_working_directory():
    assert storage.url_of("file:///tmp/a.png") == storage.url_of(Path("file:///tmp/a.png"))
    assert storage.url_of("file:///tmp/a.png") == "file:///tmp/a.png"


def test_a_local_copy_loses_what_the_bucket_no_longer_has(tmp_path):
    (folder := tmp_path / "bucket").mkdir()
    (folder / "a").write_text("1")
    (folder / "b").write_text("2")
    mirror = storage.Mirror(folder.as_uri())
    mirror.fetch()
    (folder / "a").unlink()
    mirror.fetch()
    assert [file.name for file in mirror.path.iterdir()] == ["b"]


def test_an_image_of_a_data_set_in_a_bucket_has_its_url(image_folder):
    annotate(image_folder / "images" / "labels.tsv", "a.png\t12")
    url = (image_folder / "images").as_uri()
    (entry,) = find_dataset(url).entries
    assert storage.display_name(entry.file) == f"{url}/a.png"


def test_a_data_set_in_a_bucket_is_that_of_its_folder(image_folder):
    folder = image_folder / "images"
    (folder / "in").mkdir()
    (folder / "b.jpg").rename(folder / "in" / "b.jpg")
    annotate(folder / "labels.tsv", "./a.png\t12", "in/b.jpg\t3", "a.png\t13", "gone.png\t4")
    annotate(folder / "crops.tsv", "a.png\t1,1,9,1,9,9,1,9", "com,ma.png\t1,1,9,1,9,9,1,9")
    annotate(folder / "in" / "crops.tsv", "b.jpg\t2,2,9,2,9,9,2,9")
    url, local = folder.as_uri(), find_dataset(folder)
    found = find_dataset(url)
    assert [row.place for row in found.rows] == [
        row.place.replace(str(folder), url) for row in local.rows
    ]
    assert [row.corners for row in found.entries] == [row.corners for row in local.entries]
    several = [note for note in found.notes if "different labels" in note]
    assert several == [
        note.replace(str(folder), url) for note in local.notes if "different labels" in note
    ]


@pytest.mark.long
def test_a_folder_comes_back_through_faults_file_by_file(faulty, store, tmp_path):
    rng, url = np.random.default_rng(0), f"{faulty}/folder"
    content = {f"{'sub/' * (i % 2)}{i}": rng.bytes(3000 * i) for i in range(12)}
    with storage.output_folder(url) as there:
        (there / "sub").mkdir()
        for name, data in content.items():
            (there / name).write_bytes(data)
    assert storage.list_files(url) == sorted(content)
    storage.download(url, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in content} == content
    mirror = storage.Mirror(url)
    mirror.fetch()
    (mirror.path / "0").unlink()
    (mirror.path / "1").unlink(missing_ok=True)
    mirror.publish()
    assert storage.list_files(url) == sorted(set(content) - {"0"} - {"1"})
    assert all(store[1].met[kind] for kind in ("unavailable", "slow", "cut"))


@pytest.mark.long
def test_an_object_whose_name_leads_out_of_its_folder_is_refused(store, tmp_path):
    system, path = fsspec.core.url_to_fs(f"{store[0]}/evil")
    system.pipe_file(f"{path}/a/../../../outside", b"x")
    with pytest.raises(storage.StorageError, match="points outside the folder; rename it"):
        storage.download(f"{store[0]}/evil", tmp_path / "within" / "folder")
    assert not list(tmp_path.rglob("outside"))


def test_a_store_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(storage, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    S3FileSystem.clear_instance_cache()  # fsspec keeps the connection
    with pytest.raises(storage.StorageError, match=r"s3://none/x: cannot be reached"):
        storage.read("s3://none/x")
    S3FileSystem.clear_instance_cache()


def test_an_unknown_kind_of_store_is_named():
    with pytest.raises(storage.StorageError, match=r"requirements/cloud\.txt"):
        storage.list_files("nosuch://bucket/x")


@pytest.mark.long
def test_training_test_predict_and_export_work_in_a_bucket(
    faulty, labelled_folder, tmp_path, capsys
):
    put(labelled_folder, f"{faulty}/images")
    log = ["--log-path", "None"]
    made = f"{faulty}/set.tfrecords"
    assert run_aocr("dataset", f"{faulty}/images/labels.tsv", made) == 0
    write_labelled(labelled_folder, tmp_path / "set.tfrecords")
    assert storage.read(made) == (tmp_path / "set.tfrecords").read_bytes()
    run = f"{faulty}/run"
    options = ["--head", "ctc", "--dataset", f"{faulty}/images", "--model-dir", run]
    assert run_train(*TINY, *options) == 0
    local = ["--head", "ctc", "--dataset", str(labelled_folder), "--model-dir", str(tmp_path / "r")]
    assert run_train(*TINY, *local) == 0
    assert storage.read(f"{run}/metrics.csv") == (tmp_path / "r" / "metrics.csv").read_bytes()
    files = set(storage.list_files(run))
    assert {"best.keras", "last.keras", "checkpoint.npz", "config.json"} <= files
    assert any(name.startswith("tensorboard/events") for name in storage.list_files(run))
    capsys.readouterr()
    results = ["--output-dir", f"{faulty}/results"]
    assert run_aocr("test", made, "--model-dir", run, *results, *log) == 0
    assert "report.md" in storage.list_files(f"{faulty}/results")
    assert f"Report: {faulty}/results/report.md" in capsys.readouterr().out
    images = f"{faulty}/images"
    assert run_aocr("predict", images, "--model-dir", run, "--format", "tsv") == 0
    there = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert run_aocr("predict", str(labelled_folder), "--model-dir", run, "--format", "tsv") == 0
    here = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[1:] for row in there] == [row[1:] for row in here] and len(here) == 12
    assert there[0][0] == f"{images}/0.png"
    put(labelled_folder, f"{faulty}/exported/1")  # what an earlier version may have left
    arguments = [f"{faulty}/exported", "--model-dir", run, "--format", "savedmodel"]
    assert run_aocr("export", *arguments, *log) == 0
    assert {"1/0.png", "2/saved_model.pb"} <= set(storage.list_files(f"{faulty}/exported"))
    with pytest.raises(ValueError, match="no such file or folder"):
        find_model(f"{faulty}/none.keras")


@pytest.mark.long
def test_an_interrupted_run_in_a_bucket_resumes_elsewhere(faulty, tmp_path):
    url = f"{faulty}/stopped"
    command = [sys.executable, "train.py", *TINY, "--steps", "60", "--model-dir", url]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), stderr=subprocess.PIPE)
    while not storage.is_file(f"{url}/checkpoint.npz"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    with np.load(io.BytesIO(storage.read(f"{url}/checkpoint.npz"))) as saved:
        step = json.loads(str(saved["progress"]))["step"]
    assert step >= 10
    assert run_train(*TINY, "--steps", "60", "--model-dir", url) == 0
    rows = storage.read(f"{url}/metrics.csv").decode().split()[1:]
    assert [row.split(",")[0] for row in rows] == ["10", "20", "30", "40", "50", "60"]


@pytest.mark.long
def test_another_run_moves_one_in_a_bucket_aside(faulty):
    for number in (1, 2, 3):
        folder = RunFolder(f"{faulty}/aside")
        assert folder.open({"seed": number}, resume=number == 1) is None
        folder.close()
    seeds = {name: json.loads(storage.read(f"{faulty}/{name}/config.json"))["seed"]
             for name in ("aside", "aside.1", "aside.2")}  # fmt: skip
    assert seeds == {"aside": 3, "aside.1": 1, "aside.2": 2}
    with pytest.raises(
        TrainError, match=r"--model-dir s3://bucket/aside: holds a run with other options"
    ):
        RunFolder(f"{faulty}/aside").open({"seed": 4}, resume=True)


def test_copies_are_removed_but_for_what_could_not_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_folders", [str(tmp_path)])
    mirrors = [storage.Mirror(f"memory://kept/{name}") for name in "abc"]
    for mirror in mirrors:
        (mirror.path / "file").write_bytes(b"1")
    mirrors[0].publish()

    def fail(*_) -> None:
        raise storage.StorageError("out of reach")

    with monkeypatch.context() as broken:
        broken.setattr(storage, "_with_retries", fail)
        for mirror in mirrors[1:]:
            with pytest.raises(storage.StorageError):
                mirror.publish()
    mirrors[2].publish()  # what was missing is written now
    storage.remove_copies()
    assert [mirror.path.exists() for mirror in mirrors] == [False, True, False]


def test_a_copy_that_was_removed_is_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_folders", [str(tmp_path)])
    with storage.output_folder("memory://served/1") as there:
        (there / "model.json").write_bytes(b"{}")
    copy = storage.local_folder("memory://served/1")
    assert storage.local_folder("memory://served/1") == copy and (copy / "model.json").exists()
    storage.remove_copy(copy)
    assert not copy.exists()
    assert (storage.local_folder("memory://served/1") / "model.json").exists()
    storage.remove_copy(tmp_path)  # no copy: it stays
    assert tmp_path.exists()


@pytest.mark.long
def test_a_server_takes_a_model_and_its_newer_version_from_a_bucket(faulty, exported):
    folder, image = f"{faulty}/served", (TEST_IMAGES / "water_meter.png").read_bytes()

    def publish(version: str) -> None:
        with storage.output_folder(f"{folder}/{version}") as there:
            shutil.copytree(exported / "1", there, dirs_exist_ok=True)

    publish("1")
    with serving(folder) as (process, client):
        assert f"version 1 of {folder}" in process.messages()
        read = client.post("/read", content=image).json()["lines"]
        publish("2")
        until = time.monotonic() + 90
        while client.get("/readyz").json()["version"] != 2:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert client.post("/read", content=image).json()["lines"] == read


def test_a_server_without_its_bucket_keeps_its_model_and_reports_that_once(monkeypatch, caplog):
    gone = storage.StorageError("s3://b/m: cannot be reached")
    looks = iter([gone, gone, None, gone, KeyboardInterrupt()])

    def look(_: Path) -> None:
        if error := next(looks):
            raise error

    monkeypatch.setattr(service, "newest", look)
    monkeypatch.setattr(service, "BUCKET_POLL", 0)
    served = service.Service(ServeOptions(Path("s3://b/m")), model=None)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(served.watch())
    message = "cannot look for newer versions: s3://b/m: cannot be reached"
    assert [record.getMessage() for record in caplog.records] == [message] * 2


@pytest.mark.long
def test_a_server_ignores_incomplete_versions(store):
    for name in ("3/saved_model.pb", "3/assets/model.json", "new/model.json"):
        system, path = fsspec.core.url_to_fs(f"{store[0]}/begun/{name}")
        system.pipe_file(path, b"{}")
    assert newest(Path(f"{store[0]}/begun")) is None
    system.pipe_file(path.replace("new/", "2/"), b"{}")
    assert newest(Path(f"{store[0]}/begun")).name == "2"
