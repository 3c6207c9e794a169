"""The server's routes: TensorFlow Serving's API, plain uploads, the page, health and metrics.

`guarded` routes need the token, if the server has one; `public` routes do not.
"""

import hmac
import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import UploadFile

from aocr.server import predict_api
from aocr.server.predict_api import PREDICT
from aocr.server.served_model import ServedLine
from aocr.server.service import Service
from ocr_simple.images import ImageError
from ocr_simple.text import escape_controls

PAGE = Path(__file__).resolve().parent / "page.html"
PAGE_HEADERS = {  # the page uses nothing from other servers, and cannot be embedded
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src blob: data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
UPLOAD = {  # in the OpenAPI document
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


def service_of(request: Request) -> Service:
    """The service of the application that a request came to."""
    return request.app.state.service


Shared = Annotated[Service, Depends(service_of)]


async def authorise(request: Request, service: Shared) -> None:
    """Refuse a request without the token. Raises HTTPException."""
    token = service.options.token
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        message = "the token is missing or wrong; send the header Authorization: Bearer TOKEN"
        raise HTTPException(401, message, {"WWW-Authenticate": "Bearer"})


public = APIRouter()
guarded = APIRouter(dependencies=[Depends(authorise)])


# --- TensorFlow Serving's API -----------------------------------------------------------------


@guarded.post("/v1/models/{name}:predict", openapi_extra=PREDICT)
async def predict_newest(name: str, request: Request, service: Shared) -> Response:
    """Read images as TensorFlow Serving does: row form (instances) or column form (inputs)."""
    return await predict(name, None, request, service)


@guarded.post("/v1/models/{name}/versions/{version}:predict", openapi_extra=PREDICT)
async def predict_version(name: str, version: int, request: Request, service: Shared) -> Response:
    """Read images with a certain version."""
    return await predict(name, version, request, service)


async def predict(name: str, version: int | None, request: Request, service: Service) -> Response:
    """The answer to a predict request. Raises HTTPException, also if one image cannot be read."""
    service.require(name, version)
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the request cannot be read as JSON: {error}") from None
    try:
        images, form, signature = predict_api.parse_request(body)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    lines: list[ServedLine] = []
    for item in await service.read(images, [f"image {i}" for i in range(len(images))]):
        if isinstance(item, ImageError):
            raise HTTPException(400, str(item))
        lines.append(item)
    return JSONResponse(predict_api.predictions(lines, form, signature))


@guarded.get("/v1/models/{name}")
async def model_status(name: str, service: Shared) -> dict[str, Any]:
    """Which version is served."""
    service.require(name, None)
    return predict_api.version_status(service.model.version)


@guarded.get("/v1/models/{name}/versions/{version}")
async def version_status(name: str, version: int, service: Shared) -> dict[str, Any]:
    """Whether a version is served."""
    service.require(name, version)
    return predict_api.version_status(version)


@guarded.get("/v1/models/{name}/metadata")
async def model_metadata(name: str, service: Shared) -> dict[str, Any]:
    """The inputs and outputs of each signature."""
    service.require(name, None)
    return predict_api.metadata(name, service.model.version, service.model.signatures)


@guarded.get("/v1/models/{name}/versions/{version}/metadata")
async def version_metadata(name: str, version: int, service: Shared) -> dict[str, Any]:
    """The inputs and outputs of each signature of a version."""
    service.require(name, version)
    return predict_api.metadata(name, service.model.version, service.model.signatures)


# --- uploads ----------------------------------------------------------------------------------


@guarded.post("/read", openapi_extra=UPLOAD)
async def read(request: Request, service: Shared, maps: bool = False) -> Response:
    """Read uploaded files, or one image that is the body of the request.

    With `maps` each character has a map: its probability, or its attention, at each time step.
    """
    images, names = await uploaded(request, service.options.max_images)
    version = service.model.version
    found = await service.read(images, names)
    lines = [upload_result(name, item, maps) for name, item in zip(names, found)]
    if all("error" in line for line in lines):
        raise HTTPException(400, "; ".join(line["error"] for line in lines))
    return JSONResponse({"lines": lines, "version": version})


async def uploaded(request: Request, max_images: int) -> tuple[list[bytes], list[str]]:
    """(images, their names) in a form, or in the body of the request."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return [await request.body()], ["image"]
    async with request.form(max_files=max_images, max_fields=16) as form:
        files = [file for _, file in form.multi_items() if isinstance(file, UploadFile)]
        names = [escape_controls(file.filename or f"image {i}") for i, file in enumerate(files)]
        return [await file.read() for file in files], names


def upload_result(name: str, item: ServedLine | ImageError, maps: bool) -> dict[str, Any]:
    """One of the `lines` in the answer to an upload."""
    if isinstance(item, ImageError):
        return {"name": name, "error": str(item)}
    keys = ("text", "confidence", "start", "end")
    rows = zip(item.characters, item.probabilities, item.starts, item.ends)
    characters: list[dict[str, Any]] = [dict(zip(keys, row)) for row in rows]
    if maps:
        for character, seen in zip(characters, item.maps.round(3).tolist()):
            character["map"] = seen
    return {
        "name": name,
        "text": item.output,
        "confidence": item.probability,
        "characters": characters,
    }


# --- the page, health and metrics -------------------------------------------------------------


@public.get("/", response_class=HTMLResponse)
async def page() -> Response:
    """A page to drop images on."""
    return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers=PAGE_HEADERS)


@public.get("/healthz")
async def alive() -> dict[str, str]:
    """Whether the server runs."""
    return {"status": "alive"}


@public.get("/readyz")
async def ready(service: Shared) -> dict[str, Any]:
    """Which model is served; there is no answer before it is loaded."""
    return {"status": "ready", "model": service.options.name, "version": service.model.version}


@guarded.get("/metrics")
async def metrics(service: Shared) -> Response:
    """Counters and histograms for Prometheus."""
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
