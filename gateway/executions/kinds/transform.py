"""`transform`: `{output: any value with ${…}}`; its output is that value."""

from typing import Any

from gateway.errors import FieldError, InvalidInput
from gateway.executions.kinds.call import NodeCall


def run_transform(call: NodeCall) -> Any:
    """The rendered value.

    Raises:
        InvalidInput: the config names no output.
    """
    if "output" not in call.config:
        raise InvalidInput("The config of a transform node needs an output", [FieldError("/config/output", "is required")])
    return call.config["output"]
