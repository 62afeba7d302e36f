"""Which dead letters are meant: by record, by reason, by the job that set them aside, by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs

from ..errors import ConfigurationError
from ..models import DeadLetter
from ..protocols import StateStore

__all__ = ["Selection"]


def _aware(_: Any, attribute: attrs.Attribute[Any], moment: datetime | None) -> None:
    if moment is not None and moment.tzinfo is None:
        raise ConfigurationError(f"{attribute.name}: a time needs its zone, such as datetime(…, tzinfo=UTC)")


@attrs.frozen(kw_only=True)
class Selection:
    """All conditions hold at once; none means all dead letters.

    Attributes:
        run: the id of a job that set the record aside, or tried it last.
        since, until: it was set aside, or tried last, at or after the one and before the other.
    """

    stream: str | None = None
    keys: Sequence[str] | None = None
    reason: str | None = None
    run: str | None = None
    since: datetime | None = attrs.field(default=None, validator=_aware)
    until: datetime | None = attrs.field(default=None, validator=_aware)

    def letters(self, state: StateStore, pipeline: str, *, stream: str | None = None) -> Iterator[DeadLetter]:
        """The dead letters, of one stream or of all that are meant, in order of stream and key."""
        found = state.dead_letters(pipeline, stream=stream or self.stream, keys=self.keys, reason=self.reason)
        return (letter for letter in found if self._means(letter))

    def _means(self, letter: DeadLetter) -> bool:
        if self.run is not None and self.run not in {letter.first_job_id, letter.job_id}:
            return False
        return any(map(self._covers, (letter.first_at, letter.last_at)))

    def _covers(self, moment: datetime) -> bool:
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)
