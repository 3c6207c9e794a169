"""ASGI middleware: requests must be small enough and arrive in time; each is counted and timed."""

import asyncio
import time
from typing import Any

from fastapi import HTTPException
from starlette.requests import ClientDisconnect

from aocr.options import ServeOptions
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
        request, metrics = _Request(receive, send, self.service.options), self.service.metrics
        try:
            await self.app(scope, request.receive, request.send)
        except ClientDisconnect:  # nobody is left to answer
            request.status = 499
        finally:
            route = getattr(scope.get("route"), "path", "none")
            metrics.requests.labels(route, str(request.status)).inc()
            metrics.seconds.labels(route).observe(time.monotonic() - request.started)


class _Request:
    """A request whose body arrives within limits, and the status of its answer."""

    def __init__(self, receive: Any, send: Any, options: ServeOptions):
        self._receive, self._send, self.options = receive, send, options
        self.started, self.size, self.complete = time.monotonic(), 0, False
        self.status = 500

    async def receive(self) -> Any:
        """The next part of the body. Raises HTTPException."""
        if self.complete:  # only a disconnect of the client can follow
            return await self._receive()
        timeout, max_body = self.options.timeout, self.options.max_body
        try:
            async with asyncio.timeout(self.started + timeout - time.monotonic()):
                part = await self._receive()
        except TimeoutError:
            message = f"the request did not arrive within {timeout:g} seconds"
            raise HTTPException(408, message) from None
        self.size += len(part.get("body", b""))
        if self.size > max_body:
            raise HTTPException(413, f"the request is over the limit of {max_body:,} bytes")
        self.complete = not part.get("more_body")
        return part

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        self.status = message.get("status", self.status)
        await self._send(message)
