"""Secrets that stand in files, as orchestrators mount them: `POSTGRES_PASSWORD_FILE` names the file of `POSTGRES_PASSWORD`."""

from pathlib import Path

from pydantic import SecretStr

SUFFIX = "_FILE"


class SecretUnreadable(Exception):
    """The file of a secret cannot be read, or is not UTF-8. Names the variable and why; never what the file holds."""


class FileSecret(SecretStr):
    """A secret that may change while the process runs; it is read again when it is told to."""

    def __init__(self, variable: str, path: Path) -> None:
        """`variable`: the one that names the file. Raises SecretUnreadable."""
        super().__init__(_read(variable, path))
        self._variable = variable
        self._path = path

    def renew(self) -> bool:
        """Read the file again; whether it holds another secret now.

        Raises:
            SecretUnreadable: the secret is as it was.
        """
        value = _read(self._variable, self._path)
        changed = value != self._secret_value
        self._secret_value = value
        return changed


def _read(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(f"{variable}: the file cannot be read ({type(error).__name__})") from error
