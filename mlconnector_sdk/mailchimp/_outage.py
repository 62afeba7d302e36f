"""Telling records that spoil their own call from a Mailchimp that is down."""

from __future__ import annotations

from ..errors import UnavailableError
from ..models import WriteResult
from ._wire import SYSTEM

__all__ = ["FAULTS_IN_A_ROW", "FaultsInARow"]

FAULTS_IN_A_ROW = 20
"""So many records in a row that all fail with a server fault: the far side is down, not the records."""


class FaultsInARow:
    """Counts records that met a server fault, each tried as often as the retry policy says, since the last good one."""

    def __init__(self) -> None:
        self._count = 0

    def reset(self) -> None:
        """Something worked, or was refused with a reason: the far side is there."""
        self._count = 0

    def see(self, result: WriteResult) -> WriteResult:
        """The result, given back.

        Raises:
            UnavailableError: one record after the other fails.
        """
        if result.kind != "dead" or result.reason != "server_fault":
            self._count = 0
            return result
        self._count += 1
        if self._count >= FAULTS_IN_A_ROW:
            raise UnavailableError(
                f"{self._count} records in a row failed with a server fault: Mailchimp is down, run again later",
                system=SYSTEM,
                status_code=result.status_code,
                request_id=result.request_id,
                reason="outage",
            )
        return result
