"""The reference store: what every other store must look like from outside, in plain dicts."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

import attrs

from ..cursors import HighWaterMark
from ..errors import LeaseHeldError, LeaseLostError, StateError
from ..models import GONE, AuditEntry, Checkpoint, DeadLetter, Lease, Link, Note, Pruned, Seen, Suppression
from ._rows import (
    AUDIT_COLUMNS,
    DEAD_LETTER_COLUMNS,
    LINK_COLUMNS,
    PARTY_STREAMS,
    CheckpointRows,
    Row,
    checkpoint_rows,
    load_audit_entry,
    load_dead_letter,
    load_link,
    load_mark,
    load_note,
    load_seen,
    load_suppressions,
    microseconds,
    require_lease_terms,
    require_prune_terms,
    require_secret_name,
    suppression_places,
)

__all__ = ["MemoryStateStore"]

_AUDIT_AT = AUDIT_COLUMNS.index("at")
_DEAD_REASON = DEAD_LETTER_COLUMNS.index("reason")
_LINK_REASON = LINK_COLUMNS.index("reason")


@attrs.define
class _Pipeline:
    """The state of one pipeline, as rows keyed as a database would key them."""

    fencing: int = 0
    holder: Lease | None = None
    marks: dict[str, Row] = attrs.field(factory=dict)
    links: dict[tuple[str, str], Row] = attrs.field(factory=dict)
    linked: dict[str, dict[tuple[str, str], Row]] = attrs.field(factory=dict)
    dead_letters: dict[tuple[str, str], Row] = attrs.field(factory=dict)
    suppressions: dict[str, Row] = attrs.field(factory=dict)
    notes: dict[tuple[str, str], Row] = attrs.field(factory=dict)
    audit: list[Row] = attrs.field(factory=list)

    def apply(self, rows: CheckpointRows) -> None:
        if rows.mark is not None:
            self.marks[rows.mark[1]] = rows.mark
        for place, link in rows.links.items():
            self._place(place, link)
        for place, digest in rows.seen.items():
            if place in self.links:
                self._place(place, (*self.links[place][:-1], digest))
        for address in (*rows.lifted, *rows.suppressions):
            for place, link in list(self.linked.get(address, {}).items()):
                self._place(place, (*link[:-1], ""))
        for place in rows.settled:
            self.dead_letters.pop(place, None)
        self.dead_letters.update(rows.dead_letters)
        for address in rows.lifted:
            self.suppressions.pop(address, None)
        self.suppressions.update(rows.suppressions)
        for place in rows.dropped:
            self.notes.pop(place, None)
        self.notes.update(rows.notes)
        if rows.scrubbed:
            scrubbed = set(rows.scrubbed)
            self.audit[:] = [_without_message(row) if (row[3], row[4]) in scrubbed else row for row in self.audit]
        self.audit.extend(rows.audit)

    def prune(self, before: datetime, kinds: Collection[str], most: int) -> Pruned:
        moment = microseconds(before)
        old = {place for place, row in enumerate(self.audit) if row[_AUDIT_AT] < moment}
        old = set(sorted(old)[:most])
        self.audit[:] = [row for place, row in enumerate(self.audit) if place not in old]
        notes = [place for place, row in sorted(self.notes.items()) if place[0] in kinds and row[-1] < moment][:most]
        for place in notes:
            del self.notes[place]
        ran_out = self.holder is not None and self.holder.expires_at < before
        self.holder = None if ran_out else self.holder
        return Pruned(audit=len(old), notes=len(notes), leases=int(ran_out))

    def _place(self, place: tuple[str, str], link: Row) -> None:
        before = self.links.get(place)
        if before is not None:
            self.linked.get(before[4], {}).pop(place, None)
        self.links[place] = link
        if place[0] in PARTY_STREAMS:
            self.linked.setdefault(link[4], {})[place] = link


class MemoryStateStore:
    """Keeps state in memory, for tests, notebooks and dry experiments; it ends with the process.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipelines: dict[str, _Pipeline] = {}
        self._sealed: dict[str, str] = {}

    def __repr__(self) -> str:
        return "<MemoryStateStore>"

    def acquire(self, pipeline: str, owner: str, *, now: datetime, duration: timedelta) -> Lease:
        """See `StateStore.acquire`."""
        require_lease_terms(pipeline, owner, now)
        with self._lock:
            state = self._state(pipeline)
            held = state.holder
            if held is not None and held.owner != owner and held.expires_at > now:
                raise LeaseHeldError(
                    f"pipeline {pipeline!r} is being run by {held.owner!r} until {held.expires_at.isoformat()}"
                )
            state.fencing += 1
            lease = Lease(pipeline=pipeline, owner=owner, fencing=state.fencing, expires_at=now + duration)
            state.holder = lease
            return lease

    def renew(self, lease: Lease, *, now: datetime, duration: timedelta) -> Lease:
        """See `StateStore.renew`."""
        require_lease_terms(lease.pipeline, lease.owner, now)
        with self._lock:
            state = self._held(lease)
            state.holder = renewed = attrs.evolve(lease, expires_at=now + duration)
            return renewed

    def release(self, lease: Lease) -> None:
        """See `StateStore.release`."""
        with self._lock:
            state = self._state(lease.pipeline)
            if _same_lease(state.holder, lease):
                state.holder = None

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        """See `StateStore.commit`."""
        if checkpoint.pipeline != lease.pipeline:
            raise StateError(f"a lease on {lease.pipeline!r} cannot commit to {checkpoint.pipeline!r}")
        rows = checkpoint_rows(checkpoint)
        with self._lock:
            self._held(lease).apply(rows)

    def mark(self, pipeline: str, stream: str) -> HighWaterMark | None:
        """See `StateStore.mark`."""
        with self._lock:
            row = self._state(pipeline).marks.get(stream)
        return None if row is None else load_mark(row[1:])

    def links(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Link]:
        """See `StateStore.links`."""
        with self._lock:
            known = self._state(pipeline).links
            rows = {key: known[stream, key] for key in keys if (stream, key) in known}
        return {key: load_link(row[1:-1]) for key, row in rows.items()}

    def seen(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Seen]:
        """See `StateStore.seen`."""
        with self._lock:
            known = self._state(pipeline).links
            rows = {key: known[stream, key] for key in keys if (stream, key) in known}
        return {key: load_seen((row[-1], row[_LINK_REASON])) for key, row in rows.items() if row[-1]}

    def links_to(self, pipeline: str, addresses: Sequence[str]) -> dict[str, tuple[Link, ...]]:
        """See `StateStore.links_to`; `""` is no address."""
        with self._lock:
            linked = self._state(pipeline).linked
            rows = {address: sorted(linked[address].items()) for address in addresses if linked.get(address)}
        return {a: tuple(load_link(row[1:-1]) for _, row in found) for a, found in rows.items() if a}

    def all_links(self, pipeline: str, stream: str) -> Iterator[Link]:
        """See `StateStore.all_links`."""
        with self._lock:
            rows = sorted(item for item in self._state(pipeline).links.items() if item[0][0] == stream)
        for _, row in rows:
            yield load_link(row[1:-1])

    def member_keys(self, pipeline: str, stream: str) -> Iterator[str]:
        """See `StateStore.member_keys`."""
        return (link.key for link in self.all_links(pipeline, stream) if link.target and link.reason != GONE)

    def suppressions(self, pipeline: str, addresses: Sequence[str]) -> dict[str, Suppression]:
        """See `StateStore.suppressions`."""
        with self._lock:
            known = self._state(pipeline).suppressions
            places = suppression_places(addresses)
            rows = [known[place][1:] for place in places if place in known]
        return load_suppressions(rows, places)

    def dead_letters(
        self,
        pipeline: str,
        *,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> Iterator[DeadLetter]:
        """See `StateStore.dead_letters`."""
        wanted = None if keys is None else set(keys)
        with self._lock:
            rows = sorted(self._state(pipeline).dead_letters.items())
        for (its_stream, its_key), row in rows:
            if stream not in (None, its_stream) or reason not in (None, row[_DEAD_REASON]):
                continue
            if wanted is None or its_key in wanted:
                yield load_dead_letter(row[1:])

    def notes(self, pipeline: str, kind: str, *, keys: Sequence[str] | None = None) -> Iterator[Note]:
        """See `StateStore.notes`."""
        wanted = None if keys is None else set(keys)
        with self._lock:
            rows = sorted(item for item in self._state(pipeline).notes.items() if item[0][0] == kind)
        for (_, key), row in rows:
            if wanted is None or key in wanted:
                yield load_note(row[1:])

    def audit(
        self, pipeline: str, *, stream: str | None = None, key: str | None = None, job_id: str | None = None
    ) -> Iterator[AuditEntry]:
        """See `StateStore.audit`."""
        with self._lock:
            rows = list(self._state(pipeline).audit)
        for row in rows:
            if job_id in (None, row[2]) and stream in (None, row[3]) and key in (None, row[4]):
                yield load_audit_entry(row[1:])

    def prune(self, pipeline: str, *, before: datetime, kinds: Collection[str] = (), most: int = 1000) -> Pruned:
        """See `StateStore.prune`."""
        require_prune_terms(before)
        with self._lock:
            return self._state(pipeline).prune(before, kinds, most)

    def sealed(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """See `SealedStore.sealed`."""
        with self._lock:
            wanted = self._sealed if names is None else names
            return {name: self._sealed[name] for name in wanted if name in self._sealed}

    def exchange_sealed(self, name: str, before: str | None, after: str | None) -> bool:
        """See `SealedStore.exchange_sealed`."""
        require_secret_name(name)
        with self._lock:
            if self._sealed.get(name) != before:
                return False
            self._sealed.pop(name, None)
            if after is not None:
                self._sealed[name] = after
            return True

    def close(self) -> None:
        """Nothing to release; the state stays readable."""

    def _state(self, pipeline: str) -> _Pipeline:
        return self._pipelines.setdefault(pipeline, _Pipeline())

    def _held(self, lease: Lease) -> _Pipeline:
        state = self._state(lease.pipeline)
        if not _same_lease(state.holder, lease):
            raise LeaseLostError(f"the lease on pipeline {lease.pipeline!r} was lost; nothing was committed")
        return state


def _without_message(row: Row) -> Row:
    place = AUDIT_COLUMNS.index("message")
    return (*row[:place], "", *row[place + 1 :])


def _same_lease(holder: Lease | None, lease: Lease) -> bool:
    return holder is not None and (holder.owner, holder.fencing) == (lease.owner, lease.fencing)
