"""Connections of the server that stall, are too many, or are named by another host."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from support.commands import ROOT

from aocr.server.connections import (
    Connection,
    Listener,
    Server,
    connections_that_fit,
    listen,
)
from aocr.server.failures import FailureMiddleware
from aocr.server.hosts import HostMiddleware, allowed_hosts

LARGE = 40_000_000  # bytes of an answer, more than the kernel takes
ASKED = threading.Semaphore(0)  # released for each request for /slow
GO_ON = threading.Event()  # until then such requests wait


async def app(scope, receive, send):
    """Answers /large with much, and /slow when GO_ON is set."""
    assert scope["type"] in ("http", "lifespan")
    if scope["type"] == "http":
        if scope["path"] == "/slow":
            ASKED.release()
            while not GO_ON.is_set():
                await asyncio.sleep(0.02)
        text = "x" * LARGE if scope["path"] == "/large" else "here"
        await PlainTextResponse(text)(scope, receive, send)


@contextlib.contextmanager
def serving(most=50, timeout=1.0, application=app, protocol=Connection):
    """The address of a server in a thread."""
    listening = Listener(socket.create_server(("127.0.0.1", 0)), most)
    config = uvicorn.Config(
        application, http=protocol, ws="none", lifespan="off", log_level="error"
    )
    server = Server(config, timeout, grace=3)
    listening.server, address = server, listening.getsockname()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


def get(address, path="/", **options):
    return httpx.get(f"http://{address[0]}:{address[1]}{path}", timeout=20, **options)


def connect(address, sent=b""):
    connection = socket.create_connection(address, timeout=20)
    connection.sendall(sent)
    return connection


def test_a_head_that_does_not_arrive_is_not_waited_for():
    with serving() as address:
        start = time.monotonic()
        with (
            connect(address, b"GET / HTTP/1.1\r\nHost: x\r\nA: ") as half,
            connect(address) as silent,
        ):
            answer = half.recv(1000)
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert b"the headers of the request did not arrive within 1 seconds" in answer
            assert silent.recv(1000) == b""
        assert 1 <= time.monotonic() - start < 15


def test_a_connection_that_waited_gives_way_to_a_new_one():
    with serving(most=20, timeout=30) as address, contextlib.ExitStack() as held:
        halves = [held.enter_context(connect(address, b"GET / HT")) for _ in range(40)]
        for _ in range(5):
            assert get(address).text == "here"
        with pytest.raises(ConnectionResetError):
            if halves[0].recv(100) == b"":
                raise ConnectionResetError


def test_a_connection_too_many_is_refused_and_logged_once(caplog):
    with (
        caplog.at_level(logging.WARNING, logger="ocr_simple"),
        serving(most=10, timeout=30) as address,
        contextlib.ExitStack() as held,
    ):
        slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
        waiting = [held.enter_context(connect(address, slow)) for _ in range(10)]
        for _ in range(10):
            assert ASKED.acquire(timeout=20)
        answers = []
        for _ in range(20):
            with connect(address) as connection, contextlib.suppress(ConnectionResetError):
                answers.append(connection.recv(1000))
        assert answers and all(answer.startswith(b"HTTP/1.1 503") for answer in answers)
        assert b"too many connections; try again later" in answers[0]
        GO_ON.set()
        for connection in waiting:
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200 OK")
        assert get(address).text == "here"
    assert len(caplog.messages) == 1 and "refused a connection: 10 are open" in caplog.text


def test_a_client_that_does_not_take_its_answer_is_left():
    with serving() as address, connect(address) as never:
        never.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(5)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while part := never.recv(1 << 20):
                got += len(part)
        assert 0 < got < LARGE


def test_a_client_that_takes_its_answer_slowly_gets_all_of_it():
    with serving() as address, connect(address, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") as slow:
        got, start = 0, time.monotonic()
        while got < LARGE:
            part = slow.recv(200_000)
            assert part, f"closed after {got} bytes"
            got += len(part)
            if time.monotonic() - start < 3:
                time.sleep(0.05)


def test_scarce_descriptors_are_logged_once_and_do_not_keep_the_server_busy(monkeypatch, caplog):
    def none_left(_):
        raise OSError(24, "Too many open files")

    with serving() as address, caplog.at_level(logging.WARNING, logger="ocr_simple"):
        monkeypatch.setattr(socket.socket, "accept", none_left)
        start, before = time.monotonic(), time.process_time()
        with connect(address):
            time.sleep(1)
        monkeypatch.undo()
        assert time.process_time() - before < 0.5 * (time.monotonic() - start)
        assert get(address).text == "here"
    assert len(caplog.messages) == 1 and "Too many open files" in caplog.text


def test_there_are_fewer_connections_than_descriptors(monkeypatch):
    limits = [(0, 0)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.append(wanted))
    for hard, most in ((300, 200), (10_000, 512), (resource.RLIM_INFINITY, 512)):
        limits.append((min(256, hard), hard))
        assert connections_that_fit(512) == most

    def refused(*_):
        raise ValueError  # as on macOS, whose kernel has a lower limit

    monkeypatch.setattr(resource, "setrlimit", refused)
    limits.append((256, resource.RLIM_INFINITY))
    assert connections_that_fit(512) == 156
    limits.append((64, 64))
    with pytest.raises(ValueError, match="ulimit -n 64: too few files may be open"):
        connections_that_fit(512)


HANGING = """
import socket, threading, time, uvicorn
from aocr.server.connections import Connection, Listener, Server
from tests.test_connections import app

async def hanging(scope, receive, send):
    if scope["path"] == "/hang":
        threading.Thread(target=time.sleep, args=[600]).start()
    await app(scope, receive, send)

listening = Listener(socket.create_server(("127.0.0.1", 0)), 50)
config = uvicorn.Config(hanging, http=Connection, ws="none", lifespan="off", log_level="error")
server = Server(config, 30, grace=3)
listening.server = server
print(listening.getsockname()[1], flush=True)
server.run(sockets=[listening])
"""


def test_a_server_ends_in_time_whatever_its_clients_and_threads_do():
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}, cwd=ROOT,
    )  # fmt: skip
    try:
        address = "127.0.0.1", int(process.stdout.readline())
        assert get(address, "/hang").text == "here"
        with connect(address, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"), connect(address, b"GET"):
            time.sleep(0.5)
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            assert time.monotonic() - start < 5
    finally:
        process.kill()
        process.stdout.close()


def test_a_body_in_tiny_chunks_does_not_keep_the_server_from_others():
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    taken = []

    class Counting(Connection):
        def data_received(self, data):
            taken.append(len(data))
            super().data_received(data)

    async def whole(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await app(scope, receive, send)

    chunks = b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n"
    with (
        serving(timeout=10, application=whole, protocol=Counting) as address,
        connect(address, head + chunks) as tiny,
    ):
        assert tiny.recv(1000).startswith(b"HTTP/1.1 200")
    assert max(taken) <= 8192 < sum(taken)


# --- failures -----------------------------------------------------------------------------------


def test_a_failure_is_logged_once_and_cut(caplog):
    failing = FastAPI()
    failing.add_middleware(FailureMiddleware)

    @failing.get("/read")
    async def fail():
        raise RuntimeError("bytes of an image " * 10_000)

    with (
        caplog.at_level(logging.INFO),
        serving(application=failing) as address,
    ):
        answer = get(address, "/read")
    assert answer.status_code == 500 and "internal error" in answer.json()["error"]
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(logged) == 1 and "bytes of an image" in logged[0].getMessage()
    assert len(caplog.text) < 5000


# --- hosts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listening", "allowed", "host", "status"),
    [
        ("127.0.0.1", (), "127.0.0.1:8501", 200),
        ("127.0.0.1", (), "LOCALHOST", 200),
        ("127.0.0.1", (), "[::1]:8501", 200),
        ("localhost", (), "localhost.:80", 200),
        ("127.0.0.1", (), "evil.example", 400),
        ("127.0.0.1", (), "localhost.evil.example", 400),
        ("127.0.0.1", (), "localhost:80:80", 400),
        ("127.0.0.1", (), "", 400),
        ("127.0.0.1", ("ocr.example",), "ocr.example", 200),
        ("0.0.0.0", (), "evil.example", 200),
        ("0.0.0.0", ("OCR.example",), "ocr.EXAMPLE", 200),
        ("0.0.0.0", ("ocr.example",), "evil.example", 400),
        ("0.0.0.0", ("ocr.example:8443",), "ocr.example:8443", 200),
        ("0.0.0.0", ("[fe80::1]",), "[fe80::1]:8501", 200),
        ("0.0.0.0", ("fe80::1",), "[fe80::1]:8501", 200),
    ],
)
def test_only_names_of_the_server_are_answered(listening, allowed, host, status):
    guarded = HostMiddleware(app, allowed_hosts(listening, allowed))
    with serving(application=guarded) as address:
        answer = get(address, headers={"Host": host})
        assert answer.status_code == status
        assert status == 200 or "--allowed-host" in answer.json()["error"]
        assert get(address, "/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("allowed", ["https://ocr.example", "", "a:b:c]"])
def test_what_is_no_name_of_a_host_is_refused(allowed):
    with pytest.raises(ValueError, match=r"--allowed-host .*: give a name or an address"):
        allowed_hosts("0.0.0.0", (allowed,))


def test_an_address_that_is_not_there_is_named_by_its_option():
    with pytest.raises(ValueError, match=r"--host nowhere\.invalid: .*; give another --host"):
        listen("nowhere.invalid", 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 200),
        ({"Origin": "http://[::1]:8501"}, 200),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_post(headers, status):
    guarded = HostMiddleware(app, allowed_hosts("127.0.0.1", ()))
    with serving(application=guarded) as address:
        url = f"http://{address[0]}:{address[1]}/read"
        answer = httpx.post(url, headers=headers, timeout=20)
        assert answer.status_code == status
        assert status == 200 or "another site" in answer.json()["error"]
        assert get(address, headers=headers).status_code == 200  # a link on another page
