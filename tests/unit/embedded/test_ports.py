"""Ports of embedded servers: free, and remembered."""

import socket
from pathlib import Path

from embedded.ports import COUNT, FIRST, is_free, remembered_port


def test_a_port_is_remembered(tmp_path: Path) -> None:
    assert remembered_port(tmp_path) == remembered_port(tmp_path)
    assert FIRST <= remembered_port(tmp_path) < FIRST + COUNT


def test_a_port_that_was_taken_meanwhile_is_replaced_and_the_new_one_remembered(tmp_path: Path) -> None:
    before = remembered_port(tmp_path)
    with socket.create_server(("127.0.0.1", before)):
        after = remembered_port(tmp_path)
        assert not is_free(before)
    assert after != before
    assert remembered_port(tmp_path) == after


def test_a_broken_note_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("not a port")
    assert remembered_port(tmp_path) == int((tmp_path / "port").read_text())
