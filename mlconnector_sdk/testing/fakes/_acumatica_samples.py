"""Fills a fake Acumatica with made-up customers, contacts, vendors, items and invoices, messy on purpose."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from .._people import SampleCompany, SamplePerson, companies
from ._acumatica_data import Records, Row
from ._acumatica_documents import add_document

__all__ = ["Samples"]

_CUSTOMER_STATUSES = ("Active",) * 17 + ("On Hold", "Inactive", "One-Time", "Credit Hold")
_CLASSES = ("DEFAULT", "WHOLESALE", "RETAIL")
_CURRENCIES = ("USD", "USD", "EUR", "GBP", None)
_TERMS = ("NET30", "2%10N30", "COD", None)
_INVOICE_STATUSES = ("Open", "Closed", "Closed", "Closed", "Canceled", "Reserved")
_UNPOSTED = ("On Hold", "Balanced", "Pending Approval", "Credit Hold", "Voided", "Scheduled")
_ITEMS = (
    ("AALEGO500", "Lego piece, 500 pack", "15.00"),
    ("PUMP/3-4 IN", 'Pump, 3/4" inlet', "249.9000"),
    ("TEA EARL GREY", "Earl Grey tea, loose", "4.25"),
    ("VALVE#12", "Valve no. 12", "31.5"),
    ("KÄSE-26%", "Bergkäse 26 % Fett", "18.90"),
    ("CLOTH?BLUE", "Blue cloth, by the metre", "7.80"),
)
_SERVICES = (("INSTALL", "Installation", "80.00"), ("CONSULT HR", "Consulting, per hour", "120.00"))
_CENT = Decimal("0.01")


class Samples:
    """Makes records with one random sequence, so that the same seed and `now` give the same site."""

    def __init__(self, records: Records, seed: int, now: datetime) -> None:
        self.records = records
        self.seed = seed
        self.now = now
        self.dice = random.Random(seed + 7)

    def fill(self, *, customers: int, contacts: int, vendors: int, invoices: int) -> None:
        """Add that many records of each kind; contacts are spread over customers, vendors and nobody."""
        made = companies(customers + vendors, seed=self.seed)
        accounts: list[tuple[str, SampleCompany]] = []
        for company in made:
            if company.number <= customers:
                accounts.append((self._customer(company), company))
            else:
                accounts.append((self._vendor(company, company.number - customers), company))
        self._contacts(contacts, accounts)
        if invoices:
            self._items()
            buyers = [account for account, _ in accounts[:customers]]
            for _ in range(invoices if buyers else 0):
                self._invoice(buyers)

    def _pick(self, choices: Any) -> Any:
        return choices[int(self.dice.random() * len(choices))]

    def _stamp(self, earliest: datetime | None = None) -> datetime:
        """An instant before now; the odd digits of the fraction are zero now and then."""
        span = self.now - earliest if earliest else timedelta(days=900)
        moment = self.now - timedelta(seconds=int(self.dice.random() * max(span.total_seconds() - 1, 1)) + 1)
        fraction = (
            self._pick((0, 500_000, 120_000)) if self.dice.random() < 0.3 else int(self.dice.random() * 999) * 1000
        )
        return moment.replace(microsecond=fraction) - timedelta(seconds=1)

    def _stamps(self, created_name: str = "CreatedDateTime") -> dict[str, datetime]:
        created = self._stamp()
        return {created_name: created, "LastModifiedDateTime": self._stamp(created)}

    def _customer(self, company: SampleCompany) -> str:
        number = company.number
        key = f"01-{number:06d}-" if number % 97 == 0 else f"C{number:06d}"
        self.records.stores["Customer"][key] = {
            "id": self.records.identity(),
            "CustomerID": key,
            "CustomerName": company.name,
            "CustomerClass": self._pick(_CLASSES),
            "Status": self._pick(_CUSTOMER_STATUSES),
            "CurrencyID": self._pick(_CURRENCIES),
            "Terms": self._pick(_TERMS),
            "BAccountID": 7000 + number,
            **self._stamps(),
            "MainContact": _main_contact(company),
        }
        return key

    def _vendor(self, company: SampleCompany, number: int) -> str:
        key = f"V{number:06d}"
        self.records.stores["Vendor"][key] = {
            "id": self.records.identity(),
            "VendorID": key,
            "VendorName": company.name,
            "VendorClass": "DEFAULT",
            "Status": self._pick(("Active", "Active", "Active", "Inactive", "Hold Payments")),
            "CurrencyID": self._pick(_CURRENCIES),
            **self._stamps(),
            "MainContact": _main_contact(company),
        }
        return key

    def _contacts(self, count: int, accounts: list[tuple[str, SampleCompany]]) -> None:
        strangers = companies(count, seed=self.seed + 1)
        for index, stranger in enumerate(strangers):
            account: str | None = None
            person, company = stranger.person, stranger
            if accounts and self.dice.random() < 0.93:
                account, company = accounts[index % len(accounts)]
                # The first contact of an account is its own person; later ones are made up under its roof.
                person = company.person if index < len(accounts) else stranger.person
            self._contact(100_000 + index + 1, person, company, account)

    def _contact(self, number: int, person: SamplePerson, company: SampleCompany, account: str | None) -> None:
        stamps = self._stamps()
        row = Row(
            {
                "id": self.records.identity(),
                "ContactID": number,
                "FirstName": person.first or None,
                "LastName": person.last,
                "Title": person.title or None,
                "Email": self._contact_email(person, company),
                "Phone1": person.phone or None,
                "Phone1Type": "Business 1" if person.phone else None,
                "CompanyName": company.name,
                "BusinessAccount": account,
                "ContactClass": "ENDCUST",
                "Active": self.dice.random() < 0.93,
                "LastModifiedDateTime": stamps["LastModifiedDateTime"],
                "Address": _address(company),
                **self._wishes(),
            },
            self.records.changes,
        )
        self.records.stores["Contact"][number] = row
        customer = self.records.stores["Customer"].get(account) if account else None
        if customer is not None and "PrimaryContact" not in customer and row["Active"] and self.dice.random() < 0.8:
            customer["PrimaryContact"] = row

    def _contact_email(self, person: SamplePerson, company: SampleCompany) -> str | None:
        """Some persons have their company's address, and so share it with the customer."""
        return (company.email if self.dice.random() < 0.06 else person.email) or None

    def _wishes(self) -> dict[str, bool]:
        flags = (("DoNotEmail", 0.05), ("NoMassMail", 0.06), ("NoMarketing", 0.05), ("DoNotCall", 0.04))
        return {name: True for name, share in flags if self.dice.random() < share}

    def _items(self) -> None:
        for store, items in (("StockItem", _ITEMS), ("NonStockItem", _SERVICES)):
            stamp = "LastModified" if store == "StockItem" else "LastModifiedDateTime"
            for code, title, price in items:
                self.records.stores[store][code] = {
                    "id": self.records.identity(),
                    "InventoryID": code,
                    "Description": title,
                    "DefaultPrice": Decimal(price),
                    stamp: self._stamp(),
                }

    def _invoice(self, buyers: list[str]) -> None:
        roll = self.dice.random()
        kind = "Invoice" if roll < 0.86 else self._pick(("Credit Memo", "Debit Memo", "Cash Sale"))
        status = self._pick(_UNPOSTED) if roll > 0.9 else self._pick(_INVOICE_STATUSES)
        with_discount, with_freight = self.dice.random() < 0.2, self.dice.random() < 0.3
        stamps = self._stamps("CreatedDate")
        lines = list(self._lines())
        total = sum((line["Qty"] * line["UnitPrice"] for line in lines), Decimal(0))
        add_document(
            self.records,
            self._pick(buyers),
            lines,
            kind=kind,
            status=status,
            more={
                "Date": stamps["CreatedDate"].date(),
                "CustomerOrder": f"PO-{int(self.dice.random() * 9000) + 1000}" if roll < 0.5 else None,
                **stamps,
            },
            discount=(abs(total) / 20).quantize(_CENT) if with_discount else Decimal(0),
            freight=Decimal("12.50") if with_freight else Decimal(0),
            tax=(max(total, Decimal(0)) * Decimal("0.085")).quantize(_CENT) if self.dice.random() < 0.6 else Decimal(0),
        )

    def _lines(self) -> Iterator[dict[str, Any]]:
        for number in range(1, int(self.dice.random() * 4) + 2):
            roll = self.dice.random()
            code, title, price = self._pick(_SERVICES if roll > 0.88 else _ITEMS)
            quantity = Decimal(int(self.dice.random() * 9) + 1)
            if roll < 0.08:
                quantity = quantity + Decimal("0.5")
            elif roll < 0.12 and number > 1:
                quantity = -min(quantity, Decimal(2))
            line: dict[str, Any] = {
                "InventoryID": code,
                "TransactionDescr": title,
                "Qty": quantity,
                "UnitPrice": Decimal(price),
            }
            yield {**line, "InventoryID": None, "TransactionDescr": "Gift wrapping"} if 0.12 <= roll < 0.18 else line


def _main_contact(company: SampleCompany) -> dict[str, Any]:
    values = {
        "CompanyName": company.name,
        "DisplayName": company.name,
        "Email": company.email,
        "Phone1": company.phone,
        "WebSite": company.website,
    }
    return {name: value for name, value in values.items() if value} | {"Address": _address(company)}


def _address(company: SampleCompany) -> dict[str, str]:
    place = company.address
    values = {
        "AddressLine1": place.line1,
        "AddressLine2": place.line2,
        "City": place.city,
        "Country": place.country,
        "PostalCode": place.postal_code,
        "State": place.region,
    }
    return {name: value for name, value in values.items() if value}
