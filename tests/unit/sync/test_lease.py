"""A run's lease: what comes out when it cannot be given back."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from mlconnector_sdk.errors import StateError, UnavailableError
from mlconnector_sdk.state import MemoryStateStore
from mlconnector_sdk.sync._lease import lease_within
from mlconnector_sdk.testing import FakeClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Unreleasing(MemoryStateStore):
    """A database that is gone by the time the lease is given back."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def release(self, lease):
        raise self._error


@pytest.fixture(
    name="state",
    params=[StateError("the database is gone", reason="gone"), OSError("somebody@private.example")],
    ids=["StateError", "another"],
)
def _state(request):
    return Unreleasing(request.param)


def test_what_ended_a_run_comes_out_first(state, caplog):
    """An error that ends a run is not hidden by a lease that cannot be released; that is logged, without its text."""
    first = UnavailableError("the ERP does not answer", system="acumatica", operation="GET customers")

    with (
        caplog.at_level(logging.WARNING, logger="mlconnector_sdk.sync"),
        pytest.raises(UnavailableError) as caught,
        lease_within(0, state, "acme", clock=FakeClock(NOW)),
    ):
        raise first

    assert caught.value is first
    assert 1 == caplog.text.count("the lease could not be released")
    assert "private.example" not in caplog.text


def test_a_lease_that_cannot_be_released_is_an_error(state):
    """After a run that went well, nothing else tells that others have to wait for the lease to run out."""
    with pytest.raises((StateError, OSError)), lease_within(0, state, "acme", clock=FakeClock(NOW)):
        pass
