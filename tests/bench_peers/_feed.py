"""The ERP's customers as its contract-based API writes them: plain ones, one page of a thousand like the other.

Each record has an address, a person, a telephone number and a postal address, so that every tool maps the same values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["CHANGED_EVERY", "REFUSED_EVERY", "Feed", "address_of", "is_refused"]

CHANGED_EVERY = REFUSED_EVERY = 100
"""One record in a hundred: 1 %."""

_CHANGED, _REFUSED = 3, 7
_NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
_TRADES = ("Pumps", "Valves", "Paper", "Bicycles", "Bakery", "Optics", "Timber", "Lighting", "Foods", "Instruments")
_NAMES = ("Harbor", "Quill", "Northwind", "Lindgren", "Marple", "Okafor", "Sørensen", "Delgado", "Tanaka", "Weiß")
_FIRST = ("Ann", "José", "Mia", "Omar", "Chloé", "Ivan", "Ruth", "Lars", "Priya", "Tom")
_PLACES = (
    ("Milwaukee", "WI", "53202", "US", "+1 414-555-{:04d}"),
    ("Austin", "TX", "78701", "US", "(512) 555-{:04d}"),
    ("Leeds", "WYK", "LS1 4AP", "GB", "+44 113 496 {:04d}"),
    ("Köln", "NW", "50667", "DE", "+49 221 55{:04d}"),
)
_SINCE = re.compile(r"LastModifiedDateTime ge datetimeoffset'([^']+)'")


def address_of(number: int) -> str:
    """The address of one customer."""
    return f"office@{_TRADES[number % 10].lower()}-{number}.com"


def is_refused(address: str) -> bool:
    """Whether Mailchimp dislikes it, when the far side is told to be choosy."""
    return int(address.rpartition("-")[2].partition(".")[0]) % REFUSED_EVERY == _REFUSED


class Feed:
    """Every row written once, before any clock starts; `changed` is the time of the second edition's edits."""

    def __init__(self, count: int) -> None:
        self._stamps = [_NEWEST - timedelta(seconds=n * 37 % 77_000_000, milliseconds=n % 1000) for n in range(count)]
        self._rows = [_encoded(_row(number, stamp)) for number, stamp in enumerate(self._stamps)]
        self._edits: dict[int, tuple[datetime, bytes]] = {}

    @property
    def bytes_per_record(self) -> float:
        """Of JSON on the wire."""
        return sum(map(len, self._rows)) / len(self._rows)

    def first_edition(self) -> None:
        """Every record as it was at the first load."""
        self._edits = {}

    def second_edition(self, now: datetime) -> None:
        """One record in a hundred was edited: it moved house."""
        numbers = range(_CHANGED, len(self._rows), CHANGED_EVERY)
        self._edits = {number: (now, _encoded(_row(number, now, house=7))) for number in numbers}

    def page(self, filter_text: str, top: int, skip: int) -> bytes:
        """The answer to a list call: by ascending key, as the ERP does it."""
        found = list(self._matching(filter_text))[skip : skip + top]
        return b"[" + b",".join(found) + b"]"

    def _matching(self, filter_text: str) -> Iterator[bytes]:
        asked = _SINCE.fullmatch(filter_text)
        if filter_text and not asked:
            raise ValueError(f"no such filter here: {filter_text}")
        since = datetime.fromisoformat(asked[1]) if asked else None
        for number, row in enumerate(self._rows):
            stamp, text = self._edits.get(number, (self._stamps[number], row))
            if since is None or stamp >= since:
                yield text


def _encoded(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _valued(values: dict[str, Any]) -> dict[str, Any]:
    """The contract's way: each value in an object of its own, an empty one where there is none."""
    return {name: {} if value is None else {"value": value} for name, value in values.items()}


def _row(number: int, stamp: datetime, house: int = 1) -> dict[str, Any]:
    city, state, postal_code, country, phone = _PLACES[number % 4]
    changed = _stamp(stamp)
    key = f"{number:08x}-2945-ea11-817f-eb1a0000"
    address = {
        "AddressLine1": f"{number % 900 + house} Station Road",
        "AddressLine2": None,
        "City": city,
        "Country": country,
        "PostalCode": postal_code,
        "State": state,
    }
    person = {
        "ContactID": 100_000 + number,
        "DoNotEmail": False,
        "Email": None,
        "FirstName": _FIRST[number % 10],
        "LanguageOrLocale": None,
        "LastModifiedDateTime": changed,
        "LastName": _NAMES[number // 7 % 10],
        "NoMarketing": False,
        "NoMassMail": False,
        "Phone1": None,
    }
    head = {
        "CurrencyID": "USD" if country == "US" else "EUR",
        "CustomerClass": "WHOLESALE" if number % 3 else "RETAIL",
        "CustomerID": f"C{number:07d}",
        "CustomerName": f"{_NAMES[number % 10]} {_TRADES[number // 10 % 10]} {number}",
        "Email": address_of(number),
        "LastModifiedDateTime": changed,
        "Status": "Active",
    }
    return {
        "id": f"{key}0000",
        "rowNumber": number % 1000 + 1,
        "note": {"value": ""},
        **_valued(head),
        "MainContact": {
            "id": f"{key}1000",
            "Address": {"id": f"{key}1100", **_valued(address), "custom": {}},
            **_valued({"Phone1": phone.format(number % 10_000)}),
            "custom": {},
        },
        "PrimaryContact": {"id": f"{key}0001", **_valued(person), "custom": {}},
        "custom": {},
    }
