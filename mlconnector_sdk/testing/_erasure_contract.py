"""What every state store promises of people who were erased."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

import attrs

from ..models import AuditEntry, Lease, Suppression, hidden_address
from ..protocols import StateStore
from ._lease_contract import NOW, commit
from ._prune_contract import PruneContract

__all__ = ["ErasureContract"]


def _said(key: str, stream: str = "customers") -> AuditEntry:
    return AuditEntry(at=NOW, job_id="job", stream=stream, key=key, outcome="dead", reason="r", message="said")


def _hidden(address: str) -> Suppression:
    return Suppression(address=hidden_address(address), reason="erased", origin="erasure", at=NOW)


class ErasureContract(PruneContract):
    """An address that is kept as a hash is found all the same, and what was said about a record can be taken back."""

    def test_a_hidden_suppression_is_found_by_its_address(self, store: StateStore, lease: Lease) -> None:
        """Who asks for an address, alone or among thousands, gets its hidden suppression, and no other address does."""
        commit(store, lease, suppressions=(_hidden("a@x"),))
        many = [f"other{number}@x" for number in range(1200)]

        assert {"a@x": _hidden("a@x")} == store.suppressions("acme", ["a@x", "b@x"])
        assert {"a@x": _hidden("a@x")} == store.suppressions("acme", [*many, "a@x"])
        assert {} == store.suppressions("other", ["a@x"])

    def test_a_hidden_suppression_outweighs_a_plain_one(self, store: StateStore, lease: Lease) -> None:
        """What is said of an address later does not cover that its owner was erased."""
        later = Suppression(address="a@x", reason="unsubscribed", origin="mailchimp", at=NOW)
        commit(store, lease, suppressions=(_hidden("a@x"),))
        commit(store, lease, suppressions=(later, attrs.evolve(later, address="b@x")))

        assert ["erased", "unsubscribed"] == [
            store.suppressions("acme", ["a@x", "b@x"])[address].reason for address in ("a@x", "b@x")
        ]

    def test_lifting_an_address_leaves_a_hidden_suppression(self, store: StateStore, lease: Lease) -> None:
        """A suppression lifted by its address is the plain one; whoever was erased stays so."""
        plain = Suppression(address="a@x", reason="unsubscribed", origin="mailchimp", at=NOW)
        commit(store, lease, suppressions=(plain, _hidden("a@x")))
        commit(store, lease, lifted=("a@x",))

        assert {"a@x": _hidden("a@x")} == store.suppressions("acme", ["a@x"])

    def test_scrubbing_takes_back_what_was_said(self, store: StateStore, lease: Lease) -> None:
        """Scrubbed records keep their audit entries without messages; other records, and later entries, keep theirs."""
        others = [_said("C2"), _said("C1", "orders"), _said("c1")]
        commit(store, lease, audit=(_said("C1"), *others, _said("C1")))
        commit(store, lease, scrubbed=(("customers", "C1"), ("customers", "unknown")), audit=(_said("C1"),))

        blank = attrs.evolve(_said("C1"), message="")
        assert [blank, *others, blank, _said("C1")] == list(store.audit("acme"))

    def test_scrubbing_stays_in_its_pipeline(self, store: StateStore, lease: Lease) -> None:
        """A record of the same key in another pipeline is another record."""
        commit(store, lease, audit=(_said("C1"),))
        other = store.acquire("other", "worker", now=NOW, duration=lease.expires_at - NOW)
        commit(store, other, scrubbed=(("customers", "C1"),))

        assert [_said("C1")] == list(store.audit("acme"))
