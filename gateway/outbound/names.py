"""Names to addresses within a time limit: the system's resolver knows none of ours."""

import socket
import threading
from ipaddress import ip_address
from typing import Any


def resolve(host: str, port: int, timeout_seconds: float) -> list[Any]:
    """Addresses of `host`, as getaddrinfo lists them for TCP.

    A name is looked up in a thread of its own, which is left behind when it takes too long; the resolver's own limits end it.
    Only a new connection comes here, so the thread's cost is rare; a literal address needs none.

    Raises:
        socket.gaierror: the name has no address.
        TimeoutError: the resolver did not answer in time.
    """
    if _is_address(host):
        return _look_up(host, port)
    found: list[Any] = []
    failed: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(_look_up(host, port))
        except OSError as error:
            failed.append(error)
        except UnicodeError:  # a label that is empty or longer than 63 characters
            failed.append(socket.gaierror(socket.EAI_NONAME, "not a host name"))

    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    if thread.is_alive():
        raise TimeoutError("the resolver did not answer in time")
    if failed:
        raise failed[0]
    return found


def _look_up(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
