"""Removing what is old from a state database, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select, update

from ..models import Pruned
from ._schema import Tables

__all__ = ["prune"]

_AT_ONCE = 500


def prune(
    connection: Connection, tables: Tables, pipeline: str, *, before: int, kinds: Collection[str], most: int
) -> Pruned:
    """What `StateStore.prune` promises, inside the caller's transaction; `before` in microseconds."""
    # The write comes first: on SQLite it takes the database's lock before anything is read.
    leases = _give_back(connection, tables, pipeline, before)
    audit = _prune_audit(connection, tables, pipeline, before, most)
    notes = 0
    for kind in sorted(kinds):
        notes += _prune_notes(connection, tables, pipeline, kind, before, most - notes)
    return Pruned(audit=audit, notes=notes, leases=leases)


def _give_back(connection: Connection, tables: Tables, pipeline: str, before: int) -> int:
    """The row stays: it remembers the fencing number, by which a worker that was overtaken is told."""
    c = tables.leases.c
    ran_out = (c.pipeline == pipeline, c.owner.is_not(None), c.expires_at < before)
    return connection.execute(update(tables.leases).where(*ran_out).values(owner=None)).rowcount


def _prune_audit(connection: Connection, tables: Tables, pipeline: str, before: int, most: int) -> int:
    c = tables.audit.c
    old = (c.pipeline == pipeline, c.at < before)
    ids = connection.scalars(select(c.id).where(*old).order_by(c.id).limit(most)).all()
    if not ids:
        return 0
    # A range of ids rather than a list of them: short enough for every database, however many there are.
    return connection.execute(delete(tables.audit).where(*old, c.id <= ids[-1])).rowcount


def _prune_notes(connection: Connection, tables: Tables, pipeline: str, kind: str, before: int, most: int) -> int:
    c = tables.notes.c
    old = (c.pipeline == pipeline, c.kind == kind, c.at < before)
    keys = connection.scalars(select(c.key).where(*old).order_by(c.key).limit(most)).all()
    parts = [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
    # One that was written again since it was read is no longer old.
    return sum(connection.execute(delete(tables.notes).where(*old, c.key.in_(part))).rowcount for part in parts)
