"""What can go wrong on the way to the broker. No caller of the gateway ever sees these: the row waits."""

from gateway.errors import GatewayError, Unavailable


class BrokerUnreachable(Unavailable):
    """The broker did not take the message in time. The row stays in the outbox."""

    code = "BROKER_UNREACHABLE"


class MessageUnroutable(GatewayError):
    """This version of the product does not know the task: another version wrote the row."""

    code = "MESSAGE_UNROUTABLE"
