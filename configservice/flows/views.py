"""The routes of definitions."""

from flask import Blueprint, Response

from configservice.container import parts
from configservice.envelope import no_content, pages, success
from configservice.flows.bodies import ListFlows, read_replacement
from configservice.flows.rendering import render_flow
from configservice.reading import json_object
from gateway.flows.parsing import parse_flow

blueprint = Blueprint("flows", __name__, url_prefix="/api/v1/flows")


@blueprint.post("")
def register() -> Response:
    """Store a new definition. 201; 409 when its id, or its name with this version, is used."""
    flow = parts().flows.register(parse_flow(json_object()))
    return success(render_flow(flow), "Flow registered", status=201)


@blueprint.get("")
def list_flows() -> Response:
    """One page of definitions; without `status` only the active ones."""
    query = ListFlows.read()
    flows, total = parts().flows.list_flows(query)
    return success([render_flow(each) for each in flows], pagination=pages(query.page, query.limit, total))


@blueprint.get("/<flow_id>")
def show_flow(flow_id: str) -> Response:
    """One definition, archived or not."""
    return success(render_flow(parts().flows.get(flow_id)))


@blueprint.put("/<flow_id>")
def replace(flow_id: str) -> Response:
    """Replace a definition; a status that is not named stays."""
    return success(render_flow(parts().flows.replace(flow_id, read_replacement())), "Flow replaced")


@blueprint.delete("/<flow_id>")
def archive(flow_id: str) -> Response:
    """Archive a definition. 204; it can still be read."""
    parts().flows.archive(flow_id)
    return no_content()
