"""Payloads at rest: sealed when the store has a key, readable side by side, and through every change of keys."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlconnector_sdk.credentials import EncryptedVault, KeyRing
from mlconnector_sdk.errors import VaultError
from mlconnector_sdk.models import Checkpoint, DeadLetter, Note
from mlconnector_sdk.protocols import StateStore
from mlconnector_sdk.state import SQLiteStateStore, SQLStateStore
from mlconnector_sdk.testing import SealedStoreContract, StateStoreContract

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ADDRESS = "somebody@private.example"
OLD, NEW, OTHER = KeyRing.generate(), KeyRing.generate(), KeyRing.generate()


class TestSealedStore(SealedStoreContract, StateStoreContract):
    """A store with a key keeps every promise of one without."""

    durable = True

    def make_store(self, tmp_path: Path) -> StateStore:
        return SQLiteStateStore(tmp_path / "state.db", key=OLD)


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "state.db"


def _letter(key="C1"):
    return DeadLetter(
        stream="customers",
        key=key,
        reason="bad_email",
        message="no address",
        payload={"email": ADDRESS},
        first_at=NOW,
        last_at=NOW,
        job_id="job",
    )


def _note(key="n1"):
    return Note(kind="last_word", key=key, payload={"to": ADDRESS}, at=NOW)


def _commit(store, *keys, notes=()):
    lease = store.acquire("acme", "worker", now=NOW, duration=timedelta(hours=1))
    letters = tuple(map(_letter, keys))
    store.commit(Checkpoint(pipeline="acme", job_id="job", dead_letters=letters, notes=notes), lease)


def _payloads(path):
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT payload FROM mlconnector_dead_letters ORDER BY stream, key").fetchall()
        rows += connection.execute("SELECT payload FROM mlconnector_notes ORDER BY key").fetchall()
    return [payload for (payload,) in rows]


def _change(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def _name(key):
    return KeyRing(key).names[0]


def test_no_payload_lies_in_the_clear(path):
    """With a key neither file nor write-ahead log holds an address that came in a payload; the store reads it back."""
    with closing(SQLiteStateStore(path, key=OLD)) as store:
        _commit(store, "C1", notes=(_note(),))
        files = b"".join(file.read_bytes() for file in path.parent.iterdir())

        assert ADDRESS.encode() not in files
        assert [_letter()] == list(store.dead_letters("acme"))
        assert [_note()] == list(store.notes("acme", "last_word"))


@pytest.mark.parametrize(
    "key",
    [KeyRing(OLD), OLD, lambda: OLD, lambda: KeyRing(OLD, NEW)],
    ids=["ring", "text", "function of a text", "function of a ring"],
)
def test_a_key_comes_as_for_a_vault(path, key):
    """A ring, a text, or a function that gives either; a vault in the same store may have the same one."""
    with closing(SQLStateStore(f"sqlite:///{path}", key=key)) as store:
        _commit(store, "C1")
        EncryptedVault(store, key=key).put("erp", "hush")

        assert [_letter()] == list(store.dead_letters("acme"))
        assert "hush" == EncryptedVault(store, key=key).get("erp")


def test_a_function_is_asked_when_first_needed(path):
    """A key service is not asked by a store that has nothing to seal, and asked once by one that has."""
    asked = []
    with closing(SQLiteStateStore(path, key=lambda: asked.append(1) or OLD)) as store:
        _commit(store)
        assert [] == asked
        _commit(store, "C1")
        _commit(store, "C2")
        assert 2 == len(list(store.dead_letters("acme")))

    assert [1] == asked


def test_what_is_no_key_is_refused_at_once(path):
    """A text that is no key is told when the store is made."""
    with pytest.raises(VaultError, match=r"KeyRing\.generate"):
        SQLiteStateStore(path, key="sesame")


def test_clear_and_sealed_payloads_lie_side_by_side(path):
    """A store in use is given a key: what it kept before stays readable, `reseal` seals it, once."""
    with closing(SQLiteStateStore(path)) as store:
        _commit(store, "C1", notes=(_note("n1"),))
    with closing(SQLiteStateStore(path, key=OLD)) as store:
        _commit(store, "C2", notes=(_note("n2"),))
        mixed = [payload.startswith("{") for payload in _payloads(path)]
        before = list(store.dead_letters("acme"))

        assert ([True, False, True, False], [_letter("C1"), _letter("C2")]) == (mixed, before)
        assert (2, 0) == (store.reseal(), store.reseal())
        assert (before, [_note("n1"), _note("n2")]) == (
            list(store.dead_letters("acme")),
            list(store.notes("acme", "last_word")),
        )

    assert {_name(OLD)} == {payload.partition(".")[0] for payload in _payloads(path)}


def test_a_key_is_changed_while_others_write(path):
    """While both keys are on every ring, old and new workers read each other; afterwards the old key is needless."""
    with (
        closing(SQLiteStateStore(path, key=KeyRing(OLD, NEW))) as early,
        closing(SQLiteStateStore(path, key=KeyRing(NEW, OLD))) as late,
    ):
        _commit(early, *(f"C{number:03}" for number in range(250)))
        _commit(late, "D1")

        assert 251 == len(list(early.dead_letters("acme"))) == len(list(late.dead_letters("acme")))
        assert 250 == late.reseal()
        _commit(early, "E1")
        assert 1 == late.reseal()
    with closing(SQLiteStateStore(path, key=NEW)) as store:
        assert 252 == len(list(store.dead_letters("acme")))


def test_a_wrong_key_is_told_with_the_cure(path):
    """Reading with another key names the record, the key that is needed and where to put it, and no secret."""
    with closing(SQLiteStateStore(path, key=OLD)) as store:
        _commit(store, "C1")
    with closing(SQLiteStateStore(path, key=OTHER)) as store, pytest.raises(VaultError) as caught:
        list(store.dead_letters("acme"))

    said = str(caught.value)
    assert "wrong_key" == caught.value.reason
    assert all(part in said for part in ("customers C1", _name(OLD), _name(OTHER), "add that key to the KeyRing"))
    assert not any(secret in said for secret in (OLD, OTHER, ADDRESS))


def test_what_is_not_asked_for_is_not_opened(path):
    """Looking for dead letters of one reason opens no payload of another: a hundred thousand may lie there."""
    _commit(SQLiteStateStore(path, key=OLD), "C1", "C2")
    store = SQLiteStateStore(path, key=OTHER)

    assert [] == list(store.dead_letters("acme", reason="takeover"))
    with pytest.raises(VaultError):
        list(store.dead_letters("acme", reason="bad_email"))


def test_a_missing_key_is_told_with_the_cure(path):
    """A store without a key says which key a sealed payload needs."""
    with closing(SQLiteStateStore(path, key=OLD)) as store:
        _commit(store, "C1")
    with closing(SQLiteStateStore(path)) as store, pytest.raises(VaultError, match=f"{_name(OLD)}.* as key="):
        list(store.dead_letters("acme"))


def test_nothing_is_sealed_with_a_wrong_key(path):
    """A worker whose key opens nothing of what is there writes nothing that the others could not read."""
    with closing(SQLiteStateStore(path, key=OLD)) as store:
        _commit(store, "C1")
    with closing(SQLiteStateStore(path, key=OTHER)) as store, pytest.raises(VaultError, match="add that key"):
        _commit(store, "C2")

    assert 1 == len(_payloads(path))


def test_what_was_put_elsewhere_is_noticed(path):
    """A payload moved to another record is refused: it is good in its own place only."""
    with closing(SQLiteStateStore(path, key=OLD)) as store:
        _commit(store, "C1", "C2")
        _change(
            path,
            "UPDATE mlconnector_dead_letters SET payload = (SELECT payload FROM mlconnector_dead_letters "
            "WHERE key = 'C1') WHERE key = 'C2'",
        )

        with pytest.raises(VaultError, match="C2 is not what was sealed") as caught:
            list(store.dead_letters("acme"))

    assert "changed" == caught.value.reason


def test_what_was_damaged_is_noticed(path):
    """A payload that lost its end is refused."""
    with closing(SQLiteStateStore(path, key=OLD)) as store:
        _commit(store, "C1")
        _change(path, "UPDATE mlconnector_dead_letters SET payload = substr(payload, 1, 40)")

        with pytest.raises(VaultError, match="somebody changed it"):
            list(store.dead_letters("acme"))


def test_resealing_goes_on_past_what_it_cannot_read(path):
    """Payloads under a lost key are counted at the end; all others are sealed anew."""
    with closing(SQLiteStateStore(path, key=OTHER)) as store:
        _commit(store, "C1")
    _change(path, "UPDATE mlconnector_dead_letters SET key = 'A1'")
    with closing(SQLiteStateStore(path)) as store:
        _commit(store, "C2", "C3")
    with closing(SQLiteStateStore(path, key=NEW)) as store, pytest.raises(VaultError, match=r"2 .* but 1 cannot"):
        store.reseal()

    assert [_name(OTHER), _name(NEW), _name(NEW)] == [payload.partition(".")[0] for payload in _payloads(path)]


def test_resealing_needs_a_key(path):
    """A store without a key says so."""
    with closing(SQLiteStateStore(path)) as store, pytest.raises(VaultError, match="has no key"):
        store.reseal()
