"""A state among other people's things: their names, their schema, their engine and transactions, their rights."""

from __future__ import annotations

import attrs
import pytest
from sqlalchemy import URL, create_engine, event, inspect, make_url, text

from mlconnector_sdk.errors import StateError
from mlconnector_sdk.models import AuditEntry, Checkpoint, Link
from mlconnector_sdk.state import SQLStateStore
from tests.contracts._state_databases import DATABASES, HOUR, NOW, SERVERS, Database, opened

ENTRY = AuditEntry(at=NOW, job_id="job", stream="customers", key="C1", outcome="created")
PASSWORD = "a-Password-1"


@pytest.fixture(name="database", params=DATABASES)
def _database(request, tmp_path):
    with opened(request.param, tmp_path) as database:
        yield database


@pytest.fixture(name="server", params=SERVERS)
def _server(request, tmp_path):
    with opened(request.param, tmp_path) as database:
        yield database


def _use(store, key="C1"):
    """Every kind of statement: read, replace, add, remove."""
    lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
    checkpoint = Checkpoint(
        pipeline="acme",
        job_id="job",
        links=(Link(stream="customers", key=key),),
        audit=(ENTRY,),
        dropped=(("k", "n"),),
    )
    store.commit(checkpoint, lease)
    store.prune("acme", before=NOW, kinds=["k"])
    store.release(lease)
    return [link.key for link in store.all_links("acme", "customers")]


def test_two_prefixes_share_a_database(database):
    """States of different prefixes lie side by side and know nothing of each other."""
    one = SQLStateStore(database.engine, table_prefix=f"{database.prefix}one_")
    two = SQLStateStore(database.engine, table_prefix=f"{database.prefix}Two_2_")

    assert ["C1"] == _use(one, "C1")
    assert ["C2"] == _use(two, "C2")
    assert [ENTRY] == list(one.audit("acme"))
    tables = inspect(database.engine).get_table_names()
    assert {9} == {sum(name.lower().startswith(f"{database.prefix}{n}_") for name in tables) for n in ("one", "two")}


def test_a_schema_of_its_own(server):
    """All tables lie in the schema that was named, created by the caller, and none beside it."""
    schema = f"{server.prefix}Other"
    server.run(f"CREATE SCHEMA {_quoted(server, schema)}")
    try:
        store = SQLStateStore(server.url, schema=schema, table_prefix=server.prefix)
        assert ["C1"] == _use(store)
        store.close()

        assert 9 == len(inspect(server.engine).get_table_names(schema=schema))
        assert {} == server.shape()
        again = SQLStateStore(server.url, schema=schema, table_prefix=server.prefix)
        assert [ENTRY] == list(again.audit("acme"))
        again.close()
    finally:
        cascade = " CASCADE" if server.name == "postgresql" else ""
        server.run(f"DROP SCHEMA {_quoted(server, schema)}{cascade}")


def test_a_schema_that_is_missing(server):
    """A schema that does not exist is named, with what to do."""
    store = SQLStateStore(server.url, schema=f"{server.prefix}nowhere")

    with pytest.raises(StateError, match=rf"{server.prefix}nowhere.*: create the schema, or name another one"):
        store.mark("acme", "customers")
    store.close()


def _quoted(server, name):
    return server.engine.dialect.identifier_preparer.quote(name)


def test_a_callers_engine_keeps_its_pool(database):
    """A store gives back what it takes from a caller's pool, at once and as it was, and `close` closes nothing."""
    engine = create_engine(database.url, pool_size=1, max_overflow=0, pool_timeout=1)
    store, events = SQLStateStore(engine, table_prefix=database.prefix), []
    with engine.connect() as connection:
        isolation = connection.get_isolation_level()
    event.listen(engine, "close", lambda *_: events.append("close"))

    assert ["C1"] == _use(store)
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
        assert ["C1"] == _use(store)
        connection.rollback()
        connection.execute(text(f"INSERT INTO {database.prefix}own VALUES (2)"))
        assert ["C1"] == [link.key for link in store.all_links("acme", "customers")]
        connection.commit()

    with engine.connect() as connection:
        assert [2] == list(connection.scalars(text(f"SELECT id FROM {database.prefix}own")))
    assert [ENTRY] == list(store.audit("acme"))
    engine.dispose()


def test_stricter_isolation_of_a_callers_engine(server):
    """An engine whose transactions are serializable makes the tables and works like any other."""
    engine = create_engine(server.url, isolation_level="SERIALIZABLE")
    store = SQLStateStore(engine, table_prefix=server.prefix)

    assert ["C1"] == _use(store)
    with engine.connect() as connection:
        assert "SERIALIZABLE" == connection.get_isolation_level()
    engine.dispose()


@attrs.frozen
class _User:
    """A database user who may log in, and what it takes to give it more."""

    server: Database
    name: str
    url: URL

    def may(self, *rights):
        """Grant rights on the database (MariaDB) or the schema (PostgreSQL)."""
        words = ", ".join(rights)
        if self.server.name == "postgresql":
            self.server.run(f"GRANT {words} ON SCHEMA {self.server.prefix}s TO {self.name}")
        else:
            self.server.run(f"GRANT {words} ON {self.server.prefix}s.* TO {self.name}")

    def may_use_tables(self):
        """Grant what a state needs once its tables are there."""
        if self.server.name == "postgresql":
            self.may("USAGE")
            everything = f"ALL TABLES IN SCHEMA {self.server.prefix}s"
            self.server.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {everything} TO {self.name}")
        else:
            self.may("SELECT", "INSERT", "UPDATE", "DELETE")

    def store(self):
        return SQLStateStore(self.url, schema=f"{self.server.prefix}s", table_prefix=self.server.prefix)


@pytest.fixture(name="user")
def _user(server):
    """A user without any right, and an empty schema of another user's."""
    name, schema, postgres = f"{server.prefix}u", f"{server.prefix}s", server.name == "postgresql"
    secret = f"PASSWORD '{PASSWORD}'" if postgres else f"IDENTIFIED BY '{PASSWORD}'"
    server.run(f"CREATE SCHEMA {schema}", f"CREATE USER {name} {secret}")
    url = make_url(server.url).set(username=name, password=PASSWORD)
    yield _User(server, name, url if postgres else url.set(database=schema))
    server.run(f"DROP SCHEMA {schema} CASCADE" if postgres else f"DROP SCHEMA {schema}")
    server.run(f"DROP USER {name}")


def test_tables_that_another_user_made_are_enough(server, user):
    """Once the tables are there, a user who may only read and write rows has a whole state."""
    owner = SQLStateStore(server.url, schema=f"{server.prefix}s", table_prefix=server.prefix)
    owner.mark("acme", "customers")
    owner.close()
    user.may_use_tables()
    store = user.store()

    assert ["C1"] == _use(store)
    assert [ENTRY] == list(store.audit("acme"))
    store.close()


def test_rights_that_lack_at_first_are_named(user):
    """Without the right to make tables the first use says what to grant, and goes on once it is granted."""
    user.may_use_tables()
    store = user.store()

    with pytest.raises(
        StateError, match=r"denied.* the database user lacks a right: grant SELECT.*GRANT CREATE"
    ) as caught:
        store.mark("acme", "customers")
    assert PASSWORD not in str(caught.value)
    # MariaDB looks at rights when somebody connects.
    store.close()
    user.may("CREATE") if user.server.name == "postgresql" else user.may("CREATE", "ALTER", "INDEX")
    assert ["C1"] == _use(store)
    store.close()


def test_a_right_that_lacks_later_is_named(server, user):
    """A user who may not touch a table is told so in the same words."""
    owner = SQLStateStore(server.url, schema=f"{server.prefix}s", table_prefix=server.prefix)
    owner.mark("acme", "customers")
    owner.close()
    user.may("USAGE" if server.name == "postgresql" else "INSERT")
    store = user.store()

    with pytest.raises(StateError, match=r"denied.* the database user lacks a right"):
        store.mark("acme", "customers")
    store.close()
