"""What holds for every test: no network beyond loopback, a clean environment, the same examples on every machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, so that a fresh clone passes or fails like any other; `--hypothesis-profile=search`
# looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.register_profile(
    "search", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

KEPT_VARIABLES = {"MLCONNECTOR_SPECS", "MLCONNECTOR_POSTGRES_URL", "MLCONNECTOR_MARIADB_URL"}
"""The only settings of ours that tests may see."""

HOSTILE_VARIABLES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC", "PGHOST", "PGUSER", "PGPASSWORD"}
"""Settings of the machine that would redirect what a test sends."""

_breaches: list[str] = []


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _keep_to_loopback(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse what would leave the machine; the test that tried it fails, even if the refusal was handled."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    if _is_loopback(name):
        return
    # RFC 6761 keeps `.invalid` for names that never exist: a test may ask for one and gets the answer at once.
    if not name.endswith(".invalid"):
        _breaches.append(f"{event} {name}")
    raise socket.gaierror(socket.EAI_NONAME, f"tests stay on loopback, {name} is out of reach")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--require-specs`."""
    parser.addoption(
        "--require-specs", action="store_true", help="fail, instead of skipping, what lacks a vendor contract or server"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Clean the environment, once and before anything of ours is imported."""
    for name in list(os.environ):
        ours = name.startswith("MLCONNECTOR_") and name not in KEPT_VARIABLES
        if ours or name.upper() in HOSTILE_VARIABLES:
            del os.environ[name]
    if config.getoption("--require-specs") and not os.environ.get("MLCONNECTOR_SPECS"):
        raise pytest.UsageError("--require-specs needs MLCONNECTOR_SPECS, the folder of the vendor contracts")
    sys.addaudithook(_keep_to_loopback)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `--require-specs` a skipped test is a failed one."""
    report = yield
    if item.config.getoption("--require-specs") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although --require-specs is given: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """With `--require-specs` a file that skips itself is a failed one."""
    report = yield
    if collector.config.getoption("--require-specs") and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped although --require-specs is given: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _stays_on_loopback() -> Iterator[None]:
    """Fail the test during which anything tried to leave the machine."""
    _breaches.clear()
    yield
    assert _breaches == []


@pytest.fixture(scope="session", name="project")
def _project() -> Path:
    """The folder of the checkout, or of what a package was unpacked to."""
    return Path(__file__).parent.parent
