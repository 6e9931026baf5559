"""The order of nodes."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.flows.graph import Graph, find_cycle
from gateway.flows.model import Edge
from gateway.flows.parsing import parse_flow
from tests.fakes.flow_documents import edge, flow_document, node


def graph(names: str, *pairs: str) -> Graph:
    return Graph(parse_flow(flow_document(nodes=[node(name) for name in names], edges=[edge(*pair) for pair in pairs])))


def edges(*pairs: tuple[str, str]) -> list[Edge]:
    return [Edge(id=f"{index}", source=source, target=target) for index, (source, target) in enumerate(pairs)]


def test_a_diamond_starts_at_one_node_and_ends_at_one() -> None:
    diamond = graph("abcd", "ab", "ac", "bd", "cd")
    assert (diamond.starts, diamond.ends, diamond.order) == (("a",), ("d",), ("a", "b", "c", "d"))
    assert [each.source for each in diamond.incoming("d")] == ["b", "c"]
    assert [each.target for each in diamond.outgoing("a")] == ["b", "c"]
    assert diamond.ancestors("d") == {"a", "b", "c"}
    assert diamond.ancestors("a") == frozenset()


def test_a_node_alone_is_a_start_and_an_end() -> None:
    alone = graph("ab")
    assert alone.starts == alone.ends == ("a", "b")
    assert alone.incoming("a") == ()


def test_a_cycle_is_found_behind_a_tail() -> None:
    assert find_cycle("abcd", edges(("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"))) in (["b", "c", "b"], ["c", "b", "c"])
    assert find_cycle("abc", edges(("a", "b"), ("b", "c"))) is None


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(st.permutations(range(n)), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
@settings(max_examples=100, deadline=None)
def test_the_order_respects_every_edge(case: tuple[list[int], set[tuple[int, int]]]) -> None:
    rank, pairs = case
    forward = [(f"n{a}", f"n{b}") for a, b in pairs if rank[a] < rank[b]]
    flow = parse_flow(flow_document(nodes=[node(f"n{index}") for index in range(len(rank))], edges=[edge(*pair) for pair in forward]))
    order = Graph(flow).order
    assert sorted(order) == sorted(each.id for each in flow.nodes)
    assert all(order.index(source) < order.index(target) for source, target in forward)


@given(st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_a_cycle_found_is_a_path_of_real_edges(pairs: set[tuple[int, int]]) -> None:
    named = [(f"{a}", f"{b}") for a, b in pairs]
    cycle = find_cycle([f"{index}" for index in range(9)], edges(*named))
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(step in named for step in itertools.pairwise(cycle))
