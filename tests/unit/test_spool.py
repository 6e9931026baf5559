"""The local spool: bounded, survives its writer, delivers at least once."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from gateway.spool import FileSpool, default_directory


def drained(spool: FileSpool) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = []
    spool.drain(taken.extend)
    return taken


def test_what_was_appended_comes_back_once(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool", "events", 10_000)
    assert spool.append({"n": number} for number in range(5)) == 5
    assert [record["n"] for record in drained(spool)] == [0, 1, 2, 3, 4]
    assert drained(spool) == []
    assert spool.waiting_bytes() == 0


def test_it_is_readable_by_its_user_only(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool", "events", 10_000)
    spool.append([{"n": 1}])
    (file,) = (tmp_path / "spool").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path, "events", 25)
    assert spool.append([{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]) == 3
    assert spool.append([{"n": 5}]) == 0
    assert len(drained(spool)) == 3


def test_a_failed_delivery_comes_again(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path, "events", 10_000)
    spool.append([{"n": 1}])

    def refuse(_: list[dict[str, Any]]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        spool.drain(refuse)
    spool.append([{"n": 2}])
    assert sorted(record["n"] for record in drained(spool)) == [1, 2]


def test_a_torn_line_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "events-1-x.jsonl").write_bytes(b'{"n":1}\n{"n":2')
    assert drained(FileSpool(tmp_path, "events", 10_000)) == [{"n": 1}]


def test_a_killed_process_leaves_its_records_to_others_and_a_living_one_keeps_them(tmp_path: Path) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from gateway.spool import FileSpool
        spool = FileSpool(Path({str(tmp_path)!r}), "events", 10_000)
        spool.append([{{"n": 7}}])
        print("written", flush=True)
        sys.stdin.read()
    """
    writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with writer:
        assert writer.stdout
        writer.stdout.readline()
        spool = FileSpool(tmp_path, "events", 10_000)
        assert drained(spool) == []
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert drained(spool) == [{"n": 7}]


def test_the_default_directory_is_the_users_and_the_databases_own() -> None:
    first, second = (default_directory(f"postgresql+psycopg2://gateway:secret@{host}/gateway") for host in ("a", "b"))
    assert first != second
    assert str(os.getuid()) in str(first)
    assert "secret" not in str(first)


def test_a_record_that_the_disk_had_no_room_for_spoils_none_that_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, write = FileSpool(tmp_path, "events", 10_000), os.write

    def fill_up(descriptor: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:10])

    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(OSError, match="No space"):
        spool.append([{"n": 1}, {"n": 2}])
    monkeypatch.setattr(os, "write", write)
    assert spool.append([{"n": 3}]) == 1
    assert {"n": 3} in drained(spool)
