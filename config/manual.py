"""The table of variables in docs/operations.md, made from the settings themselves: `python -m config.manual`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from config.settings import groups
from config.variables import Group

BEGIN = "<!-- variables: made by `python -m config.manual` -->"
END = "<!-- end of variables -->"
OPERATIONS = Path(__file__).parent.parent / "docs" / "operations.md"


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
    for variable in group.variables().values():
        names = " or ".join(f"`{name}`" for name in variable.names)
        yield f"| {names} | {variable.unit or '—'} | {_default(variable.default)} | {variable.meaning} |"


def _default(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    OPERATIONS.write_text(rewrite(OPERATIONS.read_text()))
    sys.stdout.write(f"wrote {OPERATIONS.name}\n")
