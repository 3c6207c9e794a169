"""The folder of `aocr export --format web`: everything that a browser needs to read.

The page, the model, and onnxruntime-web, which `npm ci` installs beside this file, compressed.
"""

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from aocr import export_files
from aocr.server.pages import HERE as SHARED
from aocr.server.pages import page_text
from ocr_simple import written_files

HERE = Path(__file__).resolve().parent
RUNTIME = HERE / "node_modules" / "onnxruntime-web" / "dist"
PAGES = (HERE / "index.html", HERE / "page.css", SHARED / "results.js")  # they name shared parts
SCRIPTS = ("page.js", "camera.js", "constraint.js", "decode.js", "model.js", "pixels.js")
OFFLINE = "offline.js"


def check_runtime() -> None:
    """Raise ValueError if onnxruntime-web is not installed. The message has the command."""
    if not RUNTIME.is_dir():
        raise ValueError(
            "--format web needs onnxruntime-web; install it with: npm ci --ignore-scripts "
            f"--prefix {os.path.relpath(HERE)}"
        )


def complete(folder: Path, about: dict[str, Any]) -> None:
    """Write everything but the model into a folder that has model.onnx.

    about: the description, which is written too. Raises OSError.
    """
    for file in PAGES:
        (folder / file.name).write_text(page_text(file), encoding="utf-8")
    scripts = {name: HERE / name for name in SCRIPTS} | {
        "onnxruntime.js": RUNTIME / "ort.wasm.bundle.min.mjs",
    }
    for name, file in scripts.items():
        (folder / name).write_bytes(file.read_bytes())
    code = (RUNTIME / "ort-wasm-simd-threaded.wasm").read_bytes()
    (folder / "onnxruntime.wasm.gz").write_bytes(gzip.compress(code, mtime=0))
    (folder / OFFLINE).write_text(_offline(folder, about), encoding="utf-8")
    export_files.describe(folder, about)


def _offline(folder: Path, about: dict[str, Any]) -> str:
    """The service worker, with the names of the files that it keeps and a digest of them."""
    names = sorted(path.name for path in folder.iterdir())
    described = json.dumps(about, sort_keys=True) + written_files.digest(folder)
    version = hashlib.sha256(described.encode()).hexdigest()[:16]
    kept = ["./", *names, export_files.ABOUT]
    script = (HERE / OFFLINE).read_text(encoding="utf-8")
    script = script.replace("/* version */", version)
    return script.replace("/* files */", ", ".join(f'"{name}"' for name in kept))
