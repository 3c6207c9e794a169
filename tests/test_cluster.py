"""Several devices, or processes, train one model as one would; none waits for a lost one."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.bucket import Faults, bucket
from support.cluster import config, start
from support.commands import ROOT
from support.in_process import run_train

from ocr_simple import storage
from ocr_simple.datasets.tfrecords import write_labelled
from ocr_simple.runs.cluster import Cluster, ClusterError

FEW = ["--steps", "6", "--interval", "2"]  # roundings grow: to 0.07 % of the loss in 12 steps
TINY = shlex.split(
    "--rnn-units 8 --batch-size 6 --max-length 3 --warmup 2 --validation-lines 8 "
    "--steps 30 --interval 10 --mixed-precision off --workers 0"
)
ON_TWO_DEVICES = """
import runpy, sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
runpy.run_path("train.py", run_name="__main__")
"""
ON_JAX = """
import runpy, sys
import jax

split, parts = jax.make_array_from_process_local_data, set()

def counted(layout, batch):
    array = split(layout, batch)
    if array is not None:
        parts.add(len({str(shard.index) for shard in array.addressable_shards}))
    return array

jax.make_array_from_process_local_data = counted
try:
    runpy.run_path("train.py", run_name="__main__")
finally:
    print("parts of a batch:", *parts)
"""


def metrics(folder: Path) -> np.ndarray:
    rows = (folder / "metrics.csv").read_text().split()[1:]
    return np.array([row.split(",") for row in rows], float)


def end(processes) -> list[str]:
    """The standard error of each process, after all have ended."""
    return [process.communicate(timeout=300)[1] for process in processes]


def started(folder: Path, count: int, *options: str):
    """The processes of a cluster, after their run has written a checkpoint."""
    before = time.time()
    cluster = start(count, *TINY, "--model-dir", str(folder), *options, stderr=subprocess.PIPE)
    checkpoint = folder / "checkpoint.npz"
    while not checkpoint.exists() or checkpoint.stat().st_mtime < before:
        assert all(process.poll() is None for process in cluster), end(cluster)
        time.sleep(0.02)
    return cluster


@pytest.fixture(params=["ctc", "attention"])
def options(request, labelled_folder, tmp_path):
    """Options of a run with each head; the second is on TFRecords too."""
    if request.param == "ctc":
        return ["--head", "ctc"]
    write_labelled(labelled_folder, tmp_path / "set.tfrecords")
    data = ["--dataset", str(tmp_path / "set.tfrecords"), "--mix-generated", "0.5"]
    return ["--head", "attention", *data]


@pytest.mark.long
def test_two_processes_learn_what_one_does(options, tmp_path):
    command = [*TINY, *FEW, *options, "--model-dir", str(tmp_path / "two")]
    cluster = start(2, *command, stderr=subprocess.PIPE)
    errors = end(cluster)
    assert [process.returncode for process in cluster] == [0, 0], errors
    alone = [*TINY, *FEW, *options, "--shares", "2", "--model-dir", str(tmp_path / "one")]
    assert run_train(*alone) == 0
    assert np.allclose(metrics(tmp_path / "one"), metrics(tmp_path / "two"), rtol=1e-3, atol=0)


@pytest.mark.long
def test_two_devices_learn_what_one_does(tmp_path):
    run = [*TINY, *FEW, "--model-dir"]
    command = [sys.executable, "-c", ON_TWO_DEVICES, *run, str(tmp_path / "two")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "Device: cpu:0, cpu:1" in done.stderr, done.stderr
    assert run_train(*run, str(tmp_path / "one")) == 0
    assert np.allclose(metrics(tmp_path / "one"), metrics(tmp_path / "two"), rtol=1e-3, atol=0)


@pytest.mark.long
def test_two_devices_on_jax_learn_what_one_does(tmp_path):
    pytest.importorskip("jax")
    few = ["--max-length", "1", "--steps", "4", "--interval", "2"]  # shapes to compile
    for count in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", ON_JAX, *TINY, *few, "--model-dir", str(tmp_path / str(count))],
            cwd=ROOT,
            env=os.environ
            | {
                "KERAS_BACKEND": "jax",
                "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
                "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("parts of a batch: 2\n")
    assert np.allclose(metrics(tmp_path / "1"), metrics(tmp_path / "2"), rtol=1e-3, atol=0)


@pytest.mark.long
def test_a_cluster_ends_with_a_killed_process_and_resumes_in_any_number(tmp_path):
    long = ("--steps", "2000", "--patience", "0")
    for victim, count in ((1, 2), (0, 3)):
        cluster = started(tmp_path / "run", count, *long)
        cluster[victim].kill()
        killed = time.monotonic()
        errors = end(cluster)
        assert time.monotonic() - killed < 60, "the others wait for it"
        codes = [process.returncode for process in cluster]
        assert codes.pop(victim) == -signal.SIGKILL and 0 not in codes, errors
    step = int(metrics(tmp_path / "run")[-1, 0])
    more = ["--steps", str(step + 10), "--patience", "0", "--model-dir", str(tmp_path / "run")]
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps(config | {"steps": step + 10}))
    assert run_train(*TINY, *more) == 0
    assert metrics(tmp_path / "run")[:, 0].tolist() == list(range(10, step + 11, 10))


@pytest.mark.long
def test_a_cluster_of_which_one_is_interrupted_saves_and_ends(tmp_path):
    cluster = started(tmp_path / "run", 2, "--steps", "2000", "--patience", "0")
    cluster[1].send_signal(signal.SIGTERM)
    errors = end(cluster)
    assert [process.returncode for process in cluster] == [130, 130], errors
    with np.load(tmp_path / "run" / "checkpoint.npz") as saved:
        step = json.loads(str(saved["progress"]))["step"]
    assert metrics(tmp_path / "run")[-1, 0] <= step < 2000


@pytest.mark.long
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_whose_others_do_not_start_ends(rank, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    addresses = [address, "127.0.0.1:1"] if rank == 0 else ["127.0.0.1:1", address]
    done = subprocess.run(
        [sys.executable, "train.py", *TINY, "--model-dir", str(tmp_path / "run")],
        cwd=ROOT,
        env=os.environ | {"TF_CONFIG": config(addresses, rank), "OCR_START_LIMIT": "2"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert "Waiting up to 2 s for the other processes of TF_CONFIG" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "It must look like"),
        ('{"cluster": {"ps": ["a:1"]}}', "task type ps is not supported; use chief and worker"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "not in list"),
        ('{"cluster": {"worker": ["a:1"]}}', "'type'"),
    ],
)
def test_a_wrong_tf_config_is_an_error_that_names_the_fault(given, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", given)
    with pytest.raises(ClusterError, match=message):
        Cluster()


@pytest.mark.parametrize("limit", ["abc", "0", "-1", "nan"])
def test_a_start_limit_that_is_no_number_of_seconds_is_named(limit, monkeypatch):
    addresses = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
    monkeypatch.setenv("TF_CONFIG", addresses)
    monkeypatch.setenv("OCR_START_LIMIT", limit)
    with pytest.raises(ClusterError, match=f"OCR_START_LIMIT={limit}: give a number"):
        Cluster()


def test_a_batch_that_cannot_be_split_evenly_is_an_error(tmp_path, capsys):
    options = ("--batch-size", "5", "--shares", "2")
    assert run_train(*TINY, *options, "--model-dir", str(tmp_path / "run")) == 2
    assert "give a multiple of the 2 shares, such as 6" in capsys.readouterr().err
    assert not (tmp_path / "run").exists() or not os.listdir(tmp_path / "run")


@pytest.mark.long
def test_a_cluster_whose_run_is_in_a_bucket_resumes_in_another_number(tmp_path):
    with bucket(Faults()) as url:
        for count, steps in ((2, "20"), (1, "30")):
            options = [*TINY, "--steps", steps, "--model-dir", f"{url}/run"]
            cluster = start(count, *options, stderr=subprocess.PIPE)
            errors = end(cluster)
            assert [process.returncode for process in cluster] == [0] * count, errors
        rows = storage.read(f"{url}/run/metrics.csv").decode().split()[1:]
        assert [row.split(",")[0] for row in rows] == ["10", "20", "30"]
