"""Scripts that run on the server declare every key they touch: DragonflyDB refuses others, and so does a Redis cluster.

Source: https://www.dragonflydb.io/docs/managing-dragonfly/scripting
"""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CALL = re.compile(r"redis\.p?call\(\s*'(\w+)'\s*,\s*([^,)]+)")


def test_every_script_names_its_keys() -> None:
    calls = [
        (path.name, command, key.strip())
        for room in ("gateway", "tasks", "configservice")
        for path in (ROOT / room).rglob("*.py")
        for command, key in CALL.findall(path.read_text())
    ]
    assert calls, "no script was found: this test looks for redis.call"
    assert [call for call in calls if not re.fullmatch(r"KEYS\[\d+\]", call[2])] == []
