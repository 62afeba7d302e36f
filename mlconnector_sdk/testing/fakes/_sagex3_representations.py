"""Classes and representations of a fake Sage X3: which fields of which tables a facet shows, and under which names.

A facet is written as a list of properties. `BPCNAM` is a field of the class's own table, `address.POSCOD` one of a row
joined to it, `ADDLIG=address.BPAADDLIG` the same under another name, `WEB1=address.WEB#1` the first of several, and
`?UPDDATTIM` one that may be sorted and filtered by but is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import attrs

from ._sagex3_site import Key, Row, SageX3Site
from ._sagex3_tables import PARTNER, Column, Table

__all__ = ["CLASSES", "CUSTOM", "LINES", "STANDARD", "Dimensions", "Field", "Representation", "fields_of", "joined"]

Dimensions: TypeAlias = Literal["array", "from zero", "from one", "objects"]
"""How a field that occurs several times is shown: `WEB: [...]`, `WEB_0…`, `WEB1…`, or a list of objects."""


@attrs.frozen(kw_only=True)
class Representation:
    """A representation of a class.

    Attributes:
        name: its code; the standard ones have their class's.
        of: its class.
        query: the properties of the query facet. Details have these and all fields of the class's table.
        dimensions: how it shows fields that occur several times, on both facets; `None` leaves it to the site.
        lines: rows of the query facet have the lines of the document as well.
    """

    name: str
    of: str
    query: str
    dimensions: Dimensions | None = None
    lines: bool = False


@attrs.frozen
class Field:
    """A property of a facet: where it comes from, which of several occurrences it is, and whether it is visible."""

    name: str
    join: str
    column: Column
    hidden: bool = False
    occurrence: int | None = None


CLASSES: Mapping[str, str] = {
    name: name
    for name in ("BPCUSTOMER", "BPSUPPLIER", "BPARTNER", "BPADDRESS", "CONTACT", "CONTACTCRM", "SORDER", "SINVOICE",
                 "SINVOICEV", "ITMMASTER", "TABCOUNTRY")
}  # fmt: skip
"""Standard classes by the table behind them."""

_THIN = {
    "BPCUSTOMER": "BPCNUM BPCNAM",
    "BPSUPPLIER": "BPSNUM BPSNAM",
    "BPARTNER": "BPRNUM BPRNAM",
    "BPADDRESS": "BPATYP BPANUM BPAADD BPADES",
    "CONTACT": "BPATYP BPANUM CCNCRM",
    "CONTACTCRM": "CCNCRM CNTLNA CNTFNA",
    "SORDER": "SOHNUM SALFCY BPCORD ORDDAT",
    "SINVOICE": "NUM BPR ACCDAT",
    "SINVOICEV": "NUM BPCINV INVDAT",
    "ITMMASTER": "ITMREF ITMDES1",
    "TABCOUNTRY": "CRY CRYDES",
}

STANDARD: Mapping[str, Representation] = {
    name: Representation(name=name, of=name, query=query) for name, query in _THIN.items()
}
"""What every installation has: lists of hardly more than a key and a name, without any stamp."""

_ADDRESS = "address.POSCOD address.CTY address.SAT address.CRY ADDLIG=address.BPAADDLIG address.WEB address.TEL"
_PERSON = "person.CNTFNA person.CNTLNA person.CNTWEB person.CNTFBDMAG"
_STAMPS = "CREDATTIM UPDDATTIM UPDDAT"

_RICH = {
    "BPCUSTOMER YMCBPC": f"""
        BPCNUM BPCNAM BPCSTA BCGCOD CUR PPTFLG BPAADD CNTNAM TSCCOD {_STAMPS} {_ADDRESS} partner.BPRFBDMAG partner.LAN
        partner.BPRNAM {_PERSON}
    """,
    "BPSUPPLIER YMCBPS": f"""
        BPSNUM BPSNAM ENAFLG BSGCOD CUR BPAADD CNTNAM {_STAMPS} {_ADDRESS} partner.BPRFBDMAG partner.LAN
        partner.BPRNAM {_PERSON}
    """,
    "BPARTNER YMCBPR": f"BPRNUM BPRNAM ENAFLG BPCFLG BPSFLG BPRFBDMAG LAN CRY CUR BPAADD CNTNAM {_STAMPS}",
    "BPADDRESS YMCBPA": f"""
        BPATYP BPANUM BPAADD BPADES BPAADDFLG ADDLIG=BPAADDLIG POSCOD CTY SAT CRY TEL WEB FCYWEB {_STAMPS}
    """,
    "CONTACT YMCCNT": f"""
        BPATYP BPANUM CCNCRM CNTFLG CNTADD WEB TEL MOB {_STAMPS} {_PERSON} person.CNTLAN person.CNTTTL person.CNTTEL
        person.CNTMOB partner.BPRNAM partner.BPRFBDMAG partner.ENAFLG
    """,
    "CONTACTCRM YMCCCN": f"""
        CCNCRM CNTTTL CNTFNA CNTLNA CNTLAN CNTCRY CNTTEL CNTMOB CNTWEB CNTFBDMAG CNTBIR {_STAMPS}
    """,
    "SORDER YMCSOH": f"""
        SOHNUM SOHTYP SALFCY BPCORD BPCINV BPCNAM ORDDAT SHIDAT CUR CUSORDREF ORDNOT ORDATI ORDSTA DLVSTA INVSTA HLDSTA
        {_STAMPS}
    """,
    "SINVOICE YMCSIH": f"""
        NUM SIVTYP INVTYP BPR ACCDAT CUR SNS AMTNOT AMTATI STA {_STAMPS} sales.BPCINV sales.BPINAM sales.INVDAT
        sales.INVNOT sales.INVATI sales.INVSTA sales.SALFCY sales.SIHORINUM
    """,
    "SINVOICEV YMCSIV": f"""
        NUM BPCINV BPCORD BPINAM INVDAT CUR INVNOT INVATI INVSTA SALFCY SIHORINUM {_STAMPS} accounting.SIVTYP
        accounting.INVTYP accounting.SNS
    """,
}

CUSTOM: Mapping[str, Representation] = {
    name: Representation(name=name, of=of, query=query, dimensions="from one")
    for (of, name), query in ((title.split(), query) for title, query in _RICH.items())
}
"""What a site's X3 team may build for this purpose: one row has what several tables know, and the stamps."""

LINES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "SORDER": ("SOHSOP", ("SORDERP", "SORDERQ")),
    "SINVOICE": ("SINVOICED", ("SINVOICED",)),
    "SINVOICEV": ("SINVOICED", ("SINVOICED",)),
}
"""The collection of lines in the details of a document, and the tables it is made of, linked by their line number.

Only `SOHSOP` is documented; those of invoices have the name of their table until a site says otherwise.
"""

_JOINS: Mapping[str, Mapping[str, tuple[str, tuple[str | int, ...]]]] = {
    "BPCUSTOMER": {
        "partner": ("BPARTNER", ("BPCNUM",)),
        "address": ("BPADDRESS", (PARTNER, "BPCNUM", "BPAADD")),
        "contact": ("CONTACT", (PARTNER, "BPCNUM", "CNTNAM")),
        "person": ("CONTACTCRM", ("CNTNAM",)),
    },
    "BPSUPPLIER": {
        "partner": ("BPARTNER", ("BPSNUM",)),
        "address": ("BPADDRESS", (PARTNER, "BPSNUM", "BPAADD")),
        "contact": ("CONTACT", (PARTNER, "BPSNUM", "CNTNAM")),
        "person": ("CONTACTCRM", ("CNTNAM",)),
    },
    "BPARTNER": {
        "customer": ("BPCUSTOMER", ("BPRNUM",)),
        "address": ("BPADDRESS", (PARTNER, "BPRNUM", "BPAADD")),
        "person": ("CONTACTCRM", ("CNTNAM",)),
    },
    "BPADDRESS": {"partner": ("BPARTNER", ("BPANUM",)), "customer": ("BPCUSTOMER", ("BPANUM",))},
    "CONTACT": {
        "person": ("CONTACTCRM", ("CCNCRM",)),
        "partner": ("BPARTNER", ("BPANUM",)),
        "customer": ("BPCUSTOMER", ("BPANUM",)),
        "address": ("BPADDRESS", (PARTNER, "BPANUM", "CNTADD")),
    },
    "SORDER": {"customer": ("BPCUSTOMER", ("BPCORD",)), "person": ("CONTACTCRM", ("CNTNAM",))},
    "SORDERP": {"header": ("SORDER", ("SOHNUM",))},
    "SINVOICE": {"sales": ("SINVOICEV", ("NUM",)), "customer": ("BPCUSTOMER", ("BPR",))},
    "SINVOICEV": {"accounting": ("SINVOICE", ("NUM",)), "customer": ("BPCUSTOMER", ("BPCINV",))},
    "SINVOICED": {"header": ("SINVOICEV", ("NUM",)), "accounting": ("SINVOICE", ("NUM",))},
}
"""Rows that belong to a row, by a name for them: the other table, and where the values of its key come from."""


def joined(site: SageX3Site, table: str, name: str) -> tuple[Table, Callable[[Row], Row | None]]:
    """The table behind a join, and how to find the row of it.

    Raises:
        ValueError: the table has no such join.
    """
    known = _JOINS.get(table, {})
    if name not in known:
        raise ValueError(f"{table} has no join {name!r}; it has {', '.join(known) or 'none'}")
    target, parts = known[name]
    store = site.stores[target]
    if len(parts) == 1:
        only = str(parts[0])
        return site.tables[target], lambda row: store.get(row[only])

    def find(row: Row) -> Row | None:
        key: Key = tuple(part if isinstance(part, int) else row[part] for part in parts)
        return store.get(key)

    return site.tables[target], find


def fields_of(site: SageX3Site, table: str, text: str) -> list[Field]:
    """The properties of a facet.

    Raises:
        ValueError: a field or join that is not there.
    """
    found: list[Field] = []
    for word in text.split():
        name, equals, path = word.removeprefix("?").rpartition("=")
        path, _, number = path.partition("#")
        join, _, code = path.rpartition(".")
        column = (joined(site, table, join)[0] if join else site.tables[table]).column(code)
        if number and not (number.isdigit() and 1 <= int(number) <= column.count):
            raise ValueError(f"{code} occurs {column.count} times: there is no {word}")
        occurrence = int(number) if number else None
        found.append(Field(name if equals else f"{code}{number}", join, column, word.startswith("?"), occurrence))
    return found
