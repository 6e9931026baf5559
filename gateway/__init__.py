"""The gateway."""

import sys

if "rich" not in sys.modules:
    # structlog takes rich for tracebacks when it finds it, and the CEL library brings it: 4 MB in every process for what we print plainly.
    sys.modules["rich"] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        import structlog.dev  # noqa: F401
    finally:
        del sys.modules["rich"]
