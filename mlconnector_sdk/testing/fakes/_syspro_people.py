"""Contacts of the Contact Management System as CMSQRC (by organisation) and CMSQEM (by e-mail address) show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ._syspro_conditions import reader
from ._syspro_data import Database, Row, stored_key
from ._syspro_documents import children, document, read, text_of
from ._syspro_sessions import EnetError
from ._syspro_tables import CONTACT
from ._syspro_text import element

__all__ = ["contacts_by_email", "contacts_of"]

_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "PersonalInfo": ("FullName", "Title", "FirstName", "MiddleName", "LastName", "PreferredLanguage"),
    "OrganizationInfo": ("JobTitle", "Department"),
    "ContactMethodInfo": ("DoNotPhone", "DoNotEmail", "DoNotPost", "DoNotBulkEmail"),
    "ContactHistoryInfo": ("CreatedDate", "LastChangedDate", "LastChangedTime", "LastContactDate"),
}
_CLASSIFICATION = ("ContactClass", "ContactType", "ContactCategory", "ContactStatus")


def contacts_of(base: Database, xml: str, release: str, kinds: Mapping[str, str]) -> str:
    """CMSQRC: the contacts of a customer or supplier; `kinds` says which `KeyType` means which."""
    key = children(read(xml, "Query"), ("Key",))
    parts = children(key["Key"][0], ("KeyType", "KeyValue")) if "Key" in key else {}
    kind, value = text_of(parts, "KeyType"), text_of(parts, "KeyValue")
    if kind not in kinds:
        raise EnetError(f"KeyType {kind} is not valid")
    by_code = base.rows_by(CONTACT, kinds[kind], reader(base.tables[CONTACT].columns[kinds[kind]]))
    found = by_code.get(_code(stored_key(kinds[kind], value)), [])
    return _answer(base, found, release)


def contacts_by_email(base: Database, xml: str, release: str) -> str:
    """CMSQEM: the contacts who have one of the addresses, which must be in upper case."""
    key = children(read(xml, "Query"), ("Key",))
    emails = children(key["Key"][0], ("Email",), many=("Email",)).get("Email", []) if "Key" in key else []
    if not emails:
        raise EnetError("Element Email is missing")
    wanted = {one.text or "" for one in emails}
    if any(text != text.upper() for text in wanted):
        raise EnetError("Email must be in upper case")
    found = [row for row in base.rows(CONTACT) if wanted & {text.upper() for text in _emails(row)}]
    return _answer(base, found, release)


def _code(value: Any) -> str:
    return str(value or "").rstrip()


def _emails(row: Row) -> list[str]:
    """The addresses of a contact, the preferred one first."""
    return [text for text in (_code(row.get("Email")), *row.get("MoreEmails", ())) if text]


def _answer(base: Database, rows: Iterable[Row], release: str) -> str:
    return document("ContactQuery", f"{release}.012", [_contact(base, row) for row in rows])


def _contact(base: Database, row: Row) -> str:
    sections = [_section(name, _fields(row, fields)) for name, fields in _SECTIONS.items()]
    organisations = [
        _organisations(base, row, "Suppliers", "Supplier", ("ApSupplier", "SupplierName")),
        _organisations(base, row, "Customers", "Customer", ("ArCustomer", "Name")),
    ]
    sections.insert(2, _section("ClassificationInfo", _fields(row, _CLASSIFICATION) + "".join(organisations)))
    phone = _code(row.get("Telephone"))
    phones = _section("SinglePhone", f"{element('PhoneType', 'W')}\n{element('Telephone', phone)}\n") if phone else ""
    emails = "".join(_email(text, preferred=not place) for place, text in enumerate(_emails(row)))
    return _section("Contact", "".join([*sections, _section("PhoneList", phones), _section("EmailList", emails)]))


def _email(text: str, *, preferred: bool) -> str:
    values = {"EmailType": "W", "Email": text, "EmailPreferred": "Y" if preferred else "N", "EmailPrivate": "N"}
    return _section("SingleEmail", "".join(f"{element(name, value)}\n" for name, value in values.items()))


def _organisations(base: Database, row: Row, many: str, one: str, place: tuple[str, str]) -> str:
    code = _code(row.get(one))
    if not code:
        return f"<{many}/>\n"
    table, column = place
    named = base.stores[table].get(code)
    texts = f"{element(f'{one}Code', code)}\n{element(f'{one}Name', _code(named and named.get(column)))}\n"
    return _section(many, _section(one, texts))


def _fields(row: Row, names: Iterable[str]) -> str:
    return "".join(f"{element(name, _code(row.get(name)))}\n" for name in names)


def _section(name: str, inner: str) -> str:
    return f"<{name}>\n{inner}</{name}>\n"
