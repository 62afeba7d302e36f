"""What every state store promises of notes."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

from decimal import Decimal

import attrs

from ..models import Lease, Note
from ..protocols import StateStore
from ._lease_contract import HOUR, NOW, LeaseContract, commit

__all__ = ["NoteContract", "note"]


def note(key: str, kind: str = "batch") -> Note:
    """A note as a run might leave it."""
    return Note(kind=kind, key=key, payload={"stage": "products"}, at=NOW)


class NoteContract(LeaseContract):
    """Notes are kept by kind and key until dropped."""

    def test_notes_are_replaced_and_dropped(self, store: StateStore, lease: Lease) -> None:
        """Notes are kept by kind and key, the latest counts, and come in order of their keys until dropped."""
        first, second = note("b2"), note("b10")
        commit(store, lease, notes=(first, second, note("b2", kind="receipt")))
        later = attrs.evolve(first, payload={"stage": "orders", "amount": Decimal("1.10")}, at=NOW + HOUR)
        commit(store, lease, notes=(later,), dropped=(("receipt", "b2"), ("batch", "unknown")))

        assert [second, later] == list(store.notes("acme", "batch"))
        assert [later] == list(store.notes("acme", "batch", keys=["b2", "b3"]))
        assert [] == list(store.notes("acme", "receipt"))
        assert [] == list(store.notes("other", "batch"))

    def test_a_note_outlasts_dropping(self, store: StateStore, lease: Lease) -> None:
        """A note both dropped and written in one checkpoint stays."""
        commit(store, lease, notes=(note("b1"),), dropped=(("batch", "b1"),))

        assert [note("b1")] == list(store.notes("acme", "batch"))
