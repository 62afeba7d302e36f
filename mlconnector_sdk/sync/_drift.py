"""What a reconciliation found: counts that add up on both sides, and the first differences of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from ..models import html_table
from ._report import Report

__all__ = ["Drift", "ReconcileReport"]

_MOST_ROWS = 200
_SHOWN_ROWS = 20


@attrs.frozen(kw_only=True)
class Drift:
    """One place where audience, links and ERP do not say the same.

    Attributes:
        kind: `missing`, `moved`, `deleted`, `different`, `suppressed_elsewhere` or `foreign`: see `ReconcileReport`.
        stream, key: the ERP's record; empty for foreign members.
        member: the member's id in the audience.
        detail: what differs.
        address: the member's address, where the audience told it.
    """

    kind: str
    stream: str = ""
    key: str = ""
    member: str = ""
    detail: str = ""
    address: str = attrs.field(default="", repr=False)


@attrs.define(kw_only=True, repr=False)
class ReconcileReport(Report):
    """What was compared, what differs, and what became of it; its streams count what a repair wrote.

    `members = same + different + suppressed_elsewhere + foreign` and `links = sound + missing + moved + deleted`.

    Attributes:
        repaired: what is ours was to be mended.
        members: members of the audience, whatever their status. One that changed meanwhile may be met twice.
        same: as their link says.
        different: their status, or the merge field with the ERP's key, is not what the link says.
        suppressed_elsewhere: unsubscribed, cleaned or archived, and the state did not know it.
        foreign: no ERP record stands behind them; they are counted, never touched.
        links: ERP records that speak for a member, or did.
        sound: their member is in the audience, and they are in the ERP.
        missing: their member is not in the audience.
        moved: it is there under another address, changed in Mailchimp; people have to say which one is right.
        deleted: they are not in the ERP any more.
        held_back: why no deleted record's member was let go, when they are too many to believe it.
        differences: the first 200 of each kind.
    """

    repaired: bool = False
    members: int = 0
    same: int = 0
    different: int = 0
    suppressed_elsewhere: int = 0
    foreign: int = 0
    links: int = 0
    sound: int = 0
    missing: int = 0
    moved: int = 0
    deleted: int = 0
    held_back: str = ""
    differences: list[Drift] = attrs.field(factory=list, repr=False)
    _shown: Counter[str] = attrs.field(factory=Counter, init=False, repr=False)

    @property
    def ok(self) -> bool:
        """It was carried out to its end, and no record was set aside; differences may have been found."""
        return not self.held_back and super().ok

    @property
    def in_step(self) -> bool:
        """Both sides said the same. After a repair the next reconciliation tells whether they do now."""
        return not any((self.different, self.suppressed_elsewhere, self.missing, self.moved, self.deleted))

    def show(self, drift: Drift) -> None:
        """Keep a difference for people to read, if it is among the first of its kind."""
        self._shown[drift.kind] += 1
        if self._shown[drift.kind] <= _MOST_ROWS:
            self.differences.append(drift)

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict per difference, addresses included, for a data frame."""
        return [{"job_id": self.job_id, **attrs.asdict(drift)} for drift in self.differences]

    def _text_lines(self) -> Iterator[str]:
        lines = list(super()._text_lines())
        # Without a repair there is nothing below the heads of the table.
        yield from lines if self.streams else [lines[0], *lines[2:]]
        yield (
            f"  audience: {self.members} members = {self.same} same + {self.different} different + "
            f"{self.suppressed_elsewhere} suppressed elsewhere + {self.foreign} foreign"
        )
        yield (
            f"  links: {self.links} = {self.sound} sound + {self.missing} missing + {self.moved} moved + "
            f"{self.deleted} deleted in the ERP"
        )
        if self.held_back:
            yield f"  held back: {self.held_back}"
        told = [drift for drift in self.differences if drift.kind != "foreign"]
        for drift in told[:_SHOWN_ROWS]:
            record = f"{drift.stream} {drift.key}" if drift.key else f"member {drift.member}"
            yield f"    {drift.kind}: {record}{': ' if drift.detail else ''}{drift.detail}"
        if len(told) > _SHOWN_ROWS:
            yield "    … more of them in .differences"

    def _repr_html_(self) -> str:
        heads = ("members", "same", "different", "suppressed elsewhere", "foreign")
        member_counts = (self.members, self.same, self.different, self.suppressed_elsewhere, self.foreign)
        link_counts = (self.links, self.sound, self.missing, self.moved, self.deleted)
        rows = [(d.kind, d.stream, d.key, d.member, d.detail) for d in self.differences]
        return (
            super()._repr_html_()
            + html_table(heads, [member_counts], caption=self.held_back)
            + html_table(("links", "sound", "missing", "moved", "deleted"), [link_counts])
            + html_table(("difference", "stream", "record", "member", "detail"), rows)
        )
