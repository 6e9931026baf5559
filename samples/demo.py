"""`python -m samples.demo` beside a running `make run`: a service over real data joins, a flow over it is registered and run, node by node.

Ends with 0 when the flow completed, and with 1 and one line on standard error when anything stood in the way.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from config.settings import Settings, SettingsError
from samples.calls import Answer, Api, NoAnswer
from samples.lease import Lease, Refused
from samples.prices import DataMissing, load_prices
from samples.prices_service import CAPABILITY, NAME, create_prices_service
from samples.report import lines_of

FLOW = Path(__file__).parent / "flows" / "price_trend.json"
WAIT_SECONDS = 20
GIVE_UP_SECONDS = 60
ENDED = ("completed", "failed", "cancelled")


class DemoFailed(Exception):
    """The demo cannot go on; the message is the one line to print."""


class QuietHandler(WSGIRequestHandler):
    """Does not log each request between the demo's own lines."""

    def log_request(self, *_: object) -> None:
        """Nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. The process's exit code."""
    try:
        options = parse(arguments)
        return run(options, Api(options.gateway, options.token), Api(options.registry, options.registry_token))
    except (DemoFailed, DataMissing, NoAnswer, Refused, SettingsError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; the addresses come from the same variables as the gateway's own."""
    settings = Settings.from_environment()
    guard = settings.configuration.token
    parser = argparse.ArgumentParser(prog="python -m samples.demo", description="Run the sample flow through a running gateway.")
    parser.add_argument("--gateway", default=f"http://127.0.0.1:{settings.web.port}", help="the gateway (default %(default)s)")
    parser.add_argument("--registry", default=settings.configuration.url, help="the Configuration Service (default %(default)s)")
    parser.add_argument("--token", help="a token of the gateway's GATEWAY_TOKENS with the scopes read, flows:write and flows:execute")
    parser.add_argument("--registry-token", default=guard.get_secret_value() if guard else None, help="the Configuration Service's token")
    parser.add_argument(
        "--settle",
        type=float,
        default=settings.configuration.services_fresh_seconds,
        help="seconds for which the workers may still know the service of an earlier demo (default %(default)s)",
    )
    parser.add_argument("--symbol", default="MSFT", help="the share: AAPL, AMZN, GOOG, IBM or MSFT (default %(default)s)")
    parser.add_argument("--window", type=int, default=6, help="months to average (default %(default)s)")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, gateway: Api, registry: Api) -> int:
    """Everything in order; leaves the platform as it was, but for the flow.

    Raises:
        DemoFailed, NoAnswer, Refused, DataMissing: what stood in the way.
    """
    check_gateway(gateway)
    with serve_prices() as port, Lease(registry, service_at(port)):
        print(f"The service {NAME!r} serves real share prices on port {port} and has joined.")
        print(register_flow(gateway))
        wait_until_discovered(gateway, port, options.settle)
        print(f"Running it for {options.symbol}, averaging {options.window} months.\n")
        execution = run_flow(gateway, {"symbol": options.symbol, "window": options.window})
        print("\n".join(lines_of(execution)))
    if execution["status"] != "completed":
        raise DemoFailed(f"the execution ended {execution['status']}")
    return 0


def check_gateway(gateway: Api) -> None:
    """Raises DemoFailed: nothing answers there."""
    try:
        gateway.call("GET", "/livez", timeout_seconds=3)
    except NoAnswer as error:
        raise DemoFailed(f"no gateway answers at {gateway.url}; start one with `make run` in another terminal") from error


@contextmanager
def serve_prices() -> Iterator[int]:
    """Serve the prices on a free port of this machine for as long as the block runs."""
    app = create_prices_service(load_prices())
    server: BaseWSGIServer = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, name="prices", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()


def service_at(port: int) -> dict[str, Any]:
    """What the service tells about itself."""
    return {
        "name": NAME,
        "version": "1.0.0",
        "host": "127.0.0.1",
        "port": port,
        "protocol": "http",
        "healthEndpoint": "/health",
        "capabilities": [CAPABILITY],
        "metadata": {"sample": True},
    }


def register_flow(gateway: Api) -> str:
    """Register the flow; one that is there already is fine.

    Raises:
        DemoFailed: it was refused.
    """
    document = json.loads(FLOW.read_text(encoding="utf-8"))
    answer = gateway.call("POST", "/api/v1/flows", document)
    if answer.status not in (201, 202, 409):
        raise _refused("refused the flow", answer)
    state = {201: "is registered", 202: "is accepted, and uploaded when the registry is back", 409: "was registered before"}[answer.status]
    return f"The flow {document['id']} {document['version']} {state}."


def wait_until_discovered(gateway: Api, port: int, settle_seconds: float) -> None:
    """The gateway and its workers keep what they know of services for some seconds, an earlier demo's port among it.

    Raises:
        DemoFailed: it still does not see the service.
    """
    deadline = time.monotonic() + 15
    while not _sees(gateway, port):
        if time.monotonic() > deadline:
            raise DemoFailed("the gateway does not discover the service; is it using this Configuration Service (--registry)?")
        time.sleep(0.2)
    time.sleep(settle_seconds)


def _sees(gateway: Api, port: int) -> bool:
    answer = gateway.call("GET", f"/api/v1/services/discover/{NAME}")
    if answer.status in (401, 403):
        raise _refused("refused to discover the service", answer)
    return answer.status == 200 and any(instance["port"] == port for instance in answer.data["instances"])


def run_flow(gateway: Api, parameters: dict[str, Any]) -> dict[str, Any]:
    """Start the flow and wait for its end.

    Raises:
        DemoFailed: it was refused, or does not end.
    """
    flow_id = json.loads(FLOW.read_text(encoding="utf-8"))["id"]
    body = {"parameters": parameters, "triggeredBy": "samples.demo"}
    headers = {"Prefer": f"wait={WAIT_SECONDS}"}
    answer = gateway.call("POST", f"/api/v1/flows/{flow_id}/execute", body, headers=headers, timeout_seconds=WAIT_SECONDS + 10)
    if answer.status not in (200, 202):
        raise _refused("refused to run the flow", answer)
    deadline = time.monotonic() + GIVE_UP_SECONDS
    path = f"/api/v1/executions/{answer.data['executionId']}"
    while (answer := gateway.call("GET", path)).status == 200:
        execution: dict[str, Any] = answer.data
        if execution["status"] in ENDED:
            return execution
        if time.monotonic() > deadline:
            raise DemoFailed(f"the execution is still {execution['status']} after {GIVE_UP_SECONDS} s; does a worker run?")
        time.sleep(0.5)
    raise _refused("does not show the execution", answer)


def _refused(what: str, answer: Answer) -> DemoFailed:
    hint = " (pass --token)" if answer.status == 401 else ""
    return DemoFailed(f"the gateway {what}: {answer.status}, {answer.message}{hint}")


if __name__ == "__main__":
    sys.exit(main())
