"""`aocr serve`: TensorFlow Serving's REST API, plain uploads, and a page to drop images on.

    aocr serve                                            # digits, at http://127.0.0.1:8501
    aocr serve --model checkpoints/mine
    aocr serve exported                                   # SavedModels by version
    curl -F image=@photo.png http://127.0.0.1:8501/read

A model file is read by `Recognizer`, with ONNX Runtime if it has an ONNX file. A folder, local or
in a bucket, holds SavedModels by version, as `aocr export` writes them. The newest version is
served; a newer one is loaded while requests are answered.
"""

import logging
import os
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aocr.options import DEFAULT_MODEL, ServeOptions
from aocr.server import routes
from aocr.server.connections import (
    Listener,
    Server,
    config_of,
    connections_that_fit,
    ignore_signals,
    listen,
)
from aocr.server.engine_model import AnyModel, EngineModel
from aocr.server.failures import FailureMiddleware
from aocr.server.hosts import LOOPBACK, HostMiddleware, allowed_hosts
from aocr.server.limits import LimitsMiddleware
from aocr.server.served_model import ServedModel
from aocr.server.service import Service
from aocr.server.versions import newest
from ocr_simple import interrupts, storage
from ocr_simple.command_line import say
from ocr_simple.decoding.constraints import load_constraint
from ocr_simple.engines.onnx_engine import resolve_engine
from ocr_simple.messages import shortened
from ocr_simple.network.backend import check_backend
from ocr_simple.runs import devices
from ocr_simple.runs.model_files import find_model
from ocr_simple.spec import read_spec
from ocr_simple.text import Alphabet

ERROR = {"content": {"application/json": {"schema": {
    "type": "object", "required": ["error"], "properties": {"error": {"type": "string"}},
}}}}  # fmt: skip
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"description": description, **ERROR}
    for code, description in (
        (400, "The request or an image cannot be used, or the Host header names another server"),
        (401, "The token is missing or wrong"),
        (403, "A page of another site sent the request"),
        (404, "No such model or version"),
        (408, "The request did not arrive in time"),
        (413, "Too many bytes, images, pixels or columns"),
        (429, "The queue is full; try again later"),
        (503, "Too many connections, bytes or images that take long to decode; try again later"),
        (504, "Reading took too long"),
    )
}


def application(service: Service) -> FastAPI:
    """The server's application."""
    app = FastAPI(
        title="ocr_simple", description="Reads one line of text in each image.",
        lifespan=service.running, responses=ERRORS, openapi_url=None, docs_url=None,
        redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.service = service
    options = service.options
    app.add_middleware(HostMiddleware, allowed=allowed_hosts(options.host, options.allowed_host))
    app.add_middleware(LimitsMiddleware, service=service)
    app.add_middleware(FailureMiddleware)  # around the others
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.include_router(routes.public)
    app.include_router(routes.guarded)
    return app


async def on_http_error(_: Request, error: Any) -> Response:
    """Answer with the status and message of an HTTPException."""
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def on_invalid_request(_: Request, error: Any) -> Response:
    """Answer with what is wrong with the parameters of a request."""
    message = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return JSONResponse({"error": shortened(message)}, 400)


def run(options: ServeOptions, _: list[str]) -> int:
    """Serve until the process is asked to stop. Returns the exit status.

    Raises ValueError, before TensorFlow is imported, for a folder without a model, and OSError.
    """
    options, found = find_served(options)
    options = replace(options, token=options.token or os.environ.get("OCR_TOKEN", ""))
    check_token(options.token)
    allowed_hosts(options.host, options.allowed_host)  # an error comes before a model is loaded
    most = connections_that_fit(options.max_connections)
    # any client can cause its messages, of any length
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    listening = Listener(listen(options.host, options.port), most)
    app = application(Service(options, load_served(options, found)))
    server = Server(config_of(app), options.timeout, options.grace)
    listening.server = server
    host, port = listening.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    where = storage.display_name(options.folder or found)
    version = f"version {found.name} of " if options.folder else ""
    say(f"Serving {version}{where} at http://{address}", sys.stderr)
    if most < options.max_connections:
        limit = "raise the limit of open files (ulimit -n)"
        print(f"Warning: only {most} connections are possible; {limit}", file=sys.stderr)
    if options.host not in LOOPBACK and not options.token:
        print(
            "Warning: anyone who can reach this machine can use the server. Set OCR_TOKEN to "
            "require a token",
            file=sys.stderr,
        )
    ignore_signals()
    server.run(sockets=[listening])
    storage.remove_copies()
    interrupts.end_command(0)  # at once: TensorFlow would take seconds to tidy up
    return 0


def find_served(options: ServeOptions) -> tuple[ServeOptions, Path]:
    """(the options, with the folder of SavedModels if one is named; the version or model file).

    Raises ValueError for what is not there, and OSError.
    """
    if options.folder is not None and options.model is not None:
        raise ValueError(f"DIR {options.folder} and --model {options.model}: give one of them")
    folder = options.folder
    if options.model is not None and newest(Path(options.model)):
        folder = Path(options.model)
    if folder is None:
        file = find_model(options.model or DEFAULT_MODEL)
        resolve_engine(file, options.engine)  # reports what is wrong with the engine, and this
        load_constraint(options.lexicon, options.pattern, Alphabet(read_spec(file).alphabet))
        return options, file
    where = storage.display_name(folder)
    if (version := newest(folder)) is None:
        raise ValueError(
            f"{where}: holds no SavedModel; write one with: aocr export {shlex.quote(where)}; "
            "or serve a model file or run folder with --model"
        )
    for name, default in (("engine", "auto"), ("pattern", None), ("lexicon", None)):
        if (value := getattr(options, name)) != default:
            fix = "leave it out" if name == "engine" else f"give --{name} to aocr export instead"
            raise ValueError(
                f"--{name} {value}: is for a model file, and {where} is an export; {fix}"
            )
    return replace(options, folder=folder), version


def load_served(options: ServeOptions, found: Path) -> AnyModel:
    """What `find_served` found. Raises ValueError, OSError."""
    if options.folder is None:
        return EngineModel(found, options.engine, options.pattern, options.lexicon)
    check_backend()
    devices.prepare()
    return ServedModel(found)


def check_token(token: str) -> None:
    """Raise ValueError for a token that a client could not send in a header."""
    if token and not re.fullmatch(r"[!-~]([ -~]{0,4094}[!-~])?", token):
        raise ValueError(
            "the token (OCR_TOKEN or --token) cannot be sent in a header; give up to 4,096 "
            "printable ASCII characters, without spaces at its ends"
        )
