"""What is to become of one record, before and after the sink was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from ..errors import RecordError
from ..models import (
    Link,
    MemberWrite,
    OrderWrite,
    OutcomeKind,
    ReplayedFrom,
    Suppression,
    UnreadableRow,
    WriteResult,
    fingerprint_of,
)

__all__ = ["Decision", "Draft", "raw_fingerprint", "unreadable"]

P = TypeVar("P")


@attrs.define(kw_only=True)
class Draft(Generic[P]):
    """A record before its own link was asked; `error` when it could not be mapped, `skip` when it is left out."""

    stream: str
    key: str
    raw: Mapping[str, Any] = attrs.field(repr=False)
    record: P | None = None
    address: str = attrs.field(default="", repr=False)
    skip: str = ""
    error: RecordError | None = None


@attrs.define(kw_only=True)
class Decision:
    """What happens to one record.

    Attributes:
        outcome: settled without asking the sink, or what the sink's answer made of it.
        write: what the sink is asked for; then `link` holds once it succeeds.
        before: the link as it was.
        other_links: links of other records that change with this one.
        takeover: the record that speaks for an address from now on and must be written next.
        news: something changed against what the state holds, so it is written down.
        replayed: it was loaded again on purpose, so whatever waited for it is done with.
        data: of a replay, whose data it was made from.
        digest: of the record, by which it is recognised the next time; `""` if it cannot be.
        attempts: how often it was sent, repeats after faults included; 0: it was not.
    """

    stream: str
    key: str
    raw: Mapping[str, Any] = attrs.field(repr=False)
    outcome: OutcomeKind | None = None
    reason: str = ""
    message: str = ""
    fingerprint: str = ""
    write: MemberWrite | OrderWrite | None = None
    before: Link | None = None
    link: Link | None = None
    other_links: Sequence[Link] = ()
    takeover: tuple[str, str] | None = None
    news: bool = True
    replayed: bool = False
    data: ReplayedFrom = ""
    digest: str = ""
    attempts: int = 0
    status_code: int | None = None
    request_id: str | None = None
    suppression: Suppression | None = None
    retry: bool = False

    def fail(self, reason: str, message: str, *, fingerprint: str = "") -> None:
        """The record is set aside. A member it has already stays its own; otherwise it speaks for nobody."""
        same = self.before is not None and self.before.state == "dead" and self.before.fingerprint == fingerprint != ""
        self.outcome, self.reason, self.message, self.fingerprint = "dead", reason, message, fingerprint
        self.news = self.replayed or not same
        base = self.before
        if base is None or not base.target:
            tried = self.link or base or Link(stream=self.stream, key=self.key)
            base = attrs.evolve(tried, target="", owner=False, taken_off="")
        self.link = attrs.evolve(base, state="dead", reason=reason, fingerprint=fingerprint)

    def skip(self, reason: str, *, address: str, target: str, now: datetime | None) -> None:
        """The record of a person is left out. Only of a member that stays (`target`) its link tells how it stands."""
        before = self.before
        self.outcome, self.reason = "skipped", reason
        self.link = Link(
            stream=self.stream,
            key=self.key,
            address=address,
            parent=before.parent if before else "",
            state="skipped",
            reason=reason,
            target=target,
            owner=False,
            taken_off=before.taken_off if before and before.address == address else "",
            standing=before.standing if before and target else "",
            moved_from=before.moved_from if before and target else "",
            contact_id=before.contact_id if before and target else "",
            details=before.details if before and target else (),
            permissions=before.permissions if before and reason != "erased" else (),
            synced_at=now,
        )
        self.news = self.link != before

    def take(self, result: WriteResult) -> None:
        """The sink's answer."""
        self.status_code, self.request_id, self.retry = result.status_code, result.request_id, result.retry
        self.attempts = result.attempts
        if result.kind == "dead":
            self.fail(result.reason, result.message, fingerprint="" if result.retry else self.fingerprint)
            return
        # A member taken off keeps the reason it was taken off for; a plain write has none.
        self.outcome, self.reason = result.kind, self.reason or result.reason
        self.message = result.message or result.note


def unreadable(stream: str, row: UnreadableRow, before: Link | None, *, replayed: bool) -> Decision:
    """A row that the source could not turn into a record."""
    decision = Decision(stream=stream, key=row.key, raw=row.raw, before=before, replayed=replayed)
    decision.fail(row.reason, row.message, fingerprint=raw_fingerprint(row.raw))
    return decision


def raw_fingerprint(raw: Mapping[str, Any]) -> str:
    """The hash of a row as read, by which the same unusable row is recognised."""
    return fingerprint_of(json.dumps(raw, default=str, sort_keys=True).encode("utf-8", "surrogatepass"))
