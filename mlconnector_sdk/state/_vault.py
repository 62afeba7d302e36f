"""Sealed secrets in a table, exchanged one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

__all__ = ["exchange", "load_sealed"]


def exchange(connection: Connection, table: Table, name: str, before: str | None, after: str | None) -> bool:
    """What `SealedStore.exchange_sealed` promises, by a single statement that finds `before` or changes nothing.

    Raises:
        IntegrityError: there is an entry where none was expected.
    """
    c = table.c
    if before is None:
        if after is None:
            return connection.execute(select(c.name).where(c.name == name)).first() is None
        connection.execute(insert(table).values(name=name, digest=_digest(after), sealed=after))
        return True
    found = (c.name == name, c.digest == _digest(before))
    if after is None:
        return connection.execute(delete(table).where(*found)).rowcount == 1
    put = update(table).where(*found).values(digest=_digest(after), sealed=after)
    return connection.execute(put).rowcount == 1


def load_sealed(row: Sequence[Any]) -> tuple[str, str]:
    """Name and sealed secret of a row."""
    name, sealed = row
    return name, sealed


def _digest(sealed: str) -> str:
    return hashlib.sha256(sealed.encode()).hexdigest()
