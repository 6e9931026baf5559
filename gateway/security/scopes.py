"""What a caller may do, declared on every view: `@requires(Scope.X)` or `@public`. An architecture test finds a view that has neither."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from gateway.errors import Forbidden, Unauthenticated
from gateway.security.callers import current_caller
from gateway.security.tokens import Scope

__all__ = ["PUBLIC", "Scope", "declared_scope", "public", "requires"]

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = "public"
_MARK = "declared_scope"


def requires(scope: Scope, *, unless: Callable[[], bool] = lambda: False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Only callers who hold `scope` reach the view, or anyone for whom `unless` says so.

    Raises (when called):
        Unauthenticated: no credential, or an unknown one.
        Forbidden: the caller lacks the scope.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not unless():
                _demand(scope)
            return view(*args, **kwargs)

        setattr(guarded, _MARK, scope)
        return guarded

    return decorate


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Anyone reaches the view."""
    setattr(view, _MARK, PUBLIC)
    return view


def declared_scope(view: Callable[..., Any]) -> Scope | str | None:
    """What the view declares: a scope, `PUBLIC`, or None when it says nothing."""
    return getattr(view, _MARK, None)


def _demand(scope: Scope) -> None:
    caller = current_caller()
    if caller is None:
        raise Unauthenticated("This needs a token: Authorization: Bearer … or X-API-Key")
    if scope not in caller.scopes:
        raise Forbidden(f"The token lacks the scope {scope}")
