"""A broker's front door that tests open and shut."""

from gateway.outbox.errors import BrokerUnreachable, MessageUnroutable
from gateway.outbox.model import Message


class FakeSender:
    """Keeps what it was given. `room_for`: messages it takes before it is down; None takes all."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.room_for: int | None = None
        self.unroutable: set[str] = set()
        self.tries = 0

    def send(self, message: Message) -> None:
        self.tries += 1
        if message.task in self.unroutable:
            raise MessageUnroutable("No queue is declared for this task")
        if self.room_for is not None and self.room_for <= 0:
            raise BrokerUnreachable("The broker does not take messages")
        if self.room_for is not None:
            self.room_for -= 1
        self.sent.append(message)

    def close(self) -> None:
        pass
