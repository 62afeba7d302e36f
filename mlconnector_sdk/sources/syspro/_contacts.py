"""Persons of the Contact Management System: through its business objects, or out of a view that the site made.

The names of its tables are not published, and there is no list of all contacts: they are found by way of customers.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from ...errors import ContractError
from .._values import Row, text_in
from .._xml import escaped, tree_in

__all__ = [
    "OPT_OUTS",
    "ContactManagement",
    "ContactView",
    "emails_in",
    "people_in",
    "person_key",
    "request_by_customer",
    "requests_by_email",
]

OPT_OUTS = ("DoNotEmail", "DoNotBulkEmail")

_ADDRESSES_AT_ONCE = 30
_NAMES = ("FirstName", "MiddleName", "LastName")


@attrs.frozen(kw_only=True)
class ContactManagement:
    """Contacts through e.net's business objects, for sites that have licensed the Contact Management System.

    A contact is found by a customer's e-mail addresses (CMSQEM), or, with `key_type`, by the customer itself (CMSQRC),
    which takes a request for each customer but finds persons with any address. Contacts of nobody are not found.

    Attributes:
        key_type: the code that stands for a customer in the `KeyType` of CMSQRC. It is not published; ask the vendor,
            or look at a request that works at your site.
    """

    key_type: str | None = None


@attrs.frozen(kw_only=True)
class ContactView:
    """Contacts out of a table or view, such as a Business Activity Query that shows them through OData.

    Attributes:
        table: its name.
        key: the column that identifies a contact.
        columns: our words for its columns; what it does not have is left out by the value `""`.
    """

    table: str
    key: str = "Contact"
    email: str = "Email"
    customer: str = "Customer"
    full_name: str = "FullName"
    first_name: str = "FirstName"
    last_name: str = "LastName"
    do_not_email: str = "DoNotEmail"
    do_not_bulk_email: str = "DoNotBulkEmail"

    @property
    def names(self) -> dict[str, str]:
        """The view's columns by the names under which rows are kept."""
        pairs = {
            "Key": self.key,
            "Email": self.email,
            "Customer": self.customer,
            "FullName": self.full_name,
            "FirstName": self.first_name,
            "LastName": self.last_name,
            "DoNotEmail": self.do_not_email,
            "DoNotBulkEmail": self.do_not_bulk_email,
        }
        return {ours: theirs for ours, theirs in pairs.items() if theirs}


def request_by_customer(key_type: str, customer: str) -> str:
    """The question to CMSQRC."""
    return f"<Query><Key><KeyType>{escaped(key_type)}</KeyType><KeyValue>{escaped(customer)}</KeyValue></Key></Query>"


def requests_by_email(addresses: Sequence[str]) -> Iterator[str]:
    """The questions to CMSQEM, which knows addresses in upper case only."""
    wanted = list(dict.fromkeys(address.upper() for address in addresses))
    for start in range(0, len(wanted), _ADDRESSES_AT_ONCE):
        emails = "".join(f"<Email>{escaped(one)}</Email>" for one in wanted[start : start + _ADDRESSES_AT_ONCE])
        yield f"<Query><Key>{emails}</Key></Query>"


def emails_in(text: str) -> list[str]:
    """What may be addresses in an e-mail column, which may hold several."""
    parts = (part.strip() for part in text.replace(",", ";").split(";"))
    return [part for part in parts if "@" in part and " " not in part]


def people_in(body: bytes, owner_of: Callable[[Row], str]) -> list[Row]:
    """The contacts of an answer, flat, each with the customer that `owner_of` tells by its row.

    Raises:
        ContractError: it is another document.
    """
    name, content = next(iter(tree_in(body).items()))
    if name.lower() != "contactquery":
        raise ContractError("the answer is no list of contacts", reason="other_root")
    contacts = _listed(content.get("Contact") if isinstance(content, dict) else None)
    people = [_person(one) for one in contacts if isinstance(one, dict)]
    for row in people:
        row["Customer"] = owner_of(row)
    _add_keys(people)
    return people


def _person(contact: Mapping[str, Any]) -> Row:
    classes = _part(contact, "ClassificationInfo")
    phones = _parts(contact, "PhoneList", "SinglePhone")
    return {
        **_part(contact, "PersonalInfo"),
        **_part(contact, "OrganizationInfo"),
        **{name: value for name, value in classes.items() if isinstance(value, str)},
        **_part(contact, "ContactMethodInfo"),
        **_part(contact, "ContactHistoryInfo"),
        "Email": _address(_parts(contact, "EmailList", "SingleEmail")),
        "Telephone": next((text_in(one, "Telephone") for one in phones), ""),
    }


def person_key(customer: str, name: str) -> str:
    """The key of a person: the customer's code, and a digest that does not show the name."""
    return f"{customer}/{hashlib.blake2b(name.strip().casefold().encode(), digest_size=6).hexdigest()}"


def _add_keys(people: Sequence[Row]) -> None:
    """Nothing in an answer identifies a person but the name, which a key must not show: so it is a digest.

    Namesakes of one customer are told apart by their addresses.
    """
    names = [text_in(row, "FullName") or " ".join(text_in(row, part) for part in _NAMES) for row in people]
    places = [(row["Customer"], name.strip().casefold()) for row, name in zip(people, names, strict=True)]
    counts = Counter(places)
    for row, (owner, name) in zip(people, places, strict=True):
        alone = counts[owner, name] == 1 and name
        seed = name if alone else f"{name} {text_in(row, 'Email').casefold()}"
        row["Key"] = person_key(owner, seed)


def _address(emails: Sequence[Mapping[str, Any]]) -> str:
    """The preferred address, then the others; private ones are nobody's business."""
    open_ones = [one for one in emails if text_in(one, "EmailPrivate").upper() != "Y"]
    ranked = sorted(open_ones, key=lambda one: text_in(one, "EmailPreferred").upper() != "Y")
    return "; ".join(filter(None, (text_in(one, "Email") for one in ranked)))


def _part(tree: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = tree.get(name)
    return part if isinstance(part, dict) else {}


def _parts(tree: Mapping[str, Any], many: str, one: str) -> list[dict[str, Any]]:
    return [part for part in _listed(_part(tree, many).get(one)) if isinstance(part, dict)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value in (None, "") else [value]
