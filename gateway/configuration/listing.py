"""One page of flows made here, from the documents that are known, by the registry's own rules. Pure."""

from collections.abc import Iterable
from typing import Any

from gateway.configuration.model import FlowFilters, FlowPage

SORTABLE = ("createdAt", "updatedAt", "name", "version", "type", "status")


def page_of(documents: Iterable[dict[str, Any]], filters: FlowFilters, page: int, limit: int) -> FlowPage:
    """The page number `page` (1 is the first) of the documents that pass, sorted; ties and unknown sort keys in the order of ids."""
    chosen = sorted((document for document in documents if _passes(document, filters)), key=lambda document: str(document.get("id", "")))
    if filters.sort_by in SORTABLE:
        chosen.sort(key=lambda document: str(document.get(filters.sort_by or "", "")), reverse=(filters.sort_order or "").lower() == "desc")
    start = (page - 1) * limit
    total_pages = -(-len(chosen) // limit)
    pagination = {
        "page": page,
        "limit": limit,
        "totalCount": len(chosen),
        "totalPages": total_pages,
        "hasNext": page < total_pages,
        "hasPrev": page > 1,
    }
    return FlowPage(tuple(chosen[start : start + limit]), pagination)


def _passes(document: dict[str, Any], filters: FlowFilters) -> bool:
    """A flow without a status is a draft: the registry has not said otherwise."""
    status = document.get("status") or "draft"
    wanted = filters.status or ("active" if not filters.include_archived else None)
    tags = document.get("tags") or ()
    return (
        (wanted is None or status == wanted)
        and (filters.type is None or document.get("type") == filters.type)
        and (filters.created_by is None or document.get("createdBy") == filters.created_by)
        and all(tag in tags for tag in filters.tags)
    )
