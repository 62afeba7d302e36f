"""Learning, before anything is written, who unsubscribed, bounced, was archived or came back since the last run.

Webhooks are no complete feed, so every run reads the audience's own changes; with it suppressions are right without
any webhook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from ..cursors import HighWaterMark, next_window
from ..errors import ConfigurationError, FatalError
from ..models import AudienceMember, AuditEntry, Checkpoint, Link, Suppression
from ..protocols import Clock, Sink, StateStore
from ._flags import Flagger
from ._intents import Intent, intents_about, open_intents

__all__ = ["AUDIENCE", "MAILABLE", "Statuses", "refresh_suppressions"]

AUDIENCE = "audience"
"""Name under which the mark of the audience's own changes is kept."""

MAILABLE = {"subscribed", "pending", "transactional"}
"""Statuses in which a member hears from somebody, or can."""

_OVERLAP = timedelta(minutes=5)


@attrs.frozen(kw_only=True)
class Statuses:
    """Takes over into the state who is silent in the audience, and who can be mailed again.

    Attributes:
        origin: in whose name addresses are suppressed.
        keep_unsubscribes: whether an unsubscribe becomes a suppression, or is only noted in the audit.
        flagger: tells the ERP.
    """

    state: StateStore
    commit: Callable[[Checkpoint], None]
    pipeline: str
    job_id: str
    clock: Clock
    origin: str
    keep_unsubscribes: bool = True
    flagger: Flagger | None = None

    def take_over(self, members: Sequence[AudienceMember]) -> tuple[set[str], set[str]]:
        """Commit what the state did not know of these members: who is newly silent, and whose suppression ended."""
        news = _checkpoint(
            members,
            self.state,
            pipeline=self.pipeline,
            job_id=self.job_id,
            now=self.clock.now(),
            origin=self.origin,
        )
        silent, back = {held.address for held in news.suppressions}, set(news.lifted)
        if news.suppressions or news.lifted or news.audit or news.links:
            self.commit(self.by_policy(news))
        return silent, back

    def by_policy(self, news: Checkpoint, *, patiently: bool = False) -> Checkpoint:
        """The same, once the ERP was told, and without the suppressions that are only to be noted.

        Args:
            patiently: where nothing can be flagged, the flags are left to a later run instead of raising.

        Raises:
            FatalError, ConfigurationError: nothing can be flagged before somebody mends it.
        """
        if self.flagger is not None and news.suppressions:
            try:
                told = self.flagger.tell(news.suppressions)
            except (FatalError, ConfigurationError) as error:
                if not patiently:
                    raise
                told = self.flagger.set_aside(news.suppressions, error)
            news = attrs.evolve(
                news, dead_letters=told.dead_letters, settled=told.settled, audit=news.audit + told.audit
            )
        if not self.keep_unsubscribes:
            kept = tuple(held for held in news.suppressions if held.reason != "unsubscribed")
            news = attrs.evolve(news, suppressions=kept)
        return news


def refresh_suppressions(sink: Sink, statuses: Statuses) -> int:
    """Bring the state's suppressions up to the audience's present; returns how many members are newly silent."""
    pipeline, present = statuses.pipeline, sink.present()
    since = next_window(statuses.state.mark(pipeline, AUDIENCE), present, _OVERLAP).lower
    assert since is None or isinstance(since, datetime)
    found = sum(len(statuses.take_over(members)[0]) for members in sink.changed_members(since))
    mark = HighWaterMark(stream=AUDIENCE, value=present)
    # What was meant and is not seen by now was not done.
    dropped = open_intents(statuses.state, pipeline)
    statuses.commit(Checkpoint(pipeline=pipeline, job_id=statuses.job_id, mark=mark, dropped=dropped))
    return found


def _checkpoint(
    members: Sequence[AudienceMember], state: StateStore, *, pipeline: str, job_id: str, now: datetime, origin: str
) -> Checkpoint:
    addresses = [member.address for member in members]
    held = state.suppressions(pipeline, addresses)
    links = state.links_to(pipeline, addresses)
    silent = [member for member in members if member.status not in MAILABLE]
    carried_out = _carried_out(silent, links, state, pipeline)
    links = {address: tuple(_with(carried_out, group)) for address, group in links.items()}
    news = [member for member in silent if _is_news(member, held, links.get(member.address, ()), origin)]
    return Checkpoint(
        pipeline=pipeline,
        job_id=job_id,
        suppressions=tuple(Suppression(address=m.address, reason=m.status, origin=origin, at=now) for m in news),
        lifted=tuple(m.address for m in members if m.status in MAILABLE and _held_by(origin, held.get(m.address))),
        links=(
            *(intent.link for intent in carried_out.values()),
            *(link for member in members for link in _seen_as(member, links.get(member.address, ()))),
        ),
        dropped=tuple(intent.note for intent in carried_out.values()),
        audit=(*_audit(news, links, job_id=job_id, now=now), *_late_audit(carried_out, job_id=job_id, now=now)),
    )


def _carried_out(
    silent: Sequence[AudienceMember], links: Mapping[str, Sequence[Link]], state: StateStore, pipeline: str
) -> dict[tuple[str, str], Intent]:
    """The intents of a run that broke off which the audience shows to be carried out."""
    standing = {member.address: member for member in silent}
    here = [link for address in standing for link in links.get(address, ())]
    return {
        (intent.link.stream, intent.link.key): intent
        for intent in intents_about(here, state, pipeline)
        if _is_ours(intent.link, standing[intent.link.address])
    }


def _with(carried_out: Mapping[tuple[str, str], Intent], links: Sequence[Link]) -> Iterator[Link]:
    for link in links:
        intent = carried_out.get((link.stream, link.key))
        yield link if intent is None else intent.link


def _is_news(member: AudienceMember, held: Mapping[str, Suppression], links: Sequence[Link], origin: str) -> bool:
    """What this library itself took off is no will of the person, and is not held against them.

    Nor does the audience cover what somebody else said: a complaint, a bounce elsewhere, an erasure.
    """
    known = held.get(member.address)
    by_us = any(_is_ours(link, member) for link in links)
    return not by_us and (known is None or (known.origin == origin and known.reason not in {member.status, "abuse"}))


def _is_ours(link: Link, member: AudienceMember) -> bool:
    """The member has the status that this library gave it, and did not take it by its own hand as well."""
    own_hand = member.status == "unsubscribed" and bool(member.reason) and "admin" not in member.reason.lower()
    return bool(link.taken_off) and link.taken_off == member.status and not own_hand


def _seen_as(member: AudienceMember, links: Sequence[Link]) -> Iterator[Link]:
    """Those of the links that change with what was seen: where the member stands, and that it is not off by us now."""
    for link in links:
        if link.target and not _is_ours(link, member):
            seen = attrs.evolve(link, standing=member.status, taken_off="")
            if seen != link:
                yield seen


def _held_by(origin: str, suppression: Suppression | None) -> bool:
    """What somebody else said against an address is not for the audience to lift."""
    return suppression is not None and suppression.origin == origin


def _audit(
    members: Sequence[AudienceMember], links: Mapping[str, Sequence[Link]], *, job_id: str, now: datetime
) -> Iterator[AuditEntry]:
    for member in members:
        for link in links.get(member.address, ()):
            yield AuditEntry(
                at=now, job_id=job_id, stream=link.stream, key=link.key, outcome="suppressed", reason=member.status
            )


def _late_audit(carried_out: Mapping[tuple[str, str], Intent], *, job_id: str, now: datetime) -> Iterator[AuditEntry]:
    """What the run that broke off did could not be written down by it."""
    for stream, key in carried_out:
        yield AuditEntry(at=now, job_id=job_id, stream=stream, key=key, outcome="updated", reason="taken_off")
