"""A pattern as a flow, for the Flow Registry (contracts/configuration-service.md, "An error pattern is uploaded as a flow")."""

import hashlib
import re
from typing import Any

from gateway.recovery.patterns.evidence import median_ms
from gateway.recovery.patterns.model import Outcome, Pattern, Suggestion

TAG = "error_pattern"
DETECTION, RECOVERY = "detection", "recovery"
HEX = re.compile(r"v\d+-([0-9a-f]{16})[0-9a-f]*")


def flow_id_of(fingerprint: str) -> str:
    """`error-pattern-` and 16 hexadecimal digits."""
    match = HEX.fullmatch(fingerprint)
    digits = match[1] if match else hashlib.blake2b(fingerprint.encode(), digest_size=8).hexdigest()
    return f"error-pattern-{digits}"


def document_of(pattern: Pattern, outcomes: tuple[Outcome, ...], suggestion: Suggestion) -> dict[str, Any]:
    """The flow: detection, recovery and the edge between them, with the counts of now. The same pattern makes the same document."""
    facts = pattern.facts
    return {
        "id": flow_id_of(facts.fingerprint),
        "name": f"Error pattern {facts.fingerprint}",
        "type": "custom",
        "version": "1.0.0",
        "description": _plain(f"{facts.fault_type} from {facts.source}: {facts.template}")[:1000],
        "createdBy": "api-gateway",
        "tags": [TAG, facts.fault_type, f"source:{facts.source}"],
        "nodes": [
            {"id": DETECTION, "name": "Error detection", "type": "error_detection", "config": _detection(pattern)},
            {"id": RECOVERY, "name": "Error recovery", "type": "error_recovery", "config": _recovery(outcomes, suggestion)},
        ],
        "edges": [{"id": "detection-recovery", "source": DETECTION, "target": RECOVERY}],
        "metadata": {
            "fingerprint": facts.fingerprint,
            "count": pattern.count,
            "firstSeenAt": pattern.first_seen_at.isoformat(),
            "lastSeenAt": pattern.last_seen_at.isoformat(),
        },
    }


def _detection(pattern: Pattern) -> dict[str, Any]:
    facts = pattern.facts
    known = {
        "errorType": facts.fault_type,
        "category": facts.category,
        "severity": facts.severity,
        "source": facts.source,
        "vendorCode": facts.vendor_code,
        "errorClass": facts.error_class,
        "template": _plain(facts.template),
        "retryable": facts.retryable,
        "count": pattern.count,
    }
    return {name: value for name, value in known.items() if value is not None}


def _recovery(outcomes: tuple[Outcome, ...], suggestion: Suggestion) -> dict[str, Any]:
    return {
        "suggestedAction": suggestion.action.value,
        "reason": suggestion.reason,
        "automatic": suggestion.automatic,
        "actions": [
            {
                "action": each.action.value,
                "attempts": each.evidence.attempts,
                "successes": each.evidence.successes,
                **({"medianMs": median} if (median := median_ms(each.evidence.durations)) is not None else {}),
            }
            for each in outcomes
        ],
    }


def _plain(text: str) -> str:
    """Not an expression: in a flow, `${` begins one."""
    return text.replace("${", "$ {")
