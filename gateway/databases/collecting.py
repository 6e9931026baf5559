"""Collects rows until a cap is reached, on their number or on their bytes."""

from collections.abc import Sequence
from typing import Any

from gateway.databases.errors import AnswerTooLarge
from gateway.databases.limits import MAX_ANSWER_BYTES
from gateway.databases.model import DatabaseName, ResultSet


class RowCollector:
    """Rows of one answer. Feed it until `add` says no; one row more than `max_rows` tells that there are more."""

    def __init__(self, database: DatabaseName, max_rows: int) -> None:
        self._database = database
        self._max_rows = max_rows
        self._bytes_left = MAX_ANSWER_BYTES
        self._rows: list[tuple[Any, ...]] = []
        self._truncated = False

    def add(self, row: Sequence[Any]) -> bool:
        """Keep the row; False when it did not fit and no other will."""
        self._bytes_left -= rough_bytes(row)
        self._truncated = len(self._rows) >= self._max_rows or self._bytes_left < 0
        if not self._truncated:
            self._rows.append(tuple(row))
        return not self._truncated

    def result(self, columns: Sequence[str]) -> ResultSet:
        """What was kept.

        Raises:
            AnswerTooLarge: not even the first row fitted.
        """
        if self._truncated and not self._rows:
            raise AnswerTooLarge(self._database, "One row of the answer is too large; ask for less of it")
        return ResultSet(tuple(columns), tuple(self._rows), self._truncated)

    @property
    def rows_wanted(self) -> int:
        """How many more rows are worth fetching, the one that tells `truncated` included."""
        return 0 if self._truncated else self._max_rows + 1 - len(self._rows)


def rough_bytes(value: Any) -> int:
    """About how large a value is in JSON, without making it."""
    pending, total = [value], 0
    while pending:
        item = pending.pop()
        if isinstance(item, str | bytes | bytearray | memoryview):
            total += len(item) + 2
        elif isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            pending += item
            total += 2
        else:
            total += 8
    return total
