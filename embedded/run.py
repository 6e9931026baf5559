"""`make run`: the whole gateway on one machine. Run as `python -m embedded.run [DIRECTORY]`; everything it keeps lies there (`.run/`)."""

import fcntl
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

from config.settings import SettingsError
from embedded.child import Part
from embedded.errors import EmbeddedError
from embedded.plan import ROOT, Plan, make_plan
from embedded.postgres import EmbeddedPostgres
from embedded.supervisor import Supervisor
from embedded.terminal import event, say

STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def main(directory: Path) -> int:
    """Start, show, watch, stop. Returns the exit status: 0 after an orderly stop, 1 when it could not start."""
    began = time.monotonic()
    for number in STOPPING:
        signal.signal(number, _interrupt)
    try:
        lock = occupy(directory)
        plan = make_plan(os.environ, directory)
    except (EmbeddedError, SettingsError) as error:
        return _refuse(error)
    supervisor = Supervisor(plan, os.environ)
    try:
        supervisor.start()
        write_addresses(plan)
        say(screen(plan, supervisor, time.monotonic() - began))
        supervisor.run()
    except KeyboardInterrupt:
        event("stopping …")
    except (EmbeddedError, OSError) as error:
        return _refuse(error)
    finally:
        _stop(supervisor)
        (directory / "environment").unlink(missing_ok=True)
        lock.close()
    event(f"stopped; the data stays in {shown(directory)}")
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Only the first one counts: a terminal's reaches us twice, from it and from make."""
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _refuse(error: Exception) -> int:
    sys.stderr.write(f"make run: {error}\n")
    return 1


def _stop(supervisor: Supervisor) -> None:
    """A second Ctrl-C must not interrupt the stop, which is short by itself."""
    _ignore_signals()
    supervisor.stop()


def occupy(directory: Path) -> IO[str]:
    """Take the run directory for this process; the lock goes with the process, however it ends.

    Raises:
        EmbeddedError: another `make run` holds it, or it is not ours to write.
    """
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        lock = (directory / "lock").open("a+")
    except OSError as error:
        raise EmbeddedError(f"{directory} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise EmbeddedError(f"it runs here already (pid {holder}); stop that one first: Ctrl-C there, or kill {holder}") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def write_addresses(plan: Plan) -> None:
    """`environment` in the run directory: how another terminal reaches the same servers, passwords included; readable by us only."""
    file = plan.run_directory / "environment"
    file.unlink(missing_ok=True)
    variables = {"PORT": str(plan.settings.web.port), **plan.addresses()}
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def screen(plan: Plan, supervisor: Supervisor, seconds: float) -> str:
    """What runs where, and what to try first."""
    urls = {"gateway": plan.gateway_url, "configservice": plan.config_service_url}
    urls |= {server.name: f"127.0.0.1:{server.port}" for server in plan.engines.values()}
    rows = [_row(part, urls.get(part.name, "")) for part in supervisor.parts]
    others = [name for variable, name in (("DATABASE_URL", "PostgreSQL"), ("DRAGONFLY_URL", "the broker")) if variable not in plan.engines]
    if not plan.config_service:
        others.append(f"the Configuration Service at {plan.config_service_url}")
    return "\n".join(
        [
            "",
            f"The gateway is ready after {seconds:.1f} s.",
            "",
            *rows,
            *([f"  Not ours, as the environment says: {', '.join(others)}."] if others else []),
            "",
            "Try",
            f"  curl -s {plan.gateway_url}/health",
            "  make demo                                              (in another terminal)",
            f"  . {shown(plan.run_directory)}/environment && .venv/bin/flask db-check         (in another terminal)",
            "",
            f"Ctrl-C stops all of it. What dies is restarted. The data stays in {shown(plan.run_directory)}{_far_away(plan)}.",
            "",
        ]
    )


def _far_away(plan: Plan) -> str:
    """Where PostgreSQL's data lies when that is not in the run directory."""
    server = plan.engines.get("DATABASE_URL")
    place = server.home.place if isinstance(server, EmbeddedPostgres) else plan.run_directory
    return "" if place.is_relative_to(plan.run_directory) else f", PostgreSQL's in {place}"


def shown(path: Path) -> str:
    """A path as one would type it in the clone."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _row(part: Part, url: str) -> str:
    pid = part.process.pid if part.process else "?"
    return f"  {part.name:<14} {url:<24} pid {pid:<8} {shown(part.log)}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT / ".run"))
