"""A page of flows made here obeys the registry's rules."""

import pytest

from gateway.configuration.listing import page_of, page_over
from gateway.configuration.model import FlowFilters, FlowPage

FLOWS = [
    {"id": "a", "status": "active", "type": "custom", "tags": ["x", "y"], "createdBy": "me", "createdAt": "2026-01-02"},
    {"id": "b", "status": "active", "type": "chain_mapping", "tags": ["x"], "createdBy": "you", "createdAt": "2026-01-01"},
    {"id": "c", "status": "draft", "type": "custom"},
    {"id": "d", "type": "custom"},
    {"id": "e", "status": "archived", "type": "custom"},
]


def ids(filters: FlowFilters, page: int = 1, limit: int = 10) -> list[str]:
    return [document["id"] for document in page_of(FLOWS, filters, page, limit).documents]


def test_filters() -> None:
    assert ids(FlowFilters()) == ["a", "b", "c", "d"]
    assert ids(FlowFilters(status="draft")) == ["c", "d"]
    assert ids(FlowFilters(include_archived=True)) == ["a", "b", "c", "d", "e"]
    assert ids(FlowFilters(type="chain_mapping")) == ["b"]
    assert ids(FlowFilters(tags=("x", "y"))) == ["a"]
    assert ids(FlowFilters(created_by="you")) == ["b"]


def test_sorts() -> None:
    assert ids(FlowFilters(status="active", sort_by="createdAt")) == ["b", "a"]
    assert ids(FlowFilters(status="active", sort_by="createdAt", sort_order="DESC")) == ["a", "b"]
    assert ids(FlowFilters(status="active", sort_by="surprise")) == ["a", "b"]


def test_pages() -> None:
    every = FlowFilters(include_archived=True)
    assert ids(every, page=2, limit=2) == ["c", "d"]
    assert ids(every, page=4, limit=2) == []
    second = page_of(FLOWS, every, 2, 2)
    assert (second.page, second.limit, second.total, second.has_next) == (2, 2, 5, True)


def test_nothing_known_is_an_empty_page() -> None:
    assert page_of([], FlowFilters(), 1, 20) == FlowPage((), page=1, limit=20, total=0)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20])
@pytest.mark.parametrize(("active", "draft", "deprecated"), [(0, 0, 0), (5, 0, 3), (0, 7, 0), (4, 3, 2), (1, 1, 9)])
def test_the_lists_of_several_statuses_stand_one_behind_the_other(limit: int, active: int, draft: int, deprecated: int) -> None:
    flows = [
        {"id": f"{status}{number}", "status": status}
        for status, count in (("active", active), ("draft", draft), ("deprecated", deprecated))
        for number in range(count)
    ]

    def fetch(status: str, number: int) -> FlowPage:
        return page_of(flows, FlowFilters(status=status), number, limit)

    pages = [page_over(fetch, number, limit) for number in range(1, 20)]
    assert [document for page in pages for document in page.documents] == flows[: 19 * limit]
    assert {page.total for page in pages} == {len(flows)}
    assert all(page.has_next == (number * limit < len(flows)) for number, page in enumerate(pages, start=1))
