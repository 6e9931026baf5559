"""One Redis command as a line of words, and which commands only read.

    GET "user:42"
    HMGET $key $fields          parameters {"key": "user:42", "fields": ["name", "mail"]}

Words are split as redis-cli does. A bare word `$name` is the parameter of that name, never parsed again; a list becomes several words.
Source: https://redis.io/docs/latest/commands/ (commands flagged `readonly` that neither block, nor walk the whole keyspace at once).
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from gateway.databases.errors import StatementInvalid, StatementRefused, missing_parameter
from gateway.databases.model import DatabaseName

_READING_WORDS = (
    "BITCOUNT BITFIELD_RO BITPOS DBSIZE ECHO EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GEORADIUS_RO GEORADIUSBYMEMBER_RO GEOSEARCH GET "
    "GETBIT GETRANGE HEXISTS HGET HGETALL HKEYS HLEN HMGET HRANDFIELD HSCAN HSTRLEN HTTL HVALS LCS LINDEX LLEN LPOS LRANGE MGET "
    "PEXPIRETIME PING PTTL RANDOMKEY SCAN SCARD SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO SRANDMEMBER SSCAN "
    "STRLEN SUBSTR SUNION TIME TTL TYPE XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE "
    "ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION "
)
READING = frozenset(_READING_WORDS.split())
READING_SUBCOMMANDS: Mapping[str, frozenset[str]] = {
    "MEMORY": frozenset({"USAGE"}),
    "OBJECT": frozenset({"ENCODING", "FREQ", "IDLETIME", "REFCOUNT"}),
    "XINFO": frozenset({"CONSUMERS", "GROUPS", "STREAM"}),
}
MAX_WORDS = 20_000
SCANNING = frozenset({"SCAN", "HSCAN", "SSCAN", "ZSCAN"})
MAX_SCAN_COUNT = 10_000  # elements that one call may walk: with more it would be KEYS
DRAWING = frozenset({"HRANDFIELD", "SRANDMEMBER", "ZRANDMEMBER"})
MAX_DRAWN = 10_000  # below zero an element may come again: the server would make as many as it is asked for, of a single one

_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|\Z)""", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}


def read_command(database: DatabaseName, statement: str, parameters: Mapping[str, Any]) -> list[bytes]:
    """The words of a reading command, ready to send.

    Raises:
        StatementInvalid: it has no words, too many, an open quote, or a parameter that is missing or no string or number.
        StatementRefused: the command is none of the reading ones.
    """
    words = [word for bare, text in _split(database, statement) for word in _bind(database, bare, text, parameters)]
    if not words or len(words) > MAX_WORDS:
        raise StatementInvalid(database, f"The statement is one command of 1 to {MAX_WORDS} words")
    _refuse_all_but_reading(database, words)
    return words


def _split(database: DatabaseName, statement: str) -> Iterator[tuple[bool, bytes]]:
    """Each word, and whether it stood without quotes."""
    position, text = 0, statement.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise StatementInvalid(database, f"A quote is open or misplaced after character {position}")
        position = match.end()
        double, single, bare = match.groups()
        if bare is not None:
            yield True, bare.encode()
        else:
            yield False, _unescape(double) if double is not None else single.replace("\\'", "'").encode()


def _unescape(text: str) -> bytes:
    parts, position = [], 0
    for match in _ESCAPE.finditer(text):
        code = match.group(1)
        parts += [text[position : match.start()].encode(), bytes.fromhex(code[1:]) if len(code) == 3 else _ESCAPED.get(code, code.encode())]
        position = match.end()
    return b"".join([*parts, text[position:].encode()])


def _bind(database: DatabaseName, bare: bool, word: bytes, parameters: Mapping[str, Any]) -> list[bytes]:
    if not bare or not word.startswith(b"$") or len(word) == 1:
        return [word]
    name = word[1:].decode()
    if name not in parameters:
        raise missing_parameter(database, name)
    value = parameters[name]
    return [_encode(database, name, item) for item in (value if isinstance(value, list) else [value])]


def _encode(database: DatabaseName, name: str, value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value).encode()
    raise StatementInvalid(database, f"The parameter {name[:100]} must be a string, a number, or a list of them", parameter=name)


def _refuse_all_but_reading(database: DatabaseName, words: list[bytes]) -> None:
    command = words[0].decode(errors="replace").upper()
    second = words[1].decode(errors="replace").upper() if len(words) > 1 else ""
    allowed = command in READING or second in READING_SUBCOMMANDS.get(command, frozenset())
    if not allowed:
        raise StatementRefused(database, "Only commands that read are run here", vendor_code=command[:32])
    if command in SCANNING and any(_is_large(count, MAX_SCAN_COUNT) for count in _after(b"COUNT", words)):
        raise StatementRefused(database, f"COUNT may not exceed {MAX_SCAN_COUNT} here", vendor_code=command)
    if command in DRAWING and any(_is_large(count.removeprefix(b"-"), MAX_DRAWN) for count in words[2:3]):
        raise StatementRefused(database, f"The count may not exceed {MAX_DRAWN} here", vendor_code=command)
    if command == "XREAD" and any(word.upper() == b"BLOCK" for word in words[1:]):
        raise StatementRefused(database, "XREAD may not BLOCK here", vendor_code=command)


def _after(option: bytes, words: list[bytes]) -> Iterator[bytes]:
    return (value for name, value in pairwise(words) if name.upper() == option)


def _is_large(count: bytes, most: int) -> bool:
    return count.isdigit() and (len(count.lstrip(b"0")) > len(str(most)) or int(count) > most)
