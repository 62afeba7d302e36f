"""Fills a fake Sage 300 with made-up customers, contacts, vendors, orders and invoices, messy on purpose."""

from __future__ import annotations

import random
import unicodedata
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from .._people import SampleCompany, SamplePerson, companies
from ._sage300_data import Records
from ._sage300_documents import add_invoice, add_order

__all__ = ["Samples"]

_COUNTRIES = {"US": "USA", "GB": "United Kingdom", "DE": "Germany", "FR": "France", "ES": "Spain", "PL": "Poland",
              "JP": "Japan", "CN": "CHINA", "AE": "UAE", "IE": "Ireland", "BR": "Brasil", "NO": "Norway",
              "KR": "Korea, South", "IN": "India"}  # fmt: skip
_GROUPS = ("WHL", "RTL", "WHL", "MAIL")
_CURRENCIES = ("USD", "USD", "USD", "CAD", "EUR")
_ITEMS = (
    ("A1-103/0", "Fluorescent desk lamp", "24.95"),
    ("A1-105/0", "Halogen desk lamp", "12.5"),
    ("A1-320/0", 'Pump, 3/4" inlet', "249.9"),
    ("S1-100", "Tea, Earl Grey, loose", "4.25"),
    ("K2-26%", "Bergkäse 26 % Fett", "18.9"),
)
_STATES_OF_ORDERS = ("IncompleteNotIncluded", "IncompleteIncluded", "CompleteNotIncluded", "CompleteDayEnd")
_CENT = Decimal("0.01")


class Samples:
    """Makes records with one random sequence, so that the same seed and day give the same company."""

    def __init__(self, records: Records, seed: int, today: date) -> None:
        self.records = records
        self.seed = seed
        self.today = today
        self.dice = random.Random(seed + 300)

    def fill(self, *, customers: int, contacts: int, vendors: int, orders: int, invoices: int) -> None:
        """Add that many records of each kind; some customers also get a ship-to location."""
        made = companies(customers + vendors, seed=self.seed)
        buyers: list[tuple[str, SampleCompany]] = []
        for company in made:
            if company.number <= customers:
                buyers.append((self._customer(company), company))
            else:
                self._vendor(company, company.number - customers)
        self._contacts(contacts, buyers)
        if orders or invoices:
            self._items()
        for number in range(1, orders + 1 if buyers else 0):
            self._order(self._pick(buyers)[0], number)
        for number in range(1, invoices + 1 if buyers else 0):
            self._invoice(self._pick(buyers)[0], number)

    def _pick(self, choices: Any) -> Any:
        return choices[int(self.dice.random() * len(choices))]

    def _day(self, *, span: int = 900) -> date:
        return self.today - timedelta(days=int(self.dice.random() * span))

    # -- companies and persons ----------------------------------------------------------------------------------

    def _customer(self, company: SampleCompany) -> str:
        number = company.number
        # Some clerks number by letters, and with signs that no URL path takes.
        key = f"C/{number}&CO" if number % 97 == 0 else f"{1100 + number}"
        contact = company.person
        inactive = self.dice.random() < 0.07
        started = self._day(span=3000)
        values = {
            "CustomerNumber": key,
            **self._account(company, "CustomerName"),
            "Status": "Inactive" if inactive else "Active",
            "InactiveDate": self._day() if inactive else None,
            # Imported rows may have no stamp.
            "DateLastMaintained": None if self.dice.random() < 0.03 else self._day(),
            "OnHold": "Yes" if self.dice.random() < 0.08 else "No",
            "StartDate": started,
            "GroupCode": self._pick(_GROUPS),
            "CurrencyCode": self._pick(_CURRENCIES),
            "ContactName": _person_name(contact),
            "ContactsEmail": contact.email,
            "ContactsPhone": _digits(contact.phone),
            "AccountType": self._pick(("OpenItem", "OpenItem", "BalanceForward")),
            "CreditLimitCustomerCurrency": Decimal(int(self.dice.random() * 20) * 500),
            "BalanceDueInCustomerCurrency": Decimal(int(self.dice.random() * 500_000)) / 100,
            "AllowWebStoreShopping": self._pick(("Yes", "No")),
            "Terms": "N30",
            "AccountSet": "USA",
        }
        optional = self._optional_fields(key)
        self.records.put(
            "ARCustomers",
            {**values, "NumberOfOptionalFields": len(optional), "CustomerOptionalFieldValues": optional},
        )
        if self.dice.random() < 0.12:
            self._ship_to(key, company)
        return key

    def _account(self, company: SampleCompany, name: str) -> dict[str, Any]:
        """What customers and vendors share."""
        return {
            name: company.name[:60],
            "ShortName": company.name.upper()[:10],
            **_address(company),
            "PhoneNumber": _digits(company.phone),
            "Email": company.email,
            "WebSite": company.website,
        }

    def _optional_fields(self, key: str) -> list[dict[str, Any]]:
        fields = []
        if self.dice.random() < 0.3:
            zone = self._pick(("RED", "BLUE"))
            fields.append({"OptionalField": "UPSZONE", "Value": zone, "TextValue": zone, "Length": 60})
        if self.dice.random() < 0.06:
            fields.append(
                {
                    "OptionalField": "NOMAIL",
                    "Value": "1",
                    "YesNoValue": True,
                    "CustomerOptionalFieldValueType": "YesNo",
                    "Length": 1,
                }
            )
        return [{"CustomerNumber": key, "ValueSet": "Yes", **one} for one in fields]

    def _ship_to(self, customer: str, company: SampleCompany) -> None:
        self.records.put(
            "ARShipToLocations",
            {
                "CustomerNumber": customer,
                "ShipToLocationKey": self._pick(("OFFICE", "WHSE", "STORE1")),
                "Description": "Warehouse",
                **_address(company),
                "DateLastMaintained": self._day(),
                "Email": f"goods@{company.domain}" if self.dice.random() < 0.7 else "",
                "PrimaryShipToIndicator": self._pick(("Yes", "No")),
            },
        )

    def _vendor(self, company: SampleCompany, number: int) -> None:
        contact = company.person
        self.records.put(
            "APVendors",
            {
                "VendorNumber": f"V{number:05d}",
                **self._account(company, "VendorName"),
                "Status": self._pick(("Active", "Active", "Active", "Inactive")),
                "DateLastMaintained": self._day(),
                "OnHold": self._pick(("No", "No", "No", "Yes")),
                "GroupCode": "INVEN",
                "CurrencyCode": self._pick(_CURRENCIES),
                "ContactName": _person_name(contact),
                "ContactsEmail": contact.email,
            },
        )

    def _contacts(self, count: int, buyers: list[tuple[str, SampleCompany]]) -> None:
        for index, stranger in enumerate(companies(count, seed=self.seed + 1)):
            person, owner = stranger.person, None
            if buyers and self.dice.random() < 0.9:
                owner, company = buyers[index % len(buyers)]
                # The first contact of a customer is its own person; later ones are made up under its roof.
                person = company.person if index < len(buyers) else stranger.person
            code = f"{_latin(person.last)[:12]}{index + 1:06d}"
            self.records.put(
                "MTContacts",
                {
                    "ContactCode": code,
                    "Status": "Active" if self.dice.random() < 0.94 else "Inactive",
                    "DateLastMaintained": self._day(),
                    "FirstName": person.first,
                    "LastName": person.last,
                    "Title": person.title,
                    "Email": person.email,
                    "PhoneNumber1": _digits(person.phone),
                    "ConsentsToReceiveEmail": "No" if self.dice.random() < 0.15 else "Yes",
                    **_address(stranger),
                },
            )
            if owner is not None:
                self._select(owner, code, person)

    def _select(self, customer: str, code: str, person: SamplePerson) -> None:
        row = self.records.stores["ARCustomers"][customer]
        selection = {
            "CustomerNumber": customer,
            "ContactCode": code,
            "ContactName": _person_name(person),
            "Email": person.email,
            "ARInvoices": True,
            "OEInvoices": True,
        }
        row["CustomerContactSelection"] = [*row.get("CustomerContactSelection", []), selection]

    # -- documents ----------------------------------------------------------------------------------------------

    def _items(self) -> None:
        for code, title, _ in _ITEMS:
            values = {
                "UnformattedItemNumber": "".join(sign for sign in code if sign.isalnum()),
                "ItemNumber": code,
                "Description": title,
                "DateLastMaintained": self._day(),
                "StockItem": True,
                "StockingUnitOfMeasure": "Ea.",
            }
            self.records.put("ICItems", values)

    def _lines(self) -> list[tuple[str | None, str, Any, Any]]:
        lines: list[tuple[str | None, str, Any, Any]] = []
        for _ in range(int(self.dice.random() * 4) + 1):
            code, title, price = self._pick(_ITEMS)
            quantity = Decimal(int(self.dice.random() * 9) + 1)
            lines.append(
                (code, title, quantity + Decimal("0.5") if self.dice.random() < 0.08 else quantity, Decimal(price))
            )
        if self.dice.random() < 0.25:
            lines.append((None, "Handling charge", 1, Decimal("20.25")))
        return lines

    def _order(self, customer: str, number: int) -> None:
        roll = self.dice.random()
        kind = "Active" if roll < 0.8 else self._pick(("Quote", "Future", "Standing"))
        # The date on the order is what somebody typed; the posting date is the day it was saved.
        posted = self._day()
        typed = posted + timedelta(days=self._pick((0, 0, 0, 0, -40, 12)))
        state = self._pick(_STATES_OF_ORDERS)
        more = {
            "OrderUniquifier": number,
            "OrderType": kind,
            "OrderDate": typed,
            "LastPostingDate": posted,
            "OrderCompleted": state,
            "OrderCompletionDate": posted if state.startswith("Complete") else None,
            "OnHold": self.dice.random() < 0.06,
            "PurchaseOrderNumber": f"PO-{int(roll * 9000) + 1000}" if roll < 0.5 else "",
        }
        lines = self._lines()
        discount = Decimal("1.50") if self.dice.random() < 0.2 else Decimal(0)
        add_order(self.records, customer, lines, discount=discount, tax=self._tax(lines), more=more)

    def _invoice(self, customer: str, number: int) -> None:
        lines = self._lines()
        more = {
            "InvoiceUniquifier": number,
            "OrderNumber": f"ORD{number:012d}",
            "InvoiceDate": self._day(),
            "InvoiceStatus": self._pick(("Documentcosted", "Documentshippednotcosted")),
            "PaymentType": self._pick(("Check", "Cash", "CreditCard")),
            "EnteredBy": "ADMIN",
        }
        add_invoice(self.records, customer, lines, tax=self._tax(lines), more=more)

    def _tax(self, lines: list[tuple[str | None, str, Any, Any]]) -> Decimal:
        if self.dice.random() < 0.4:
            return Decimal(0)
        total = sum((Decimal(str(quantity)) * Decimal(str(price)) for _, _, quantity, price in lines), Decimal(0))
        return (total * Decimal("0.085")).quantize(_CENT)


def _address(company: SampleCompany) -> dict[str, str]:
    place = company.address
    return {
        "AddressLine1": place.line1,
        "AddressLine2": place.line2,
        "City": place.city,
        "StateProvince": place.region,
        "ZipPostalCode": place.postal_code,
        # Free text on the form: a name, and often nothing at home.
        "Country": "" if place.country == "US" and company.number % 3 == 0 else _COUNTRIES[place.country],
    }


def _digits(phone: str) -> str:
    """Telephone numbers are stored as bare digits; the mask is put on by the screen."""
    return "".join(sign for sign in phone if sign.isdigit())[:30]


def _person_name(person: SamplePerson) -> str:
    return f"{person.first} {person.last}".strip()[:60]


def _latin(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(sign for sign in plain.upper() if sign.isalpha())
