"""Every state store keeps the promises of `StateStore`."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from mlconnector_sdk.protocols import StateStore
from mlconnector_sdk.state import MemoryStateStore, SQLiteStateStore, SQLStateStore
from mlconnector_sdk.testing import SealedStoreContract
from mlconnector_sdk.testing._state_contract import StateStoreContract


class StoreContract(SealedStoreContract, StateStoreContract):
    """What our own stores keep: state, and a vault's secrets."""


class TestMemoryStateStore(StoreContract):
    def make_store(self, tmp_path: Path) -> StateStore:
        return MemoryStateStore()


class TestSQLiteStateStore(StoreContract):
    durable = True

    def make_store(self, tmp_path: Path) -> StateStore:
        return SQLiteStateStore(tmp_path / "state.db")


class TestSQLiteInMemory(StoreContract):
    def make_store(self, tmp_path: Path) -> StateStore:
        return SQLiteStateStore(":memory:")


class TestSQLStateStoreByURL(StoreContract):
    durable = True

    def make_store(self, tmp_path: Path) -> StateStore:
        return SQLStateStore(f"sqlite:///{tmp_path / 'state.db'}", table_prefix="")


class TestSQLStateStoreOnCallersEngine(StoreContract):
    durable = True

    @pytest.fixture
    def engine(self, tmp_path):
        engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
        yield engine
        engine.dispose()

    @pytest.fixture(autouse=True)
    def _keep(self, engine):
        self.engine = engine

    def make_store(self, tmp_path: Path) -> StateStore:
        return SQLStateStore(self.engine, table_prefix="sync_")


class OnServer(StoreContract):
    """Tables of a prefix of its own for each test, dropped afterwards."""

    durable = True
    url: str

    @pytest.fixture(autouse=True)
    def _clean(self, tmp_path: Path) -> Iterator[None]:
        yield
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for name in inspect(connection).get_table_names():
                if name.startswith(_prefix(tmp_path)):
                    connection.execute(text(f"DROP TABLE {name}"))
        engine.dispose()

    def make_store(self, tmp_path: Path) -> StateStore:
        return SQLStateStore(self.url, table_prefix=_prefix(tmp_path))


def _prefix(tmp_path: Path) -> str:
    return f"t{zlib.crc32(str(tmp_path).encode()):08x}_"


if "MLCONNECTOR_POSTGRES_URL" in os.environ:

    @pytest.mark.server
    class TestOnPostgreSQL(OnServer):
        url = os.environ["MLCONNECTOR_POSTGRES_URL"]


if "MLCONNECTOR_MARIADB_URL" in os.environ:

    @pytest.mark.server
    class TestOnMariaDB(OnServer):
        url = os.environ["MLCONNECTOR_MARIADB_URL"]
