"""Saving partners and documents in a fake Sage X3: one screen writes several tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from ._sagex3_site import SageX3Site
from ._sagex3_tables import PARTNER

__all__ = ["NO", "YES", "Line", "put_contact", "put_invoice", "put_item", "put_order", "put_partner"]

NO, YES = 1, 2
"""Local menu 1."""

Line: TypeAlias = "tuple[str, str, Any, Any] | Mapping[str, Any]"
"""`(item, description, quantity, net price)`, or fields of the line tables."""

_ROLES = {
    "BPCUSTOMER": ("BPCNUM", "BPCNAM", "BPCSHO", "BPCFLG"),
    "BPSUPPLIER": ("BPSNUM", "BPSNAM", "BPSSHO", "BPSFLG"),
}
_CENT = Decimal("0.01")


def put_partner(
    site: SageX3Site,
    role: str,
    key: str,
    *,
    name: str,
    email: str | Iterable[str],
    person: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
) -> None:
    """Save a customer (`BPCUSTOMER`) or supplier (`BPSUPPLIER`) with partner, default address and default contact.

    Each field goes to every one of these tables that has it. A partner who has the other role already keeps its header,
    address and contact.

    Raises:
        ValueError: a field that none of the tables has.
    """
    _refuse_unknown(site, role, fields)
    number, title, short, flag = _ROLES[role]
    partner = site.row("BPARTNER", key)
    contact = partner["CNTNAM"] if partner else ""
    if partner is not None:
        site.edit("BPARTNER", key, stamp=True, **(_own(site, "BPARTNER", fields) | {flag: YES}))
    else:
        contact = put_contact(site, key, fields=_own(site, "CONTACTCRM", fields) | dict(person)) if person else ""
        lines = (name[:35], name[35:70])
        header = {"BPRNUM": key, "BPRNAM": lines, "BPRSHO": name[:10], "ENAFLG": YES, flag: YES, "BPRFBDMAG": NO}
        links = {"BPAADD": "A01", "CNTNAM": contact}
        site.put("BPARTNER", {"CUR": "EUR", "LAN": "ENG", **header, **links, **_own(site, "BPARTNER", fields)})
        _put_address(site, key, email, fields)
    links = {"BPAADD": "A01", "CNTNAM": contact}
    if role == "BPCUSTOMER":
        links |= {"BPCINV": key, "BPAINV": "A01", "BPCPYR": key}
        state: dict[str, Any] = {"BPCSTA": YES, "BPCTYP": 1, "PPTFLG": NO}
    else:
        links |= {"BPSINV": key, "BPAINV": "A01", "BPRPAY": key}
        state = {"ENAFLG": YES, "BPSTYP": 1}
    row = {number: key, title: name[:35], short: name[:10], "CUR": "EUR", **state, **links}
    site.put(role, {**row, **_own(site, role, fields)})


def _own(site: SageX3Site, table: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    columns = site.tables[table].columns
    return {name: value for name, value in fields.items() if name in columns}


def _refuse_unknown(site: SageX3Site, role: str, fields: Mapping[str, Any]) -> None:
    places = (role, "BPARTNER", "BPADDRESS", "CONTACTCRM")
    for name in fields:
        if not any(name in site.tables[place].columns for place in places):
            raise ValueError(f"none of {', '.join(places)} has a column {name}")


def _put_address(site: SageX3Site, key: str, email: str | Iterable[str], fields: Mapping[str, Any]) -> None:
    own = _own(site, "BPADDRESS", fields)
    country = site.row("TABCOUNTRY", own["CRY"]) if "CRY" in own else None
    named = {"CRYNAM": country["CRYDES"]} if country else {}
    row = {"BPATYP": PARTNER, "BPANUM": key, "BPAADD": "A01", "BPADES": "Head office", "BPAADDFLG": YES, "WEB": email}
    site.put("BPADDRESS", {**row, **named, **own})


def put_contact(site: SageX3Site, partner: str, *, fields: Mapping[str, Any], default: bool = True) -> str:
    """Save a person and the link to a partner, and return the person's code.

    `fields` are those of `CONTACTCRM` and `CONTACT`. A person who is there already is linked and not written.
    """
    code = fields.get("CCNCRM") or site.next_number("CONTACTCRM", "C{:06d}")
    if site.row("CONTACTCRM", code) is None:
        person = {"CNTFBDMAG": NO, "CNTLAN": "ENG", **_own(site, "CONTACTCRM", fields), "CCNCRM": code}
        person.setdefault("CNTFULNAM", f"{person.get('CNTFNA', '')} {person.get('CNTLNA', '')}".strip())
        site.put("CONTACTCRM", person)
    link = {"BPATYP": PARTNER, "BPANUM": partner, "CCNCRM": code, "CNTFLG": YES if default else NO, "CNTADD": "A01"}
    site.put("CONTACT", {**_own(site, "CONTACT", fields), **link})
    return str(code)


def put_item(site: SageX3Site, code: str, description: str) -> None:
    """Make sure that there is such a product; a line without one is free text."""
    if code and site.row("ITMMASTER", code) is None:
        site.put("ITMMASTER", {"ITMREF": code, "ITMDES1": description, "ITMSTA": 1, "STU": "UN", "SAU": "UN"})


def put_order(
    site: SageX3Site,
    customer: str,
    lines: Iterable[Line],
    *,
    key: str,
    day: date,
    tax: Any,
    fields: Mapping[str, Any],
) -> None:
    """Save a sales order with the price and quantity rows of its lines."""
    given = [_line(site, line) for line in lines]
    total = sum((_product(line) for line in given), Decimal(0))
    gross = total + Decimal(str(tax))
    for count, line in enumerate(given, 1):
        place, net = line.pop("SOPLIN", count * 1000), Decimal(str(line.get("NETPRI", 0)))
        prices = {"NETPRINOT": net, "NETPRIATI": _with_tax(net, total, gross), "GROPRI": net}
        site.put("SORDERP", {"SOHNUM": key, "SOPLIN": place, **prices, **_own(site, "SORDERP", line)})
        quantity = {"SOHNUM": key, "SOQLIN": place, "SOQSEQ": 1, "STU": "UN", "QTYSTU": line.get("QTY", 0)}
        site.put("SORDERQ", {**quantity, **_own(site, "SORDERQ", line)})
    amounts = {
        "ORDNOT": total,
        "ORDATI": gross,
        "ORDINVNOT": total,
        "ORDINVATI": gross,
        "AMTTAX": tax,
        "LINNBR": len(given),
    }
    states = {"ORDSTA": 1, "ALLSTA": 1, "DLVSTA": 1, "INVSTA": 1, "CDTSTA": 1, "HLDSTA": 1}
    head = {"SOHNUM": key, "SOHTYP": "SON", "SOHCAT": 1, "BPCORD": customer, "BPCINV": customer, "BPCPYR": customer}
    place = {"SALFCY": "FR011", "STOFCY": "FR011", "CPY": "FR10", "ORDDAT": day, "SHIDAT": day}
    copies = {**_copies(site, customer, "BPI"), **_copies(site, customer, "BPC")}
    site.put("SORDER", {**head, **place, **copies, **amounts, **states, **fields})


def put_invoice(
    site: SageX3Site,
    customer: str,
    lines: Iterable[Line],
    *,
    key: str,
    day: date,
    tax: Any,
    credit: bool,
    status: int,
    order: str,
    fields: Mapping[str, Any],
) -> None:
    """Save a sales invoice or, with `credit`, a credit note: `SNS` of it is -1, its amounts are positive."""
    given = [_line(site, line) for line in lines]
    total = sum((_product(line) for line in given), Decimal(0))
    gross = total + Decimal(str(tax))
    for count, line in enumerate(given, 1):
        net, amount = Decimal(str(line.get("NETPRI", 0))), _product(line)
        source = {"SOHNUM": order, "SOPLIN": count * 1000} if order else {}
        prices = {"GROPRI": net, "NETPRIATI": _with_tax(net, total, gross), "AMTNOTLIN": amount}
        taxed = {"AMTATILIN": _with_tax(amount, total, gross)}
        row = {"NUM": key, "SIDLIN": count * 1000, **source, **prices, **taxed}
        site.put("SINVOICED", {**row, **_own(site, "SINVOICED", line)})
    copies = _copies(site, customer, "BPI")
    sales = {"NUM": key, "SALFCY": "FR011", "BPCINV": customer, "BPCORD": customer, "INVDAT": day, "INVSTA": status}
    totals = {"INVNOT": total, "INVATI": gross, "LINNBR": len(given), "SIHORINUM": order}
    site.put("SINVOICEV", {**sales, **copies, **totals, **_own(site, "SINVOICEV", fields)})
    kind = {"SIVTYP": "CRN", "INVTYP": 2, "SNS": -1} if credit else {"SIVTYP": "INV", "INVTYP": 1, "SNS": 1}
    head = {"NUM": key, "BPR": customer, "ACCDAT": day, "CPY": "FR10", "FCY": "FR011", "STA": 3, "CUR": copies["CUR"]}
    amounts = {"AMTNOT": total, "AMTATI": gross, "RATMLT": (1, 1)}
    site.put("SINVOICE", {**head, **kind, **amounts, **_own(site, "SINVOICE", fields)})


def _line(site: SageX3Site, line: Line) -> dict[str, Any]:
    if isinstance(line, Mapping):
        return dict(line)
    code, description, quantity, price = line
    put_item(site, code, description)
    return {"ITMREF": code, "ITMDES1": description, "QTY": quantity, "NETPRI": price, "SAU": "UN"}


def _product(line: Mapping[str, Any]) -> Decimal:
    return (Decimal(str(line.get("NETPRI", 0))) * Decimal(str(line.get("QTY", 0)))).quantize(_CENT)


def _with_tax(amount: Decimal, total: Decimal, gross: Decimal) -> Decimal:
    return (amount * gross / total).quantize(_CENT) if total else amount


def _copies(site: SageX3Site, customer: str, prefix: str) -> dict[str, Any]:
    """What a document copies from its customer; a customer that is not there leaves blanks."""
    owner, partner = site.row("BPCUSTOMER", customer), site.row("BPARTNER", customer)
    if owner is None or partner is None:
        return {"CUR": "EUR"}
    copies = {"CUR": owner["CUR"], "LAN": partner["LAN"], "PTE": owner["PTE"]}
    copies["BPCNAM" if prefix == "BPC" else "BPINAM"] = partner["BPRNAM"]
    copies["CNTNAM" if prefix == "BPC" else "CNINAM"] = owner["CNTNAM"][:15]
    place = site.row("BPADDRESS", PARTNER, customer, owner["BPAADD"])
    if place is None:
        return copies
    named = {"ADDLIG": "BPAADDLIG", "POSCOD": "POSCOD", "CTY": "CTY", "SAT": "SAT", "CRY": "CRY", "CRYNAM": "CRYNAM"}
    return copies | {f"{prefix}{part}": place[column] for part, column in named.items()}
