"""Telling the ERP who must not be mailed; what it does not take now waits as a dead letter and is told again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import attrs

from ..errors import MLConnectorError, RecordError, RecordNotFoundError, TransientError
from ..models import AuditEntry, Checkpoint, DeadLetter, Suppression
from ..protocols import Clock, FlaggingSource, StateStore
from ._report import Report

__all__ = ["FLAGS", "Flagger"]

FLAGS = "flags"
"""The stream under which flags that wait are kept and counted; their keys are `<stream>/<key of the record>`."""

_AT_ONCE = 500

_Outcome: TypeAlias = Literal["flagged", "skipped", "dead"]


@attrs.frozen(kw_only=True)
class _Flag:
    """One ERP record that is to be flagged."""

    stream: str
    key: str
    address: str = attrs.field(repr=False)
    suppression: Suppression | None
    letter: DeadLetter | None = None

    @property
    def name(self) -> str:
        return f"{self.stream}/{self.key}"


class Flagger:
    """Flags the ERP's records of whoever left the audience.

    The ERP is told before the suppression is committed, so that a crash repeats a flag rather than losing it. A record
    that is locked or refused does not hold up the run: it is set aside under `FLAGS`, and each run tries it again for
    as long as the address is suppressed.
    """

    def __init__(
        self, source: FlaggingSource, state: StateStore, *, pipeline: str, clock: Clock, report: Report
    ) -> None:
        self._source = source
        self._state = state
        self._pipeline = pipeline
        self._clock = clock
        self._report = report

    def tell(self, suppressions: Sequence[Suppression]) -> Checkpoint:
        """Flag every record behind these addresses; the outcomes are to be committed with the suppressions.

        Raises:
            FatalError, ConfigurationError: nothing can be flagged before somebody mends it.
        """
        return self._told(self._flags_of(suppressions))

    def set_aside(self, suppressions: Sequence[Suppression], error: MLConnectorError) -> Checkpoint:
        """The same flags, left to a later run because the ERP cannot be told at all for now."""
        return self._told(self._flags_of(suppressions), failed=error)

    def _flags_of(self, suppressions: Sequence[Suppression]) -> list[_Flag]:
        links = self._state.links_to(self._pipeline, [held.address for held in suppressions])
        streams = set(self._source.flagged_streams)
        return [
            _Flag(stream=link.stream, key=link.key, address=held.address, suppression=held)
            for held in suppressions
            for link in links.get(held.address, ())
            if link.stream in streams
        ]

    def waiting(self) -> list[DeadLetter]:
        """Flags that were set aside."""
        return list(self._state.dead_letters(self._pipeline, stream=FLAGS))

    def tell_again(self, letters: Sequence[DeadLetter], commit: Callable[[Checkpoint], None]) -> None:
        """What was set aside earlier, unless the person has come back meanwhile. Raises as `tell` does."""
        for start in range(0, len(letters), _AT_ONCE):
            some = letters[start : start + _AT_ONCE]
            held = self._state.suppressions(self._pipeline, [str(letter.payload["address"]) for letter in some])
            commit(self._told([_waiting(letter, held.get(str(letter.payload["address"]))) for letter in some]))

    def _told(self, flags: Sequence[_Flag], *, failed: MLConnectorError | None = None) -> Checkpoint:
        """Try each flag once, unless all have failed, and say in a checkpoint what came of it."""
        report, now = self._report.stream(FLAGS) if flags else None, self._clock.now()
        audit: list[AuditEntry] = []
        letters: list[DeadLetter] = []
        for flag in flags:
            error = failed or self._try(flag)
            outcome, reason = _outcome(flag, error)
            attempts = flag.letter.attempts + 1 if flag.letter else 1
            assert report is not None
            report.count("updated" if outcome == "flagged" else outcome, reason)
            if error is not None and outcome == "dead":
                letters.append(self._letter(flag, error, attempts))
            audit.append(
                AuditEntry(
                    at=now,
                    job_id=self._report.job_id,
                    stream=flag.stream,
                    key=flag.key,
                    outcome=outcome,
                    reason=reason,
                    message=error.message if error else "",
                    attempts=attempts,
                    request_id=error.request_id if error else None,
                )
            )
        done = {letter.key for letter in letters}
        settled = tuple((FLAGS, flag.name) for flag in flags if flag.name not in done)
        return Checkpoint(
            pipeline=self._pipeline,
            job_id=self._report.job_id,
            dead_letters=tuple(letters),
            settled=settled,
            audit=tuple(audit),
        )

    def _try(self, flag: _Flag) -> MLConnectorError | None:
        if flag.suppression is None:
            return None
        try:
            self._source.flag(flag.stream, flag.key, flag.suppression)
        except (TransientError, RecordError) as error:
            return error
        return None

    def _letter(self, flag: _Flag, error: MLConnectorError, attempts: int) -> DeadLetter:
        now = self._clock.now()
        return DeadLetter(
            stream=FLAGS,
            key=flag.name,
            reason=error.reason,
            message=error.message,
            payload={"stream": flag.stream, "key": flag.key, "address": flag.address},
            attempts=attempts,
            first_at=flag.letter.first_at if flag.letter else now,
            last_at=now,
            first_job_id=flag.letter.first_job_id if flag.letter else self._report.job_id,
            job_id=self._report.job_id,
            status_code=error.status_code,
            request_id=error.request_id,
        )


def _waiting(letter: DeadLetter, suppression: Suppression | None) -> _Flag:
    payload = letter.payload
    return _Flag(
        stream=str(payload["stream"]),
        key=str(payload["key"]),
        address=str(payload["address"]),
        suppression=suppression,
        letter=letter,
    )


def _outcome(flag: _Flag, error: MLConnectorError | None) -> tuple[_Outcome, str]:
    if flag.suppression is None:
        return "skipped", "no_longer_suppressed"
    if isinstance(error, RecordNotFoundError):
        return "skipped", error.reason
    return ("dead", error.reason) if error else ("flagged", flag.suppression.reason)
