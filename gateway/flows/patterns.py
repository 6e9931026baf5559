"""Regular expressions that clients write, matched in linear time: CEL's engine (RE2 syntax), never Python's backtracking one."""

from gateway.errors import GatewayError
from gateway.flows.compiling import compile_expression

NAMES = frozenset({"text", "pattern"})
MAX_PATTERN = 1_000  # characters


def matches_pattern(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text, as JSON Schema's `pattern` means it; an unreadable one matches nothing."""
    if len(pattern) > MAX_PATTERN:
        return False
    try:
        return bool(compile_expression("text.matches(pattern)", NAMES).evaluate({"text": text, "pattern": pattern}))
    except GatewayError:
        return False


def is_pattern(pattern: object) -> bool:
    """Whether it is a pattern that the engine can read."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        return False
    try:
        compile_expression("text.matches(pattern)", NAMES).evaluate({"text": "", "pattern": pattern})
    except GatewayError:
        return False
    return True
