"""A server of exported models: TensorFlow Serving's REST API, and plain uploads.

    aocr serve exported                                   # http://127.0.0.1:8501
    curl -F image=@photo.png http://127.0.0.1:8501/read

A model folder, or one in a bucket, holds SavedModels by version, as `export.py` writes them; the
newest is served, and a newer one is taken up while requests go on. At / is a page to drop images
on.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from aocr.options import ServeOptions
from aocr.server.predict_api import PREDICT, SIGNATURES, answer, described, images_of
from aocr.server.queue import ServedLine, ServedModel, changed, newest, upright
from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.runs import devices
from ocr_simple.text import one_line

log = logging.getLogger("ocr_simple")

POLL, BUCKET_POLL = 1.0, 10.0  # seconds between two looks for a newer version
PAGE = Path(__file__).resolve().parent / "page.html"
PAGE_HEADERS = {  # it needs nothing from elsewhere, and nothing else may come in
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src blob: data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


# --- the server -------------------------------------------------------------------------------


class Server:
    """What the routes share: the model that is served, the pools, the figures."""

    def __init__(self, options: ServeOptions, model: ServedModel):
        self.options, self.model = options, model
        self.decoding = ThreadPoolExecutor(os.cpu_count() or 1, "decode")
        self.reading = ThreadPoolExecutor(1, "read")  # TensorFlow has threads of its own
        self.pending = 0  # images of requests that are not answered
        self.refused: tuple[Path, int] | None = None  # a version that cannot be loaded, its time
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ocr_requests", "Requests answered", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "ocr_request_seconds", "Time to an answer", ("route",), registry=self.registry
        )
        self.images = Counter("ocr_images", "Images read", registry=self.registry)
        self.batches = Histogram(
            "ocr_batch_images", "Images read together", registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64),
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """While entered, images that wait are read, and newer versions taken up."""
        self.run = asyncio.create_task(self.model.run(self.reading, self.batches))
        watch = asyncio.create_task(self._watch())
        yield
        watch.cancel()
        self.run.cancel()
        self.decoding.shutdown()
        self.reading.shutdown()

    async def _watch(self) -> None:
        folder, unreachable = self.options.folder, False
        while True:
            await asyncio.sleep(BUCKET_POLL if storage.url_of(folder) else POLL)
            try:
                found, unreachable = await asyncio.to_thread(newest, folder), False
            except OSError as error:  # of a bucket: it is looked for again, and told once
                if not unreachable:
                    log.warning("no newer version can be looked for: %s", error)
                unreachable = True
                continue
            if found is None or int(found.name) == self.model.version:
                continue
            state = found, changed(found)
            if state == self.refused:
                continue
            try:
                fresh = await asyncio.to_thread(ServedModel, found, self.options.batch)
            except Exception as error:  # whatever is wrong with it, the one there is goes on
                log.warning("version %s is not taken up: %s", found.name, error)
                self.refused = state  # until more of it has been copied there
                continue
            before, run = self.model, self.run
            self.model = fresh
            self.run = asyncio.create_task(fresh.run(self.reading, self.batches))
            log.warning("version %d is served in place of %d", fresh.version, before.version)
            while before.users:
                await asyncio.sleep(0.05)
            run.cancel()

    async def read(
        self, images: Sequence[bytes], names: Sequence[str]
    ) -> list[ServedLine | imaging.ImageError]:
        """What is read of each image, or what is wrong with it. Raises HTTPException."""
        options, model = self.options, self.model
        if not images:
            raise HTTPException(400, "no image in the request")
        if len(images) > options.max_images:
            said = f"{len(images)} images, over the limit of {options.max_images}; send fewer"
            raise HTTPException(413, said)
        if self.pending + len(images) > options.max_waiting:
            raise HTTPException(429, "too many images wait; come again", {"Retry-After": "1"})
        loop = asyncio.get_running_loop()

        async def one(encoded: bytes, name: str) -> ServedLine | imaging.ImageError:
            decode = partial(upright, encoded, model.channels, name, options.max_pixels)
            try:
                ready = await loop.run_in_executor(self.decoding, decode)
            except imaging.ImageError as error:
                return error
            return await model.ask(ready)

        self.pending += len(images)
        model.users += 1
        try:
            async with asyncio.timeout(options.timeout):
                found = await asyncio.gather(*map(one, images, names))
        except TimeoutError:
            raise HTTPException(504, "reading took too long; send fewer images") from None
        finally:
            self.pending -= len(images)
            model.users -= 1
        self.images.inc(sum(isinstance(item, ServedLine) for item in found))
        return found

    def check(self, name: str, version: int | None) -> None:
        """Raises HTTPException for a model, or a version, that is not served."""
        if name != self.options.name:
            raise HTTPException(404, f"no model {name!r} here; it is {self.options.name!r}")
        if version not in (None, self.model.version):
            served = self.model.version
            raise HTTPException(404, f"version {version} is not served; {served} is")


class Arriving:
    """ASGI middleware: a request's body has to be small enough, and to arrive in time.

    It also counts requests and times them, by their route.
    """

    def __init__(self, app: Any, server: Server):
        self.app, self.server = app, server

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        options = self.server.options
        started, size, status = time.monotonic(), 0, 500

        async def limited() -> Any:
            nonlocal size
            if size < 0:  # all of it is here: what comes is that the client has gone
                return await receive()
            try:
                async with asyncio.timeout(started + options.timeout - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"no request in {options.timeout:g} seconds") from None
            size += len(message.get("body", b""))
            if size > options.max_body:
                said = f"the request is over the limit of {options.max_body:,} bytes"
                raise HTTPException(413, said)
            if not message.get("more_body"):
                size = -1
            return message

        async def seen(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, limited, seen)
        except ClientDisconnect:  # nobody is left to answer
            status = 499
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.server.requests.labels(route, str(status)).inc()
            self.server.seconds.labels(route).observe(time.monotonic() - started)


UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
ERROR = {"content": {"application/json": {"schema": {
    "type": "object", "required": ["error"], "properties": {"error": {"type": "string"}},
}}}}  # fmt: skip
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"description": said, **ERROR}
    for code, said in (
        (400, "What was sent cannot be used"),
        (401, "The token is missing or wrong"),
        (404, "No such model or version"),
        (408, "The request did not arrive in time"),
        (413, "Too many bytes or images"),
        (429, "Too many images wait"),
        (504, "Reading took too long"),
    )
}


def application(server: Server) -> FastAPI:
    """The routes."""
    options = server.options

    async def authorised(request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if options.token and not hmac.compare_digest(given.encode(), options.token.encode()):
            said = "this server asks for a token: Authorization: Bearer TOKEN"
            raise HTTPException(401, said, {"WWW-Authenticate": "Bearer"})

    app = FastAPI(
        title="ocr_simple", description="Reads one line of text in each image.",
        lifespan=server.running, responses=ERRORS,
    )  # fmt: skip
    app.add_middleware(Arriving, server=server)
    guarded = APIRouter(dependencies=[Depends(authorised)])

    @app.exception_handler(StarletteHTTPException)
    async def refused(_: Request, error: StarletteHTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return JSONResponse({"error": said}, 400)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        return JSONResponse({"error": "an error of the server; its log says more"}, 500)

    async def predict(name: str, version: int | None, request: Request) -> Response:
        server.check(name, version)
        try:
            body = json.loads(await request.body())
            images, form, signature = images_of(body)
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, f"cannot be read: {error}") from None
        found = await server.read(images, [f"image {i}" for i in range(len(images))])
        lines = []
        for item in found:
            if isinstance(item, imaging.ImageError):
                raise HTTPException(400, str(item))
            lines.append(item)
        return JSONResponse(answer(lines, form, signature))

    @guarded.post("/v1/models/{name}:predict", openapi_extra=PREDICT)
    async def predict_newest(name: str, request: Request) -> Response:
        """Read images as TensorFlow Serving does: row form (instances) or column form (inputs)."""
        return await predict(name, None, request)

    @guarded.post("/v1/models/{name}/versions/{version}:predict", openapi_extra=PREDICT)
    async def predict_version(name: str, version: int, request: Request) -> Response:
        """The same of one version."""
        return await predict(name, version, request)

    def status(name: str, version: int | None) -> dict[str, Any]:
        server.check(name, version)
        return {
            "model_version_status": [
                {
                    "version": str(server.model.version),
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }

    def metadata(name: str, version: int | None) -> dict[str, Any]:
        server.check(name, version)
        found = server.model.signatures
        signatures = {signature: described(found[signature]) for signature in SIGNATURES}
        return {
            "model_spec": {
                "name": name, "signature_name": "", "version": str(server.model.version),
            },
            "metadata": {"signature_def": {"signature_def": signatures}},
        }  # fmt: skip

    @guarded.get("/v1/models/{name}")
    async def model_status(name: str) -> dict[str, Any]:
        """Which version is served."""
        return status(name, None)

    @guarded.get("/v1/models/{name}/versions/{version}")
    async def version_status(name: str, version: int) -> dict[str, Any]:
        """Whether a version is served."""
        return status(name, version)

    @guarded.get("/v1/models/{name}/metadata")
    async def model_metadata(name: str) -> dict[str, Any]:
        """The signatures: what goes in and out."""
        return metadata(name, None)

    @guarded.get("/v1/models/{name}/versions/{version}/metadata")
    async def version_metadata(name: str, version: int) -> dict[str, Any]:
        """The signatures of a version."""
        return metadata(name, version)

    @app.get("/", response_class=HTMLResponse)
    async def page() -> Response:
        """A page to drop images on."""
        return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers=PAGE_HEADERS)

    @guarded.post("/read", openapi_extra=UPLOAD)
    async def read(request: Request, maps: bool = False) -> Response:
        """Read uploaded files, or one image that is the request's body.

        With `maps` each character has a map: its probability, or the attention, by time step.
        """
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            async with request.form(max_files=options.max_images, max_fields=16) as form:
                files = [file for _, file in form.multi_items() if isinstance(file, UploadFile)]
                names = [one_line(file.filename or f"image {i}") for i, file in enumerate(files)]
                images = [await file.read() for file in files]
        else:
            images, names = [await request.body()], ["image"]
        lines: list[dict[str, Any]] = []
        for name, item in zip(names, await server.read(images, names)):
            if isinstance(item, imaging.ImageError):
                lines.append({"name": name, "error": str(item)})
                continue
            boxes = zip(item.characters, item.probabilities, item.starts, item.ends)
            keys = ("text", "confidence", "start", "end")
            characters: list[dict[str, Any]] = [dict(zip(keys, box)) for box in boxes]
            if maps:
                for character, seen in zip(characters, item.maps.round(3).tolist()):
                    character["map"] = seen
            lines.append(
                {
                    "name": name,
                    "text": item.output,
                    "confidence": item.probability,
                    "characters": characters,
                }
            )
        if all("error" in line for line in lines):
            raise HTTPException(400, "; ".join(line["error"] for line in lines))
        return JSONResponse({"lines": lines, "version": server.model.version})

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        """Whether the server runs."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def ready() -> dict[str, Any]:
        """Whether it can read; it answers only once it can."""
        return {"status": "ready", "model": options.name, "version": server.model.version}

    @guarded.get("/metrics")
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(server.registry), media_type=CONTENT_TYPE_LATEST)

    app.include_router(guarded)
    return app


def run(options: ServeOptions, _: list[str]) -> int:
    """Serve until asked to stop. Returns the exit status. Raises ValueError, OSError."""
    found, where = newest(options.folder), storage.named(options.folder)
    if found is None:
        raise ValueError(f"{where}: holds no SavedModel; write one with: aocr export {where}")
    if not 0 <= options.port < 1 << 16:
        raise ValueError(f"port {options.port}: give one from 0 to 65535")
    options = replace(options, token=options.token or os.environ.get("OCR_TOKEN", ""))
    devices.prepare()
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.create_server((options.host, options.port), family=family, backlog=2048)
    # else an answer's body waits for the client to acknowledge its head: 40 ms
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    app = application(Server(options, ServedModel(found, options.batch)))
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    host, port = listening.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    print(f"version {found.name} of {where} at http://{address}", file=sys.stderr)
    if options.host not in ("127.0.0.1", "localhost", "::1") and not options.token:
        print("anyone who reaches this machine can use it: set OCR_TOKEN", file=sys.stderr)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again in the end
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listening])
    return 0
