"""Fills a fake Sage 100 company with made-up customers, contacts, vendors, orders and invoices, messy on purpose."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .._people import SampleCompany, SamplePerson, companies
from ._sage100_data import Key
from ._sage100_site import Company
from ._sage100_trade import Line, Trade

__all__ = ["Samples", "bill_to"]

_COUNTRIES = {"US": "USA", "GB": "GBR", "DE": "DEU", "FR": "FRA", "ES": "ESP", "PL": "POL", "JP": "JPN", "CN": "CHN",
              "AE": "ARE", "IE": "IRL", "BR": "BRA", "NO": "NOR", "KR": "KOR", "IN": "IND"}  # fmt: skip
_STATUSES = ("A",) * 18 + ("I", "T")
_HOLDS = ("N",) * 18 + ("Y", "")
_TYPES = ("RTL", "WHL", "EXP", "")
_ORDER_TYPES = ("S",) * 14 + ("B", "Q", "M", "R", "P")
_ORDER_STATUSES = ("N", "O", "O", "O", "H")
_BILL_TO = {
    "BillToName": "CustomerName",
    "BillToAddress1": "AddressLine1",
    "BillToAddress2": "AddressLine2",
    "BillToAddress3": "AddressLine3",
    "BillToCity": "City",
    "BillToState": "State",
    "BillToZipCode": "ZipCode",
    "BillToCountryCode": "CountryCode",
    "EmailAddress": "EmailAddress",
    "TermsCode": "TermsCode",
    "SalespersonDivisionNo": "SalespersonDivisionNo",
    "SalespersonNo": "SalespersonNo",
}
_STOCK = (
    ("1001-HON-H252", "HON 2 DRAWER LETTER FLE W/O LK", "84.00"),
    ("6655", 'FIXTURE 3/4" BRASS', "249.9"),
    ("TEA EARL GREY", "Earl Grey tea, loose", "4.25"),
    ("VALVE#12", "Valve no. 12", "31.5"),
    ("D1000/S & CO", "Divider, small", "18.90"),
)


def bill_to(customer: Mapping[str, Any]) -> dict[str, Any]:
    """What a document takes over from its customer."""
    return {target: customer[column] for target, column in _BILL_TO.items()}


class Samples:
    """Makes records with one random sequence, so that the same seed and `now` give the same company."""

    def __init__(self, company: Company, seed: int, now: datetime) -> None:
        self.company = company
        self.trade = Trade(company)
        self.seed = seed
        self.now = now
        self.dice = random.Random(seed + 100)

    def fill(self, *, customers: int, contacts: int, vendors: int, orders: int, invoices: int) -> None:
        """Add that many records of each kind; of orders, some are complete and so in history."""
        made = list(companies(customers + vendors, seed=self.seed))
        keys = [self._customer(one) for one in made[:customers]]
        for number, one in enumerate(made[customers:], 1):
            self._vendor(one, f"{number:07d}")
        for place in range(contacts if keys else 0):
            self._contact(keys[place % len(keys)], made[place % len(keys)], place // len(keys))
        for number in range(1, (orders if keys else 0) + 1):
            self._order(self._pick(keys), f"{number:07d}")
        for number in range(1, (invoices if keys else 0) + 1):
            self._invoice(self._pick(keys), f"{100_000 + number:07d}")

    def _pick(self, choices: Any) -> Any:
        return choices[int(self.dice.random() * len(choices))]

    def _chance(self, share: float) -> bool:
        return self.dice.random() < share

    def _moment(self, days: int = 900) -> datetime:
        return self.now - timedelta(seconds=int(self.dice.random() * days * 86_400) + 60)

    def _stamps(self) -> dict[str, Any]:
        """Stamps that differ from those of an ordinary entry: fresh records may lack the second pair."""
        return {"DateUpdated": "", "TimeUpdated": "", "UserUpdatedKey": ""} if self._chance(0.03) else {}

    # -- companies and persons ----------------------------------------------------------------------------------

    def _customer(self, company: SampleCompany) -> Key:
        number = f"{company.number:07d}"
        if company.number % 97 == 0:
            number = f"CO-{company.number}"
        key = ("01" if company.number % 10 == 0 else "00", number)
        created = self._moment(3000)
        values = {
            "CustomerName": company.name,
            **_address(company),
            "TelephoneNo": company.phone,
            "EmailAddress": company.email,
            "URLAddress": company.website,
            "SortField": company.name.upper()[:10],
            "CustomerStatus": self._pick(_STATUSES),
            "CustomerType": self._pick(_TYPES),
            "CreditHold": self._pick(_HOLDS),
            "EBMEnabled": "N",
            "TemporaryCustomer": "N",
            "TermsCode": "01",
            "PriceLevel": "1",
            "SalespersonDivisionNo": "00",
            "SalespersonNo": self._pick(("0100", "0200")),
            "DateEstablished": created.date(),
            "CreditLimit": Decimal(int(self.dice.random() * 20) * 500),
            "CurrentBalance": Decimal(int(self.dice.random() * 500_000)) / 100,
            **self._entry(created),
        }
        self.company.tables["AR_Customer"].put(key, _filled(values), at=self._moment())
        return key

    def _entry(self, created: datetime) -> dict[str, Any]:
        return {"DateCreated": created.date(), "TimeCreated": f"{created.hour}.5", **self._stamps()}

    def _vendor(self, company: SampleCompany, number: str) -> None:
        values = {
            "VendorName": company.name,
            **_address(company),
            "TelephoneNo": company.phone,
            "EmailAddress": company.email,
            "URLAddress": company.website,
            "VendorStatus": self._pick(_STATUSES),
            "HoldPayment": self._pick(_HOLDS),
            "TermsCode": "01",
            **self._entry(self._moment(3000)),
        }
        self.company.tables["AP_Vendor"].put(("00", number), _filled(values), at=self._moment())

    def _contact(self, customer: Key, company: SampleCompany, turn: int) -> None:
        person = company.person
        code = _code(person, turn)
        values = {
            "ContactName": " ".join(filter(None, (person.first, person.last))),
            "ContactTitle": "" if turn else "Owner",
            "Salutation": person.title[:10],
            "TelephoneNo1": person.phone,
            "EmailAddress": person.email if not turn else f"person{turn}@{company.domain}",
        }
        self.company.tables["AR_CustomerContact"].put((*customer, code), _filled(values), at=self._moment())
        if not turn:
            self.company.tables["AR_Customer"].put(customer, {"ContactCode": code}, stamp=False)

    # -- documents ----------------------------------------------------------------------------------------------

    def _lines(self) -> list[Line]:
        lines: list[Line] = []
        for _ in range(int(self.dice.random() * 4) + 1):
            code, description, price = self._pick(_STOCK)
            lines.append((code, description, int(self.dice.random() * 9) + 1, price))
        if self._chance(0.2):
            lines.append({"ItemCode": "/C", "ItemType": "4", "CommentText": "Deliver before noon, ring twice"})
        if self._chance(0.1):
            lines.append((None, "Engraving", 1, "12.50"))
        return lines

    def _head(self, customer: Key, day: date) -> dict[str, Any]:
        row = self.company.tables["AR_Customer"].rows[customer]
        charges = {"FreightAmt": self._pick((0, "12.50")), "SalesTaxAmt": self._pick((0, "7.35", "21.08"))}
        return {
            **bill_to(row),
            **charges,
            "DiscountAmt": self._pick((0, 0, 5)),
            "ARDivisionNo": customer[0],
            "CustomerNo": customer[1],
            "OrderDate": day,
            "CustomerPONo": f"PO-{int(self.dice.random() * 9000)}" if self._chance(0.5) else "",
        }

    def _order(self, customer: Key, number: str) -> None:
        entered = self._moment(400)
        kind = self._pick(_ORDER_TYPES)
        values = {"OrderType": kind, "OrderStatus": self._pick(_ORDER_STATUSES), **self._head(customer, entered.date())}
        self.trade.put_order(number, values, self._lines(), at=entered)
        if kind == "S" and self._chance(0.4):
            done = min(entered + timedelta(days=3), self.now)
            self.trade.complete_order(number, f"{200_000 + int(number):07d}", done.date(), at=done)

    def _invoice(self, customer: Key, number: str) -> None:
        posted = self._moment(400)
        values = self._head(customer, posted.date())
        self.trade.post_invoice(number, values, self._lines(), posted.date(), at=posted)


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is worth keeping: blanks are there by themselves, but for stamps, which are blank on purpose."""
    return {name: value for name, value in values.items() if value != "" or name.endswith(("Updated", "UpdatedKey"))}


def _code(person: SamplePerson, turn: int) -> str:
    latin = f"{person.first[:1]}. {person.last}".upper().encode("cp1252", "replace").decode("cp1252")
    return (latin if not turn else f"{turn} {latin}")[:10].rstrip() or "CONTACT"


def _address(company: SampleCompany) -> dict[str, Any]:
    place = company.address
    return {
        "AddressLine1": place.line1,
        "AddressLine2": place.line2,
        "City": place.city,
        "State": place.region if len(place.region) == 2 else "",
        "ZipCode": place.postal_code,
        "CountryCode": _COUNTRIES.get(place.country, ""),
    }
