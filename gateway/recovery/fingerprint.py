"""What makes two errors the same: a versioned hash of kind, driver code, our own top frames and the masked message.

Masking is one pass of one expression over at most `MESSAGE_LIMIT` characters: no input makes it slow.
"""

import hashlib
import re
from types import TracebackType

from gateway.recovery.names import hide_names

VERSION = "v1"
MESSAGE_LIMIT = 400
TEMPLATE_LIMIT = 300
OWN_PACKAGES = ("gateway.", "tasks.", "configservice.")
FRAMES_WALKED = 64
FRAMES_KEPT = 2

# Where engines begin to echo the statement, a stack or a version: what follows says nothing about the cause.
ECHO = re.compile(
    r"(?=[s\[(.,: l])(?:Stack trace:|\[SQL:|\(Background on this error|\(line \d|\. Expected one of|,? while processing|: While |"
    r" in scope |\(while |LINE \d+:|, with args beginning with|\(version |(?<='\)):\s)",
    re.IGNORECASE,
)
# A client that prints the body of an answer: what the server says stands in one member of it.
BODY = re.compile(
    r"""\{[^{}"']{0,20}["'](?:message|error|errorMessage|detail)["']\s*:\s*(?:"(?P<double>(?:[^"\\]|\\.)+)"|'(?P<single>(?:[^'\\]|\\.)+)').*"""
    r"""|\{.{0,60}?["'](?:message|errorMessage|detail)["']\s*:\s*(?:"(?P<later>(?:[^"\\]|\\.)+)"|'(?P<latest>(?:[^'\\]|\\.)+)').*""",
    re.DOTALL,
)
UNIT = r"(?:\s?(?:[kKMGTP]i?B|bytes|rows|%|µs|us|ms|s|secs?|seconds?|minutes?|hours?|days?)(?![\w-]))?"
# The first line is where anything can begin at all, so that the rest is not tried inside of words: it halves the time.
VARIABLE = re.compile(
    rf"""
      (?: (?<!\w)(?=\w) | (?=[-"`'“\[:/.+]) | (?<==) )
    (?: (?P<quoted> "[^"\n]{{0,300}}" | `[^`\n]{{0,300}}` | (?<!\w)'[^'\n]{{0,300}}'(?!\w) | “[^”\n]{{0,300}}” )
    | (?P<url>    \b[a-zA-Z][\w+.-]{{1,20}}://[^\s,;)\]}}>"']+ )
    | (?P<call>   \b(?P<called>[a-zA-Z_][\w.]{{0,80}}+)\((?!s\))[^()\n]{{0,300}}\) )
    | (?P<value>  (?<==)\s?(?: \([^)\n]{{0,300}}\) | [^\s,;()\]]+ ) )
    | (?P<email>  \b[\w.+-]{{1,64}}+@[\w.-]{{1,253}}\b )
    | (?P<date>   \b\d{{4}}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{{1,9}})?)?(?:Z|[+-]\d\d:?\d\d)?
                | \b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s\d{{1,2}}\s\w{{3}}\s\d{{4}}(?:\s[\d:]{{5,8}})?(?:\s(?:GMT|UTC))?
                | \b\d{{1,2}}:\d\d:\d\d(?:[.,]\d+)?\b )
    | (?P<host>   (?<![\w:])\[?(?:[0-9a-fA-F]{{0,4}}:){{2,7}}[0-9a-fA-F]{{0,4}}(?:%\w+)?\]?(?::\d{{1,5}})?(?![\w:])
                | \b\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d{{1,5}})?\b
                | \b(?:[a-zA-Z0-9_][\w-]{{0,62}}+\.)+[a-zA-Z][\w-]{{0,62}}(?::\d{{1,5}})?\b
                | \b[a-zA-Z][\w-]{{0,62}}+:\d{{1,5}}\b )
    | (?P<path>   (?<![\w/])(?:/[\w.@%+~-]+)+/? )
    | (?P<number> \b[0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}\b
                | (?<![\w.])-?\d+(?:[.,_]\d+)*(?:e[+-]?\d+)?[a-zA-Zµ]{{0,3}}(?![\w-]){UNIT}
                | \b[a-zA-Z_-]{{0,80}}+\d[\w-]{{0,80}}\b
                | \b[a-fA-F]{{8,64}}\b ) )
    """,
    re.VERBOSE,
)
REPEATED = re.compile(r"(<\w+>)(?:[\s,;|/]+(?:and\s+)?\1)+")
TELLING = ("Error", "Exception", "Timeout", "Warning")  # a call of this name says what went wrong
MASK = re.compile(r"<\w+>")
RUN = re.compile(r"[(\[{]?<\*>[)\]}]?(?:[\s,;:|/.()\[\]{}]*(?:and\s+)?<\*>[)\]}]?)*")
WORD = re.compile(r"[^\W\d_]{3,}")
SPACE = re.compile(r"\s+")


def mask(text: str) -> str:
    """The message with everything that varies replaced by a word in angle brackets; at most 300 characters, one line."""
    first = _spoken(text.lstrip()[:MESSAGE_LIMIT]).split("\n", 1)[0]
    echo = ECHO.search(first)
    kept = (first[: echo.start()].rstrip() if echo else first) or first
    masked = hide_names(VARIABLE.sub(_name_of_match, kept))
    return SPACE.sub(" ", REPEATED.sub(r"\1", masked)).strip()[:TEMPLATE_LIMIT]


def kernel(template: str, error_class: str) -> str:
    """What of a template counts for the fingerprint: that something varies, not what or how much of it.

    An address stands where a name did, a list where one item did, and the cause is the same. A template without a word says nothing: its
    class speaks instead.
    """
    bare = RUN.sub("<*>", MASK.sub("<*>", template)).rstrip(" .!")
    return bare if WORD.search(bare) else f"{error_class} {bare}"


def _spoken(text: str) -> str:
    body = BODY.search(text) if "{" in text else None
    if body is None:
        return text
    said: str = next(filter(None, body.groups()))
    return text[: body.start()] + said


def _name_of_match(match: re.Match[str]) -> str:
    if match.lastgroup == "call" and match["called"].endswith(TELLING):
        return f"{match['called']}<call>"
    return f"<{match.lastgroup}>"


def own_frames(traceback: TracebackType | None) -> tuple[str, ...]:
    """The innermost frames of our own code, outermost of them first, as `module:function`; no lines: those move with every edit."""
    found: list[str] = []
    for _ in range(FRAMES_WALKED):
        if traceback is None:
            break
        module = traceback.tb_frame.f_globals.get("__name__", "")
        if module.startswith(OWN_PACKAGES):
            found.append(f"{module}:{traceback.tb_frame.f_code.co_name}")
        traceback = traceback.tb_next
    return tuple(found[-FRAMES_KEPT:])


def fingerprint(*, fault_type: str, source: str, vendor_code: str | None, frames: tuple[str, ...], template: str) -> str:
    """`v1-` and 32 hexadecimal digits. Another version never collides with this one and old patterns stay readable."""
    parts = "\x1f".join((VERSION, fault_type, source, vendor_code or "", *frames, template))
    return f"{VERSION}-{hashlib.blake2b(parts.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
