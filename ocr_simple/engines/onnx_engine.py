"""A network in ONNX Runtime, from the ONNX file beside a model file; and whether there is one."""

import importlib.util
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ocr_simple import storage
from ocr_simple.cores import usable_cores
from ocr_simple.engines.engine import Engine
from ocr_simple.engines.onnx_file import onnx_of, read_onnx, step_of
from ocr_simple.engines.step_decoder import AFTER, SHOWN, Arrays, StepDecoder
from ocr_simple.network.backend import check_backend
from ocr_simple.options import EngineName
from ocr_simple.spec import ModelSpec, read_spec

log = logging.getLogger("ocr_simple")

MOST_THREADS = 8  # for one batch


def uses_onnx(model: Path, engine: EngineName) -> bool:
    """Whether a model file is read with ONNX Runtime, and not with Keras.

    engine: auto uses its ONNX file where there is one that belongs to it, and warns of one that
    does not. Raises ValueError, which names the fix, if the engine that is asked for, or left,
    cannot read it.
    """
    if engine == "keras":
        check_backend()
        return False
    if reason := why_not_onnx(model):
        if engine == "onnx":
            raise ValueError(f"--engine onnx: {reason}")
        try:
            check_backend()
        except ValueError as error:
            raise ValueError(f"{reason}; or to read with Keras: {error}") from error
        if onnx_of(model).exists():
            log.warning("%s; reading with Keras, which takes seconds to start", reason)
        return False
    return True


def why_not_onnx(model: Path) -> str:
    """Why ONNX Runtime cannot read a model file, with the fix; "" if it can."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "the package onnxruntime is not installed; install requirements/read.txt"
    spec = read_spec(model)
    for file in _files(model, spec):
        name = storage.display_name(file)
        fix = f"write it with: aocr onnx {shlex.quote(storage.display_name(model))}"
        if not file.exists():
            return f"{name}: not there; {fix}"
        try:
            read_onnx(file, model)
        except (ValueError, OSError) as error:
            reason = str(error).removeprefix(f"{file}: ")
            return f"{name}: is not used: {reason}; {fix}"
    return ""


def _files(model: Path, spec: ModelSpec) -> list[Path]:
    """The ONNX files that a model file needs."""
    return [onnx_of(model), *([step_of(model)] if spec.head == "attention" else [])]


class OnnxEngine(Engine):
    """The network of a model file, computed by ONNX Runtime on the CPU."""

    def __init__(self, model: Path, spec: ModelSpec | None = None, threads: int | None = None):
        """model: a model file that `uses_onnx`. threads: for one batch; by default all cores.

        Raises ValueError, OSError.
        """
        self.file, self.spec = model, spec or read_spec(model)
        self.classes = len(self.spec.alphabet) + 1
        self.at_once = threads or min(MOST_THREADS, usable_cores())
        self._onnx = onnx_of(model)
        self._session = _session(self._onnx, model, self.at_once)

    def for_many(self) -> "OnnxEngine":
        """As `Engine.for_many`: one thread for a batch, as most operations are too small for more.

        Raises ValueError, OSError.
        """
        return OnnxEngine(self.file, self.spec, threads=1)

    def run(self, x: Arrays) -> Any:
        """As `Engine.run`. Raises ValueError for a file of another network."""
        if self.spec.head == "ctc":
            (logits,) = self._outputs(x, ("logits",))
            return self._checked(logits)
        logits, attention = self._outputs(x, ("logits", "attention"))
        return {"logits": self._checked(logits), "attention": attention}

    def _outputs(self, x: Arrays, names: Sequence[str]) -> list[np.ndarray]:
        return _run(self._session, self._onnx, x, names)

    def _checked(self, logits: np.ndarray) -> np.ndarray:
        if logits.ndim != 3 or logits.shape[2] != self.classes:
            raise ValueError(_broken(self._onnx, f"its outputs are {logits.shape}"))
        return logits

    def step_decoder(self) -> StepDecoder:
        """As `Engine.step_decoder`. Raises ValueError, OSError."""
        file = step_of(self.file)
        session = _session(file, self.file, self.at_once)
        names = [output.name for output in session.get_outputs()]

        def encode(x: Arrays) -> Arrays:
            return dict(zip(SHOWN, self._outputs(x, SHOWN)))

        def advance(x: Arrays) -> Arrays:
            values = _run(session, file, x, names)
            return {name.removeprefix(AFTER): value for name, value in zip(names, values)}

        return StepDecoder(self.spec, encode, advance)


def _session(file: Path, model: Path, threads: int) -> Any:
    """An ONNX file of a model file, loaded. Raises ValueError, OSError."""
    import onnxruntime

    try:
        content = read_onnx(file, model)
    except ValueError as error:
        raise ValueError(_broken(file, str(error))) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised too
    options.intra_op_num_threads = threads
    # waiting threads would keep the cores busy, and from others
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # of many types
        raise ValueError(_broken(file, _first_line(error))) from error


def _run(session: Any, file: Path, x: Arrays, names: Sequence[str]) -> list[np.ndarray]:
    """The outputs with those names, and no work for others. Raises ValueError."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    try:
        return session.run(list(names), x, options)
    except Exception as error:  # of many types
        raise ValueError(_broken(file, _first_line(error))) from error


def _broken(file: Path, reason: str) -> str:
    return (
        f"{storage.display_name(file)}: cannot be used ({reason}); write it again with aocr onnx, "
        "or read with --engine keras"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
