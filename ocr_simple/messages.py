"""Text as messages, tables and logs show it: without control characters, and not too long."""

import json
import re
import unicodedata
from typing import Any

NOTHING = "∅"  # stands for empty text
SHOWN = 200  # characters of an alphabet or another value that a message has at most
# Characters that change how the text around them is shown, or break it: control characters (ESC
# begins the commands of a terminal), line separators, bidi controls, and invisible ones. Joiners
# stay, as they are part of the spelling of Persian, Hindi and others.
HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f"
)
CONTROLS = re.compile(f"[{HIDDEN}]")
LAYOUT = "\n\t"  # the control characters that a message of several rows has


def escape_controls(text: str) -> str:
    """`text` on one line: line breaks and what else is in CONTROLS are replaced by escapes."""
    return CONTROLS.sub(_escaped, text)


def escape_message(text: str) -> str:
    """As `escape_controls`, for a message of several rows: line breaks and tabs stay."""
    return CONTROLS.sub(lambda found: found[0] if found[0] in LAYOUT else _escaped(found), text)


def escape_json(text: str) -> str:
    """JSON in which what is in CONTROLS is escaped, so that it can be printed; the same values."""
    return CONTROLS.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def printable(text: str) -> str:
    """As `escape_controls`, and valid Unicode: file names may hold other bytes."""
    return escape_controls(text).encode(errors="backslashreplace").decode()


def visible(text: str) -> str:
    """`text` with empty text, extra spaces, control characters and lone accents made visible."""
    text = re.sub(r"^ | $|(?<= ) ", "␣", printable(text)) or NOTHING
    return f"◌{text}" if unicodedata.combining(text[0]) else text


def shortened(text: str) -> str:
    """`text` for a message: only its beginning if it is long."""
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def shown(value: Any) -> str:
    """A value for a message, as Python writes it: only its beginning if it is long."""
    return shortened(repr(value))


def reason_of(error: Exception, line: int = 0) -> str:
    """What an error says, for a message: one line of it, or its kind if it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shortened(escape_controls(lines[line].strip()))


def counted(number: int, thing: str) -> str:
    """A number of things whose plural ends in s: 1 image, 1,200 images."""
    return f"{number:,} {thing}" + "s" * (number != 1)


def first_ten(items: list[str]) -> str:
    """The first ten items, each on a new line, and how many more there are."""
    more = [f"... and {len(items) - 10} more"] if len(items) > 10 else []
    return "".join(f"\n  {item}" for item in items[:10] + more)
