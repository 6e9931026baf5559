"""Instances that should get no calls for a while."""

from gateway.configuration.avoiding import AvoidedInstances
from gateway.configuration.model import Instance, Service

ORDERS = Service("orders", "healthy", (Instance("10.0.0.1", 80), Instance("10.0.0.2", 80)))


def test_an_instance_is_spared_until_the_next_word() -> None:
    avoided = AvoidedInstances()
    assert avoided.spared(ORDERS) == ORDERS.instances
    avoided.replace({"service:orders": frozenset({"http://10.0.0.1:80"})})
    assert avoided.spared(ORDERS) == ORDERS.instances[1:]
    avoided.replace({})
    assert avoided.spared(ORDERS) == ORDERS.instances


def test_an_ill_instance_is_better_than_none() -> None:
    avoided = AvoidedInstances()
    avoided.replace({"service:orders": frozenset(instance.base_url for instance in ORDERS.instances)})
    assert avoided.spared(ORDERS) == ORDERS.instances
