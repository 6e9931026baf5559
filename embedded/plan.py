"""Which parts `make run` starts, and what each is told. An engine whose variables are set is not ours to start."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings, local_url
from embedded.child import Child
from embedded.errors import EmbeddedError
from embedded.ports import is_free
from embedded.postgres import EmbeddedPostgres
from embedded.redis import EmbeddedRedis
from embedded.server import EmbeddedServer

ROOT = Path(__file__).resolve().parent.parent

# What a stop of ten seconds in all leaves to each; a deployment has its own.
SHORT_STOPS = {"GRACEFUL_TIMEOUT_SECONDS": "4", "WORKER_SOFT_SHUTDOWN_SECONDS": "4"}

# Neighbours and event heartbeats serve features that the gateway does not use; and with the broker gone, a stopping worker waits for ever
# to send its last heartbeat (seen with celery 5.7.0: EventDispatcher.send holds a lock that a retrying timer thread never gives back).
LONE_WORKER = ("--without-mingle", "--without-gossip", "--without-heartbeat")


@dataclass(frozen=True)
class Plan:
    """Everything that will run.

    Attributes:
        settings: as the environment gave them, before our servers' addresses are added.
        run_directory: logs, notes and data.
        engines: embedded servers, by the variable that tells the others their address.
        config_service: whether the reference Configuration Service is ours to start.
    """

    settings: Settings
    run_directory: Path
    engines: dict[str, EmbeddedServer]
    config_service: bool

    @property
    def gateway_url(self) -> str:
        """Where the gateway answers on this machine."""
        return local_url(self.settings.web.host, self.settings.web.port)

    @property
    def config_service_url(self) -> str:
        """Where the Configuration Service answers, ours or another."""
        if not self.config_service:
            return self.settings.configuration.url
        return local_url(self.settings.config_service.host, self.settings.config_service.port)

    def require_free_ports(self) -> None:
        """Say in one line which port is taken, before anything starts.

        Raises:
            EmbeddedError: names the port and the variable that moves it.
        """
        wanted = [("PORT", self.settings.web.host, self.settings.web.port)]
        if self.config_service:
            if self.settings.config_service.port == self.settings.web.port:
                raise EmbeddedError(f"PORT and CONFIG_SERVICE_PORT are both {self.settings.web.port}; choose another for one of them")
            wanted.append(("CONFIG_SERVICE_PORT", self.settings.config_service.host, self.settings.config_service.port))
        for variable, host, port in wanted:
            if not is_free(port, "127.0.0.1" if host == "localhost" else host):
                raise EmbeddedError(f"port {port} is in use; stop what listens there, or choose another with {variable}=…")

    def addresses(self) -> dict[str, str]:
        """The variables that lead to what we started; known once the engines run."""
        found = {variable: server.url for variable, server in self.engines.items()}
        return {**found, "FLOW_REGISTRY_URL": self.config_service_url} if self.config_service else found

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What every process of ours is told: the caller's environment first, ours where it says nothing."""
        said = {name: value for name, value in inherited.items() if value.strip()}
        spool = str(self.run_directory / "spool")
        defaults = {"LOG_FORMAT": "console", "PYTHONUNBUFFERED": "1", "SPOOL_DIRECTORY": spool, **SHORT_STOPS}
        return {**inherited, **defaults, **said, **self.addresses()}

    def processes(self, environment: Mapping[str, str]) -> list[Child]:
        """Our processes, in the order of their start."""
        gunicorn, celery = [sys.executable, "-m", "gunicorn", "-c"], [sys.executable, "-m", "celery", "-A", "tasks.app"]
        schedule = self.run_directory / "beat" / "schedule"
        commands = {
            "configservice": [*gunicorn, "config/gunicorn_configservice.conf.py", "wsgi:configuration_service"],
            "gateway": [*gunicorn, "config/gunicorn.conf.py", "wsgi:app"],
            "worker": [*celery, "worker", "--concurrency", str(self.settings.worker.concurrency), *LONE_WORKER, "--loglevel", "INFO"],
            "beat": [*celery, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "INFO"],
        }
        if not self.config_service:
            del commands["configservice"]
        schedule.parent.mkdir(parents=True, exist_ok=True)
        # Celery's warm shutdown waits for tasks without end; as SIGQUIT it is the soft one, which has a limit.
        told = {"worker": {**environment, "REMAP_SIGTERM": "SIGQUIT"}}
        return [
            Child(name, command, log=self.run_directory / f"{name}.log", directory=ROOT, environment=told.get(name, environment))
            for name, command in commands.items()
        ]


def make_plan(inherited: Mapping[str, str], run_directory: Path = ROOT / ".run") -> Plan:
    """Decide from the environment what is ours to start.

    Raises:
        SettingsError: a variable is set but unusable.
    """
    settings = Settings.from_environment(inherited)
    engines: dict[str, EmbeddedServer] = {}
    if settings.postgres.sqlalchemy_url is None:
        engines["DATABASE_URL"] = EmbeddedPostgres(run_directory / "postgres")
    if settings.broker_url is None:
        engines["DRAGONFLY_URL"] = EmbeddedRedis(run_directory / "redis")
    return Plan(settings, run_directory, engines, config_service=not inherited.get("FLOW_REGISTRY_URL", "").strip())
