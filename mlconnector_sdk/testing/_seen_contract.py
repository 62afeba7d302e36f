"""What every state store promises of what was seen of records."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

import attrs
import pytest

from ..models import Lease, Link, Seen, Suppression
from ..protocols import StateStore
from ._lease_contract import NOW, commit
from ._note_contract import NoteContract

__all__ = ["SeenContract"]

_LINK = Link(stream="customers", key="C1", address="c1@example.com", synced_at=NOW)
_SKIPPED = Link(stream="customers", key="C2", state="skipped", reason="no_email", owner=False, synced_at=NOW)
_SUPPRESSION = Suppression(address="c1@example.com", reason="unsubscribed", origin="mailchimp", at=NOW)


class SeenContract(NoteContract):
    """What was seen of a record is remembered until its link, or what holds for its address, changes."""

    def test_what_was_seen_is_remembered(self, store: StateStore, lease: Lease) -> None:
        """A digest is kept with its link, and comes with the reason for which the record was skipped."""
        seen = {("customers", "C1"): "d1", ("customers", "C2"): "d2"}
        commit(store, lease, links=(_LINK, _SKIPPED), seen=seen)

        expected = {"C1": Seen(digest="d1"), "C2": Seen(digest="d2", reason="no_email")}
        assert expected == store.seen("acme", "customers", ["C1", "C2", "C3"])
        assert {} == store.seen("acme", "contacts", ["C1"])
        assert {} == store.seen("other", "customers", ["C1"])
        assert {"C1": _LINK} == store.links("acme", "customers", ["C1"])

    def test_what_is_seen_later_counts(self, store: StateStore, lease: Lease) -> None:
        """A digest alone replaces the earlier one and leaves its link as it is; without a link it is nothing."""
        commit(store, lease, links=(_LINK,), seen={("customers", "C1"): "d1"})
        commit(store, lease, seen={("customers", "C1"): "d2", ("customers", "C9"): "d9"})

        assert {"C1": Seen(digest="d2")} == store.seen("acme", "customers", ["C1", "C9"])
        assert {"C1": _LINK} == store.links("acme", "customers", ["C1", "C9"])

    def test_a_link_written_without_it_forgets(self, store: StateStore, lease: Lease) -> None:
        """Whoever changes a link without saying what was seen makes the record be looked at again."""
        commit(store, lease, links=(_LINK,), seen={("customers", "C1"): "d1"})
        commit(store, lease, links=(attrs.evolve(_LINK, standing="unsubscribed"),))

        assert {} == store.seen("acme", "customers", ["C1"])

    @pytest.mark.parametrize("change", [{"suppressions": (_SUPPRESSION,)}, {"lifted": ("c1@example.com",)}])
    def test_a_suppression_forgets(self, store: StateStore, lease: Lease, change: dict[str, object]) -> None:
        """When an address is suppressed, or no longer is, all records at it are looked at again, and no others."""
        contact = attrs.evolve(_LINK, stream="contacts")
        elsewhere = attrs.evolve(_LINK, key="C3", address="c3@example.com")
        seen = {("customers", "C1"): "d1", ("contacts", "C1"): "d2", ("customers", "C3"): "d3"}
        commit(store, lease, links=(_LINK, contact, elsewhere), seen=seen)
        commit(store, lease, **change)

        assert {"C3": Seen(digest="d3")} == store.seen("acme", "customers", ["C1", "C3"])
        assert {} == store.seen("acme", "contacts", ["C1"])
