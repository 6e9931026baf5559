"""What stands in a path's variables is checked before any view sees it."""

import pytest

from tests.fakes.edge import make_client, pointers


@pytest.mark.parametrize("text", ["%00", "a%0ab", "a%ffb", "%7f", "x" * 513, "%e2%80%ae"])
@pytest.mark.parametrize("path", ["flows/{}", "executions/{}", "topology/service/{}/impact"])
def test_strange_text_is_pointed_at(path: str, text: str) -> None:
    response = make_client().get("/api/v1/" + path.format(text))
    assert response.status_code == 400
    assert pointers(response.get_json())[0].startswith("{")


@pytest.mark.parametrize("text", ["käse", "%E4%BD%A0", "a b", "a;b", "..%2e"])
def test_any_readable_text_goes_on(text: str) -> None:
    assert make_client().get(f"/api/v1/flows/{text}").get_json()["code"] == "FLOW_NOT_FOUND"
