"""From rows of Sage 100's tables to our records. Pure.

There are no nulls: what is blank or zero is missing. No column names a currency: amounts are in the company's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import attrs

from ...models import Address, Contact, Customer, Record, StreamName, Supplier
from .._settings import OptOut, PartyStatus
from .._values import Row, flag_in, person_in, text_in, untouched_in
from ._api import CUSTOMER, CUSTOMER_CONTACT, INVOICE_HISTORY, ORDER_HISTORY, SALES_ORDER, VENDOR, Table
from ._documents import historic_order, invoice, sales_order
from ._stamps import day_of, modified, moment_of

__all__ = ["STATUSES", "Reader"]

STATUSES: Mapping[str, PartyStatus] = {"A": "active", "I": "inactive", "T": "active"}
"""Active, inactive, temporary."""


@attrs.frozen(kw_only=True)
class Reader:
    """Turns rows of one company into records. A function raises `MappingError`, naming the column and no value.

    Attributes:
        zone: where the server's wall clock hangs.
        status_field: the column of customers that says who is inactive.
        statuses: its values, in capitals, to our status.
        opt_outs: the site's own opt-out test for each stream.
    """

    zone: ZoneInfo
    status_field: str = "CustomerStatus"
    statuses: Mapping[str, PartyStatus] = STATUSES
    opt_outs: Mapping[StreamName, OptOut]

    def customer(self, row: Row) -> Customer:
        """A row of `AR_Customer`: a company mostly, so nobody's first and last name."""
        key = CUSTOMER.key_in(row)
        if day_of(row, "PIIEncryptedDate"):
            # What is left of names and addresses is ciphertext.
            return Customer(key=key, status="inactive", erased=True, modified_at=self.modified(row), raw=row)
        return Customer(
            key=key,
            name=text_in(row, "CustomerName"),
            email=untouched_in(row, "EmailAddress"),
            phone=text_in(row, "TelephoneNo"),
            address=_address(row),
            group=text_in(row, "CustomerType"),
            status=self._status(row, self.status_field, "CreditHold"),
            opted_out=self._opted_out("customers", row),
            modified_at=self.modified(row),
            last_activity=day_of(row, "DateLastActivity"),
            raw=row,
        )

    def contact(self, row: Row) -> Contact:
        """A row of `AR_CustomerContact`: a person of a customer, with one field for the whole name."""
        key = CUSTOMER_CONTACT.key_in(row)
        customer_key = CUSTOMER.key_in(row)
        if text_in(row, "EncryptedVals"):
            return Contact(key=key, customer_key=customer_key, erased=True, modified_at=self.modified(row), raw=row)
        name = text_in(row, "ContactName")
        first, last = person_in(name)
        return Contact(
            key=key,
            name=name,
            email=untouched_in(row, "EmailAddress"),
            first_name=first,
            last_name=last,
            phone=text_in(row, "TelephoneNo1"),
            address=_address(row),
            customer_key=customer_key,
            job_title=text_in(row, "ContactTitle"),
            opted_out=self._opted_out("contacts", row),
            modified_at=self.modified(row),
            raw=row,
        )

    def supplier(self, row: Row) -> Supplier:
        """A row of `AP_Vendor`."""
        return Supplier(
            key=VENDOR.key_in(row),
            name=text_in(row, "VendorName"),
            email=untouched_in(row, "EmailAddress"),
            phone=text_in(row, "TelephoneNo"),
            address=_address(row),
            group=text_in(row, "VendorType"),
            status=self._status(row, "VendorStatus", "HoldPayment"),
            opted_out=self._opted_out("suppliers", row),
            modified_at=self.modified(row),
            last_activity=day_of(row, "DateLastActivity"),
            raw=row,
        )

    def function_for(self, table: Table) -> Callable[[Row], Record]:
        """What reads a row of a table."""
        functions: dict[str, Callable[[Row], Record]] = {
            CUSTOMER.name: self.customer,
            CUSTOMER_CONTACT.name: self.contact,
            VENDOR.name: self.supplier,
            SALES_ORDER.name: lambda row: sales_order(row, self.modified(row)),
            ORDER_HISTORY.name: lambda row: historic_order(row, self.modified(row)),
            INVOICE_HISTORY.name: lambda row: invoice(row, self.modified(row)),
        }
        return functions[table.name]

    def modified(self, row: Row) -> datetime | None:
        """When the row was changed last, aware UTC.

        Raises:
            MappingError: its date or time is none.
        """
        stamp = modified(row)
        return moment_of(stamp, self.zone) if stamp else None

    def _status(self, row: Row, column: str, hold: str) -> PartyStatus:
        """A value that is not known counts as active."""
        status = self.statuses.get(text_in(row, column).upper(), "active")
        return "on_hold" if status == "active" and flag_in(row, hold) else status

    def _opted_out(self, stream: StreamName, row: Row) -> bool:
        test = self.opt_outs.get(stream)
        return test is not None and test(row)


def _address(row: Row) -> Address:
    return Address(
        line1=text_in(row, "AddressLine1"),
        line2=", ".join(filter(None, (text_in(row, "AddressLine2"), text_in(row, "AddressLine3")))),
        city=text_in(row, "City"),
        region=text_in(row, "State"),
        postal_code=text_in(row, "ZipCode"),
        country=text_in(row, "CountryCode"),
    )
