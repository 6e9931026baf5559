"""An execution in words: one line for each node, then the result."""

import json
from typing import Any

MARKS = {"completed": "✓", "failed": "✗", "skipped": "·", "cancelled": "·"}
WIDTH = 100


def lines_of(execution: dict[str, Any]) -> list[str]:
    """The lines to print."""
    name = f"{execution['flowId']} {execution['flowVersion']}"
    lines = [f"Execution {execution['executionId']} of {name}: {execution['status']}{_took(execution)}", ""]
    for node in execution["nodes"]:
        lines += _node_lines(node)
    lines += ["", f"Result: {json.dumps(execution['result'], ensure_ascii=False)}"] if execution["status"] == "completed" else []
    return lines + ([f"Error: {_message(execution['error'])}"] if execution.get("error") else [])


def _node_lines(node: dict[str, Any]) -> list[str]:
    attempts = f", {node['attempts']} attempts" if (node.get("attempts") or 0) > 1 else ""
    head = f"  {MARKS.get(node['status'], '…')} {node['id']:<10} {node['type']:<15} {node['status']}{_took(node)}{attempts}"
    if node.get("error"):
        return [head, f"      {_message(node['error'])}"]
    return [head, f"      {_short(node['output'])}"] if node["status"] == "completed" else [head]


def _took(part: dict[str, Any]) -> str:
    return f" in {round(part['durationMs'])} ms" if part.get("durationMs") is not None else ""


def _message(error: Any) -> str:
    return str(error.get("detail") or error.get("message")) if isinstance(error, dict) else str(error)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
