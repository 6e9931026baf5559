"""Keeping a lease while PostgreSQL comes and goes."""

from gateway.databases.errors import DatabaseUnreachable
from gateway.executions.leases import Leases, Renewal
from gateway.executions.model import Claim
from tests.fakes.logs import own_logs

CLAIM = Claim("e1", "a", 1, "f1", "digest", {}, "tests")


class Answers(Leases):
    """Leases whose renewals answer as a test says; None: PostgreSQL is down."""

    def __init__(self, *answers: bool | None) -> None:
        self._answers = list(answers)

    def renew(self, claim: Claim) -> bool:
        answer = self._answers.pop(0)
        if answer is None:
            raise DatabaseUnreachable("postgres", "It does not answer")
        return answer


def test_while_postgresql_is_down_a_lease_is_tried_sooner_and_said_in_one_line() -> None:
    renew = Renewal(CLAIM, Answers(None, True))
    assert renew(10.0) == 10.0  # it is fresh
    with own_logs() as logs:
        assert renew(10.0) == 5.0
        assert renew(10.0) == 10.0
    assert [each["event"] for each in logs] == ["node_lease_not_renewed"]


def test_a_lost_lease_is_said_once_and_asked_for_no_more() -> None:
    renew = Renewal(CLAIM, Answers(False))
    renew(10.0)
    with own_logs() as logs:
        renew(10.0)
        renew(10.0)
    assert [each["event"] for each in logs] == ["node_lease_lost"]
