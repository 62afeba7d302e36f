"""Rows that somebody changed by hand are refused by table and record, with what to do, and never quoted."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import text

from mlconnector_sdk.credentials import KeyRing
from mlconnector_sdk.cursors import HighWaterMark
from mlconnector_sdk.errors import MLConnectorError, StateError
from mlconnector_sdk.models import AuditEntry, Checkpoint, DeadLetter, Link, Note, Suppression
from mlconnector_sdk.state import SQLStateStore
from tests.contracts._state_databases import DATABASES, HOUR, NOW, opened

SECRET = "somebody@private.example"

READS = {
    "marks": lambda store: store.mark("acme", "customers"),
    "links": lambda store: store.links("acme", "customers", ["C1"]),
    "all links": lambda store: list(store.all_links("acme", "customers")),
    "links by address": lambda store: store.links_to("acme", [SECRET]),
    "suppressions": lambda store: store.suppressions("acme", [SECRET]),
    "dead_letters": lambda store: list(store.dead_letters("acme")),
    "notes": lambda store: list(store.notes("acme", "receipt")),
    "audit": lambda store: list(store.audit("acme")),
}

DAMAGE = [
    ("dead_letters", "payload", f'{{"email":"{SECRET}"', "stream customers key C1"),
    ("dead_letters", "payload", f' {{"email":"{SECRET}"}}.', "stream customers key C1"),
    ("dead_letters", "payload", f'{{"email":{{"$type":"{SECRET}","of":"1"}}}}', "stream customers key C1"),
    ("dead_letters", "payload", '{"amount":{"$type":"Decimal","of":"much"}}', "stream customers key C1"),
    ("dead_letters", "payload", '{"amount":{"$type":"Decimal"}}', "stream customers key C1"),
    ("dead_letters", "payload", '{"$type":"Decimal","of":"1"}', "stream customers key C1"),
    ("dead_letters", "payload", '{"a":' * 100_000, "stream customers key C1"),
    ("dead_letters", "first_at", 10**18, "stream customers key C1"),
    ("notes", "payload", f"{{{SECRET}}}", "kind receipt key N1"),
    ("links", "details", f'["{SECRET}"', "stream customers key C1"),
    ("links", "details", "5", "stream customers key C1"),
    ("links", "permissions", "[1]", "stream customers key C1"),
    ("all links", "details", "{", "stream customers key C1"),
    ("links by address", "synced_at", 10**18, "stream customers key C1"),
    ("marks", "kind", "moment", "stream customers"),
    ("marks", "value", "yesterday", "stream customers"),
    ("audit", "at", 10**18, "stream customers key C1 id "),
    ("suppressions", "at", 10**18, "_suppressions: "),
]

WRONG_TYPES = [
    ("dead_letters", "attempts", "many"),
    ("dead_letters", "reason", b"r"),
    ("dead_letters", "payload", b"{}"),
    ("links", "address", b"a@b"),
    ("links", "synced_at", "yesterday"),
    ("notes", "at", "yesterday"),
    ("audit", "attempts", "many"),
    ("marks", "full_scan_at", "yesterday"),
]


@pytest.fixture(name="database", params=DATABASES)
def _database(request, tmp_path):
    with opened(request.param, tmp_path) as database:
        yield database


def _filled(database):
    store = database.store()
    lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
    parts = {
        "mark": HighWaterMark(stream="customers", value=NOW),
        "links": (Link(stream="customers", key="C1", address=SECRET),),
        "dead_letters": (
            DeadLetter(
                stream="customers", key="C1", reason="r", message="m", payload={}, first_at=NOW, last_at=NOW, job_id="j"
            ),
        ),
        "suppressions": (Suppression(address=SECRET, reason="r", origin="o", at=NOW),),
        "notes": (Note(kind="receipt", key="N1", payload={}, at=NOW),),
        "audit": (AuditEntry(at=NOW, job_id="j", stream="customers", key="C1", outcome="dead"),),
    }
    store.commit(Checkpoint(pipeline="acme", job_id="j", **parts), lease)
    return store


def _damage(database, what, column, value):
    table = f"{database.prefix}{'links' if 'links' in what else what}"
    with database.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET {column} = :value"), {"value": value})
    return table


def _requires_to_be_told(store, what, table, place):
    with pytest.raises(StateError) as caught:
        READS[what](store)

    assert table in caught.value.message
    assert place in caught.value.message
    assert "somebody changed it: restore a backup, or " in caught.value.message
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("what", "column", "value", "place"), DAMAGE)
def test_what_was_damaged_by_hand_is_told(database, what, column, value, place):
    """Half a JSON, an unknown tag, a time beyond the calendar: a `StateError` names table, record and cure."""
    store = _filled(database)
    table = _damage(database, what, column, value)

    _requires_to_be_told(store, what, table, place)
    store.close()


@pytest.mark.parametrize(("what", "column", "value"), WRONG_TYPES)
def test_a_value_of_another_type_is_told(tmp_path, what, column, value):
    """SQLite keeps any value in any column: one of a wrong type is told by its column."""
    with opened("sqlite", tmp_path) as database:
        store = _filled(database)
        table = _damage(database, what, column, value)

        _requires_to_be_told(store, what, table, f"column {column}")
        store.close()


def test_a_damaged_payload_is_not_taken_for_a_key(tmp_path):
    """A store with a key seals on beside a payload that somebody mangled, and quotes nothing of it."""
    with opened("sqlite", tmp_path) as database:
        _filled(database).close()
        _damage(database, "dead_letters", "payload", f' {{"email":"{SECRET}"}}')
        store = SQLStateStore(database.url, table_prefix=database.prefix, key=KeyRing.generate())
        lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
        note = Note(kind="receipt", key="N2", payload={"a": 1}, at=NOW)
        store.commit(Checkpoint(pipeline="acme", job_id="j", notes=(note,)), lease)

        assert note in list(store.notes("acme", "receipt"))
        with pytest.raises(MLConnectorError, match="somebody changed it") as caught:
            list(store.dead_letters("acme"))
        assert SECRET not in str(caught.value)
        store.close()
