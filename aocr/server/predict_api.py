"""TensorFlow Serving's REST API: what its requests hold, and what it answers.

Row form has a list of images as `instances`, column form has them as `inputs`; an image is
{"b64": "..."}, the file in base64, by itself or as {"input": {"b64": "..."}}.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from aocr.server.queue import ServedLine

SIGNATURES = {
    "serving_default": ("output", "probability"),
    "read": ("output", "probability", "characters", "probabilities", "starts", "ends"),
}
IMAGE = {"type": "object", "required": ["b64"], "properties": {"b64": {"type": "string"}}}
PREDICT = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "signature_name": {"enum": list(SIGNATURES)},
                        "instances": {"type": "array", "minItems": 1, "items": IMAGE},
                        "inputs": {"type": "object", "properties": {"input": IMAGE}},
                    },
                }
            }
        },
    }
}


def images_of(body: Any) -> tuple[list[bytes], str, str]:
    """The images of a predict request, its form (row, column or scalar), and its signature.

    Raises ValueError.
    """
    if not isinstance(body, dict):
        raise ValueError("the request is not a JSON object; give instances or inputs")
    signature = body.get("signature_name") or "serving_default"
    if signature not in SIGNATURES:
        raise ValueError(f"signature_name {signature!r}: known are {', '.join(SIGNATURES)}")
    if ("instances" in body) == ("inputs" in body):
        raise ValueError("give either instances (a list) or inputs")
    if "instances" in body:
        given, form = body["instances"], "row"
        if not isinstance(given, list) or not given:
            raise ValueError("instances: give a list of images, one at least")
        given = [_input(item) if _is_named(item) else item for item in given]
    else:
        given, form = body["inputs"], "column"
        given = _input(given) if _is_named(given) else given
        if not isinstance(given, list):
            given, form = [given], "scalar"
        if not given:
            raise ValueError("inputs: give an image at least")
    return [_decoded(item, place) for place, item in enumerate(given)], form, signature


def _is_named(item: Any) -> bool:
    return isinstance(item, dict) and "b64" not in item


def _input(item: dict) -> Any:
    if set(item) != {"input"}:
        raise ValueError(f"inputs {sorted(map(str, item))[:3]}: the only one is 'input'")
    return item["input"]


def _decoded(item: Any, place: int) -> bytes:
    if not isinstance(item, dict) or set(item) != {"b64"} or not isinstance(item["b64"], str):
        raise ValueError(f'image {place}: give {{"b64": "..."}}, the file in base64')
    try:
        return base64.b64decode("".join(item["b64"].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"image {place}: not base64 ({error})") from error


def answer(read: Sequence[ServedLine], form: str, signature: str) -> dict[str, Any]:
    """The answer to a predict request."""
    names = SIGNATURES[signature]
    if form == "row":
        return {"predictions": [{name: getattr(line, name) for name in names} for line in read]}
    columns = {name: [getattr(line, name) for line in read] for name in names}
    if form == "scalar" and signature == "serving_default":
        columns = {name: values[0] for name, values in columns.items()}
    return {"outputs": columns}


def described(function: Any) -> dict[str, Any]:
    """A signature as TensorFlow Serving's metadata shows it."""

    def shown(specs: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {
                "dtype": f"DT_{'FLOAT' if spec.dtype.is_floating else 'STRING'}",
                "tensor_shape": {
                    "dim": [
                        {"size": str(-1 if size is None else size), "name": ""}
                        for size in (spec.shape if spec.shape.rank is not None else ())
                    ],
                    "unknown_rank": spec.shape.rank is None,
                },
                "name": spec.name,
            }
            for name, spec in specs.items()
        }

    return {
        "inputs": shown(function.structured_input_signature[1]),
        "outputs": shown(function.structured_outputs),
        "method_name": "tensorflow/serving/predict",
    }
