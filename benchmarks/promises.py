"""What clients were promised by their answers (executions, recoveries), and what the rows say became of it."""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2

ENDED_WELL = frozenset({"completed", "recovered"})
ENDED = ENDED_WELL | {"failed", "cancelled"}
LOST = "lost"  # promised, and no row of it

EXECUTIONS = "SELECT id, status FROM executions WHERE id = ANY(%s)"
# An id whose recovery was merged into another one is as good as that.
RECOVERIES = """
    SELECT given.id, carried.status FROM recoveries given JOIN recoveries carried ON carried.id = coalesce(given.superseded_by, given.id)
    WHERE given.id = ANY(%s)
"""
OUTBOX = "SELECT count(*) FROM outbox WHERE due_at <= now()"


@dataclass(frozen=True)
class Promises:
    """The ids that answers gave."""

    executions: frozenset[str]
    recoveries: frozenset[str]

    def kept(self, url: str) -> bool:
        """Whether every execution completed, every recovery ended, and nothing waits in the outbox."""
        executions, recoveries = self.standing(url)
        return set(executions) <= ENDED_WELL and set(recoveries) <= ENDED and not waiting(url)

    def standing(self, url: str) -> tuple[Counter[str], Counter[str]]:
        """The statuses of the executions and of the recoveries; `lost` for those without a row."""
        return _statuses(url, EXECUTIONS, self.executions), _statuses(url, RECOVERIES, self.recoveries)


def promises_in(bodies: Iterable[bytes]) -> Promises:
    """From the bodies of answers: a started execution's, or a problem's whose recovery was left to a worker."""
    answers = [json.loads(body) for body in bodies if body]
    executions = ((answer.get("data") or {}).get("executionId") for answer in answers)
    recoveries = ((answer.get("recovery") or {}).get("recoveryId") for answer in answers)
    return Promises(frozenset(filter(None, executions)), frozenset(filter(None, recoveries)))


def waiting(url: str) -> int:
    """Messages that are due and were not sent."""
    ((count,),) = rows_of(url, OUTBOX)
    return int(count)


def rows_of(url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of one statement, past the gateway."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _statuses(url: str, statement: str, ids: frozenset[str]) -> Counter[str]:
    found = dict(rows_of(url, statement, list(ids)))
    return Counter(found.get(each, LOST) for each in ids)
