"""The command `aocr`: from labelled images to a model, its report, its readings and its exports.

    aocr dataset annotations.txt training.tfrecords     # rows of: path label
    aocr dataset --generate 20000 training.tfrecords    # generated lines instead
    aocr train training.tfrecords                       # into checkpoints/
    aocr test --visualize testing.tfrecords             # report and pictures, into results/
    ls scans/*.png | aocr predict
    aocr export exported --format all                   # SavedModel, ONNX, LiteRT
    aocr serve exported                                 # TensorFlow Serving's REST API
    aocr train --help

Its options have the names of attention-ocr's. Options are parsed, and mistakes answered, before
TensorFlow is imported.
"""

import atexit
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from typing import Any

from aocr.options import (
    AocrTrainOptions,
    DatasetOptions,
    ExportOptions,
    LogOptions,
    PredictOptions,
    ServeOptions,
    TestOptions,
)
from ocr_simple import storage
from ocr_simple.command_line import parse
from ocr_simple.runs.journal import journal

COMMANDS: dict[str, tuple[type, str]] = {  # options, and the module whose `run` takes them
    "dataset": (DatasetOptions, "aocr.dataset"),
    "train": (AocrTrainOptions, "aocr.cli"),
    "test": (TestOptions, "aocr.evaluate"),
    "predict": (PredictOptions, "aocr.predict"),
    "export": (ExportOptions, "aocr.export"),
    "serve": (ServeOptions, "aocr.server.app"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit status: 0 done, 1 with rows left out, 2 not possible."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = next((i for i, word in enumerate(given) if word in COMMANDS), None)
    if place is None:
        return _usage(given)
    name = given.pop(place)  # attention-ocr's global options come before it
    kind, module = COMMANDS[name]
    options = parse(kind, given, prog=f"aocr {name}")
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    warnings.filterwarnings("ignore", module="PIL")  # about files that Pillow reads all the same
    try:
        if isinstance(options, LogOptions):
            _prepare(options)
        run: Callable[[Any, list[str]], int] = importlib.import_module(module).run
        return run(options, ["aocr", name, *given])
    except (ValueError, OSError) as error:
        print(f"aocr: {error}", file=sys.stderr)
        return 2
    except BrokenExecutor:
        print("aocr: a process ended (out of memory?); give fewer --workers", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted", file=sys.stderr)
        return 130


def run(options: AocrTrainOptions, command: list[str]) -> int:
    """`aocr train`: train.py, with the defaults of attention-ocr. Returns the exit status."""
    if not options.gradient_clipping:
        options = replace(options, clip_norm=0.0)
    if options.full_ascii:
        options = replace(options, alphabet="ascii")
    import train

    return train.run(options, command)


def _usage(given: list[str]) -> int:
    """Print the commands: as help, or as what is wrong."""
    asked = bool({"-h", "--help"} & set(given))
    rows = [
        f"  {name:8} {(kind.__doc__ or '').splitlines()[0]}" for name, (kind, _) in COMMANDS.items()
    ]
    text = "\n".join(
        ["usage: aocr COMMAND [OPTIONS]", "", *rows, "", "aocr COMMAND --help lists its options."]
    )
    if asked:
        print(text)
        return 0
    wrong = f"no command {given[0]!r}" if given else "name a command"
    print(f"aocr: {wrong}\n{text}", file=sys.stderr)
    return 2


def _prepare(options: LogOptions) -> None:
    """Choose the GPU and open the log. Raises OSError."""
    if options.gpu_id is not None:  # before TensorFlow or JAX look for them
        os.environ["CUDA_VISIBLE_DEVICES"] = str(options.gpu_id)
    if options.log_path is not None:
        folder = storage.Mirror(options.log_path.parent)
        atexit.register(folder.publish)
        file = folder.path / options.log_path.name
        handler = logging.FileHandler(file, encoding="utf-8", errors="replace")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        for logger in (journal, logging.getLogger("ocr_simple")):
            for earlier in logger.handlers:  # of another command in this process
                earlier.close()
            logger.setLevel(logging.INFO)
            logger.handlers = [handler]


if __name__ == "__main__":
    sys.exit(main())
