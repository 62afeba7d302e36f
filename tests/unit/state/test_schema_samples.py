"""States that earlier versions of the schema left behind are opened and read by today's library."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, inspect

from mlconnector_sdk.errors import LeaseHeldError
from mlconnector_sdk.models import Checkpoint
from mlconnector_sdk.state import SQLiteStateStore
from mlconnector_sdk.state._migration import STEPS
from mlconnector_sdk.state._schema import Tables
from tests.unit.state._schema_sample import CHECKPOINT, HOUR, NOW, SECRETS, load

VERSIONS = range(1, 2 + len(STEPS))


@pytest.fixture(name="path", params=VERSIONS, ids="schema_{}".format)
def _path(request, tmp_path, project):
    path = tmp_path / "state.db"
    load(path, (project / "tests" / "samples" / "state" / f"schema_{request.param}.sql").read_text(encoding="utf-8"))
    return path


@pytest.fixture(name="store")
def _store(path):
    store = SQLiteStateStore(path)
    yield store
    store.close()


def _shape(path):
    """Everything that a statement can notice of the tables."""
    engine = create_engine(f"sqlite:///{path}")
    inspector = inspect(engine)
    shape = {
        name: (
            {c["name"]: (str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)},
            inspector.get_pk_constraint(name)["constrained_columns"],
            {i["name"]: (i["column_names"], i["unique"]) for i in inspector.get_indexes(name)},
        )
        for name in inspector.get_table_names()
    }
    engine.dispose()
    return shape


def test_every_kind_of_row_is_read(store):
    """Every row that an earlier version of the schema kept is read, whole, by its look-up."""
    link, order = CHECKPOINT.links

    assert CHECKPOINT.mark == store.mark("acme", "customers")
    assert {link.key: link} == store.links("acme", "customers", [link.key])
    assert {link.address: (link,)} == store.links_to("acme", [link.address])
    assert [order] == list(store.all_links("acme", "orders"))
    assert list(CHECKPOINT.dead_letters) == list(store.dead_letters("acme"))
    assert {s.address: s for s in CHECKPOINT.suppressions} == store.suppressions("acme", ["bob@example.com"])
    assert list(CHECKPOINT.notes) == list(store.notes("acme", "receipt"))
    assert list(CHECKPOINT.audit) == list(store.audit("acme"))
    assert SECRETS == store.sealed()


def test_its_lease_is_held_and_can_be_used(store):
    """The lease of an earlier version keeps others out until it ends, and its successor commits."""
    with pytest.raises(LeaseHeldError, match="worker-1"):
        store.acquire("acme", "worker-2", now=NOW, duration=HOUR)
    lease = store.acquire("acme", "worker-2", now=NOW + 2 * HOUR, duration=HOUR)
    store.commit(Checkpoint(pipeline="acme", job_id="job-2", audit=CHECKPOINT.audit), lease)

    assert 2 == lease.fencing
    assert 2 * list(CHECKPOINT.audit) == list(store.audit("acme"))


def test_it_becomes_what_a_new_state_is(store, path, tmp_path):
    """Once opened, an earlier version has the tables, columns and indexes of a new state.

    Where this fails, a table was changed without a step: see `_schema_sample` for what to do.
    """
    store.mark("acme", "customers")
    fresh = SQLiteStateStore(tmp_path / "fresh.db")
    fresh.mark("acme", "customers")
    fresh.close()

    assert _shape(tmp_path / "fresh.db") == _shape(path)


def test_the_samples_have_a_row_in_every_table(path):
    """No table is left out of the samples."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        tables = Tables("mlconnector_").metadata.sorted_tables
        rows = {table.name: connection.execute(table.select()).all() for table in tables}
    engine.dispose()

    assert [] == [name for name, found in rows.items() if not found]
