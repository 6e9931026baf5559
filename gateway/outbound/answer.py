"""What a called service answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from gateway.errors import UpstreamInvalid


@dataclass(frozen=True)
class Answer:
    """One whole answer.

    `status`: as the service sent it, redirects included. `headers`: lower-case names, repeated ones joined by ", ".
    `body`: decoded from its content encoding, complete.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON by RFC 8259: UTF-8, without NaN and Infinity.

        Raises:
            UpstreamInvalid: the body is not JSON, or nests too deeply to be read.
        """
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise UpstreamInvalid("The called service answered something that is not JSON") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
