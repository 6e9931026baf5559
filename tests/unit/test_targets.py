import pytest

from gateway.targets import CONFIGURATION_SERVICE, capability_target, database_target, kind_of, name_of, service_target


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (database_target("postgres"), "database:postgres"),
        (service_target("prices"), "service:prices"),
        (capability_target("moving_average"), "capability:moving_average"),
        (CONFIGURATION_SERVICE, "service:configuration-service"),
    ],
)
def test_a_target_is_its_kind_and_its_name(target: str, text: str) -> None:
    assert target == text
    assert f"{kind_of(target)}:{name_of(target)}" == text


def test_a_name_may_hold_colons() -> None:
    assert name_of(service_target("a:b")) == "a:b"


def test_a_word_without_a_colon_names_no_target() -> None:
    assert (kind_of("database"), name_of("database")) == ("", "")
