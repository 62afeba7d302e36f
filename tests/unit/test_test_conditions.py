"""The conditions all other tests rely on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

SELF_TEST = """
import os
import socket
import pytest

def test_goes_out():
    with pytest.raises(OSError):
        socket.create_connection(("192.0.2.1", 80))

def test_looks_up():
    with pytest.raises(OSError):
        socket.getaddrinfo("erp.example.com", 443)

def test_unknown_name():
    with pytest.raises(socket.gaierror):
        socket.create_connection(("erp.invalid", 443))

def test_environment():
    assert not {"HTTPS_PROXY", "MLCONNECTOR_VAULT_KEY"} & set(os.environ)

def test_skips():
    pytest.skip("there is nothing to compare with")
"""


def run_pytest(project: Path, folder: Path, *arguments: str, **variables: str) -> str:
    """What pytest says about `SELF_TEST` under this project's conftest."""
    (folder / "conftest.py").write_text((project / "tests" / "conftest.py").read_text("utf-8"), "utf-8")
    (folder / "test_made_up.py").write_text(SELF_TEST, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-c", os.devnull]
    answer = subprocess.run(
        [*command, f"--rootdir={folder}", str(folder), *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_ADDOPTS": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout + answer.stderr


def test_leaving_loopback_fails_a_test(project: Path, tmp_path: Path) -> None:
    """A test that tries to leave the machine fails even if the code under test handled the refusal."""
    said = run_pytest(project, tmp_path)

    assert "ERROR test_made_up.py::test_goes_out" in said
    assert "ERROR test_made_up.py::test_looks_up" in said
    assert "ERROR test_made_up.py::test_unknown_name" not in said
    assert "SKIPPED [1]" in said


def test_required_specs_turn_a_skip_into_a_failure(project: Path, tmp_path: Path) -> None:
    """With `--require-specs` nothing passes by being skipped."""
    said = run_pytest(project, tmp_path, "--require-specs", MLCONNECTOR_SPECS=str(tmp_path))

    assert "FAILED test_made_up.py::test_skips" in said


def test_required_specs_must_be_named(project: Path, tmp_path: Path) -> None:
    """`--require-specs` without a folder of specs is a usage error, not an empty success."""
    said = run_pytest(project, tmp_path, "--require-specs", MLCONNECTOR_SPECS="")

    assert "needs MLCONNECTOR_SPECS" in said


def test_loopback_is_open() -> None:
    """A server on loopback can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_environment_is_clean(project: Path, tmp_path: Path) -> None:
    """No proxy and no setting of ours leaks from the machine into tests."""
    said = run_pytest(project, tmp_path, HTTPS_PROXY="http://proxy.invalid", MLCONNECTOR_VAULT_KEY="x")

    assert "PASSED test_made_up.py::test_environment" in said
