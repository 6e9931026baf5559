"""Child processes that write to a log file, die with their parent, and are stopped by pid."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_LIMIT_BYTES = 10 * 1024 * 1024
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Account:
    """A system user that a server runs as."""

    name: str
    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, with both outputs appended to `log`.

    The kernel sends it `death_signal` when this process dies, even by SIGKILL. Call it from a thread that lives as long as the
    process: prctl(2) counts the death of the calling thread. `directory` is its working directory.
    """
    keep_small(log)
    user = (str(account.uid), str(account.gid)) if account else ("-1", "-1")
    wrapped = [sys.executable, "-I", "-S", LAUNCHER, str(int(death_signal)), str(os.getpid()), *user, *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            wrapped, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory, env=environment, start_new_session=True
        )


def keep_small(log: Path) -> None:
    """Set a log file that grew past its limit aside as `.1`, replacing the one set aside before."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))


def end(process: subprocess.Popen[bytes], by: signal.Signals, *, patience_seconds: float) -> None:
    """Send a signal, wait, and kill what is left of the process's group. Returns when nothing of the group runs."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(by)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience_seconds)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL every member of the group that `spawn` made for the process, and reap the process itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_stranger(pid: int, by: signal.Signals, *, patience_seconds: float) -> None:
    """The same for a process that an earlier parent left behind: signal, wait, SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, by)
        if not wait_until(lambda: not is_alive(pid), timeout_seconds=patience_seconds):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_alive(pid), timeout_seconds=patience_seconds)


def is_alive(pid: int) -> bool:
    """Whether a process of this pid runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def works_in(pid: int, directory: Path) -> bool:
    """Whether the process runs and has this working directory: how a server is told from a stranger that got its old pid."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == directory
    except OSError:
        return False


def wait_until(is_true: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Ask again and again; False when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
