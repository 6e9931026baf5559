"""What the outbox needs from outside: somebody who hands a message to the broker."""

from typing import Protocol

from gateway.outbox.model import Message


class Sender(Protocol):
    """Hands one message to the broker. Called by the relay's thread only."""

    def send(self, message: Message) -> None:
        """Publish one message, or give up within a bounded time.

        Raises:
            BrokerUnreachable: the broker did not take it; nobody knows whether it has it.
            MessageUnroutable: this version of the product has no queue for it.
        """

    def close(self) -> None:
        """Close the connection; the next message opens a new one."""
