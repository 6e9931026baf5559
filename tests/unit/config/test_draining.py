"""What a view left of a body is read, within bounds, and never at the cost of the answer."""

import io

from config.draining import DRAINED_BODIES, DrainBody


def drained(body: bytes, *, max_body_bytes: int, terminated: bool = True) -> int:
    """How many bytes are read of a body that the app leaves alone."""
    stream = io.BytesIO(body)
    app = DrainBody(lambda environ, start: [b"answer"], max_body_bytes)
    environ = {"wsgi.input": stream, "wsgi.input_terminated": terminated}
    assert list(app(environ, lambda *_: None)) == [b"answer"]  # type: ignore[arg-type,return-value]
    return stream.tell()


def test_what_a_view_left_of_the_body_is_read() -> None:
    assert drained(b"x" * 200_000, max_body_bytes=100_000) == 200_000


def test_only_so_much_is_read() -> None:
    assert drained(b"x" * 900_000, max_body_bytes=100_000) == DRAINED_BODIES * 100_000


def test_nothing_is_read_from_a_server_that_does_not_end_the_body() -> None:
    assert drained(b"x" * 10, max_body_bytes=100, terminated=False) == 0


def test_a_body_that_breaks_does_not_spoil_the_answer() -> None:
    class BrokenChunk(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise RuntimeError("Invalid chunk size")

    app = DrainBody(lambda environ, start: [b"answer"], 100)
    environ = {"wsgi.input": BrokenChunk(), "wsgi.input_terminated": True}
    assert list(app(environ, lambda *_: None)) == [b"answer"]  # type: ignore[arg-type,return-value]
