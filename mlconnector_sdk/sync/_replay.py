"""Replay: dead letters again, and whole records by key, through the same path as a first load.

The ERP's present data count. The payload that was kept stands in for a record which the ERP does not have any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..errors import ConfigurationError, MLConnectorError
from ..models import AuditEntry, Checkpoint, DeadLetter, Record, ReplayedFrom, StreamName, UnreadableRow
from ._extract import keepable, rows_of
from ._leaving import in_chunks
from ._load import Reloaded
from ._report import Report
from ._run import BATCH_SIZE, Parts, Run
from ._selection import Selection
from ._takeover import TAKEOVER

__all__ = ["Replay", "streams_to_replay"]

_NOT_FOUND = "not_found"
_NOT_IN_ERP = "the ERP has no such record: it is not loaded, and what was loaded of it earlier stays as it is"

Keys = Mapping[StreamName, Sequence[str] | None]
"""The streams to replay: the records that are named one by one, or `None` for the dead letters that were selected."""


def streams_to_replay(parts: Parts, selection: Selection) -> Keys:
    """Where there is something to do.

    Keys without any other condition name records, set aside or not, in the stream that is given, or else in each one
    that has met them.

    Raises:
        ConfigurationError: no stream has met a key, and none is given.
    """
    streams: list[StreamName] = [name for name in parts.source.streams if selection.stream in {None, name}]
    if selection.keys is None or (selection.reason, selection.run, selection.since, selection.until) != (None,) * 4:
        some = (next(selection.letters(parts.state, parts.name, stream=stream), None) for stream in streams)
        return {stream: None for stream, letter in zip(streams, some, strict=True) if letter is not None}
    keys = list(dict.fromkeys(selection.keys))
    if selection.stream is not None:
        return dict.fromkeys(streams, keys) if keys else {}
    met = {stream: _met(parts, stream, keys) for stream in streams}
    known: dict[StreamName, list[str]] = {stream: [key for key in keys if key in met[stream]] for stream in streams}
    unknown = set(keys).difference(*known.values())
    if unknown:
        raise ConfigurationError(
            f"keys: no stream has met {', '.join(sorted(unknown)[:5])}: correct it, or say stream=… as well"
        )
    return {stream: some for stream, some in known.items() if some}


def _met(parts: Parts, stream: StreamName, keys: Sequence[str]) -> set[str]:
    letters = parts.state.dead_letters(parts.name, stream=stream, keys=keys)
    return {*parts.state.links(parts.name, stream, keys), *(letter.key for letter in letters)}


class Replay:
    """Carries out one replay within a run."""

    def __init__(self, run: Run, report: Report, selection: Selection) -> None:
        self._run, self._parts = run, run.parts
        self._report, self._selection = report, selection

    def carry_out(self, streams: Keys) -> None:
        """Load what is meant, stream by stream; a stream that cannot be read does not stop the others."""
        for stream, keys in streams.items():
            if self._run.is_stopped():
                self._report.stopped = True
                return
            with self._run.reported(stream):
                self._run.announce_start(stream)
                self._run.reload(stream, self._batches(stream, keys))
        self._run.take_over_addresses()

    def _batches(self, stream: StreamName, keys: Sequence[str] | None) -> Iterator[Reloaded]:
        for letters in self._wanted(stream, keys):
            if self._run.is_stopped():
                self._report.stopped = True
                return
            yield self._again(stream, letters)

    def _wanted(self, stream: StreamName, keys: Sequence[str] | None) -> Iterator[dict[str, DeadLetter | None]]:
        """Keys of records, some at a time, with their dead letters if there are any."""
        parts = self._parts
        if keys is None:
            for some in in_chunks(self._selection.letters(parts.state, parts.name, stream=stream), BATCH_SIZE):
                yield {letter.key: letter for letter in some}
            return
        for named in in_chunks(keys, BATCH_SIZE):
            letters = parts.state.dead_letters(parts.name, stream=stream, keys=named)
            yield {**dict.fromkeys(named), **{letter.key: letter for letter in letters}}

    def _again(self, stream: StreamName, letters: Mapping[str, DeadLetter | None]) -> Reloaded:
        """The records as the ERP has them now; those it no longer has, from the payload that was kept."""
        pages = self._parts.source.fetch(stream, [*letters])
        rows: list[Record | UnreadableRow] = [row for page in pages for row in rows_of(page)]
        data: dict[str, ReplayedFrom] = {row.key: "fresh" for row in rows}
        missing = []
        for key, letter in letters.items():
            if key in data:
                continue
            if letter is not None and letter.payload:
                rows.append(self._from_payload(stream, letter))
                data[key] = "kept"
            elif letter is None or letter.reason != TAKEOVER:
                missing.append(key)
        self._leave(stream, missing)
        return Reloaded(rows=rows, data=data)

    def _from_payload(self, stream: StreamName, letter: DeadLetter) -> Record | UnreadableRow:
        try:
            return keepable(self._parts.source.parse(stream, letter.payload))
        except MLConnectorError as error:
            return UnreadableRow(key=letter.key, reason=error.reason, message=error.message, raw=letter.payload)

    def _leave(self, stream: StreamName, keys: Iterable[str]) -> None:
        """Nothing can be loaded of these: it is said so, and a dead letter stays."""
        report, now = self._report.stream(stream), self._parts.clock.now()
        entries = tuple(
            AuditEntry(
                at=now,
                job_id=self._report.job_id,
                stream=stream,
                key=key,
                outcome="skipped",
                reason=_NOT_FOUND,
                message=_NOT_IN_ERP,
            )
            for key in keys
        )
        if entries:
            self._run.commit(Checkpoint(pipeline=self._parts.name, job_id=self._report.job_id, audit=entries))
        for _ in entries:
            report.count("skipped", _NOT_FOUND)
