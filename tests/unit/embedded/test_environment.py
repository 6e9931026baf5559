"""The virtual environment is made once for each content of the requirement files."""

import subprocess
from pathlib import Path

import pytest

from embedded import environment


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    for file in ("requirements.txt", *(f"requirements/{name}.txt" for name in ("embedded", "development", "engine"))):
        (tmp_path / file).write_text("a==1 --hash=sha256:0\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "PLACE", tmp_path / ".venv")
    return tmp_path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    seen: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        seen.append([str(word) for word in command])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def installs(runs: list[list[str]]) -> int:
    return sum("install" in command for command in runs)


def test_it_installs_pinned_and_hashed_requirements_once(clone: Path, runs: list[list[str]]) -> None:
    environment.ensure("production")
    environment.ensure("production")
    assert installs(runs) == 1
    assert "--require-hashes" in runs[-1]
    assert str(clone / "requirements/embedded.txt") in runs[-1]


def test_changed_requirements_are_installed_again(clone: Path, runs: list[list[str]]) -> None:
    environment.ensure("production")
    (clone / "requirements.txt").write_text("a==2 --hash=sha256:1\n")
    environment.ensure("production")
    assert installs(runs) == 2


def test_a_failed_installation_leaves_no_stamp(clone: Path, runs: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    works = subprocess.run

    def fails_to_install(command: list[str], **rest: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1) if "install" in command else works(command, **rest)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", fails_to_install)
    with pytest.raises(environment.NotPossible, match="the production requirements could not be installed"):
        environment.ensure("production")
    monkeypatch.setattr(subprocess, "run", works)
    environment.ensure("production")
    assert installs(runs) == 1


def test_an_old_python_is_refused_in_one_line(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (99, 0))
    with pytest.raises(environment.NotPossible, match="too old"):
        environment.ensure("production")


def test_without_any_pip_it_says_what_to_install(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "find_spec", lambda _: None)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(environment.NotPossible, match="apt-get install python3-venv"):
        environment.ensure("production")
