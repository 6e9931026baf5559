"""The parameters of a run against their declarations.

`validation` of a declaration takes the words of JSON Schema that fit a single value: `minimum`, `maximum`, `minLength`, `maxLength`,
`pattern`, `enum`, `minItems`, `maxItems` (and `min`, `max`, which the platform's definitions write). Other words are ignored.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.errors import FieldError, InvalidInput
from gateway.flows.limits import find_excess, pointer_to
from gateway.flows.model import FlowDefinition, Parameter
from gateway.flows.patterns import matches_pattern


def check_parameters(flow: FlowDefinition, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run: those given, and defaults for the rest.

    A parameter that is neither given, required nor defaulted is absent (`has(parameters.x)` is false). Null counts as given only when
    the declared default is null.

    Raises:
        InvalidInput: a parameter is unknown, missing, of another type, or breaks its `validation`; pointers are `/parameters/<name>`.
    """
    if excess := find_excess(given):
        raise InvalidInput(f"The parameters are not usable: {excess.detail}", [FieldError("/parameters" + excess.pointer, excess.detail)])
    declared = {parameter.name: parameter for parameter in flow.parameters}
    problems = [FieldError(pointer_to("parameters", name), "is not a parameter of this flow") for name in given if name not in declared]
    values: dict[str, Any] = {}
    for parameter in flow.parameters:
        if parameter.name in given:
            values[parameter.name] = given[parameter.name]
            problems += _problems(parameter, given[parameter.name])
        elif parameter.has_default:
            values[parameter.name] = parameter.default
        elif parameter.required:
            problems.append(FieldError(pointer_to("parameters", parameter.name), "is required"))
    if problems:
        raise InvalidInput(f"The parameters are invalid: {problems[0].pointer} {problems[0].detail}", problems)
    return values


def default_problems(parameter: Parameter) -> list[str]:
    """What is wrong with the declaration's own default; null is always allowed as one."""
    return [] if not parameter.has_default or parameter.default is None else _broken(parameter, parameter.default)


def _problems(parameter: Parameter, value: Any) -> list[FieldError]:
    if value is None and parameter.has_default and parameter.default is None:
        return []
    return [FieldError(pointer_to("parameters", parameter.name), detail) for detail in _broken(parameter, value)]


def _broken(parameter: Parameter, value: Any) -> list[str]:
    if not TYPES[parameter.type](value):
        return [f"must be {ARTICLES[parameter.type]}"]
    return [*_broken_rules(parameter.validation or {}, value)]


def _broken_rules(rules: Mapping[str, Any], value: Any) -> Iterator[str]:
    for name, limit in rules.items():
        check = RULES.get(name)
        if check and (detail := check(value, limit)):
            yield detail


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
}
ARTICLES = {"string": "a text", "number": "a number", "boolean": "true or false", "object": "an object", "array": "a list"}


def _minimum(value: Any, limit: Any) -> str | None:
    return f"must be at least {limit}" if _is_number(value) and _is_number(limit) and value < limit else None


def _maximum(value: Any, limit: Any) -> str | None:
    return f"must be at most {limit}" if _is_number(value) and _is_number(limit) and value > limit else None


def _shortest(value: Any, limit: Any) -> str | None:
    return f"must hold at least {limit}" if isinstance(value, (str, list)) and _is_number(limit) and len(value) < limit else None


def _longest(value: Any, limit: Any) -> str | None:
    return f"must hold at most {limit}" if isinstance(value, (str, list)) and _is_number(limit) and len(value) > limit else None


def _pattern(value: Any, pattern: Any) -> str | None:
    if not isinstance(value, str) or not isinstance(pattern, str):
        return None
    return None if matches_pattern(pattern, value) else f"does not match {pattern[:100]}"


def _choice(value: Any, choices: Any) -> str | None:
    if not isinstance(choices, list) or any(_same(value, choice) for choice in choices):
        return None
    return "must be one of " + ", ".join(json.dumps(choice, ensure_ascii=False)[:50] for choice in choices[:10])


def _same(value: Any, choice: Any) -> bool:
    return bool(value == choice) and isinstance(value, bool) == isinstance(choice, bool)


RULES: Mapping[str, Callable[[Any, Any], str | None]] = {
    "minimum": _minimum,
    "min": _minimum,
    "maximum": _maximum,
    "max": _maximum,
    "minLength": _shortest,
    "minItems": _shortest,
    "maxLength": _longest,
    "maxItems": _longest,
    "pattern": _pattern,
    "enum": _choice,
}
