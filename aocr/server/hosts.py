"""The host names by which the server may be asked.

A page of another site can have its own name point to this machine (DNS rebinding), and then read
what a server here answers. Its requests still name that site in the header Host.
"""

import re
from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse

from ocr_simple.text import shown

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]*))(?::\d+)?", re.IGNORECASE)
UNCHECKED = ("/healthz", "/readyz")  # orchestrators ask by the address of a container


def allowed_hosts(listening: str, allowed: Sequence[str]) -> frozenset[str] | None:
    """The names that a server which listens on `listening` answers to; None: all."""
    if listening in LOOPBACK:
        return frozenset({*LOOPBACK, *map(str.lower, allowed)})
    return frozenset(map(str.lower, allowed)) or None


class HostMiddleware:
    """Answers 400 to requests for another host."""

    def __init__(
        self,
        app: Any,
        allowed: frozenset[str] | None,
        fix: str = "start it with --allowed-host NAME to allow it",
    ):
        """fix: what to do about a name that is refused, for the message."""
        self.app, self.allowed, self.fix = app, allowed, fix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request."""
        if scope["type"] != "http" or self.allowed is None or scope["path"] in UNCHECKED:
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"host"), b"")
        found = HOST.fullmatch(given.decode("latin-1"))
        if found and (found[1] or found[2]).lower().rstrip(".") in self.allowed:
            await self.app(scope, receive, send)
            return
        name = shown(given.decode("latin-1"))
        message = f"Host {name}: not a name of this server; {self.fix}"
        await JSONResponse({"error": message}, 400)(scope, receive, send)
