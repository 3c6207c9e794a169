"""The job files in cloud/, against the schemas of the services that run them; offline."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from support.commands import ROOT

from ocr_simple.command_line import parse
from ocr_simple.options import TrainOptions
from ocr_simple.runs.cluster import place_in_cluster

VERTEX = sorted((ROOT / "cloud").glob("vertex_*.yaml"))
KUBERNETES = sorted((ROOT / "cloud").glob("kubernetes*.yaml"))


def containers(file: Path) -> list[dict]:
    """What each kind of machine runs."""
    if file in VERTEX:
        return [p["containerSpec"] for p in yaml.safe_load(file.read_text())["workerPoolSpecs"]]
    jobs = [x for x in yaml.safe_load_all(file.read_text()) if x["kind"] == "Job"]
    return [c for job in jobs for c in job["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize("file", VERTEX, ids=lambda file: file.name)
def test_vertex_ai_knows_every_field(file):
    types = pytest.importorskip(
        "google.cloud.aiplatform_v1.types", reason="requirements/cloud.txt is not installed"
    )
    types.CustomJobSpec.from_json(json.dumps(yaml.safe_load(file.read_text())))


@pytest.mark.parametrize("file", KUBERNETES, ids=lambda file: file.name)
def test_kubernetes_knows_every_field(file):
    import kubernetes_validate  # takes seconds

    for resource in yaml.safe_load_all(file.read_text()):
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("file", VERTEX + KUBERNETES, ids=lambda file: file.name)
def test_each_machine_runs_train_py_with_options_that_it_has(file):
    for container in containers(file):
        command = [*container["command"], *container["args"]]
        if command[0] == "sh":
            last = command[-1].strip().splitlines()[-1]
            command = shlex.split(last.removeprefix("exec "))
        assert command[:2] == ["python", "train.py"]
        assert parse(TrainOptions, command[2:]).steps > 0


def test_each_pod_finds_its_place_in_the_cluster(monkeypatch):
    """By the TF_CONFIG that its shell makes from its index."""
    (container,) = containers(ROOT / "cloud" / "kubernetes_workers.yaml")
    script = container["args"][0].rsplit("exec", 1)[0] + 'printf %s "$TF_CONFIG"'
    for index in range(3):
        environment = {"JOB_COMPLETION_INDEX": str(index)}
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
        monkeypatch.setenv("TF_CONFIG", done.stdout)
        assert place_in_cluster() == (index, 3)


def test_the_chief_of_vertex_ai_is_the_first(monkeypatch):
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1", "d:1"]}
    for kind, index, rank in (("chief", 0, 0), ("worker", 0, 1), ("worker", 2, 3)):
        task = {"type": kind, "index": index}
        given = {"cluster": cluster, "task": task, "environment": "cloud"}
        monkeypatch.setenv("TF_CONFIG", json.dumps(given))
        assert place_in_cluster() == (rank, 4)
