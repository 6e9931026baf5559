"""How one environment variable is declared, read and documented."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from config.secrets import SUFFIX, FileSecret, SecretUnreadable


class SettingsError(Exception):
    """A variable is set but unusable. One line that names it; the process must not start."""


class Group(BaseModel):
    """A frozen set of related settings, each read from the variables its field names."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Build the group from variables; an empty string counts as not set, as Heroku and compose write it.

        Raises:
            SettingsError: names the first unusable variable and what was wrong; never its value (it may be a secret).
        """
        present = {name: value.strip() for name, value in environment.items() if value.strip()}
        try:
            return cls.model_validate({**cls._from_files(present), **present})
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = next((part for part in first["loc"] if isinstance(part, str)), cls.__name__)
            raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from error

    @classmethod
    def _from_files(cls, present: Mapping[str, str]) -> dict[str, FileSecret]:
        """The plain secrets of this group that `<NAME>_FILE` names a file of."""
        secrets = [field.validation_alias for field in cls.model_fields.values() if field.annotation == SecretStr | None]
        names = [name for alias in secrets if isinstance(alias, AliasChoices) for name in alias.choices if isinstance(name, str)]
        return {name: _file_secret(name, present[name + SUFFIX]) for name in names if name + SUFFIX in present}


def _file_secret(name: str, path: str) -> FileSecret:
    try:
        return FileSecret(name + SUFFIX, Path(path))
    except SecretUnreadable as error:
        raise SettingsError(str(error)) from error


def variable(*names: str, meaning: str, unit: str = "", default: Any = None, **constraints: Any) -> Any:
    """Declare a setting: the variables that carry it (first one wins), its unit, default, meaning and bounds."""
    return Field(
        default=default,
        validation_alias=AliasChoices(*names),
        description=meaning,
        json_schema_extra={"unit": unit},
        validate_default=False,
        **constraints,
    )
