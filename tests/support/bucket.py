"""An object store on a local socket that can be made to fail, for tests of ocr_simple/storage.py.

moto answers the S3 requests. A proxy in front of it sometimes answers 503, waits, or cuts an answer
short.
"""

import contextlib
import http.client
import http.server
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Faults:
    """The share of requests that meet each fault. Counts in `met` how many did."""

    def __init__(self, unavailable: float = 0.0, slow: float = 0.0, cut: float = 0.0):
        self.chances = {"unavailable": unavailable, "slow": slow, "cut": cut}
        self.met: Counter[str] = Counter()
        self._random, self._lock = random.Random(0), threading.Lock()

    def draw(self) -> str:
        """The fault that the next request meets; empty for none."""
        with self._lock:
            kinds, chances = ["", *self.chances], [*self.chances.values()]
            kind = self._random.choices(kinds, [1 - sum(chances), *chances])[0]
            self.met[kind] += 1
            return kind


def proxy(target: str, faults: Faults) -> http.server.ThreadingHTTPServer:
    """A server that forwards requests to `target`, with faults."""
    host, port = urlsplit(target).hostname, urlsplit(target).port

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self._body()
            kind = faults.draw()
            if kind == "unavailable":
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if kind == "slow":
                time.sleep(0.5)
            onward = http.client.HTTPConnection(host, port, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
            onward.request(self.command, self.path, body, headers)
            answer = onward.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            size = answer.getheader("Content-Length", str(len(content)))
            self.send_header(
                "Content-Length", size if self.command == "HEAD" else str(len(content))
            )
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if kind == "cut" else content)
            self.close_connection = kind == "cut"

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextlib.contextmanager
def bucket(faults: Faults) -> Iterator[str]:
    """Yields the URL of an empty bucket; environment variables direct s3:// to it meanwhile."""
    store = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    server = proxy(f"http://{host}:{port}", faults)
    address = f"http://127.0.0.1:{server.server_port}"
    variables = {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    S3FileSystem.clear_instance_cache()  # fsspec keeps connections to earlier stores
    onward = http.client.HTTPConnection(host, port)
    # moto keeps its buckets from one server to the next
    for request in (("POST", "/moto-api/reset"), ("PUT", "/bucket")):
        onward.request(*request)
        answer = onward.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    try:
        yield "s3://bucket"
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        server.shutdown()
        store.stop()
