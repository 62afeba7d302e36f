"""Reconciling: the whole audience and every link held against each other and the ERP, and what is ours mended.

Neither side is kept in memory: of every member, link and record eight bytes are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import attrs

from ..cursors import Window
from ..mapping import merge_value
from ..models import AudienceMember, Link, MergeField, StreamName, member_id
from ._activity import people_streams
from ._drift import Drift, ReconcileReport
from ._extract import read_ahead, rows_of
from ._gone import SeenKeys, members_without_record
from ._leaving import Brake, Finding, in_chunks
from ._run import BATCH_SIZE, NO_RECORD, Run

__all__ = ["Reconciliation"]


@attrs.define
class _Audience:
    """What is remembered of the members that were met."""

    members: SeenKeys = attrs.field(factory=SeenKeys)
    people: SeenKeys = attrs.field(factory=SeenKeys)
    strangers: SeenKeys = attrs.field(factory=SeenKeys)
    other_keys: SeenKeys = attrs.field(factory=SeenKeys)


class Reconciliation:
    """Carries out one comparison within a run that holds the lease, or that only foretells.

    Args:
        repair: mend what is ours; without it nothing is written.
        allow_mass_leave: confirms that more than `policy.most_leaving` of the members shall leave at once.
    """

    def __init__(self, run: Run, report: ReconcileReport, *, repair: bool, allow_mass_leave: bool) -> None:
        parts = run.parts
        self._run = run
        self._report = report
        self._repair = repair
        self._parts = parts
        self._brake = Brake(parts.policy.most_leaving, allow_mass_leave)
        self._key_fields: Mapping[str, MergeField] = {}
        self._records: dict[StreamName, SeenKeys] = {}
        self._met = _Audience()
        self._deleted: dict[StreamName, list[str]] = {}

    def carry_out(self) -> None:
        """Read the ERP's keys, then the audience, then the links; then mend.

        Raises:
            TransientError, FatalError: a side cannot be read whole, so nothing is concluded; or mending broke off.
        """
        self._key_fields = self._fields_of_keys()
        for step in (self._read_records, self._read_audience, self._apply_brake, self._read_links, self._mend):
            if self._run.is_stopped():
                self._report.stopped = True
                return
            step()

    def _fields_of_keys(self) -> dict[str, MergeField]:
        """By stream, the merge field that holds the ERP's key, where the audience has one that holds it as it is."""
        found: dict[str, MergeField] = {}
        there = self._run.audience.merge_fields
        for stream in people_streams(self._parts.source):
            mapped = self._parts.mapping.for_stream(stream).merge_fields.items()
            fields = [there[tag] for tag, source in mapped if source == "key" and tag in there]
            if fields and fields[0].type == "text":
                found[stream] = fields[0]
        return found

    def _read_records(self) -> None:
        state, name = self._parts.state, self._parts.name
        for stream in people_streams(self._parts.source):
            if next(state.all_links(name, stream), None) is None:
                continue
            seen = self._records[stream] = SeenKeys()
            with closing(read_ahead(self._parts.source.read(stream, Window()))) as pages:
                for page in pages:
                    seen.add(row.key for row in rows_of(page))
                    if self._run.is_stopped():
                        return

    # The audience

    def _read_audience(self) -> None:
        tags = sorted({field.tag for field in self._key_fields.values()})
        for members in self._parts.sink.all_members(tags):
            self._compare(members)
            if self._run.is_stopped():
                return

    def _compare(self, members: Sequence[AudienceMember]) -> None:
        """Each member is one of four: suppressed elsewhere, foreign, different, the same."""
        met, report = self._met, self._report
        met.members.add(member_id(member.address) for member in members)
        met.people.add(member.contact_id for member in members if member.contact_id)
        links = self._parts.state.links_to(self._parts.name, [member.address for member in members])
        speakers = {address: link for address, some in links.items() if (link := _speaker(some)) is not None}
        fresh = [member for member in members if not self._is_only_noted(member, speakers.get(member.address))]
        silent, back = self._run.statuses.take_over(fresh)
        report.members += len(members)
        for member in members:
            link = speakers.get(member.address)
            if member.address in silent:
                report.suppressed_elsewhere += 1
                report.show(_drift("suppressed_elsewhere", member, link, detail=f"{member.status} in the audience"))
            elif link is None:
                report.foreign += 1
                report.show(_drift("foreign", member, None, detail=member.status))
            elif detail := self._differs(member, link, was_suppressed=member.address in back):
                report.different += 1
                report.show(_drift("different", member, link, detail=detail))
            else:
                report.same += 1
            if link is None:
                met.strangers.add(key for field in self._key_fields.values() if (key := _value(member, field)))

    def _is_only_noted(self, member: AudienceMember, link: Link | None) -> bool:
        """By policy unsubscribes are no suppressions, so that the state does not know of them is no drift."""
        if self._parts.policy.on_unsubscribe != "log" or member.status != "unsubscribed":
            return False
        return link is None or link.standing == "unsubscribed"

    def _differs(self, member: AudienceMember, link: Link, *, was_suppressed: bool) -> str:
        """How a member differs from what its link says; `""` when it does not."""
        expected = link.taken_off or link.standing
        if was_suppressed:
            return f"status: {member.status}, and suppressed in the state"
        if expected and expected != member.status:
            return f"status: {member.status}, {expected} in the link"
        field = self._key_fields.get(link.stream)
        if field is None or link.state != "synced" or _value(member, field) == merge_value(link.key, field):
            return ""
        self._met.other_keys.add([_identity(link)])
        return f"merge field {field.tag} names another record" if _value(member, field) else f"{field.tag} is empty"

    # The links

    def _apply_brake(self) -> None:
        members = without = 0
        for stream, seen in self._records.items():
            for _, is_missing in members_without_record(self._parts.state, self._parts.name, stream, seen):
                members += 1
                without += is_missing
        cure = "check filters and rights of the ERP user, or confirm it with allow_mass_leave=True"
        self._report.held_back = self._brake.refusal(without, members, why=NO_RECORD, cure=cure)

    def _read_links(self) -> None:
        """Each link that stands for a member is one of four: missing, moved, deleted, sound."""
        report = self._report
        for stream, seen in self._records.items():
            deleted = self._deleted[stream] = []
            for some in in_chunks(self._members_of(stream), BATCH_SIZE):
                lost = [link for link in some if link.target not in self._met.members]
                unseen = [
                    link
                    for link in some
                    if link.target in self._met.members and link.reason != "gone" and link.key not in seen
                ]
                gone = self._denied(stream, [link.key for link in unseen])
                report.links += len(some)
                report.sound += len(some) - len(lost) - len(gone)
                report.deleted += len(gone)
                deleted += [link.key for link in unseen if link.key in gone and not report.held_back]
                for link in lost:
                    kind = "moved" if self._has_moved(link) else "missing"
                    report.moved += kind == "moved"
                    report.missing += kind == "missing"
                    report.show(Drift(kind=kind, stream=stream, key=link.key, member=link.target))
                for key in sorted(gone):
                    report.show(Drift(kind="deleted", stream=stream, key=key))

    def _members_of(self, stream: StreamName) -> Iterator[Link]:
        return (link for link in self._parts.state.all_links(self._parts.name, stream) if link.target)

    def _has_moved(self, link: Link) -> bool:
        """The person is in the audience under another address: it was changed there, and nobody told the ERP."""
        return (bool(link.contact_id) and link.contact_id in self._met.people) or link.key in self._met.strangers

    def _denied(self, stream: StreamName, keys: Sequence[str]) -> set[str]:
        """Those that the ERP denies by key as well; where the brake holds, it is not asked for so many."""
        if not keys or self._report.held_back:
            return set(keys)
        return {finding.key for finding in self._run.denied(stream, keys)}

    # Mending

    def _mend(self) -> None:
        """Write lost and differing members as the ERP has them now, and let go of deleted ones.

        Statuses were taken over already. Members of nobody are not touched, nor are those who moved: which address is
        right is for people to say.
        """
        if not self._repair:
            return
        for stream in self._records:
            links = self._members_of(stream)
            lost = (link.key for link in links if link.target not in self._met.members and not self._has_moved(link))
            self._run.rewrite(stream, lost, purpose="anew")
            differing = (link.key for link in self._members_of(stream) if _identity(link) in self._met.other_keys)
            self._run.rewrite(stream, differing)
            self._run.settle(stream, (Finding(key=key, kind="gone") for key in self._deleted[stream]))
        self._run.take_over_addresses()


def _speaker(links: Sequence[Link]) -> Link | None:
    """The link that stands for the member at an address, the owner's before others."""
    return min((link for link in links if link.target), key=lambda link: not link.owner, default=None)


def _identity(link: Link) -> str:
    return f"{link.stream}:{link.key}"


def _value(member: AudienceMember, field: MergeField) -> str:
    return str(member.merge_fields.get(field.tag) or "").strip()


def _drift(kind: str, member: AudienceMember, link: Link | None, *, detail: str) -> Drift:
    return Drift(
        kind=kind,
        stream=link.stream if link else "",
        key=link.key if link else "",
        member=member_id(member.address),
        detail=detail,
        address=member.address,
    )
