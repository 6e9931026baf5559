"""Names in messages that no quotes mark: `user alice`, `Database sales doesn't exist`, `collection not found: carts`, `order_items`.

By its place or by its shape a word is a name. What engines say in plain words stays: it tells causes apart.
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words after which a name stands, and, when a colon follows them, these too.
INTRODUCING = _words("""
    host hostname user username login role account database keyspace schema table relation view collection class index shard tenant column
    columns field property attribute identifier key document vertex graph node replica partition topic queue bucket function procedure
    command parameter variable setting constraint consumer group stream channel job task service instance volume device password token
    secret cluster resolve lookup execute string request session transaction object record entity item namespace pod container
    order customer worker
""")
INTRODUCING_WITH_COLON = _words("found exist exists unknown duplicate duplicated such invalid name")
INTRODUCING_PAIRS = frozenset(
    ("connecting to", "connect to", "connection to", "reading from", "read from", "writing to", "replicating from", "timeout from")
)
# What stands at such a place without being a name.
ORDINARY = _words("""
    a an the is was were are be been has have had do does did doesn't don't isn't wasn't can can't cannot could couldn't must may might
    will would should not no in on of or and for to with without at by as from into that this which whose than due after before while
    during if but already also only just still too more less over under out off up down again any all each same other such it its there
    when where how why name names id ids type mode state status size length count limit quota value values system server client pair
    version error errors full empty busy unknown invalid wrong corrupt offline online exist exists found lost gone dead timeout lookup
    access memory space disk lock key keys user index constraint mismatch conflict overflow failure near primary foreign host hosts port
    unavailable unreachable incompatible ambiguous currently temporarily violation creation deletion expiration validation
    authentication authorization initialization replication operation permission
    disabled locked expired blocked closed refused required denied exceeded rejected failed dropped deleted removed created updated changed
    modified moved renamed reserved restricted revoked suspended terminated aborted cancelled canceled corrupted damaged detached
    disconnected duplicated evicted exhausted frozen interrupted invalidated limited mismatched needed overloaded owned paused reached read
    replicated returned skipped stopped supported truncated unauthorized undefined unexpected unrecognized unsupported used violated written
    missing pending holding waiting processing loading starting stopping shutting closing rebuilding recovering initializing syncing
    killed timed reset started completed handled cut write writes reads body header headers method path data payload store storage
    response log level isolation manager pool rate lease state states
    containing referencing including using expecting
""")
LONGEST = 120  # what is longer is no name, and patterns that go back and forth stay quick
CORE = re.compile(r"(\W*)([A-Za-z_$][\w$-]*(?:\.[\w$-]+)*)(\W*)")
SHAPE = re.compile(r"\b(?:[a-zA-Z]*[a-z][a-zA-Z]*(?:_[a-zA-Z]+)+|(?:[a-z]+|[A-Z][a-z]+)(?:[A-Z][a-z]+)+|[a-z]{2,}(?:-[a-z]+)+)\b")
MASK = "<name>"


def hide_names(text: str) -> str:
    """The text, its names replaced by `<name>`. Linear in its length."""
    words = text.split(" ")
    shown = list(words)
    for at, word in enumerate(words):
        if not word or "<" in word:
            continue
        introduced = at > 0 and MASK not in shown[at - 1] and _introduced(words, at) and _may_be_a_name(word)
        if introduced or _is_a_user(words, at):
            shown[at] = CORE.sub(rf"\1{MASK}\3", word, count=1)
        elif "_" in word or "-" in word or not (word.islower() or word.istitle() or word.isupper()):
            shown[at] = SHAPE.sub(MASK, word[:LONGEST])
    return " ".join(shown)


def _is_a_user(words: list[str], at: int) -> bool:
    """ClickHouse writes the user before what it refuses: `DB::Exception: alice: Not enough privileges`."""
    follows = words[at + 1][:1].isupper() if at + 1 < len(words) else False
    return words[at][-1] == ":" and follows and (at == 0 or words[at - 1] == "DB::Exception:") and words[at][0].islower()


def _introduced(words: list[str], at: int) -> bool:
    before = words[at - 1].lower().lstrip("([{")
    bare = before.rstrip(":")
    if bare in INTRODUCING or (before != bare and bare in INTRODUCING_WITH_COLON):
        return True
    return at > 1 and f"{words[at - 2].lower()} {before}" in INTRODUCING_PAIRS


def _may_be_a_name(word: str) -> bool:
    core = CORE.fullmatch(word)
    if core is None:
        return False
    return core[2].lower() not in ORDINARY
