"""The files of an interrupted pipeline: changed ones are named, and no others are touched."""

import json
import os
from pathlib import Path

import pytest

from aocr import beam_parts
from aocr.beam_parts import PipelineError
from ocr_simple.datasets.entries import Entry, Fault

CONVERTED = {
    "labels": ["a"], "sizes": [[3, 4]], "capitalised": 1, "expanded": "",
    "faults": [[0, "a.txt:1", "no image"]],
}  # fmt: skip


def test_what_a_worker_writes_is_read(tmp_path):
    entry, fault = Entry("a:1", "a.png", "one", "a.png"), Fault("a:2", "no image")
    beam_parts.write(tmp_path / "0.json", beam_parts.as_json([entry, fault]))
    assert len(beam_parts.read_items(tmp_path / "0.json", beam_parts.CONVERTED)) == 2
    for result, schema in (
        (CONVERTED, beam_parts.CONVERTED),
        (CONVERTED, beam_parts.DRAWN),
        ({"errors": ["bad"], "unsure": 2}, beam_parts.READ),
        ({"error": "no such font"}, beam_parts.READ),
    ):
        beam_parts.write(tmp_path / "1.json", beam_parts.as_json(result))
        assert beam_parts.read_result(tmp_path / "1.json", schema) == result


@pytest.mark.parametrize("content", ["", "[]", "3", "[" * 100_000, '"text"', "null"])
def test_a_job_of_a_wrong_shape_is_named(tmp_path, content):
    (tmp_path / "job.json").write_text(content)
    message = r"job\.json: (not JSON|is not a JSON object).*; remove the folder, and repeat the com"
    with pytest.raises(PipelineError, match=message):
        beam_parts.read_job(tmp_path / "job.json")


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": "a"}, {"labels": [1]}, {"labels": []}, {"sizes": [[3]]}, {"sizes": [["3", "4"]]},
        {"capitalised": "1"}, {"expanded": None}, {"faults": [["a", "b"]]}, {"faults": 3},
        {"error": 3, "labels": None},
    ],
)  # fmt: skip
def test_a_result_of_a_wrong_shape_is_named(tmp_path, changed):
    (tmp_path / "00000.done.json").write_text(json.dumps(CONVERTED | changed))
    message = r"00000\.done\.json: not the result of a shard; remove the folder"
    with pytest.raises(PipelineError, match=message):
        beam_parts.read_result(tmp_path / "00000.done.json", beam_parts.CONVERTED)


@pytest.mark.parametrize("content", ["{}", "[3]", '[["a"]]', '[["a", 3]]', "[", '[["a","b","c"]]'])
def test_inputs_of_a_wrong_shape_are_named(tmp_path, content):
    (tmp_path / "00000.items.json").write_text(content)
    with pytest.raises(PipelineError, match=r"00000\.items\.json: .*; remove the folder"):
        beam_parts.read_items(tmp_path / "00000.items.json", beam_parts.CONVERTED)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "job.json")
    with pytest.raises(PipelineError, match=r"job\.json: is a folder, pipe or device"):
        beam_parts.read_job(tmp_path / "job.json")


def test_a_folder_with_other_files_is_not_used(tmp_path):
    for name in ("job.json", "00000.items.json", "00012.done.json", ".00000.items.json.9.partial"):
        Path(tmp_path, name).touch()
    beam_parts.check_ours(tmp_path)
    Path(tmp_path, "photo.png").touch()
    with pytest.raises(PipelineError, match=r"photo\.png: is not part of a job; move it out"):
        beam_parts.check_ours(tmp_path)
