"""What a plan sees of the state: what is kept, under what the plan itself would have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs

from mlconnector_sdk.models import Checkpoint, DeadLetter
from mlconnector_sdk.state import MemoryStateStore
from mlconnector_sdk.sync._plan import StateOverlay

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _letter(key, reason="takeover", stream="customers"):
    return DeadLetter(
        stream=stream, key=key, reason=reason, message="m", payload={}, first_at=NOW, last_at=NOW, job_id="job"
    )


def test_dead_letters_of_a_reason():
    """Of dead letters both kept and planned, those of the reason asked for are given, each as it is now."""
    store = MemoryStateStore()
    lease = store.acquire("acme", "worker", now=NOW, duration=timedelta(hours=1))
    kept = (_letter("C1"), _letter("C2"), _letter("C3", "bad_email"), _letter("C4", "bad_email"))
    store.commit(Checkpoint(pipeline="acme", job_id="job", dead_letters=kept), lease)
    overlay = StateOverlay(store)
    changed = attrs.evolve(kept[0], reason="bad_email")
    planned = (changed, attrs.evolve(kept[2], reason="takeover"), _letter("D1", stream="orders"))
    overlay.commit(Checkpoint(pipeline="acme", job_id="plan", dead_letters=planned))

    assert [kept[1], *planned[1:]] == list(overlay.dead_letters("acme", reason="takeover"))
    assert [kept[3], changed] == list(overlay.dead_letters("acme", stream="customers", reason="bad_email"))
    assert [planned[1]] == list(overlay.dead_letters("acme", keys=["C1", "C3"], reason="takeover"))
