"""Lines that were read, as the JSON of answers.

A large answer takes time, in which the server has to answer others: it is made in another process,
from functions and arguments that can be pickled.
"""

import json
from collections.abc import Sequence
from typing import Any

from aocr.server import predict_api
from aocr.server.served_line import ServedLine
from ocr_simple.images import ImageError

SMALL = 20_000  # numbers and texts in an answer, which take some milliseconds
PER_CHARACTER = 4  # text, confidence, start and end


def is_small(found: Sequence[ServedLine | ImageError]) -> bool:
    """Whether the answer takes so little time that it need not be made in another process."""
    lines = [item for item in found if isinstance(item, ServedLine)]
    return sum(PER_CHARACTER * len(line.characters) + line.maps.size for line in lines) <= SMALL


def of_predict(lines: Sequence[ServedLine], form: str, signature: str) -> bytes:
    """The answer to a predict request, in the form of the request."""
    return _json(predict_api.predictions(lines, form, signature))


def of_uploads(
    found: Sequence[ServedLine | ImageError], names: Sequence[str], maps: bool, version: int
) -> bytes:
    """The answer to uploads; names: of the files."""
    lines = [_of_upload(name, item, maps) for name, item in zip(names, found)]
    return _json({"lines": lines, "version": version})


def _of_upload(name: str, item: ServedLine | ImageError, maps: bool) -> dict[str, Any]:
    if isinstance(item, ImageError):
        return {"name": name, "error": str(item)}
    keys = ("text", "confidence", "start", "end")
    rows = zip(item.characters, item.probabilities, item.starts, item.ends)
    characters: list[dict[str, Any]] = [dict(zip(keys, row)) for row in rows]
    if maps:  # float32 would have nine digits
        for character, seen in zip(characters, item.maps.astype(float).round(3).tolist()):
            character["map"] = seen
    return {
        "name": name,
        "text": item.output,
        "confidence": item.probability,
        **({"cropped": True} if item.cropped else {}),  # positions are those in the model's box
        "characters": characters,
    }


def _json(content: Any) -> bytes:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()
