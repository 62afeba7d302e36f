"""What the sink's answer makes of a decision about a person, and of the link that stays."""

from __future__ import annotations

from datetime import datetime

import attrs

from ..models import MemberWrite, Suppression, WriteResult
from ._consent import standing_after
from ._decision import Decision
from ._newcomers import Newcomer
from ._segments import hanging_on

__all__ = ["complete"]

_REMEMBERED_SKIPS = {"cleaned", "compliance", "forgotten"}
"""Refusals that a further try would only meet again."""


def complete(decision: Decision, result: WriteResult, now: datetime) -> None:
    """Complete a decision with the answer to its write."""
    if isinstance(decision, Newcomer) and decision.link is None:
        if result.kind in {"created", "updated"}:
            decision.link = decision.link_after(result)
            decision.take(result)
            return
        decision.link = decision.link_after(None)
    tried = decision.link.details if decision.link else ()
    decision.take(result)
    if result.kind == "skipped":
        _left_alone(decision, result, now)
    elif decision.link is not None:
        changed = hanging_on(decision.link, result, tried)
        if result.kind != "dead" and isinstance(decision.write, MemberWrite):
            changed |= standing_after(decision.link, decision.write, result)
        if changed:
            decision.link = attrs.evolve(decision.link, **changed)


def _left_alone(decision: Decision, result: WriteResult, now: datetime) -> None:
    """The far side left this member alone: what is to be remembered of it."""
    assert isinstance(decision.write, MemberWrite)
    assert decision.link is not None
    if result.reason in _REMEMBERED_SKIPS:
        decision.suppression = Suppression(
            address=decision.write.address, reason=result.reason, origin="mailchimp", at=now
        )
    target = "" if result.reason in {"forgotten", "not_a_member"} else decision.link.target
    decision.link = attrs.evolve(
        decision.link,
        state="skipped",
        reason=decision.reason,
        target=target,
        contact_id=decision.link.contact_id if target else "",
        owner=False,
        fingerprint="",
        taken_off="",
    )
