"""What every state store promises of removing what is old."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import pytest

from ..cursors import HighWaterMark
from ..errors import StateError
from ..models import AuditEntry, DeadLetter, Lease, Link, Pruned, Suppression
from ..protocols import StateStore
from ._lease_contract import HOUR, NOW, commit
from ._note_contract import note
from ._seen_contract import SeenContract

__all__ = ["PruneContract"]

_LATER = NOW + timedelta(days=30)


def _entry(key: str, at: datetime = NOW) -> AuditEntry:
    return AuditEntry(at=at, job_id="job", stream="customers", key=key, outcome="created")


class PruneContract(SeenContract):
    """Old audit entries, notes that nobody needs and leases that ran out go; everything else stays."""

    def test_what_is_old_goes(self, store: StateStore, lease: Lease) -> None:
        """Audit entries and notes of the named kinds from before the moment go, and are counted; later ones stay."""
        commit(store, lease, audit=(_entry("C1"), _entry("C2", _LATER), _entry("C3", NOW - HOUR)))
        fresh = attrs.evolve(note("r2", kind="receipt"), at=_LATER)
        commit(store, lease, notes=(note("r1", kind="receipt"), fresh, note("b1")))
        renewed = store.renew(lease, now=_LATER, duration=HOUR)

        pruned = store.prune("acme", before=_LATER, kinds=["receipt", "unknown"])

        assert Pruned(audit=2, notes=1) == pruned
        assert [_entry("C2", _LATER)] == list(store.audit("acme"))
        assert ([fresh], [note("b1")]) == (list(store.notes("acme", "receipt")), list(store.notes("acme", "batch")))
        assert Pruned() == store.prune("acme", before=_LATER, kinds=["receipt"])
        commit(store, renewed)

    def test_the_moment_itself_stays(self, store: StateStore, lease: Lease) -> None:
        """What is exactly as old as the moment stays, whatever zone the moment is told in."""
        commit(store, lease, audit=(_entry("C1"),), notes=(note("r1"),))

        assert Pruned() == store.prune("acme", before=NOW, kinds=["batch"])
        assert Pruned(audit=1) == store.prune("acme", before=NOW + timedelta(microseconds=1))

    def test_what_says_something_still_true_never_goes(self, store: StateStore, lease: Lease) -> None:
        """Dead letters, links, suppressions, marks and notes of other kinds stay, however old they are."""
        letter = DeadLetter(
            stream="customers", key="C1", reason="r", message="m", payload={}, first_at=NOW, last_at=NOW, job_id="job"
        )
        link = Link(stream="customers", key="C1", address="a@x", synced_at=NOW)
        held = Suppression(address="a@x", reason="unsubscribed", origin="mailchimp", at=NOW)
        mark = HighWaterMark(stream="customers", value=NOW)
        commit(
            store, lease, dead_letters=(letter,), links=(link,), suppressions=(held,), mark=mark, notes=(note("b1"),)
        )

        store.prune("acme", before=_LATER, kinds=["receipt"])

        assert [letter] == list(store.dead_letters("acme"))
        assert {"C1": link} == store.links("acme", "customers", ["C1"])
        assert {"a@x": held} == store.suppressions("acme", ["a@x"])
        assert mark == store.mark("acme", "customers")
        assert [note("b1")] == list(store.notes("acme", "batch"))

    def test_so_many_at_once(self, store: StateStore, lease: Lease) -> None:
        """One call removes no more than it may, the longest kept first; calls repeated until nothing is left end."""
        commit(store, lease, audit=tuple(_entry(f"C{i}") for i in range(5)))
        commit(store, lease, notes=tuple(note(f"n{i}") for i in range(5)))

        first = store.prune("acme", before=_LATER, kinds=["batch"], most=2)
        left = [entry.key for entry in store.audit("acme")]
        rest = [store.prune("acme", before=_LATER, kinds=["batch"], most=2) for _ in range(3)]

        assert (2, 2) == (first.audit, first.notes)
        assert ["C2", "C3", "C4"] == left
        assert [(2, 2), (1, 1), (0, 0)] == [(some.audit, some.notes) for some in rest]

    def test_thousands_of_notes(self, store: StateStore, lease: Lease) -> None:
        """More notes and entries than a statement can name go in one call."""
        commit(store, lease, notes=tuple(note(f"n{i}") for i in range(1200)))
        commit(store, lease, audit=tuple(_entry(f"C{i}") for i in range(1200)))

        pruned = store.prune("acme", before=_LATER, kinds=["batch"], most=5000)

        assert (1200, 1200) == (pruned.audit, pruned.notes)

    def test_other_pipelines_are_left_alone(self, store: StateStore, lease: Lease) -> None:
        """What is old in another pipeline stays."""
        commit(store, lease, audit=(_entry("C1"),), notes=(note("r1"),))

        assert Pruned() == store.prune("Acme", before=_LATER, kinds=["batch"])
        assert [_entry("C1")] == list(store.audit("acme"))

    def test_a_lease_that_ran_out_is_given_back(self, store: StateStore, lease: Lease) -> None:
        """A lease that ran out before the moment is free; its fencing number is not forgotten."""
        assert 0 == store.prune("acme", before=lease.expires_at).leases
        assert 1 == store.prune("acme", before=lease.expires_at + HOUR).leases
        assert 0 == store.prune("acme", before=lease.expires_at + HOUR).leases

        again = store.acquire("acme", "other", now=NOW, duration=HOUR)

        assert again.fencing > lease.fencing
        with pytest.raises(StateError):
            commit(store, lease)

    def test_a_moment_has_a_zone(self, store: StateStore) -> None:
        """A time without zone is refused."""
        with pytest.raises(StateError, match="zone"):
            store.prune("acme", before=datetime(2026, 3, 1))  # noqa: DTZ001
