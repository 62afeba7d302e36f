"""Contacts as a stream: by way of customers through business objects, or out of a view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ...errors import ContractError
from ...models import Record
from ...retry import RetryPolicy
from .._values import Row, speaks_against, text_in
from ._contacts import (
    OPT_OUTS,
    ContactManagement,
    ContactView,
    emails_in,
    people_in,
    request_by_customer,
    requests_by_email,
)
from ._feeds import codes_of
from ._reading import TableReader, key_of
from ._records import Reader
from ._tables import Condition, Connection, Table

__all__ = ["ContactFeed", "ViewFeed"]

_CUSTOMERS = Table(name="ArCustomer", key=("Customer",), needed=("Email",))


@attrs.define(kw_only=True)
class ContactFeed:
    """Persons of the Contact Management System, found by way of all customers."""

    connection: Connection
    reader: TableReader
    parties: Reader
    management: ContactManagement

    @property
    def entity(self) -> str:
        return "CMSQEM" if self.management.key_type is None else "CMSQRC"

    def pages(self, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """Every person that is found; changes alone cannot be asked for."""
        for rows in self.reader.pages(_CUSTOMERS):
            if people := self._people(rows):
                yield people

    def of(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The persons of these customers."""
        owners = self.reader.of(_CUSTOMERS, codes_of(key.rpartition("/")[0] for key in keys))
        if people := self._people([row for rows in owners.values() for row in rows]):
            yield people

    def key_of(self, row: Row) -> str:
        """The customer's code and a digest."""
        return str(row.get("Key") or "unknown")

    def record(self, row: Row) -> Record:
        """What the row means."""
        return self.parties.contact(row)

    def first(self, retry: RetryPolicy) -> str:
        """Ask about one customer, to see whether the business object is there."""
        kind = self.management.key_type
        for row in self.reader.sample(_CUSTOMERS, retry):
            code = key_of(_CUSTOMERS, row)[0]
            xml = next(requests_by_email(["NOBODY@EXAMPLE.COM"])) if kind is None else request_by_customer(kind, code)
            people_in(self.connection.ask(self.entity, xml, retry=retry), lambda _, code=code: code)  # type: ignore[misc]
        return self.entity

    def _people(self, customers: Sequence[Row]) -> list[Row]:
        found = self._by_email(customers) if self.management.key_type is None else self._by_customer(customers)
        people: dict[str, Row] = {}
        for row in found:
            # A person with several addresses may come with each of them, and be there twice under one name.
            known = people.setdefault(row["Key"], row)
            known.update({flag: row[flag] for flag in OPT_OUTS if speaks_against(row.get(flag))})
        return list(people.values())

    def _by_customer(self, customers: Sequence[Row]) -> Iterator[Row]:
        kind, refused = self.management.key_type or "", 0
        for row in customers:
            code = str(key_of(_CUSTOMERS, row)[0])
            try:
                answer = self.connection.ask(self.entity, request_by_customer(kind, code))
            except ContractError as error:
                # How "this customer has no contacts" is said was never seen: it may be an error, though not for all.
                refused += 1
                if error.reason != "refused" or refused == len(customers):
                    raise
                continue
            yield from people_in(answer, lambda _, code=code: code)  # type: ignore[misc]

    def _by_email(self, customers: Sequence[Row]) -> Iterator[Row]:
        owners: dict[str, str] = {}
        for row in customers:
            for address in emails_in(text_in(row, "Email")):
                owners.setdefault(address.upper(), key_of(_CUSTOMERS, row)[0])

        def owner_of(person: Row) -> str:
            addresses = (address.upper() for address in emails_in(text_in(person, "Email")))
            return next((owners[address] for address in addresses if address in owners), "")

        for xml in requests_by_email(list(owners)):
            yield from people_in(self.connection.ask(self.entity, xml), owner_of)


@attrs.define(kw_only=True)
class ViewFeed:
    """Contacts out of a table or view with columns as the site names them."""

    view: ContactView
    table: Table
    reader: TableReader
    parties: Reader

    @property
    def entity(self) -> str:
        return self.table.name

    def pages(self, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """Every row that meets the conditions."""
        for rows in self.reader.pages(self.table, conditions):
            yield [self._named(row) for row in rows]

    def of(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The rows with these keys."""
        found = self.reader.of(self.table, codes_of(keys))
        if found:
            yield [self._named(row) for rows in found.values() for row in rows]

    def key_of(self, row: Row) -> str:
        """The view's own key."""
        return str(row.get("Key") or "unknown").strip()

    def record(self, row: Row) -> Record:
        """What the row means."""
        return self.parties.contact(row)

    def first(self, retry: RetryPolicy) -> str:
        """Read a row."""
        return self.reader.try_out((self.table,), retry)

    def _named(self, row: Row) -> Row:
        return {**row, **{ours: row.get(theirs) for ours, theirs in self.view.names.items()}}
