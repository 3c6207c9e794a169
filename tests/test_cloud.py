"""The job files in cloud/, against the schemas of the services that take them; no cloud is met."""

from ocr_simple.options import TrainOptions
from ocr_simple.runs.cluster import place_in_cluster

import json
import shlex
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import tyro
import yaml


ROOT = Path(__file__).resolve().parent.parent
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
    for resource in yaml.safe_load_all(file.read_text()):
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("file", VERTEX + KUBERNETES, ids=lambda file: file.name)
def test_what_the_machines_run_is_a_command_of_ours(file):
    for container in containers(file):
        command = [*container["command"], *container["args"]]
        if command[0] == "sh":
            last = command[-1].strip().splitlines()[-1]
            command = shlex.split(last.removeprefix("exec "))
        assert command[:2] == ["python", "train.py"]
        assert tyro.cli(TrainOptions, args=command[2:]).steps > 0


def test_each_pod_finds_its_place_in_the_group(monkeypatch):
    """The TF_CONFIG that a pod's shell makes of its index."""
    (container,) = containers(ROOT / "cloud" / "kubernetes_workers.yaml")
    script = container["args"][0].rsplit("exec", 1)[0] + 'printf %s "$TF_CONFIG"'
    for index in range(3):
        environment = {"JOB_COMPLETION_INDEX": str(index)}
        said = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
        monkeypatch.setenv("TF_CONFIG", said.stdout)
        assert place_in_cluster() == (index, 3)


def test_the_chief_of_vertex_ai_is_the_first(monkeypatch):
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1", "d:1"]}
    for kind, index, rank in (("chief", 0, 0), ("worker", 0, 1), ("worker", 2, 3)):
        task = {"type": kind, "index": index}
        given = {"cluster": cluster, "task": task, "environment": "cloud"}
        monkeypatch.setenv("TF_CONFIG", json.dumps(given))
        assert place_in_cluster() == (rank, 4)
