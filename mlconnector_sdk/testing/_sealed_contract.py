"""The promises of `protocols.SealedStore` as tests: what an `EncryptedVault` needs to keep its secrets in a store."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..protocols import SealedStore
from ._lease_contract import together

__all__ = ["SealedStoreContract"]

_LONG = "k" * 20000


class SealedStoreContract(ABC):
    """Subclass it in a test file, name the class `Test…`, and say how a store is made.

    Attributes:
        durable: what is kept outlives the store: a second one made with the same `tmp_path` sees it.
    """

    durable: bool = False

    @abstractmethod
    def make_store(self, tmp_path: Path) -> SealedStore:
        """A store that belongs to this test's own directory, empty at first."""

    @pytest.fixture
    def vault_store(self, tmp_path: Path) -> Iterator[SealedStore]:
        """The store under test, closed afterwards if it can be."""
        store = self.make_store(tmp_path)
        yield store
        getattr(store, "close", lambda: None)()

    def test_it_can_be_told_from_other_stores(self, vault_store: SealedStore) -> None:
        """A vault finds out by itself that the store keeps sealed secrets."""
        assert isinstance(vault_store, SealedStore)

    def test_entries_are_put_replaced_and_removed(self, vault_store: SealedStore) -> None:
        """What is exchanged is there to the letter, long or short, until it is exchanged again."""
        assert {} == vault_store.sealed()
        assert vault_store.exchange_sealed("a name, é", None, _LONG)
        assert vault_store.exchange_sealed("b", None, "1.x")
        assert vault_store.exchange_sealed("b", "1.x", "1.X")

        assert {"a name, é": _LONG, "b": "1.X"} == vault_store.sealed()
        assert {"b": "1.X"} == vault_store.sealed(["b", "c"])
        assert vault_store.exchange_sealed("b", "1.X", None)
        assert {} == vault_store.sealed(["b"])

    @pytest.mark.parametrize("before", [None, "1.X", "1.x ", ""])
    @pytest.mark.parametrize("after", [None, "2.y"])
    def test_nothing_is_exchanged_for_something_else(
        self, vault_store: SealedStore, before: str | None, after: str | None
    ) -> None:
        """Where there is another entry than expected, be it by case or blank, nothing happens."""
        vault_store.exchange_sealed("b", None, "1.x")

        assert not vault_store.exchange_sealed("b", before, after)
        assert {"b": "1.x"} == vault_store.sealed()

    def test_nothing_is_exchanged_for_what_is_not_there(self, vault_store: SealedStore) -> None:
        """An entry that is gone is not replaced, and no entry for no entry is fine."""
        assert not vault_store.exchange_sealed("b", "1.x", "2.y")
        assert not vault_store.exchange_sealed("b", "1.x", None)
        assert vault_store.exchange_sealed("b", None, None)
        assert {} == vault_store.sealed()

    def test_names_are_compared_exactly(self, vault_store: SealedStore) -> None:
        """Names that differ by case are two."""
        vault_store.exchange_sealed("key", None, "1.x")
        vault_store.exchange_sealed("Key", None, "1.y")

        assert {"key": "1.x", "Key": "1.y"} == vault_store.sealed()

    def test_writers_at_once_lose_nothing(self, vault_store: SealedStore) -> None:
        """Of many who write at once each keeps its own entry, and one alone gets the entry that all of them want."""
        won = []

        def work(name: str) -> None:
            assert vault_store.exchange_sealed(name, None, f"1.{name}")
            if vault_store.exchange_sealed("wanted", None, f"1.{name}"):
                won.append(name)

        names = [f"n{number}" for number in range(6)]
        together(work, names)

        assert 1 == len(won)
        assert {**{name: f"1.{name}" for name in names}, "wanted": f"1.{won[0]}"} == vault_store.sealed()

    def test_entries_outlive_the_store(self, vault_store: SealedStore, tmp_path: Path) -> None:
        """Another store on the same place sees what was written, if the store is durable at all."""
        vault_store.exchange_sealed("b", None, "1.x")
        other = self.make_store(tmp_path)

        assert ({"b": "1.x"} if self.durable else {}) == other.sealed()
        getattr(other, "close", lambda: None)()
