"""A secret is given to who asks for it, and shown to nobody else."""

from config.secrets import Secret


def test_a_secret_is_shown_nowhere() -> None:
    secret = Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{[secret]}", "%s" % secret, format(secret)]  # noqa: UP031
    assert not [text for text in shown if "hunter2" in text]
    assert str(secret) == "**********"
    assert secret.get_secret_value() == "hunter2"


def test_equal_secrets_are_one() -> None:
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


def test_an_empty_secret_is_none() -> None:
    assert not Secret("")
    assert Secret("a")
