"""The platform's envelope around every answer, and the form of moments in JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify


def success(data: Any, message: str = "OK", *, status: int = 200, **beside: Any) -> Response:
    """`{"success": true, "message", "data"}`, with whatever else stands beside `data` (pagination, warnings)."""
    response = jsonify({"success": True, "message": message, "data": data, **beside})
    response.status_code = status
    return response


def no_content() -> Response:
    """204."""
    return Response(status=204)


def failure(status: int, error: str, message: str, details: list[dict[str, Any]], headers: Mapping[str, str] | None = None) -> Response:
    """`{"error", "message", "details"}`; `details` are Joi's `{message, path[], type}`, empty when no field is to blame."""
    response = jsonify({"error": error, "message": message, "details": details})
    response.status_code = status
    response.headers.update(headers or {})
    return response


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds and Z, as JavaScript writes it."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pages(page: int, limit: int, total: int) -> dict[str, Any]:
    """`pagination` of a list that is asked for by page; pages count from 1."""
    last = -(-total // limit)
    return {"page": page, "limit": limit, "totalCount": total, "totalPages": last, "hasNext": page < last, "hasPrev": page > 1}


def window(limit: int, offset: int, total: int) -> dict[str, Any]:
    """`pagination` of a list that is asked for by offset."""
    return {"limit": limit, "offset": offset, "totalCount": total, "hasNext": offset + limit < total, "hasPrev": offset > 0}
