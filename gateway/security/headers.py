"""What every response says to a browser: security headers, who may read it from another origin, and how it is compressed."""

import re

from flask import Flask, Response, request
from flask_compress import Compress
from flask_cors import CORS
from flask_talisman import Talisman

from config.groups import EdgeSettings

METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
# The four that the platform's clients know, then what the contract's own endpoints read.
ALLOWED_HEADERS = ["Content-Type", "Authorization", "X-Request-ID", "X-Tenant-ID", "Idempotency-Key", "Prefer"]
EXPOSED_HEADERS = [
    "X-Request-ID",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "ETag",
    "Age",
    "Cache-Status",
    "Preference-Applied",
    "X-Fallback-Available",
    "WWW-Authenticate",
]
PREFLIGHT_SECONDS = 600
ENCODINGS = ("zstd", "br", "gzip")
SMALLEST_COMPRESSED_BYTES = 500
# Everything from this origin, nothing inline: the page of /api/docs brings its scripts as files. Swagger UI draws its icons as data: URLs.
CONTENT_SECURITY_POLICY = {
    "default-src": "'self'",
    "base-uri": "'self'",
    "font-src": "'self' data:",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "script-src": "'self'",
    "script-src-attr": "'none'",
    "style-src": "'self'",
}
# What Helmet sends besides, by name and value (https://helmetjs.github.io).
HELMET_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}
PLAIN_HTTP_ENDPOINTS = ("health.livez", "health.readyz", "health.health")  # a prober inside the cluster speaks plain HTTP


def install_security_headers(app: Flask, edge: EdgeSettings) -> None:
    """Helmet's headers by Flask-Talisman, and those it does not know."""
    talisman = Talisman(
        app,
        force_https=edge.force_https,
        strict_transport_security=edge.force_https,
        content_security_policy=CONTENT_SECURITY_POLICY,
        referrer_policy="no-referrer",
        frame_options="SAMEORIGIN",
    )
    for endpoint in PLAIN_HTTP_ENDPOINTS:
        if endpoint in app.view_functions:
            talisman(force_https=False)(app.view_functions[endpoint])

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in HELMET_HEADERS.items():
            response.headers.setdefault(name, value)
        if request.headers.get("Origin") in edge.allowed_origins:
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def install_cors(app: Flask, edge: EdgeSettings) -> None:
    """Answer preflights, and the plain question what a path allows, with 204; only the configured origins get CORS headers."""

    @app.before_request
    def answer_preflight() -> Response | None:
        is_preflight = request.method == "OPTIONS" and "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if is_preflight else None

    CORS(
        app,
        origins=[re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in edge.allowed_origins],
        methods=METHODS,
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        supports_credentials=True,
        always_send=False,
        max_age=PREFLIGHT_SECONDS,
    )

    @app.after_request
    def empty_options(response: Response) -> Response:
        if request.method == "OPTIONS" and response.status_code == 200:  # Flask's own answer: an empty page of HTML
            response.status_code = 204
            response.headers.pop("Content-Type", None)
        return response

    @app.after_request
    def vary(response: Response) -> Response:
        response.vary.add("Origin")
        return response


def install_compression(app: Flask) -> None:
    """Compress bodies of at least 500 bytes when the client asks: zstd, br or gzip."""
    app.config["COMPRESS_REGISTER"] = False
    app.config["COMPRESS_ALGORITHM"] = list(ENCODINGS)
    app.config["COMPRESS_ALGORITHM_STREAMING"] = list(ENCODINGS)
    app.config["COMPRESS_MIN_SIZE"] = SMALLEST_COMPRESSED_BYTES
    compress = Compress(app)

    @app.after_request
    def compressed(response: Response) -> Response:
        response.vary.add("Accept-Encoding")
        # Flask-Compress takes `gzip;q=0` for a wish; RFC 9110 §12.5.3 means "not acceptable" by it.
        if any(request.accept_encodings.quality(encoding) > 0 for encoding in ENCODINGS):
            return compress.after_request(response)
        return response
