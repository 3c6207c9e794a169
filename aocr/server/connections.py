"""The server's connections: their number is limited, and those that stall are closed.

uvicorn accepts any number of connections, and waits without a limit for a client to send the head
of its request or to take the answer. asyncio logs every connection that it cannot accept. Here, a
connection over the limit takes the place of the one that has waited longest without a request. On
SIGTERM the server ends in time, whatever its clients and its threads do.
"""

import contextlib
import errno
import http
import json
import logging
import os
import signal
import socket
import threading
import time
import weakref
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

try:
    import resource
except ImportError:  # Windows, where the number of sockets is not limited like this
    resource = None  # type: ignore[assignment]

logger = logging.getLogger("ocr_simple")

RESERVED = 100  # descriptors for a model that is loaded, decoders and other files
MOST_DESCRIPTORS = 65_536
LEAST_CONNECTIONS = 8
READING = 10_000  # bytes per second of an answer that a client has to take
LOG_EVERY = 60.0  # seconds between two messages about connections that were refused
SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# Bytes that are taken from a connection before others have their turn. asyncio's 256 KB can be
# 43,000 chunks of one byte each, which keep the server from all others for half a second.
TAKEN_AT_ONCE = 8192
PAUSE = 0.02  # seconds after a connection that could not be accepted


def whole_answer(status: int, message: str) -> bytes:
    """An answer that does not come from a route; the connection is to be closed after it."""
    body = json.dumps({"error": message}).encode()
    retry = "Retry-After: 1\r\n" * (status == 503)
    head = (
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"{retry}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def connections_that_fit(asked: int) -> int:
    """How many connections there may be: `asked`, or fewer where descriptors are scarce.

    Raises the process's limit of descriptors as far as it may. Raises ValueError if hardly any fit.
    """
    if resource is None:
        return asked
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MOST_DESCRIPTORS:
        raised = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
        soft = max(soft, raised)
        with contextlib.suppress(ValueError, OSError):  # macOS has a limit below the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    fit = asked if soft == resource.RLIM_INFINITY else min(asked, soft - RESERVED)
    if fit < min(asked, LEAST_CONNECTIONS):
        raise ValueError(
            f"ulimit -n {soft}: too few files may be open; raise it to at least "
            f"{RESERVED + LEAST_CONNECTIONS}"
        )
    return fit


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0: any free one. Raises ValueError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ValueError(f"--port {port}: already in use; give another --port") from error
        if error.errno == errno.EACCES:
            raise ValueError(f"--port {port}: not allowed; give one over 1023") from error
        raise ValueError(f"--host {host}: {error.strerror}; give another --host") from error
    # otherwise the body of an answer waits 40 ms until the client acknowledges the head
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class Listener(socket.socket):
    """A listening socket that refuses a connection when there are too many."""

    def __init__(self, listening: socket.socket, most: int):
        """listening: is taken over. most: connections that may be open."""
        super().__init__(listening.family, listening.type, fileno=listening.detach())
        self.most = most
        self.server: Server | None = None
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._refused, self._logged = 0, -LOG_EVERY

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises BlockingIOError if there is none for now."""
        full = sum(connection.fileno() >= 0 for connection in self._open) >= self.most
        if full and self.server and self.server.close_waiting():
            raise BlockingIOError  # it is closed before asyncio asks again
        try:
            connection, address = super().accept()
        except OSError as error:
            if error.errno in SCARCE:
                self._log(f"cannot accept a connection ({error.strerror})")
                time.sleep(PAUSE)  # the connection stays in the kernel's queue
                raise BlockingIOError from error
            raise
        if full:
            self._log(f"refused a connection: {self.most} are open")
            _refuse(connection)
            raise BlockingIOError
        self._open.add(connection)
        return connection, address

    def _log(self, message: str) -> None:
        """Log at most once a minute, because any client can cause these messages."""
        self._refused += 1
        if time.monotonic() - self._logged >= LOG_EVERY:
            logger.warning("%s; %d since the last such message", message, self._refused)
            self._refused, self._logged = 0, time.monotonic()


def _refuse(connection: socket.socket) -> None:
    with connection:
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # the client has left
            connection.send(whole_answer(503, "too many connections; try again later"))


class Connection(H11Protocol):
    """A connection that notes since when it has been waiting for its client."""

    def connection_made(self, transport: Any) -> None:
        """Called by asyncio."""
        super().connection_made(transport)
        transport.max_size = TAKEN_AT_ONCE
        self.waits_since = self.loop.time()  # for the head of a request
        self._unread, self._unread_since = 0, self.loop.time()  # bytes of an answer

    def on_response_complete(self) -> None:
        """Called by uvicorn."""
        self.waits_since = self.loop.time()
        super().on_response_complete()

    @property
    def has_request(self) -> bool:
        """Whether the head of a request has arrived that was not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def unread(self) -> int:
        """Bytes that the client did not take yet."""
        return self.transport.get_write_buffer_size()

    def close_if_stalled(self, timeout: float) -> None:
        """Close it, if it has waited for its client for over `timeout` seconds."""
        now, unread = self.loop.time(), self.unread
        if unread == 0 or unread <= self._unread - READING * timeout or unread > self._unread:
            self._unread, self._unread_since = unread, now
        elif now - self._unread_since > timeout:
            self.transport.abort()
            return
        if not self.has_request and not unread and now - self.waits_since > timeout:
            if self.conn.trailing_data[0] and not self.transport.is_closing():
                message = f"the headers of the request did not arrive within {timeout:g} seconds"
                self.transport.write(whole_answer(408, message))
            self.transport.close()


def config_of(app: Any) -> uvicorn.Config:
    """How an application is served."""
    return uvicorn.Config(
        app, http=Connection, ws="none", access_log=False, proxy_headers=False,
        server_header=False, log_level="error",  # warnings are about clients, and without limit
    )  # fmt: skip


def ignore_signals() -> None:
    """Let Ctrl-C and SIGTERM end a server alone: uvicorn raises them again once it has stopped."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


class Server(uvicorn.Server):
    """A server that closes connections that stall, and ends in time."""

    def __init__(self, config: uvicorn.Config, timeout: float, grace: float):
        """timeout: seconds that a client may stall. grace: seconds to end in, after a signal."""
        share = grace * 2 / 3  # ending TensorFlow takes seconds, too
        config.timeout_graceful_shutdown = share  # type: ignore[assignment]
        super().__init__(config)
        self.timeout, self.grace = timeout, grace

    def _open(self) -> list[Connection]:
        return [c for c in self.server_state.connections if isinstance(c, Connection)]

    def close_waiting(self) -> bool:
        """Close the connection that has waited longest without a request; whether there is one."""
        idle = [connection for connection in self._open() if not connection.has_request]
        if not idle:
            return False
        # rather one whose client has its answer
        longest = min(idle, key=lambda c: (c.unread > 0, c.waits_since))
        longest.transport.abort()
        return True

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn, ten times a second."""
        if counter % 5 == 0:
            for connection in self._open():
                connection.close_if_stalled(self.timeout)
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called on SIGINT and SIGTERM."""
        if not self.should_exit:  # threads that hang do not delay the end
            last = threading.Timer(self.grace, _end, [sig])
            last.daemon = True
            last.start()
        super().handle_exit(sig, frame)


def _end(number: int) -> None:
    logger.warning("ended by %s, though not all work was done", signal.Signals(number).name)
    os._exit(0)
