"""What was sent for one record: how often, and which answer decided it. The audit tells both, and support asks for it.

It is kept in the context of the thread that sends, so nothing has to hand it from call to call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import attrs

from ..errors import TransientError
from ..models import WriteResult
from ..protocols import WaitListener

__all__ = ["Trace", "counting", "note_answer", "traced"]


@attrs.define
class Trace:
    """The calls made for one record, or for all of one bulk call.

    Attributes:
        answers: operation and request id of every answer, and whether it was good.
        repeats: how often a call was sent again after a fault.
    """

    answers: list[tuple[str, str | None, bool]] = attrs.field(factory=list)
    repeats: int = 0

    @property
    def attempts(self) -> int:
        """How often the record was sent; the steps of one write count as one."""
        return self.repeats + bool(self.answers)

    def complete(self, result: WriteResult, deciding: str = "") -> WriteResult:
        """The result with how often it was tried, and the id of the first write that went through, or of what was last.

        Args:
            deciding: how the name of the call ends that decides; those around it bring along what it needs.
        """
        good = [answer for answer in self.answers if answer[2] and not answer[0].startswith("GET")]
        ids = [request_id for operation, request_id, _ in good if operation.endswith(deciding)]
        last = self.answers[-1][1] if self.answers else None
        decided = result.request_id or (ids[0] if ids else last)
        return attrs.evolve(result, attempts=self.attempts, request_id=decided)


_current: ContextVar[Trace | None] = ContextVar("mlconnector_sdk_mailchimp_trace", default=None)


@contextmanager
def traced() -> Iterator[Trace]:
    """Take note of the calls inside; an outer trace does not see them."""
    trace = Trace()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def note_answer(operation: str, request_id: str | None, *, good: bool) -> None:
    """An answer came."""
    trace = _current.get()
    if trace is not None:
        trace.answers.append((operation, request_id, good))


def counting(listener: WaitListener | None) -> WaitListener:
    """A listener for pauses that counts the repeats they come before, and tells the other."""

    def on_wait(system: str, operation: str, error: TransientError, seconds: float, tries: int) -> None:
        trace = _current.get()
        if trace is not None:
            trace.repeats += 1
        if listener is not None:
            listener(system, operation, error, seconds, tries)

    return on_wait
