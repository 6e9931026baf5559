"""JSON over HTTP, as any client of the gateway or the Configuration Service would speak it."""

import json
from dataclasses import dataclass
from typing import Any

import urllib3


class NoAnswer(Exception):
    """The server cannot be reached, or answered no JSON."""


@dataclass(frozen=True)
class Answer:
    """A status and the JSON that came with it (None for none)."""

    status: int
    body: Any

    @property
    def data(self) -> Any:
        """What stands under `data` in the platform's envelope."""
        return self.body.get("data") if isinstance(self.body, dict) else None

    @property
    def message(self) -> str:
        """Why a call was refused."""
        return str(self.body.get("message", "no reason given")) if isinstance(self.body, dict) else "no reason given"


class Api:
    """One server: its base URL and, when it wants one, a bearer token."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(retries=False)

    def call(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None, timeout_seconds: float = 10
    ) -> Answer:
        """Send one request.

        Raises:
            NoAnswer: see there.
        """
        try:
            response = self._pool.request(
                method, self.url + path, json=body, headers=self._headers | (headers or {}), timeout=timeout_seconds
            )
            return Answer(response.status, json.loads(response.data) if response.data else None)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise NoAnswer(f"no usable answer from {self.url}{path}") from error
