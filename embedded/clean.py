"""`make clean`'s part that a shell cannot do: delete the embedded servers' data wherever it lies. Run as `python -m embedded.clean`."""

import sys

from embedded.errors import EmbeddedError
from embedded.plan import ROOT
from embedded.postgres import EmbeddedPostgres
from embedded.run import occupy


def main() -> int:
    """Returns 1, and deletes nothing, while `make run` runs here."""
    run_directory = ROOT / ".run"
    try:
        with occupy(run_directory):
            EmbeddedPostgres(run_directory / "postgres").remove()
    except EmbeddedError as error:
        sys.stderr.write(f"make clean: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
