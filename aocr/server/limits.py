"""ASGI middleware: requests must be small enough and arrive in time; each is counted and timed.

The bodies of all requests together are limited too: many clients may send large ones at once. The
work on a request is stopped if its client leaves.
"""

import asyncio
import time
from typing import Any

from fastapi import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from aocr.server.service import Service


class LimitsMiddleware:
    """Applies --max-body and --timeout to the body of every request."""

    def __init__(self, app: Any, service: Service):
        self.app, self.service = app, service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = _declared(scope["headers"])
        request, metrics = _Request(receive, send, self.service, declared), self.service.metrics
        request.work = asyncio.ensure_future(self.app(scope, request.receive, request.send))
        try:
            await request.work
        except ClientDisconnect:  # nobody is left to answer
            request.status = 499
        except asyncio.CancelledError:  # as the client left, or the server ends
            if request.left:
                request.status = 499
            elif not request.answered:
                stopping = {"error": "the server is stopping; try again later"}
                answer = JSONResponse(stopping, 503, {"Retry-After": "1"})
                await answer(scope, receive, request.send)
        finally:
            request.end()
            self.service.open_bytes -= request.size
            route = getattr(scope.get("route"), "path", "none")
            metrics.requests.labels(route, str(request.status)).inc()
            metrics.seconds.labels(route).observe(time.monotonic() - request.started)


def _declared(headers: Any) -> int:
    """The bytes that a body has according to its header; 0 without one."""
    given = next((value for name, value in headers if name == b"content-length"), b"0")
    return int(given) if given.isdigit() else 0


class _Request:
    """A request whose body arrives within limits, and the status of its answer."""

    def __init__(self, receive: Any, send: Any, service: Service, declared: int):
        """declared: bytes of the body, as the client says."""
        self._receive, self._send, self.service = receive, send, service
        self.declared = declared
        self.started, self.size, self.complete = time.monotonic(), 0, False
        self.status, self.answered = 500, False
        self.work: asyncio.Future | None = None  # the application's, on this request
        self.left = False  # whether the client did
        self._watch: asyncio.Task | None = None  # looks whether it does

    async def receive(self) -> Any:
        """The next part of the body. Raises HTTPException."""
        if self.complete:  # only a disconnect of the client can follow
            return await self._receive()
        timeout, max_body = self.service.options.timeout, self.service.options.max_body
        if self.declared > max_body:  # it need not arrive
            raise HTTPException(413, f"the request is over the limit of {max_body:,} bytes")
        try:
            async with asyncio.timeout(self.started + timeout - time.monotonic()):
                part = await self._receive()
        except TimeoutError:
            message = f"the request did not arrive within {timeout:g} seconds"
            raise HTTPException(408, message) from None
        received = len(part.get("body", b""))
        self.size += received
        self.service.open_bytes += received
        if self.size > max_body:
            raise HTTPException(413, f"the request is over the limit of {max_body:,} bytes")
        self._leave_room()
        self.complete = not part.get("more_body")
        if self.complete:
            self._watch = asyncio.create_task(self._stop_if_left())
        return part

    async def _stop_if_left(self) -> None:
        """Stop the work if the client leaves before it has its answer."""
        await self._receive()  # only a disconnect can follow
        if not self.answered and self.work:
            self.left = True
            self.work.cancel()

    def end(self) -> None:
        """No longer watch the client."""
        if self._watch:
            self._watch.cancel()

    def _leave_room(self) -> None:
        """Refuse a request if all together are too large. Raises HTTPException.

        Each may have an equal share of the limit, so that large requests do not keep out small
        ones. So all together have at most twice the limit.
        """
        options = self.service.options
        share = options.max_bodies // options.max_connections
        if self.service.open_bytes > options.max_bodies and self.size > share:
            message = "the server holds many large requests; try again later"
            raise HTTPException(503, message, {"Retry-After": "5"})

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        self.status, self.answered = message.get("status", self.status), True
        await self._send(message)
