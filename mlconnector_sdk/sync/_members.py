"""Which customers, contacts and suppliers become which member writes: ownership, consent, moves, leavers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import attrs

from ..errors import MappingError
from ..mapping import MemberMapper, MemberPayload
from ..models import (
    Audience,
    Contact,
    Link,
    MemberStatus,
    MemberWrite,
    Party,
    Suppression,
    UnreadableRow,
    WriteResult,
    hidden_address,
    member_id,
)
from ..policy import SyncPolicy
from ..protocols import Sink, StateStore
from ._answers import complete
from ._consent import (
    MAY_HEAR_NEWS,
    Leaving,
    born_again_as,
    first_status,
    following,
    is_erased,
    is_off,
    is_tagged_as_leaving,
    leaving_tag,
    was_let_go,
    way_back,
    way_out,
)
from ._decision import Decision, Draft, raw_fingerprint, unreadable
from ._leaving import (
    DORMANT,
    Finding,
    fall_asleep,
    lose_the_tag,
    marks_on,
    sleeps_on,
    status_only,
    tags_only,
)
from ._neighbourhood import Neighbourhood
from ._newcomers import Newcomer
from ._seen import recognition
from ._segments import disowned, inherited, permission_wishes, permissions_of, stale_tags, untagging
from ._takeover import name_heirs

__all__ = ["MemberDecider", "Purpose"]

_NOBODY: Mapping[str, Suppression] = {}

_Draft: TypeAlias = Draft[Party] | UnreadableRow | Finding
Purpose: TypeAlias = Literal["", "wake", "anew"]


class MemberDecider:
    """Turns records of one stream into decisions, given what the state knows. Reads state, writes nothing.

    Args:
        force: write what has not changed, too.
        purpose: `"wake"`: these records are dormant no more; `"anew"`: the audience has lost their members, so they are
            decided as if they never had one.
    """

    def __init__(
        self,
        stream: str,
        *,
        mapper: MemberMapper,
        policy: SyncPolicy,
        audience: Audience,
        state: StateStore,
        pipeline: str,
        force: bool = False,
        purpose: Purpose = "",
    ) -> None:
        self.stream = stream
        self._mapper = mapper
        self._policy = policy
        self._first: MemberStatus = first_status(policy, stream, double_optin=audience.double_optin)
        self._state = state
        self._pipeline = pipeline
        self._force = force
        self._purpose = purpose
        wants_all = force or purpose
        self.recognition = None if wants_all else recognition(stream, mapper, policy, audience, state, pipeline)
        self._before: dict[str, Link] = {}
        self._now: datetime | None = None
        self._claimed: set[str] = set()
        self._redirected: set[str] = set()

    def draft(self, records: Iterable[Party | UnreadableRow | Finding]) -> list[_Draft]:
        """Find each record's address; of several versions of one record the last one counts."""
        latest = {record.key: record for record in records}
        return [self._draft(record) if isinstance(record, Party) else record for record in latest.values()]

    def _draft(self, party: Party) -> Draft[Party]:
        draft = Draft(stream=self.stream, key=party.key, raw=party.raw, record=party)
        try:
            draft.address = self._mapper.address(party)
        except MappingError as error:
            draft.error = error
        return draft

    def claims(self, drafts: Sequence[_Draft]) -> set[str]:
        """Everything these records touch: two batches that share a claim must not be under way together."""
        keys = [draft.key for draft in drafts]
        self._before = self._state.links(self._pipeline, self.stream, keys)
        self._redirect([draft for draft in drafts if isinstance(draft, Draft)])
        if self._purpose == "anew":
            self._before = {key: attrs.evolve(link, target="") for key, link in self._before.items()}
        addresses = {draft.address for draft in drafts if isinstance(draft, Draft)}
        addresses |= {link.address for link in self._before.values()}
        self._claimed = {f"{self.stream}:{key}" for key in keys} | (addresses - {""})
        return self._claimed

    def _redirect(self, drafts: Sequence[Draft[Party]]) -> None:
        """Where a person changed their own address in the audience, it counts until the ERP's changes as well."""
        for draft in drafts:
            before = self._before.get(draft.key)
            if before is not None and draft.address and draft.address == before.moved_from:
                draft.address = before.address
                self._redirected.add(draft.key)

    def decide(self, drafts: Sequence[_Draft], now: datetime) -> list[Decision]:
        """One decision per record, in order; `claims` must have been asked before, on the same state."""
        self._now = now
        addresses = [claim for claim in self._claimed if "@" in claim]
        of_records = [draft.address for draft in drafts if isinstance(draft, Draft)]
        around = Neighbourhood(self._state.links_to(self._pipeline, addresses), of_records)
        suppressions = self._state.suppressions(self._pipeline, addresses)
        decisions = []
        for draft in drafts:
            before = around.handed(self.stream, draft.key) or self._before.get(draft.key)
            if isinstance(draft, UnreadableRow):
                decision = unreadable(self.stream, draft, before, replayed=self._force)
            elif isinstance(draft, Finding):
                decision = self._found_out(draft, before, around, suppressions, now)
            else:
                decision = self._decide(draft, before, around, suppressions)
            decision.news = decision.news or self._purpose == "anew"
            if not isinstance(decision, Newcomer):
                around.note(decision)
            decisions.append(decision)
        return decisions

    def _decide(
        self,
        draft: Draft[Party],
        before: Link | None,
        around: Neighbourhood,
        suppressions: Mapping[str, Suppression],
    ) -> Decision:
        party = draft.record
        assert party is not None
        if before is None and around.is_alone(draft.address) and draft.address not in suppressions:
            decision: Decision = Newcomer(
                stream=self.stream, key=draft.key, raw=draft.raw, replayed=self._force, decided_at=self._now
            )
        else:
            decision = Decision(stream=self.stream, key=draft.key, raw=draft.raw, before=before, replayed=self._force)
        try:
            if party.erased:
                return self._erase(decision, around)
            if is_erased(before, suppressions.get(draft.address)):
                return self._leave_out(decision, "erased", around)
            if draft.error is not None:
                raise draft.error
            reason = self._reason_to_skip(party, draft.address)
            if reason:
                return self._leave_out(decision, reason, around, suppressions)
            if party.opted_out:
                return self._opt_out(decision, draft.address, suppressions, around)
            left = self._kept_off(decision, party, suppressions, around)
            return left or self._keep(decision, party, draft.address, suppressions, around)
        except MappingError as error:
            decision.fail(error.reason, error.message, fingerprint=raw_fingerprint(draft.raw))
            return decision

    def _kept_off(
        self,
        decision: Decision,
        party: Party,
        suppressions: Mapping[str, Suppression],
        around: Neighbourhood,
    ) -> Decision | None:
        """A record that is out of business leaves, a dormant one stays off; `None` for all others."""
        how = way_out(self._policy, party.status)
        if how != "ignore":
            left = self._retire(decision, how, suppressions, around, reason=party.status)
            if left is not None:
                return left
        if self._purpose != "wake" and sleeps_on(party, decision.before):
            decision.outcome, decision.reason = "skipped", DORMANT
            decision.link, decision.news = decision.before, False
            return decision
        return None

    def _reason_to_skip(self, party: Party, address: str) -> str:
        if self.stream == "suppliers" and self._policy.suppliers == "ignore":
            return "suppliers_ignored"
        if not self._mapper.includes(party):
            return "excluded"
        return "" if address else "no_email"

    def _leave_out(
        self,
        decision: Decision,
        reason: str,
        around: Neighbourhood,
        suppressions: Mapping[str, Suppression] = _NOBODY,
    ) -> Decision:
        """What the record spoke for goes to the next record that shares the address, or at least loses our tags."""
        before = decision.before
        if before is not None and before.target:
            handed_over = before.owner and self._hand_over(decision, before.address, around)
            decision.write = None if handed_over else untagging(before, reason, suppressions)
        return self._skipped(decision, reason, address="")

    def _skipped(self, decision: Decision, reason: str, *, address: str, target: str = "") -> Decision:
        decision.skip(reason, address=address, target=target, now=self._now)
        return decision

    def _opt_out(
        self, decision: Decision, address: str, suppressions: Mapping[str, Suppression], around: Neighbourhood
    ) -> Decision:
        """The ERP says: do not mail. A member is unsubscribed, somebody who is no member is never made one."""
        before, previous = decision.before, None
        here = before if before is not None and before.address == address else None
        if before is not None and before.target and here is None:
            stays = self._hand_over(decision, before.address, around) or before.address in suppressions
            previous = None if stays else before.address
        self._skipped(decision, "opted_out", address=address, target=here.target if here else "")
        assert decision.link is not None
        # What this library once took off for another reason stays off: no longer opted out is not opted in.
        decision.link = attrs.evolve(decision.link, taken_off="")
        decision.news = decision.link != before
        if not is_off(here, suppressions.get(address)) and (decision.news or self._force):
            write = status_only(decision.key, address, "unsubscribed", exists=here is not None and bool(here.target))
            decision.write = attrs.evolve(write, previous_address=previous)
        return decision

    def _erase(self, decision: Decision, around: Neighbourhood) -> Decision:
        """A person erased in the ERP leaves for good, whatever the policy says of inactive records."""
        before = decision.before
        if before is None or not before.target or around.others(before.address, self.stream, decision.key):
            return self._leave_out(decision, "erased", around)
        assert self._now is not None
        self._skipped(decision, "erased", address="")
        decision.write = MemberWrite(record_key=decision.key, address=before.address, body=b"{}", forget=True)
        decision.suppression = Suppression(
            address=hidden_address(before.address), reason="erased", origin=self.stream, at=self._now
        )
        return decision

    def _found_out(
        self,
        finding: Finding,
        before: Link | None,
        around: Neighbourhood,
        suppressions: Mapping[str, Suppression],
        now: datetime,
    ) -> Decision:
        decision = Decision(stream=self.stream, key=finding.key, raw={}, before=before)
        if finding.kind == "gone":
            return self._let_go(decision, suppressions, around)
        if finding.kind == "dormant":
            fall_asleep(decision, self._policy, now)
        else:
            lose_the_tag(decision, self._policy)
        return decision

    def _let_go(self, decision: Decision, suppressions: Mapping[str, Suppression], around: Neighbourhood) -> Decision:
        """A record deleted in the ERP leaves like an inactive one, with what the link knows of it."""
        before = decision.before
        if before is None or self._policy.inactive == "ignore":
            return self._leave_out(decision, "gone", around)
        left = self._retire(decision, self._policy.inactive, suppressions, around, reason="gone")
        if left is not None:
            return left
        self._skipped(decision, "gone", address=before.address, target=before.target)
        held = suppressions.get(before.address)
        if held is not None and held.reason not in MAY_HEAR_NEWS:
            return decision
        assert decision.link is not None
        put_on = tuple(dict.fromkeys((*decision.link.details, self._policy.inactive_tag)))
        decision.link = attrs.evolve(decision.link, details=put_on)
        decision.write = tags_only(decision.key, before.address, on=[self._policy.inactive_tag])
        return decision

    def _retire(
        self,
        decision: Decision,
        how: Leaving,
        suppressions: Mapping[str, Suppression],
        around: Neighbourhood,
        *,
        reason: str,
    ) -> Decision | None:
        """A record that is out of business leaves the audience as the policy says; `None`: it is tagged instead.

        Its member is where the link says, even if the ERP has another address by now.
        """
        before = decision.before
        if before is None or not before.target or around.others(before.address, self.stream, decision.key):
            return self._leave_out(decision, reason, around)
        if how == "tag":
            return None
        self._skipped(decision, reason, address=before.address, target=before.target)
        if was_let_go(before) or is_off(before, suppressions.get(before.address)):
            return decision
        status: Literal["unsubscribed", "archived"] = "unsubscribed" if how == "unsubscribe" else "archived"
        decision.write = status_only(decision.key, before.address, status, exists=True)
        assert decision.link is not None
        decision.link = attrs.evolve(decision.link, taken_off=status)
        decision.news = True
        return decision

    def _keep(
        self,
        decision: Decision,
        party: Party,
        address: str,
        suppressions: Mapping[str, Suppression],
        around: Neighbourhood,
    ) -> Decision:
        """The record's member is created or kept right."""
        if isinstance(decision, Newcomer):
            payload = self._mapper.payload(party, address)
            decision.join(party, payload, status=self._first, owned_prefix=self._mapper.owned_prefix)
            return decision
        owner = around.owner(address, self.stream, decision.key)
        if owner is not None and not self._outranks(owner, party):
            return self._held_off(decision, "shared_address", address, "", around)
        suppression, followed = suppressions.get(address), following(decision.before, address, suppressions)
        target = decision.before.target if decision.before and decision.before.address == address else ""
        if suppression is None and followed is not None:
            decision.suppression = suppression = followed
        if suppression is not None and suppression.reason not in MAY_HEAR_NEWS:
            return self._held_off(decision, suppression.reason, address, target, around)
        if around.is_opted_out(address) and not target:
            return self._skipped(decision, "address_opted_out", address=address)
        payload = self._mapper.payload(party, address, more_tags=leaving_tag(self._policy, party.status))
        decision.fingerprint = payload.fingerprint
        silent = suppression is not None or around.is_opted_out(address)
        back = None if silent else way_back(decision.before, self._policy, self._first, party.status)
        if back is None and self._is_settled(decision, address):
            return decision
        if owner is not None:
            decision.other_links = [*decision.other_links, disowned(owner)]
        self._write(decision, party, payload, suppressions, around, owner, silent=silent, back=back)
        return decision

    def _outranks(self, owner: Link, party: Party) -> bool:
        if party.status == "active" and is_tagged_as_leaving(owner, self._policy):
            return True
        by_kind = self.stream == "customers" and owner.stream != "customers"
        return by_kind and self._policy.shared_email == "customer_first"

    def _held_off(self, decision: Decision, reason: str, address: str, target: str, around: Neighbourhood) -> Decision:
        """The record writes to nobody there; another address that it spoke for goes to the next record."""
        before = decision.before
        if before is not None and before.owner and before.target and before.address != address:
            self._hand_over(decision, before.address, around)
        return self._skipped(decision, reason, address=address, target=target)

    def _is_settled(self, decision: Decision, address: str) -> bool:
        """Nothing new against the state: unchanged, or refused before with the very same payload."""
        before = decision.before
        if before is None or self._force or before.fingerprint != decision.fingerprint:
            return False
        if before.state == "dead":
            decision.outcome, decision.reason, decision.news = "dead", before.reason, False
            return True
        if before.address != address:
            return False
        if before.state == "synced" and before.owner:
            decision.outcome, decision.news = "unchanged", False
            return True
        return False

    def _write(
        self,
        decision: Decision,
        party: Party,
        payload: MemberPayload,
        suppressions: Mapping[str, Suppression],
        around: Neighbourhood,
        outranked: Link | None,
        *,
        silent: bool,
        back: MemberStatus | None,
    ) -> None:
        before, address = decision.before, payload.address
        had_member = before is not None and bool(before.target)
        moved = had_member and before is not None and before.address != address
        taken_off = before.taken_off if before and not back else ""
        previous, bounced = None, False
        if moved and before is not None:
            held = suppressions.get(before.address)
            # A bounced address is left behind: it says nothing about the new one.
            bounced = held is not None and held.reason not in MAY_HEAR_NEWS
            others_stay = self._hand_over(decision, before.address, around)
            previous = None if others_stay or bounced else before.address
        # Whoever was taken off and is to stay so stays so even where the member has to be made again; and of a member
        # that is not where it is to be moved from nobody knows whether it was deleted for good.
        silent = silent or (back is None and not bounced and is_off(before, None))
        born_as: MemberStatus = "unsubscribed" if silent or previous else born_again_as(before, self._first)
        known_permissions = permissions_of(before, outranked)
        same_member = before if had_member and (not moved or previous) else None
        marks = marks_on(same_member, self._policy)
        decision.write = MemberWrite(
            record_key=decision.key,
            address=address,
            body=payload.body,
            status_if_new=born_as,
            status=back,
            exists=had_member and not moved,
            only_if_member=bool(leaving_tag(self._policy, party.status)),
            previous_address=previous,
            tags_off=tuple(tag for tag in stale_tags(payload, same_member, outranked) if tag not in marks),
            owned_prefix=self._mapper.owned_prefix,
            permissions=permission_wishes(payload, known_permissions, silent=silent),
        )
        decision.link = Link(
            stream=self.stream,
            key=decision.key,
            address=address,
            target=member_id(address),
            fingerprint=decision.fingerprint,
            parent=party.customer_key if isinstance(party, Contact) else "",
            contact_id=same_member.contact_id if same_member else "",
            details=(*payload.tags, *marks),
            permissions=known_permissions,
            taken_off=taken_off,
            standing=same_member.standing if same_member else "",
            moved_from=before.moved_from if before and decision.key in self._redirected else "",
            synced_at=self._now,
        )

    def _hand_over(self, decision: Decision, address: str, around: Neighbourhood) -> bool:
        """Give the member at `address` to the next record that shares it; false when there is none."""
        others = around.others(address, self.stream, decision.key)
        if not others:
            return False
        heir = others[0]
        assert decision.before is not None
        decision.other_links = [*decision.other_links, inherited(heir, decision.before)]
        decision.takeover = (heir.stream, heir.key)
        return True

    def write(self, sink: Sink, writes: Sequence[MemberWrite]) -> list[WriteResult]:
        """Send the writes of a batch."""
        return sink.write_members(writes)

    def slices(self, writes: Sequence[MemberWrite]) -> list[Sequence[MemberWrite]]:
        """Members go in bulk: one call for the whole batch."""
        return [writes] if writes else []

    def settle(self, decision: Decision, result: WriteResult, now: datetime) -> None:
        """Complete a decision with the sink's answer."""
        complete(decision, result, now)

    def finish(self, decisions: Sequence[Decision]) -> None:
        """Where the record that was to speak for an address died, the next one in the batch takes over."""
        name_heirs(decisions)
