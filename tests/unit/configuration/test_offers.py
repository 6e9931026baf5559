"""What a Configuration Service turned out not to have."""

from gateway.configuration.offers import Endpoint, Offers
from tests.fakes.clock import FakeClock
from tests.fakes.logs import own_logs


def test_knows_nothing_at_first() -> None:
    offers = Offers(FakeClock())
    assert not offers.is_missing(Endpoint.REGISTER)
    assert not offers.is_offered(Endpoint.REGISTER)


def test_a_missing_endpoint_is_asked_again_after_a_while_but_still_shown() -> None:
    clock = FakeClock()
    offers = Offers(clock, ask_again_seconds=60)
    offers.missed(Endpoint.REGISTER)
    assert offers.is_missing(Endpoint.REGISTER)
    clock.advance(60)
    assert not offers.is_missing(Endpoint.REGISTER)
    assert offers.list_missing() == ["POST /api/v1/services/register"]


def test_it_is_logged_once_until_it_was_there_in_between() -> None:
    offers = Offers(FakeClock())
    with own_logs() as logs:
        offers.missed(Endpoint.REGISTER)
        offers.missed(Endpoint.REGISTER)
        offers.found(Endpoint.REGISTER)
        offers.missed(Endpoint.REGISTER)
    assert [entry["event"] for entry in logs] == ["endpoint_not_offered"] * 2


def test_an_endpoint_that_works_is_offered_until_it_is_missing() -> None:
    offers = Offers(FakeClock())
    offers.found(Endpoint.CONFIG)
    assert offers.is_offered(Endpoint.CONFIG)
    offers.missed(Endpoint.CONFIG)
    assert not offers.is_offered(Endpoint.CONFIG)
    assert offers.list_missing() == [str(Endpoint.CONFIG)]
    offers.found(Endpoint.CONFIG)
    assert offers.list_missing() == []
