"""What a store asks a database for, call by call, so that plans of the real statements can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event

from mlconnector_sdk.cursors import HighWaterMark
from mlconnector_sdk.models import AuditEntry, Checkpoint, DeadLetter, Link, Note, Suppression
from mlconnector_sdk.state import SQLStateStore

__all__ = ["CALLS", "NOW", "SERVED_BY", "Statement", "fill", "statements_of"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MORE_THAN_A_CHUNK = 1001
PIPELINES = ("acme", "other")

Statement = tuple[str, Any]
"""SQL as it went to the driver, and one row of its parameters."""

_KEYS = ("C0001", "C0002")
_ADDRESSES = ("c1@example.com", "c2@example.com")


def _key(number: int) -> str:
    return f"C{number:04}"


def _again(store: SQLStateStore) -> None:
    """A checkpoint that replaces, settles, lifts, drops, scrubs and sees."""
    lease = store.acquire("acme", "worker", now=NOW, duration=timedelta(hours=1))
    place = ("customers", _key(1))
    store.commit(
        Checkpoint(
            pipeline="acme",
            job_id="job",
            settled=(place,),
            lifted=(_ADDRESSES[0],),
            dropped=(("receipt", _key(1)),),
            scrubbed=(place,),
            seen={place: "digest"},
        ),
        lease,
    )
    store.renew(lease, now=NOW, duration=timedelta(hours=1))
    store.release(lease)


CALLS: dict[str, Callable[[SQLStateStore], object]] = {
    "lease and removals": _again,
    "mark": lambda store: store.mark("acme", "customers"),
    "links by key": lambda store: store.links("acme", "customers", _KEYS),
    "seen": lambda store: store.seen("acme", "customers", _KEYS),
    "links by address": lambda store: store.links_to("acme", _ADDRESSES),
    "all links": lambda store: list(store.all_links("acme", "customers")),
    "member keys": lambda store: list(store.member_keys("acme", "customers")),
    "suppressions": lambda store: store.suppressions("acme", _ADDRESSES),
    "dead letters": lambda store: list(store.dead_letters("acme")),
    "dead letters by stream": lambda store: list(store.dead_letters("acme", stream="customers")),
    "dead letters by key": lambda store: list(store.dead_letters("acme", stream="customers", keys=_KEYS)),
    "dead letters by reason": lambda store: list(store.dead_letters("acme", reason="takeover")),
    "notes": lambda store: list(store.notes("acme", "receipt")),
    "notes by key": lambda store: list(store.notes("acme", "receipt", keys=_KEYS)),
    "audit": lambda store: list(store.audit("acme")),
    "audit by key": lambda store: list(store.audit("acme", key=_key(1))),
    "audit by record": lambda store: list(store.audit("acme", stream="customers", key=_key(1))),
    "audit by job": lambda store: list(store.audit("acme", job_id="job-1")),
    "secrets by name": lambda store: store.sealed(["mailchimp"]),
    "prune": lambda store: store.prune("acme", before=NOW + timedelta(hours=1), kinds=["receipt"], most=100),
}
"""Every way to ask a store that may be asked often, or of much; all secrets are a handful, and wanted as a whole."""

SERVED_BY = {
    "lease and removals": {"audit_by_record", "links_by_address"},
    "links by address": {"links_by_address"},
    "audit": {"audit_by_pipeline"},
    "audit by key": {"audit_by_record"},
    "audit by record": {"audit_by_record"},
    "audit by job": {"audit_by_job"},
    "prune": {"audit_by_pipeline"},
}
"""The indexes that each call is there for; the others go by the primary key."""


def fill(store: SQLStateStore) -> None:
    """More rows than one chunk, in two pipelines."""
    numbers = range(MORE_THAN_A_CHUNK)
    for pipeline in PIPELINES:
        lease = store.acquire(pipeline, "worker", now=NOW, duration=timedelta(hours=1))
        store.commit(
            Checkpoint(
                pipeline=pipeline,
                job_id="job",
                mark=HighWaterMark(stream="customers", value=NOW),
                links=tuple(Link(stream="customers", key=_key(n), address=f"c{n}@example.com") for n in numbers),
                dead_letters=tuple(_dead(_key(n)) for n in numbers),
                suppressions=tuple(
                    Suppression(address=f"c{n}@example.com", reason="r", origin="o", at=NOW) for n in numbers
                ),
                notes=tuple(Note(kind="receipt", key=_key(n), payload={}, at=NOW) for n in numbers),
                audit=tuple(_entry(_key(n), job_id=f"job-{n % 20}") for n in numbers),
            ),
            lease,
        )
        store.release(lease)


def _dead(key: str) -> DeadLetter:
    return DeadLetter(
        stream="customers", key=key, reason="r", message="m", payload={}, first_at=NOW, last_at=NOW, job_id="job"
    )


def _entry(key: str, job_id: str) -> AuditEntry:
    return AuditEntry(at=NOW, job_id=job_id, stream="customers", key=key, outcome="created")


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[Statement]]:
    """Every statement that reads, changes or removes rows while the block runs."""
    found: list[Statement] = []

    def keep(_connection: object, _cursor: object, sql: str, parameters: Any, _context: object, many: bool) -> None:
        if sql.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE") and "set_config" not in sql:
            found.append((sql, parameters[0] if many or isinstance(parameters, list) else parameters))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", keep)
