"""Reading a cron line of five fields: minute, hour, day of month, month, day of week. Source: crontab(5)."""

import re

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of the week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
NICKNAMES = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]{1,3}))?")


def cron_problem(line: str) -> str | None:
    """What is wrong with the line; None for a good one."""
    if line.strip().lower() in NICKNAMES:
        return None
    words = line.lower().split()
    if len(words) != len(FIELDS):
        return f"must have five fields or be one of {', '.join(sorted(NICKNAMES))}"
    for word, (name, low, high) in zip(words, FIELDS, strict=True):
        if not all(_fits(part, name, low, high) for part in word.split(",")):
            return f"has a {name} that cannot be read: {word[:40]!r}"
    return None


def _fits(part: str, name: str, low: int, high: int) -> bool:
    match = PART.fullmatch(part)
    if not match or match[3] == "0" or (match[1] == "*" and match[2]):
        return False
    first = low if match[1] == "*" else _number(match[1], name, low)
    last = first if match[2] is None else _number(match[2], name, low)
    return first is not None and last is not None and low <= first <= last <= high


def _number(word: str, name: str, low: int) -> int | None:
    if word.isdecimal():
        return int(word) if len(word) <= 2 else None
    names = NAMES.get(name, ())
    return names.index(word) + low if word in names else None
