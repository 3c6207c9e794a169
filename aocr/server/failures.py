"""ASGI middleware: logs an unexpected error once, shortened, and answers without its details.

FastAPI's handler of Exception is not enough: afterwards the error is raised again, and uvicorn logs
all of it. TensorFlow's errors can hold the bytes of an image.
"""

import logging
import traceback
from typing import Any

from starlette.responses import JSONResponse

from ocr_simple.messages import shortened

logger = logging.getLogger("ocr_simple")
LOGGED_LINES = 60  # of a traceback


class FailureMiddleware:
    """Answers 500 to requests on which the application fails."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request."""
        begun = False

        async def noted(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            if scope["type"] != "http":
                raise
            lines = "".join(traceback.format_exception(error)).splitlines()
            cut = "\n".join(shortened(line) for line in lines[-LOGGED_LINES:])
            logger.error("%s %s\n%s", scope["method"], shortened(scope["path"]), cut)
            if not begun:
                message = "internal error; the server's log has the details"
                await JSONResponse({"error": message}, 500)(scope, receive, send)
