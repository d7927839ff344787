"""``/api/docs``: the OpenAPI document as one readable page, without scripts or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-family:ui-monospace,monospace}h2{margin-top:2.5rem;border-top:1px solid #8886;padding-top:1rem}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}table{border-collapse:collapse}"
)


def docs_page(document: Mapping[str, Any]) -> str:
    """Render *document* (OpenAPI 3) as HTML."""
    info = document["info"]
    sections = "".join(
        _operation(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(info["title"])}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('description', ''))}</p>"
        f'<p>Machine-readable: <a href="openapi.json">openapi.json</a></p>{sections}</body></html>'
    )


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    parameters = "".join(_parameter(parameter) for parameter in operation.get("parameters", ()))
    table = f"<table><tr><th>Parameter</th><th>Meaning</th></tr>{parameters}</table>" if parameters else ""
    fields = ", ".join(f"<code>{escape(name)}</code>" for name in _row_fields(document, operation))
    return (
        f"<h2><code>{method.upper()} /api{escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>{table}"
        f"<p>Each of <code>data</code>: {fields}</p>"
    )


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter.get("schema", {})
    text = parameter.get("description") or schema.get("description") or ""
    default = f" Default: {schema['default']!r}." if schema.get("default") not in (None, "") else ""
    return f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(text + default)}</td></tr>"


def _row_fields(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    """Give the names of the answer's fields: follow the 200's Page model to its row model."""
    # a stream has no rows
    told = operation["responses"]["200"].get("content", {}).get("application/json", {})
    row = _resolved(document, told.get("schema", {})).get("properties", {}).get("data", {}).get("items", {})
    yield from _resolved(document, row).get("properties", {})


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found
