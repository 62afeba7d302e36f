"""A state on a server of other people's: in a schema of its own, under stricter isolation, with few rights."""

from __future__ import annotations

import attrs
import pytest
from sqlalchemy import URL, create_engine, inspect, make_url

from mlconnector_sdk.errors import StateError
from mlconnector_sdk.state import SQLStateStore
from tests.contracts._state_databases import ENTRY, SERVERS, Database, opened, use

PASSWORD = "a-Password-1"

__test__ = bool(SERVERS)


@pytest.fixture(name="server", params=SERVERS)
def _server(request, tmp_path):
    with opened(request.param, tmp_path) as database:
        yield database


def test_a_schema_of_its_own(server):
    """All tables lie in the schema that was named, created by the caller, and none beside it."""
    schema = f"{server.prefix}Other"
    server.run(f"CREATE SCHEMA {_quoted(server, schema)}")
    try:
        store = SQLStateStore(server.url, schema=schema, table_prefix=server.prefix)
        assert ["C1"] == use(store)
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


def test_stricter_isolation_of_a_callers_engine(server):
    """An engine whose transactions are serializable makes the tables and works like any other."""
    engine = create_engine(server.url, isolation_level="SERIALIZABLE")
    store = SQLStateStore(engine, table_prefix=server.prefix)

    assert ["C1"] == use(store)
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

    assert ["C1"] == use(store)
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
    assert ["C1"] == use(store)
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
