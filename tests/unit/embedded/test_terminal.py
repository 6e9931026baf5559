"""What of the logs reaches the terminal."""

from pathlib import Path

import pytest

from embedded.terminal import LINES_AT_ONCE, Tail, is_worth_showing


@pytest.mark.parametrize(
    ("name", "line", "shown"),
    [
        ("gateway", "request_served path=/api/v1/flows", True),
        ("configservice", "[info] request_served path=/health", False),
        ("configservice", "[error] request_failed path=/health", True),
        ("worker", "[info] task_finished task=outbox.sweep", False),
        ("worker", "[warning] task_failed task=outbox.sweep", True),
        ("worker", "[info] task_finished task=executions.run_node", True),
        ("postgres", "LOG:  database system is ready to accept connections", False),
        ("postgres", "FATAL:  the database system is starting up", True),
        ("redis", "18:M # Server initialized", False),
    ],
)
def test_routine_stays_in_the_files(name: str, line: str, shown: bool) -> None:
    assert is_worth_showing(name, line) is shown


def test_a_tail_shows_whole_new_lines_behind_the_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("old\n")
    tail = Tail("gateway", log)
    with log.open("a") as file:
        file.write("new\nhalf")
    tail.show()
    with log.open("a") as file:
        file.write(" and half\n")
    tail.show()
    assert [line.split("| ", 1)[1] for line in capsys.readouterr().out.splitlines()] == ["new", "half and half"]


def test_a_flood_is_cut_and_says_where_the_rest_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "gateway.log"
    tail = Tail("gateway", log)
    log.write_text("line\n" * (LINES_AT_ONCE + 7))
    tail.show()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == LINES_AT_ONCE + 1
    assert "7 more lines" in lines[-1]
    assert str(log) in lines[-1]


def test_a_log_that_was_set_aside_is_read_from_its_new_beginning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("a long first life\n")
    tail = Tail("gateway", log)
    log.write_text("new\n")
    tail.show()
    assert "| new" in capsys.readouterr().out
