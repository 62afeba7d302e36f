"""Members about to be taken off, noted before they are.

Whoever reads the audience after a crash finds somebody off whose link does not say why. The note tells that it was this
library, so that it is not held against the person, who may come back with the customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import attrs

from ..models import STREAMS, Link, Note
from ..protocols import StateStore
from ._backfill import NoteKey
from ._decision import Decision

__all__ = ["Intent", "intents_about", "notes_of_intents", "open_intents"]


def _kind(stream: str) -> str:
    return f"taking off {stream}"


@attrs.frozen(kw_only=True)
class Intent:
    """A link as it is once its member was taken off, and the note that says so."""

    link: Link
    note: NoteKey


def notes_of_intents(decisions: Iterable[Decision], now: datetime) -> tuple[Note, ...]:
    """What to write down before these decisions are carried out."""
    return tuple(
        Note(kind=_kind(d.stream), key=d.key, payload={"taken_off": d.link.taken_off}, at=now)
        for d in decisions
        if d.write is not None and d.link is not None and d.link.taken_off and not _is_taken_off(d.before)
    )


def _is_taken_off(link: Link | None) -> bool:
    return link is not None and bool(link.taken_off)


def intents_about(links: Sequence[Link], state: StateStore, pipeline: str) -> Iterator[Intent]:
    """What a run that broke off meant to do to the members of these links, whether or not it came to that."""
    by_stream: dict[str, dict[str, Link]] = {}
    for link in links:
        if link.target and not link.taken_off:
            by_stream.setdefault(link.stream, {})[link.key] = link
    for stream, known in by_stream.items():
        for note in state.notes(pipeline, _kind(stream), keys=[*known]):
            link = attrs.evolve(known[note.key], taken_off=note.payload["taken_off"], synced_at=note.at)
            yield Intent(link=link, note=(note.kind, note.key))


def open_intents(state: StateStore, pipeline: str) -> tuple[NoteKey, ...]:
    """All notes that a run which broke off has left."""
    return tuple((note.kind, note.key) for stream in STREAMS for note in state.notes(pipeline, _kind(stream)))
