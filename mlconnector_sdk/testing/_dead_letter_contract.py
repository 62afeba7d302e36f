"""What every state store promises of dead letters: one for a record, found by what is asked for."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

from typing import Any

import attrs

from ..models import DeadLetter, Lease
from ..protocols import StateStore
from ._erasure_contract import ErasureContract
from ._lease_contract import HOUR, NOW, commit

__all__ = ["DeadLetterContract", "dead_letter"]


def dead_letter(key: str, stream: str = "customers", **changes: Any) -> DeadLetter:
    """A dead letter, the same for the same key."""
    letter = DeadLetter(
        stream=stream,
        key=key,
        reason="rejected",
        message="refused",
        payload={"id": key},
        first_at=NOW,
        last_at=NOW,
        job_id="job",
    )
    return attrs.evolve(letter, **changes)


class DeadLetterContract(ErasureContract):
    """A record has one dead letter until it is settled, and it is given to whoever asks for it."""

    def test_dead_letters_are_replaced_and_settled(self, store: StateStore, lease: Lease) -> None:
        """A record has one dead letter, the latest, until it is settled."""
        commit(store, lease, dead_letters=(dead_letter("C1"), dead_letter("C2"), dead_letter("C1", "orders")))
        again = dead_letter("C1", attempts=2, last_at=NOW + HOUR)
        commit(store, lease, dead_letters=(again,), settled=(("customers", "C2"), ("customers", "unknown")))

        assert [again, dead_letter("C1", "orders")] == list(store.dead_letters("acme"))

    def test_dead_letter_outlasts_settling(self, store: StateStore, lease: Lease) -> None:
        """A record both settled and set aside in one checkpoint stays set aside: nothing is lost."""
        commit(store, lease, dead_letters=(dead_letter("C1"),))
        commit(store, lease, dead_letters=(dead_letter("C1", attempts=2),), settled=(("customers", "C1"),))

        assert [2] == [letter.attempts for letter in store.dead_letters("acme")]

    def test_dead_letters_by_stream_and_key(self, store: StateStore, lease: Lease) -> None:
        """Dead letters come in order of stream and key, all of them or those asked for."""
        letters = (dead_letter("C2"), dead_letter("C10"), dead_letter("C1", "orders"), dead_letter("C2", "contacts"))
        commit(store, lease, dead_letters=letters)

        def places(**wanted: Any) -> list[tuple[str, str]]:
            return [(letter.stream, letter.key) for letter in store.dead_letters("acme", **wanted)]

        customers = [("customers", "C10"), ("customers", "C2")]
        assert [("contacts", "C2"), *customers, ("orders", "C1")] == places()
        assert customers == places(stream="customers")
        assert [("contacts", "C2"), ("customers", "C2")] == places(keys=["C2", "C2", "unknown"])
        assert [("customers", "C2")] == places(stream="customers", keys=["C2", "C1"])
        assert [] == places(keys=[])

    def test_dead_letters_by_reason(self, store: StateStore, lease: Lease) -> None:
        """Dead letters of one reason, spelt exactly so, alone or with a stream and keys."""
        letters = [dead_letter("C1", reason="takeover"), dead_letter("C2", "orders", reason="takeover")]
        others = (dead_letter("C3"), dead_letter("C4", reason="Takeover"), dead_letter("C5", reason="takeover "))
        commit(store, lease, dead_letters=(*letters, *others))

        assert letters == list(store.dead_letters("acme", reason="takeover"))
        assert letters[1:] == list(store.dead_letters("acme", stream="orders", keys=["C2", "C3"], reason="takeover"))
        assert [] == list(store.dead_letters("acme", reason="none\0"))
