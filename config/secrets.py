"""Secrets, also those in files, as orchestrators mount them: `POSTGRES_PASSWORD_FILE` names the file of `POSTGRES_PASSWORD`."""

from pathlib import Path

SUFFIX = "_FILE"
HIDDEN = "**********"


class SecretUnreadable(Exception):
    """The file of a secret cannot be read, or is not UTF-8. Names the variable and why; never what the file holds."""


class Secret:
    """A text that is shown only to who asks for it by name: no log, repr or error holds it. False when it is empty."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """The text itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __str__(self) -> str:
        return HIDDEN

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{HIDDEN}')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class FileSecret(Secret):
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
        changed = value != self._value
        self._value = value
        return changed


def _read(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(f"{variable}: the file cannot be read ({type(error).__name__})") from error
