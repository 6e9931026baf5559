"""Who is calling, and what the caller may do."""

import pytest

from config.settings import SettingsError
from tests.fakes.container import FakeContainer, settings
from tests.fakes.edge import GUARDED, TOKEN, bearer, make_client

READ = "/api/v1/services"


@pytest.mark.parametrize("headers", [bearer(), {"Authorization": f"bearer  {TOKEN}"}, {"X-API-Key": TOKEN}])
def test_a_known_credential_lets_the_caller_in(headers: dict[str, str]) -> None:
    container = FakeContainer(settings=settings(**GUARDED))
    assert make_client(container).get(READ, headers=headers).status_code == 200
    assert container.analytics.recorded[0].caller == "operator"


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("wrong"), {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}, {"X-API-Key": "no"}, {"X-API-Key": ""}],
)
def test_anything_else_is_a_401(headers: dict[str, str]) -> None:
    container = FakeContainer(settings=settings(**GUARDED))
    assert make_client(container).get(READ, headers=headers).status_code == 401
    assert container.analytics.recorded[0].caller == "anonymous"


def test_a_token_does_what_its_scopes_say_and_no_more() -> None:
    client = make_client(**GUARDED)
    reader = bearer("reader-token-0123456789")
    assert client.get(READ, headers=reader).status_code == 200
    assert client.post("/api/v1/flows/greeting/execute", headers=reader).status_code == 403
    assert client.post("/api/v1/flows/greeting/execute", headers=bearer()).status_code == 202


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/api", "/api/docs", "/api/openapi.json"])
def test_public_routes_need_no_token(path: str) -> None:
    assert make_client(**GUARDED).get(path).status_code == 200


def test_an_open_gateway_lets_anyone_do_everything() -> None:
    client = make_client()
    assert client.get(READ).status_code == 200
    assert client.post("/api/v1/flows/greeting/execute").status_code == 202


def test_bad_tokens_stop_the_start() -> None:
    with pytest.raises(SettingsError, match=r"^GATEWAY_TOKENS: entry 1"):
        make_client(GATEWAY_TOKENS="nonsense")


@pytest.mark.parametrize(("header", "tenant"), [("t-1", "t-1"), ("x" * 65, None), ("", None), ("ä", None)])
def test_the_tenant_is_taken_when_it_is_usable(header: str, tenant: str | None) -> None:
    container = FakeContainer()
    make_client(container).get("/livez", headers={"X-Tenant-ID": header})
    assert container.analytics.recorded[0].tenant == tenant
