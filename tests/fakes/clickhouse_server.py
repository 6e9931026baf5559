"""A real clickhouse-server (Debian's) of a test's own: native protocol on a free loopback port, data in a directory of its own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from embedded.ports import remembered_port
from embedded.processes import spawn

START_SECONDS = 30.0
CONFIG = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <tcp_port>{native}</tcp_port>
  <http_port>{http}</http_port>
  <listen_host>127.0.0.1</listen_host>
  <path>{directory}/data/</path>
  <tmp_path>{directory}/tmp/</tmp_path>
  <users_config>{directory}/users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <mark_cache_size>67108864</mark_cache_size>
  <timezone>UTC</timezone>
</yandex>
"""
USERS = """<?xml version="1.0"?>
<yandex>
  <profiles>
    <default><max_memory_usage>1000000000</max_memory_usage></default>
    <gateway><max_memory_usage>1000000000</max_memory_usage><readonly>{readonly}</readonly></gateway>
  </profiles>
  <users>
    <default><password>{password}</password><networks><ip>::/0</ip></networks><profile>gateway</profile><quota>default</quota></default>
    <operator><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></operator>
  </users>
  <quotas><default></default></quotas>
</yandex>
"""


def users_file(password: str = "", readonly: int = 0) -> str:
    """users.xml: `default`, whom clients log in as, with this password and setting; `operator`, who may do all."""
    return USERS.format(password=password, readonly=readonly)


def program() -> str | None:
    """Where clickhouse-server is; None when it is not installed."""
    return shutil.which("clickhouse-server") or shutil.which("clickhouse-server", path="/usr/sbin:/usr/local/sbin")


class ClickHouseServer:
    """Starts, freezes and stops one server. `environment` is what config/settings.py reads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.native_port, self.http_port = (_port(directory / name) for name in ("native", "http"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": str(self.native_port)}

    def start(self) -> None:
        """Start it, on the same ports and data as before; returns once it answers."""
        command = program()
        if command is None:
            raise FileNotFoundError("clickhouse-server is not installed")
        self._directory.mkdir(parents=True, exist_ok=True)
        config = CONFIG.format(native=self.native_port, http=self.http_port, directory=self._directory)
        (self._directory / "config.xml").write_text(config)
        (self._directory / "users.xml").write_text(users_file())
        self._process = spawn(
            [command, f"--config-file={self._directory}/config.xml"],
            log=self._directory / "server.log",
            directory=self._directory,
            death_signal=signal.SIGKILL,  # a killed test run leaves no server behind
        )
        self._wait()

    def stop(self) -> None:
        """End it at once, as a crash does; its data stays."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It accepts and never answers, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process:
            os.kill(self._process.pid, number)

    def _wait(self) -> None:
        ends_at = time.monotonic() + START_SECONDS
        while time.monotonic() < ends_at:
            if self._process and self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.native_port), 1):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"clickhouse-server did not start:\n{(self._directory / 'server.log').read_text()[-2000:]}")


def _port(directory: Path) -> int:
    directory.mkdir(parents=True)
    return remembered_port(directory)
