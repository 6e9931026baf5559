"""Real servers given by their variables: `make test-real` sets TEST_REAL=1 and the variables of whatever servers there are."""

import os


def real_environment(*needed: str) -> dict[str, str] | None:
    """The process's environment, when real servers are asked for and one of the variables is set; else None."""
    if os.environ.get("TEST_REAL") != "1" or not any(os.environ.get(name) for name in needed):
        return None
    return dict(os.environ)
