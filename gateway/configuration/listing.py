"""Pages of flows made here: from the documents that are known, or out of the registry's pages of several statuses. No I/O of its own."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.configuration.model import FlowFilters, FlowPage

# What a list holds when no status is named: all that runs. The registry's own default, active alone, would never show a new flow: those
# are drafts, and the platform's registry offers no way to make one active.
RUNNABLE = ("active", "draft", "deprecated")
SORTABLE = ("createdAt", "updatedAt", "name", "version", "type", "status")


def page_of(documents: Iterable[dict[str, Any]], filters: FlowFilters, page: int, limit: int) -> FlowPage:
    """The page number `page` (1 is the first) of the documents that pass, sorted; ties and unknown sort keys in the order of ids."""
    chosen = sorted((document for document in documents if _passes(document, filters)), key=lambda document: str(document.get("id", "")))
    if filters.sort_by in SORTABLE:
        chosen.sort(key=lambda document: str(document.get(filters.sort_by or "", "")), reverse=(filters.sort_order or "").lower() == "desc")
    start = (page - 1) * limit
    return FlowPage(tuple(chosen[start : start + limit]), page, limit, len(chosen))


def page_over(fetch: Callable[[str, int], FlowPage], page: int, limit: int) -> FlowPage:
    """The page number `page` of the lists of each runnable status, one behind the other.

    Args:
        fetch: status and page number → that page of this status, `limit` flows long.
    """
    start, before = (page - 1) * limit, 0
    documents: list[dict[str, Any]] = []
    for status in RUNNABLE:
        first = fetch(status, 1)
        low, high = max(start - before, 0), min(start + limit - before, first.total)
        numbers = range(low // limit + 1, (high - 1) // limit + 2) if low < high else range(0)
        for number in numbers:
            shown = first if number == 1 else fetch(status, number)
            offset = (number - 1) * limit
            documents += shown.documents[max(low - offset, 0) : high - offset]
        before += first.total
    return FlowPage(tuple(documents), page, limit, before)


def _passes(document: dict[str, Any], filters: FlowFilters) -> bool:
    """A flow without a status is a draft: the registry has not said otherwise."""
    status = document.get("status") or "draft"
    tags = document.get("tags") or ()
    return (
        (status == filters.status if filters.status else filters.include_archived or status in RUNNABLE)
        and (filters.type is None or document.get("type") == filters.type)
        and (filters.created_by is None or document.get("createdBy") == filters.created_by)
        and all(tag in tags for tag in filters.tags)
    )
