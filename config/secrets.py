"""Secrets that stand in files, as orchestrators mount them: `POSTGRES_PASSWORD_FILE` names the file of `POSTGRES_PASSWORD`."""

from pathlib import Path

from pydantic import SecretStr

SUFFIX = "_FILE"


class FileSecret(SecretStr):
    """A secret that may change while the process runs; it is read again when it is told to."""

    def __init__(self, path: Path) -> None:
        """Raises OSError or UnicodeDecodeError when the file cannot be read."""
        super().__init__(_read(path))
        self._path = path

    def renew(self) -> bool:
        """Read the file again; whether it holds another secret now. One that cannot be read leaves the secret as it was."""
        try:
            value = _read(self._path)
        except (OSError, UnicodeDecodeError):  # who refused the old secret says so itself
            return False
        changed = value != self._secret_value
        self._secret_value = value
        return changed


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
