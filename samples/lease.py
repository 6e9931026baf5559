"""How a service joins the platform: register with the Configuration Service, renew, leave."""

import threading
from typing import Any

from samples.calls import Api, NoAnswer

TTL_SECONDS = 15


class Refused(Exception):
    """The Configuration Service does not take the registration."""


class Lease:
    """A registration that is renewed in a thread of its own for as long as the `with` block runs, and given up at its end."""

    def __init__(self, registry: Api, service: dict[str, Any]) -> None:
        self._registry = registry
        self._service = service | {"ttlSeconds": TTL_SECONDS}
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_left, name="lease", daemon=True)
        self.id = ""

    def __enter__(self) -> "Lease":
        """Register.

        Raises:
            Refused: it answered anything but 201. NoAnswer: it did not answer.
        """
        self._register()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join(timeout=5)
        try:
            self._registry.call("DELETE", f"/api/v1/services/{self.id}", timeout_seconds=3)
        except NoAnswer:
            print("The registration could not be given up; it ends by itself.")

    def _register(self) -> None:
        answer = self._registry.call("POST", "/api/v1/services/register", self._service)
        if answer.status != 201:
            raise Refused(f"the Configuration Service refused the service: {answer.status}, {answer.message}")
        self.id = answer.data["id"]

    def _renew_until_left(self) -> None:
        while not self._leaving.wait(TTL_SECONDS / 3):
            try:
                if self._registry.call("PUT", f"/api/v1/services/{self.id}/heartbeat").status == 404:
                    self._register()
            except (NoAnswer, Refused) as error:
                print(f"The lease was not renewed: {error}")
