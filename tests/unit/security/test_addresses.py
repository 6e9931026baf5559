"""What stands in a path's variables is checked before any view sees it."""

import io

import pytest

from gateway.security.draining import DrainBody
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


def drained(body: bytes, *, max_bytes: int, terminated: bool = True) -> int:
    """How many bytes are read of a body that the app leaves alone."""
    stream = io.BytesIO(body)
    app = DrainBody(lambda environ, start: [b"answer"], max_bytes)
    environ = {"wsgi.input": stream, "wsgi.input_terminated": terminated}
    assert list(app(environ, lambda *_: None)) == [b"answer"]  # type: ignore[arg-type,return-value]
    return stream.tell()


def test_what_a_view_left_of_the_body_is_read() -> None:
    assert drained(b"x" * 200_000, max_bytes=1_000_000) == 200_000


def test_only_so_much_is_read() -> None:
    assert drained(b"x" * 200_000, max_bytes=100_000) == 100_000


def test_nothing_is_read_from_a_server_that_does_not_end_the_body() -> None:
    assert drained(b"x" * 10, max_bytes=100, terminated=False) == 0


def test_a_body_that_breaks_does_not_spoil_the_answer() -> None:
    class BrokenChunk(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise RuntimeError("Invalid chunk size")

    app = DrainBody(lambda environ, start: [b"answer"], 100)
    environ = {"wsgi.input": BrokenChunk(), "wsgi.input_terminated": True}
    assert list(app(environ, lambda *_: None)) == [b"answer"]  # type: ignore[arg-type,return-value]
