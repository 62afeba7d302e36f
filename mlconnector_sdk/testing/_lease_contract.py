"""The promises of a lease as tests; part of the suite for state stores."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ..cursors import HighWaterMark
from ..errors import LeaseHeldError, LeaseLostError, StateError
from ..models import Checkpoint, Lease, Link
from ..protocols import StateStore

__all__ = ["HOUR", "NOW", "LeaseContract", "commit", "some_links", "together"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def some_links(count: int, stream: str = "customers") -> tuple[Link, ...]:
    """Links with keys in order, each with an address of its own."""
    return tuple(Link(stream=stream, key=f"C{i:05}", address=f"c{i}@example.com") for i in range(count))


def commit(store: StateStore, lease: Lease, **parts: Any) -> None:
    """Commit a checkpoint of these parts to the pipeline of the lease."""
    store.commit(Checkpoint(pipeline=lease.pipeline, job_id="job", **parts), lease)


def together(work: Callable[[str], None], arguments: Sequence[str]) -> None:
    """Do the work once for each argument, all at the same time."""
    threads = [threading.Thread(target=work, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class LeaseContract(ABC):
    """How a store under test is made, and what its leases promise."""

    durable: bool = False

    @abstractmethod
    def make_store(self, tmp_path: Path) -> StateStore:
        """A store on the state that belongs to this test's own directory, empty at first."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[StateStore]:
        """The store under test, closed afterwards."""
        store = self.make_store(tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def lease(self, store: StateStore) -> Lease:
        """The right to commit to the pipeline `acme`."""
        return store.acquire("acme", "worker", now=NOW, duration=HOUR)

    def test_lease_is_exclusive(self, store: StateStore, lease: Lease) -> None:
        """While a lease runs nobody else gets it, and the refusal names its owner and when it expires."""
        with pytest.raises(LeaseHeldError) as caught:
            store.acquire("acme", "other", now=NOW + HOUR - timedelta(seconds=1), duration=HOUR)

        assert "worker" in str(caught.value)
        assert lease.expires_at.isoformat() in str(caught.value)
        commit(store, lease)

    def test_lease_tells_its_terms(self, lease: Lease) -> None:
        """A lease says for whom, of what and how long it is."""
        assert ("acme", "worker", NOW + HOUR) == (lease.pipeline, lease.owner, lease.expires_at)

    def test_expired_lease_changes_hands(self, store: StateStore, lease: Lease) -> None:
        """At its expiry a lease can be taken over, with a higher fencing number; then the old one is worth nothing."""
        taken = store.acquire("acme", "other", now=NOW + HOUR, duration=HOUR)

        assert taken.fencing > lease.fencing
        with pytest.raises(LeaseLostError):
            commit(store, lease, mark=HighWaterMark(stream="customers", value=1), links=some_links(3))
        with pytest.raises(LeaseLostError):
            store.renew(lease, now=NOW, duration=HOUR)
        assert store.mark("acme", "customers") is None
        assert {} == store.links("acme", "customers", ["C00000"])
        commit(store, taken, links=some_links(1))

    def test_expired_lease_still_commits_until_taken(self, store: StateStore, lease: Lease) -> None:
        """A late worker whom nobody has overtaken may still commit and renew: clocks do not decide, fencing does."""
        commit(store, lease, links=some_links(1))
        renewed = store.renew(lease, now=NOW + 5 * HOUR, duration=HOUR)

        assert NOW + 6 * HOUR == renewed.expires_at
        with pytest.raises(LeaseHeldError):
            store.acquire("acme", "other", now=NOW + 5 * HOUR, duration=HOUR)

    def test_renewed_lease_lasts(self, store: StateStore, lease: Lease) -> None:
        """Renewing moves the expiry, keeps the fencing number, and leaves both copies of the lease good."""
        renewed = store.renew(lease, now=NOW + HOUR / 2, duration=HOUR)

        assert (lease.fencing, NOW + HOUR * 1.5) == (renewed.fencing, renewed.expires_at)
        with pytest.raises(LeaseHeldError):
            store.acquire("acme", "other", now=NOW + HOUR, duration=HOUR)
        commit(store, lease)
        commit(store, renewed)

    def test_same_owner_gets_its_lease_again(self, store: StateStore, lease: Lease) -> None:
        """An owner may take its own running lease again; the fencing number grows and the earlier lease is lost."""
        again = store.acquire("acme", "worker", now=NOW, duration=HOUR)

        assert again.fencing > lease.fencing
        with pytest.raises(LeaseLostError):
            commit(store, lease, links=some_links(1))
        commit(store, again, links=some_links(1))

    def test_released_lease_is_free(self, store: StateStore, lease: Lease) -> None:
        """A lease given back is free at once, good for nothing, and its fencing number is not used again."""
        store.release(lease)

        with pytest.raises(LeaseLostError):
            commit(store, lease, links=some_links(1))
        assert store.acquire("acme", "other", now=NOW, duration=HOUR).fencing > lease.fencing

    def test_release_is_harmless(self, store: StateStore, lease: Lease) -> None:
        """Giving back a lease twice, or one that was lost, takes nothing from its new owner."""
        store.release(lease)
        store.release(lease)
        taken = store.acquire("acme", "other", now=NOW, duration=HOUR)
        store.release(lease)

        commit(store, taken)
        with pytest.raises(LeaseHeldError):
            store.acquire("acme", "third", now=NOW, duration=HOUR)

    def test_owners_are_exact(self, store: StateStore, lease: Lease) -> None:
        """Owners whose names differ by case or a trailing space are different owners."""
        for name in ("Worker", "worker "):
            with pytest.raises(LeaseHeldError):
                store.acquire("acme", name, now=NOW, duration=HOUR)
        commit(store, lease)

    @pytest.mark.parametrize(
        ("pipeline", "owner", "now"),
        [("p" * 101, "worker", NOW), ("acme", "w" * 256, NOW), ("acme", "worker", datetime(2026, 3, 1))],  # noqa: DTZ001
        ids=["pipeline", "owner", "naive time"],
    )
    def test_impossible_terms(self, store: StateStore, pipeline: str, owner: str, now: datetime) -> None:
        """Names too long for some database, and times without zone, are refused before anything is written."""
        with pytest.raises(StateError):
            store.acquire(pipeline, owner, now=now, duration=HOUR)

    def test_renewing_needs_a_zone(self, store: StateStore, lease: Lease) -> None:
        """A lease is not renewed by a time without zone."""
        with pytest.raises(StateError):
            store.renew(lease, now=datetime(2026, 3, 1), duration=HOUR)  # noqa: DTZ001

    def test_lease_of_another_pipeline(self, store: StateStore, lease: Lease) -> None:
        """A lease on one pipeline is no right to commit to another."""
        with pytest.raises(StateError):
            store.commit(Checkpoint(pipeline="other", job_id="job", links=some_links(1)), lease)

        assert {} == store.links("other", "customers", ["C00000"])

    def test_one_of_two_threads_gets_the_lease(self, store: StateStore) -> None:
        """Of workers that ask for a lease at the same moment exactly one gets it."""
        answers: list[object] = []

        def ask(owner: str) -> None:
            try:
                answers.append(store.acquire("acme", owner, now=NOW, duration=HOUR))
            except LeaseHeldError as error:
                answers.append(error)

        together(ask, ["one", "two", "three"])

        assert ["Lease", "LeaseHeldError", "LeaseHeldError"] == sorted(type(answer).__name__ for answer in answers)
