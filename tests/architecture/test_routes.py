"""Every route declares who may reach it and what it does; nothing is offered that is not there."""

import inspect
import re
from collections.abc import Iterator

import pytest
from werkzeug.routing import Rule

from gateway.api.openapi import described_rules, path_of
from gateway.api.operations import find_operation
from gateway.api.root import ENDPOINTS
from gateway.security.scopes import PUBLIC, Scope, declared_scope
from tests.fakes.edge import GUARDED, make_app

APP = make_app(**GUARDED)
RULES = sorted(APP.url_map.iter_rules(), key=lambda rule: rule.rule)
OPEN = {"/livez", "/readyz", "/health", "/api", "/api/openapi.json", "/api/docs", "/api/docs/<name>", "/problems/<slug>"}
MAX_VIEW_LINES = 20


def ids(rule: Rule) -> str:
    return f"{'/'.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'}))} {rule.rule}"


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_a_route_declares_its_scope_or_is_listed_as_public(rule: Rule) -> None:
    scope = declared_scope(APP.view_functions[rule.endpoint])
    assert scope == PUBLIC if rule.rule in OPEN else isinstance(scope, Scope)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.rule not in OPEN], ids=ids)
def test_a_guarded_route_refuses_a_stranger(rule: Rule) -> None:
    method = min((rule.methods or set()) - {"HEAD", "OPTIONS"})
    path = re.sub(r"<[^>]+>", "x", rule.rule)
    response = APP.test_client().open(path, method=method, environ_overrides={"REMOTE_ADDR": "198.51.100.7"})
    assert response.status_code == 401


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_a_route_is_described(rule: Rule) -> None:
    operation = find_operation(APP.view_functions[rule.endpoint])
    assert operation
    assert operation.summary
    assert operation.description


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_a_view_is_short(rule: Rule) -> None:
    source = inspect.getsource(inspect.unwrap(APP.view_functions[rule.endpoint])).splitlines()
    start = next(number for number, line in enumerate(source) if line.startswith("def "))
    assert len(source) - start <= MAX_VIEW_LINES


def test_the_front_page_names_every_endpoint_that_is_there_and_no_other() -> None:
    served = {(method.upper(), re.sub(r"{[^}]+}", "*", path_of(rule))) for rule, _ in described_rules(APP) for method in rule.methods or ()}
    named = {(method, re.sub(r":\w+", "*", path)) for method, path in offered(ENDPOINTS)}
    assert named <= served
    unnamed = {path for method, path in served if method in {"GET", "POST"}} - {path for _, path in named}
    assert unnamed == {"/api", "/api/docs/*", "/problems/*"}


def offered(endpoints: dict[str, str | dict[str, str]]) -> Iterator[tuple[str, str]]:
    """(method, path) of every endpoint the front page names."""
    for value in endpoints.values():
        for line in [value] if isinstance(value, str) else value.values():
            method, _, path = line.rpartition(" ")
            yield method or "GET", path
