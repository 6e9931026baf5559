"""What pydantic finds wrong, in plain words. Source: https://docs.pydantic.dev/latest/errors/validation_errors/"""

from pydantic_core import ErrorDetails

PLAIN_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "datetime_type": "must be a moment such as 2026-01-31T12:00:00Z",
    "datetime_parsing": "must be a moment such as 2026-01-31T12:00:00Z",
    "datetime_from_date_parsing": "must be a moment such as 2026-01-31T12:00:00Z",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "does not match {pattern}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}


def in_plain_words(error: ErrorDetails) -> str:
    """What is wrong, to stand behind the name of a field; never the value itself."""
    template = PLAIN_WORDS.get(error["type"])
    return template.format(**error.get("ctx", {})) if template else error["msg"].removeprefix("Value error, ")
