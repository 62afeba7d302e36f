"""Payloads at rest: sealed with a key ring when the store was given one, and bound to the place they lie in.

Payloads in the clear and sealed ones may lie side by side, because a clear one begins with a brace and a sealed one
with the name of its key. So sealing can be switched on for a store that is in use.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select, update

from ..errors import VaultError
from ._schema import Tables

if TYPE_CHECKING:
    from ..credentials import Key, KeyRing

__all__ = ["Sealer", "reseal"]

_AT_ONCE = 100
_SAMPLE = 20
_CLEAR = "{"
_SEALED = re.compile(r"([0-9a-f]{8})\.")

Place = tuple[str, ...]
"""What a payload is of, its pipeline, and its key."""


class Sealer:
    """Seals payloads, if there is a key, and opens them.

    Args:
        key: as `EncryptedVault` takes it, and asked for when first needed; `None` leaves payloads in the clear.
    """

    def __init__(self, key: Key | None) -> None:
        self._ring: Callable[[], KeyRing] | None = None
        if key is not None:
            # Whoever seals nothing does not wait for the packages that can.
            from ..credentials import ring_on_demand

            self._ring = ring_on_demand(key)
        self._recognised = threading.Event()

    def seal(self, place: Place, text: str) -> str:
        """The text as it is kept."""
        if self._ring is None:
            return text
        return self._ring().seal(json.dumps([*place, text]).encode())

    def unseal(self, place: Place, kept: str) -> str:
        """The text again.

        Raises:
            VaultError: there is no key, or not the right one; or it is not what was sealed for this place.
            ValueError: it was never kept so, and there is no key to judge it by.
        """
        if kept.startswith(_CLEAR):
            return kept
        what = f"the payload of {place[0]} {' '.join(place[2:])}"
        if self._ring is None and not _name_of(kept):
            raise ValueError("a payload neither in the clear nor sealed")
        if self._ring is None:
            raise VaultError(
                f"{what} is sealed with key {_name_of(kept)}: give the state store that key, as key=…", reason="no_key"
            )
        try:
            content = self._ring().unseal(kept)
        except VaultError as error:
            raise VaultError(f"{what} was {error.message} of the state store", reason=error.reason) from None
        parts = [] if content is None else json.loads(content)
        if [*place] != parts[:-1]:
            raise VaultError(
                f"{what} is not what was sealed there, somebody changed it: find out who, then replay the record",
                reason="changed",
            )
        return str(parts[-1])

    def recognise(self, connection: Connection, tables: Tables) -> None:
        """Refuse, before the first write, to seal with a wrong key what nobody else could read.

        Raises:
            VaultError: nothing of what is sealed here was sealed with a key of this ring.
        """
        if self._ring is None or self._recognised.is_set():
            return
        known = self._ring().names
        there = {_name_of(kept) for table, _ in _kept_in(tables) for kept in _some_sealed(connection, table)} - {""}
        if there and there.isdisjoint(known):
            raise VaultError(
                f"the state was sealed with key {', '.join(sorted(there))}, which is not among those given "
                f"({', '.join(known)}): add that key to the KeyRing of the state store",
                reason="wrong_key",
            )
        self._recognised.set()

    def newest(self) -> str:
        """The name of the key that seals.

        Raises:
            VaultError: there is none.
        """
        if self._ring is None:
            raise VaultError("reseal: the state store has no key: give it one, as key=…", reason="no_key")
        return self._ring().names[0]


def reseal(sealer: Sealer, tables: Tables, writing: Callable[[], AbstractContextManager[Connection]]) -> int:
    """Seal anew, with the newest key, what lies in the clear or was sealed with an older one; returns how much.

    Raises:
        VaultError: some payloads cannot be read; all others are sealed anew.
    """
    newest, done, lost = sealer.newest(), 0, 0
    for table, what in _kept_in(tables):
        after: Sequence[str] | None = None
        while after is None or after:
            with writing() as connection:
                rows = _not_under(connection, table, newest, after)
                for *key, kept in rows:
                    try:
                        done += _exchange(connection, table, key, kept, _sealed_anew(sealer, (what, *key), kept))
                    except VaultError:
                        lost += 1
            after = rows[-1][:-1] if rows else ()
    if lost:
        raise VaultError(
            f"{done} payloads were sealed anew, but {lost} cannot be read: add the keys that sealed them, and repeat",
            reason="wrong_key",
        )
    return done


def _sealed_anew(sealer: Sealer, place: Place, kept: str) -> str:
    return sealer.seal(place, sealer.unseal(place, kept))


def _kept_in(tables: Tables) -> Iterator[tuple[Table, str]]:
    """The tables that have payloads, and what these are of; their keys are the rest of a payload's place."""
    yield tables.dead_letters, "dead letter"
    yield tables.notes, "note"


def _some_sealed(connection: Connection, table: Table) -> Sequence[str]:
    payload = table.c.payload
    return connection.scalars(select(payload).where(payload.not_like(f"{_CLEAR}%")).limit(_SAMPLE)).all()


def _not_under(connection: Connection, table: Table, name: str, after: Sequence[str] | None) -> list[list[str]]:
    """The next rows whose payload is not sealed with this key, locked where the database can: key columns, payload."""
    keys = list(table.primary_key)
    wanted = select(*keys, table.c.payload).where(table.c.payload.not_like(f"{name}.%"))
    wanted = wanted.where(_beyond(keys, after)) if after else wanted
    return [list(row) for row in connection.execute(wanted.order_by(*keys).limit(_AT_ONCE).with_for_update())]


def _beyond(columns: Sequence[ColumnElement[str]], values: Sequence[str]) -> ColumnElement[bool]:
    """Rows after these values, in the order of the columns."""
    steps = []
    for place, column in enumerate(columns):
        same = [earlier == value for earlier, value in zip(columns[:place], values[:place], strict=True)]
        steps.append(and_(*same, column > values[place]))
    return or_(*steps)


def _exchange(connection: Connection, table: Table, key: Sequence[str], before: str, after: str) -> int:
    """1, or 0 where the payload was replaced meanwhile."""
    same = [column == value for column, value in zip(table.primary_key, key, strict=True)]
    put = update(table).where(*same, table.c.payload == before).values(payload=after)
    return connection.execute(put).rowcount


def _name_of(kept: str) -> str:
    """The key's name; nothing where what is kept is not sealed, and may be anything."""
    found = _SEALED.match(kept)
    return found[1] if found else ""
