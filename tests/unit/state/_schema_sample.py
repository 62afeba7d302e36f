"""The state that a version of the schema leaves behind, as SQL text in `tests/samples/state`.

Until the first release, a changed table changes schema 1, and its sample is written anew, from the top of the
checkout, by

    python -m tests.unit.state._schema_sample

Afterwards a changed table is a step in `state/_migration.py` and a sample of its own; samples of released schemas are
never written again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from mlconnector_sdk.cursors import HighWaterMark
from mlconnector_sdk.models import AuditEntry, Checkpoint, DeadLetter, Link, Note, Suppression
from mlconnector_sdk.state import SQLiteStateStore

__all__ = ["CHECKPOINT", "HOUR", "NOW", "SECRETS", "load"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

CHECKPOINT = Checkpoint(
    pipeline="acme",
    job_id="job-1",
    mark=HighWaterMark(stream="customers", value=NOW, full_scan_at=NOW - HOUR),
    links=(
        Link(
            stream="customers",
            key="Cé 1",
            target="0f3c9a6e",
            address="ada@example.com",
            fingerprint="f1",
            owner=True,
            reason="shared",
            parent="P1",
            taken_off="archived",
            standing="subscribed",
            moved_from="old@example.com",
            contact_id="c1",
            details=("VIP",),
            permissions=(("news", "given"),),
            synced_at=NOW,
        ),
        Link(stream="orders", key="O1"),
    ),
    dead_letters=(
        DeadLetter(
            stream="orders",
            key="O2",
            reason="rejected",
            message="no total",
            payload={"id": "O2", "total": Decimal("12.50"), "at": NOW},
            fingerprint="f2",
            attempts=2,
            first_at=NOW - HOUR,
            last_at=NOW,
            first_job_id="job-0",
            job_id="job-1",
            status_code=400,
            request_id="r-2",
        ),
    ),
    suppressions=(Suppression(address="bob@example.com", reason="unsubscribed", origin="mailchimp", at=NOW),),
    notes=(Note(kind="receipt", key="n1", payload={"seen": 1}, at=NOW),),
    audit=(
        AuditEntry(
            at=NOW,
            job_id="job-1",
            stream="orders",
            key="O2",
            outcome="dead",
            reason="rejected",
            message="no total",
            attempts=2,
            request_id="r-2",
            replayed="kept",
        ),
    ),
)
"""A row of every kind, and in it a value for every column."""

SECRETS = {"mailchimp": "k1.sealed"}


def load(path: Path, script: str) -> None:
    """Make a database file of a sample."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def _write(target: Path) -> None:
    store = SQLiteStateStore(":memory:")
    lease = store.acquire("acme", "worker-1", now=NOW, duration=HOUR)
    store.commit(CHECKPOINT, lease)
    for name, sealed in SECRETS.items():
        store.exchange_sealed(name, None, sealed)
    with store._engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        # SQLAlchemy ends lines of DDL with blanks.
        lines = [line.rstrip() for statement in driver.iterdump() for line in statement.splitlines()]
    store.close()
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write(Path(__file__).parents[2] / "samples" / "state" / "schema_1.sql")
