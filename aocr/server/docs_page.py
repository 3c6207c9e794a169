"""The OpenAPI document, and the page `/docs` that says the same, without another server's help.

Both are made once, because any client can ask for them any number of times.
"""

import functools
import json
from html import escape
from typing import Any

from fastapi import FastAPI

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1.25rem; max-width: 55rem; font: 1rem/1.5 system-ui, sans-serif; }
h2 { margin: 2rem 0 0; font: 600 1.1rem ui-monospace, monospace; overflow-wrap: anywhere; }
p { margin: .25rem 0; } dl { display: grid; grid-template-columns: auto 1fr; gap: 0 1rem; }
dt { font-weight: 600; } dd { margin: 0; } pre { overflow-x: auto; }
"""


@functools.cache
def document(app: FastAPI) -> bytes:
    """The OpenAPI document of an application."""
    return json.dumps(app.openapi(), ensure_ascii=False).encode()


@functools.cache
def page(app: FastAPI) -> str:
    """The page for people."""
    api = app.openapi()
    title, about = escape(api["info"]["title"]), escape(api["info"].get("description", ""))
    operations = [
        _operation(path, method, operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{title}</title>\n<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n'
        f"</head>\n<body>\n<h1>{title}</h1>\n<p>{about} The same as an OpenAPI document: "
        f'<a href="openapi.json">openapi.json</a>.</p>\n{"".join(operations)}</body>\n</html>\n'
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [f"<h2>{escape(method.upper())} {escape(path)}</h2>"]
    parts += [f"<p>{escape(operation.get('description', ''))}</p>"]
    body = operation.get("requestBody", {}).get("content", {})
    given = [(p["name"], f"in the {p['in']}") for p in operation.get("parameters", [])]
    given += [(f"body, {kind}", json.dumps(part["schema"])) for kind, part in body.items()]
    answers = [(code, part["description"]) for code, part in operation["responses"].items()]
    for name, rows in (("Parameters", given), ("Responses", answers)):
        if rows:
            listed = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows)
            parts.append(f"<p>{name}</p>\n<dl>{''.join(listed)}</dl>")
    return "\n".join(parts) + "\n"
