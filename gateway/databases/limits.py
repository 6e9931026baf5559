"""The bounds of one read. What is larger is refused or cut, so that no caller can fill a process."""

MAX_STATEMENT_BYTES = 1024 * 1024
MAX_PARAMETERS = 10_000
MAX_ROWS = 10_000
DEFAULT_ROWS = 1_000
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_WIRE_BYTES = 8 * MAX_ANSWER_BYTES  # received of one read by a driver that takes whole rows or blocks, before they can be cut
MIN_TIMEOUT_MS = 10
MAX_TIMEOUT_MS = 30_000
POOL_WAIT_SECONDS = 1.0  # for a connection while all are in use: by then a server that answers would have freed one
FALLBACK_AFTER_SECONDS = 1.5  # what a first choice may say nothing for, where another store can answer in its place


def default_timeout_ms(limit_seconds: float) -> int:
    """The time of a read whose caller names none, from the database's own limit."""
    return max(MIN_TIMEOUT_MS, min(MAX_TIMEOUT_MS, round(limit_seconds * 1000)))
