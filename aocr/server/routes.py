"""The server's routes: TensorFlow Serving's API, plain uploads, the page, health and metrics.

`guarded` routes need the token, if the server has one; `public` routes do not.
"""

import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from aocr import kept_box
from aocr.server import answers, docs_page, predict_api
from aocr.server.forms import uploaded_files
from aocr.server.pages import PAGE_HEADERS, page_text
from aocr.server.predict_api import PREDICT
from aocr.server.served_line import ServedLine
from aocr.server.service import Service
from ocr_simple.images import ImageError, TooLargeError

PAGE = Path(__file__).resolve().parent / "page.html"
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


async def service_of(request: Request) -> Service:
    """The service of the application that a request came to."""
    # async, as FastAPI runs plain functions in a thread
    return request.app.state.service


Shared = Annotated[Service, Depends(service_of)]


async def authorise(request: Request, service: Shared) -> None:
    """Refuse a request without the token. Raises HTTPException."""
    token = service.options.token
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    given = rest.strip() if scheme.lower() == "bearer" else ""
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
    images, form, signature = await service.parse(await request.body())
    lines: list[ServedLine] = []
    for item in await service.read(images, [f"image {i}" for i in range(len(images))]):
        if isinstance(item, ImageError):
            raise HTTPException(status_of([item]), str(item))
        lines.append(item)
    return await service.answer(lines, answers.of_predict, form, signature)


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
    return predict_api.metadata(name, service.model.version)


@guarded.get("/v1/models/{name}/versions/{version}/metadata")
async def version_metadata(name: str, version: int, service: Shared) -> dict[str, Any]:
    """The inputs and outputs of each signature of a version."""
    service.require(name, version)
    return predict_api.metadata(name, service.model.version)


# --- uploads ----------------------------------------------------------------------------------


@guarded.post("/read", openapi_extra=UPLOAD)
async def read(request: Request, service: Shared, maps: bool = False) -> Response:
    """Read uploaded files, or one image that is the body of the request.

    With `maps` each character has a map: its probability, or its attention, at each time step; the
    highest of several steps where there are over 200.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        images, names = await uploaded_files(request, service.options)
    else:
        images, names = [await request.body()], ["image"]
    version = service.model.version
    found = await service.read(images, names, maps)
    errors = [item for item in found if isinstance(item, ImageError)]
    if len(errors) == len(found):
        raise HTTPException(status_of(errors), "; ".join(map(str, errors)))
    return await service.answer(found, answers.of_uploads, names, maps, version)


def status_of(errors: Sequence[ImageError]) -> int:
    """The status of an answer to images that cannot be read: 413 if one is over a limit."""
    return 413 if any(isinstance(error, TooLargeError) for error in errors) else 400


# --- pages, health and metrics -------------------------------------------------------------


@public.get("/", response_class=HTMLResponse)
async def page() -> Response:
    """A page to drop images on."""
    return HTMLResponse(page_text(PAGE), headers=PAGE_HEADERS)


@public.get("/docs", response_class=HTMLResponse, include_in_schema=False)
async def docs(request: Request) -> Response:
    """What can be asked for, as a page."""
    return HTMLResponse(docs_page.page(request.app), headers=PAGE_HEADERS)


@public.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The same as an OpenAPI document."""
    return Response(docs_page.document(request.app), media_type="application/json")


@public.get("/healthz")
async def alive() -> dict[str, str]:
    """Whether the server runs."""
    return {"status": "alive"}


@public.get("/readyz")
async def ready(service: Shared) -> dict[str, Any]:
    """Which model is served; there is no answer before it is loaded."""
    model = service.model
    options = service.options
    found: dict[str, Any] = {"status": "ready", "model": options.name, "source": options.source}
    found["version"] = model.version
    if model.constraint:
        found["constraint"] = model.constraint
    if model.box:
        found["crop"] = kept_box.described(model.box, "server")
    return found


@guarded.get("/metrics")
async def metrics(service: Shared) -> Response:
    """Counters and histograms for Prometheus."""
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
