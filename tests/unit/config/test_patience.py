"""Reading from a client that may be slow on purpose."""

import socket
from collections.abc import Iterator

import pytest

from config.broken_request import BrokenRequest
from config.patience import HEAD_BYTES, PatientSocket

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's and the client's end."""
    server, client = socket.socketpair()
    with server, client:
        yield server, client


def test_a_head_is_there_once_its_end_is(pair: Pair) -> None:
    source = PatientSocket(pair[0], 60)
    assert not source.has_head()
    pair[1].sendall(HEAD[:10])
    assert not source.has_head()
    pair[1].sendall(HEAD[10:] + b"body")
    assert source.has_head()
    assert source.recv(8192) == HEAD + b"body"


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\nHost: x\n\n", b"x" * HEAD_BYTES], ids=["bare newlines", "no end"])
def test_what_will_be_no_head_goes_to_the_parser(pair: Pair, sent: bytes) -> None:
    pair[1].sendall(sent)
    assert PatientSocket(pair[0], 60).has_head()


def test_the_end_of_the_connection_goes_to_the_parser(pair: Pair) -> None:
    pair[1].shutdown(socket.SHUT_WR)
    source = PatientSocket(pair[0], 60)
    assert source.has_head()
    assert source.recv(10) == b""


def test_what_was_put_back_is_read_first(pair: Pair) -> None:
    pair[1].sendall(HEAD[3:])
    source = PatientSocket(pair[0], 60)
    source.put_back(HEAD[:3])
    assert source.has_head()
    assert source.recv(5) + source.recv(8192) == HEAD


def test_a_late_head_is_refused(pair: Pair) -> None:
    pair[1].sendall(HEAD[:10])
    source = PatientSocket(pair[0], 0)
    assert source.has_head()
    assert source.recv(10) == HEAD[:10]
    with pytest.raises(BrokenRequest) as caught:
        source.recv(10)
    assert caught.value.status == 408


def test_a_stalled_head_is_given_up_and_an_idle_connection_is_not_answered(pair: Pair) -> None:
    source = PatientSocket(pair[0], 60)
    assert not source.give_up()
    pair[1].sendall(HEAD[:10])
    assert not source.has_head()
    assert source.give_up()
    assert source.has_head()


def test_all_waits_for_one_request_share_its_time_and_the_next_has_its_own(pair: Pair) -> None:
    source = PatientSocket(pair[0], 0.01)
    with pytest.raises(BrokenRequest):
        source.recv(10)
    pair[1].sendall(b"x")
    assert source.recv(10) == b"x"  # what is there is no waiting
    with pytest.raises(BrokenRequest):
        source.recv(10)
    source.begin()
    assert not source.has_head()
