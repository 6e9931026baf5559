"""Moments and intervals that Python cannot hold (infinity, before Christ, after 9999, 24:00) come as the text that PostgreSQL writes.

Left alone, psycopg2 raises ValueError for some of them and makes the largest date of others.
Source: https://www.postgresql.org/docs/current/datatype-datetime.html (special values), psycopg2.extensions.new_type.
"""

from typing import Any

from psycopg2 import extensions

# The driver's own caster, and the OID of the type's array (pg_type.dat).
KINDS = (
    ("DATE", extensions.PYDATE, (1182,)),
    ("TIMESTAMP", extensions.PYDATETIME, (1115,)),
    ("TIMESTAMPTZ", extensions.PYDATETIMETZ, (1185,)),
    ("TIME", extensions.PYTIME, (1183, 1270)),
    ("INTERVAL", extensions.PYINTERVAL, (1187,)),
)
MISREAD = ("infinity", "-infinity", "24:")  # what the driver turns into another moment instead of refusing it


def _or_text(caster: Any) -> Any:
    def cast(text: str | None, cursor: Any) -> Any:
        if text is not None and text.startswith(MISREAD):
            return text
        try:
            return caster(text, cursor)
        except (ValueError, OverflowError):
            return text

    return cast


_MOMENTS = [(extensions.new_type(caster.values, name, _or_text(caster)), name, arrays) for name, caster, arrays in KINDS]
_TYPES = [each for kind, name, arrays in _MOMENTS for each in (kind, extensions.new_array_type(arrays, f"{name}[]", kind))]


def register(connection: extensions.connection) -> None:
    """Let this connection hand out such moments as text."""
    for kind in _TYPES:
        extensions.register_type(kind, connection)
