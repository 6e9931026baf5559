"""A TLS server on loopback with a certificate that it signed itself, in front of a plain server: what Heroku gives."""

import contextlib
import select
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Self


class TlsProxy:
    """Ends TLS and passes on what comes. `certificate`: the file that a client who wants to verify trusts."""

    def __init__(self, directory: Path, host: str, port: int) -> None:
        self._target = (host, port)
        self.certificate = directory / "certificate.pem"
        key = directory / "key.pem"
        request = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -addext subjectAltName=IP:127.0.0.1 -keyout {key}"
        subprocess.run([*request.split(), "-out", str(self.certificate)], check=True, capture_output=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            plain,
            socket.create_connection(self._target, 5) as server,
            self._context.wrap_socket(plain, server_side=True) as client,
        ):
            self._open |= {client, server}
            while self._pump(client, server):
                pass
            self._open -= {client, server}

    def _pump(self, client: ssl.SSLSocket, server: socket.socket) -> bool:
        readable, _, _ = select.select([client, server], [], [], None if not client.pending() else 0)
        if client.pending() or client in readable:
            data = client.recv(65536)
            server.sendall(data)
            return bool(data)
        data = server.recv(65536)
        client.sendall(data)
        return bool(data)
