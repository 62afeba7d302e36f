"""A state among other people's things: their tables, their engine and its transactions."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import create_engine, event, inspect, text

from mlconnector_sdk.errors import StateError
from mlconnector_sdk.state import SQLStateStore, _database as reached
from tests.contracts._state_databases import DATABASES, ENTRY, HOUR, NOW, opened, use


@pytest.fixture(name="database", params=DATABASES)
def _database(request, tmp_path):
    with opened(request.param, tmp_path) as database:
        yield database


def test_two_prefixes_share_a_database(database):
    """States of different prefixes lie side by side and know nothing of each other."""
    one = SQLStateStore(database.engine, table_prefix=f"{database.prefix}one_")
    two = SQLStateStore(database.engine, table_prefix=f"{database.prefix}Two_2_")

    assert ["C1"] == use(one, "C1")
    assert ["C2"] == use(two, "C2")
    assert [ENTRY] == list(one.audit("acme"))
    tables = inspect(database.engine).get_table_names()
    assert {9} == {sum(name.lower().startswith(f"{database.prefix}{n}_") for name in tables) for n in ("one", "two")}


def test_a_callers_engine_keeps_its_pool(database):
    """A store gives back what it takes from a caller's pool, at once and as it was, and `close` closes nothing."""
    engine = create_engine(database.url, pool_size=1, max_overflow=0, pool_timeout=1)
    store, events = SQLStateStore(engine, table_prefix=database.prefix), []
    with engine.connect() as connection:
        isolation = connection.get_isolation_level()
    event.listen(engine, "close", lambda *_: events.append("close"))

    assert ["C1"] == use(store)
    assert 0 == engine.pool.checkedout()
    # Nothing of a look-up that was left in its middle is held either.
    assert next(store.audit("acme"))
    assert 0 == engine.pool.checkedout()
    store.close()

    assert [] == events
    with engine.connect() as connection:
        assert isolation == connection.get_isolation_level()
    assert ["C1"] == [link.key for link in store.all_links("acme", "customers")]
    engine.dispose()


def test_a_callers_transaction_is_its_own(database):
    """What a caller has not committed is neither committed nor undone by a store on the same engine."""
    engine = create_engine(database.url)
    database.run(f"CREATE TABLE {database.prefix}own (id INTEGER PRIMARY KEY)")
    store = SQLStateStore(engine, table_prefix=database.prefix)
    store.mark("acme", "customers")
    with engine.connect() as connection:
        connection.execute(text(f"SELECT * FROM {database.prefix}own")).all()
        if database.name != "sqlite":
            # SQLite has one writer at a time.
            connection.execute(text(f"INSERT INTO {database.prefix}own VALUES (1)"))
        assert ["C1"] == use(store)
        connection.rollback()
        connection.execute(text(f"INSERT INTO {database.prefix}own VALUES (2)"))
        assert ["C1"] == [link.key for link in store.all_links("acme", "customers")]
        connection.commit()

    with engine.connect() as connection:
        assert [2] == list(connection.scalars(text(f"SELECT id FROM {database.prefix}own")))
    assert [ENTRY] == list(store.audit("acme"))
    engine.dispose()


def test_nobody_waits_for_a_lock_without_end(database, monkeypatch):
    """Who meets the lock of a process that hangs is told so in the end, and can go on when that process is gone."""
    monkeypatch.setattr(reached, "_BUSY_SECONDS", 0.2)
    # MariaDB has a limit of its own, in whole seconds.
    brief = {"init_command": "SET innodb_lock_wait_timeout = 1"} if database.name == "mariadb" else {}
    engine = create_engine(database.url, connect_args=brief) if brief else reached.open_engine(database.url)
    store = SQLStateStore(engine, table_prefix=database.prefix)
    store.release(store.acquire("acme", "hangs", now=NOW, duration=HOUR))

    with database.engine.connect() as hangs:
        hangs.execute(text(f"UPDATE {database.prefix}leases SET expires_at = 0"))
        with pytest.raises(StateError, match=r"lock.* for too long"):
            store.acquire("acme", "worker", now=NOW, duration=HOUR)

    assert 2 == store.acquire("acme", "worker", now=NOW, duration=HOUR).fencing
    engine.dispose()


if "MLCONNECTOR_POSTGRES_URL" in os.environ:

    @pytest.mark.server
    @pytest.mark.parametrize(("set_by_caller", "within"), [("0", "30s"), ("7s", "7s")])
    def test_the_limit_of_a_session_stays(set_by_caller, within, tmp_path):
        """PostgreSQL is asked for a limit within the store's own transactions only, and where a caller set none."""
        with opened("postgresql", tmp_path) as database:
            engine = create_engine(database.url, connect_args={"options": f"-c lock_timeout={set_by_caller}"})
            store, seen = SQLStateStore(engine, table_prefix=database.prefix), []
            store.mark("acme", "customers")

            @event.listens_for(engine, "commit")
            def _look(connection):
                seen.append(connection.exec_driver_sql("SHOW lock_timeout").scalar_one())

            store.acquire("acme", "worker", now=NOW, duration=HOUR)

            assert [within] == seen
            with engine.connect() as connection:
                assert set_by_caller == connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
            engine.dispose()
