"""Conditions and templates: what they give, what they refuse before running, and that nothing hostile gets through."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.flows.errors import ExpressionFailed, ExpressionInvalid
from gateway.flows.expressions import compile_condition, compile_template

RECORDS = [{"id": index, "close": index / 2, "day": "2010-01-01"} for index in range(200)]
SCOPE: dict[str, Any] = {
    "parameters": {"symbol": "MSFT", "count": 3, "ratio": 1.5, "nothing": None, "records": RECORDS, "days": [1, 2, 3]},
    "nodes": {
        "fetch": {"output": {"status": 200, "body": {"close": 10.5}}, "status": "completed"},
        "my-node": {"output": ["x", {"y": 1}], "status": "completed"},
    },
    "execution": {"id": "e1", "flowId": "orders", "triggeredBy": "tests"},
    "output": {"data_available": True, "score": 7, "empty": "", "word": "false", "null": None},
}


def render(value: Any, scope: dict[str, Any] = SCOPE) -> Any:
    return compile_template(value).render(scope)


def decide(text: str) -> bool:
    return compile_condition(text).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${parameters.count}", 3),
        ("${nodes.fetch.output.body}", {"close": 10.5}),
        ('${nodes["my-node"].output[1].y}', 1),
        ('${parameters["nothing"]}', None),
        ("/prices/${parameters.symbol}?n=${parameters.count}", "/prices/MSFT?n=3"),
        ("${parameters.days} of ${parameters.ratio}, ${1 == 1}, ${parameters.nothing}", "[1,2,3] of 1.5, true, null"),
        ("$${not.cel} but ${1 + 1}", "${not.cel} but 2"),
        ("$${alone}", "${alone}"),
        ("${ {'a': '}'}.a }", "}"),
        ("costs 5 $ {really}", "costs 5 $ {really}"),
        ({"a": [None, 1, "${parameters.symbol}"], "${key}": True}, {"a": [None, 1, "MSFT"], "${key}": True}),
        ("${parameters.days.map(d, d * 2).filter(d, d > 2)}", [4, 6]),
        ("${has(parameters.absent) ? parameters.absent : 'none'}", "none"),
        ("${timestamp('2020-01-01T00:00:00Z')}", "2020-01-01T00:00:00Z"),
        ("${duration('90s')}", "90s"),
        ("${b'abc'}", "YWJj"),
        ("${double(parameters.count) * parameters.ratio}", 4.5),
        ("${execution.id}", "e1"),
    ],
)
def test_a_template_gives(template: Any, value: Any) -> None:
    rendered = render(template)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("data_available", True),
        ("absent", False),
        ("score", True),
        ("empty", False),
        ("word", True),
        ("output.score > 5 && output.data_available", True),
        ("nodes.fetch.status == 'completed'", True),
        ("${output.score > 7}", False),
        ("true", True),
        ("false", False),
    ],
)
def test_a_condition_decides(text: str, taken: bool) -> None:
    assert decide(text) is taken


def test_a_bare_word_over_an_output_that_is_no_object_is_false() -> None:
    assert compile_condition("ready").evaluate({"output": ["ready"]}) is False
    assert compile_condition("ready").evaluate({}) is False


@pytest.mark.parametrize("text", ["output.score", "null", "output.missing", "'yes'"])
def test_a_condition_that_is_neither_true_nor_false_fails(text: str) -> None:
    with pytest.raises(ExpressionFailed):
        decide(text)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("${parameters.absent}", "there is no absent"),
        ("${1 / 0}", "divides by zero"),
        ("${1 + 'a'}", "mixes types"),
        ("${9223372036854775807 + 1}", "64 bits"),
        ("${parameters.days[7]}", "no item at this index"),
        ("${frobnicate(1)}", "'frobnicate' is no name in scope"),
        ("${0.0 / 0.0}", "fails on these values"),
    ],
)
def test_a_value_that_cannot_be_had_is_told_in_plain_words(template: str, words: str) -> None:
    with pytest.raises(ExpressionFailed, match=words):
        render(template)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("output.", "line 1, column"),
        ("", "does not compile"),
        ("a b", "does not compile"),
        ("output.x > limit", "uses the name 'limit'"),
        ("nodes.my-node.output.x", r'nodes\["my-node"\]'),
        ("output.x == 'open", "cannot be read at character"),
        ("(" * 25 + "1" + ")" * 25, "nested deeper"),
        ("!" * 10_000 + "true", "longer than 4096"),
        ("1" + "+1" * 300, "words and signs"),
        ("output" + ".a" * 300, "words and signs"),
        ("true ? 1 : " * 30 + "1", "conditional operators"),
        ("output" + ".map(x, x)" * 5, "loops"),
        ("[1].map(x, [x].map(y, [y].map(z, [z].map(u, [u].map(v, v)))))", "loops"),
        ("output.(", "closing"),
        ("output.x)", "closes nothing"),
    ],
)
def test_a_text_that_cannot_run_is_refused_before_it_does(text: str, words: str) -> None:
    with pytest.raises(ExpressionInvalid, match=words):
        compile_condition(text)


def test_a_broken_template_points_at_its_string() -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        compile_template({"list": ["fine", "${oops +}"]})
    assert [error.pointer for error in caught.value.errors] == ["/list/1"]


def test_the_source_of_an_edge_is_in_scope_on_edges_only() -> None:
    assert compile_condition("output.score == 7").evaluate(SCOPE)
    with pytest.raises(ExpressionInvalid, match="'output'"):
        compile_template("${output.score}")


def test_a_name_bound_by_a_loop_is_no_name_of_the_scope() -> None:
    assert render("${[1, 2].map(nodes, nodes + 1)}") == [2, 3]
    with pytest.raises(ExpressionInvalid, match="'x'"):
        compile_template("${[1].map(x, x) == [1] && x}")


@pytest.mark.parametrize(
    "text",
    [
        "parameters.records.map(x, parameters.records)",
        "parameters.records.map(x, parameters.records.map(y, parameters.records.map(z, 1)))",
        "[parameters.records].map(x, x + x + x + x).map(x, x + x + x + x).map(x, x + x + x + x).map(x, x + x + x + x)",
        "parameters.records.filter(x, x.day.matches('(a{100}){100}'))",
        "parameters.many.filter(x, x.close > 1.0)",
        "size(parameters.huge)",
        "parameters.deep",
    ],
)
def test_too_much_work_is_refused_on_the_data_at_hand(text: str) -> None:
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    parameters = {"records": RECORDS, "many": RECORDS * 50, "huge": [0] * 1_000_001, "deep": deep}
    with pytest.raises(ExpressionFailed, match=r"steps|values|nested deeper"):
        render("${" + text + "}", {"parameters": parameters})


def test_work_that_is_worth_doing_is_done() -> None:
    assert len(render("${parameters.records.filter(r, r.close > 50.0).map(r, r.id)}")) == 99
    assert render("${parameters.records.exists(a, parameters.records.exists(b, a.id + b.id == 398))}") is True
    assert render("${parameters.records.filter(r, r.day.matches('^2010'))}") == RECORDS


def test_only_what_is_read_is_handed_to_the_library() -> None:
    unreadable = object()  # the library cannot convert it, and would say so
    assert render("${nodes.a.output.x}", {"nodes": {"a": {"output": {"x": 1, "y": unreadable}}}, "parameters": unreadable}) == 1


def test_what_an_expression_reads_is_known_without_running_it() -> None:
    references = [reference.path for _, reference in compile_template('${nodes["a-b"].output.x[0].y + parameters.p.size()}').references]
    assert references == [("nodes", "a-b", "output", "x"), ("parameters", "p")]
    assert compile_condition("ready").references[0].path == ("output", "ready")


def test_compiled_expressions_are_shared_between_threads() -> None:
    template = compile_template("${parameters.n * 2}")
    answers: dict[int, list[int]] = {}

    def work(number: int) -> None:
        answers[number] = [template.render({"parameters": {"n": number}}) for _ in range(200)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [number * 2] * 200 for number in range(4)}


NAMES = ["parameters", "nodes", "output", "execution", "x", "true", "null", "has", "size", "map", "filter", "all", "in", "matches"]
LITERALS = ["1", "1.5", "'t'", '"u"', r"r'\'", "'''v'''"]
SIGNS = [*".,()[]{}?:+-*/%!<>=&|'\" \n$`@#;é😀\\", "&&", "||", "==", "//", ".map(x, ", ".exists(x, "]
words = st.sampled_from(NAMES + LITERALS + SIGNS)


@given(st.lists(words, max_size=40).map("".join))
@settings(max_examples=500, deadline=None)
def test_no_text_makes_a_condition_do_anything_but_decide_or_refuse(text: str) -> None:
    try:
        decided = compile_condition(text).evaluate(SCOPE)
    except (ExpressionInvalid, ExpressionFailed):
        return
    assert isinstance(decided, bool)


@given(st.lists(words, max_size=30).map(lambda parts: "${" + "".join(parts) + "}"))
@settings(max_examples=500, deadline=None)
def test_no_text_makes_a_template_do_anything_but_answer_or_refuse(text: str) -> None:
    try:
        render(text)
    except (ExpressionInvalid, ExpressionFailed):
        return
