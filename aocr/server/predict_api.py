"""TensorFlow Serving's REST API: the JSON of its requests and answers.

The row form has a list of images as `instances`, the column form as `inputs`. An image is
{"b64": "..."}, the encoded file in base64, by itself or as {"input": {"b64": "..."}}.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from aocr.server.served_line import ServedLine
from ocr_simple.messages import shown

ANSWERED = {
    "serving_default": ("output", "probability"),
    "read": ("output", "probability", "characters", "probabilities", "starts", "ends"),
}
IMAGE = {"type": "object", "required": ["b64"], "properties": {"b64": {"type": "string"}}}
PREDICT = {  # in the OpenAPI document
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "signature_name": {"enum": list(ANSWERED)},
                        "instances": {"type": "array", "minItems": 1, "items": IMAGE},
                        "inputs": {"type": "object", "properties": {"input": IMAGE}},
                    },
                }
            }
        },
    }
}


# --- requests ---------------------------------------------------------------------------------


def parse_body(body: bytes) -> tuple[list[bytes], str, str]:
    """As `parse_request`, of JSON. Raises ValueError."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request cannot be read as JSON: {error}") from None
    return parse_request(request)


def parse_request(body: Any) -> tuple[list[bytes], str, str]:
    """(images, form, signature) of a predict request; form: row, column or scalar.

    Raises ValueError.
    """
    if not isinstance(body, dict):
        raise ValueError("the request is not a JSON object; give instances or inputs")
    signature = body.get("signature_name") or "serving_default"
    if not isinstance(signature, str) or signature not in ANSWERED:
        raise ValueError(f"signature_name {shown(signature)}: choose from {', '.join(ANSWERED)}")
    if ("instances" in body) == ("inputs" in body):
        raise ValueError("give either instances (a list) or inputs")
    if "instances" in body:
        given, form = body["instances"], "row"
        if not isinstance(given, list) or not given:
            raise ValueError("instances: give a list of at least one image")
        given = [_input(item) if _is_named(item) else item for item in given]
    else:
        given, form = body["inputs"], "column"
        given = _input(given) if _is_named(given) else given
        if not isinstance(given, list):
            given, form = [given], "scalar"
        if not given:
            raise ValueError("inputs: give at least one image")
    return [_decoded(item, index) for index, item in enumerate(given)], form, signature


def _is_named(item: Any) -> bool:
    return isinstance(item, dict) and "b64" not in item


def _input(item: dict) -> Any:
    if set(item) != {"input"}:
        raise ValueError(f"inputs {shown(sorted(item)[:3])}: the only one is 'input'")
    return item["input"]


def _decoded(item: Any, index: int) -> bytes:
    if not isinstance(item, dict) or set(item) != {"b64"} or not isinstance(item["b64"], str):
        raise ValueError(f'image {index}: give {{"b64": "..."}}, the file in base64')
    try:
        return base64.b64decode("".join(item["b64"].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"image {index}: not base64 ({error})") from error


# --- answers ----------------------------------------------------------------------------------


def predictions(lines: Sequence[ServedLine], form: str, signature: str) -> dict[str, Any]:
    """The answer to a predict request, in the form of the request."""
    names = ANSWERED[signature]
    if form == "row":
        return {"predictions": [{name: getattr(line, name) for name in names} for line in lines]}
    columns = {name: [getattr(line, name) for line in lines] for name in names}
    if form == "scalar" and signature == "serving_default":
        columns = {name: values[0] for name, values in columns.items()}
    return {"outputs": columns}


def version_status(version: int) -> dict[str, Any]:
    """The answer to a status request for a version that is served."""
    status = {"error_code": "OK", "error_message": ""}
    found = {"version": str(version), "state": "AVAILABLE", "status": status}
    return {"model_version_status": [found]}


def metadata(name: str, version: int) -> dict[str, Any]:
    """The answer to a metadata request, which is the same for all models."""
    signatures = {
        signature: {
            "inputs": {"input": _tensor("input", signature)},
            "outputs": {output: _tensor(output, signature) for output in outputs},
            "method_name": "tensorflow/serving/predict",
        }
        for signature, outputs in ANSWERED.items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _tensor(name: str, signature: str) -> dict[str, Any]:
    """An input or output, as TensorFlow Serving describes it; of the SavedModel's signatures."""
    unknown = signature == "serving_default"  # a scalar or a batch
    rank = 0 if unknown else 1 if name in ("input", "output", "probability") else 2
    return {
        "dtype": "DT_STRING" if name in ("input", "output", "characters") else "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}] * rank, "unknown_rank": unknown},
        "name": name,
    }
