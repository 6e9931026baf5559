"""One call to the Configuration Service: headers, deadline, cool-down, and what its statuses mean everywhere."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from config.groups import ConfigurationSettings
from gateway.clock import Clock
from gateway.configuration.cooldown import Cooldown
from gateway.configuration.errors import ConfigurationUnavailable, CredentialsRefused, NotOffered
from gateway.configuration.offers import Endpoint, Offers
from gateway.errors import Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.outbound.answer import Answer
from gateway.outbound.client import HttpClient

MAX_ANSWER_BYTES = 4 * 1024 * 1024
DOWN = frozenset({502, 503, 504})  # the service, or the proxy before it, says that it cannot serve at all
NO_ENDPOINT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


class Transport:
    """Calls the Configuration Service and says what came of it to the cool-down and to the list of what it offers."""

    def __init__(self, http: HttpClient, settings: ConfigurationSettings, clock: Clock) -> None:
        self._http = http
        self._settings = settings
        self.cooldown = Cooldown(clock)
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
    ) -> Answer:
        """Call `path`, which is `endpoint` with its names filled in.

        Args:
            query: sent as given.
            timeout_seconds: limit of the whole call; the setting's by default.
            urgent: ask even while the service is known to be down (health probe, registration).
        Returns:
            2xx, 400, 404, 405, 409, 422 and 501: each endpoint knows what they mean to it.
        Raises:
            ConfigurationUnavailable: down, too slow, overloaded or failing; CredentialsRefused: 401 and 403; UpstreamInvalid: the rest.
        """
        if not urgent and not self.cooldown.admits():
            raise ConfigurationUnavailable(
                "The Configuration Service is down", retry_after_seconds=max(0.1, round(self.cooldown.remaining_seconds, 1))
            )
        url = self._settings.url + path + (f"?{urlencode(query)}" if query else "")
        limit = timeout_seconds or self._settings.timeout_seconds
        return _judge(self._send(endpoint.split()[0], url, json, limit))

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

    def _send(self, method: str, url: str, json: Any, timeout_seconds: float) -> Answer:
        try:
            answer = self._http.request(
                method, url, headers=self._headers(), json=json, timeout_seconds=timeout_seconds, max_bytes=MAX_ANSWER_BYTES
            )
        except (Unavailable, UpstreamTimeout) as error:
            self.cooldown.failed()
            raise ConfigurationUnavailable(
                error.detail.replace("called service", "Configuration Service"), retry_after_seconds=1
            ) from error
        except UpstreamInvalid:
            self.cooldown.succeeded()  # it is there
            raise
        if answer.status in DOWN:
            self.cooldown.failed()
        else:
            self.cooldown.succeeded()
        return answer

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
        raise ConfigurationUnavailable(f"The Configuration Service answered {status}", retry_after_seconds=1, status=status)
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
