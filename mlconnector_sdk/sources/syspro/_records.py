"""Rows of SYSPRO as customers, contacts and suppliers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from ...cursors import CursorValue
from ...models import Address, Contact, Customer, StreamName, Supplier
from .._settings import OptOut, PartyStatus
from .._values import Row, day_in, flag_in, key_in, person_in, speaks_against, text_in
from ._contacts import OPT_OUTS
from ._settings import mark_in

__all__ = ["ADDRESS_LINES", "AddressLines", "Reader", "shown_number", "stored_code"]

Part: TypeAlias = Literal["line1", "line2", "city", "region", "country", ""]
AddressLines: TypeAlias = tuple[Part, Part, Part, Part, Part]
"""What a site writes into the five lines of an address."""

ADDRESS_LINES: AddressLines = ("line1", "line2", "city", "region", "country")

_PADDED = 15


def stored_code(code: str) -> str:
    """A code as tables hold it: sites that number by digits pad with zeros to 15."""
    return code.zfill(_PADDED) if code.isascii() and code.isdigit() else code


def shown_number(code: str) -> str:
    """A number as people know it, without the zeros that pad it."""
    return code.lstrip("0") or code if code.isdigit() else code


@attrs.frozen(kw_only=True)
class Reader:
    """Turns rows of one site into parties.

    Attributes:
        status: a customer's status.
        opt_outs: the site's own opt-out test for each stream.
        deltas: the column that tells of changes, by stream.
        zone: where stamps without an offset were made.
        address_email: the column with the e-mail address of a further delivery address; `""` for none.
    """

    status: Callable[[Mapping[str, Any]], PartyStatus]
    opt_outs: Mapping[StreamName, OptOut]
    deltas: Mapping[StreamName, str]
    zone: ZoneInfo
    address_lines: AddressLines = ADDRESS_LINES
    address_email: str = ""

    def customer(self, row: Row) -> Customer:
        """A row of `ArCustomer`, or one of its further delivery addresses."""
        key, name, email = key_in(row, "Customer"), text_in(row, "Name"), text_in(row, "Email")
        nation = text_in(row, "Nationality")
        address = self.address(row, "SoldToAddr", "SoldPostalCode", nation=nation)
        if "ArMultAddress.AddrCode" in row:
            key = f"{key}/{key_in(row, 'ArMultAddress.AddrCode')}"
            name = text_in(row, "ArMultAddress.ShipToName") or name
            email = text_in(row, self.address_email)
            address = self.address(row, "ArMultAddress.ShipToAddr", "ArMultAddress.ShipPostalCode", nation=nation)
        first, last = person_in(text_in(row, "Contact"))
        # Customers that stand for a branch of the company itself are nobody to write to.
        internal = flag_in(row, "IbtCustomer") is True
        return Customer(
            key=key,
            name=name,
            email=email,
            first_name=first,
            last_name=last,
            phone=text_in(row, "Telephone"),
            address=address,
            language=language_in(row, "LanguageCode"),
            group=text_in(row, "CustomerClass"),
            currency=text_in(row, "Currency"),
            status="inactive" if internal else self.status(row),
            opted_out=self.opted_out("customers", row),
            modified_at=self.mark("customers", row),
            last_activity=day_in(row, "DateLastSale"),
            raw=row,
        )

    def supplier(self, row: Row) -> Supplier:
        """A row of `ApSupplier`, with its address from beside."""
        first, last = person_in(text_in(row, "Contact"))
        return Supplier(
            key=key_in(row, "Supplier"),
            name=text_in(row, "SupplierName"),
            email=text_in(row, "Email"),
            first_name=first,
            last_name=last,
            phone=text_in(row, "Telephone"),
            address=self.address(
                row, "ApSupplierAddr.SupAddr", "ApSupplierAddr.SupPostalCode", nation=text_in(row, "Nationality")
            ),
            language=language_in(row, "LanguageCode"),
            group=text_in(row, "SupplierClass"),
            status="on_hold" if flag_in(row, "OnHold") else "active",
            opted_out=self.opted_out("suppliers", row),
            modified_at=self.mark("suppliers", row),
            last_activity=day_in(row, "LastPurchDate"),
            raw=row,
        )

    def contact(self, row: Row) -> Contact:
        """A person, as `_contacts` made it of a business object's answer or of a view."""
        declined = any(speaks_against(row.get(flag)) for flag in OPT_OUTS)
        return Contact(
            key=key_in(row, "Key"),
            name=text_in(row, "FullName") or f"{text_in(row, 'FirstName')} {text_in(row, 'LastName')}".strip(),
            email=text_in(row, "Email"),
            first_name=text_in(row, "FirstName"),
            last_name=text_in(row, "LastName"),
            phone=text_in(row, "Telephone"),
            language=language_in(row, "PreferredLanguage"),
            group=text_in(row, "ContactClass"),
            job_title=text_in(row, "JobTitle"),
            customer_key=text_in(row, "Customer"),
            opted_out=declined or self.opted_out("contacts", row),
            modified_at=self.mark("contacts", row),
            raw=row,
        )

    def address(self, row: Row, prefix: str, postal_code: str, *, nation: str = "") -> Address:
        """Five lines and a postal code; what the lines mean, each site decides. `nation` is for those without."""
        parts: dict[str, str] = {}
        for names, part in zip(_line_names(prefix), self.address_lines, strict=True):
            text = text_in(row, names[0])
            if not text and names[1:]:
                text = text_in(row, names[1])
            if text and part:
                parts[part] = f"{parts[part]}, {text}" if part in parts else text
        if parts and not parts.get("country"):
            parts["country"] = nation
        return Address(**parts, postal_code=text_in(row, postal_code))

    def opted_out(self, stream: StreamName, row: Row) -> bool:
        """What the site's own column says."""
        test = self.opt_outs.get(stream)
        return test is not None and test(row)

    def mark(self, stream: StreamName, row: Row) -> CursorValue | None:
        """What the delta column says."""
        name = self.deltas.get(stream)
        return mark_in(row, name, self.zone) if name else None


@cache
def _line_names(prefix: str) -> list[tuple[str, ...]]:
    """Where the five lines of an address stand, the third in one of two places."""
    return [(f"{prefix}{number}", *([f"{prefix}3Loc"] if number == 3 else [])) for number in range(1, 6)]


def language_in(row: Row, name: str) -> str:
    """A language in letters; SYSPRO also has numbers for them, whose meaning is its own."""
    text = text_in(row, name)
    return text if text.isalpha() else ""
