"""The folder of `aocr export --format web`, without a browser. test_web_page.py opens it in one."""

import json
import re

import pytest

from aocr import export_files
from aocr.web import folder as web_folder

ABOUT = {"made_from": "m.keras", "alphabet": "0123456789"}


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Small files in the place of onnxruntime-web."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        (folder / name).write_text(name)
    monkeypatch.setattr(web_folder, "RUNTIME", folder)


def write(folder, model=b"model", about=ABOUT):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    web_folder.complete(folder, about)
    return folder


def test_without_the_runtime_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(web_folder, "RUNTIME", tmp_path / "none")
    with pytest.raises(ValueError, match=r"npm ci --ignore-scripts --prefix .*web"):
        web_folder.check_runtime()


def test_every_file_that_a_page_names_is_in_the_folder(tmp_path, runtime):
    folder = write(tmp_path / "web")
    names = {file.name for file in folder.iterdir()}
    for file in folder.iterdir():
        text = file.read_bytes().decode("utf-8", errors="replace")
        named = re.findall(r'(?:from|src=|href=|content\(|register\() ?"(?:\./)?([\w.]+)"', text)
        assert set(named) <= names, file.name
        assert "://" not in text.replace("tr9/", "").replace("https://unicode.org", "")


def test_the_service_worker_keeps_every_file_but_itself(tmp_path, runtime):
    folder = write(tmp_path / "web")
    kept = json.loads(re.search(r"FILES = (\[.*\])", (folder / "offline.js").read_text())[1])
    assert {*kept, "offline.js"} == {"./", *(file.name for file in folder.iterdir())}


def test_another_model_or_description_has_another_cache(tmp_path, runtime):
    versions = {
        re.search(r'VERSION = "(\w+)"', (folder / "offline.js").read_text())[1]
        for folder in (
            write(tmp_path / "1" / "web"),
            write(tmp_path / "same" / "web"),
            write(tmp_path / "2" / "web", model=b"another"),
            write(tmp_path / "3" / "web", about=ABOUT | {"alphabet": "ab"}),
        )
    }
    assert len(versions) == 3


def test_the_folder_is_replaced_unless_it_was_changed(tmp_path, runtime):
    folder = write(tmp_path / "web")
    export_files.check_replaceable(tmp_path, ["web"])
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="not overwritten"):
        export_files.check_replaceable(tmp_path, ["web"])
