"""What was heard from Mailchimp lately: each event once, and of each address the last word.

Deliveries come at least once and in any order. Nothing here holds an address that can be read, except where the
person moved to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Literal

import attrs

from ..models import Checkpoint, Note, WebhookEvent, hidden_address
from ..protocols import StateStore
from ._leaving import in_chunks

__all__ = ["KEPT", "LAST_WORD", "RECEIPT", "LastWord", "Receipts"]

RECEIPT = "receipt"
LAST_WORD = "last_word"
_TIDIED = "tidied"

KEPT = timedelta(days=7)
"""Far longer than the senders go on trying: 75 minutes for Mailchimp, some eight hours for Mandrill."""

_TIDIED_EVERY = timedelta(days=1)
_AT_ONCE = 500


@attrs.frozen
class LastWord:
    """The last that was heard of an address: its person came, left, or moved `to` another one."""

    kind: Literal["came", "left", "moved"]
    at: datetime
    to: str = attrs.field(default="", repr=False)

    def note_of(self, address: str) -> Note:
        """As it is kept."""
        return Note(kind=LAST_WORD, key=hidden_address(address), payload={"kind": self.kind, "to": self.to}, at=self.at)


class Receipts:
    """Notes of what came in, each for a week."""

    def __init__(self, state: StateStore, pipeline: str) -> None:
        self._state = state
        self._pipeline = pipeline

    def is_known(self, event: WebhookEvent) -> bool:
        """An earlier delivery of this event was taken in."""
        return bool(event.receipt) and any(self._state.notes(self._pipeline, RECEIPT, keys=[event.receipt]))

    def receipt_of(self, event: WebhookEvent, now: datetime) -> tuple[Note, ...]:
        """The note by which a further delivery of this event is known."""
        return (Note(kind=RECEIPT, key=event.receipt, at=now),) if event.receipt else ()

    def last_word(self, address: str) -> LastWord | None:
        """The last that was heard of an address."""
        for note in self._state.notes(self._pipeline, LAST_WORD, keys=[hidden_address(address)]):
            return LastWord(note.payload["kind"], note.at, str(note.payload["to"]))
        return None

    def trail(self, address: str, since: datetime | None) -> Iterator[str]:
        """The addresses to which the person at `address` has moved on since, one after the other."""
        seen = {address}
        word = self.last_word(address)
        while word is not None and word.kind == "moved" and word.to not in seen:
            if since is not None and word.at < since:
                return
            seen.add(word.to)
            yield word.to
            since = word.at
            word = self.last_word(word.to)

    def tidy(self, commit: Callable[[Checkpoint], None], job_id: str, now: datetime) -> None:
        """Drop what is older than a week; looked after once a day."""
        last = next(self._state.notes(self._pipeline, _TIDIED, keys=[RECEIPT]), None)
        if last is not None and now - last.at < _TIDIED_EVERY:
            return
        old = (
            (note.kind, note.key)
            for kind in (RECEIPT, LAST_WORD)
            for note in self._state.notes(self._pipeline, kind)
            if now - note.at > KEPT
        )
        for some in in_chunks(old, _AT_ONCE):
            commit(Checkpoint(pipeline=self._pipeline, job_id=job_id, dropped=tuple(some)))
        commit(Checkpoint(pipeline=self._pipeline, job_id=job_id, notes=(Note(kind=_TIDIED, key=RECEIPT, at=now),)))
