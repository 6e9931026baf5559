"""`wsgi` brings two apps, each without the other's parts, and connects to nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x", "DRAGONFLY_URL": "redis://127.0.0.1:1/0", "LOG_LEVEL": "CRITICAL"}


def run(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def python(program: str) -> str:
    return run("-c", program)


def test_importing_builds_nothing() -> None:
    assert python("import sys, wsgi; print(any(name.startswith(('gateway', 'configservice', 'flask')) for name in sys.modules))") == "False"


@pytest.mark.parametrize(("name", "other"), [("app", "configservice"), ("configuration_service", "gateway.app")])
def test_one_app_comes_without_the_other(name: str, other: str) -> None:
    assert python(f"import sys, wsgi; wsgi.{name}; print({other!r} in sys.modules)") == "False"


@pytest.mark.parametrize("name", ["app", "configuration_service"])
def test_building_connects_to_nothing_and_starts_no_thread(name: str) -> None:
    program = f"""
import socket, threading
def refuse(*_): raise AssertionError("a connection was opened")
socket.socket.connect = refuse
import wsgi
wsgi.{name}
print(threading.active_count())
"""
    assert python(program) == "1"


def test_drivers_and_terminal_toolkits_are_loaded_when_first_used_or_never() -> None:
    heavy = {"arango", "cel", "celery", "clickhouse_driver", "grpc", "kombu", "prompt_toolkit", "rich", "weaviate"}
    assert python(f"import sys, wsgi; wsgi.app; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_expressions_come_without_a_command_line() -> None:
    program = "from gateway.flows.compiling import compile_expression; compile_expression('1 + 1')"
    assert python(f"import sys; {program}; print(sorted({{'prompt_toolkit', 'typer', 'rich'}} & set(sys.modules)))") == "[]"


def test_an_app_is_built_once() -> None:
    assert python("import wsgi; print(wsgi.app is wsgi.app)") == "True"


def test_flask_finds_the_app() -> None:
    assert "/api/v1/flows" in run("-m", "flask", "routes")
