"""The configuration routes."""

from typing import Any

from flask import Blueprint, Response, jsonify

from configservice.configuration.bodies import (
    HistoryQuery,
    LayerQuery,
    PathKey,
    PathTenant,
    Rollback,
    ValueQuery,
    WatchQuery,
    WriteValue,
    read_tenant_layer,
)
from configservice.configuration.model import Changes, Entry, Layer, Revision
from configservice.container import parts
from configservice.envelope import moment, pages, success
from configservice.reading import checked, checked_texts, query_values

blueprint = Blueprint("configuration", __name__)


@blueprint.get("/api/v1/config")
def show_value() -> Response:
    """The value that wins for this environment, tenant and user; 404 when no layer has it."""
    query = ValueQuery.read()
    return success(render_entry(parts().configuration.get(query.key, query.layer)))


@blueprint.get("/api/config/<path:key>")
def show_value_as_platform(key: str) -> Response:
    """The same in the form of the platform's own service."""
    key = checked(PathKey, {"key": key}).key
    entry = parts().configuration.get(key, LayerQuery.read().layer)
    return jsonify({"success": True, "config": render_entry(entry)})


@blueprint.post("/api/v1/config")
def write_value() -> Response:
    """Write a value into one layer: a new revision. 201."""
    body = WriteValue.read()
    entry = parts().configuration.write(body.key, body.layer, body.content)
    parts().watchers.announce()
    return success(render_entry(entry, reveal=False), "Configuration written", status=201)


@blueprint.get("/api/v1/config/watch")
def watch_changes() -> Response:
    """Long poll: what changed since a revision. Keys and layers only, never values."""
    query = WatchQuery.read()
    watched = parts().watchers.watch(query.since, query.wait_seconds)
    response = success(render_changes(watched.changes))
    if watched.refused:
        response.headers["Retry-After"] = "1"
    return response


@blueprint.get("/api/v1/config/<path:key>/history")
def list_history(key: str) -> Response:
    """The versions of a key in one layer, newest first. Values of secrets are null."""
    key, query = checked(PathKey, {"key": key}).key, HistoryQuery.read()
    offset = (query.page - 1) * query.limit
    revisions, total = parts().configuration.list_history(key, query.layer, limit=query.limit, offset=offset)
    rendered = [render_revision(key, query.layer, each) for each in revisions]
    return success(rendered, pagination=pages(query.page, query.limit, total))


@blueprint.post("/api/v1/config/<path:key>/rollback")
def roll_back(key: str) -> Response:
    """Write an old version's content as a new revision."""
    key, body = checked(PathKey, {"key": key}).key, Rollback.read()
    entry = parts().configuration.rollback(key, body.layer_beside(LayerQuery.read()), body.version)
    parts().watchers.announce()
    return success(render_entry(entry, reveal=False), f"Version {body.version} restored")


@blueprint.get("/api/v1/tenants/<tenant_id>/config")
def show_tenant_layer(tenant_id: str) -> Response:
    """A tenant's layer as one object, without its secrets."""
    tenant = checked_texts(PathTenant, query_values(tenantId=tenant_id))
    return success(parts().configuration.get_layer(tenant.layer))


@blueprint.put("/api/v1/tenants/<tenant_id>/config")
def replace_tenant_layer(tenant_id: str) -> Response:
    """Make a tenant's layer this object: what is not in it is deleted, but for secrets, which stay until they are named."""
    tenant = checked_texts(PathTenant, query_values(tenantId=tenant_id))
    parts().configuration.replace_layer(tenant.layer, read_tenant_layer())
    parts().watchers.announce()
    return success(parts().configuration.get_layer(tenant.layer), "Configuration of the tenant written")


def render_entry(entry: Entry, *, reveal: bool = True) -> dict[str, Any]:
    """`{id, key, value, type, environment, tenantId, userId, version, updatedAt}`, and `isSecret` where that is true.

    A secret's value stands there only for a read that asks for it.
    """
    rendered = {
        "id": entry.id,
        "key": entry.key,
        "value": entry.value if reveal or not entry.is_secret else None,
        "type": entry.type,
        **render_layer(entry.layer),
        "version": entry.version,
        "updatedAt": moment(entry.updated_at),
    }
    return rendered | ({"isSecret": True} if entry.is_secret else {})


def render_layer(layer: Layer) -> dict[str, str | None]:
    """`{environment, tenantId, userId}`."""
    return {"environment": layer.environment, "tenantId": layer.tenant_id or None, "userId": layer.user_id or None}


def render_changes(changes: Changes) -> dict[str, Any]:
    """`{revision, keys, changes, more}`: `revision` is the next `since`."""
    return {
        "revision": changes.revision,
        "keys": sorted({each.key for each in changes.entries}),
        "changes": [
            {
                "key": each.key,
                **render_layer(each.layer),
                "version": each.version,
                "revision": each.revision,
                "deleted": each.deleted,
                "updatedAt": moment(each.updated_at),
            }
            for each in changes.entries
        ],
        "more": changes.more,
    }


def render_revision(key: str, layer: Layer, revision: Revision) -> dict[str, Any]:
    """One version; null in place of the value of a secret or of a deletion."""
    return {
        "key": key,
        **render_layer(layer),
        "version": revision.version,
        "revision": revision.revision,
        "value": None if revision.is_secret else revision.value,
        "type": revision.type,
        "description": revision.description,
        "tags": list(revision.tags),
        "isSecret": revision.is_secret,
        "deleted": revision.deleted,
        "restoredVersion": revision.restored_version,
        "createdAt": moment(revision.created_at),
    }
