"""The product's Celery app with the known failure on demand: while the file DEAF_FLAG names exists, no new BRPOP is sent.

Such a worker is connected, answers control commands, runs its timers, and never takes a message again.
"""

import os
from pathlib import Path
from typing import Any

from kombu.transport.redis import Channel

from tasks.app import app

__all__ = ["app"]

_FLAG = Path(os.environ["DEAF_FLAG"])
_hearing = Channel._brpop_start


def _brpop_start(self: Channel, *arguments: Any, **named: Any) -> Any:
    return None if _FLAG.exists() else _hearing(self, *arguments, **named)


Channel._brpop_start = _brpop_start
