"""What an engine announces while it works: frozen values for progress bars, metrics and logs.

Events carry counts and keys, never addresses, payloads or secrets. Unknown events may be added in any release: test
with `isinstance` and ignore the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

__all__ = [
    "Event",
    "MarkHeldBack",
    "PageCommitted",
    "RecordSetAside",
    "RunFinished",
    "RunStarted",
    "StreamFinished",
    "StreamStarted",
    "Waiting",
]


@attrs.frozen(kw_only=True)
class RunStarted:
    """A run (or plan, or replay) of a pipeline began."""

    pipeline: str
    job_id: str
    operation: str
    streams: tuple[str, ...]


@attrs.frozen(kw_only=True)
class StreamStarted:
    """Reading of one stream began; `full` when everything is read, not only changes."""

    job_id: str
    stream: str
    full: bool


@attrs.frozen(kw_only=True)
class PageCommitted:
    """One page is durable; the counts are those of the stream so far."""

    job_id: str
    stream: str
    counts: Mapping[str, int]


@attrs.frozen(kw_only=True)
class RecordSetAside:
    """A record became a dead letter."""

    job_id: str
    stream: str
    key: str
    reason: str


@attrs.frozen(kw_only=True)
class MarkHeldBack:
    """Records are stamped in the source's future; they were loaded, and the mark did not follow them."""

    job_id: str
    stream: str
    records: int


@attrs.frozen(kw_only=True)
class Waiting:
    """A call is repeated after a pause."""

    system: str
    operation: str
    seconds: float
    reason: str
    attempt: int


@attrs.frozen(kw_only=True)
class StreamFinished:
    """One stream is done; `error` is empty when it was read to its end."""

    job_id: str
    stream: str
    counts: Mapping[str, int]
    error: str = ""


@attrs.frozen(kw_only=True)
class RunFinished:
    """The run is over, well or not."""

    pipeline: str
    job_id: str
    ok: bool
    seconds: float


Event: TypeAlias = (
    RunStarted | StreamStarted | PageCommitted | RecordSetAside | MarkHeldBack | Waiting | StreamFinished | RunFinished
)
"""Anything an engine announces."""
