"""Back-fill: many new orders at once go to the far side as batches, which the next run finds again after a crash."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from .._stopping import StopRequest, StopWaiting
from ..cursors import HighWaterMark
from ..models import BatchEntry, Checkpoint, Link, Note, OrderWrite, WriteResult
from ..protocols import BatchingSink, Clock, StateStore

__all__ = ["PRODUCTS", "Backfill", "BatchJournal", "NoteKey"]

PRODUCTS = "products"
"""The stream under which products are linked."""

_BATCH = "batch"
_HISTORY = ("history", "orders")

# Once a load goes in batches, even a small rest is worth one: thousands of orders less a few would cost thousands of
# calls otherwise.
_SMALLEST_REST = 20

NoteKey = tuple[str, str]
"""Kind and key of a note."""


class BatchJournal:
    """The `protocols.Journal` of one run, kept as notes under the run's lease."""

    def __init__(
        self,
        state: StateStore,
        commit: Callable[[Checkpoint], None],
        *,
        pipeline: str,
        job_id: str,
        clock: Clock,
        stop: StopRequest,
    ) -> None:
        self._state = state
        self._commit = commit
        self._pipeline = pipeline
        self._job_id = job_id
        self._clock = clock
        self._stop = stop
        self._begun: list[NoteKey] = []

    def entries(self) -> list[BatchEntry]:
        """Batches noted and not ended, by this run or an interrupted one, oldest first."""
        notes = sorted(self._state.notes(self._pipeline, _BATCH), key=lambda note: note.at)
        return [
            BatchEntry(id=note.key, stage=note.payload["stage"], writes=note.payload["writes"])
            for note in notes
            if "writes" in note.payload
        ]

    def begin(self, entry: BatchEntry) -> None:
        """Note a batch."""
        payload = {"stage": entry.stage, "writes": dict(entry.writes)}
        self._apply(notes=(Note(kind=_BATCH, key=entry.id, payload=payload, at=self._clock.now()),))
        if entry.stage == "orders":
            self._begun.append((_BATCH, entry.id))

    def end(self, entry: BatchEntry, done: Collection[str] = ()) -> None:
        """Forget a batch, and link the products it created."""
        links = tuple(Link(stream=PRODUCTS, key=key, target=key) for key in done)
        self._apply(links=links, dropped=((_BATCH, entry.id),))

    def check(self) -> None:
        """Raise `StopWaiting` when the run was asked to stop."""
        if self._stop.is_set():
            raise StopWaiting

    def begun(self) -> tuple[NoteKey, ...]:
        """The batches of orders begun since this was last asked: dropped together with what became of their orders."""
        begun, self._begun = tuple(self._begun), []
        return begun

    def _apply(self, **changes: Any) -> None:
        self._commit(Checkpoint(pipeline=self._pipeline, job_id=self._job_id, **changes))

    # Whether history is being loaded

    def begin_history(self, mark: HighWaterMark | None) -> bool:
        """Whether orders are loaded for the first time, even if such a load was cut short after the mark had moved."""
        kind, key = _HISTORY
        if mark is None:
            self._apply(notes=(Note(kind=kind, key=key, at=self._clock.now()),))
        return any(self._state.notes(self._pipeline, kind, keys=[key]))

    def history_note(self) -> tuple[NoteKey, ...]:
        """What to drop once the first load is done."""
        return (_HISTORY,)


class Backfill:
    """Hands many new orders at once to a sink that takes batches.

    Args:
        sink: where orders go.
        journal: where it notes what it handed over.
    """

    def __init__(self, sink: BatchingSink, journal: BatchJournal) -> None:
        self._sink = sink
        self._journal = journal
        self._found: tuple[NoteKey, ...] = ()
        self._under_way = False

    @property
    def least(self) -> int:
        """So many new orders are worth it; 0: never."""
        return self._sink.batch_from or 0

    def is_worth(self, writes: Sequence[OrderWrite]) -> bool:
        """Whether so many of these create an order that batches are better than calls.

        A load that has begun to go in batches goes on with them to its end.
        """
        least = min(self.least, _SMALLEST_REST) if self._under_way else self.least
        return 0 < least <= sum(not write.exists for write in writes)

    def write(self, writes: Sequence[OrderWrite]) -> tuple[list[WriteResult], tuple[NoteKey, ...]]:
        """One result per write, in order, and the notes to drop when all of them are written down.

        Raises:
            StopWaiting: the run was asked to stop.
        """
        self._journal.check()
        self._under_way = True
        results = self._sink.write_orders(writes, journal=self._journal)
        return results, self._journal.begun()

    def recover(self) -> dict[str, str]:
        """The orders that batches of an interrupted run created: fingerprints by key. Waits for those batches.

        Their notes are kept until the orders have been read again, in case this run is interrupted too.
        """
        if not self._journal.entries():
            return {}
        self._under_way = True
        created = self._sink.recover_orders(self._journal)
        self._found = tuple((_BATCH, entry.id) for entry in self._journal.entries())
        return created

    def recovered(self) -> tuple[NoteKey, ...]:
        """The notes that `recover` found, to be dropped once every order of the window was read."""
        return self._found
