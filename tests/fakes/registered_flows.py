"""Flow definitions as a caller registers them, told apart by their ids."""

from typing import Any


def flow_document(flow_id: str = "prices", **fields: Any) -> dict[str, Any]:
    """A small definition that parses; `fields` replace or add members."""
    return {
        "id": flow_id,
        "name": f"Flow {flow_id}",
        "type": "custom",
        "version": "1.0.0",
        "createdBy": "tests",
        "nodes": [
            {"id": "first", "name": "First", "type": "transform", "config": {"output": {"n": "${parameters.n}"}}},
            {"id": "last", "name": "Last", "type": "transform", "config": {"output": "${nodes.first.output.n}"}},
        ],
        "edges": [{"id": "e1", "source": "first", "target": "last"}],
        "parameters": [{"name": "n", "type": "number", "required": False, "default": 1}],
        "tags": ["test"],
        **fields,
    }
