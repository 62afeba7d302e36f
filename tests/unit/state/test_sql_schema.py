"""The state database: its version, its migrations, its file, and what it says when something is wrong."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, event, inspect, text

from mlconnector_sdk.cursors import HighWaterMark
from mlconnector_sdk.errors import ConfigurationError, MissingDependencyError, StateError
from mlconnector_sdk.models import AuditEntry, Checkpoint, Link
from mlconnector_sdk.state import MemoryStateStore, SQLiteStateStore, SQLStateStore
from mlconnector_sdk.state._database import open_engine
from mlconnector_sdk.state._migration import STEPS, migrate
from mlconnector_sdk.state._schema import Tables

NEWEST = 1 + len(STEPS)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "somebody@private.example"


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture(name="engine")
def _engine(path):
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    yield engine
    engine.dispose()


def _used(store):
    """A store whose first lease is taken, with the lease."""
    return store, store.acquire("acme", "worker", now=NOW, duration=HOUR)


def _commit(store, lease, **parts):
    store.commit(Checkpoint(pipeline="acme", job_id="job", **parts), lease)


def _version(path):
    with sqlite3.connect(path) as connection:
        (row,) = connection.execute("SELECT version FROM mlconnector_schema_version").fetchall()
    connection.close()
    return row[0]


def _add_note(connection, tables):
    connection.execute(text(f"ALTER TABLE {tables.links.name} ADD COLUMN note TEXT"))


def _note_columns(engine):
    return [column["name"] for column in inspect(engine).get_columns("mlconnector_links") if column["name"] == "note"]


def test_the_door_is_light():
    """Importing the state package loads no SQLAlchemy until an SQL store is asked for."""
    code = (
        "import sys, mlconnector_sdk.state as s; assert 'sqlalchemy' not in sys.modules; "
        "assert set(s.__all__) <= set(dir(s)); s.SQLiteStateStore; assert 'sqlalchemy' in sys.modules"
    )

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_the_door_knows_no_other_names():
    """An unknown name is an AttributeError, as with any module."""
    import mlconnector_sdk.state as door

    with pytest.raises(AttributeError, match="NoSuchStore"):
        _ = door.NoSuchStore


def test_a_new_state_has_the_newest_version(path):
    """The first use creates the tables and writes down their version."""
    store, _ = _used(SQLiteStateStore(path))
    store.close()

    assert NEWEST == _version(path)


def test_a_prefix_and_a_schema(tmp_path):
    """Tables carry the caller's prefix and lie in the caller's schema."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text(f"ATTACH '{tmp_path / 'other.db'}' AS other"))
        connection.commit()
    store, lease = _used(SQLStateStore(engine, table_prefix="x_", schema="other"))
    _commit(store, lease, links=(Link(stream="customers", key="C1"),))

    assert "x_links" in inspect(engine).get_table_names(schema="other")
    assert [] == inspect(engine).get_table_names()
    engine.dispose()


def test_an_older_state_is_brought_forward(engine, path):
    """A state of an older version takes the missing steps and keeps its rows."""
    store, lease = _used(SQLStateStore(engine))
    _commit(store, lease, links=(Link(stream="customers", key="C1"),))

    migrate(engine, Tables("mlconnector_"), [*STEPS, _add_note])

    assert NEWEST + 1 == _version(path)
    assert ["note"] == _note_columns(engine)
    assert ["C1"] == list(store.links("acme", "customers", ["C1"]))


def test_migrating_again_does_nothing(engine):
    """A state that is up to date takes no step twice."""
    migrate(engine, Tables("mlconnector_"))
    for _ in range(2):
        migrate(engine, Tables("mlconnector_"), [*STEPS, _add_note])

    assert ["note"] == _note_columns(engine)


def test_a_failed_step_leaves_the_old_version(engine, path):
    """When a step fails, the state stays as it was before all of them."""
    migrate(engine, Tables("mlconnector_"))

    def fail(connection, tables):
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        migrate(engine, Tables("mlconnector_"), [*STEPS, _add_note, fail])

    assert NEWEST == _version(path)
    assert [] == _note_columns(engine)


def test_workers_starting_at_once_migrate_once(path):
    """Of several workers that open an older state at the same moment one migrates and the others wait."""
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine, Tables("mlconnector_"))
    engine.dispose()
    failures = []
    barrier = threading.Barrier(4)

    def work():
        engine = open_engine(f"sqlite:///{path}")
        try:
            barrier.wait()
            migrate(engine, Tables("mlconnector_"), [*STEPS, _add_note])
        except Exception as error:
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failures
    assert NEWEST + 1 == _version(path)


def test_the_first_lease_of_two(engine):
    """A worker beaten to a pipeline's very first lease row looks again instead of failing."""
    rivals = []

    @event.listens_for(engine, "before_cursor_execute")
    def overtake(connection, cursor, statement, *_):
        if statement.startswith("INSERT INTO mlconnector_leases") and not rivals:
            rivals.append(statement)
            cursor.execute("INSERT INTO mlconnector_leases VALUES ('acme', 'rival', 1, 0)")

    _, lease = _used(SQLStateStore(engine))

    assert 1 == len(rivals)
    assert "worker" == lease.owner


def test_an_engine_that_begins_by_itself(path):
    """A caller's engine with SQLAlchemy's own recipe for SQLite transactions works too."""
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    store, lease = _used(SQLStateStore(engine))
    _commit(store, lease, links=(Link(stream="customers", key="C1"),))

    assert ["C1"] == list(store.links("acme", "customers", ["C1"]))
    engine.dispose()


def test_a_newer_state_is_refused(engine):
    """A state written by a newer version of the library is left alone, and the message says what to do."""
    migrate(engine, Tables("mlconnector_"), [*STEPS, _add_note])
    store = SQLStateStore(engine)

    with pytest.raises(StateError, match=rf"schema version {NEWEST + 1}.*install the newer mlconnector_sdk"):
        store.mark("acme", "customers")


def test_the_file_is_private(path):
    """A new state file can be read by its owner only, side files included."""
    store, _ = _used(SQLiteStateStore(path))

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600} == modes
    store.close()
    assert ["state.db"] == [file.name for file in path.parent.iterdir()]


def test_commits_are_on_the_disk(path):
    """SQLite writes ahead and waits for the disk with each commit."""
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        settings = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        busy = connection.execute(text("PRAGMA busy_timeout")).scalar()
    engine.dispose()

    assert ["wal", 2] == settings
    assert busy >= 10_000


def test_a_commit_of_a_page_fits_into_the_cache(path):
    """SQLite has room for what a checkpoint of hundreds of records changes, and its log for several of them."""
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        size, room, log = (
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("page_size", "cache_size", "wal_autocheckpoint")
        )
    engine.dispose()

    assert 1024 * -room // size >= 4000
    assert log >= 4000


def test_a_missing_directory_is_named(tmp_path):
    """A state file in a directory that does not exist is refused with the directory's name."""
    store = SQLiteStateStore(tmp_path / "missing" / "state.db")

    with pytest.raises(StateError, match=r"missing does not exist: create it"):
        store.mark("acme", "customers")


def test_a_directory_is_no_file(tmp_path):
    """A directory in place of the state file is refused."""
    with pytest.raises(StateError, match="is a directory"):
        SQLiteStateStore(tmp_path).mark("acme", "customers")


def test_a_file_that_cannot_be_created(path):
    """Where no file can be created, the message gives the system's reason."""
    path.write_text("a file, not a directory")

    with pytest.raises(StateError, match=r"cannot be created \(Not a directory\)"):
        SQLiteStateStore(path / "state.db").mark("acme", "customers")


def test_a_file_that_is_no_database(path):
    """A file that holds something else is refused and left as it is."""
    path.write_text("name;address\n" * 100)

    with pytest.raises(StateError, match="is no SQLite database"):
        SQLiteStateStore(path).mark("acme", "customers")

    assert "name;address\n" * 100 == path.read_text()


def test_a_read_only_state(path):
    """A state that cannot be written is read, and refuses a lease with the database's own reason."""
    _used(SQLiteStateStore(path))[0].close()
    store = SQLStateStore(f"sqlite:///file:{path}?mode=ro&uri=true")

    assert store.mark("acme", "customers") is None
    with pytest.raises(StateError, match="readonly"):
        store.acquire("acme", "worker", now=NOW, duration=HOUR)
    store.close()


def test_a_locked_state_is_refused(engine, path):
    """When another program keeps the database locked for too long, the refusal says so."""
    store, lease = _used(SQLStateStore(engine))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StateError, match="database is locked"):
        _commit(store, lease, mark=HighWaterMark(stream="customers", value=1))

    other.execute("ROLLBACK")
    other.close()
    _commit(store, lease, mark=HighWaterMark(stream="customers", value=2))
    assert HighWaterMark(stream="customers", value=2) == store.mark("acme", "customers")


@pytest.mark.parametrize(
    "statement", ["DROP TABLE mlconnector_audit", "ALTER TABLE mlconnector_links DROP COLUMN state"]
)
def test_errors_show_no_personal_data(engine, statement):
    """What the database says about a failed statement never quotes its values, in the message or its causes."""
    store, lease = _used(SQLStateStore(engine))
    with engine.begin() as connection:
        connection.execute(text(statement))
    link = Link(stream="customers", key="C1", address=SECRET, parent=SECRET)
    entry = AuditEntry(at=NOW, job_id="job", stream="customers", key="C1", outcome="created", message=SECRET)

    with pytest.raises(StateError) as caught:
        _commit(store, lease, links=(link,), audit=(entry,))

    assert caught.value.__cause__ is not None
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_refused_row_shows_no_personal_data(engine):
    """A row that the database itself refuses takes its whole checkpoint with it and quotes nothing."""
    store, lease = _used(SQLStateStore(engine))
    with engine.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX one_address ON mlconnector_links (address)"))
    links = tuple(Link(stream="customers", key=key, address=SECRET) for key in ("C1", "C2"))

    with pytest.raises(StateError, match="IntegrityError") as caught:
        _commit(store, lease, links=links)

    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert [] == list(store.all_links("acme", "customers"))


def test_a_number_beyond_the_database(engine):
    """A number that no column can hold is refused with its whole checkpoint."""
    store, lease = _used(SQLStateStore(engine))
    entry = AuditEntry(at=NOW, job_id="job", stream="customers", key="C1", outcome="created", attempts=2**70)

    with pytest.raises(StateError, match="OverflowError"):
        _commit(store, lease, mark=HighWaterMark(stream="customers", value=1), audit=(entry,))

    assert store.mark("acme", "customers") is None


def test_a_mark_of_unknown_type_is_damage(engine):
    """A mark that this library did not write is refused rather than read as something else."""
    store, lease = _used(SQLStateStore(engine))
    _commit(store, lease, mark=HighWaterMark(stream="customers", value=1))
    with engine.begin() as connection:
        connection.execute(text("UPDATE mlconnector_marks SET kind = 'complex'"))

    with pytest.raises(StateError, match="ValueError"):
        store.mark("acme", "customers")


def test_a_pool_without_connections_is_refused(path):
    """When a caller's engine has no connection to give, the store says so in its own words."""
    engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0, pool_timeout=0.01)
    store, _ = _used(SQLStateStore(engine))
    with engine.connect(), pytest.raises(StateError, match="TimeoutError"):
        store.mark("acme", "customers")
    engine.dispose()


def test_a_callers_engine_stays_open(engine):
    """Closing a store leaves the caller's engine and its connections alone."""
    store, _ = _used(SQLStateStore(engine))
    pooled = engine.pool.checkedin()
    store.close()

    assert pooled == engine.pool.checkedin() == 1


@pytest.mark.parametrize("how", ["engine", "options"])
def test_an_engine_without_transactions_is_refused(how):
    """An engine that commits each statement by itself is refused at once; a version of it that does not is taken."""
    level = {"isolation_level": "AUTOCOMMIT"}
    engine = create_engine("sqlite://", **(level if how == "engine" else {}))

    with pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
        SQLStateStore(engine if how == "engine" else engine.execution_options(**level))

    _used(SQLStateStore(engine.execution_options(isolation_level="SERIALIZABLE")))
    engine.dispose()


def test_memory_ends_with_its_store():
    """A database in memory is gone once closed, and using the store again starts an empty one."""
    store, lease = _used(SQLiteStateStore(":memory:"))
    _commit(store, lease, mark=HighWaterMark(stream="customers", value=1))
    store.close()

    assert store.mark("acme", "customers") is None
    store.close()


@pytest.mark.parametrize("url", ["no url", "nonsense://x", "postgresql://user:hush@host:hush/state"])
def test_a_url_that_cannot_be_read(url):
    """A wrong URL is a configuration error that quotes no password."""
    with pytest.raises(ConfigurationError, match="expected dialect") as caught:
        SQLStateStore(url)

    assert "hush" not in "".join(traceback.format_exception(caught.value)).replace(url, "")


def test_a_missing_driver_is_named():
    """A driver that is not installed is named with the way to get it."""
    with pytest.raises(MissingDependencyError, match="cx_Oracle is missing: install cx_Oracle"):
        SQLStateStore("oracle+cx_oracle://user:hush@host/state")


def test_names_tell_what_and_where(path):
    """The repr of a store names its kind and place, and no password."""
    assert "<MemoryStateStore>" == repr(MemoryStateStore())
    assert f"<SQLiteStateStore {path}>" == repr(SQLiteStateStore(path))
    assert "<SQLStateStore sqlite>" == repr(SQLStateStore("sqlite://"))
