"""The command `aocr`: from labelled images to a model, its report, its readings and its exports.

    aocr check my_images/                               # what is in it, and what is odd
    aocr label my_images/                               # type labels on a page, helped by a model
    aocr diagnose my_images/                            # which recipes draw similar lines
    aocr dataset annotations.txt training.tfrecords     # rows of: path label
    aocr dataset --generate 20000 training.tfrecords    # generated lines instead
    aocr train my_images/ --auto                        # from few labels, without choosing
    aocr train training.tfrecords                       # into checkpoints/
    aocr test --visualize testing.tfrecords             # report and pictures, into results/
    ls scans/*.png | aocr predict
    aocr export exported --format all                   # SavedModel, ONNX, LiteRT
    aocr export exported --format web                   # a page that reads in the browser
    aocr onnx checkpoints/mine                          # then reading it needs no TensorFlow
    aocr serve --model checkpoints/mine                 # TensorFlow Serving's REST API
    aocr train --help

Its options have the names of attention-ocr's. Each command is a module whose `run` reports missing
files and other mistakes before it imports TensorFlow.
"""

import atexit
import difflib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from aocr.options import (
    AocrTrainOptions,
    CheckOptions,
    DatasetOptions,
    DiagnoseOptions,
    ExportOptions,
    LabelPageOptions,
    LogOptions,
    OnnxOptions,
    PredictOptions,
    ServeOptions,
    TestOptions,
)
from ocr_simple import interrupts, storage
from ocr_simple.command_line import (
    MessageFormatter,
    discard_output,
    parse,
    say,
    start_logging,
)
from ocr_simple.network.backend import check_backend, is_out_of_memory
from ocr_simple.runs.journal import journal

COMMANDS: dict[str, tuple[type, str]] = {  # options, and the module whose `run` takes them
    "check": (CheckOptions, "aocr.check"),
    "label": (LabelPageOptions, "aocr.label.app"),
    "diagnose": (DiagnoseOptions, "aocr.diagnose_command"),
    "dataset": (DatasetOptions, "aocr.dataset"),
    "train": (AocrTrainOptions, "aocr.train"),
    "test": (TestOptions, "aocr.evaluate"),
    "predict": (PredictOptions, "aocr.predict"),
    "export": (ExportOptions, "aocr.export"),
    "onnx": (OnnxOptions, "aocr.onnx"),
    "serve": (ServeOptions, "aocr.server.app"),
}

WITH_KERAS = ("diagnose", "train", "export", "onnx")  # the others check it where they need it


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit status.

    0: done. 1: some inputs were left out. 2: not possible. 130: interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = next((i for i, word in enumerate(given) if word in COMMANDS), None)
    if place is None:
        return _no_command(given)
    name = given.pop(place)  # options may precede it, as in attention-ocr
    kind, module = COMMANDS[name]
    options: Any = parse(kind, given, prog=f"aocr {name}")
    start_logging(logging.INFO)
    warnings.filterwarnings("ignore", module="PIL")  # about files that Pillow reads all the same
    try:
        if isinstance(options, LogOptions):
            _choose_gpu(options.gpu_id)
            _open_log(options.log_path)
        if name in WITH_KERAS:
            check_backend()
        run = _import_run(name, module)
        with interrupts.working():
            status = run(options, ["aocr", name, *given])
            sys.stdout.flush()  # here, so that a closed pipe raises BrokenPipeError inside the try
            return status
    except BrokenPipeError:  # `| head` is done
        discard_output()
        return 0
    except (ValueError, OSError) as error:
        say(f"aocr: {error}", sys.stderr)
        return 2
    except BrokenExecutor:
        print(
            "aocr: a worker process ended (out of memory?); give fewer --workers", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        print("Interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print("aocr: not enough memory; close other programs", file=sys.stderr)
        return 2


def _import_run(name: str, module: str) -> Callable[[Any, list[str]], int]:
    """What runs a command. Raises ValueError if only requirements/read.txt is installed."""
    try:
        return importlib.import_module(module).run
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{name} needs the package {error.name}, which is not installed; install "
            "requirements.txt"
        ) from error


def _no_command(given: list[str]) -> int:
    """Print the list of commands, if it was asked for, or what is wrong. Returns the status."""
    rows = [
        f"  {name:8} {(kind.__doc__ or '').splitlines()[0]}" for name, (kind, _) in COMMANDS.items()
    ]
    ending = "aocr COMMAND --help lists the options of a command."
    usage = "\n".join(["usage: aocr COMMAND [OPTIONS]", "", *rows, "", ending])
    if given and given[0] in ("-h", "--help", "--help-all"):
        try:
            print(usage, flush=True)
        except BrokenPipeError:  # `| head` is done
            discard_output()
        return 0
    wrong = "name a command"
    if given and not given[0].startswith("-"):
        close = difflib.get_close_matches(given[0], COMMANDS, 1)
        wrong = f"no command {given[0]!r}" + (f"; did you mean {close[0]}?" if close else "")
    print(f"aocr: {wrong}\n\n{usage}", file=sys.stderr)
    return 2


def _choose_gpu(number: int | None) -> None:
    """Hide all GPUs but one from TensorFlow and JAX, which are not imported yet."""
    if number is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(number)


def _open_log(path: Path | None) -> None:
    """Also write messages to a file. Raises ValueError."""
    if path is None:
        return
    folder = storage.Mirror(path.parent)
    atexit.register(folder.publish)
    try:
        handler = logging.FileHandler(folder.path / path.name, encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueError(
            f"--log-path {path}: cannot be written ({error.strerror}); name another file"
        ) from error
    handler.setFormatter(MessageFormatter("%(asctime)s %(message)s"))
    for logger in (journal, logging.getLogger("ocr_simple")):
        for earlier in logger.handlers:  # of another command in this process
            earlier.close()
        logger.setLevel(logging.INFO)
        logger.handlers = [handler]


if __name__ == "__main__":
    sys.exit(main())
