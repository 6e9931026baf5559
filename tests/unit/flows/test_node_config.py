"""Configs of our own two node kinds."""

from typing import Any

import pytest

from gateway.flows.node_config import config_problems

GOOD = {"service": "prices", "path": "/symbols"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"method": "get", "headers": {"Accept": "text/csv", "X-Try": 1}, "query": {"q": ["a", 1, True]}, "body": None},
        {"timeoutMs": 1, "expect": [200, "201..204", "3xx"]},
        {"expect": "200..299"},
        {
            "service": "${parameters.service}",
            "timeoutMs": "${parameters.ms}",
            "expect": ["${parameters.code}"],
            "headers": "${parameters.h}",
        },
    ],
)
def test_a_service_config_that_fits(fields: dict[str, Any]) -> None:
    assert config_problems("service", GOOD | fields) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"service": ""}, "/service"),
        ({"path": "symbols"}, "/path"),
        ({"path": "/a\r\nb"}, "/path"),
        ({"method": "FETCH"}, "/method"),
        ({"headers": []}, "/headers"),
        ({"headers": {"Bad Name": "x"}}, "/headers/Bad Name"),
        ({"headers": {"Host": "elsewhere"}}, "/headers/Host"),
        ({"headers": {"X": "a\nb"}}, "/headers/X"),
        ({"query": {"q": {"deep": 1}}}, "/query/q"),
        ({"timeoutMs": 0}, "/timeoutMs"),
        ({"timeoutMs": "soon"}, "/timeoutMs"),
        ({"timeoutMs": True}, "/timeoutMs"),
        ({"expect": [200, "299..200"]}, "/expect/1"),
        ({"expect": ["ok"]}, "/expect/0"),
        ({"retries": 3}, "/retries"),
    ],
)
def test_a_service_config_that_does_not(fields: dict[str, Any], pointer: str) -> None:
    assert [problem.pointer for problem in config_problems("service", GOOD | fields)] == [pointer]


def test_required_fields_are_named() -> None:
    assert {problem.pointer for problem in config_problems("service", {})} == {"/service", "/path"}
    assert [problem.pointer for problem in config_problems("transform", {})] == ["/output"]
    assert [problem.pointer for problem in config_problems("transform", {"output": None, "extra": 1})] == ["/extra"]


def test_configs_of_other_types_are_their_services_business() -> None:
    assert config_problems("moving_average", {"anything": ["goes"]}) == []
