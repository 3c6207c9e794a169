"""What parses, draws, checks or reports imports neither Keras nor TensorFlow."""

import importlib.util
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.commands import ROOT, python
from support.lines import FONTS
from support.probe import imported, peak_memory

from ocr_simple.datasets.prefetch import Prefetcher
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.network import backend
from ocr_simple.options import LineOptions
from ocr_simple.runs.model_files import TEST_IMAGES
from ocr_simple.spec import ModelSpec

# They define subclasses of Keras's classes, which Python needs to make the class.
OF_KERAS = {f"ocr_simple.network.{name}" for name in ("attention", "layers", "schedule")}
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for file in (ROOT / "ocr_simple").rglob("*.py")
}
IMPORT_EACH = """
import importlib, json, sys
from support.probe import imported
found = {}
for name in sys.argv[1:]:
    before = imported()
    importlib.import_module(name)
    found[name] = sorted(set(imported()) - set(before))
print(json.dumps(found))
"""
COMMANDS = ("label", "dataset", "train", "test", "predict", "export", "onnx", "serve")
IMAGE = ("inference_test_imgs/water_meter.png",)
MEMORY = 175  # MB, of a process that draws


def test_the_parts_import_neither_keras_nor_tensorflow():
    assert MODULES >= OF_KERAS
    done = python(
        "-c", IMPORT_EACH, *sorted(MODULES - OF_KERAS), PYTHONPATH=f"{ROOT}:{ROOT / 'tests'}"
    )
    assert done.returncode == 0, done.stderr
    assert not {name: new for name, new in json.loads(done.stdout).items() if new}


def test_keras_is_imported_without_what_is_not_used_here():
    program = (
        "import sys\n"
        "from ocr_simple.network.backend import EXTRAS, keras\n"
        "keras.ops\n"
        "assert not sys.modules.keys() & set(EXTRAS), 'imported with Keras'\n"
        "import matplotlib.pyplot"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr


def test_what_is_hidden_from_keras_is_not_hidden_from_other_threads(monkeypatch):
    monkeypatch.setattr(backend, "EXTRAS", ("this",))
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with backend.without_extras():
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("this")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(importlib.util.find_spec, "this").result()
    assert importlib.util.find_spec("this")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
def test_a_process_that_draws_lines_is_small():
    options = LineOptions(alphabet="ascii", text_source="mixed", words=3, recipe=("mixed",))
    spec = ModelSpec(options.parsed_alphabet().characters)
    lines = Lines(options, spec, FONTS + find_fonts(("matplotlib",)))
    with Prefetcher(lines, 32, workers=1) as prefetcher:
        for _ in prefetcher.batches(0, 64):
            pass
        libraries = prefetcher._pool.submit(imported).result()
        memory = prefetcher._pool.submit(peak_memory).result()
    assert libraries == []
    assert memory <= MEMORY


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory):
    """A folder of packages that note that they were imported, and fail."""
    folder = tmp_path_factory.mktemp("poisoned")
    for name in ("keras", "tensorflow"):
        (folder / f"{name}.py").write_text(
            "import pathlib\n"
            "pathlib.Path(__file__).with_suffix('.imported').touch()\n"
            "raise ImportError('imported')\n"
        )
    return folder


@pytest.mark.parametrize(
    ("command", "status", "output"),
    [
        (["train.py", "--help"], 0, "usage: train.py"),
        (["train.py", "--help-all"], 0, "usage: train.py"),
        (["train.py", "--steps", "0"], 2, "steps 0: give"),
        (["inference.py", "--help"], 0, "usage: inference.py"),
        (["inference.py", "no_such.png"], 2, "no_such.png: no such file"),
        (["inference.py", *IMAGE], 0, "00483617"),
        (["-m", "aocr", "predict", *IMAGE, "--model", "digits"], 0, "00483617"),
        (["inference.py", "--model", "no_such"], 2, "no such file or folder"),
        (["-m", "aocr", "--help"], 0, "usage: aocr"),
        *((["-m", "aocr", name, "--help"], 0, f"usage: aocr {name}") for name in COMMANDS),
        (["-m", "aocr", "dataset", "no_such.txt"], 2, "no_such.txt"),
        (["-m", "aocr", "label", "no_such/"], 2, "no_such: no such folder"),
        (["-m", "aocr", "train", "no_such/"], 2, "no_such/: no data set"),
        (["-m", "aocr", "test", "no_such.tsv", "--model", "text"], 2, "no_such.tsv: no"),
        (["-m", "aocr", "test", "x", "--model", "no_such"], 2, "no such file or folder"),
        (["-m", "aocr", "predict", "no_such.png", "--model", "text"], 2, "no_such.png: no such"),
        (["-m", "aocr", "export", "--model", "no_such"], 2, "no such file or folder"),
        (["-m", "aocr", "serve", "no_such"], 2, "no_such: holds no SavedModel"),
        (["-m", "aocr", "serve", "no such"], 2, "write one with: aocr export 'no such'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_and_mistakes_are_answered_without_tensorflow(command, status, output, poisoned):
    done = python(*command, PYTHONPATH=str(poisoned))
    assert not list(Path(poisoned).glob("*.imported")), f"{command} imports them"
    assert done.returncode == status, done.stderr
    assert output in done.stdout + done.stderr


def test_a_model_that_onnx_runtime_reads_is_tested_without_tensorflow(poisoned, tmp_path):
    report = tmp_path / "results" / "report.md"
    options = ("--model", "digits", "--output-dir", str(report.parent))
    done = python("-m", "aocr", "test", str(TEST_IMAGES), *options, PYTHONPATH=str(poisoned))
    assert done.returncode == 0, done.stderr
    assert not list(Path(poisoned).glob("*.imported")) and "mean loss" in report.read_text()
