"""Passing a shared address on to the next record when the one that spoke for it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from ..models import Checkpoint, DeadLetter, Link, MemberWrite
from ..protocols import Clock, StateStore
from ._decision import Decision
from ._segments import inherited

__all__ = ["TAKEOVER", "heir_letter", "name_heirs", "pass_on"]

TAKEOVER = "takeover"
"""Reason of the dead letter that stands, durably, for "this record speaks for its address now: write it next"."""


def heir_letter(stream: str, key: str, *, job_id: str, clock: Clock) -> DeadLetter:
    """The order to write this record next; without payload, because only the ERP's present data will do."""
    now = clock.now()
    return DeadLetter(
        stream=stream,
        key=key,
        reason=TAKEOVER,
        message="speaks for its address from now on",
        payload={},
        first_at=now,
        last_at=now,
        first_job_id=job_id,
        job_id=job_id,
    )


def pass_on(
    state: StateStore,
    commit: Callable[[Checkpoint], None],
    heirs: Sequence[DeadLetter],
    *,
    pipeline: str,
    clock: Clock,
) -> None:
    """Settle heirs that were not found in the ERP any more, and name the next one for each of their addresses."""
    stream, keys = heirs[0].stream, [heir.key for heir in heirs]
    still_waiting = state.dead_letters(pipeline, stream=stream, keys=keys, reason=TAKEOVER)
    gone = {letter.key for letter in still_waiting}
    if not gone:
        return
    links = state.links(pipeline, stream, sorted(gone))
    nothing_left = (
        attrs.evolve(k, owner=False, target="", contact_id="", details=(), state="skipped", reason="gone")
        for k in links.values()
    )
    job_id = heirs[0].job_id
    next_heirs = list(_next_heirs(state, pipeline, links.values(), {(stream, key) for key in gone}))
    commit(
        Checkpoint(
            pipeline=pipeline,
            job_id=job_id,
            links=(*nothing_left, *next_heirs),
            settled=tuple((stream, key) for key in sorted(gone)),
            dead_letters=tuple(heir_letter(k.stream, k.key, job_id=job_id, clock=clock) for k in next_heirs),
        )
    )


def _next_heirs(
    state: StateStore, pipeline: str, gone: Iterable[Link], passed_over: set[tuple[str, str]]
) -> Iterator[Link]:
    """The next record of each address, with what hangs on the member there."""
    # Of several that are gone from one address, the one that spoke for it knows its member.
    known = {link.address: link for link in sorted(gone, key=lambda link: link.owner)}
    for address, links in state.links_to(pipeline, sorted(known)).items():
        others = [k for k in links if (k.stream, k.key) not in passed_over and k.reason == "shared_address"]
        yield from (inherited(heir, known[address]) for heir in others[:1])


def name_heirs(decisions: Sequence[Decision]) -> None:
    """Where the record that was to speak for an address died, the next one of the batch is to take over."""
    sharing = [d for d in decisions if d.reason == "shared_address" and d.link is not None]
    if not sharing:
        return
    for dead in (d for d in decisions if d.outcome == "dead" and isinstance(d.write, MemberWrite)):
        assert isinstance(dead.write, MemberWrite)
        address = dead.write.address
        heir = next((d for d in sharing if d.link is not None and d.link.address == address), None)
        if heir is not None:
            dead.takeover = (heir.stream, heir.key)
