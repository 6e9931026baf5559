"""What can be wrong with a flow definition, and with an expression while a flow runs."""

from gateway.errors import GatewayError, InvalidInput


class FlowInvalid(InvalidInput):
    """The document is no flow definition, or one that can never run. `errors` points into the document."""


class ExpressionInvalid(InvalidInput):
    """The expression does not compile, or is larger than the language's limits."""


class ExpressionFailed(GatewayError):
    """The expression compiled but has no value here: a missing key, mixed types, a division by zero. Trying again does not help."""

    code = "EXPRESSION_FAILED"
