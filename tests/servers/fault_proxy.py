"""A TCP proxy on loopback that can hang, refuse, delay and reset: what networks and dying servers do."""

import contextlib
import select
import socket
import struct
import threading
import time
from typing import Self


class FaultProxy:
    """Stands between a driver and its server on a port of its own. Change `mode` at any time, for open connections too.

    `accepted` counts connections since the beginning; `left_waiting` holds the server's end of each
    whose client sent something while it hung. These wait until they are closed: what was taken from them is lost.

    Modes: "pass"; "hang" (accepts, takes what comes, never answers); "reset" (resets at the server's next answer, after its first bytes).
    """

    def __init__(self, host: str, port: int, *, listen_port: int = 0) -> None:
        self._target = (host, port)
        self.mode = "pass"
        self.delay_seconds = 0.0
        self.accepted = 0
        self.left_waiting: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self._stopping = False
        self._listen(listen_port)

    def refuse(self) -> None:
        """Close the port and every connection: a server that is down."""
        self._stopping = True
        self._listener.close()
        self._thread.join(5)
        self.drop_all()

    def accept_again(self) -> None:
        """Be there again, on the same port."""
        self._stopping = False
        self._listen(self.port)

    def drop_all(self) -> None:
        """Close every open connection: a server that restarted."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def lose_all(self) -> None:
        """Let every open connection lead nowhere from now on, and new ones work: another server took over the address, without a word."""
        self._lost |= self._open

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._stopping:
            self.refuse()

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(client.close)
            try:
                server = socket.create_connection(self._target, 5)
            except OSError:
                return
            stack.callback(server.close)
            for end in (client, server):  # what comes in two pieces goes on at once: the second waited 40 ms for the first's receipt
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {client, server}
            stack.callback(self._open.difference_update, {client, server})
            with contextlib.suppress(OSError):
                self._pump(client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            readable, _, _ = select.select([client, server], [], [], 0.05)
            for source in readable:
                data = source.recv(65536)
                if not data:
                    return
                if not self._forward(data, client if source is server else server, to_client=source is server):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return

    def _forward(self, data: bytes, target: socket.socket, *, to_client: bool) -> bool:
        """False when the connection is to be reset."""
        if self.mode == "hang" and not to_client:
            self.left_waiting.add(target)
            self._lost.add(target)
        if self.mode == "hang" or target in self._lost:
            return True
        if self.mode == "reset" and to_client:
            target.sendall(data[: len(data) // 2])
            return False
        if self.delay_seconds and to_client:
            time.sleep(self.delay_seconds)
        target.sendall(data)
        return True
