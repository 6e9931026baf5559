"""What can go wrong when asking who depends on whom."""

from gateway.errors import NotFound


class NodeNotFound(NotFound):
    """No service, flow or database of this name is in the graph."""

    code = "TOPOLOGY_NODE_NOT_FOUND"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is no {kind} of this name in the topology")
        self.kind = kind
        self.name = name
