"""`rediss://` with a certificate that nobody signed, as Heroku gives it: refused unless told otherwise, by everyone who connects."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from config.settings import Settings
from gateway.databases.errors import DatabaseUnreachable
from gateway.databases.pool import Databases
from gateway.outbox.celery import CelerySender
from gateway.outbox.errors import BrokerUnreachable
from gateway.outbox.model import Message, TaskName
from gateway.security.limiter_store import SCHEME, LimiterStore
from tests.servers.tls_proxy import TlsProxy

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")


@pytest.fixture
def tls_proxy(tmp_path: Path, redis_url: str) -> Iterator[TlsProxy]:
    parts = urlsplit(redis_url)
    with TlsProxy(tmp_path, str(parts.hostname), int(parts.port or 0)) as proxy:
        yield proxy


@pytest.fixture
def tls_url(tls_proxy: TlsProxy, redis_url: str) -> str:
    return f"rediss://:{urlsplit(redis_url).password}@127.0.0.1:{tls_proxy.port}/0"


def ping(settings: Settings) -> None:
    databases = Databases(settings)
    try:
        databases.redis.ping(2.0)
    finally:
        databases.close()


def publish(settings: Settings) -> None:
    sender = CelerySender(settings.broker_url)
    try:
        sender.send(Message(TaskName.SWEEP, {}))
    finally:
        sender.close()


def count(settings: Settings) -> None:
    store = LimiterStore(f"{SCHEME}://", redis_url=settings.broker_url or "", timeout_seconds=2.0)
    try:
        store.incr("client", 60)
        if not store.check():
            raise ConnectionError
    finally:
        store.close()


REFUSALS = [(ping, DatabaseUnreachable), (publish, BrokerUnreachable), (count, ConnectionError)]


@pytest.mark.parametrize(("use", "refusal"), REFUSALS)
def test_an_unknown_certificate_is_refused(use: Callable[[Settings], None], refusal: type[Exception], tls_url: str) -> None:
    with pytest.raises(refusal):
        use(Settings.from_environment({"REDIS_URL": tls_url}))


@pytest.mark.parametrize("use", [use for use, _ in REFUSALS])
def test_unless_told_otherwise(use: Callable[[Settings], None], tls_url: str) -> None:
    use(Settings.from_environment({"REDIS_URL": tls_url, "REDIS_TLS_VERIFY": "false"}))


@pytest.mark.parametrize("use", [use for use, _ in REFUSALS])
def test_an_authority_of_ones_own_is_named_in_the_url(use: Callable[[Settings], None], tls_url: str, tls_proxy: TlsProxy) -> None:
    use(Settings.from_environment({"REDIS_URL": f"{tls_url}?ssl_ca_certs={tls_proxy.certificate}"}))
