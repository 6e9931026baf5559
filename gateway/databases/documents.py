"""Documents as rows: the columns are the fields that occur, in the order of their first appearance."""

from collections.abc import Sequence
from typing import Any

MAX_COLUMNS = 1000


def as_table(items: Sequence[Any]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows. A document without a field has None there.

    Values that are no documents, or documents with more than MAX_COLUMNS fields between them, stand whole in one column, `value`.
    """
    columns: dict[str, None] = {}
    for item in items:
        if not isinstance(item, dict):
            return ("value",), [(item,) for item in items]
        columns.update(dict.fromkeys(item))
        if len(columns) > MAX_COLUMNS:
            return ("value",), [(item,) for item in items]
    names = tuple(columns)
    return names, [tuple(item.get(name) for name in names) for item in items]
