"""Rows of X3 as customers, contacts, suppliers and orders. Pure.

Fields of a table beside the row's own are looked for under its name first (`BPADDRESS.WEB`), then without: so a
representation made for us may hold everything in one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Literal

import attrs

from ...errors import MappingError
from ...models import Address, Contact, Customer, StreamName, Supplier
from .._settings import OptOut, PartyStatus
from .._values import Row, key_in, text_in
from ._fields import first_text, forbids, is_no, moment_in, occurrences

__all__ = ["BESIDE", "Reader", "contact_key", "is_of_partner", "postal_address", "refuse_faulty"]

BESIDE = "$beside"
"""Where a row says when something beside it was changed, if that is why it was read."""

_PARTNER_WORDS = frozenset({"", "1", "businesspartner"})


@attrs.frozen(kw_only=True)
class Reader:
    """Turns rows of one site into parties. A function raises `MappingError`, naming the field and no value.

    Attributes:
        customer_email: whose address a customer or supplier has first: its default contact's, or its default address's.
        status: what a site's own columns say of a customer.
        opt_outs: the site's own opt-out test for each stream.
        stamps: fields that tell when a row was changed, the best first.
        languages, countries: the site's codes to ISO ones.
    """

    customer_email: Literal["contact", "address"] = "contact"
    status: Callable[[Mapping[str, Any]], PartyStatus]
    opt_outs: Mapping[StreamName, OptOut]
    stamps: tuple[str, ...]
    languages: Mapping[str, str]
    countries: Mapping[str, str]

    def customer(self, row: Row) -> Customer:
        """A row of `BPCUSTOMER` with what is beside it."""
        refuse_faulty(row)
        return Customer(
            key=key_in(row, "BPCNUM"),
            name=first_text(row, "BPCNAM") or self._partner_name(row),
            group=text_in(row, "BCGCOD"),
            currency=text_in(row, "CUR"),
            status="inactive" if is_no(row, "BPCSTA") else self.status(row),
            **self._party("customers", row),
        )

    def supplier(self, row: Row) -> Supplier:
        """A row of `BPSUPPLIER` with what is beside it."""
        refuse_faulty(row)
        return Supplier(
            key=key_in(row, "BPSNUM"),
            name=first_text(row, "BPSNAM") or self._partner_name(row),
            group=text_in(row, "BSGCOD"),
            status="inactive" if is_no(row, "ENAFLG") else self.status(row),
            **self._party("suppliers", row),
        )

    def contact(self, row: Row) -> Contact:
        """A row of `CONTACT`, a person at a partner, with the person from beside it."""
        refuse_faulty(row)
        first, last = _person_name(row)
        emails = (*occurrences(row, "CONTACTCRM.CNTWEB", "CNTWEB"), *occurrences(row, "WEB"))
        return Contact(
            key=contact_key(row),
            name=f"{first} {last}".strip(),
            email=_best(emails),
            first_name=first,
            last_name=last,
            phone=first_text(row, "TEL", "MOB", *_both("CNTTEL"), *_both("CNTMOB")),
            address=Address(country=self._country(first_text(row, *_both("CNTCRY")))),
            language=self._language(first_text(row, *_both("CNTLAN"))),
            job_title=_words(first_text(row, "CNTFNC")),
            customer_key=text_in(row, "BPANUM"),
            opted_out=forbids(row, *_both("CNTFBDMAG")) or self._own_opt_out("contacts", row),
            modified_at=self.modified(row),
            raw=row,
        )

    def modified(self, row: Row) -> datetime | None:
        """When the row, or what is beside it, was changed last."""
        own = None
        for name in self.stamps:
            own = moment_in(row, name)
            if own:
                break
        beside = moment_in(row, BESIDE)
        return max(own, beside) if own and beside else own or beside

    def address(self, row: Row) -> Address:
        """The default address of a customer or supplier."""
        country = first_text(row, "BPADDRESS.CRY", "BPACRY", "CRY", "BPARTNER.CRY")
        lines = occurrences(row, "BPADDRESS.BPAADDLIG", "BPADDRESS.ADDLIG", "BPAADDLIG", "ADDLIG")
        return postal_address(
            lines,
            city=first_text(row, "BPADDRESS.CTY", "CTY"),
            region=first_text(row, "BPADDRESS.SAT", "SAT"),
            postal_code=first_text(row, "BPADDRESS.POSCOD", "POSCOD"),
            country=self._country(country),
        )

    def country(self, code: str) -> str:
        """The country behind a site's code."""
        return self._country(code)

    def _party(self, stream: StreamName, row: Row) -> dict[str, Any]:
        first, last = _person_name(row)
        person = (*occurrences(row, "CONTACTCRM.CNTWEB", "CNTWEB"), *occurrences(row, "CONTACT.WEB"))
        company = occurrences(row, "BPADDRESS.WEB", "WEB")
        emails = (*person, *company) if self.customer_email == "contact" else (*company, *person)
        phones = occurrences(row, "BPADDRESS.TEL", "TEL")
        return {
            "email": _best(emails),
            "first_name": first,
            "last_name": last,
            "phone": phones[0].strip() if phones else first_text(row, "CONTACT.TEL", *_both("CNTTEL")),
            "address": self.address(row),
            "language": self._language(first_text(row, "BPARTNER.LAN", "LAN", *_both("CNTLAN"))),
            "opted_out": forbids(row, "BPARTNER.BPRFBDMAG", "BPRFBDMAG", *_both("CNTFBDMAG"))
            or self._own_opt_out(stream, row),
            "modified_at": self.modified(row),
            "raw": row,
        }

    def _partner_name(self, row: Row) -> str:
        names = occurrences(row, "BPARTNER.BPRNAM", "BPRNAM")
        return names[0].strip() if names else ""

    def _own_opt_out(self, stream: StreamName, row: Row) -> bool:
        test = self.opt_outs.get(stream)
        return test is not None and test(row)

    def _language(self, code: str) -> str:
        return self.languages.get(code.upper(), "")

    def _country(self, code: str) -> str:
        return self.countries.get(code.upper(), code)


def refuse_faulty(row: Row) -> None:
    """A row may carry an error instead of its fields.

    Raises:
        MappingError: it does.
    """
    for name in ("$diagnoses", "$diagnosis"):
        found = row.get(name)
        if found is None:
            continue
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, dict) and str(one.get("$severity", "")).casefold() in {"error", "fatal"}:
                raise MappingError("the server gives an error instead of the record: open it in X3", reason="no_record")


def contact_key(row: Mapping[str, Any]) -> str:
    """Partner and person, as X3 joins the parts of a key."""
    values = dict(row)
    return f"{key_in(values, 'BPANUM')}~{key_in(values, 'CCNCRM')}"


def is_of_partner(row: Mapping[str, Any]) -> bool:
    """Whether an address or a contact belongs to a business partner, and not to a site or a company."""
    return str(row.get("BPATYP") or "").strip().replace(" ", "").casefold() in _PARTNER_WORDS


def postal_address(
    lines: list[str], *, city: str = "", region: str = "", postal_code: str = "", country: str = ""
) -> Address:
    """An address of up to three lines."""
    first, *others = [line.strip() for line in lines] or [""]
    return Address(
        line1=first, line2=", ".join(others), city=city, region=region, postal_code=postal_code, country=country
    )


@cache
def _both(field: str) -> tuple[str, str]:
    return f"CONTACTCRM.{field}", field


def _person_name(row: Row) -> tuple[str, str]:
    return first_text(row, *_both("CNTFNA")), first_text(row, *_both("CNTLNA"))


def _best(emails: tuple[str, ...]) -> str:
    """The first that can be an address, else the first there is, so that people are told what is wrong with it."""
    return next((email for email in emails if "@" in email), emails[0] if emails else "")


def _words(text: str) -> str:
    """A text, unless it is a number of a local menu, which says nothing to people."""
    return "" if text.isdigit() else text
