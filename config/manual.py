"""The table of variables in docs/operations.md, made from the settings themselves: `python -m config.manual`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from config.settings import groups
from config.variables import Group

BEGIN = "<!-- variables: made by `python -m config.manual` -->"
END = "<!-- end of variables -->"
OPERATIONS = Path(__file__).parent.parent / "docs" / "operations.md"


def variable_names(field: FieldInfo) -> list[str]:
    """The environment variables that carry a setting, the first one wins."""
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []


def render() -> str:
    """One Markdown table a group: variables, unit, default, meaning."""
    return "\n\n".join("\n".join(_group(group)) for group in groups().values())


def rewrite(text: str) -> str:
    """`text` with what stands between the two marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{after}"


def _group(group: type[Group]) -> Iterator[str]:
    yield f"### {(group.__doc__ or '').strip().splitlines()[0].rstrip('.')}"
    yield ""
    yield "| variable | unit | default | meaning |"
    yield "|---|---|---|---|"
    for field in group.model_fields.values():
        names = " or ".join(f"`{name}`" for name in variable_names(field))
        extra: Any = field.json_schema_extra or {}
        yield f"| {names} | {extra.get('unit') or '—'} | {_default(field.default)} | {field.description} |"


def _default(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    OPERATIONS.write_text(rewrite(OPERATIONS.read_text()))
    sys.stdout.write(f"wrote {OPERATIONS.name}\n")
