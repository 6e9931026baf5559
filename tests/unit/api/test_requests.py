"""Around every request: its id, its log line, its row."""

import uuid

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.observability.context import current_request_id
from tests.fakes.container import FakeContainer
from tests.fakes.edge import make_app, make_client


def test_the_callers_request_id_comes_back() -> None:
    assert make_client().get("/livez", headers={"X-Request-ID": "a.B_c-9"}).headers.getlist("X-Request-ID") == ["a.B_c-9"]


@pytest.mark.parametrize("broken", ["", "a b", "x" * 129, "ä", "a,b", "<script>"])
def test_a_broken_request_id_is_replaced(broken: str) -> None:
    assert uuid.UUID(make_client().get("/livez", headers={"X-Request-ID": broken}).headers["X-Request-ID"])


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/flows?limit=0", "/api/docs/start.js"])
def test_every_response_has_a_request_id(path: str) -> None:
    assert make_client().get(path).headers["X-Request-ID"]


def test_the_request_id_is_gone_after_the_request() -> None:
    make_client().get("/livez")
    assert current_request_id() is None


def test_a_request_is_logged_and_written_down_once() -> None:
    container = FakeContainer()
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        make_client(container).get("/api/v1/flows/unknown", headers={"X-Tenant-ID": "t1", "X-Request-ID": "r1"})
    (line,) = [log for log in logs if log["event"] == "request_finished"]
    assert (line["method"], line["route"], line["status"], line["tenant"], line["request_id"]) == (
        "GET",
        "/api/v1/flows/<flow_id>",
        404,
        "t1",
        "r1",
    )
    assert (line["code"], line["fault_type"], line["target"]) == ("FLOW_NOT_FOUND", "NOT_FOUND_ERROR", None)
    (event,) = container.analytics.recorded
    assert (event.route, event.status, event.tenant, event.caller) == ("/api/v1/flows/<flow_id>", 404, "t1", "anonymous")
    assert event.bytes_sent > 0


def test_unknown_paths_share_one_route() -> None:
    container = FakeContainer()
    make_client(container).get("/wp-admin/1")
    assert container.analytics.recorded[0].route == "unmatched"


def test_a_view_that_crashes_is_logged_with_its_traceback_and_written_down() -> None:
    container = FakeContainer()
    container.configuration.error = RuntimeError("boom")  # type: ignore[assignment]
    with capture_logs() as logs:
        make_client(container).get("/api/v1/config/a")
    crash = next(log for log in logs if log["event"] == "request_crashed")
    assert isinstance(crash["exc_info"], RuntimeError)
    assert container.analytics.recorded[0].status == 500


def test_a_crash_after_the_view_is_a_problem_too() -> None:
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.after_request
    def crash(response: object) -> None:
        if not getattr(crash, "done", False):
            crash.done = True  # type: ignore[attr-defined]
            raise RuntimeError("boom")
        return response  # type: ignore[return-value]

    response = app.test_client().get("/livez")
    assert (response.status_code, response.mimetype) == (500, "application/problem+json")
