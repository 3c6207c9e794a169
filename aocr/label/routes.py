"""The routes of the labelling page. One page at a time may answer."""

import io
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from PIL import Image

from aocr.label.readings import BackgroundReader
from aocr.label.session import Kind, Session
from aocr.label.training import Training
from aocr.options import LEAST_LABELS
from aocr.server.pages import PAGE_HEADERS, page_text
from ocr_simple import images as imaging
from ocr_simple.boxes import Corners, check_corners
from ocr_simple.datasets.crops import parse_corners, straightened
from ocr_simple.local_files import read_bytes

PAGE = Path(__file__).resolve().parent / "page.html"
HEADERS = PAGE_HEADERS | {
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace(
        "img-src", "img-src 'self'"
    ),
    "Cache-Control": "no-store",
}
PICTURE_HEADERS = {  # its address has a secret of this page: no other session has the same
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}
JPEG = b"\xff\xd8\xff"  # shown by browsers as it is read here, upright too
SILENCE = 15.0  # seconds without a request after which a page is taken to be closed


class OnePage:
    """Which page has the folder: the one that was opened first, until it is closed.

    Its methods may be called by several threads: a page that is reloaded is opened while it is
    being closed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._holder, self._seen = clock, "", 0.0
        self._lock = threading.RLock()

    def open(self, take: bool, page: str = "") -> str:
        """A secret for a new page. Raises HTTPException if another page is open.

        take: whether the new page takes its place. page: the secret that the same tab had before it
        was reloaded.
        """
        with self._lock:
            same = secrets.compare_digest(page.encode(errors="replace"), self._holder.encode())
            if self._holder and not (take or same) and self._clock() - self._seen < SILENCE:
                raise HTTPException(409, "this folder is open in another page or tab")
            self._holder, self._seen = secrets.token_urlsafe(12), self._clock()
            return self._holder

    def check(self, page: str) -> None:
        """Raise HTTPException for a page that does not have the folder; 410 if none has it."""
        with self._lock:
            if not self._holder:
                raise HTTPException(410, "aocr label was started again, or the page was closed")
            if not secrets.compare_digest(page.encode(), self._holder.encode()):
                raise HTTPException(409, "this folder was opened in another page or tab")
            self._seen = self._clock()

    def close(self, page: str) -> None:
        """Let another page have the folder."""
        with self._lock:
            self.check(page)
            self._holder = ""


class Labelling:
    """What the routes share."""

    def __init__(
        self,
        session: Session,
        files: list[Path],
        reader: BackgroundReader,
        training: Training,
        about: dict,
    ):
        """files: the pictures, by number. about: what the page shows that does not change."""
        self.session, self.files, self.reader = session, files, reader
        self.training, self.about = training, about
        self.one_page = OnePage()

    def state(self) -> dict[str, Any]:
        """All that the page shows."""
        read = {"problem": self.reader.problem, "model": self.reader.name}
        return self.session.state() | read | {"training": self.training.state()}


def labelling_of(request: Request) -> Labelling:
    """The labelling that a request belongs to. Raises HTTPException for other sites' requests."""
    origin = request.headers.get("origin")
    site, mode = (request.headers.get(f"sec-fetch-{name}") for name in ("site", "mode"))
    of_a_page = site == "cross-site" and mode != "navigate"  # an image in it, for example
    if of_a_page or origin not in (None, f"http://{request.headers.get('host', '')}"):
        raise HTTPException(403, "the request comes from another site's page")
    return request.app.state.labelling


Shared = Annotated[Labelling, Depends(labelling_of)]
Page = Annotated[str, Body(embed=True)]
routes = APIRouter()


@routes.get("/", response_class=HTMLResponse)
def page(_: Shared) -> Response:
    """The page."""
    return HTMLResponse(page_text(PAGE), headers=HEADERS)


@routes.get("/picture/{number}")
def picture(number: int, shared: Shared, box: str = "") -> Response:
    """A picture, or the line in a box of it, as browsers can show it. Raises HTTPException."""
    if not 0 <= number < len(shared.files):
        raise HTTPException(404, "no such picture")
    try:
        content = read_bytes(shared.files[number], imaging.MAX_BYTES)
        kind = "image/jpeg"
        if box or not content.startswith(JPEG):
            corners = parse_corners(box) if box else ()
            content, kind = _png(content, shared.files[number].name, corners), "image/png"
    except (ValueError, OSError) as error:
        raise HTTPException(422, str(error)) from error
    return Response(content, media_type=kind, headers=PICTURE_HEADERS)


def _png(encoded: bytes, name: str, box: Corners) -> bytes:
    """An image of any format as PNG, upright and without transparency, as the model sees it."""
    file = io.BytesIO()
    pixels = imaging.load(encoded, 3, name, warn=False)
    pixels = straightened(pixels, box, name) if box else pixels
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


@routes.post("/open")
def open_page(
    shared: Shared,
    take: Annotated[bool, Body(embed=True)] = False,
    page: Annotated[str, Body(embed=True)] = "",
) -> dict[str, Any]:
    """Open a page. Raises HTTPException if another one is open, unless `take` is true."""
    secret = shared.one_page.open(take, page)
    shared.session.begin()
    return {"page": secret} | shared.about | shared.state()


@routes.post("/close")
def close_page(shared: Shared, page: Page) -> None:
    """The page is being closed. Raises HTTPException."""
    shared.one_page.close(page)


@routes.post("/state")
def state(shared: Shared, page: Page) -> dict[str, Any]:
    """What the page shows; it asks now and then, which also says that it is open."""
    shared.one_page.check(page)
    return shared.state()


@routes.post("/answer")
def answer(
    shared: Shared,
    page: Page,
    number: Annotated[int, Body()],
    kind: Annotated[Kind, Body()],
    text: Annotated[str, Body()] = "",
) -> dict[str, Any]:
    """Take an answer. Raises HTTPException, and ValueError and OSError as `Session.answer`."""
    shared.one_page.check(page)
    shared.session.answer(number, kind, text)
    return shared.state()


Numbers = Annotated[list[float], Body(max_length=8)]


@routes.post("/box")
def box(
    shared: Shared,
    page: Page,
    number: Annotated[int, Body()],
    corners: Numbers,
    to_all: Annotated[bool, Body()] = False,
) -> dict[str, Any]:
    """Keep a box, also for all pictures of the same size, or remove it: no corners.

    Raises as `answer`.
    """
    shared.one_page.check(page)
    shared.session.box(number, corners, to_all)
    return shared.state()


@routes.post("/read")
def read(
    shared: Shared, page: Page, number: Annotated[int, Body()], corners: Numbers
) -> dict[str, Any]:
    """What is read in a box that is being drawn; nothing is written. Raises as `picture`."""
    shared.one_page.check(page)
    if not 0 <= number < len(shared.files):
        raise HTTPException(404, "no such picture")
    found = shared.reader.read_now(number, check_corners(corners))
    if isinstance(found, str):
        return {"error": found}
    return {"reading": found.shown() if found else None}


@routes.post("/undo")
def undo(shared: Shared, page: Page) -> dict[str, Any]:
    """Take back the last answer. Raises as `answer`."""
    shared.one_page.check(page)
    shared.session.undo()
    return shared.state()


@routes.post("/review")
def review(shared: Shared, page: Page, on: Annotated[bool, Body()]) -> dict[str, Any]:
    """Go through the labels again, or return to labelling. Raises as `answer`."""
    shared.one_page.check(page)
    shared.session.review(on)
    return shared.state()


@routes.post("/train")
def train(shared: Shared, page: Page, on: Annotated[bool, Body()]) -> dict[str, Any]:
    """Train on the labels, or stop that. Raises as `answer`."""
    shared.one_page.check(page)
    if not on:
        shared.training.stop()
    elif shared.session.labelled < LEAST_LABELS:
        raise ValueError(f"{LEAST_LABELS} labels are needed; there are {shared.session.labelled}")
    else:
        shared.training.start()
    return shared.state()
