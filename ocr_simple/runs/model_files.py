"""Which file holds the model that is asked for: a shipped name, a file, a URL or a run folder.

The same for a language model, which is a shipped name, a file or a URL.
"""

import os
from pathlib import Path

from ocr_simple import storage
from ocr_simple.spec import INT8, ONNX, STEP

HERE = Path(__file__).resolve().parent.parent.parent
BEST, LAST = "best.keras", "last.keras"  # in a run folder
PRETRAINED = HERE / "pretrained"
TEST_IMAGES = HERE / "inference_test_imgs"
MADE_FONTS = HERE / "fonts" / "made"  # by make fonts


def _shipped_or_file(name: str | os.PathLike, suffix: str) -> Path | None:
    """The file of a shipped model's name, at a URL, or of that name; None if there is none."""
    shipped = PRETRAINED / f"{name}{suffix}"
    if os.path.isfile(shipped) and Path(name).parent == Path():
        return shipped
    url = storage.url_of(name)
    if url and storage.is_file(url):
        return _local_copy(url)
    return Path(name) if os.path.isfile(name) else None


def _local_copy(url: str) -> Path:
    """A copy of a file in a bucket, with the ONNX files beside it."""
    file = storage.local_file(url)
    if file.suffix == ".keras":
        folder = url.rpartition("/")[0]
        names = [file.with_suffix(suffix).name for suffix in (ONNX, INT8, STEP)]
        there = [name for name in names if storage.is_file(f"{folder}/{name}")]
        storage.download(folder, file.parent, there)
    return file


def find_model(model: str | os.PathLike) -> Path:
    """The file of a shipped model's name, a model file, or a run folder's best model.

    A URL is fetched: the file is a local copy. Raises ValueError.
    """
    if file := _shipped_or_file(model, ".keras"):
        if file.suffix == ".onnx":
            raise ValueError(
                f"model {storage.display_name(file)}: is an ONNX file; name the .keras file that "
                "it was made from, or read it with the reader.py of its export"
            )
        return file
    url = storage.url_of(model)
    if os.path.isdir(model) or (url and not url.endswith(".keras")):
        return _best_of_run(Path(model), url)
    known = ", ".join(sorted(path.stem for path in PRETRAINED.glob("*.keras"))) or "none"
    raise ValueError(f"model {os.fspath(model)!r}: no such file or folder; shipped models: {known}")


def find_language_model(name: str | os.PathLike) -> Path:
    """The file of a shipped language model's name, or a file. Raises ValueError.

    A URL is fetched, as by `find_model`.
    """
    if file := _shipped_or_file(name, ".npz"):
        return file
    known = ", ".join(sorted(path.stem for path in PRETRAINED.glob("*.npz"))) or "none"
    raise ValueError(
        f"--language-model {os.fspath(name)}: no such file; shipped language models: {known}"
    )


def _best_of_run(folder: Path, url: str | None) -> Path:
    """The best model of a run folder, or else its last. Raises ValueError."""
    for name in (BEST, LAST):
        if url and storage.is_file(f"{url}/{name}"):
            return _local_copy(f"{url}/{name}")
        if (folder / name).is_file():
            return folder / name
    reason = "holds no model yet; train one with python train.py"
    if not url:
        runs = [path.parent for name in (BEST, LAST) for path in sorted(folder.glob(f"*/{name}"))]
        if inside := [*folder.glob("*.keras"), *runs]:
            reason = f"is no run; name a model in it, such as {min(map(str, inside))}"
    raise ValueError(f"model {storage.display_name(folder)}: {reason}")
