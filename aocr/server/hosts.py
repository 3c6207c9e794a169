"""The host names that requests may use.

A page of another site can have its own name point to this machine (DNS rebinding), and then read
what a server here answers. Its requests still name that site in the header Host. A page can also
send images here without reading the answers, to keep this machine busy: browsers name its site.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from ocr_simple.messages import shown

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]*))(?::\d+)?", re.IGNORECASE)
UNCHECKED = ("/healthz", "/readyz")  # orchestrators ask by the address of a container


def allowed_hosts(listening: str, allowed: Sequence[str]) -> frozenset[str] | None:
    """The names that a server which listens on `listening` answers to; None: all.

    allowed: further names; a port is not looked at. Raises ValueError for what is no name.
    """
    names = set()
    for given in allowed:
        name = _name_of(f"[{given}]" if given.count(":") > 1 and "[" not in given else given)
        if not name:
            raise ValueError(f"--allowed-host {given}: give a name or an address, without https://")
        names.add(name)
    if listening in LOOPBACK:
        names.update(LOOPBACK)
    return frozenset(names) or None


def _name_of(host: str) -> str:
    """The name or address in a header Host, in lower case; empty if there is none."""
    found = HOST.fullmatch(host)
    return (found[1] or found[2]).lower().rstrip(".") if found else ""


class HostMiddleware:
    """Answers 400 to requests for another host, and 403 to those that another site's page posts."""

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
        headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        refused = self._refusal(scope["method"], headers)
        answer = JSONResponse({"error": refused[1]}, refused[0]) if refused else self.app
        await answer(scope, receive, send)

    def _refusal(self, method: str, headers: Mapping[bytes, str]) -> tuple[int, str] | None:
        """(status, message) for a request that is refused."""
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if not self._allows(host):
            return 400, f"Host {shown(host)}: not a name of this server; {self.fix}"
        if method != "POST":
            return None
        if headers.get(b"sec-fetch-site") == "cross-site":
            return 403, "sent by a page of another site, which is not allowed"
        if origin is not None and not self._allows(origin.partition("://")[2]):
            return 403, f"Origin {shown(origin)}: a page of another site; {self.fix}"
        return None

    def _allows(self, host: str) -> bool:
        """Whether a name, perhaps with a port, is one of this server's."""
        return _name_of(host) in (self.allowed or ())
