"""What a stream is made of: which tables are read, how their rows are put together, and what a row becomes.

Customers and suppliers are here, with what every stream shares.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs

from ...errors import ContractError, PermissionDeniedError
from ...models import Record
from ...retry import RetryPolicy
from .._values import Row, text_in
from ._reading import TableReader, key_of
from ._records import stored_code
from ._tables import SYSTEM, Condition, Table

__all__ = ["Beside", "Feed", "PartyFeed", "codes_of", "flat"]

log = logging.getLogger("mlconnector_sdk.sources.syspro")

_NOT_THERE = frozenset({"refused", "no_table", "not_licensed"})


class Feed(Protocol):
    """One stream."""

    @property
    def entity(self) -> str:
        """What is read, for people."""
        ...

    def pages(self, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """Every row that meets the conditions."""
        ...

    def of(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The rows with these keys, and perhaps others."""
        ...

    def key_of(self, row: Row) -> str:
        """The record's key as far as it can be told."""
        ...

    def record(self, row: Row) -> Record:
        """What the row means. Raises `MappingError`."""
        ...

    def first(self, retry: RetryPolicy) -> str:
        """Read a row of each table, to see whether that works; says what is missing."""
        ...


def codes_of(keys: Iterable[str]) -> list[str]:
    """Keys as they are, and as sites store them that number by digits."""
    return list(dict.fromkeys(code for key in keys if key.strip() for code in (key, stored_code(key))))


def flat(table: Table, row: Mapping[str, Any]) -> Row:
    """A row from beside under names such as `ArCustomer+.OptIn`; without a row there are the names alone."""
    return {f"{table.name}.{name}": row.get(name) for name in (*table.key[1:], *table.needed, *table.welcome)}


class Beside:
    """Reads what lies beside a page's rows; does without where a site does not have it."""

    def __init__(self, reader: TableReader) -> None:
        self._reader = reader
        self._missing: set[str] = set()

    def groups(self, table: Table, values: Sequence[Any], *, gapless: bool = False) -> Mapping[Any, list[Row]] | None:
        """As `TableReader.groups`; `None` where the table cannot be read."""
        if table.name in self._missing:
            return None
        try:
            return self._reader.groups(table, values, gapless=gapless)
        except (ContractError, PermissionDeniedError) as error:
            if error.reason not in _NOT_THERE:
                raise
            self._missing.add(table.name)
            log.warning(
                "syspro %s is done without: %s",
                table.name,
                error.reason,
                extra={"mlc_system": SYSTEM, "mlc_table": table.name},
            )
            return None


@attrs.define(kw_only=True)
class PartyFeed:
    """Customers or suppliers: a row of their table, and what a site keeps beside it.

    Attributes:
        forms: tables with one row for each party, such as custom forms, that the site named: it must have them.
        welcome: such tables that are done without where they cannot be read.
        addresses: the table of further delivery addresses, and its custom form where that was named.
        address_email: the column that makes an address somebody to write to.
    """

    table: Table
    reader: TableReader
    read: Callable[[Row], Record]
    forms: tuple[Table, ...] = ()
    welcome: tuple[Table, ...] = ()
    addresses: tuple[Table, ...] = ()
    address_email: str = ""
    _beside: Beside = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._beside = Beside(self.reader)

    @property
    def entity(self) -> str:
        return self.table.name

    def pages(self, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """Every row that meets the conditions."""
        for rows in self.reader.pages(self.table, conditions):
            yield self._joined(rows, gapless=not conditions)

    def of(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The rows with these keys; an address comes with its customer."""
        owners = [key.rpartition("/")[0] for key in keys] if self.address_email else []
        found = self.reader.of(self.table, codes_of([*keys, *owners]))
        if found:
            yield self._joined([row for rows in found.values() for row in rows], gapless=False)

    def key_of(self, row: Row) -> str:
        """The code, with that of the address where the row is one."""
        code = str(row.get(self.table.key[0]) or "unknown").strip()
        address = row.get("ArMultAddress.AddrCode")
        return code if address is None else f"{code}/{str(address).strip()}"

    def record(self, row: Row) -> Record:
        """What the row means."""
        return self.read(row)

    def first(self, retry: RetryPolicy) -> str:
        """Read a row of each table."""
        return self.reader.try_out((self.table, *self.forms, *self.addresses), retry)

    def _joined(self, rows: list[Row], *, gapless: bool) -> list[Row]:
        codes = [key_of(self.table, row)[0] for row in rows]
        found: dict[Table, Mapping[Any, list[Row]]] = {
            **{form: self.reader.groups(form, codes, gapless=gapless) for form in self.forms},
            **{form: self._beside.groups(form, codes, gapless=gapless) or {} for form in self.welcome},
        }
        for form, groups in found.items():
            for code, row in zip(codes, rows, strict=True):
                row.update(flat(form, next(iter(groups.get(code, ())), {})))
        return self._with_addresses(rows, codes, gapless=gapless) if self.addresses else rows

    def _with_addresses(self, rows: list[Row], codes: list[Any], *, gapless: bool) -> list[Row]:
        main, *forms = self.addresses
        places = self.reader.groups(main, codes, gapless=gapless)
        known = [(form, self._by_key(form, codes, gapless=gapless)) for form in forms]
        joined: list[Row] = []
        for code, row in zip(codes, rows, strict=True):
            own = [flat(main, place) for place in places.get(code, ())]
            for place, address in zip(places.get(code, ()), own, strict=True):
                for form, its_rows in known:
                    address.update(flat(form, its_rows.get(key_of(main, place), {})))
            joined.append({**row, "ArMultAddress": own})
            if self.address_email:
                joined += [{**row, **address} for address in own if text_in(address, self.address_email)]
        return joined

    def _by_key(self, table: Table, codes: list[Any], *, gapless: bool) -> dict[tuple[Any, ...], Row]:
        groups = self.reader.groups(table, codes, gapless=gapless)
        return {key_of(table, row): row for rows in groups.values() for row in rows}
