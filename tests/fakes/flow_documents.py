"""Flow definitions as JSON documents, for tests of every room."""

from typing import Any


def node(node_id: str, node_type: str = "transform", **fields: Any) -> dict[str, Any]:
    """A node; a transform that answers its own id unless told otherwise."""
    config = {"output": node_id} if node_type == "transform" else {}
    return {"id": node_id, "name": node_id.title() or "Node", "type": node_type, "config": config, **fields}


def edge(source: str, target: str, condition: str | None = None) -> dict[str, Any]:
    """An edge whose id tells its ends."""
    return {"id": f"{source}-{target}", "source": source, "target": target} | ({"condition": condition} if condition else {})


def flow_document(**fields: Any) -> dict[str, Any]:
    """The smallest definition that is valid, with these fields replaced or added."""
    return {
        "id": "orders",
        "name": "Orders",
        "type": "custom",
        "version": "1.0.0",
        "createdBy": "tests",
        "nodes": [node("a"), node("b")],
        "edges": [edge("a", "b")],
        **fields,
    }
