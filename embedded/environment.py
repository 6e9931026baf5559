"""The virtual environment: `python3 -m embedded.environment production|development|samples`. Needs nothing but Python itself.

Installs the pinned requirements, hashes checked, once for each content of the requirement files: a stamp remembers it.
"""

import fcntl
import hashlib
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv"
OLDEST_PYTHON = (3, 11)
SETS = {
    "production": ("requirements.txt", "requirements/embedded.txt"),
    "development": ("requirements/development.txt", "requirements/engine.txt"),
    "samples": ("requirements/samples.txt",),
}


class NotPossible(Exception):
    """The environment cannot be made; the message is one line that says what to do."""


def ensure(name: str) -> None:
    """Make the environment when it is missing and install one set of requirements when it changed.

    Raises:
        NotPossible: Python is too old, cannot make environments, or a package cannot be had.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise NotPossible(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed (make run PYTHON=python3.11)")
    with (ROOT / "requirements.txt").open() as lock:  # two makes at once take turns
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = PLACE / "stamps" / name
        wanted = _digest(name)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(name)
            stamp.parent.mkdir(exist_ok=True)
            stamp.write_text(wanted)


def _install(name: str) -> None:
    pip = _make()
    files = [word for file in SETS[name] for word in ("-r", str(ROOT / file))]
    print(f"Installing the {name} requirements into .venv …", flush=True)
    # The files are complete and pinned, so nothing is left to resolve.
    command = [
        *pip,
        "install",
        "-qq",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--no-input",
        "--require-hashes",
        "--no-deps",
        *files,
    ]
    if subprocess.run(command, check=False).returncode:
        raise NotPossible(f"the {name} requirements could not be installed; pip's own words stand above")


def _digest(name: str) -> str:
    """Changes with the requirement files and with Python itself."""
    digest = hashlib.sha256(sys.version.encode())
    for file in SETS[name]:
        digest.update((ROOT / file).read_bytes())
    return digest.hexdigest()


def _make() -> list[str]:
    """The command that runs pip for the environment, which is made when it is missing or broken.

    Debian splits ensurepip off into python3-venv; where that is missing, the machine's own pip serves the environment from outside.
    """
    python, has_ensurepip = PLACE / "bin" / "python", find_spec("ensurepip") is not None
    if not python.exists():
        print("Making the virtual environment .venv …", flush=True)
        venv.create(PLACE, with_pip=has_ensurepip, symlinks=True, clear=PLACE.exists())
    has_pip = [str(python), "-c", "import pip"]
    if subprocess.run(has_pip, capture_output=True, check=False).returncode == 0:
        return [str(python), "-m", "pip"]
    if has_ensurepip:  # the making was interrupted
        subprocess.run([str(python), "-m", "ensurepip"], capture_output=True, check=True)
        return [str(python), "-m", "pip"]
    if find_spec("pip") is None:
        raise NotPossible("neither ensurepip nor pip is there to install with: apt-get install python3-venv")
    return [sys.executable, "-m", "pip", "--python", str(python)]


if __name__ == "__main__":
    try:
        ensure(sys.argv[1])
    except (NotPossible, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"make: {error}")
