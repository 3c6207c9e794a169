"""A network in ONNX Runtime, from the ONNX file beside a model file; and whether there is one."""

import importlib.util
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ocr_simple import storage
from ocr_simple.cores import usable_cores
from ocr_simple.engines.engine import Engine
from ocr_simple.engines.onnx_file import int8_of, onnx_of, read_onnx, step_of
from ocr_simple.engines.step_decoder import AFTER, SHOWN, Arrays, StepDecoder
from ocr_simple.messages import reason_of
from ocr_simple.network.backend import check_backend
from ocr_simple.options import EngineName
from ocr_simple.spec import ModelSpec, read_spec

logger = logging.getLogger("ocr_simple")

MOST_THREADS = 8  # for one batch


def resolve_engine(model: Path, engine: EngineName) -> Literal["onnx", "int8", "keras"]:
    """What a model file is read with.

    engine: auto is onnx where there is an ONNX file that belongs to the model, and warns of one
    that does not. Raises ValueError, which names the fix, if the engine that is asked for, or left,
    cannot read it.
    """
    if engine == "keras":
        check_backend()
        return "keras"
    if reason := why_not_onnx(model, engine == "int8"):
        if engine != "auto":
            raise ValueError(f"--engine {engine}: {reason}")
        try:
            check_backend()
        except ValueError as error:
            raise ValueError(f"{reason}. To read with Keras instead: {error}") from error
        if onnx_of(model).exists():
            logger.warning("%s; reading with Keras, which takes seconds to start", reason)
        return "keras"
    return "int8" if engine == "int8" else "onnx"


def why_not_onnx(model: Path, int8: bool = False) -> str:
    """Why ONNX Runtime cannot read a model file, with the fix; "" if it can. int8: in 8 bits."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "the package onnxruntime is not installed; install requirements/read.txt"
    command = "aocr onnx --int8" if int8 else "aocr onnx"
    fix = f"write it with: {command} {shlex.quote(storage.display_name(model))}"
    for file in _files(model, read_spec(model), int8):
        name = storage.display_name(file)
        if not file.exists():
            return f"{name}: is missing; {fix}"
        try:
            read_onnx(file, model)
        except (ValueError, OSError) as error:
            reason = str(error).removeprefix(f"{file}: ")
            return f"{name}: is not used: {reason}; {fix}"
    return ""


def _files(model: Path, spec: ModelSpec, int8: bool) -> list[Path]:
    """The ONNX files that a model file is read with."""
    network = int8_of(model) if int8 else onnx_of(model)
    return [network, *([step_of(model)] if spec.head == "attention" else [])]


class OnnxEngine(Engine):
    """The network of a model file, computed by ONNX Runtime on the CPU."""

    def __init__(
        self,
        model: Path,
        spec: ModelSpec | None = None,
        threads: int | None = None,
        int8: bool = False,
    ):
        """model: a model file for which `why_not_onnx` finds no reason. threads: for one batch; by
        default all cores. int8: in 8 bits.

        Raises ValueError, OSError.
        """
        self.file, self.spec = model, spec or read_spec(model)
        self.classes = len(self.spec.alphabet) + 1
        self.at_once = threads or min(MOST_THREADS, usable_cores())
        self._onnx, self._int8 = int8_of(model) if int8 else onnx_of(model), int8
        self._session = _session(self._onnx, model, self.at_once)

    def for_many(self) -> "OnnxEngine":
        """As `Engine.for_many`: one thread for a batch, as most operations are too small for more.

        Raises ValueError, OSError.
        """
        return OnnxEngine(self.file, self.spec, threads=1, int8=self._int8)

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
        raise ValueError(_broken(file, reason_of(error))) from error


def _run(session: Any, file: Path, x: Arrays, names: Sequence[str]) -> list[np.ndarray]:
    """The outputs with those names, and no work for others. Raises ValueError."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    try:
        return session.run(list(names), x, options)
    except Exception as error:  # of many types
        raise ValueError(_broken(file, reason_of(error))) from error


def _broken(file: Path, reason: str) -> str:
    return (
        f"{storage.display_name(file)}: cannot be used ({reason}); write it again with aocr onnx, "
        "or read with --engine keras"
    )
