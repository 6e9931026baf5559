"""Batches and samples as JSON: for rows and for the local spool."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gateway.recovery.model import Action
from gateway.recovery.patterns.evidence import Evidence
from gateway.recovery.patterns.model import Batch, Facts, Outcome, Sample, Sighting


def to_line(batch: Batch) -> dict[str, Any]:
    """One line of the local spool."""
    return {
        "id": batch.id,
        "sightings": [
            {
                "facts": asdict(each.facts),
                "count": each.count,
                "first": each.first_seen_at.isoformat(),
                "last": each.last_seen_at.isoformat(),
                "samples": [sample_to_json(sample) for sample in each.samples],
            }
            for each in batch.sightings
        ],
        "outcomes": [
            {
                "fingerprint": each.fingerprint,
                "action": each.action.value,
                "evidence": {**asdict(each.evidence), "at": each.evidence.at.isoformat()},
            }
            for each in batch.outcomes
        ],
    }


def from_line(line: Mapping[str, Any]) -> Batch | None:
    """The batch of a line; None when another version wrote it."""
    try:
        return Batch(line["id"], tuple(map(_sighting, line["sightings"])), tuple(map(_outcome, line["outcomes"])))
    except (KeyError, TypeError, ValueError):
        return None


def sample_to_json(sample: Sample) -> dict[str, Any]:
    """The JSON of a sample, what is absent left out."""
    values = {**asdict(sample), "at": sample.at.isoformat()}
    return {name: value for name, value in values.items() if value is not None}


def sample_from_json(value: Mapping[str, Any]) -> Sample:
    """The sample of `sample_to_json`."""
    return Sample(**{**value, "at": datetime.fromisoformat(value["at"])})


def _sighting(value: Mapping[str, Any]) -> Sighting:
    first, last = (datetime.fromisoformat(value[name]) for name in ("first", "last"))
    return Sighting(Facts(**value["facts"]), int(value["count"]), first, last, tuple(map(sample_from_json, value["samples"])))


def _outcome(value: Mapping[str, Any]) -> Outcome:
    known = value["evidence"]
    evidence = Evidence(**{**known, "durations": tuple(known["durations"]), "at": datetime.fromisoformat(known["at"])})
    return Outcome(value["fingerprint"], Action(value["action"]), evidence)
