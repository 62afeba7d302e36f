"""Loading: batches are decided, written by several workers at once, and committed in the order they were read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import attrs

from .._stopping import StopRequest, carried, stoppable
from ..cursors import HighWaterMark
from ..errors import UnavailableError
from ..models import (
    AuditEntry,
    Checkpoint,
    DeadLetter,
    Link,
    OutcomeKind,
    Record,
    ReplayedFrom,
    UnreadableRow,
    WriteResult,
)
from ..protocols import Clock, Sink, StateStore
from ._backfill import Backfill, NoteKey
from ._decision import Decision
from ._intents import notes_of_intents
from ._leaving import Finding
from ._report import StreamReport
from ._seen import Recognition, Recognized, is_lasting
from ._takeover import TAKEOVER, heir_letter

__all__ = ["Batch", "Decider", "Loader", "Reloaded"]

# So many batches are gathered before it is settled whether their orders are worth a back-fill.
_GATHERED = 8


class Decider(Protocol):
    """Members and orders differ in this, and only in this.

    Attributes:
        recognition: tells which records are as they were and need no decision; `None` where all need one.
    """

    stream: str
    recognition: Recognition | None

    def draft(self, records: Iterable[Any]) -> list[Any]: ...

    def claims(self, drafts: Sequence[Any]) -> set[str]: ...

    def decide(self, drafts: Sequence[Any], now: datetime) -> list[Decision]: ...

    def slices(self, writes: Sequence[Any]) -> list[Sequence[Any]]: ...

    def write(self, sink: Sink, writes: Sequence[Any]) -> list[WriteResult]: ...

    def settle(self, decision: Decision, result: WriteResult, now: datetime) -> None: ...

    def finish(self, decisions: Sequence[Decision]) -> None: ...


@attrs.frozen(kw_only=True)
class Reloaded:
    """Rows to load again, and whose data each of them is, by key."""

    rows: Sequence[Record | UnreadableRow]
    data: Mapping[str, ReplayedFrom]


_POLLED: Mapping[str, ReplayedFrom] = {}


@attrs.define(kw_only=True)
class Batch:
    """A batch under way: its decisions, what it touches, and the answers still to come.

    Attributes:
        known: how those of its records count that are as they were.
        answers: `None` while its writes wait for further batches.
        dropped: notes that its checkpoint is the last to need.
    """

    decisions: list[Decision]
    known: Sequence[tuple[OutcomeKind, str]] = ()
    claims: set[str] = attrs.field(repr=False)
    answers: list[Future[list[WriteResult]]] | None = None
    mark: HighWaterMark | None
    dropped: tuple[NoteKey, ...] = ()

    @property
    def done(self) -> bool:
        if self.answers is None:
            return not self.writes
        return all(answer.done() for answer in self.answers)

    @property
    def writes(self) -> list[Any]:
        return [decision.write for decision in self.decisions if decision.write is not None]


class Loader:
    """Carries decided batches to the sink and into the state.

    At most `in_flight` batches are under way. Two batches that touch the same record or address are never under way
    together, so what one decides is committed before the other asks the state.

    With a `backfill`, writes wait until as many batches are gathered as may be under way, or the stream ends: only
    then it is known whether they are enough to go as one.
    """

    def __init__(
        self,
        *,
        sink: Sink,
        state: StateStore,
        commit: Callable[[Checkpoint], None],
        pipeline: str,
        job_id: str,
        clock: Clock,
        workers: Executor,
        in_flight: int,
        max_consecutive_faults: int,
        committed: Callable[[StreamReport, Sequence[Decision]], None],
        backfill: Backfill | None = None,
        batch_size: int = 1,
        weigh: Callable[[Sequence[Decision]], None] | None = None,
    ) -> None:
        self._sink = sink
        self._state = state
        self._commit = commit
        self._pipeline = pipeline
        self._job_id = job_id
        self._clock = clock
        self._workers = workers
        self._backfill = backfill
        if backfill is not None:
            # Room for as many new orders as are worth it, and for some others among them.
            in_flight = max(in_flight, _GATHERED, -(-backfill.least // batch_size) + 2)
        self._in_flight = in_flight
        self._max_faults = max_consecutive_faults
        self._faults = 0
        self._committed = committed
        self._weigh = weigh
        self._under_way: deque[Batch] = deque()
        # Of all batches under way, no two of which share one.
        self._claimed: set[str] = set()
        self._given_up = StopRequest()

    def load(
        self,
        decider: Decider,
        records: Sequence[Record | UnreadableRow | Finding],
        report: StreamReport,
        *,
        mark: HighWaterMark | None = None,
        data: Mapping[str, ReplayedFrom] = _POLLED,
    ) -> None:
        """Start one batch; earlier ones are committed as their answers come in.

        Args:
            mark: what the batch's checkpoint moves the mark to.
            data: of a replay, whose data the records are, by key.

        Raises:
            TransientError: the far side is down; everything before the failing batch is committed.
            MassLeaveError: the batch was weighed and found too heavy; nothing of it was written.
        """
        found = self._recognized(decider, records)
        drafts = decider.draft(found.unknown)
        claims = decider.claims(drafts)
        if not self._claimed.isdisjoint(claims):
            self.drain(decider, report)
            claims = decider.claims(drafts)
        decisions = decider.decide(drafts, self._clock.now())
        for decision in decisions if data or found.digests else ():
            decision.data, decision.digest = data.get(decision.key, ""), found.digests.get(decision.key, "")
        if self._weigh is not None:
            self._weigh(decisions)
        dropped = self._note_intents(decisions)
        batch = Batch(decisions=decisions, known=found.known, claims=claims, mark=mark, dropped=dropped)
        self._under_way.append(batch)
        self._claimed |= claims
        if self._backfill is None:
            self._launch(decider)
        while self._under_way and (len(self._under_way) >= self._in_flight or self._under_way[0].done):
            self._finish_oldest(decider, report)

    def _recognized(self, decider: Decider, records: Sequence[Any]) -> Recognized:
        if decider.recognition is None:
            return Recognized(list(records), {}, [])
        return decider.recognition.of(records, lambda key: f"{decider.stream}:{key}" in self._claimed)

    def _note_intents(self, decisions: Sequence[Decision]) -> tuple[NoteKey, ...]:
        """Write down whom this batch takes off, before it is done; returns the notes that its checkpoint drops."""
        notes = notes_of_intents(decisions, self._clock.now())
        if notes:
            self._commit(Checkpoint(pipeline=self._pipeline, job_id=self._job_id, notes=notes))
        return tuple((note.kind, note.key) for note in notes)

    def _launch(self, decider: Decider) -> None:
        """Send the writes that waited: all at once where that is worth it, else by several workers."""
        waiting = [batch for batch in self._under_way if batch.answers is None]
        writes = [write for batch in waiting for write in batch.writes]
        if self._backfill is None or not self._backfill.is_worth(writes):
            for batch in waiting:
                parts = decider.slices(batch.writes)
                write = carried(partial(self._write, decider))
                batch.answers = [self._workers.submit(write, part) for part in parts]
            return
        results, noted = self._backfill.write(writes)
        for batch in waiting:
            count = len(batch.writes)
            answer: Future[list[WriteResult]] = Future()
            answer.set_result(results[:count])
            batch.answers, results = [answer], results[count:]
        waiting[-1].dropped += noted

    def _write(self, decider: Decider, part: Sequence[Any]) -> list[WriteResult]:
        """In a worker's thread. Nobody waits out a pause for results that nobody takes any more."""
        with stoppable(self._given_up.is_set):
            return decider.write(self._sink, part)

    def drain(self, decider: Decider, report: StreamReport) -> None:
        """Wait for every batch under way and commit it."""
        while self._under_way:
            self._finish_oldest(decider, report)

    def abandon(self) -> None:
        """Forget batches under way after an error, once their calls have ended: the next run repeats them unharmed."""
        self._given_up.set()
        answers = [answer for batch in self._under_way for answer in batch.answers or ()]
        for answer in answers:
            answer.cancel()
        for answer in answers:
            if not answer.cancelled():
                answer.exception()
        self._under_way.clear()
        self._claimed.clear()

    def _finish_oldest(self, decider: Decider, report: StreamReport) -> None:
        batch = self._under_way[0]
        if batch.answers is None:
            self._launch(decider)
        results = iter(self._results(batch))
        now = self._clock.now()
        for decision in batch.decisions:
            if decision.write is not None:
                decider.settle(decision, next(results), now)
        decider.finish(batch.decisions)
        if batch.mark is not None or batch.dropped or any(_is_written_down(decision) for decision in batch.decisions):
            self._commit(self._checkpoint(batch))
        self._under_way.popleft()
        self._claimed -= batch.claims
        for decision in batch.decisions:
            assert decision.outcome is not None
            report.count(decision.outcome, decision.reason, replayed=decision.data)
        for outcome, reason in batch.known:
            report.count(outcome, reason)
        self._committed(report, batch.decisions)

    def _results(self, batch: Batch) -> list[WriteResult]:
        """The answers in their order; that the far side is down shows before the last of them has come."""
        results: list[WriteResult] = []
        for answer in batch.answers or ():
            for result in answer.result():
                self._watch_for_outage(result)
                results.append(result)
        return results

    def _watch_for_outage(self, result: WriteResult) -> None:
        """Many records in a row that fail with a server fault are no bad records: the far side is down."""
        self._faults = self._faults + 1 if result.kind == "dead" and result.reason == "server_fault" else 0
        if self._faults >= self._max_faults:
            raise UnavailableError(
                f"{self._faults} records in a row failed with a server fault; the run stops, nothing is set aside",
                system=self._sink.system,
            )

    def _checkpoint(self, batch: Batch) -> Checkpoint:
        now = self._clock.now()
        news = [decision for decision in batch.decisions if decision.news]
        links: dict[tuple[str, str], Link] = {}
        for decision in news:
            for link in decision.other_links:
                links[link.stream, link.key] = link
            if decision.link is not None:
                links[decision.stream, decision.key] = decision.link
        takeovers = self._takeovers(news)
        awaited = {(letter.stream, letter.key) for letter in takeovers}
        settled = {(d.stream, d.key) for d in batch.decisions if _had_letter(d)} - awaited
        tried = self._tried_before(news)
        dead = [self._dead_letter(d, tried.get((d.stream, d.key)), now) for d in news if d.outcome == "dead"]
        return Checkpoint(
            pipeline=self._pipeline,
            job_id=self._job_id,
            mark=batch.mark,
            links=tuple(links.values()),
            dead_letters=(*dead, *takeovers),
            settled=tuple(sorted(settled)),
            suppressions=tuple(d.suppression for d in news if d.suppression is not None),
            dropped=batch.dropped,
            seen={(d.stream, d.key): d.digest for d in batch.decisions if d.digest and is_lasting(d)},
            scrubbed=tuple((d.stream, d.key) for d in news if d.reason == "erased"),
            audit=tuple(self._audit_entry(d, tried.get((d.stream, d.key)), now) for d in news),
        )

    def _tried_before(self, decisions: Sequence[Decision]) -> dict[tuple[str, str], DeadLetter]:
        """What was set aside of these records earlier, where it matters to them."""
        asked: dict[str, list[str]] = {}
        for decision in decisions:
            if decision.outcome == "dead" or decision.replayed:
                asked.setdefault(decision.stream, []).append(decision.key)
        return {
            (letter.stream, letter.key): letter
            for stream, keys in asked.items()
            for letter in self._state.dead_letters(self._pipeline, stream=stream, keys=keys)
            if letter.reason != TAKEOVER
        }

    def _dead_letter(self, decision: Decision, known: DeadLetter | None, now: datetime) -> DeadLetter:
        return DeadLetter(
            stream=decision.stream,
            key=decision.key,
            reason=decision.reason,
            message=decision.message,
            payload=decision.raw,
            fingerprint=decision.fingerprint,
            attempts=known.attempts + 1 if known else 1,
            first_at=known.first_at if known else now,
            last_at=now,
            first_job_id=known.first_job_id if known else self._job_id,
            job_id=self._job_id,
            status_code=decision.status_code,
            request_id=decision.request_id,
        )

    def _takeovers(self, decisions: Sequence[Decision]) -> list[DeadLetter]:
        heirs = [decision.takeover for decision in decisions if decision.takeover is not None]
        return [heir_letter(stream, key, job_id=self._job_id, clock=self._clock) for stream, key in heirs]

    def _audit_entry(self, decision: Decision, known: DeadLetter | None, now: datetime) -> AuditEntry:
        assert decision.outcome is not None
        tries = known.attempts + 1 if known else 1
        return AuditEntry(
            at=now,
            job_id=self._job_id,
            stream=decision.stream,
            key=decision.key,
            outcome=decision.outcome,
            reason=decision.reason,
            message=decision.message,
            attempts=decision.attempts or tries,
            request_id=decision.request_id,
            replayed=decision.data,
        )


def _is_written_down(decision: Decision) -> bool:
    return decision.news or _had_letter(decision) or (bool(decision.digest) and is_lasting(decision))


def _had_letter(decision: Decision) -> bool:
    """A dead letter of this record, or the order to take over an address, is done with."""
    before = decision.before
    if decision.outcome == "dead":
        return False
    if decision.replayed:
        return True
    return before is not None and (before.state == "dead" or (before.owner and before.fingerprint == ""))
