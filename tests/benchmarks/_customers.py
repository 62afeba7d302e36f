"""Customers by the hundred thousand: about 0.9 kB of JSON each as the ERP sends them, no two alike, no mess.

Messy records are the business of the tests; here each record takes the usual way, so that figures of one size can be
compared with those of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["customers"]

_TRADES = ("Pumps", "Valves", "Paper", "Bicycles", "Bakery", "Optics", "Timber", "Lighting", "Foods", "Instruments")
_NAMES = ("Harbor", "Quill", "Northwind", "Lindgren", "Marple", "Okafor", "Sørensen", "Delgado", "Tanaka", "Weiß")
_FIRST = ("Ann", "José", "Mia", "Omar", "Chloé", "Ivan", "Ruth", "Lars", "Priya", "Tom")
_PLACES = (
    ("Milwaukee", "WI", "53202", "US", "+1 414-555-{:04d}"),
    ("Austin", "TX", "78701", "US", "(512) 555-{:04d}"),
    ("Lyon", "ARA", "69001", "FR", "+33 4 72 00 {:02d} {:02d}"),
    ("Köln", "NW", "50667", "DE", "+49 221 55{:04d}"),
    ("Leeds", "WYK", "LS1 4AP", "GB", "+44 113 496 {:04d}"),
)
_LATEST = datetime(2026, 1, 1, tzinfo=UTC)


def customers(count: int) -> Iterator[dict[str, Any]]:
    """Rows as `FakeAcumatica` stores them, by ascending key; three in four have a primary contact."""
    for number in range(count):
        yield _customer(number)


def _customer(number: int) -> dict[str, Any]:
    city, region, postal_code, country, phone = _PLACES[number % 5]
    name = f"{_NAMES[number % 10]} {_TRADES[number // 10 % 10]} {number}"
    stamp = _LATEST - timedelta(seconds=number * 37 % 77_000_000, milliseconds=number % 1000)
    row: dict[str, Any] = {
        "id": f"{number:08x}-2945-ea11-817f-eb1a00000000",
        "CustomerID": f"C{number:07d}",
        "CustomerName": name,
        "CustomerClass": "WHOLESALE" if number % 3 else "RETAIL",
        "Status": "Active",
        "CurrencyID": "USD" if country == "US" else "EUR",
        "LastModifiedDateTime": stamp,
        "MainContact": {
            "Email": f"office@{_TRADES[number % 10].lower()}-{number}.com",
            "Phone1": phone.format(number % 10_000 if "04d" in phone else number % 100, number // 100 % 100),
            "Address": {
                "AddressLine1": f"{number % 900 + 1} Station Road",
                "City": city,
                "State": region,
                "PostalCode": postal_code,
                "Country": country,
            },
        },
    }
    if number % 4:
        row["PrimaryContact"] = {
            "id": f"{number:08x}-2945-ea11-817f-eb1a00000001",
            "ContactID": 100_000 + number,
            "FirstName": _FIRST[number % 10],
            "LastName": _NAMES[number // 7 % 10],
            "Email": f"{_FIRST[number % 10].lower()}.{number}@mail.com" if number % 10 not in {1, 4} else None,
            "LastModifiedDateTime": stamp,
        }
    return row
