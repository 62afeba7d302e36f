"""What a state store keeps (links, dead letters, audit, suppressions, leases) and the checkpoint that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

import attrs

from ..cursors import HighWaterMark
from ._pages import html_table
from ._targets import MemberStatus, PermissionState

__all__ = [
    "GONE",
    "HIDDEN",
    "AuditEntry",
    "Checkpoint",
    "DeadLetter",
    "DeadLetters",
    "Lease",
    "Link",
    "Note",
    "OutcomeKind",
    "Pruned",
    "ReplayedFrom",
    "Seen",
    "Suppression",
    "hidden_address",
]

OutcomeKind: TypeAlias = Literal["created", "updated", "unchanged", "skipped", "dead"]
"""What became of one record of a run."""

ReplayedFrom: TypeAlias = Literal["", "fresh", "kept"]
"""Whose data a replay loaded: the ERP's present ones, or the payload that was kept; `""` where nothing was replayed."""

GONE = "gone"
"""Reason of a link whose record the ERP no longer has."""

HIDDEN = "hidden:"
"""How a `hidden_address` begins."""


def hidden_address(address: str) -> str:
    """What stands for the address of somebody who was erased: a hash, by which it is known again and never read.

    A state store finds a suppression under this name when it is asked for the address itself.
    """
    if address.startswith(HIDDEN):
        return address
    digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=20, person=b"mlconnector")
    return f"{HIDDEN}{digest.hexdigest()}"


@attrs.frozen(kw_only=True)
class Link:
    """Which ERP record stands behind which member, order or product: the two-way look-up.

    Attributes:
        stream: the record's stream, or `"products"` and `"store_customers"` for what orders bring along.
        key: the ERP's key.
        target: the sink's id: member hash, order id, product id.
        address: the normalised e-mail address, `""` when there is none.
        fingerprint: hash of the payload last settled for this record, loaded or set aside; `""` forces a new write.
        owner: this record speaks for the member; several records may share one address, one of them owns it.
        state: `synced`, or why nothing was written: `skipped`, `dead`.
        reason: for `skipped` and `dead`.
        parent: key of the customer that a contact or order belongs to.
        taken_off: what this library itself did to the member: `"unsubscribed"`, `"archived"` or `""`.
        standing: the member's status as last seen, apart from what `taken_off` says; `""` where it is not known.
        moved_from: the ERP's address, where the person has changed it to `address` in the audience itself.
        contact_id: the sink's own id of the person, which outlives changes of address; `""` where it is not known.
        details: line ids of an order, tags this library put on a member.
        permissions: how a member's marketing permissions were left, as (name, state).
        synced_at: when this was written down; two links that differ in nothing else are equal.
    """

    stream: str
    key: str
    target: str = ""
    address: str = ""
    fingerprint: str = ""
    owner: bool = True
    state: Literal["synced", "skipped", "dead"] = "synced"
    reason: str = ""
    parent: str = ""
    taken_off: Literal["", "unsubscribed", "archived"] = ""
    standing: MemberStatus | Literal[""] = ""
    moved_from: str = ""
    contact_id: str = ""
    details: tuple[str, ...] = ()
    permissions: tuple[tuple[str, PermissionState], ...] = ()
    synced_at: datetime | None = attrs.field(default=None, eq=False)

    def __repr__(self) -> str:
        return f"<Link {self.stream} {self.key} {self.state}>"


@attrs.frozen(kw_only=True)
class Seen:
    """What a record was when its link was last decided, so that the same record need not be decided again.

    Attributes:
        digest: of the record, and of the settings under which it was decided.
        reason: why it was skipped; `""` when its member was right.
    """

    digest: str
    reason: str = ""


@attrs.frozen(kw_only=True)
class Suppression:
    """An address that must not be mailed, who said so and when; a `hidden_address` where the person was erased."""

    address: str = attrs.field(repr=False)
    reason: str
    origin: str
    at: datetime


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A record set aside with reason and payload; one per record, replayed with `engine.replay()`.

    Attributes:
        payload: the ERP's row as read, so that nothing is lost even if the ERP forgets it.
        fingerprint: of the payload that was refused; the same payload is not sent again by a poll.
        attempts: how often it was tried, replays included.
        first_at, last_at: when it was set aside, and when it was tried last.
        first_job_id, job_id: the jobs that did so.
        status_code, request_id: of the answer that refused it; `None` where it was not sent.
    """

    stream: str
    key: str
    reason: str
    message: str
    payload: Mapping[str, Any] = attrs.field(repr=False)
    fingerprint: str = ""
    attempts: int = 1
    first_at: datetime
    last_at: datetime
    first_job_id: str = ""
    job_id: str
    status_code: int | None = None
    request_id: str | None = None

    def __repr__(self) -> str:
        return f"<DeadLetter {self.stream} {self.key}: {self.reason}>"


class DeadLetters(tuple[DeadLetter, ...]):
    """Dead letters as a tuple that shows itself as a table in a notebook."""

    __slots__ = ()

    def to_rows(self) -> list[dict[str, Any]]:
        """One dict per dead letter, without payload, for a data frame."""
        wanted = ("stream", "key", "reason", "message", "attempts", "first_at", "last_at", "job_id")
        return [{name: getattr(letter, name) for name in wanted} for letter in self]

    def __repr__(self) -> str:
        return f"<DeadLetters: {len(self)}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = [(d.stream, d.key, d.reason, d.message, d.attempts) for d in self[:50]]
        return html_table(("stream", "record", "reason", "message", "attempts"), rows, f"{len(self)} dead letters")


@attrs.frozen(kw_only=True)
class Note:
    """Something small that must outlive a crash: a batch under way, a webhook taken in, where a report was read to.

    Attributes:
        kind: what the note is about; keys are unique within it.
    """

    kind: str
    key: str
    payload: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    at: datetime


@attrs.frozen(kw_only=True)
class AuditEntry:
    """What a run did with one record; `stream` `""` concerns the run itself.

    Attributes:
        attempts: how often what decided it was sent, repeats after faults included; of a record that nothing was sent
            for, how often it was tried, this time included.
        request_id: the far side's id of the request that decided it, which its support asks for. `None` where nothing
            was sent, and where the far side tells none: of orders loaded in batches `message` names the batch.
        replayed: of a replay, whose data were loaded.
    """

    at: datetime
    job_id: str
    stream: str
    key: str
    outcome: str
    reason: str = ""
    message: str = ""
    attempts: int = 1
    request_id: str | None = None
    replayed: ReplayedFrom = ""


@attrs.frozen(kw_only=True)
class Pruned:
    """How much was removed because it was old: audit entries, notes that nobody needs, and leases that ran out."""

    audit: int = 0
    notes: int = 0
    leases: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(audit=self.audit + other.audit, notes=self.notes + other.notes, leases=self.leases + other.leases)


@attrs.frozen(kw_only=True)
class Lease:
    """The time-limited right to run one pipeline; `fencing` grows with every new owner."""

    pipeline: str
    owner: str
    fencing: int
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Checkpoint:
    """One durable transaction of a run: all of it becomes visible, or none.

    Attributes:
        mark: the stream's new mark, `None` to leave it.
        links: links to add or replace, by (stream, key).
        dead_letters: dead letters to add or replace, by (stream, key).
        settled: (stream, key) pairs whose dead letter is done with.
        suppressions: to add or replace, by address. `lifted`: addresses no longer suppressed.
        notes: to add or replace, by (kind, key). `dropped`: those no longer needed.
        seen: digests to remember with links, by (stream, key). A link that is written without one, and any link to an
            address that is suppressed here or no longer is, forgets what was seen of its record.
        scrubbed: (stream, key) pairs whose audit entries so far lose their messages: what was done stays, what was
            said about it goes.
    """

    pipeline: str
    job_id: str
    mark: HighWaterMark | None = None
    links: tuple[Link, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    settled: tuple[tuple[str, str], ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    lifted: tuple[str, ...] = attrs.field(default=(), repr=False)
    notes: tuple[Note, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    seen: Mapping[tuple[str, str], str] = attrs.field(factory=dict)
    scrubbed: tuple[tuple[str, str], ...] = ()
    audit: tuple[AuditEntry, ...] = ()
