"""`aocr label`: type the labels of a folder of pictures on a page, helped by a model.

    aocr label my_images/                       # http://127.0.0.1:8502
    aocr label my_images/ --model numbers --order name

The page answers to this computer only. Each answer is in labels.tsv before the next picture is
shown. Another process loads the model, after the page is there.
"""

import logging
import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aocr.label.labels_file import LabelsFile, can_be_named
from aocr.label.lock import FolderLock
from aocr.label.readings import BackgroundReader
from aocr.label.routes import Labelling, routes
from aocr.label.session import Session
from aocr.label.training import Training, training_command
from aocr.model_folder import is_trained_on, model_folder
from aocr.options import GOOD_START, LEAST_LABELS, LabelPageOptions
from aocr.server.connections import Server, config_of, ignore_signals, listen
from aocr.server.hosts import LOOPBACK, HostMiddleware
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets.folders import images_in
from ocr_simple.messages import counted, first_ten, printable, shortened
from ocr_simple.runs.model_files import BEST, find_model
from ocr_simple.spec import read_spec

logger = logging.getLogger("ocr_simple")

HOST = "127.0.0.1"
TIMEOUT, GRACE = 60.0, 3.0  # seconds that a connection may stall, and in which the server ends


def application(labelling: Labelling) -> FastAPI:
    """The page's application."""
    app = FastAPI(title="aocr label", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.labelling = labelling
    app.add_middleware(
        HostMiddleware, allowed=frozenset(LOOPBACK), fix="open it as localhost, through a tunnel"
    )
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_refused)
    app.add_exception_handler(ValueError, _on_refused)
    app.add_exception_handler(OSError, _on_refused)
    app.include_router(routes)
    return app


async def _on_http_error(_: Request, error: Any) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code)


async def _on_refused(_: Request, error: Exception) -> Response:
    """What an answer was refused for; nothing has changed then."""
    return JSONResponse({"error": shortened(str(error))}, 400)


def run(options: LabelPageOptions, _: list[str]) -> int:
    """Show the page until the process is asked to stop. Returns the exit status.

    Raises ValueError, before anything starts, for a folder or a model that cannot be used, and if
    another process has the folder.
    """
    folder = _check_folder(options.folder)
    images = pictures_in(folder)
    model = reading_model(options.model, folder)
    spec = read_spec(model)
    lock = FolderLock(folder)
    try:
        file = LabelsFile(folder, images)
        listening = listen(HOST, options.port)
        address = f"http://{HOST}:{listening.getsockname()[1]}"
        lock.describe(address)
        names = [image.relative_to(folder).as_posix() for image in images]
        session = Session(names, file, options.order, spec.alphabet)
        reader = BackgroundReader(model, images, session.wanted, session.deliver)
        training = _training(folder, session, reader)
        about = {"folder": printable(str(folder))}
        for note in file.notes:
            say(note, sys.stderr)
        known = len(session.answers)
        say(
            f"{folder}: {counted(len(images), 'picture')}, {known:,} labelled or left out already. "
            f"Reading with {storage.display_name(model)}\nLabel them at {address}; press Ctrl-C "
            "to stop",
            sys.stderr,
        )
        shared = Labelling(session, images, reader, training, about)
        _serve(application(shared), listening, shared)
        say(_ending(folder, file, session.labelled), sys.stderr)
        return 0
    finally:
        lock.close()


def reading_model(given: str | None, folder: Path) -> Path:
    """The model that reads: the one that is named, or that was trained on the folder, or digits.

    Raises ValueError.
    """
    trained = model_folder(folder)
    is_there = (trained / BEST).is_file() and is_trained_on(trained, folder)
    return find_model(given or (trained if is_there else "digits"))


def _ending(folder: Path, file: LabelsFile, labels: int) -> str:
    """What there is now, and what to do with it."""
    written = file.labels.path.exists()  # labels in another layout are written with an answer
    found = f"{counted(labels, 'label')} in {file.labels.path if written else folder}"
    if labels < LEAST_LABELS:
        return f"{found}; training needs {LEAST_LABELS}, and {GOOD_START} are a good start"
    given = shlex.quote(str(folder))
    return (
        f"{found}\nTrain on them with: aocr train {given} --auto\n"
        f"Or, if you set these images aside for testing: aocr test {given} --model MODEL"
    )


def _check_folder(given: Path | None) -> Path:
    """The folder, if it can be written to. Raises ValueError."""
    if given is None:
        raise ValueError("name the FOLDER with your pictures: aocr label my_images/")
    if storage.url_of(given):
        raise ValueError(
            f"{storage.url_of(given)}: is in a bucket; copy it to a local folder first"
        )
    folder = Path(os.path.expanduser(given))
    if folder.is_file():
        raise ValueError(f"{folder}: is a file; name the folder that it is in")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; name the folder with your pictures")
    storage.check_writable(folder, "FOLDER")
    return folder


def pictures_in(folder: Path) -> list[Path]:
    """The images in a folder whose names a row can have. Raises ValueError if there are none."""
    found = images_in(folder)
    if not found:
        raise ValueError(f"{folder}: no images there; name the folder with your pictures")
    usable = [image for image in found if can_be_named(image.relative_to(folder).as_posix())]
    if len(usable) < len(found):
        others = [printable(str(image)) for image in sorted(set(found) - set(usable))]
        reason = "a name with a tab, a line break, a space at an end, or not in Unicode; rename it"
        message = f"{counted(len(others), 'picture')} left out ({reason}):{first_ten(others)}"
        if not usable:
            raise ValueError(f"{folder}: {message}")
        say(f"{folder}: {message}", sys.stderr)
    return usable


def _training(folder: Path, session: Session, reader: BackgroundReader) -> Training:
    """The training of the page, after which the pictures are read with its model."""

    def read_again(model: Path) -> None:
        alphabet = read_spec(model).alphabet
        reader.use(model, lambda: session.forget_readings(alphabet))

    model_dir = model_folder(folder)
    return Training(partial(training_command, folder, model_dir), model_dir, read_again)


def _serve(app: FastAPI, listening: Any, shared: Labelling) -> None:
    ignore_signals()
    shared.reader.start()
    try:
        Server(config_of(app), TIMEOUT, GRACE).run(sockets=[listening])
    finally:
        shared.training.close()
        shared.reader.stop()
