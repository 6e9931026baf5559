"""What the prefixes of a Redis-protocol server's error lines and redis-py's exception classes mean to us.

Source: redis-py 8 (exceptions.py); https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors (prefixes).
"""

from collections.abc import Mapping

from redis import exceptions as vendor

from gateway.databases.error_rules import EXHAUSTED, LATE, READS_ONLY, REFUSES_US, STRANGER, UNREACHABLE, ClassRules, Rule, made, rule_for
from gateway.databases.errors import (
    DatabaseError,
    DatabaseFailed,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
)
from gateway.databases.model import DatabaseName

REFUSES: Rule = (StatementInvalid, "{engine} refuses the command")
FAILED: Rule = (DatabaseFailed, "{engine} could not run the command")
CONFLICT: Rule = (StatementConflict, "{engine} did not run the command because of another one")
NOT_NOW: Rule = (DatabaseUnreachable, "{engine} does not serve for now")

# Prefixes that the driver has no class for, or a wrong one.
PREFIX_RULES: Mapping[str, Rule] = {
    "WRONGTYPE": (StatementInvalid, "The key holds another type of value"),
    "MISCONF": READS_ONLY,  # snapshots fail: mostly a full disk
    "NOREPLICAS": READS_ONLY,
    "OOM": (DatabaseReadOnly, "{engine} is out of memory for writes"),
    "BUSY": (DatabaseTimeout, "{engine} is busy running a script"),
    "DENIED": UNREACHABLE,  # protected mode
}

# Every exception class of redis-py; a test fails when a new version brings one that is not here.
CLASS_RULES: ClassRules = {
    vendor.RedisError: FAILED,
    vendor.ConnectionError: UNREACHABLE,
    vendor.TimeoutError: LATE,
    vendor.AuthenticationError: REFUSES_US,
    vendor.AuthorizationError: REFUSES_US,
    vendor.AuthenticationWrongNumberOfArgsError: REFUSES_US,
    vendor.ExternalAuthProviderError: REFUSES_US,
    vendor.NoPermissionError: REFUSES_US,
    vendor.BusyLoadingError: (DatabaseUnreachable, "{engine} is still loading its data"),
    vendor.MaxConnectionsError: EXHAUSTED,
    vendor.InvalidResponse: STRANGER,
    vendor.ResponseError: REFUSES,
    vendor.DataError: REFUSES,
    vendor.PubSubError: FAILED,
    vendor.WatchError: CONFLICT,
    vendor.NoScriptError: REFUSES,
    vendor.OutOfMemoryError: READS_ONLY,
    vendor.ExecAbortError: CONFLICT,
    vendor.ReadOnlyError: READS_ONLY,
    vendor.ModuleError: REFUSES,
    vendor.NoSuchFieldsetError: REFUSES,
    vendor.LockError: CONFLICT,
    vendor.LockNotOwnedError: CONFLICT,
    vendor.ChildDeadlockedError: FAILED,
    vendor.RedisClusterException: NOT_NOW,
    vendor.ClusterError: NOT_NOW,
    vendor.ClusterDownError: NOT_NOW,
    vendor.AskError: NOT_NOW,
    vendor.TryAgainError: NOT_NOW,
    vendor.MovedError: NOT_NOW,
    vendor.MasterDownError: NOT_NOW,
    vendor.SlotNotCoveredError: NOT_NOW,
    vendor.ClusterCrossSlotError: REFUSES,
    vendor.CrossSlotTransactionError: REFUSES,
    vendor.InvalidPipelineStack: FAILED,
    vendor.IncorrectPolicyType: FAILED,
}


def translate(name: DatabaseName, engine: str, error: Exception) -> DatabaseError:
    """Our error: by the prefix of the server's error line, then by the vendor's class."""
    prefix = str(getattr(error, "status_code", "") or str(error).split(" ", 1)[0])[:32]
    rule = PREFIX_RULES.get(prefix) or rule_for(type(error), CLASS_RULES)
    return made(name, engine, rule, prefix if prefix.isupper() else type(error).__name__)
