"""The documentation: the OpenAPI document, a page that renders it from local files, and a page for each kind of problem."""

from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, current_app, json
from werkzeug.exceptions import NotFound

from gateway.api.answers import conditional
from gateway.api.openapi import build_document
from gateway.api.operations import operation
from gateway.recovery.problem_types import BY_SLUG
from gateway.security.scopes import public
from gateway.version import NAME

blueprint = Blueprint("docs", __name__)
SWAGGER_PACKAGE = "flask_openapi3_swagger"  # a wheel that brings Swagger UI's files; only its files are used, it is never imported
OWN = Path(__file__).parent / "static"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "icon.svg")
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{NAME}</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="icon" href="/api/docs/icon.svg" type="image/svg+xml">
</head>
<body>
<div id="documentation"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""


@blueprint.get("/api/openapi.json")
@public
@operation("The OpenAPI 3.1 document", answers={200: "application/json"})
def openapi() -> Response:
    """Generated from the code."""
    return _cached(Response(json.dumps(build_document(current_app), sort_keys=False), mimetype="application/json"))


@blueprint.get("/api/docs")
@public
@operation("The documentation as a page", answers={200: "text/html"})
def page() -> Response:
    """Swagger UI, from local files."""
    return _cached(Response(PAGE, mimetype="text/html"))


@blueprint.get("/api/docs/<name>")
@public
@operation("A file of the documentation page", answers={200: "text/javascript"}, problems=(404,))
def asset(name: str) -> Response:
    """Scripts and styles of the page."""
    if name not in ASSETS:
        raise NotFound
    return _cached(Response(_content(name), mimetype=MEDIA_TYPES[Path(name).suffix]))


@blueprint.get("/problems/<slug>")
@public
@operation("What a kind of problem means", answers={200: "text/html"}, problems=(404,))
def problem(slug: str) -> Response:
    """The page behind the `type` of a problem."""
    kind = BY_SLUG.get(slug)
    if kind is None:
        raise NotFound
    heading, meaning = escape(kind.title), escape(kind.meaning)
    html = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{heading}</title><h1>{heading}</h1><p>{meaning}</p></html>'
    return _cached(Response(html, mimetype="text/html"))


def _cached(response: Response) -> Response:
    response.cache_control.max_age = 60
    response.add_etag(weak=True)
    return conditional(response)


@cache
def _content(name: str) -> bytes:
    own = OWN / name
    return (own if own.is_file() else _swagger() / Path(name).suffix.removeprefix(".") / name).read_bytes()


def _swagger() -> Path:
    spec = find_spec(SWAGGER_PACKAGE)
    if spec is None or spec.origin is None:
        raise NotFound
    return Path(spec.origin).parent / "templates" / "swagger"
