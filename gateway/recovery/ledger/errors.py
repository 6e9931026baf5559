"""What can go wrong with the ledger itself."""

from gateway.errors import NotFound


class RecoveryNotFound(NotFound):
    """No recovery has this id."""

    code = "RECOVERY_NOT_FOUND"
