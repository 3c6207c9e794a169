"""Reads with an exported page in headless Chromium, to check it: needs playwright and Chromium."""

import base64
import contextlib
import functools
import importlib.util
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aocr.parity import ExportError

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--disable-background-networking", "--disable-component-update")
READ = """async files => {
    const {readFile} = await import("./page.js");
    const lines = [];
    for (const file of files) {
        const bytes = Uint8Array.from(atob(file), character => character.charCodeAt(0));
        lines.push(await readFile(new Blob([bytes])));
    }
    return lines.map(({text, confidence}) => [text, confidence]);
}"""


def find() -> str | None:
    """The path of Chromium, if it and playwright are installed."""
    if importlib.util.find_spec("playwright") is None:
        return None
    return next(filter(None, map(shutil.which, NAMES)), None)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL at which a folder is served, to this computer alone."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def read(folder: Path, encoded: Sequence[bytes]) -> list[tuple[str, float]]:
    """(text, confidence) of encoded images, as the page in a folder reads them.

    Raises ExportError if Chromium does not start, or the page fails in it.
    """
    with ThreadPoolExecutor(1) as pool:  # the caller's thread may have a browser already
        return pool.submit(_read, folder, encoded).result()


def _read(folder: Path, encoded: Sequence[bytes]) -> list[tuple[str, float]]:
    from playwright.sync_api import Error, sync_playwright

    files = [base64.b64encode(item).decode() for item in encoded]
    with served(folder) as address, sync_playwright() as engine:
        try:
            with engine.chromium.launch(executable_path=find(), args=list(FLAGS)) as browser:
                page = browser.new_page()
                page.goto(address)
                return [(text, confidence) for text, confidence in page.evaluate(READ, files)]
        except Error as error:
            reason = error.message.splitlines()[0]
            raise ExportError(
                f"{folder.name}: the page cannot be checked in {find()} ({reason}); without "
                "Chromium on the path it is written unchecked"
            ) from error
