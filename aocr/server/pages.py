"""What the pages share: parts of them, and the headers that they are sent with."""

import functools
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
PART = re.compile(r"^ *(?:/\*|<!--) (\w+\.(?:css|html|js)) (?:\*/|-->)\n", re.M)
PAGE_HEADERS = {  # a page uses nothing from other servers, and cannot be embedded
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src blob: data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _part(file: Path, name: str) -> Path:
    """The part that a file names."""
    beside = file.with_name(name)
    return beside if beside.is_file() else HERE / name


@functools.cache
def page_text(file: Path) -> str:
    """The text of a page, with the parts in the places of the comments that name their files.

    A part is beside the file that names it, or else beside this module. It may name others.
    """
    text = file.read_text(encoding="utf-8")
    return PART.sub(lambda found: page_text(_part(file, found[1])), text)
