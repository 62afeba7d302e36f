"""The brake on what a poll's own data would do: who leaves because the ERP says so, counted before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..errors import MassLeaveError
from ..models import MemberWrite, Note
from ..protocols import StateStore
from ._decision import Decision
from ._leaving import Brake

__all__ = ["BRAKE", "LeavingWatch"]

BRAKE = "brake"
"""Kind of the note that a stream was stopped, by stream: from then on nobody leaves it until somebody confirms."""

_WHY = "of this stream would leave by what the ERP says now"
_CURE = (
    "check status and opt-out fields of the source; if it is right, confirm with engine.run(allow_mass_leave=True), or "
    "raise policy.most_leaving"
)


class LeavingWatch:
    """Weighs each batch before it is written, and stops the stream when too many would leave in one run.

    A stream that was stopped stays so over the runs that follow, for as long as its data would take anybody off:
    otherwise each of them would let another share go.

    Args:
        raises: whether to stop, or only to know the `refusal` at the end, as a plan does.
    """

    def __init__(self, state: StateStore, brake: Brake, *, pipeline: str, stream: str, raises: bool) -> None:
        self._state = state
        self._brake = brake
        self._pipeline = pipeline
        self._stream = stream
        self._raises = raises
        self._leaving = 0
        self._members: int | None = None
        self._held = any(True for _ in state.notes(pipeline, BRAKE, keys=[stream])) and not brake.allowed
        self.refusal = ""

    def weigh(self, decisions: Sequence[Decision]) -> None:
        """Take note of a batch that is about to be written.

        Raises:
            MassLeaveError: with it too many would leave; nothing of the batch was written.
        """
        leaving = sum(map(_takes_off, decisions))
        if not leaving or self._brake.allowed:
            return
        self._leaving += leaving
        self.refusal = self._refusal()
        if self.refusal and self._raises:
            raise MassLeaveError(self.refusal)

    def _refusal(self) -> str:
        if self._held:
            return f"members {_WHY}, and so many would have in an earlier run that it was stopped: {_CURE}"
        if self._brake.is_a_handful(self._leaving):
            return ""
        if self._members is None:
            links = self._state.all_links(self._pipeline, self._stream)
            self._members = sum(1 for link in links if link.target)
        return self._brake.refusal(self._leaving, self._members, why=_WHY, cure=_CURE)

    def note(self, at: datetime) -> Note:
        """That the stream was stopped."""
        payload = {"leaving": self._leaving, "members": self._members or 0}
        return Note(kind=BRAKE, key=self._stream, payload=payload, at=at)

    @property
    def done_with(self) -> tuple[tuple[str, str], ...]:
        """Notes that are not needed once the stream was read to its end."""
        return ((BRAKE, self._stream),) if self._held or self._brake.allowed else ()


def _takes_off(decision: Decision) -> bool:
    write = decision.write
    if not isinstance(write, MemberWrite):
        return False
    return write.forget or (write.exists and write.status in {"unsubscribed", "archived"})
