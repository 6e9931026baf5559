"""One batch into the rows, inside its caller's transaction.

Locks are taken in one order, so that merges never wait for each other in a circle: one lock for all when a pattern is new, then rows by
fingerprint, then outcomes by fingerprint and action.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gateway.recovery.model import Action
from gateway.recovery.patterns import tables
from gateway.recovery.patterns.evidence import BINS, Evidence
from gateway.recovery.patterns.model import MAX_SAMPLES, Facts, Outcome, Sighting, other_of
from gateway.recovery.patterns.rows import sample_to_json

LOCK = 7_312_006  # any fixed number: batches with new patterns take turns, so that the cap holds
FACTS = tuple(Facts.__dataclass_fields__)
PATTERN = tables.patterns.c
OUTCOME = tables.outcomes.c


def merge_sightings(
    connection: sa.Connection, sightings: Sequence[Sighting], outcomes: Sequence[Outcome], *, max_per_source: int, at: datetime
) -> int:
    """Add both; the number of new patterns. What finds its source full is counted in its `other` bucket."""
    new = {each.facts.fingerprint for each in sightings} - _known(connection, (each.facts.fingerprint for each in sightings))
    folded: dict[str, str] = {}
    if new:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        new -= _known(connection, new)
        folded = _folded(connection, [each for each in sightings if each.facts.fingerprint in new], max_per_source)
    placed = _placed(sightings, folded)
    healed = _summed([replace(each, fingerprint=folded.get(each.fingerprint, each.fingerprint)) for each in outcomes])
    _lock(connection, {*placed, *(fingerprint for fingerprint, _ in healed)})
    if placed:
        connection.execute(_upsert([placed[fingerprint] for fingerprint in sorted(placed)], at))
    _merge_outcomes(connection, healed)
    _revise(connection, {fingerprint for fingerprint, _ in healed} - set(placed))
    return len(new - set(folded))


def _known(connection: sa.Connection, fingerprints: Iterable[str]) -> set[str]:
    return set(connection.execute(sa.select(PATTERN.fingerprint).where(PATTERN.fingerprint.in_(list(fingerprints)))).scalars())


def _folded(connection: sa.Connection, new: Sequence[Sighting], max_per_source: int) -> dict[str, str]:
    """By fingerprint, the bucket of what has no room. The most frequent come first."""
    sources = {each.facts.source for each in new}
    counted = (
        sa.select(PATTERN.source, sa.func.count()).where(PATTERN.source.in_(sources), sa.not_(PATTERN.is_other)).group_by(PATTERN.source)
    )
    room = dict.fromkeys(sources, max_per_source)
    for source, count in connection.execute(counted):
        room[source] -= count
    folded = {}
    for each in sorted(new, key=lambda sighting: -sighting.count):
        if each.facts.is_other:
            continue
        if room[each.facts.source] > 0:
            room[each.facts.source] -= 1
        else:
            folded[each.facts.fingerprint] = other_of(each.facts.source).fingerprint
    return folded


def _placed(sightings: Sequence[Sighting], folded: Mapping[str, str]) -> dict[str, Sighting]:
    """Sightings by the fingerprint that they count for."""
    placed: dict[str, Sighting] = {}
    for each in sightings:
        kept = replace(each, facts=other_of(each.facts.source), samples=()) if each.facts.fingerprint in folded else each
        before = placed.get(kept.facts.fingerprint)
        placed[kept.facts.fingerprint] = _added(before, kept) if before else kept
    return placed


def _added(one: Sighting, other: Sighting) -> Sighting:
    return Sighting(
        one.facts,
        one.count + other.count,
        min(one.first_seen_at, other.first_seen_at),
        max(one.last_seen_at, other.last_seen_at),
        (*one.samples, *other.samples)[:MAX_SAMPLES],
    )


def _summed(outcomes: Sequence[Outcome]) -> dict[tuple[str, Action], Evidence]:
    summed: dict[tuple[str, Action], Evidence] = {}
    for each in outcomes:
        key = (each.fingerprint, each.action)
        summed[key] = summed[key].merged(each.evidence) if key in summed else each.evidence
    return summed


def _lock(connection: sa.Connection, fingerprints: set[str]) -> None:
    rows = sa.select(PATTERN.fingerprint).where(PATTERN.fingerprint.in_(fingerprints)).order_by(PATTERN.fingerprint).with_for_update()
    connection.execute(rows).all()


def _upsert(sightings: Sequence[Sighting], at: datetime) -> sa.Insert:
    """Counts are increments, so that many processes add up; the first three samples stay."""
    statement = insert(tables.patterns).values([_values(each, at) for each in sightings])
    said = statement.excluded
    samples = sa.func.jsonb_path_query_array(PATTERN.samples.op("||")(said.samples), sa.text(f"'$[0 to {MAX_SAMPLES - 1}]'"))
    return statement.on_conflict_do_update(
        index_elements=["fingerprint"],
        set_={
            "count": PATTERN["count"] + said["count"],
            "first_seen_at": sa.func.least(PATTERN.first_seen_at, said.first_seen_at),
            "last_seen_at": sa.func.greatest(PATTERN.last_seen_at, said.last_seen_at),
            "samples": samples,
            "revision": PATTERN.revision + 1,
        },
    )


def _values(sighting: Sighting, at: datetime) -> dict[str, Any]:
    return {
        **{name: getattr(sighting.facts, name) for name in FACTS},
        "is_other": sighting.facts.is_other,
        "count": sighting.count,
        "first_seen_at": sighting.first_seen_at,
        "last_seen_at": sighting.last_seen_at,
        "samples": [sample_to_json(sample) for sample in sighting.samples],
        "revision": 1,
        "upload_due_at": at,
        "upload_failures": 0,
    }


def _merge_outcomes(connection: sa.Connection, outcomes: Mapping[tuple[str, Action], Evidence]) -> None:
    """Evidence fades, so it is merged here rather than added in SQL: under the rows' locks."""
    if not outcomes:
        return
    keys = sorted(outcomes)
    empty = {"attempts": 0, "successes": 0, "tries": 0.0, "wins": 0.0, "durations": [0.0] * BINS}
    absent = [{"fingerprint": fingerprint, "action": action.value, "at": outcomes[fingerprint, action].at} for fingerprint, action in keys]
    connection.execute(insert(tables.outcomes).values([{**each, **empty} for each in absent]).on_conflict_do_nothing())
    pair = sa.tuple_(OUTCOME.fingerprint, OUTCOME.action)
    held = sa.select(tables.outcomes).where(pair.in_(keys)).order_by(OUTCOME.fingerprint, OUTCOME.action).with_for_update()
    merged = [
        {
            f"new_{name}": value
            for name, value in evidence_values(outcomes[row.fingerprint, Action(row.action)].merged(evidence_of_row(row))).items()
        }
        | {"of_fingerprint": row.fingerprint, "of_action": row.action}
        for row in connection.execute(held).all()
    ]
    named: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in ("attempts", "successes", "tries", "wins", "durations", "at")}
    where = (OUTCOME.fingerprint == sa.bindparam("of_fingerprint"), OUTCOME.action == sa.bindparam("of_action"))
    connection.execute(sa.update(tables.outcomes).where(*where).values(named), merged)


def _revise(connection: sa.Connection, fingerprints: set[str]) -> None:
    if fingerprints:
        connection.execute(sa.update(tables.patterns).where(PATTERN.fingerprint.in_(fingerprints)).values(revision=PATTERN.revision + 1))


def evidence_of_row(row: Any) -> Evidence:
    """The evidence of a row of pattern_outcomes."""
    return Evidence(row.attempts, row.successes, row.tries, row.wins, tuple(row.durations), row.at)


def evidence_values(evidence: Evidence) -> dict[str, Any]:
    """The columns of a piece of evidence."""
    return {
        "attempts": evidence.attempts,
        "successes": evidence.successes,
        "tries": evidence.tries,
        "wins": evidence.wins,
        "durations": list(evidence.durations),
        "at": evidence.at,
    }
