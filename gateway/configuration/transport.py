"""One call to the Configuration Service: headers, deadline, breaker, and what its statuses mean everywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from config.groups import ConfigurationSettings
from gateway.clock import Clock
from gateway.configuration.errors import ConfigurationUnavailable, CredentialsRefused, NotOffered
from gateway.configuration.offers import Endpoint, Offers
from gateway.configuration.patience import Patience
from gateway.errors import GatewayError, Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.outbound.answer import Answer
from gateway.outbound.client import IDEMPOTENT, HttpClient
from gateway.recovery.breaker import BreakerOpen
from gateway.recovery.breaker_model import Outcome
from gateway.recovery.classify import classify
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.registry import Breakers
from gateway.recovery.targets import judge_of
from gateway.targets import CONFIGURATION_SERVICE

MAX_ANSWER_BYTES = 4 * 1024 * 1024
NO_ENDPOINT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    json: Any
    idempotency_key: str | None


class Transport:
    """Calls the Configuration Service by way of its breaker, and keeps the list of what it offers."""

    def __init__(self, http: HttpClient, settings: ConfigurationSettings, clock: Clock, recovery: ImmediateRecovery | None = None) -> None:
        """`recovery`: of the process; one of its own without it."""
        self._http = http
        self._settings = settings
        self._clock = clock
        self._recovery = recovery or ImmediateRecovery(Breakers(clock), clock)
        self._patience = Patience(clock)
        self.offers = Offers(clock)

    def call(
        self,
        endpoint: Endpoint,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        timeout_seconds: float | None = None,
        urgent: bool = False,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Call `path`, which is `endpoint` with its names filled in.

        Args:
            query: sent as given.
            timeout_seconds: limit of the whole call; the setting's by default.
            idempotency_key: sent along; what the same key asked for before is answered again, by a service that knows such keys.
            urgent: ask even while the service is given up (health probe, registration), once; what comes of it counts all the same.
        Returns:
            2xx, 400, 404, 405, 409, 422 and 501: each endpoint knows what they mean to it.
        Raises:
            ConfigurationUnavailable: down, too slow, overloaded or failing; CredentialsRefused: 401 and 403; UpstreamInvalid: the rest.
        """
        method, url = endpoint.split()[0], self._settings.url + path + (f"?{urlencode(query)}" if query else "")
        limit = timeout_seconds or self._settings.timeout_seconds

        def attempt(left_seconds: float) -> Answer:
            return _judge(self._send(_Request(method, url, json, idempotency_key), left_seconds))

        if urgent:
            with self._patience.watch():
                return self._observed(attempt, limit)
        harmless = method in IDEMPOTENT
        try:
            with self._patience.turn(limit, hurry=harmless) as seconds:
                return self._recovery.run(CONFIGURATION_SERVICE, attempt, timeout_seconds=seconds, repeatable=harmless)
        except BreakerOpen as error:
            raise ConfigurationUnavailable("The Configuration Service is down", retry_after_seconds=error.retry_after_seconds) from error

    def call_offered(self, endpoint: Endpoint, path: str, **arguments: Any) -> Answer:
        """Like `call`, for an endpoint whose 404 and 405 can only mean that there is no such endpoint.

        Raises:
            NotOffered: it has none, or had none a moment ago; and what `call` raises.
        """
        if self.offers.is_missing(endpoint):
            raise NotOffered(f"The Configuration Service does not offer {endpoint}")
        answer = self.call(endpoint, path, **arguments)
        if answer.status in NO_ENDPOINT:
            self.offers.missed(endpoint)
            raise NotOffered(f"The Configuration Service does not offer {endpoint}")
        self.offers.found(endpoint)
        return answer

    def _send(self, request: _Request, timeout_seconds: float) -> Answer:
        try:
            return self._http.request(
                request.method,
                request.url,
                headers=self._headers() | ({"idempotency-key": request.idempotency_key} if request.idempotency_key else {}),
                json=request.json,
                timeout_seconds=timeout_seconds,
                max_bytes=MAX_ANSWER_BYTES,
            )
        except (Unavailable, UpstreamTimeout) as error:
            detail, sent = error.detail.replace("called service", "Configuration Service"), getattr(error, "sent", True)
            raise ConfigurationUnavailable(detail, sent=sent) from error

    def _observed(self, attempt: Callable[[float], Answer], timeout_seconds: float) -> Answer:
        """One attempt past the breaker, which is told of it. Copies stand in at no cost: one that fails spares all others the try."""
        breaker, started, outcome = self._recovery.breakers.of(CONFIGURATION_SERVICE), self._clock.monotonic(), Outcome.SUCCESS
        fault = None
        try:
            return self._recovery.once(CONFIGURATION_SERVICE, attempt, timeout_seconds=timeout_seconds)
        except GatewayError as error:
            outcome = judge_of(CONFIGURATION_SERVICE).of_error(error, self._clock.monotonic() - started)
            fault = classify(error, target=CONFIGURATION_SERVICE)
            raise
        finally:
            if outcome is not Outcome.NOTHING:
                seconds = self._clock.monotonic() - started
                breaker.observe(success=outcome is Outcome.SUCCESS, duration_seconds=seconds, decisive=True, fault=fault)

    def _headers(self) -> dict[str, str]:
        headers = {"x-service": self._settings.service_name, "accept": "application/json"}
        if self._settings.token:
            headers["authorization"] = f"Bearer {self._settings.token.get_secret_value()}"
        if self._settings.api_key:
            headers["x-api-key"] = self._settings.api_key.get_secret_value()
        return headers


def _judge(answer: Answer) -> Answer:
    """Let through what endpoints understand, raise the rest."""
    status = answer.status
    if status < HTTPStatus.MULTIPLE_CHOICES or status in {400, 404, 405, 409, 422, 501}:
        return answer
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise CredentialsRefused("The Configuration Service refuses the gateway's credentials")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ConfigurationUnavailable(f"The Configuration Service answered {status}", status=status)
    raise UpstreamInvalid(f"The Configuration Service answered {status}")


def segment(name: str) -> str:
    """`name` as one segment of a path, whatever it holds: `..` too, which a URL would otherwise take for the way up."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def object_of(answer: Answer) -> dict[str, Any]:
    """The whole body, which must be a JSON object.

    Raises:
        UpstreamInvalid: it is something else.
    """
    body = answer.json()
    if not isinstance(body, dict):
        raise UpstreamInvalid("The Configuration Service answered something that is not an object")
    return body


def data_of(answer: Answer) -> Any:
    """What stands under `data` in the envelope.

    Raises:
        UpstreamInvalid: the answer is no such envelope.
    """
    body = object_of(answer)
    if "data" not in body:
        raise UpstreamInvalid("The Configuration Service answered without data")
    return body["data"]
