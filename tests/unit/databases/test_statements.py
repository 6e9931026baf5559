"""What is read as one statement that reads, in five languages, before anything is sent."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.databases.clickhouse_statement import bound_statement, read_only_statement, with_literals
from gateway.databases.errors import StatementInvalid, StatementRefused
from gateway.databases.graphql_text import refuse_all_but_reading
from gateway.databases.model import DatabaseName
from gateway.databases.postgres_reading import readable_statement
from gateway.databases.redis_commands import read_command
from gateway.databases.sql_text import CLICKHOUSE, POSTGRES, single_statement, tokens

REDIS, WEAVIATE = DatabaseName.REDIS, DatabaseName.WEAVIATE


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "SELECT 1;",
        "SELECT 1 ; -- done;\n /* ; */ ",
        "SELECT ';', \";\", $$;$$, $a$ $$ ; $a$, E'\\';', 'a'';' /* ; /* ; */ ; */",
        "select $tag$ it's $tag$",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "(SELECT 1) UNION (SELECT 2)",
        "SELECT a$b$c FROM t",
        "SELECT 1 /* /* */; DROP TABLE t -- */",
        'SELECT lo_price, "set_config" FROM t',
        "SELECT 'a'\n'b', E'a', 'b', größe, 'E' FROM straße",
    ],
)
def test_postgres_takes_one_read(statement: str) -> None:
    assert "".join(token.text for token in tokens(statement, POSTGRES)) == statement
    readable_statement(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1;;SELECT 2",
        "SELECT '\\'; DROP TABLE t; --'",
        "SELECT E'\\\\'; DROP TABLE t",
        "SELECT $a$ $b$; $a$; DROP TABLE t",
        "SELECT 1 /* /* */ */; DROP TABLE t -- */",
        "SELECT 1 -- \n; DROP TABLE t",
        "SELECT 1 --\r; DROP TABLE t",  # a carriage return ends PostgreSQL's comments
        "SELECT 1 AS €$$; DROP TABLE t; --$$",  # a letter to PostgreSQL, so no dollar quote begins after it
        "SELECT 1 AS \N{NO-BREAK SPACE}$$; DROP TABLE t; --$$",
        "SELECT €E'\\'; DROP TABLE t; --'",
        "SELECT E'a'\n'\\' , '; DROP TABLE t; --'",  # a text that goes on after a line end goes on with its escapes
        "SELECT E'a' -- b\n'\\' , '; DROP TABLE t; --'",
        "SELECT 'open",
        'SELECT "open',
        "SELECT $$open",
        "SELECT 1 /* open /* */",
        ";",
        "-- nothing",
        "DROP TABLE t",
        "DO $$ BEGIN END $$",
        "CALL f()",
        "SELECT U&\"s\\0065t_config\"('a', 'b', false)",
        "SELECT pg_catalog.set_config ('a', 'b', false)",
        "SELECT pg_catalog . \"set_config\" /* */ ('a', 'b', false)",
        "SELECT query_to_xml('DROP TABLE t', true, true, '')",
        "SELECT pg_copy_logical_replication_slot('a', 'b')",
        "SELECT setseed(0.5)",  # it outlives the transaction: who has the connection next draws by it
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "EXPLAIN (ANALYZE) DELETE FROM t",
    ],
)
def test_postgres_refuses_all_else(statement: str) -> None:
    with pytest.raises(StatementRefused):
        readable_statement(statement)


@given(st.text("';\"$-/*\\ aE\n", max_size=30))
@example("'a' ;'b'")
def test_what_is_taken_as_one_statement_has_no_bare_semicolon_inside(statement: str) -> None:
    for dialect in (POSTGRES, CLICKHOUSE):
        try:
            found = single_statement(statement, dialect)
        except StatementRefused:
            continue
        assert all(token.text != ";" for token in found)
        assert statement.startswith("".join(token.text for token in found))


@pytest.mark.parametrize("filler", ["'", "''", '"', "$", "$$", "/*", "(", "a", "--", "\\", "E'", ":a", "{", "'\\", "abcdefghijk,"])
def test_a_megabyte_of_anything_is_read_to_its_end(filler: str) -> None:
    """In time that grows with its length; what grows faster would take hours, and the timeout of every test ends it."""
    statement = "SELECT " + filler * (1_000_000 // len(filler))
    sent_to_clickhouse = lambda text: with_literals(read_only_statement(text), {"a": 1})  # noqa: E731 - one of three
    for read in (readable_statement, sent_to_clickhouse, lambda text: refuse_all_but_reading(WEAVIATE, text)):
        try:
            read(statement)
        except StatementRefused:
            continue


@pytest.mark.parametrize(
    "statement", ["SELECT '\\'; DROP'", 'SELECT `a;b`, ";"', "SHOW TABLES", "DESC t", "SELECT 1 #! ;\n", "DESC (SELECT f(1))"]
)
def test_clickhouse_takes_one_read(statement: str) -> None:
    read_only_statement(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1; SELECT 2",
        "KILL QUERY WHERE 1",
        "SELECT 'a",
        "SELECT `a",
        "SYSTEM SHUTDOWN",
        "INSERT INTO t SELECT 1",
        "SELECT generateSerialID('a')",
        "SELECT file('a')",
        "SELECT hasColumnInTable /* */ ('host', 'a', 'b', 'c')",
        "SELECT `hasColumnInT\\x61ble`('host', 'a', 'b', 'c')",
        "SELECT 1 // '\n, file('a') // '",  # a comment, which ends with its line
        "SELECT \u2018'\u2019, file('a'), \u2018'\u2019",
        "SELECT $a$'$a$, file('a'), $a$'$a$",
        "DESCRIBE TABLE url('http://host/')",
        "desc mysql('host', 'a', 'b', 'c', 'd')",
        "DESCRIBE TABLE FUNCTION remote('host', a.b)",
    ],
)
def test_clickhouse_refuses_all_else(statement: str) -> None:
    with pytest.raises(StatementRefused):
        read_only_statement(statement)


@pytest.mark.parametrize(
    "deep", ["(" * 201, "abs(" * 201, "[" * 201, "CASE WHEN " * 201, "INTERVAL " * 201, "1" + "[1]" * 10_001, "1" + "+1" * 20_001]
)
def test_clickhouse_is_not_sent_what_overflows_its_parser(deep: str) -> None:
    with pytest.raises(StatementRefused, match="nested"):
        read_only_statement("SELECT " + deep)


def test_clickhouse_takes_a_long_list() -> None:
    read_only_statement(f"SELECT 1 WHERE 1 IN ({','.join(map(str, range(10_000)))}) AND (2 IN ({'(1),' * 900} (1)))")


def test_an_old_clickhouse_gets_literals() -> None:
    found = read_only_statement("SELECT {a:String}, { b : Array(UInt8) }, {c:Nullable(Int8)}, {d:Float64}, {e:UInt8}, '{a:String}'")
    text = with_literals(found, {"a": "it's \\ {b:UInt8}", "b": [1, 2], "c": None, "d": 1.5, "e": True})
    assert text == (
        "SELECT CAST('it\\'s \\\\ {b:UInt8}' AS String), CAST([1, 2] AS Array(UInt8)), CAST(NULL AS Nullable(Int8)), "
        "CAST(1.5 AS Float64), CAST(1 AS UInt8), '{a:String}'"
    )


@pytest.mark.parametrize("statement", ["SELECT {a:}", "SELECT {a:String) AS x, (1}", "SELECT {b:String}", "SELECT {o:String}"])
def test_an_unclear_parameter_is_invalid(statement: str) -> None:
    with pytest.raises(StatementInvalid):
        with_literals(read_only_statement(statement), {"a": "x", "o": {"an": "object"}})


@pytest.mark.parametrize("statement", ["SELECT {a}", "SELECT {a:String", "SELECT {'a': 1}"])
def test_braces_that_hold_no_parameter_are_the_servers_to_judge(statement: str) -> None:
    found = read_only_statement(statement)
    assert with_literals(found, {"a": "x"}) == statement
    assert bound_statement(found, {"a": "x"}) == (statement, {})


def test_a_new_clickhouse_gets_the_values_that_its_statement_names() -> None:
    found = read_only_statement("SELECT {a:String}, '{b:String}', {'k': { c : UInt8 }}, {d:Array(UInt8)}, {e:Nullable(String)}")
    text, bound = bound_statement(found, {"a": "x", "b": "y", "c": True, "d": [False, 2], "e": None})
    assert text == "SELECT {a:String}, '{b:String}', {'k': {c:UInt8}}, {d:Array(UInt8)}, CAST(NULL AS Nullable(String))"
    assert bound == {"a": "x", "c": 1, "d": [0, 2]}
    assert type(bound["c"]) is int


def test_a_new_clickhouse_gets_no_statement_with_a_missing_parameter() -> None:
    with pytest.raises(StatementInvalid):
        bound_statement(read_only_statement("SELECT {a:String}"), {})


@pytest.mark.parametrize(
    ("statement", "parameters", "words"),
    [
        ("GET a", {}, [b"GET", b"a"]),
        ("  get  'a b'  ", {}, [b"get", b"a b"]),
        ('ECHO "\\x00\\xff\\n\\"\\\\"', {}, [b"ECHO", b'\x00\xff\n"\\']),
        ("GET $key", {"key": "a b; SET x 1"}, [b"GET", b"a b; SET x 1"]),
        ("MGET $keys z", {"keys": ["a", 5, 1.5]}, [b"MGET", b"a", b"5", b"1.5", b"z"]),
        ("GET '$key'", {}, [b"GET", b"$key"]),
        ("ECHO $", {}, [b"ECHO", b"$"]),
        ("ECHO ''", {}, [b"ECHO", b""]),
        ("object encoding k", {}, [b"object", b"encoding", b"k"]),
        ("SRANDMEMBER s -10000", {}, [b"SRANDMEMBER", b"s", b"-10000"]),
    ],
)
def test_a_redis_command_is_split_into_words(statement: str, parameters: dict[str, object], words: list[bytes]) -> None:
    assert read_command(REDIS, statement, parameters) == words


@pytest.mark.parametrize("statement", ["", "   ", 'GET "a', "GET 'a'b", "GET $missing", "GET $object", "GET $flag"])
def test_a_redis_command_that_cannot_be_read_is_invalid(statement: str) -> None:
    with pytest.raises(StatementInvalid):
        read_command(REDIS, statement, {"object": {"a": 1}, "flag": True})


@pytest.mark.parametrize(
    "statement",
    [
        "SET a 1",
        "$c a",
        "EVAL x 0",
        "KEYS *",
        "OBJECT HELP",
        "MEMORY PURGE",
        "XREAD COUNT 1 block 0 STREAMS s 0",
        "'GET a'",
        "SCAN 0 COUNT 10001",
        "HSCAN k 0 count 9999999999",
        "SRANDMEMBER s -10001",
        "HRANDFIELD h -9999999999 WITHVALUES",
        "zrandmember z 10001",
    ],
)
def test_a_redis_command_that_does_more_than_read_is_refused(statement: str) -> None:
    with pytest.raises(StatementRefused):
        read_command(REDIS, statement, {"c": "FLUSHALL"})


@pytest.mark.parametrize(
    "statement",
    [
        '{ Get { Article(limit: 3, where: {operator: Equal, path: ["a"], valueText: "}{"}) { title _additional { id } } } }',
        "query Named($n: Int = 3, $w: X = {a: 1}) { all: Get { Article(limit: $n) { title } } Aggregate { Article { meta { count } } } }",
        '# comment }\n{ Explore(nearText: {concepts: ["a"]}) { beacon } }',
        'query @x { Get @include(if: true) { Article { text(a: """ } mutation { """) } } }',
    ],
)
def test_graphql_takes_one_query(statement: str) -> None:
    refuse_all_but_reading(WEAVIATE, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "query",
        "query {",
        "{ Get { a }",
        "{ Get { a } } }",
        "{ Get ( a } )",
        "mutation { Get { a } }",
        "{ Get { a } } mutation { x }",
        "{ __schema { types } }",
        "{ Get: Delete { a } }",
        "{ ... on Query { Delete } }",
        "fragment f on X { a } { Get { ...f } }",
        '{ Get { a(b: "open) } }',
        "{" * 100 + "}" * 100,
        "{ Get { a } } \0",
        '{ Get { A(x: """\\\\""", y: """) { n } } __schema { types { name } } Get { A(x: """ """) { n } } }',  # only \""" escapes
    ],
)
def test_graphql_refuses_all_else(statement: str) -> None:
    with pytest.raises(StatementRefused):
        refuse_all_but_reading(WEAVIATE, statement)
