"""From a value that somebody sent to a msgspec Struct, or every flaw it has.

msgspec decides whether a value fits, and stops at the first flaw. A client wants to hear of all of them, each with its place and in plain
words: `flaws.py` walks through a value that does not fit once more, beside the description of its type (ADR 0008).
"""
