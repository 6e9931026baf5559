"""One policy bounds what a process does about faults, within a request and after it."""

from config.settings import Settings
from gateway.clock import SystemClock
from gateway.container import build_container
from gateway.recovery.model import Action
from gateway.recovery.policy import ALWAYS_ALLOWED


def test_the_operators_allow_list_bounds_requests_workers_and_learning_alike() -> None:
    environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "RECOVERY_ACTIONS": "retry,reconnect_database"}
    container = build_container(Settings.from_environment(environment), SystemClock())
    allowed = {Action.RETRY, Action.RECONNECT_DATABASE} | ALWAYS_ALLOWED
    assert container.recovery.policy.allowed == allowed
    assert container.patterns.policy is container.recovery.policy
    assert container.recoveries._policy is container.recovery.policy
    container.stop()
