"""The bounds of one read. What is larger is refused or cut, so that no caller can fill a process."""

MAX_STATEMENT_BYTES = 1024 * 1024
MAX_PARAMETERS = 10_000
MAX_ROWS = 10_000
DEFAULT_ROWS = 1_000
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MIN_TIMEOUT_MS = 10
MAX_TIMEOUT_MS = 30_000
DEFAULT_TIMEOUT_MS = 5_000
