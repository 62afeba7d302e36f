"""Fills a fake Sage X3 folder with made-up partners, contacts, orders and invoices, messy on purpose."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .._people import SampleCompany, SamplePerson, companies
from ._sagex3_site import Row, SageX3Site
from ._sagex3_tables import PARTNER
from ._sagex3_trade import NO, YES, put_contact, put_invoice, put_order, put_partner

__all__ = ["Samples", "put_countries"]

_COUNTRIES = [part.split(":") for part in (
    "AE:ARE:United Arab Emirates:ARB;AT:AUT:Austria:GER;BE:BEL:Belgium:FRA;BR:BRA:Brazil:POR;CA:CAN:Canada:ENG;"
    "CH:CHE:Switzerland:FRA;CN:CHN:China:CHI;DE:DEU:Germany:GER;ES:ESP:Spain:SPA;FR:FRA:France:FRA;"
    "GB:GBR:United Kingdom:BRI;IE:IRL:Ireland:BRI;IN:IND:India:BRI;IT:ITA:Italy:ITA;JP:JPN:Japan:ENG;"
    "KR:KOR:South Korea:ENG;MX:MEX:Mexico:SPA;NL:NLD:Netherlands:ENG;NO:NOR:Norway:ENG;PL:POL:Poland:POL;"
    "PT:PRT:Portugal:POR;SE:SWE:Sweden:ENG;US:USA:United States:ENG;ZA:ZAF:South Africa:BRI"
).split(";")]  # fmt: skip
_UNION = frozenset("AT BE DE ES FR IE IT NL PL PT SE".split())
_LANGUAGES = {code: language for code, _, _, language in _COUNTRIES}
_CURRENCIES = {"US": "USD", "GB": "GBP", "JP": "JPY"}
_CODES = {41: "AU/{:04d}", 67: "GB {:04d}", 83: "D-{:05d}"}
"""Not every site numbers its partners: some codes hold slashes, blanks and dashes."""
_STOCK = (
    ("BIK001", "City bike", "620.25"),
    ("A100/3-4", 'Pump, 3/4" inlet', "249.90"),
    ("TEA EARL GREY", "Earl Grey tea, loose", "4.25"),
    ("000815", "Cloth, by the metre", "7.80"),
    ("KÄSE-26", "Bergkäse 26 % Fett", "18.90"),
)
_PARTNER_TABLES = ("BPCUSTOMER", "BPSUPPLIER", "BPARTNER", "BPADDRESS", "CONTACT", "CONTACTCRM")
_CENT = Decimal("0.01")


def put_countries(site: SageX3Site) -> None:
    """Fill the table of countries; codes are those of ISO, as in the standard data."""
    for code, three, name, language in _COUNTRIES:
        member = YES if code in _UNION else NO
        site.put("TABCOUNTRY", {"CRY": code, "ISO": code, "ISOA3": three, "CRYDES": name, "LAN": language,
                                "EECFLG": member})  # fmt: skip


class Samples:
    """Makes rows with one random sequence, so that the same seed and `now` give the same folder."""

    def __init__(self, site: SageX3Site, seed: int, now: datetime, posted_status: int) -> None:
        self.site = site
        self.seed = seed
        self.now = now.replace(microsecond=0)
        self.today = now.astimezone(site.zone).date()
        self.posted_status = posted_status
        self.dice = random.Random(seed + 5)

    def fill(self, *, customers: int, contacts: int, suppliers: int, orders: int, invoices: int) -> None:
        """Add that many records of each kind; `contacts` are persons beyond each partner's default contact."""
        made = list(companies(customers + suppliers, seed=self.seed))
        keys = [self._partner("BPCUSTOMER", company) for company in made[:customers]]
        for company in made[customers:]:
            self._partner("BPSUPPLIER", company)
        if keys:
            for stranger in companies(contacts, seed=self.seed + 1):
                put_contact(self.site, self._pick(keys), fields=self._person(stranger.person), default=False)
            for _ in range(orders):
                self._order(self._pick(keys))
            for _ in range(invoices):
                self._invoice(self._pick(keys))
        self._age()

    def _pick(self, choices: Any) -> Any:
        return choices[int(self.dice.random() * len(choices))]

    def _chance(self, share: float) -> bool:
        return self.dice.random() < share

    def _partner(self, role: str, company: SampleCompany) -> str:
        place = company.address
        form = next((form for every, form in _CODES.items() if company.number % every == 0), "{:06d}")
        key = form.format(company.number)
        fields: dict[str, Any] = {
            "BPAADDLIG": (place.line1[:50], place.line2[:50]),
            "POSCOD": place.postal_code[:10],
            "CTY": place.city.upper()[:40] if self._chance(0.4) else place.city[:40],
            "SAT": place.region[:35],
            "CRY": place.country,
            "CUR": _CURRENCIES.get(place.country, "EUR"),
            "LAN": _LANGUAGES.get(place.country, "ENG") if self._chance(0.95) else "",
            "TEL": company.phone,
            "FCYWEB": company.website,
            "BPRFBDMAG": YES if self._chance(0.04) else NO,
        }
        if role == "BPCUSTOMER":
            fields["BPCSTA"] = self._pick((YES,) * 30 + (NO, NO, 0))
            fields["BCGCOD"] = self._pick(("FR", "EXP", "SHOP", ""))
            fields["PPTFLG"] = YES if self._chance(0.05) else NO
            fields["TSCCOD"] = (self._pick(("RETAIL", "WHOLESALE", "")),)
        else:
            fields["ENAFLG"] = self._pick((YES,) * 15 + (NO,))
            fields["BSGCOD"] = self._pick(("GOODS", "SERV", ""))
        person = self._person(company.person) if self._chance(0.8) else None
        emails = _slots(company.email)
        put_partner(self.site, role, key, name=company.name, email=emails, person=person, fields=fields)
        if self._chance(0.1):
            self._second_address(key, company)
        return key

    def _second_address(self, key: str, company: SampleCompany) -> None:
        row = {"BPATYP": PARTNER, "BPANUM": key, "BPAADD": "L01", "BPADES": "Warehouse", "BPAADDFLG": NO}
        place = {"POSCOD": company.address.postal_code[:10], "CTY": company.address.city[:40]}
        email = f"warehouse@{company.domain}" if self._chance(0.5) else ""
        self.site.put("BPADDRESS", {**row, **place, "CRY": company.address.country, "WEB": email})

    def _person(self, person: SamplePerson) -> dict[str, Any]:
        return {
            "CNTFNA": person.first[:20],
            "CNTLNA": person.last[:35],
            "CNTWEB": person.email[:80],
            "CNTTEL": person.phone,
            "CNTFBDMAG": YES if self._chance(0.04) else NO,
            "WEB": person.email[:80] if self._chance(0.3) else "",
        }

    def _day(self, most: int = 700) -> date:
        return self.today - timedelta(days=int(self.dice.random() * most) + 1)

    def _lines(self) -> Iterator[tuple[str, str, Any, Any]]:
        for _ in range(int(self.dice.random() * 4) + 1):
            code, title, price = self._pick(_STOCK)
            yield (
                code,
                title,
                Decimal(int(self.dice.random() * 9) + 1) + (Decimal("0.5") if self._chance(0.08) else 0),
                price,
            )

    def _tax(self, lines: list[tuple[str, str, Any, Any]]) -> Decimal:
        total = sum((quantity * Decimal(price) for _, _, quantity, price in lines), Decimal(0))
        return (total * Decimal("0.2")).quantize(_CENT) if self._chance(0.7) else Decimal(0)

    def _order(self, customer: str) -> None:
        lines = list(self._lines())
        closed = self._chance(0.5)
        fields = {
            "ORDSTA": 2 if closed else 1,
            "DLVSTA": 3 if closed else self._pick((1, 2)),
            "INVSTA": 3 if closed else 1,
        }
        reference = f"PO-{int(self.dice.random() * 9000) + 1000}" if self._chance(0.5) else ""
        put_order(
            self.site,
            customer,
            lines,
            key=self.site.next_number("SORDER", "SON0001{:06d}"),
            day=self._day(),
            tax=self._tax(lines),
            fields={**fields, "CUSORDREF": reference},
        )

    def _invoice(self, customer: str) -> None:
        lines = list(self._lines())
        credit = self._chance(0.08)
        put_invoice(
            self.site,
            customer,
            lines,
            key=self.site.next_number("SINVOICEV", "CRN0001{:06d}" if credit else "INV0001{:06d}"),
            day=self._day(),
            tax=self._tax(lines),
            credit=credit,
            status=self.posted_status if self._chance(0.93) else 1,
            order="",
            fields={},
        )

    def _age(self) -> None:
        """Give every row a moment in the past; one in a hundred partners is older than the stamps are."""
        site = self.site
        for table, store in site.stores.items():
            for row in store.values():
                self._stamp(row, ancient=table in _PARTNER_TABLES and self._chance(0.01))
        for key, row in site.stores["SINVOICE"].items():
            sales = site.stores["SINVOICEV"][key]
            row.write({name: sales[name] for name in ("CREDAT", "UPDDAT", "CREDATTIM", "UPDDATTIM", "UPDTICK")})

    def _stamp(self, row: Row, *, ancient: bool) -> None:
        age = int(self.dice.random() * 60_000_000) + 600
        created = self.now - timedelta(seconds=age)
        changed = created + timedelta(seconds=int(age * self.dice.random()))
        zone = self.site.zone
        stamps = {"CREDAT": created.astimezone(zone).date(), "UPDDAT": changed.astimezone(zone).date(), "UPDTICK": 1}
        if ancient:
            row.write({**stamps, "CREDATTIM": None, "UPDDATTIM": None, "AUUID": None})
        else:
            row.write({**stamps, "CREDATTIM": created, "UPDDATTIM": changed})


def _slots(email: str) -> tuple[str, ...]:
    """What a clerk typed, in the first slot; what does not fit there is spread over several."""
    return (email,) if len(email) <= 80 else tuple(re.split("[;,]", email)[:5])
