"""How one environment variable is declared, read and documented."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self, dataclass_transform

from config.reading import Bounds, read_text
from config.secrets import SUFFIX, FileSecret, Secret, SecretUnreadable

METADATA = "variable"  # where a dataclass field holds its Variable


class SettingsError(Exception):
    """A variable is set but unusable. One line that names it; the process must not start."""


@dataclass(frozen=True)
class Variable:
    """How deployments set one setting."""

    names: tuple[str, ...]  # the first one that is set wins
    meaning: str
    unit: str
    default: Any
    bounds: Bounds
    read: Callable[[str], Any] | None  # when the annotation alone does not say how


def variable(
    *names: str, meaning: str, unit: str = "", default: Any = None, read: Callable[[str], Any] | None = None, **bounds: float
) -> Any:
    """Declare a setting of a Group.

    Args:
        names: the variables that carry it; the first one that is set wins.
        read: text to value, where the annotation does not say it all; raises ValueError("must be …"), never with the text.
        bounds: ge, gt and le of a number.
    """
    return field(default=default, metadata={METADATA: Variable(names, meaning, unit, default, Bounds(**bounds), read)})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(variable,))
class Group:
    """A frozen set of related settings, each read from the variables its field names. Every subclass is a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # tells type checkers that fields() may be asked of every group

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def variables(cls) -> dict[str, Variable]:
        """What each field is read from, by its name, in the order of the manual."""
        return {each.name: each.metadata[METADATA] for each in fields(cls)}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Build the group from variables; an empty string counts as not set, as Heroku and compose write it.

        Raises:
            SettingsError: names the first unusable variable and what was wrong; never its value (it may be a secret).
        """
        present = {name: text.strip() for name, text in environment.items() if text.strip()}
        return cls(**{each.name: _value(each.metadata[METADATA], each.type, present) for each in fields(cls)})


def _value(declared: Variable, kind: Any, present: Mapping[str, str]) -> Any:
    """What the first of its names says, or a file for it if it is a plain secret, or else its default."""
    may_be_in_a_file = kind == Secret | None and not declared.read
    for name in declared.names:
        secret = _file_secret(name + SUFFIX, present) if may_be_in_a_file else None
        if name in present:
            return _read(name, present[name], declared, kind)
        if secret is not None:
            return secret
    return declared.default


def _read(name: str, text: str, declared: Variable, kind: Any) -> Any:
    try:
        return declared.read(text) if declared.read else read_text(text, kind, declared.bounds)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None


def _file_secret(name: str, present: Mapping[str, str]) -> FileSecret | None:
    try:
        return FileSecret(name, Path(present[name])) if name in present else None
    except SecretUnreadable as error:
        raise SettingsError(str(error)) from error
