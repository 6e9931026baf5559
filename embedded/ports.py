"""TCP ports on loopback: free, remembered, and different for two clones."""

import socket
import zlib
from pathlib import Path

# Below the range from which the kernel takes ports for outgoing connections, so that none of them is in our way at the next start.
FIRST, COUNT = 20_000, 10_000


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def remembered_port(directory: Path) -> int:
    """The port that this directory's server had before when it is still free, a new one otherwise; kept in `directory/port`."""
    note = directory / "port"
    known = int(note.read_text()) if note.exists() and note.read_text().strip().isdigit() else None
    if known and is_free(known):
        return known
    port = _free_port(seed=str(directory))
    note.write_text(f"{port}\n")
    return port


def _free_port(seed: str) -> int:
    start = zlib.crc32(seed.encode())
    return next(port for port in (FIRST + (start + step) % COUNT for step in range(COUNT)) if is_free(port))
