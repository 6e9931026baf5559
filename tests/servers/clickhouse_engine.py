"""A current ClickHouse: this year's engine in a process of its own, behind as much of the native protocol as clickhouse-driver speaks.

No package brings a server, but one brings its engine (chdb-core): what is parsed, computed and refused is ClickHouse's own. The packets
around it are the driver's own readers and writers, turned round. A query runs to its end: there is no cancelling, and no progress.
Source: https://clickhouse.com/docs/native-protocol , clickhouse_driver/connection.py.
"""

import io
import json
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from clickhouse_driver.block import RowOrientedBlock
from clickhouse_driver.bufferedreader import BufferedSocketReader
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.defines import BUFFER_SIZE, CLIENT_REVISION
from clickhouse_driver.protocol import ClientPacketTypes, ServerPacketTypes
from clickhouse_driver.reader import read_binary_str, read_binary_uint8, read_binary_uint64
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_int32, write_binary_str, write_binary_uint8, write_binary_uint64

from gateway.databases.clickhouse_statement import READING

PASSWORD = "secret"
AUTHENTICATION_FAILED = 516
FILE_FORM = 0  # revision of blocks in the Native format of files: without what the protocol adds to them
_CODE = re.compile(r"Code: (\d+)\. ")
_INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\) VALUES")


def available() -> bool:
    """Whether the engine is installed."""
    return find_spec("chdb") is not None


@contextmanager
def clickhouse_engine() -> Iterator[dict[str, str]]:
    """The variables that lead to a new, empty one."""
    command = [sys.executable, "-c", "from tests.servers.clickhouse_engine import serve_until_closed; serve_until_closed()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            yield {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": port, "CLICKHOUSE_PASSWORD": PASSWORD}
        finally:
            process.communicate(timeout=10)


def serve_until_closed() -> None:
    """Print the port, then serve until standard input ends."""
    with tempfile.TemporaryDirectory() as directory:
        engine = _Engine(Path(directory))
        with _Server(engine) as server:
            print(server.server_address[1], flush=True)  # noqa: T201 - what the parent process waits for
            server.serve_until(sys.stdin)
        engine.close()


class Refused(Exception):
    """What the engine says against a query, with ClickHouse's code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Engine:
    """One engine for the process. Each query has a session of its own, so that its settings end with it."""

    def __init__(self, directory: Path) -> None:
        import chdb

        self._chdb, self._directory = chdb, directory
        self._held = chdb.connect(str(directory / "data"))
        self.version = str(self._held.query("SELECT version()", "TabSeparatedRaw")).strip()

    def close(self) -> None:
        self._held.close()

    def run(self, query: str, settings: Mapping[str, str], parameters: Mapping[str, str], form: str = "Native") -> bytes:
        """The answer in one of ClickHouse's formats. Values of `parameters` are quoted, as the protocol brings them."""
        assignments = [f"{name} = '{value}'" for name, value in settings.items()]
        assignments += [f"param_{name} = {value}" for name, value in parameters.items()]
        try:
            with closing(self._chdb.connect(str(self._directory / "data"))) as session:
                if assignments:
                    session.query(f"SET {', '.join(assignments)}")
                return bytes(session.query(query, form).bytes())
        except self._chdb.ChdbError as error:
            found = _CODE.search(str(error))
            raise Refused(int(found.group(1)) if found else 1002, str(error)) from error

    def columns_of(self, query: str, settings: Mapping[str, str], parameters: Mapping[str, str]) -> list[tuple[str, str]]:
        """Names and types of an answer's columns, which the Native format leaves out when there are no rows."""
        meta = json.loads(self.run(query, settings, parameters, "JSONCompact") or b'{"meta": []}')["meta"]
        return [(column["name"], column["type"]) for column in meta]

    def insert(self, table: str, columns: str, rows: bytes, settings: Mapping[str, str]) -> None:
        """`rows` in the Native format."""
        with tempfile.NamedTemporaryFile(dir=self._directory) as file:
            file.write(rows)
            file.flush()
            self.run(f"INSERT INTO {table} ({columns}) SELECT * FROM file('{file.name}', 'Native')", settings, {})


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, engine: _Engine) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.engine = engine

    def serve_until(self, stream: Any) -> None:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        stream.read()
        self.shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up in mid-answer is what these tests are about."""


def _context(revision: int) -> SimpleNamespace:
    """What the driver's readers and writers of blocks look at."""
    return SimpleNamespace(
        server_info=SimpleNamespace(used_revision=revision, get_timezone=lambda: "UTC"),
        client_settings={"use_numpy": False, "strings_as_bytes": False, "strings_encoding": "utf-8"},
        settings={},
    )


class _Connection(socketserver.BaseRequestHandler):
    """One client, served as a server of the driver's own revision serves it."""

    context: ClassVar = _context(CLIENT_REVISION)
    file_context: ClassVar = _context(FILE_FORM)

    def setup(self) -> None:
        self.reader = BufferedSocketReader(self.request, BUFFER_SIZE)
        self.writer = BufferedSocketWriter(self.request, BUFFER_SIZE)
        self.engine: _Engine = self.server.engine  # type: ignore[attr-defined]

    def handle(self) -> None:
        with suppress(EOFError, OSError):
            if self._greet():
                while True:
                    self._serve_one()
                    self.writer.flush()

    def _greet(self) -> bool:
        read_varint(self.reader)
        read_binary_str(self.reader)
        for _ in range(3):
            read_varint(self.reader)
        _database, _user, password = (read_binary_str(self.reader) for _ in range(3))
        if password != PASSWORD:
            self._refuse(Refused(AUTHENTICATION_FAILED, "Authentication failed: password is incorrect, or there is no user with such name"))
            self.writer.flush()
            return False
        major, minor, patch = self.engine.version.split(".")[:3]
        write_varint(ServerPacketTypes.HELLO, self.writer)
        write_binary_str("ClickHouse", self.writer)
        for number in (int(major), int(minor), CLIENT_REVISION):
            write_varint(number, self.writer)
        write_binary_str("UTC", self.writer)
        write_binary_str("engine", self.writer)
        write_varint(int(patch), self.writer)
        write_varint(0, self.writer)  # rules for passwords
        write_binary_uint64(0, self.writer)  # nonce
        self.writer.flush()
        read_binary_str(self.reader)  # quota key
        return True

    def _serve_one(self) -> None:
        packet = read_varint(self.reader)
        if packet == ClientPacketTypes.PING:
            write_varint(ServerPacketTypes.PONG, self.writer)
        elif packet == ClientPacketTypes.QUERY:
            try:
                self._answer(*self._read_query())
                write_varint(ServerPacketTypes.END_OF_STREAM, self.writer)
            except Refused as error:
                self._refuse(error)

    def _read_query(self) -> tuple[str, dict[str, str], dict[str, str]]:
        read_binary_str(self.reader)  # query id
        self._skip_client_info()
        settings = self._read_settings()
        read_binary_str(self.reader)  # secret between servers
        read_varint(self.reader)  # stage
        assert not read_varint(self.reader), "this server reads no compressed blocks"
        query = read_binary_str(self.reader)
        parameters = self._read_settings()
        self._read_block()  # the end of external tables
        return query, settings, parameters

    def _skip_client_info(self) -> None:
        read_binary_uint8(self.reader)
        for _ in range(3):
            read_binary_str(self.reader)
        read_binary_uint64(self.reader)
        read_binary_uint8(self.reader)
        for _ in range(3):
            read_binary_str(self.reader)
        for _ in range(3):
            read_varint(self.reader)
        read_binary_str(self.reader)
        for _ in range(2):
            read_varint(self.reader)
        assert not read_binary_uint8(self.reader), "this server knows no traces"
        for _ in range(3):
            read_varint(self.reader)

    def _read_settings(self) -> dict[str, str]:
        found = {}
        while name := read_binary_str(self.reader):
            read_binary_uint8(self.reader)
            found[name] = read_binary_str(self.reader)
        return found

    def _read_block(self) -> Any:
        packet = read_varint(self.reader)
        if packet != ClientPacketTypes.DATA:
            raise EOFError(f"packet {packet} in place of a block")
        read_binary_str(self.reader)  # table
        return BlockInputStream(self.reader, self.context).read()

    def _answer(self, query: str, settings: dict[str, str], parameters: dict[str, str]) -> None:
        if insert := _INSERT.match(query):
            self._insert(*insert.groups(), settings)
            return
        answer = self.engine.run(query, settings, parameters)
        blocks = list(_blocks(answer, self.file_context))
        if not blocks and query.split(None, 1)[0].upper() in READING:
            self._send(self.engine.columns_of(query, settings, parameters), [])
        for block in blocks:
            self._send(block.columns_with_types, block.get_rows())

    def _insert(self, table: str, columns: str, settings: dict[str, str]) -> None:
        header = self.engine.columns_of(f"SELECT {columns} FROM {table} LIMIT 0", {}, {})
        self._send(header, [])
        self.writer.flush()
        held = io.BytesIO()
        output = BufferedSocketWriter(SimpleNamespace(sendall=held.write), BUFFER_SIZE)
        while (block := self._read_block()).num_columns:
            BlockOutputStream(output, self.file_context).write(RowOrientedBlock(block.columns_with_types, block.get_rows()))
            self._send([], [], ServerPacketTypes.PROFILE_EVENTS)
            self.writer.flush()
        self._send([], [], ServerPacketTypes.PROFILE_EVENTS)
        self.engine.insert(table, columns, held.getvalue(), settings)

    def _send(self, columns: list[tuple[str, str]], rows: list[Any], packet: int = ServerPacketTypes.DATA) -> None:
        write_varint(packet, self.writer)
        write_binary_str("", self.writer)
        BlockOutputStream(self.writer, self.context).write(RowOrientedBlock(columns, rows))

    def _refuse(self, error: Refused) -> None:
        write_varint(ServerPacketTypes.EXCEPTION, self.writer)
        write_binary_int32(error.code, self.writer)
        for text in ("DB::Exception", str(error), ""):
            write_binary_str(text, self.writer)
        write_binary_uint8(0, self.writer)


def _blocks(native: bytes, context: Any) -> Iterator[Any]:
    reader = BufferedSocketReader(SimpleNamespace(recv_into=io.BytesIO(native).readinto), BUFFER_SIZE)
    while True:
        try:
            yield BlockInputStream(reader, context).read()
        except EOFError:
            return
