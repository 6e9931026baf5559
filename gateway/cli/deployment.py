"""`flask test-deployment`: nine checks against a running gateway, through its front door."""

import click
from flask.cli import with_appcontext

from gateway.api.services import services
from gateway.cli.deployment_checks import Deployment
from gateway.cli.health import own_url
from gateway.cli.report import print_checks, run_check
from gateway.version import NAME


@click.command("test-deployment")
@click.option("--url", help="Base URL of the gateway; the one of these settings by default.")
@click.option("--token", help="Bearer token with the scopes read, flows:write and flows:execute, when the gateway is guarded.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def test_deployment(*, url: str | None, token: str | None, as_json: bool) -> None:
    """Run nine checks against a running gateway. It registers one small flow, `deployment-check`, and runs it.

    Exit code: 0 when all nine passed, 1 otherwise.
    """
    base = (url or own_url()).rstrip("/")
    deployment = Deployment(services().http, base, token)
    checks = [run_check(name, check) for name, check in deployment.checks()]
    passed = sum(check.passed for check in checks)
    code = print_checks(
        checks,
        title=f"🚀 {NAME} Deployment Test: {base}",
        good=f"🎉 {passed} of {len(checks)} checks passed",
        bad=f"❌ {passed} of {len(checks)} checks passed",
        as_json=as_json,
    )
    raise SystemExit(code)
