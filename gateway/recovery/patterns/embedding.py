"""What a pattern means, as 256 numbers: local, deterministic, versioned, without a model.

Features are hashed into 256 places with a sign (the hashing trick, https://arxiv.org/abs/0902.2206): the words of the masked template,
pairs of neighbouring words, the parts of words (three letters), and the type, source, class and vendor code. The result has length 1, so
that the cosine of two is their dot product. Another way of embedding is another VERSION; points of different versions are never compared.
"""

import hashlib
import math
import re
from collections.abc import Iterator
from itertools import pairwise

from gateway.recovery.patterns.model import Facts

VERSION = "h1"
DIMENSIONS = 256
WORD = re.compile(r"[a-z]+")
MASKED = re.compile(r"<\w+>")
WORD_WEIGHT, PAIR_WEIGHT, PART_WEIGHT = 1.0, 0.7, 0.3
TYPE_WEIGHT, SOURCE_WEIGHT, CODE_WEIGHT, CLASS_WEIGHT = 1.5, 0.8, 1.2, 0.6
# They stand in most messages and mean little.
STOP = frozenset("a an the is was of to in on at by for and or with it this that be".split())  # noqa: SIM905 - reads better


def embed(facts: Facts) -> tuple[float, ...]:
    """The meaning of a pattern: 256 numbers, of length 1."""
    vector = [0.0] * DIMENSIONS
    for feature, weight in _features(facts):
        place, sign = _hashed(feature)
        vector[place] += sign * weight
    length = math.sqrt(math.fsum(value * value for value in vector))
    return tuple(round(value / length, 6) for value in vector)


def similarity(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The cosine of two meanings."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def _features(facts: Facts) -> Iterator[tuple[str, float]]:
    yield f"type {facts.fault_type}", TYPE_WEIGHT
    yield f"source {facts.source}", SOURCE_WEIGHT
    yield f"class {facts.error_class.rpartition('.')[2]}", CLASS_WEIGHT
    if facts.vendor_code:
        yield f"code {facts.source} {facts.vendor_code}", CODE_WEIGHT
    words = [word for word in WORD.findall(MASKED.sub(" ", facts.template.lower())) if word not in STOP]
    for word in words:
        yield f"word {word}", WORD_WEIGHT
        yield from ((f"part {word[at : at + 3]}", PART_WEIGHT) for at in range(len(word) - 2))
    for one, other in pairwise(words):
        yield f"pair {one} {other}", PAIR_WEIGHT


def _hashed(feature: str) -> tuple[int, float]:
    number = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
    return number % DIMENSIONS, 1.0 if number >> 63 else -1.0
