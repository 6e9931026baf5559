"""`GET /api`: what this is and where everything stands."""

from flask import Blueprint, Response

from gateway.api.answers import answer
from gateway.api.models.root import ApiShape
from gateway.api.operations import operation
from gateway.security.scopes import public
from gateway.version import NAME, VERSION

blueprint = Blueprint("root", __name__)
# The features of the product, in its own words.
FEATURES = [
    "Multi-Database Architecture Integration",
    "Configuration Service Integration",
    "Flow-Aware Error Handling",
    "Service registration with Configuration Service",
    "Flow Registry client integration",
    "Real-time configuration retrieval",
    "Service discovery endpoints",
    "Intelligent error classification",
    "Context-aware recovery strategies",
    "Flow Registry integration for error patterns",
    "Automatic error pattern registration",
    "Comprehensive health monitoring",
    "Request ID tracking",
    "Security headers",
    "Rate limiting",
    "CORS configuration",
    "Graceful shutdown",
]
# As the report writes them: a bare path is read with GET.
ENDPOINTS: dict[str, str | dict[str, str]] = {
    "health": "/health",
    "liveness": "/livez",
    "readiness": "/readyz",
    "databases": "/api/v1/status/databases",
    "databaseQuery": "POST /api/v1/databases/:name/query",
    "configuration": "/api/v1/config/:key",
    "services": "/api/v1/services",
    "serviceDiscovery": "/api/v1/services/discover/:serviceName",
    "flows": {
        "register": "POST /api/v1/flows",
        "list": "GET /api/v1/flows",
        "get": "GET /api/v1/flows/:flowId",
        "validate": "POST /api/v1/flows/:flowId/validate",
        "execute": "POST /api/v1/flows/:flowId/execute",
        "executions": "GET /api/v1/flows/:flowId/executions",
    },
    "executions": {"get": "GET /api/v1/executions/:executionId", "act": "POST /api/v1/executions/:executionId/:action"},
    "errorPatterns": {"list": "GET /api/v1/errors/patterns", "get": "GET /api/v1/errors/patterns/:fingerprint"},
    "breakers": {"list": "GET /api/v1/breakers", "act": "POST /api/v1/breakers/:name/:action"},
    "recoveries": {"list": "GET /api/v1/recoveries", "get": "GET /api/v1/recoveries/:recoveryId"},
    "analytics": {"requests": "GET /api/v1/analytics/requests", "errors": "GET /api/v1/analytics/errors"},
    "topology": {"graph": "GET /api/v1/topology", "impact": "GET /api/v1/topology/:kind/:name/impact"},
    "metrics": "/metrics",
    "openapi": "/api/openapi.json",
    "documentation": "/api/docs",
}


@blueprint.get("/api")
@public
@operation("What is this?", answers={200: ApiShape})
def api() -> Response:
    """The product's name, version, features and endpoints."""
    return answer(ApiShape(message=NAME, version=VERSION, features=FEATURES, endpoints=ENDPOINTS))
