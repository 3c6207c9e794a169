"""The notebook runs from top to bottom, and what is committed is the output of such a run."""

import ast
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "ocr_simple.ipynb"
SHIPPED = ROOT / "pretrained" / "digits.keras"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook):
    """What each output says in words."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            yield output.get("text", "") + output.get("data", {}).get("text/plain", "")


def pictures(notebook):
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_notebook_is_valid_and_holds_no_logic(notebook):
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        python = TransformerManager().transform_cell(cell.source)  # without ! and %
        for node in ast.walk(ast.parse(python)):
            assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.While, ast.Try))


def test_committed_outputs_are_those_of_a_whole_run(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert pictures(notebook) >= 12
    said = "\n".join(texts(notebook))
    assert "validation: exact" in said and "images exactly" in said
    assert not re.search(r"(?<![\w.])/\w+/|[A-Z]:\\|site-packages", said)
    assert not re.search(r"(?i)traceback|warning|tensorflow|oneDNN|absl|cuda", said)


@pytest.mark.slow
def test_notebook_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    if not SHIPPED.is_file():
        pytest.skip("pretrained/digits.keras is not there")
    for path in [*ROOT.glob("*.py"), NOTEBOOK]:
        shutil.copy(path, tmp_path)
    for folder in ("pretrained", "inference_test_imgs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.setenv("OCR_SIMPLE_NOTEBOOK_STEPS", "2")
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()  # raises CellExecutionError for a cell that fails

    assert (tmp_path / "checkpoints" / "notebook" / "best.keras").is_file()
    said = "\n".join(texts(notebook))
    assert "step 2: loss" in said and "images exactly" in said
    assert pictures(notebook) >= 12
