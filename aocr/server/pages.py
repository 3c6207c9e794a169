"""What the pages share: their style, and the headers that they are sent with."""

from pathlib import Path

STYLE = Path(__file__).resolve().parent / "style.css"
PAGE_HEADERS = {  # a page uses nothing from other servers, and cannot be embedded
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src blob: data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page_text(file: Path) -> str:
    """The HTML in a file, with style.css in the place of the comment that names it."""
    style = STYLE.read_text(encoding="utf-8")
    return file.read_text(encoding="utf-8").replace("/* style.css */\n", style)
