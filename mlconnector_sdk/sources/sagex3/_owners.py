"""Whose record changes when something beside it does: the address, the contact or the header of a partner."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain

import attrs

from ...errors import ContractError, MappingError, PermissionDeniedError
from .._values import Row
from ._api import ADDRESSES, CONTACTS, CUSTOMERS, PARTNERS, PERSONS, SUPPLIERS, SYSTEM, Condition, Connection, Entity
from ._fields import moment_in
from ._ladder import Ladder
from ._records import BESIDE, is_of_partner

__all__ = ["Owners", "sides"]

log = logging.getLogger("mlconnector_sdk.sources.sagex3")

_REMEMBERED = 50_000

Changes = dict[str, datetime | None]
"""Codes of partners or persons, and when what belongs to them was changed."""


@attrs.frozen
class Owners:
    """Finds the records of an entity that were not changed themselves, while something beside them was.

    Attributes:
        beside: the tables beside the entities, with the site's stamps.
    """

    connection: Connection
    ladder: Ladder
    beside: Sequence[Entity]
    _told: set[str] = attrs.field(factory=set, init=False)

    def of_changed(self, entity: Entity, since: datetime, done: set[str]) -> Iterator[list[Row]]:
        """Their rows as a list gives them, without those whose key is in `done`; the same one may come twice."""
        for side in self._sides_of(entity):
            for changes in self._changes_of(side, entity, since):
                keep = {code: moment for code, moment in changes.items() if code not in done}
                yield from self._owners(entity, keep)
                _remember(done, keep)

    def unseen(self, entity: Entity) -> list[str]:
        """The tables beside an entity whose changes only a full scan finds."""
        return [side.table for side in self._sides_of(entity) if not self._can_see(side)]

    def _can_see(self, side: Entity) -> bool:
        try:
            return self.ladder.has_stamp(side)
        except (ContractError, PermissionDeniedError):
            return False

    def _changes_of(self, side: Entity, entity: Entity, since: datetime) -> Iterator[Changes]:
        """What changed in a table beside. One that cannot be read at all is told; one that breaks off is an error."""
        try:
            if not self.ladder.has_stamp(side):
                self._tell(side, f"lists of {side.table} have no change stamp")
                return
            pages = self.ladder.changed(side, since)
            first = next(pages, [])
        except (ContractError, PermissionDeniedError) as error:
            self._tell(side, error.message)
            return
        for rows in chain([first], pages):
            yield self._changes(side, entity, rows)

    def _sides_of(self, entity: Entity) -> list[Entity]:
        if entity.table == CONTACTS.table:
            return [side for side in self.beside if side.table == PERSONS.table]
        return list(self.beside) if entity.table in {CUSTOMERS.table, SUPPLIERS.table} else []

    def _changes(self, side: Entity, entity: Entity, rows: Sequence[Row]) -> Changes:
        """Which partners (for contacts: which persons) the changed rows belong to."""
        if side.table == PERSONS.table:
            persons = _by_code(side, [row for row in rows if str(row.get("CCNCRM") or "").strip()], "CCNCRM")
            return persons if entity.table == CONTACTS.table else self._partners_of(persons)
        if side.table == PARTNERS.table:
            return _by_code(side, rows, "BPRNUM")
        return _by_code(side, [row for row in rows if is_of_partner(row)], "BPANUM")

    def _partners_of(self, persons: Changes) -> Changes:
        found: Changes = {}
        conditions: list[Condition] = [{"CCNCRM": code} for code in persons]
        for rows in self.connection.matching(CONTACTS, conditions):
            for row in rows:
                partner = str(row.get("BPANUM") or "").strip()
                if partner and is_of_partner(row):
                    found[partner] = persons.get(str(row.get("CCNCRM") or "").strip())
        return found

    def _owners(self, entity: Entity, changes: Changes) -> Iterator[list[Row]]:
        field = "CCNCRM" if entity.table == CONTACTS.table else entity.keys[-1]
        conditions: list[Condition] = [{field: code} for code in changes]
        for rows in self.connection.matching(entity, conditions) if conditions else ():
            yield [_stamped(row, changes.get(str(row.get(field) or "").strip())) for row in rows]

    def _tell(self, side: Entity, why: str) -> None:
        """Once for each table."""
        if side.table in self._told:
            return
        self._told.add(side.table)
        log.warning(
            "sagex3: changes of %s alone are not seen before the next full scan: %s",
            side.table,
            why,
            extra={"mlc_system": SYSTEM, "mlc_entity": side.table},
        )


def sides(stamps: tuple[str, ...]) -> tuple[Entity, ...]:
    """The tables beside customers and suppliers."""
    return tuple(attrs.evolve(side, stamps=stamps) for side in (PARTNERS, ADDRESSES, CONTACTS, PERSONS))


def _by_code(side: Entity, rows: Sequence[Row], field: str) -> Changes:
    found: Changes = {}
    for row in rows:
        code = str(row.get(field) or "").strip()
        known, moment = found.get(code), _moment(side, row)
        if code and (known is None or (moment is not None and moment > known)):
            found[code] = moment
    return found


def _moment(side: Entity, row: Row) -> datetime | None:
    try:
        return next((moment for name in side.stamps if (moment := moment_in(row, name))), None)
    except MappingError:
        return None


def _stamped(row: Row, moment: datetime | None) -> Row:
    """The mark may follow what was changed beside a row, so that it is not read again for ever."""
    return row if moment is None else {**row, BESIDE: moment.astimezone(UTC).isoformat()}


def _remember(done: set[str], codes: Changes) -> None:
    """Bounded; a forgotten record is only read once more."""
    if len(done) > _REMEMBERED:
        done.clear()
    done.update(codes)
