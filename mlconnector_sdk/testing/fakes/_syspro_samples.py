"""Fills a fake SYSPRO company with made-up customers, contacts, suppliers, invoices and orders, messy on purpose."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .._people import SampleCompany, SamplePerson, companies
from ._syspro_data import Database
from ._syspro_tables import CONTACT
from ._syspro_trade import post_invoice, put_order

__all__ = ["Samples"]

_CLASSES = ("WHOLE", "RETAIL", "EXPORT", "")
_CREDIT = ("0",) * 14 + ("1", "1", "2", "3", "4", "6", "9")
_ON_HOLD = ("N",) * 15 + ("", "", "", "Y")
_STATUSES = ("1", "1", "2", "3", "4", "8", "9", "9", "9", "S", "F", "*", "\\")
_TITLES = {"Owner": ""}
_COUNTRIES = {"US": "USA", "GB": "GBR", "DE": "DEU", "FR": "FRA", "ES": "ESP", "PL": "POL", "JP": "JPN", "CN": "CHN",
              "AE": "ARE", "IE": "IRL", "BR": "BRA", "NO": "NOR", "KR": "KOR", "IN": "IND"}  # fmt: skip
_STOCK = (
    ("B100", "15-speed mountain bike", "250.00"),
    ("A100/3-4", 'Pump, 3/4" inlet', "249.90"),
    ("TEA EARL GREY", "Earl Grey tea, loose", "4.25"),
    ("VALVE#12", "Valve no. 12", "31.5"),
    ("KÄSE-26%", "Bergkäse 26 % Fett", "18.90"),
    ("000000000000815", "Cloth, by the metre", "7.80"),
)
_CENT = Decimal("0.01")


class Samples:
    """Makes rows with one random sequence, so that the same seed and `now` give the same company."""

    def __init__(self, base: Database, seed: int, now: datetime, currency: str) -> None:
        self.base = base
        self.seed = seed
        self.now = now.astimezone(base.now().tzinfo).replace(microsecond=0)
        self.today = self.now.date()
        self.currency = currency
        self.dice = random.Random(seed + 11)

    def fill(self, *, customers: int, contacts: int, suppliers: int, invoices: int, orders: int) -> None:
        """Add that many records of each kind."""
        made = list(companies(customers + suppliers, seed=self.seed))
        keys = [self._customer(company) for company in made[:customers]]
        for number, company in enumerate(made[customers:], 1):
            self._supplier(company, number)
        self._contacts(contacts, list(zip(keys, made, strict=False)))
        for number in range(1, invoices + 1 if keys else 1):
            self._invoice(self._pick(keys), f"{100_000 + number:015d}")
        for number in range(1, orders + 1 if keys else 1):
            self._order(self._pick(keys), f"{number:015d}")
        for store in self.base.stores.values():
            for row in store.values():
                row.changed_at = self.now - timedelta(minutes=int(self.dice.random() * 500_000) + 1)

    def _pick(self, choices: Any) -> Any:
        return choices[int(self.dice.random() * len(choices))]

    def _chance(self, share: float) -> bool:
        return self.dice.random() < share

    def _day(self, most: int = 900) -> date:
        return self.today - timedelta(days=int(self.dice.random() * most) + 1)

    def _customer(self, company: SampleCompany) -> str:
        # Some customers were given names for codes, which are stored as they are.
        key = f"CASH{company.number:03d}" if company.number % 97 == 0 else f"{company.number:015d}"
        added = self._day()
        values = {
            "Customer": key,
            "Name": company.name,
            "ShortName": company.name.partition(" ")[0].upper(),
            "Contact": _full_name(company.person),
            "Email": company.email,
            "Telephone": company.phone,
            **_address(company, "SoldTo", "SoldPostalCode"),
            "Nationality": _COUNTRIES.get(company.address.country, ""),
            "Currency": self._pick((self.currency, self.currency, "EUR", "GBP")),
            "CustomerClass": self._pick(_CLASSES),
            "Branch": self._pick(("10", "20", "TR")),
            "CreditStatus": self._pick(_CREDIT),
            "CustomerOnHold": self._pick(_ON_HOLD),
            "CreditLimit": Decimal(int(self.dice.random() * 20) * 500),
            "IbtCustomer": "Y" if self._chance(0.01) else "N",
            "SalesAllowed": "N" if self._chance(0.02) else "",
            "DateCustAdded": added,
            "DateLastSale": self._day((self.today - added).days) if self._chance(0.7) else None,
        }
        self.base.put("ArCustomer", {name: value for name, value in values.items() if value not in {"", None}})
        if self._chance(0.1):
            self.base.put(
                "ArMultAddress", {"Customer": key, "AddrCode": "WH1", **_address(company, "ShipTo", "ShipPostalCode")}
            )
        return key

    def _supplier(self, company: SampleCompany, number: int) -> None:
        key = f"{number:015d}"
        values = {
            "Supplier": key,
            "SupplierName": company.name,
            "SupShortName": company.name.partition(" ")[0].upper(),
            "Contact": _full_name(company.person),
            "Email": company.email,
            "Telephone": company.phone,
            "Currency": self._pick((self.currency, "EUR")),
            "OnHold": self._pick(("N", "N", "N", "N", "Y", "")),
            "SupplierClass": self._pick(("LOCAL", "IMPORT", "")),
            "LastPurchDate": self._day() if self._chance(0.8) else None,
            "DateSuppAdded": self._day(),
        }
        self.base.put("ApSupplier", {name: value for name, value in values.items() if value not in {"", None}})
        self.base.put("ApSupplierAddr", {"Supplier": key, **_address(company, "Sup", "SupPostalCode")})

    def _contacts(self, count: int, accounts: list[tuple[str, SampleCompany]]) -> None:
        for index, stranger in enumerate(companies(count, seed=self.seed + 1)):
            person, account, further = stranger.person, "", ""
            if accounts and self._chance(0.95):
                account, company = accounts[index % len(accounts)]
                # The first contact of an account is its own person; later ones are made up under its roof.
                person = company.person if index < len(accounts) else stranger.person
                # Some answer for their company's address as well.
                further = re.split("[;,]", company.email)[0].strip() if self._chance(0.3) else ""
            self._contact(f"{index + 1:06d}", person, account, further)

    def _contact(self, key: str, person: SamplePerson, account: str, further: str) -> None:
        values = {
            "Contact": key,
            "FullName": _full_name(person),
            "FirstName": person.first,
            "LastName": person.last,
            "JobTitle": "Owner" if person.title == "Owner" else "",
            "Title": _TITLES.get(person.title, person.title),
            "Email": person.email,
            "Telephone": person.phone,
            "Customer": account,
            "ContactStatus": self._pick(("1", "1", "1", "3", "9")),
            "DoNotEmail": "Y" if self._chance(0.05) else "N",
            "DoNotBulkEmail": "Y" if self._chance(0.06) else "N",
            "LastChangedDate": self._day(),
            "MoreEmails": [further] if "@" in further else [],
        }
        self.base.put(CONTACT, values)

    def _invoice(self, customer: str, number: str) -> None:
        roll = self.dice.random()
        kind = "I" if roll < 0.88 else self._pick(("C", "C", "D"))
        foreign = self._chance(0.2)
        lines = list(self._lines())
        value = sum((Decimal(str(line[2])) * Decimal(str(line[3])) for line in lines), Decimal(0))
        post_invoice(
            self.base,
            customer,
            lines,
            number=number,
            kind=kind,
            day=self._day(700),
            currency="EUR" if foreign else self.currency,
            rate=Decimal("1.10") if foreign else Decimal(1),
            tax=(value * Decimal("0.085")).quantize(_CENT) if self._chance(0.6) else Decimal(0),
            freight=Decimal("12.50") if self._chance(0.3) else Decimal(0),
            more={"CustomerPoNumber": f"PO-{int(self.dice.random() * 9000) + 1000}"} if roll < 0.5 else {},
        )

    def _order(self, customer: str, number: str) -> None:
        status, day = self._pick(_STATUSES), self._day(700)
        more: dict[str, Any] = {
            "OrderStatus": status,
            "CancelledFlag": "Y" if status == "\\" else "N",
            "OrderDate": day,
            "EntrySystemDate": day,
            "CaptureHh": int(self.dice.random() * 10) + 8,
            "CaptureMm": int(self.dice.random() * 60),
            "Currency": self.currency,
            "InterWhSale": "Y" if self._chance(0.03) else "N",
            "DiscPct1": Decimal("2.5") if self._chance(0.1) else Decimal(0),
        }
        freight = Decimal("7.50") if self._chance(0.3) else Decimal(0)
        put_order(self.base, customer, list(self._lines()), number=number, freight=freight, more=more)

    def _lines(self) -> Iterator[tuple[str | None, str, Any, Any]]:
        for _ in range(int(self.dice.random() * 4) + 1):
            code, title, price = self._pick(_STOCK)
            roll = self.dice.random()
            quantity = Decimal(int(self.dice.random() * 9) + 1) + (Decimal("0.5") if roll < 0.08 else 0)
            yield (None, "Gift wrapping", 1, "4.50") if 0.08 <= roll < 0.16 else (code, title, quantity, price)


def _full_name(person: SamplePerson) -> str:
    return " ".join(filter(None, (person.first, person.last)))


def _address(company: SampleCompany, prefix: str, postal_code: str) -> dict[str, str]:
    """Five lines without a fixed meaning, used here as most sites do: town in the third, region and country behind."""
    place = company.address
    values = {
        f"{prefix}Addr1": place.line1,
        f"{prefix}Addr2": place.line2,
        f"{prefix}Addr3": place.city,
        f"{prefix}Addr4": place.region,
        postal_code: place.postal_code,
    }
    return {name: value for name, value in values.items() if value}
