"""`flask health-check`: ask a running gateway how it is."""

import click
from flask.cli import with_appcontext

from config.settings import local_url
from gateway.api.services import services
from gateway.cli.report import FAILED, OK, print_json
from gateway.errors import GatewayError


@click.command("health-check")
@click.option("--url", help="Base URL of the gateway; the one of these settings by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--strict", is_flag=True, help="Fail when it is degraded, too.")
@with_appcontext
def health_check(*, url: str | None, as_json: bool, strict: bool) -> None:
    """Ask /health of a running gateway.

    Exit code: 0 when it is healthy or degraded (with --strict only when healthy), 1 when it is unhealthy or does not answer.
    """
    base = (url or own_url()).rstrip("/")
    try:
        body = services().http.request("GET", f"{base}/health", timeout_seconds=5).json()
    except GatewayError as error:
        body = {"data": {"status": "unreachable"}, "message": error.detail}
    report = body.get("data", {}) if isinstance(body, dict) else {}
    status = str(report.get("status", "unknown"))
    passed = status == "healthy" or (status == "degraded" and not strict)
    if as_json:
        print_json({"passed": passed, "url": base, "status": status, "health": report})
    else:
        click.echo(f"{'✅' if passed else '❌'} {base} is {status}")
        for line in _parts(report.get("services", {})):
            click.echo(line)
    raise SystemExit(OK if passed else FAILED)


def own_url() -> str:
    """Where the gateway of these settings listens."""
    web = services().settings.web
    return local_url(web.host, web.port)


def _parts(report: dict[str, object]) -> list[str]:
    lines = []
    for name, part in report.items():
        parts = part if name == "databases" and isinstance(part, dict) else {name: part}
        lines += [f"   {each}: {value['status']}" for each, value in parts.items() if isinstance(value, dict) and "status" in value]
    return lines
