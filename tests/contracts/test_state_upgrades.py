"""How the tables of a state come to be and change, on every database: whole or not at all, once, and forward only."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import event, inspect, text

from mlconnector_sdk.errors import StateError
from mlconnector_sdk.models import Checkpoint, Link
from mlconnector_sdk.state._migration import STEPS, migrate
from mlconnector_sdk.state._schema import Tables
from tests.contracts._state_databases import DATABASES, HOUR, NOW, opened

NEWEST = 1 + len(STEPS)
WORKERS = 2
ROUNDS = 4

LINK = Link(stream="customers", key="C1", address="a@example.com", details=("x",), synced_at=NOW)

WORKER = """
import sys
from datetime import UTC, datetime, timedelta
from mlconnector_sdk.errors import LeaseHeldError, StateError
from mlconnector_sdk.models import Checkpoint, Link
from mlconnector_sdk.state import SQLStateStore
from mlconnector_sdk.state._schema import Tables

now, hour, me = datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1), sys.argv[1]
print("ready", flush=True)
for line in sys.stdin:
    url, prefix = line.split()
    store = SQLStateStore(url, table_prefix=prefix)
    try:
        lease = store.acquire(me, me, now=now, duration=hour)
        store.commit(Checkpoint(pipeline=me, job_id="job", links=(Link(stream="customers", key=me),)), lease)
        try:
            store.acquire("shared", me, now=now, duration=hour)
            print("first", flush=True)
        except LeaseHeldError:
            print("second", flush=True)
    except StateError as error:
        print("failed:", error, flush=True)
    store.close()
"""


@pytest.fixture(name="database", params=DATABASES)
def _database(request, tmp_path):
    with opened(request.param, tmp_path) as database:
        yield database


@pytest.fixture(name="tables")
def _tables(database):
    return Tables(database.prefix)


def _filled(database):
    """A store of the newest version with one link in it."""
    store = database.store()
    lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
    store.commit(Checkpoint(pipeline="acme", job_id="job", links=(LINK,)), lease)
    store.close()


def _add_note(connection, tables):
    """A step as it should be: it looks before it changes."""
    columns = inspect(connection).get_columns(tables.links.name)
    if "note" not in [column["name"] for column in columns]:
        connection.execute(text(f"ALTER TABLE {tables.links.name} ADD COLUMN note VARCHAR(20)"))
    connection.execute(text(f"UPDATE {tables.links.name} SET note = 'kept' WHERE note IS NULL"))


def _add_memo(connection, tables):
    """The same for another table."""
    columns = inspect(connection).get_columns(tables.audit.name)
    if "memo" not in [column["name"] for column in columns]:
        connection.execute(text(f"ALTER TABLE {tables.audit.name} ADD COLUMN memo VARCHAR(20)"))


def _notes(database):
    with database.engine.connect() as connection:
        return connection.execute(text(f"SELECT note, target FROM {database.prefix}links")).all()


def test_an_older_state_is_brought_forward(database, tables):
    """A step changes the tables, keeps every row, and its version is written down."""
    _filled(database)

    migrate(database.engine, tables, [*STEPS, _add_note, _add_memo])

    assert [NEWEST + 2] == database.versions()
    assert [("kept", "")] == _notes(database)
    assert "memo" in database.shape()[tables.audit.name][0]


def test_a_newer_state_is_refused_and_left_alone(database, tables):
    """A state of a newer version is neither read nor written, and the message says what to install."""
    _filled(database)
    migrate(database.engine, tables, [*STEPS, _add_note])
    before = database.shape()
    store = database.store()

    with pytest.raises(StateError, match=rf"schema version {NEWEST + 1}, .* up to {NEWEST}: install the newer"):
        store.links("acme", "customers", ["C1"])
    with pytest.raises(StateError, match="install the newer"):
        store.acquire("acme", "worker", now=NOW + 2 * HOUR, duration=HOUR)
    store.close()

    assert [NEWEST + 1] == database.versions()
    assert before == database.shape()


def test_a_step_that_fails_half_way_can_be_repeated(database, tables):
    """After a step failed the version is the one before it; where tables are transactional, so are the tables."""
    _filled(database)
    before = database.shape()

    def fail(connection, tables):
        _add_memo(connection, tables)
        raise OSError("the power is gone")

    with pytest.raises(OSError, match="the power is gone"):
        migrate(database.engine, tables, [*STEPS, _add_note, fail])

    # MariaDB commits with each change of a table: the first step is done and stays done, the second is half done.
    assert [NEWEST if database.transactional else NEWEST + 1] == database.versions()
    assert database.transactional == (before == database.shape())
    migrate(database.engine, tables, [*STEPS, _add_note, _add_memo])
    assert [NEWEST + 2] == database.versions()
    assert [("kept", "")] == _notes(database)
    assert "memo" in database.shape()[tables.audit.name][0]


def test_after_a_failed_step_the_old_version_works_on(database, tables):
    """A library of the version before goes on with a state whose next step failed."""
    _filled(database)

    def fail(connection, tables):
        _add_note(connection, tables)
        raise OSError("the power is gone")

    with pytest.raises(OSError, match="the power is gone"):
        migrate(database.engine, tables, [*STEPS, fail])
    store = database.store()

    assert {"C1": LINK} == store.links("acme", "customers", ["C1"])
    store.close()


def test_a_creation_that_breaks_off_anywhere_is_finished_by_the_next(database, tables):
    """However far the making of the tables came, the next attempt ends with all of them and all their indexes."""
    migrate(database.engine, tables)
    whole, broken_off = database.shape(), 0
    while True:
        tables.metadata.drop_all(database.engine)
        if _created_but_for(database, tables, broken_off):
            break
        assert {} == database.shape() or not database.transactional
        migrate(database.engine, tables)
        assert whole == database.shape()
        assert [NEWEST] == database.versions()
        broken_off += 1

    # A table of versions, eight others, and their indexes.
    assert broken_off >= 9 + sum(len(indexes) for _, indexes in whole.values()) - database.name.count("mariadb")


def _created_but_for(database, tables, statement):
    """Make the tables, but fail instead of the nth statement that makes something; true when there are fewer."""
    seen = []

    def break_off(connection, cursor, sql, *_):
        if sql.lstrip().startswith("CREATE"):
            seen.append(sql)
            if len(seen) == statement + 1:
                raise OSError("the power is gone")

    event.listen(database.engine, "before_cursor_execute", break_off)
    try:
        migrate(database.engine, tables)
    except OSError:
        return False
    finally:
        event.remove(database.engine, "before_cursor_execute", break_off)
    return True


def test_nobody_else_can_migrate_meanwhile(database, tables):
    """While a step runs, the lock that every migration takes first is not to be had."""
    _filled(database)
    answers = []

    def look(connection, tables):
        answers.append(_lock_is_free(database, tables))

    migrate(database.engine, tables, [*STEPS, look])
    answers.append(_lock_is_free(database, tables))

    assert [False, True] == answers


def _lock_is_free(database, tables):
    if database.name == "sqlite":
        other = sqlite3.connect(database.url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        finally:
            other.close()
        return True
    asked = "pg_try_advisory_xact_lock(hashtext(:name))" if database.name == "postgresql" else "IS_FREE_LOCK(:name)"
    with database.engine.connect() as connection:
        return bool(connection.scalar(text(f"SELECT {asked}"), {"name": tables.versions.name}))


def test_processes_that_start_at_once(database, tables):
    """Of processes that open a new state at the same moment one makes the tables and none fails; one has the lease."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, f"w{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(WORKERS)
    ]
    try:
        assert ["ready\n"] * WORKERS == [worker.stdout.readline() for worker in workers]
        for _ in range(ROUNDS):
            tables.metadata.drop_all(database.engine)
            database.engine.dispose()
            for worker in workers:
                print(database.url, database.prefix, file=worker.stdin, flush=True)

            assert ["first\n", *["second\n"] * (WORKERS - 1)] == sorted(worker.stdout.readline() for worker in workers)
            assert [NEWEST] == database.versions()
            with database.engine.connect() as connection:
                keys = connection.scalars(tables.links.select().with_only_columns(tables.links.c.key)).all()
            assert [f"w{n}" for n in range(WORKERS)] == sorted(keys)
    finally:
        for worker in workers:
            worker.communicate()
