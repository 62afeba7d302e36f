"""Odd values are kept, refused or not found alike by every store, and no store's refusal shows what was in them."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from mlconnector_sdk.cursors import HighWaterMark
from mlconnector_sdk.errors import LeaseHeldError, StateError
from mlconnector_sdk.models import AuditEntry, Checkpoint, DeadLetter, Link, Note, Suppression
from mlconnector_sdk.state import MemoryStateStore, SQLStateStore
from mlconnector_sdk.state._rows import microseconds
from tests.contracts._state_databases import DATABASES, HOUR, NOW, opened

SECRET = "somebody@private.example"
NUL, HALF, LONG = f"{SECRET}\0", f"{SECRET}\ud800", SECRET * 30
IMPOSSIBLE = [pytest.param(NUL, id="nul"), pytest.param(HALF, id="surrogate")]

ALIKE = [
    *("KEY", "Key", "key", "key ", "key  ", " key", "key\t", "key\n", "kéy", "ke\u0301y", "kèy", "key\u00a0"),
    *("straße", "strasse", "STRASSE", "\u0130", "i", "I", "\u0131", "ﬁ", "fi", "Ⅳ", "IV", "\u200bkey", "🔑", "🗝"),
    *(
        "%",
        "_",
        "%%",
        "\\",
        "\\\\",
        "'",
        "''",
        '"',
        "`",
        "--",
        "${x}",
        "%s",
        "%(x)s",
        ":x",
        "?",
        "\x01",
        "\x7f",
        "\ufffd",
    ),
]
"""Texts that some collation, pattern or quoting takes for one another."""


@pytest.fixture(name="database", params=DATABASES)
def _database(request, tmp_path):
    with opened(request.param, tmp_path) as database:
        yield database


@pytest.fixture(name="store", params=["memory", *DATABASES])
def _store(request, tmp_path):
    if request.param == "memory":
        yield MemoryStateStore()
        return
    with opened(request.param, tmp_path) as database:
        store = database.store()
        yield store
        store.close()


@pytest.fixture(name="lease")
def _lease(store):
    return store.acquire("acme", "worker", now=NOW, duration=HOUR)


def _commit(store, lease, **parts):
    store.commit(Checkpoint(pipeline="acme", job_id="job", **parts), lease)


def _dead(key="C1", **changes):
    values = {"reason": "r", "message": "m", "payload": {}, "first_at": NOW, "last_at": NOW, "job_id": "job"}
    return DeadLetter(stream="customers", key=key, **(values | changes))


def _entry(key="C1", **changes):
    return AuditEntry(**({"at": NOW, "job_id": "job", "stream": "customers", "key": key, "outcome": "dead"} | changes))


def test_texts_that_look_alike_are_told_apart(store, lease):
    """Keys, addresses, kinds and jobs that a collation would take for one another are different ones everywhere."""
    _commit(
        store,
        lease,
        links=tuple(Link(stream="customers", key=name, address=name, target=name) for name in ALIKE),
        dead_letters=tuple(_dead(name, message=name) for name in ALIKE),
        suppressions=tuple(Suppression(address=name, reason=name, origin="o", at=NOW) for name in ALIKE),
        notes=tuple(Note(kind=name, key=name, payload={"is": name}, at=NOW) for name in ALIKE),
        audit=tuple(_entry(name, job_id=name, message=name) for name in ALIKE),
    )

    for name in ALIKE:
        assert [name] == [link.target for link in store.links("acme", "customers", [name]).values()]
        assert [name] == [link.target for links in store.links_to("acme", [name]).values() for link in links]
        assert [name] == [s.reason for s in store.suppressions("acme", [name]).values()]
        assert [name] == [letter.message for letter in store.dead_letters("acme", stream="customers", keys=[name])]
        assert [{"is": name}] == [note.payload for note in store.notes("acme", name)]
        assert [name] == [entry.message for entry in store.audit("acme", key=name)]
        assert [name] == [entry.message for entry in store.audit("acme", job_id=name)]
    assert sorted(ALIKE) == [link.key for link in store.all_links("acme", "customers")]


def test_removing_one_of_texts_that_look_alike(store, lease):
    """What is settled, lifted or dropped takes nothing along that merely looks like it."""
    _commit(
        store,
        lease,
        dead_letters=tuple(_dead(name) for name in ALIKE),
        suppressions=tuple(Suppression(address=name, reason="r", origin="o", at=NOW) for name in ALIKE),
        notes=tuple(Note(kind="k", key=name, payload={}, at=NOW) for name in ALIKE),
    )
    _commit(store, lease, settled=(("customers", "key"),), lifted=("key",), dropped=(("k", "key"),))
    left = sorted({*ALIKE} - {"key"})

    assert left == [letter.key for letter in store.dead_letters("acme")]
    assert left == sorted(store.suppressions("acme", ALIKE))
    assert left == [note.key for note in store.notes("acme", "k")]


def test_pipelines_that_look_alike(store):
    """Pipelines whose names differ by case or blanks have leases and states of their own."""
    leases = {name: store.acquire(name, "worker", now=NOW, duration=HOUR) for name in ALIKE}
    for name, lease in leases.items():
        store.commit(Checkpoint(pipeline=name, job_id="job", mark=HighWaterMark(stream="s", value=name)), lease)

    assert {name: name for name in ALIKE} == {name: store.mark(name, "s").value for name in ALIKE}
    assert {1} == {lease.fencing for lease in leases.values()}


@pytest.mark.parametrize("odd", [*IMPOSSIBLE, pytest.param(LONG, id="long")])
@pytest.mark.parametrize(
    "part",
    [
        lambda odd: {"mark": HighWaterMark(stream=odd, value=1)},
        lambda odd: {"links": (Link(stream=odd, key="C1"),)},
        lambda odd: {"links": (Link(stream="customers", key=odd),)},
        lambda odd: {"links": (Link(stream="customers", key="C1", address=odd),)},
        lambda odd: {"links": (Link(stream="customers", key="C1", moved_from=odd),)},
        lambda odd: {"dead_letters": (_dead(odd),)},
        lambda odd: {"suppressions": (Suppression(address=odd, reason="r", origin="o", at=NOW),)},
        lambda odd: {"notes": (Note(kind="k", key=odd, payload={}, at=NOW),)},
        lambda odd: {"notes": (Note(kind=odd, key="k", payload={}, at=NOW),)},
        lambda odd: {"audit": (_entry(odd),)},
        lambda odd: {"audit": (_entry(job_id=odd),)},
    ],
    ids="mark stream key address moved_from dead suppression note kind audit job".split(),
)
def test_names_that_cannot_be_kept_are_refused(store, lease, part, odd):
    """A name that some database could not keep is refused by all, with its whole checkpoint, and is not quoted."""
    with pytest.raises(StateError, match="nothing was committed") as caught:
        _commit(store, lease, **{"links": (Link(stream="orders", key="O1"),), **part(odd)})

    assert [] == list(store.all_links("acme", "orders"))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("odd", IMPOSSIBLE)
@pytest.mark.parametrize("field", ["target", "parent", "contact_id", "fingerprint"])
def test_ids_that_cannot_be_kept_are_refused(store, lease, field, odd):
    """What a link remembers to the letter is refused by all stores when one could not keep it, and so is a mark."""
    with pytest.raises(StateError, match="nothing was committed"):
        _commit(store, lease, links=(Link(stream="customers", key="C1", **{field: odd}),))
    with pytest.raises(StateError, match="nothing was committed"):
        _commit(store, lease, mark=HighWaterMark(stream="customers", value=odd))


@pytest.mark.parametrize("odd", [*IMPOSSIBLE, pytest.param(LONG, id="long")])
def test_names_that_cannot_be_kept_are_not_found(store, lease, odd):
    """Asking for a name that no store keeps finds nothing, beside others that are found, and removes nothing."""
    _commit(
        store,
        lease,
        links=(Link(stream="customers", key="C1", address="a@x"),),
        dead_letters=(_dead(),),
        notes=(Note(kind="k", key="C1", payload={}, at=NOW),),
        audit=(_entry(message="m"),),
    )
    places = (("customers", odd), (odd, "C1"))
    _commit(store, lease, settled=places, lifted=(odd,), dropped=places, scrubbed=places)

    assert ["C1"] == list(store.links("acme", "customers", [odd, "C1"]))
    assert ["a@x"] == list(store.links_to("acme", [odd, "a@x"]))
    assert {} == store.suppressions("acme", [odd])
    assert ["C1"] == [letter.key for letter in store.dead_letters("acme", keys=[odd, "C1"])]
    assert ["C1"] == [note.key for note in store.notes("acme", "k", keys=[odd, "C1"])]
    assert ["m"] == [entry.message for entry in store.audit("acme")]
    assert [] == [*store.dead_letters("acme", stream=odd), *store.notes("acme", odd), *store.all_links("acme", odd)]
    assert [] == [*store.audit("acme", key=odd), *store.audit("acme", stream=odd), *store.audit("acme", job_id=odd)]
    assert ({}, None, None) == (store.sealed([odd]), store.mark(odd, "customers"), store.mark("acme", odd))


@pytest.mark.parametrize("odd", [*IMPOSSIBLE, pytest.param(LONG, id="long")])
def test_names_of_pipelines_workers_and_secrets(store, odd):
    """Pipelines, workers and secrets with names that some database could not keep are refused by all stores."""
    with pytest.raises(StateError):
        store.acquire(odd, "worker", now=NOW, duration=HOUR)
    with pytest.raises(StateError):
        store.acquire("acme", odd, now=NOW, duration=HOUR)
    with pytest.raises(StateError, match="rename it"):
        store.exchange_sealed(odd, None, "k1.sealed")


@pytest.mark.parametrize("odd", IMPOSSIBLE)
def test_free_text_is_kept_as_far_as_it_can_be(store, lease, odd):
    """Text for people never holds up a checkpoint: only the characters that some database refuses are replaced."""
    _commit(
        store,
        lease,
        links=(Link(stream="customers", key="C1", reason=odd, details=(odd,)),),
        dead_letters=(_dead(reason=odd, message=odd, request_id=odd, payload={odd: [odd]}),),
        suppressions=(Suppression(address="a@x", reason=odd, origin=odd, at=NOW),),
        notes=(Note(kind="k", key="n", payload={odd: odd}, at=NOW),),
        audit=(_entry(reason=odd, message=odd, request_id=odd),),
    )
    link, letter = store.links("acme", "customers", ["C1"])["C1"], next(store.dead_letters("acme"))
    entry, suppression = next(store.audit("acme")), store.suppressions("acme", ["a@x"])["a@x"]
    texts = {link.reason, letter.reason, letter.message, letter.request_id, suppression.reason, suppression.origin}

    (kept,) = texts | {entry.reason, entry.message, entry.request_id}
    assert (SECRET, 1) == (kept[:-1], len(kept) - len(SECRET))
    # What has parts is written as JSON, which escapes.
    assert ((odd,), {odd: [odd]}) == (link.details, letter.payload)
    assert [{odd: odd}] == [note.payload for note in store.notes("acme", "k")]


def test_very_long_texts(store, lease):
    """Messages, payloads and secrets of megabytes come back whole, four-byte characters included."""
    long = "🔑é " * 300_000
    _commit(
        store,
        lease,
        dead_letters=(_dead(message=long, payload={"note": long}),),
        audit=(_entry(message=long),),
    )
    assert store.exchange_sealed("mailchimp", None, long)
    letter = next(store.dead_letters("acme"))

    assert long == letter.message == letter.payload["note"] == next(store.audit("acme")).message
    assert {"mailchimp": long} == store.sealed()


@pytest.mark.parametrize("at", [datetime.min, datetime.max, datetime(1969, 12, 31, 23, 59, 59, 999999)])
def test_extreme_times(store, lease, at):
    """Times at both ends of the calendar, and before 1970, come back to the microsecond."""
    at = at.replace(tzinfo=UTC)
    _commit(
        store,
        lease,
        mark=HighWaterMark(stream="customers", value=at, full_scan_at=at),
        links=(Link(stream="customers", key="C1", synced_at=at),),
        dead_letters=(_dead(first_at=at, last_at=at, payload={"at": at}),),
        audit=(_entry(at=at),),
    )
    letter, mark = next(store.dead_letters("acme")), store.mark("acme", "customers")

    assert {at} == {mark.value, mark.full_scan_at, letter.first_at, letter.last_at, letter.payload["at"]}
    assert {at} == {store.links("acme", "customers", ["C1"])["C1"].synced_at, next(store.audit("acme")).at}


@pytest.mark.parametrize(("end", "hours"), [(datetime.min, 5), (datetime.max, -5)])
def test_times_beyond_the_calendar_are_refused(store, lease, end, hours):
    """A time of a zone that is in no year of UTC is refused when written, for it could not be read back."""
    at = end.replace(tzinfo=timezone(timedelta(hours=hours)))

    with pytest.raises(StateError, match="year 1 or after the year 9999"):
        _commit(store, lease, links=(Link(stream="customers", key="C1", synced_at=at),))


@pytest.mark.parametrize(
    ("sabotage", "match"),
    [
        ("CREATE UNIQUE INDEX {0}x ON {0}audit (job_id)", "Unique|Integrity"),
        (
            "ALTER TABLE {0}links ADD COLUMN must_be INTEGER DEFAULT 0 CHECK (must_be > 0)",
            "Check|Integrity|Operational",
        ),
        ("DROP TABLE {0}audit", "audit"),
    ],
    ids=["duplicate", "constraint", "table"],
)
def test_a_refused_row_is_quoted_nowhere(database, caplog, sabotage, match):
    """What a database says of a row reaches neither the error, nor its causes and contexts, nor a log."""
    # The caller's engine shows parameters, as engines do by default.
    store = SQLStateStore(database.engine, table_prefix=database.prefix)
    lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
    database.run(sabotage.format(database.prefix))
    links = tuple(Link(stream="customers", key=SECRET + key, address=SECRET, parent=SECRET) for key in "ab")

    with caplog.at_level(logging.WARNING), pytest.raises(StateError, match=match) as caught:
        _commit(store, lease, links=links, audit=2 * (_entry(SECRET, job_id=SECRET, message=SECRET),))

    assert SECRET not in "".join(traceback.format_exception(caught.value))
    seen, error = [], caught.value
    while error is not None:
        seen += [str(error), repr(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    assert SECRET not in "".join(seen)
    assert SECRET not in caplog.text
    assert [] == list(store.all_links("acme", "customers"))


def test_a_first_lease_that_is_lost_quotes_nothing(database):
    """A worker beaten to a pipeline's first lease is told who holds it, without the database's words for it."""
    store, rivals = SQLStateStore(database.engine, table_prefix=database.prefix), []
    store.mark("acme", "customers")
    take = store._take

    def beaten(*arguments):
        if not rivals:
            rivals.append(arguments)
            row = f"'acme', 'rival', 1, {microseconds(NOW + HOUR)}"
            with database.engine.begin() as connection:
                connection.execute(text(f"INSERT INTO {database.prefix}leases VALUES ({row})"))
            arguments[-1].execute(text(f"INSERT INTO {database.prefix}leases VALUES ({row})"))
        return take(*arguments)

    store._take = beaten
    with pytest.raises(LeaseHeldError, match="'rival'") as caught:
        store.acquire("acme", "worker", now=NOW, duration=HOUR)

    assert caught.value.__context__ is None
