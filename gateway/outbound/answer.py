"""What a called service answered."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from gateway.errors import UpstreamInvalid

SURROGATE = re.compile(rb"\\u[dD]")


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
        """The body as JSON by RFC 8259: UTF-8, without NaN and Infinity. Half a surrogate pair, which no UTF-8 can carry on, is U+FFFD.

        Raises:
            UpstreamInvalid: the body is not JSON, or nests too deeply to be read.
        """
        try:
            value = json.loads(self.body.decode("utf-8-sig"), parse_constant=_refuse_constant)
            return _with_whole_characters(value) if SURROGATE.search(self.body) else value
        except (ValueError, RecursionError) as error:
            raise UpstreamInvalid("The called service answered something that is not JSON") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _with_whole_characters(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
