"""The seams: what a source, a sink, a state store and the small helpers promise each other.

Anything that keeps these promises plugs in; nobody has to inherit. The contract suites in `mlconnector_sdk.testing`
check them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ._secret import SealedStore, Secret
from .cursors import CursorValue, HighWaterMark, Window
from .errors import TransientError
from .events import Event
from .models import (
    Audience,
    AudienceMember,
    AuditEntry,
    BatchEntry,
    CampaignReading,
    CampaignReport,
    Checkpoint,
    CheckResult,
    DeadLetter,
    EngagementPage,
    Forgotten,
    Lease,
    Link,
    MemberWrite,
    MergeField,
    Note,
    OrderWrite,
    Page,
    Pruned,
    Record,
    Seen,
    Store,
    StreamName,
    StreamSpec,
    Suppression,
    WriteResult,
)
from .retry import RetryPolicy

__all__ = [
    "BatchingSink",
    "Clock",
    "EngagementReports",
    "FlaggingSource",
    "Journal",
    "KeyedSource",
    "Progress",
    "ReportingSink",
    "SealedStore",
    "Secret",
    "Sink",
    "Source",
    "StateStore",
    "SystemClock",
    "Vault",
    "WaitListener",
]

WaitListener: TypeAlias = Callable[[str, str, TransientError, float, int], None]
"""Told of a pause: system, operation, the error, seconds, failed calls so far."""


@runtime_checkable
class Source(Protocol):
    """Reads one ERP. Safe to use from one thread at a time; holds connections, so close it."""

    @property
    def system(self) -> str:
        """The short name used in messages and state: `"acumatica"`."""
        ...

    @property
    def streams(self) -> Mapping[StreamName, StreamSpec]:
        """What this source can read, without asking the ERP."""
        ...

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far."""
        ...

    def attach(
        self,
        *,
        retry: RetryPolicy | None = None,
        on_wait: WaitListener | None = None,
        clock: Clock | None = None,
    ) -> None:
        """An engine's wishes: its retry policy if it has one, who is told of pauses, and what time it is here."""

    def check(self) -> Iterable[CheckResult]:
        """Try connection, credentials, version and rights; never raises, reads at most a row per stream."""
        ...

    def present(self, stream: StreamName) -> CursorValue | None:
        """The ERP's own present for this stream's cursor, less what may be uncommitted yet; `None` if none."""
        ...

    def read(self, stream: StreamName, window: Window = Window()) -> Iterator[Page]:
        """Every record changed within `window`, in pages, each record at least once.

        Rows that change, appear or vanish while we page are neither skipped nor stuck. A row that cannot be read comes
        as an `UnreadableRow`. Raises `TransientError` or `FatalError`; then the pages already yielded stand.
        """
        ...

    def fetch(self, stream: StreamName, keys: Sequence[str]) -> Iterator[Page]:
        """The records with these keys as they are now; keys that are gone are simply absent."""
        ...

    def parse(self, stream: StreamName, raw: Mapping[str, Any]) -> Record:
        """A record from a row kept in `raw` earlier. Raises `MappingError`."""
        ...

    def close(self) -> None:
        """Log off and close connections; harmless when repeated."""


@runtime_checkable
class FlaggingSource(Protocol):
    """A source that can also tell its ERP that somebody must not be mailed."""

    @property
    def flagged_streams(self) -> Collection[StreamName]:
        """The streams whose records can be marked as this source is set up; empty when none can."""
        ...

    def flag(self, stream: str, key: str, suppression: Suppression) -> None:
        """Mark the record in the ERP; harmless when repeated.

        Raises `TransientError` (locked, busy) and `RecordError` when this record cannot be marked now: the engine tries
        it again with each run. `RecordNotFoundError` means that there is nothing to mark any more.
        """


@runtime_checkable
class KeyedSource(Protocol):
    """A source whose ERP cannot list its records: it asks for those it is told of."""

    def attach_keys(self, known: Callable[[StreamName], Iterator[str]]) -> None:
        """Which keys of a stream the pipeline has met before, whatever became of them, in their order."""


@runtime_checkable
class Sink(Protocol):
    """Writes to one audience and its store. Write methods are thread-safe and repeatable without harm."""

    @property
    def system(self) -> str:
        """The short name used in messages and state: `"mailchimp"`."""
        ...

    @property
    def list_id(self) -> str:
        """The audience's id, by which a webhook says whom it concerns."""
        ...

    @property
    def concurrency(self) -> int:
        """How many calls may be under way at once."""
        ...

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far."""
        ...

    @property
    def store(self) -> Store | None:
        """Where orders go, if they go anywhere."""
        ...

    def attach(
        self,
        *,
        retry: RetryPolicy | None = None,
        on_wait: WaitListener | None = None,
        clock: Clock | None = None,
    ) -> None:
        """An engine's wishes: its retry policy if it has one, who is told of pauses, and what time it is here."""

    def check(
        self, wanted: Sequence[MergeField], *, interests: Sequence[str] = (), permissions: Sequence[str] = ()
    ) -> Iterable[CheckResult]:
        """Try connection, key, audience, merge fields, names and store; never raises, writes nothing."""
        ...

    def inspect(
        self, wanted: Sequence[MergeField], *, interests: Sequence[str] = (), permissions: Sequence[str] = ()
    ) -> Audience:
        """Read what `prepare` would find, and write nothing."""
        ...

    def prepare(
        self,
        wanted: Sequence[MergeField],
        *,
        wake: bool = True,
        interests: Sequence[str] = (),
        permissions: Sequence[str] = (),
    ) -> Audience:
        """Create missing merge fields and the store; must come before the first write.

        Interests and marketing permissions are found by name: the audience's `interests` hold the ids, and a name it
        lacks is a `ConfigurationError`.

        A store that an interrupted run left marked as loading history is woken, unless `wake` is false because the far
        side still works on what that run handed over.
        """
        ...

    def present(self) -> datetime:
        """The sink's own time."""
        ...

    def changed_members(self, since: datetime | None) -> Iterator[Sequence[AudienceMember]]:
        """Members changed after `since` (all of them for `None`), archived ones included, in pages."""
        ...

    def all_members(self, merge_tags: Sequence[str] = ()) -> Iterator[Sequence[AudienceMember]]:
        """The whole audience, archived members included, in pages, each member at least once; with these merge fields.

        A tag that the audience lacks must not be asked for.
        """
        ...

    def write_members(self, writes: Sequence[MemberWrite]) -> list[WriteResult]:
        """Create or update members; one result per write, in order. Raises only when the far side is down."""
        ...

    def write_orders(self, writes: Sequence[OrderWrite]) -> list[WriteResult]:
        """Create or update orders with their customers and products; one result per write, in order."""
        ...

    def forget(self, address: str) -> Forgotten:
        """Delete for good whatever there is about an address: member, store customer, orders. Harmless when repeated.

        Raises when anything could not be deleted; what was deleted before stays so.
        """
        ...

    def loading_history(self) -> AbstractContextManager[None]:
        """While inside, order automations of the store stay quiet; always reset on the way out."""
        ...

    def close(self) -> None:
        """Close connections; harmless when repeated."""


class Journal(Protocol):
    """Where a sink notes durably what it handed over, before it waits for it: so a crash loses no results."""

    def entries(self) -> Sequence[BatchEntry]:
        """What was handed over and not ended, by this run or an interrupted one, oldest first."""
        ...

    def begin(self, entry: BatchEntry) -> None:
        """Note a batch; it is durable when this returns."""

    def end(self, entry: BatchEntry, done: Collection[str] = ()) -> None:
        """Forget a batch, or remember only the products that it created: `done`.

        Batches of orders are ended by the engine, in the same transaction that holds what became of the orders.
        """

    def check(self) -> None:
        """Called before each look at a batch; raises when the run was asked to stop. What is noted stays."""


@runtime_checkable
class BatchingSink(Protocol):
    """A sink whose far side also takes many new orders at once and works on them by itself."""

    @property
    def batch_from(self) -> int | None:
        """So many new orders at once are worth it; `None`: never."""
        ...

    def write_orders(self, writes: Sequence[OrderWrite], *, journal: Journal | None = None) -> list[WriteResult]:
        """As `Sink.write_orders`; given a journal, new orders go in batches, and this waits for their results.

        Raises also what the journal raises, and `TransientError` when a batch is not finished in time.
        """
        ...

    def recover_orders(self, journal: Journal) -> dict[str, str]:
        """Wait for the batches that an interrupted run noted: fingerprints of the orders they created, by record key.

        Batches of products and those that are gone for good are ended. Raises as `write_orders` does.
        """
        ...


class EngagementReports(Protocol):
    """What a far side tells of its campaigns."""

    def campaigns(self, since: datetime | None = None) -> Iterator[CampaignReport]:
        """Campaigns sent at or after `since`, with their totals so far."""
        ...

    def engagements(self, readings: Sequence[CampaignReading]) -> Iterator[EngagementPage]:
        """What people did, campaign by campaign: each ends with a page that is its `last`.

        Raises when the far side is down; what was yielded stands.
        """
        ...


@runtime_checkable
class ReportingSink(Protocol):
    """A sink whose far side also tells what people did with what they were sent."""

    @property
    def reports(self) -> EngagementReports:
        """What it tells."""
        ...


@runtime_checkable
class StateStore(Protocol):
    """Keeps what must survive a crash. `commit` is one transaction: all of a checkpoint, or nothing.

    Reads see every earlier commit. Writes need the pipeline's current lease: `commit` and `renew` raise
    `LeaseLostError` once another owner holds a higher fencing number, even if this owner's clock says otherwise.
    """

    def acquire(self, pipeline: str, owner: str, *, now: datetime, duration: timedelta) -> Lease:
        """Take the lease if it is free, expired, or held by the same owner; the fencing number grows each time.

        Raises `LeaseHeldError` naming owner and expiry.
        """
        ...

    def renew(self, lease: Lease, *, now: datetime, duration: timedelta) -> Lease:
        """Extend a lease still held. Raises `LeaseLostError`."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back; harmless when it is lost already."""

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        """Apply the whole checkpoint. Raises `LeaseLostError` or `StateError`, and then nothing was applied."""

    def mark(self, pipeline: str, stream: str) -> HighWaterMark | None:
        """The committed mark of a stream."""
        ...

    def links(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Link]:
        """Links by ERP key; unknown keys are absent. Any number of keys."""
        ...

    def seen(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Seen]:
        """What was last seen of records, by ERP key; absent where nothing is remembered. Any number of keys."""
        ...

    def links_to(self, pipeline: str, addresses: Sequence[str]) -> dict[str, tuple[Link, ...]]:
        """All links of customers, contacts and suppliers to these addresses, ordered by stream and key."""
        ...

    def all_links(self, pipeline: str, stream: str) -> Iterator[Link]:
        """Every link of a stream in key order, without holding them all in memory."""
        ...

    def member_keys(self, pipeline: str, stream: str) -> Iterator[str]:
        """The keys, in order, of a stream's links that speak for a member and whose record is not known to be gone."""
        ...

    def suppressions(self, pipeline: str, addresses: Sequence[str]) -> dict[str, Suppression]:
        """Suppressions by address; others are absent. Any number of addresses.

        One kept under a `hidden_address` is found by the address itself, and outweighs a plain one.
        """
        ...

    def dead_letters(
        self,
        pipeline: str,
        *,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> Iterator[DeadLetter]:
        """Dead letters in order of stream and key, without holding them all in memory.

        All of them, or those of a stream, of some records, for one reason; those that are not asked for cost little.
        """
        ...

    def notes(self, pipeline: str, kind: str, *, keys: Sequence[str] | None = None) -> Iterator[Note]:
        """Notes of one kind in order of their keys, all of them or those asked for."""
        ...

    def audit(
        self, pipeline: str, *, stream: str | None = None, key: str | None = None, job_id: str | None = None
    ) -> Iterator[AuditEntry]:
        """Audit entries, oldest first, without holding them all in memory."""
        ...

    def prune(self, pipeline: str, *, before: datetime, kinds: Collection[str] = (), most: int = 1000) -> Pruned:
        """Remove what is older than `before`, in one transaction; returns how much that was, all zero at the end.

        Up to `most` audit entries and as many notes of these kinds go, and a lease that ran out before then is given
        back, its fencing number kept. Dead letters, links, suppressions, marks and other notes never go. It needs no
        lease, and disturbs no run.
        """
        ...

    def close(self) -> None:
        """Release connections; harmless when repeated."""


class Vault(Protocol):
    """Keeps secrets by name."""

    def get(self, name: str) -> str:
        """The secret. Raises `ConfigurationError` when there is none of that name."""
        ...

    def put(self, name: str, secret: str) -> None:
        """Store or replace a secret."""


class Clock(Protocol):
    """Tells the time; tests bring their own."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class Progress(Protocol):
    """Shows events to a person."""

    def __call__(self, event: Event) -> None:
        """Take note of one event; must not raise."""

    def close(self) -> None:
        """Remove the display."""
