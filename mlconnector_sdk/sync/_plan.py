"""A run without consequences: the same path, on a sink that only foretells and a state that only remembers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from ..cursors import HighWaterMark
from ..models import (
    Audience,
    AuditEntry,
    Checkpoint,
    DeadLetter,
    Lease,
    Link,
    MemberWrite,
    MergeField,
    Note,
    OrderWrite,
    Pruned,
    Seen,
    Store,
    Suppression,
    WriteResult,
    hidden_address,
)
from ..protocols import Sink, StateStore

__all__ = ["ForetellingSink", "StateOverlay"]


class ForetellingSink:
    """Reads like the sink behind it and answers writes with what would most likely become of them."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    @property
    def store(self) -> Store | None:
        return self._sink.store

    def prepare(
        self,
        wanted: Sequence[MergeField],
        *,
        wake: bool = True,
        interests: Sequence[str] = (),
        permissions: Sequence[str] = (),
    ) -> Audience:
        return self._sink.inspect(wanted, interests=interests, permissions=permissions)

    def write_members(self, writes: Sequence[MemberWrite]) -> list[WriteResult]:
        return [_foretold_member(write) for write in writes]

    def write_orders(self, writes: Sequence[OrderWrite]) -> list[WriteResult]:
        return [WriteResult(kind="updated" if write.exists else "created") for write in writes]

    def loading_history(self) -> AbstractContextManager[None]:
        return nullcontext()


def _foretold_member(write: MemberWrite) -> WriteResult:
    if write.exists or write.previous_address:
        return WriteResult(kind="updated")
    if write.only_if_member:
        return WriteResult(kind="skipped", reason="not_a_member")
    return WriteResult(kind="created")


class StateOverlay:
    """The state as it would be: reads fall through to the real one, checkpoints stay in memory.

    It holds one link per record that would change, so a plan of a first load needs memory for all of them.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._links: dict[tuple[str, str], Link] = {}
        self._by_address: dict[str, set[tuple[str, str]]] = {}
        self._suppressions: dict[str, Suppression | None] = {}
        self._letters: dict[tuple[str, str], DeadLetter | None] = {}

    def commit(self, checkpoint: Checkpoint, lease: Lease | None = None) -> None:
        for link in checkpoint.links:
            self._links[link.stream, link.key] = link
            self._by_address.setdefault(link.address, set()).add((link.stream, link.key))
        self._suppressions.update(dict.fromkeys(checkpoint.lifted))
        self._suppressions.update((held.address, held) for held in checkpoint.suppressions)
        self._letters.update(dict.fromkeys(checkpoint.settled))
        self._letters.update(((letter.stream, letter.key), letter) for letter in checkpoint.dead_letters)

    def mark(self, pipeline: str, stream: str) -> HighWaterMark | None:
        return self._state.mark(pipeline, stream)

    def links(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Link]:
        found = self._state.links(pipeline, stream, keys)
        found.update((key, self._links[stream, key]) for key in keys if (stream, key) in self._links)
        return found

    def seen(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Seen]:
        # A suppression that only this plan knows is one more reason to look again.
        asked = [] if self._suppressions else [key for key in keys if (stream, key) not in self._links]
        return self._state.seen(pipeline, stream, asked)

    def links_to(self, pipeline: str, addresses: Sequence[str]) -> dict[str, tuple[Link, ...]]:
        known = self._state.links_to(pipeline, addresses)
        merged: dict[str, tuple[Link, ...]] = {}
        for address in addresses:
            links = {(link.stream, link.key): link for link in known.get(address, ())}
            links |= {identity: self._links[identity] for identity in self._by_address.get(address, ())}
            links = {identity: self._links.get(identity, link) for identity, link in links.items()}
            here = [links[identity] for identity in sorted(links) if links[identity].address == address]
            if here:
                merged[address] = tuple(here)
        return merged

    def suppressions(self, pipeline: str, addresses: Sequence[str]) -> dict[str, Suppression]:
        changed = self._suppressions
        merged: Mapping[str, Suppression | None] = {
            **self._state.suppressions(pipeline, addresses),
            **{address: changed[address] for address in addresses if address in changed},
            **{a: changed[hidden] for a in addresses if (hidden := hidden_address(a)) in changed},
        }
        return {address: held for address, held in merged.items() if held is not None}

    def dead_letters(
        self,
        pipeline: str,
        *,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> Iterator[DeadLetter]:
        wanted = None if keys is None else set(keys)
        for letter in self._state.dead_letters(pipeline, stream=stream, keys=keys, reason=reason):
            if (letter.stream, letter.key) not in self._letters:
                yield letter
        for (of, key), new in sorted(self._letters.items(), key=lambda item: item[0]):
            if new is None or stream not in {None, of} or reason not in {None, new.reason}:
                continue
            if wanted is None or key in wanted:
                yield new

    def all_links(self, pipeline: str, stream: str) -> Iterator[Link]:
        return self._state.all_links(pipeline, stream)

    def member_keys(self, pipeline: str, stream: str) -> Iterator[str]:
        return self._state.member_keys(pipeline, stream)

    def notes(self, pipeline: str, kind: str, *, keys: Sequence[str] | None = None) -> Iterator[Note]:
        return self._state.notes(pipeline, kind, keys=keys)

    def audit(
        self, pipeline: str, *, stream: str | None = None, key: str | None = None, job_id: str | None = None
    ) -> Iterator[AuditEntry]:
        return self._state.audit(pipeline, stream=stream, key=key, job_id=job_id)

    def prune(self, pipeline: str, *, before: datetime, kinds: Collection[str] = (), most: int = 1000) -> Pruned:
        return Pruned()

    def acquire(self, pipeline: str, owner: str, *, now: datetime, duration: timedelta) -> Lease:
        return Lease(pipeline=pipeline, owner=owner, fencing=0, expires_at=now + duration)

    def renew(self, lease: Lease, *, now: datetime, duration: timedelta) -> Lease:
        return lease

    def release(self, lease: Lease) -> None:
        """Nothing was taken."""

    def close(self) -> None:
        """The state behind stays open: it is not ours."""
