"""What a view says about itself, for the OpenAPI document: its summary, what it reads, what it answers."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct

P = ParamSpec("P")
R = TypeVar("R")
_MARK = "operation"


@dataclass(frozen=True)
class Operation:
    """One endpoint.

    Attributes:
        answers: by status: the model of the whole body, or a media type for a body that is no JSON; None for no body.
        problems: the statuses that are answered with a problem; 401, 403, 429 and 500 need not be said.
        headers: request headers it reads besides those that every endpoint does, with their meaning.
        choices: by name of a path variable, as the view calls it: what it may be; any text where nothing is said.
    """

    summary: str
    answers: Mapping[int, type[Struct] | str | None]
    description: str = ""
    body: type[Struct] | None = None
    body_required: bool = True
    query: type[Struct] | None = None
    problems: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Collection[str]] = field(default_factory=dict)


def operation(
    summary: str,
    *,
    answers: Mapping[int, type[Struct] | str | None],
    body: type[Struct] | None = None,
    body_required: bool = True,
    query: type[Struct] | None = None,
    problems: tuple[int, ...] = (),
    headers: Mapping[str, str] | None = None,
    choices: Mapping[str, Collection[str]] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Describe a view. Its docstring becomes the description."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        described = Operation(
            summary=summary,
            answers=answers,
            description=" ".join((view.__doc__ or "").split()),
            body=body,
            body_required=body_required,
            query=query,
            problems=tuple(HTTPStatus(status) for status in problems),
            headers=headers or {},
            choices=choices or {},
        )
        setattr(view, _MARK, described)
        return view

    return decorate


def find_operation(view: Callable[..., Any]) -> Operation | None:
    """What the view says about itself; None when it says nothing."""
    return getattr(view, _MARK, None)
