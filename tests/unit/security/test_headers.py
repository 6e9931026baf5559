"""What responses tell browsers: security headers, origins, compression."""

import gzip

import pytest

from config.settings import SettingsError
from tests.fakes.edge import make_client

ORIGIN = "http://localhost:3000"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/api/docs", "/api/v1/flows?limit=0"])
def test_every_response_has_the_security_headers(path: str) -> None:
    headers = make_client().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_answers_are_not_kept_by_caches() -> None:
    assert make_client().get("/api/v1/status/databases").headers["Cache-Control"] == "no-store"


def test_plain_http_is_redirected_when_asked_for_but_for_probes() -> None:
    client = make_client(FORCE_HTTPS="true")
    response = client.get("/api")
    assert (response.status_code, response.headers["Location"]) == (302, "https://localhost/api")
    assert client.get("/livez").status_code == 200
    assert "max-age" in client.get("/api", base_url="https://localhost").headers["Strict-Transport-Security"]


def test_a_preflight_of_an_allowed_origin_is_answered_with_204() -> None:
    asked = "Content-Type, Authorization, X-Request-ID, X-Tenant-ID"
    response = make_client().options("/api/v1/flows", headers={**PREFLIGHT, "Access-Control-Request-Headers": asked})
    allowed = {name.strip() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert allowed == {"Content-Type", "Authorization", "X-Request-ID", "X-Tenant-ID"}
    assert set(response.headers["Access-Control-Allow-Methods"].split(", ")) == {"GET", "POST", "PUT", "DELETE", "OPTIONS"}


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:30001", "http://localhost:3000.evil.example", "null"])
def test_an_unknown_origin_gets_no_cors_headers(origin: str) -> None:
    client = make_client()
    for response in (client.options("/api", headers={**PREFLIGHT, "Origin": origin}), client.get("/api", headers={"Origin": origin})):
        assert not [name for name, _ in response.headers if name.lower().startswith("access-control-")]


def test_errors_can_be_read_by_an_allowed_origin_too() -> None:
    response = make_client().get("/nowhere", headers={"Origin": ORIGIN})
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]


def test_without_an_origin_there_is_nothing_to_allow() -> None:
    response = make_client().get("/api")
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Origin" in response.headers["Vary"]


def test_an_origin_is_a_literal_never_a_pattern() -> None:
    client = make_client(ALLOWED_ORIGINS="http://[::1]:3000,http://a.example")
    assert client.get("/api", headers={"Origin": "http://[::1]:3000"}).headers["Access-Control-Allow-Origin"] == "http://[::1]:3000"
    assert "Access-Control-Allow-Origin" not in client.get("/api", headers={"Origin": "http://axexample"}).headers


def test_every_origin_at_once_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"^ALLOWED_ORIGINS: "):
        make_client(ALLOWED_ORIGINS="*")


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_body_is_compressed_when_asked(encoding: str) -> None:
    response = make_client().get("/api", headers={"Accept-Encoding": encoding})
    assert response.headers["Content-Encoding"] == encoding
    assert "Accept-Encoding" in response.headers["Vary"]
    assert int(response.headers["Content-Length"]) == len(response.get_data())


def test_what_is_compressed_is_what_was_meant() -> None:
    client = make_client()
    plain = client.get("/api").get_data()
    assert gzip.decompress(client.get("/api", headers={"Accept-Encoding": "gzip"}).get_data()) == plain


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "lzma"])
def test_a_body_is_not_compressed_when_not_asked(accepted: str) -> None:
    assert "Content-Encoding" not in make_client().get("/api", headers={"Accept-Encoding": accepted}).headers


def test_a_small_body_is_not_worth_it() -> None:
    assert "Content-Encoding" not in make_client().get("/livez", headers={"Accept-Encoding": "gzip"}).headers
