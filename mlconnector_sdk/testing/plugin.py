"""A pytest plugin, on by itself where this library is installed: the far systems and a clock as fixtures."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from ._clock import FakeClock
from .fakes import FakeAcumatica, FakeMailchimp

__all__ = ["fake_acumatica", "fake_clock", "fake_mailchimp"]

for _suite in ("_lease_contract", "_source_contract", "_state_contract"):
    if f"mlconnector_sdk.testing.{_suite}" not in sys.modules:
        pytest.register_assert_rewrite(f"mlconnector_sdk.testing.{_suite}")


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that stands still until moved; the other fixtures share it."""
    return FakeClock()


@pytest.fixture
def fake_mailchimp(fake_clock: FakeClock) -> Iterator[FakeMailchimp]:
    """An empty Mailchimp account on loopback."""
    with FakeMailchimp(clock=fake_clock) as mailchimp:
        yield mailchimp


@pytest.fixture
def fake_acumatica(fake_clock: FakeClock) -> Iterator[FakeAcumatica]:
    """An Acumatica site on loopback, without records."""
    with FakeAcumatica(clock=fake_clock) as acumatica:
        yield acumatica
