"""Customers by the hundred thousand, as every ERP has them: no two alike, no mess.

Messy records are the business of the tests; here each record takes the usual way, so that figures of one size can be
compared with those of another.

A fake writes a few kinds of customers once, whose numbers stand for a customer's own: `Stencil` puts the real ones in
their place, at a small part of what a fake takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import attrs

__all__ = ["KINDS", "Kind", "Stencil", "kinds", "number_in"]

KINDS = 20
_FIRST_NUMBER = 9_000_000
_LAST_DIGITS = "7359"
_TRADES = ("Pumps", "Valves", "Paper", "Bicycles", "Bakery", "Optics", "Timber", "Lighting", "Foods", "Instruments")
_NAMES = ("Harbor", "Quill", "Northwind", "Lindgren", "Marple", "Okafor", "Sørensen", "Delgado", "Tanaka", "Weiß")
_FIRST = ("Ann", "José", "Mia", "Omar", "Chloé", "Ivan", "Ruth", "Lars", "Priya", "Tom")
_PLACES = (
    ("Milwaukee", "WI", "53202", "US", "USA", "+1 414-555-{}"),
    ("Austin", "TX", "78701", "US", "USA", "(512) 555-{}"),
    ("Lyon", "", "69001", "FR", "FRA", "+33 4 72 00 {}"),
    ("Köln", "", "50667", "DE", "DEU", "+49 221 55{}"),
    ("Leeds", "", "LS1 4AP", "GB", "GBR", "+44 113 496 {}"),
)


@attrs.frozen(kw_only=True)
class Kind:
    """One kind of customer; `number` and the end of `phone` stand for those of the customers made from it."""

    index: int
    number: str
    name: str
    email: str
    phone: str
    website: str
    street: str
    city: str
    region: str
    postal_code: str
    country: str
    country3: str
    first: str
    last: str
    person_email: str | None

    @property
    def has_person(self) -> bool:
        """Three in four have a person to write to."""
        return self.index % 4 != 0


def kinds() -> Iterator[Kind]:
    """Every kind, by ascending number."""
    for index in range(KINDS):
        number = f"{_FIRST_NUMBER + index:07d}"
        city, region, postal_code, country, country3, phone = _PLACES[index % 5]
        first, last, trade = _FIRST[index % 10], _NAMES[index // 2], _TRADES[index % 10]
        yield Kind(
            index=index,
            number=number,
            name=f"{last} {trade} {number}",
            email=f"office@{trade.lower()}-{number}.com",
            phone=phone.format(_LAST_DIGITS),
            website=f"https://www.{trade.lower()}-{number}.com",
            street=f"{index * 7 + 1} Station Road",
            city=city,
            region=region,
            postal_code=postal_code,
            country=country,
            country3=country3,
            first=first,
            last=last,
            person_email=f"buyer.{number}@mail.com" if index % 5 else None,
        )


def number_in(text: str) -> int:
    """Which customer a key is that of: the seven digits at its end."""
    return int(text[-7:])


class Stencil:
    """The records of one listing: written by a fake for each kind, told apart and filled in for any customer."""

    def __init__(self, records: Sequence[str], encoding: str) -> None:
        if len(records) != KINDS:
            raise ValueError(f"the fake's page has {len(records)} records, not one for each of {KINDS} kinds")
        self._texts = []
        for record, kind in zip(records, kinds(), strict=True):
            text = record.replace("%", "%%").replace(kind.number, "%(number)07d")
            self._texts.append(text.replace(_LAST_DIGITS, "%(digits)04d"))
        self._encoding = encoding

    def filled(self, count: int) -> list[bytes]:
        """The records of so many customers, numbered from 0."""
        return [
            (self._texts[number % KINDS] % {"number": number, "digits": number % 10_000}).encode(self._encoding)
            for number in range(count)
        ]


def json_items(text: str, start: int) -> tuple[list[str], int]:
    """The items of the JSON array that opens at `start`, each as it stands, and where the array ends."""
    decode = json.JSONDecoder().raw_decode
    items, place = [], start + 1
    while text[place] != "]":
        _, end = decode(text, place)
        items.append(text[place:end])
        place = end
        while text[place] in ", \n":
            place += 1
    return items, place
