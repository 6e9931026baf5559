"""How the text of a variable becomes its value. Nothing here repeats a text that it refuses: it may be a secret."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from config.secrets import Secret

YES = ("1", "true", "t", "yes", "y", "on")
NO = ("0", "false", "f", "no", "n", "off")


@dataclass(frozen=True)
class Bounds:
    """Where a number must lie: `ge` and `le` still do, `gt` does not. Neither infinity nor nan ever does."""

    ge: float = -math.inf
    gt: float = -math.inf
    le: float = math.inf

    def __contains__(self, number: float) -> bool:
        return self.ge <= number <= self.le and self.gt < number < math.inf

    def __str__(self) -> str:
        """In words that follow "a number": " from 1 to 65535", " above 0 and at most 30", or nothing."""
        if math.isfinite(self.ge) and math.isfinite(self.le):
            return f" from {self.ge} to {self.le}"
        named = (("of at least", self.ge), ("above", self.gt), ("at most", self.le))
        return " and".join(f" {words} {bound}" for words, bound in named if math.isfinite(bound))


UNBOUNDED = Bounds()


def read_text(text: str, kind: Any, bounds: Bounds = UNBOUNDED) -> Any:
    """`text` as a value of the annotation `kind`; of `X | None` it is an X.

    Raises:
        ValueError: "must be …", without the text.
    """
    if isinstance(kind, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind), text)
    if kind in (int, float):
        return _number(text, kind, bounds)
    return READERS[kind](text)


def comma_separated(text: str) -> tuple[str, ...]:
    """Its words, without those that are empty."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def http_url(text: str) -> str:
    """Without the slashes at its end. Raises ValueError for another scheme."""
    if not text.startswith(("http://", "https://")):
        raise ValueError("must be an http:// or https:// URL")
    return text.rstrip("/")


def _one_of(words: tuple[str, ...], text: str) -> str:
    if text not in words:
        raise ValueError(f"must be one of {', '.join(words)}")
    return text


def _number(text: str, kind: Callable[[str], float], bounds: Bounds) -> float:
    number = _parsed(text, kind)
    if number is None or number not in bounds:
        raise ValueError(f"must be a {'whole ' if kind is int else ''}number{bounds}")
    return number


def _parsed(text: str, kind: Callable[[str], float]) -> float | None:
    if not text.isascii():  # Python reads the digits of every script
        return None
    try:
        return kind(text)
    except ValueError:
        return None


def _truth(text: str) -> bool:
    word = text.lower()
    if word not in YES + NO:
        raise ValueError("must be true or false")
    return word in YES


READERS: Mapping[Any, Callable[[str], Any]] = {str: str, bool: _truth, tuple[str, ...]: comma_separated, Secret: Secret}
