"""The container of this process: built after the fork, never before it, so that nothing is shared between children."""

import os
import threading
from collections.abc import Callable

from config.settings import Settings
from gateway.container import Container, build_container


class Process:
    """Holds the container of the process that asks. A fork asks for its own."""

    def __init__(self, build: Callable[[], Container]) -> None:
        self.build = build
        self._container: Container | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def container(self) -> Container:
        """The container, built and started at first use.

        Raises:
            SettingsError: a variable is set but unusable.
        """
        with self._lock:
            if self._container is None or self._pid != os.getpid():
                self._container, self._pid = self.build(), os.getpid()
                self._container.start_worker()
            return self._container

    def stop(self) -> None:
        """Close what this process opened."""
        with self._lock:
            container, self._container = self._container, None
        if container is not None and self._pid == os.getpid():
            container.stop()


process = Process(lambda: build_container(Settings.from_environment()))
