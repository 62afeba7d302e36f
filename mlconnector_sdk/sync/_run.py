"""One run of a pipeline: what must come first, stream by stream, and what is said at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from datetime import datetime

import attrs

from .._stopping import StopRequest, StopWaiting
from ..cursors import HighWaterMark, MarkTracker, Window, next_window
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    CursorOrderError,
    FatalError,
    MassLeaveError,
    MLConnectorError,
    StateError,
    TransientError,
)
from ..events import Event, MarkHeldBack, PageCommitted, RecordSetAside, StreamFinished, StreamStarted
from ..mapping import Mapping, MemberMapper, OrderMapper
from ..models import (
    Audience,
    AuditEntry,
    Checkpoint,
    DeadLetter,
    Record,
    Store,
    StreamName,
    StreamSpec,
    UnreadableRow,
)
from ..policy import SyncPolicy
from ..protocols import BatchingSink, Clock, FlaggingSource, Sink, Source, StateStore
from ._backfill import Backfill, BatchJournal, NoteKey
from ._decision import Decision
from ._extract import in_batches, read_ahead, rows_of
from ._flags import Flagger
from ._gone import SeenKeys, members_without_record
from ._leaving import Brake, Finding, in_chunks
from ._load import Decider, Loader, Reloaded
from ._members import MemberDecider, Purpose
from ._orders import OrderDecider
from ._report import Report, StreamReport
from ._suppressions import Statuses, refresh_suppressions
from ._takeover import TAKEOVER, pass_on
from ._watch import LeavingWatch

__all__ = ["BATCH_SIZE", "Parts", "Run"]

log = logging.getLogger("mlconnector_sdk.sync")

NO_RECORD = "have no record in a full scan"
CONFIRM_GONE = (
    "check filters and rights of the ERP user, or, if it is meant, confirm it with "
    "engine.run(full=True, allow_mass_leave=True) or engine.reconcile(repair=True, allow_mass_leave=True)"
)

BATCH_SIZE = 500
"""Records per batch: one bulk call at most, one transaction."""


@attrs.frozen(kw_only=True)
class Parts:
    """What a pipeline is made of."""

    source: Source
    sink: Sink
    state: StateStore
    name: str
    mapping: Mapping
    policy: SyncPolicy
    store: Store | None
    clock: Clock
    announce: Callable[[Event], None]
    flagging: FlaggingSource | None = None
    batching: BatchingSink | None = None


class Run:
    """Carries out one run or replay; `commit` makes checkpoints durable under the lease the engine holds."""

    def __init__(self, parts: Parts, report: Report, commit: Callable[[Checkpoint], None], stop: StopRequest) -> None:
        self._parts = parts
        self._report = report
        self._commit = commit
        self._stop = stop
        self._audience: Audience | None = None
        self._journal = BatchJournal(
            parts.state, commit, pipeline=parts.name, job_id=report.job_id, clock=parts.clock, stop=stop
        )
        self._backfill = Backfill(parts.batching, self._journal) if parts.batching else None
        self._recovered: dict[str, str] = {}
        self._unread: set[str] = set()
        self._brake = Brake(parts.policy.most_leaving)
        self._crew = f"load {report.job_id}"
        self._workers = ThreadPoolExecutor(parts.sink.concurrency, thread_name_prefix=self._crew)
        self.statuses = Statuses(
            state=parts.state,
            commit=commit,
            pipeline=parts.name,
            job_id=report.job_id,
            clock=parts.clock,
            origin=parts.sink.system,
            keep_unsubscribes=parts.policy.on_unsubscribe != "log",
            flagger=self._flagger(),
        )

    def close(self) -> None:
        """End the workers."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        # Ctrl-C may meet the executor after it started a thread, and before it took note of it.
        for thread in threading.enumerate():
            if thread.name.startswith(self._crew) and thread.is_alive():
                thread.join()

    @property
    def parts(self) -> Parts:
        """What the pipeline is made of."""
        return self._parts

    @property
    def audience(self) -> Audience:
        """The audience as `prepare` found it."""
        assert self._audience is not None
        return self._audience

    def is_stopped(self) -> bool:
        """Whether it was asked to end at the next checkpoint."""
        return self._stop.is_set()

    # The order of a run: who must not be mailed, what the audience looks like, people, then orders.

    def prepare(self) -> None:
        """Refresh suppressions and get the audience ready; before anything is written."""
        parts = self._parts
        flagger = self.statuses.flagger
        waiting = flagger.waiting() if flagger else []
        self._report.suppressed = refresh_suppressions(parts.sink, self.statuses)
        if flagger is not None:
            flagger.tell_again(waiting, self._commit)
        mapping = parts.mapping
        # While Mailchimp works on batches of an interrupted run, its automations must stay quiet about them.
        busy = self._journal.entries()
        self._audience = parts.sink.prepare(
            mapping.wanted_fields(),
            wake=not busy,
            interests=mapping.wanted_interests(),
            permissions=mapping.wanted_permissions(),
        )

    def _flagger(self) -> Flagger | None:
        parts = self._parts
        if parts.flagging is None:
            return None
        return Flagger(parts.flagging, parts.state, pipeline=parts.name, clock=parts.clock, report=self._report)

    def poll(self, streams: Sequence[StreamName], *, full: bool, allow_mass_leave: bool = False) -> None:
        """Read and load every change of these streams; a stream that cannot be read does not stop the others.

        Orders alone wait for customers: see `_require_customers`.
        """
        self._brake = Brake(self._parts.policy.most_leaving, allow_mass_leave)
        for stream in streams:
            if stream == "orders":
                self.take_over_addresses()
            if self._stop.is_set():
                self._report.stopped = True
                return
            with self.reported(stream):
                if stream == "orders":
                    self._require_customers()
                self._poll_stream(stream, full=full)
        self.take_over_addresses()

    def _require_customers(self) -> None:
        """Of an order that comes before its customer Mailchimp makes a member of its own, who never gets mail."""
        if "customers" in self._unread:
            raise FatalError(
                "orders wait until customers are read to their end: mend what stopped those, and run again",
                reason="customers_first",
            )

    @contextmanager
    def reported(self, stream: StreamName) -> Iterator[None]:
        """Report how work on one stream ended; what concerns this stream alone ends here, the rest stops the run."""
        report = self._report.stream(stream)
        started = time.monotonic()
        try:
            yield
        except StopWaiting:
            self._report.stopped = True
        except (AuthenticationError, ConfigurationError, TransientError, StateError) as error:
            report.error = str(error)
            raise
        except FatalError as error:
            report.error = str(error)
            log.warning("stream %s was not read to its end: %s", stream, error.reason)
            self._unread.add(stream)
            self._note_failure(stream, error)
        finally:
            report.seconds += time.monotonic() - started
            self._parts.announce(
                StreamFinished(job_id=self._report.job_id, stream=stream, counts=report.counts, error=report.error)
            )

    def announce_start(self, stream: StreamName, *, full: bool = False) -> None:
        """Tell listeners that work on a stream begins."""
        self._parts.announce(StreamStarted(job_id=self._report.job_id, stream=stream, full=full))

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make a checkpoint durable under the lease of this run."""
        self._commit(checkpoint)

    def _note_failure(self, stream: str, error: MLConnectorError) -> None:
        entry = AuditEntry(
            at=self._parts.clock.now(),
            job_id=self._report.job_id,
            stream=stream,
            key="",
            outcome="failed",
            reason=error.reason,
            message=error.message,
            request_id=error.request_id,
        )
        self._commit(Checkpoint(pipeline=self._parts.name, job_id=self._report.job_id, audit=(entry,)))

    def _poll_stream(self, stream: StreamName, *, full: bool) -> None:
        parts, report = self._parts, self._report.stream(stream)
        spec = parts.source.streams[stream]
        mark = parts.state.mark(parts.name, stream)
        present = parts.source.present(stream)
        began = present if isinstance(present, datetime) else parts.clock.now()
        window = next_window(mark, present, spec.overlap, full=full or _full_scan_due(spec, mark, began))
        report.full = window.is_full
        self.announce_start(stream, full=window.is_full)
        tracker = MarkTracker(stream, window, mark)
        seen = SeenKeys() if window.is_full and mark is not None and stream != "orders" else None
        if stream == "orders":
            dropped = self._load_orders(spec, window, tracker, report, mark)
        else:
            dropped = self._load_people(spec, window, tracker, report, seen)
        if seen is not None and not self._report.stopped:
            self._let_go_of_deleted(stream, seen, report)
        report.future = tracker.future
        if tracker.future:
            log.warning("%d records of %s are stamped in the future", tracker.future, stream)
            parts.announce(MarkHeldBack(job_id=self._report.job_id, stream=stream, records=tracker.future))
        if not self._report.stopped:
            moved = tracker.mark(full_scan_at=began if window.is_full else None)
            checkpoint = Checkpoint(pipeline=parts.name, job_id=self._report.job_id, mark=moved, dropped=dropped)
            self._commit(checkpoint)

    def _load_orders(
        self,
        spec: StreamSpec,
        window: Window,
        tracker: MarkTracker,
        report: StreamReport,
        mark: HighWaterMark | None,
    ) -> tuple[NoteKey, ...]:
        """Load orders, after taking the results of what an interrupted run handed over; the notes no longer needed."""
        is_history = self._journal.begin_history(mark)
        with self._parts.sink.loading_history() if is_history else nullcontext():
            self._recovered = self._backfill.recover() if self._backfill else {}
            self._load_window(spec, window, tracker, report, None)
        found = self._backfill.recovered() if self._backfill else ()
        return (*found, *(self._journal.history_note() if is_history else ()))

    def _load_people(
        self, spec: StreamSpec, window: Window, tracker: MarkTracker, report: StreamReport, seen: SeenKeys | None
    ) -> tuple[NoteKey, ...]:
        """Load people, unless too many of them would leave; the notes no longer needed."""
        parts = self._parts
        watch = LeavingWatch(
            parts.state, self._brake, pipeline=parts.name, stream=spec.name, raises=self._report.operation == "run"
        )
        try:
            self._load_window(spec, window, tracker, report, seen, weigh=watch.weigh)
        except MassLeaveError:
            note = watch.note(parts.clock.now())
            self._commit(Checkpoint(pipeline=parts.name, job_id=self._report.job_id, notes=(note,)))
            raise
        report.error = watch.refusal
        return watch.done_with

    def _load_window(
        self,
        spec: StreamSpec,
        window: Window,
        tracker: MarkTracker,
        report: StreamReport,
        seen: SeenKeys | None,
        *,
        weigh: Callable[[Sequence[Decision]], None] | None = None,
    ) -> None:
        decider = self._decider(spec.name)
        ahead = read_ahead(self._parts.source.read(spec.name, window))
        with self._loading(decider, report, weigh) as loader, closing(ahead) as pages:
            for batch in in_batches(pages, BATCH_SIZE):
                tracker.see(record.modified_at for record in batch)
                if seen is not None:
                    seen.add(record.key for record in batch)
                loader.load(decider, batch, report, mark=_mark_so_far(spec, tracker))
                if self._stop.is_set():
                    self._report.stopped = True
                    break

    def _let_go_of_deleted(self, stream: StreamName, seen: SeenKeys, report: StreamReport) -> None:
        """Members whose record a full scan did not find, and the ERP does not know by key either, leave by policy."""
        parts = self._parts
        members = missing = 0
        for _, is_missing in members_without_record(parts.state, parts.name, stream, seen):
            members += 1
            missing += is_missing
        refusal = self._brake.refusal(missing, members, why=NO_RECORD, cure=CONFIRM_GONE)
        if refusal:
            report.error = refusal
            log.warning("%s: %d of %d members have no record in a full scan", stream, missing, members)
        elif missing:
            found = members_without_record(parts.state, parts.name, stream, seen)
            self.let_go(stream, [key for key, is_missing in found if is_missing])

    def let_go(self, stream: StreamName, keys: Iterable[str]) -> int:
        """Members of these records leave by policy, if the ERP denies the records when asked; returns how many."""
        return self.settle(stream, (gone for some in in_chunks(keys, BATCH_SIZE) for gone in self.denied(stream, some)))

    def denied(self, stream: StreamName, keys: Sequence[str]) -> Iterator[Finding]:
        """Those of the keys that the ERP denies when asked: that a scan did not meet them proves nothing alone."""
        found = {
            record.key
            for page in self._parts.source.fetch(stream, keys)
            for record in (*page.records, *page.unreadable)
        }
        return (Finding(key=key, kind="gone") for key in keys if key not in found)

    def settle(self, stream: StreamName, findings: Iterable[Finding]) -> int:
        """Do what follows for the members from what was found out about their records; returns how many there were."""
        decider, report, count = self._decider(stream), self._report.stream(stream), 0
        with self._loading(decider, report) as loader:
            for some in in_chunks(findings, BATCH_SIZE):
                loader.load(decider, some, report)
                count += len(some)
        return count

    def rewrite(self, stream: StreamName, keys: Iterable[str], *, purpose: Purpose = "") -> None:
        """Load these records from the ERP and write their members, changed or not; see `MemberDecider`.

        Records that are not found stay as they are, unless the audience lost their members: then nothing is left.
        """
        decider = self._decider(stream, force=True, purpose=purpose)
        with self._loading(decider, self._report.stream(stream)) as loader:
            for some in in_chunks(keys, BATCH_SIZE):
                pages = self._parts.source.fetch(stream, some)
                batch: list[Record | UnreadableRow | Finding] = [row for page in pages for row in rows_of(page)]
                if purpose == "anew":
                    found = {row.key for row in batch}
                    batch += [Finding(key=key, kind="gone") for key in some if key not in found]
                if batch:
                    loader.load(decider, batch, self._report.stream(stream))

    def reload(self, stream: StreamName, batches: Iterable[Reloaded]) -> None:
        """Load these rows and write what they become, changed or not."""
        decider, report = self._decider(stream, force=True), self._report.stream(stream)
        with self._loading(decider, report) as loader:
            for batch in batches:
                if batch.rows:
                    loader.load(decider, batch.rows, report, data=batch.data)

    @contextmanager
    def _loading(
        self,
        decider: Decider,
        report: StreamReport,
        weigh: Callable[[Sequence[Decision]], None] | None = None,
    ) -> Iterator[Loader]:
        """A loader whose batches are all committed at the end or on a stop, or given up after an error."""
        loader = self._loader(decider, weigh)
        try:
            try:
                yield loader
            except StopWaiting:
                # What was read before the stop is no less good for it.
                loader.drain(decider, report)
                raise
            loader.drain(decider, report)
        except BaseException:
            loader.abandon()
            raise

    def take_over_addresses(self) -> None:
        """Write the records that became owners of shared addresses.

        An heir may hand on in turn, so this goes on until nobody waits; each round uses up at least one heir.
        """
        parts = self._parts
        while not self._stop.is_set():
            waiting = list(parts.state.dead_letters(parts.name, reason=TAKEOVER))
            by_stream: dict[StreamName, list[DeadLetter]] = {
                stream: heirs
                for stream in parts.source.streams
                if (heirs := [letter for letter in waiting if letter.stream == stream])
            }
            if not by_stream:
                return
            for stream, heirs in by_stream.items():
                # Only the ERP's present data will do.
                self.rewrite(stream, [heir.key for heir in heirs])
                pass_on(parts.state, self._commit, heirs, pipeline=parts.name, clock=parts.clock)

    def _decider(self, stream: StreamName, *, force: bool = False, purpose: Purpose = "") -> Decider:
        parts = self._parts
        if stream == "orders":
            if parts.store is None:
                raise ConfigurationError("orders need a store: MailchimpSink(…, store=Store(…))")
            mapper = OrderMapper(parts.mapping.orders, parts.store)
            return OrderDecider(
                mapper=mapper,
                policy=parts.policy,
                state=parts.state,
                pipeline=parts.name,
                force=force,
                recovered=self._recovered,
            )
        assert self._audience is not None
        return MemberDecider(
            stream,
            mapper=MemberMapper(parts.mapping.for_stream(stream), self._audience),
            policy=parts.policy,
            audience=self._audience,
            state=parts.state,
            pipeline=parts.name,
            force=force,
            purpose=purpose,
        )

    def _loader(self, decider: Decider, weigh: Callable[[Sequence[Decision]], None] | None) -> Loader:
        parts = self._parts
        return Loader(
            sink=parts.sink,
            state=parts.state,
            commit=self._commit,
            pipeline=parts.name,
            job_id=self._report.job_id,
            clock=parts.clock,
            workers=self._workers,
            in_flight=parts.sink.concurrency,
            max_consecutive_faults=parts.policy.max_consecutive_faults,
            committed=self._committed,
            backfill=self._backfill if decider.stream == "orders" else None,
            batch_size=BATCH_SIZE,
            weigh=weigh,
        )

    def _committed(self, report: StreamReport, decisions: Sequence[Decision]) -> None:
        job_id = self._report.job_id
        for decision in decisions:
            self._report.note_change(decision.stream, decision.key, decision.outcome, decision.reason)
            if decision.outcome == "dead" and decision.news:
                self._parts.announce(
                    RecordSetAside(job_id=job_id, stream=decision.stream, key=decision.key, reason=decision.reason)
                )
        self._parts.announce(PageCommitted(job_id=job_id, stream=report.stream, counts=report.counts))


def _full_scan_due(spec: StreamSpec, mark: HighWaterMark | None, now: datetime) -> bool:
    if spec.cursor_field is None:
        return True
    if spec.full_scan_every is None or mark is None:
        return False
    return mark.full_scan_at is None or now - mark.full_scan_at >= spec.full_scan_every


def _mark_so_far(spec: StreamSpec, tracker: MarkTracker) -> HighWaterMark | None:
    """After each batch an ordered stream's mark may follow; an unordered one waits for the window's end."""
    if not spec.ordered:
        return None
    if tracker.stepped_back is not None:
        earlier, later = tracker.stepped_back
        raise CursorOrderError(
            f"{spec.entity} promised ascending {spec.cursor_field}, but {earlier} came before {later}"
        )
    return tracker.mark()
