"""How a field or a linked record is found in a stored record: stored, worked out, or its default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ._acumatica_data import Records
from ._acumatica_tables import SHAPES, Field, Part, Shape

__all__ = ["Reader", "as_plain", "nested_identity", "part_rows", "read_field"]

Reader = Callable[[Mapping[str, Any]], Any]


def _either(*names: str) -> Reader:
    return lambda row: next((row[name] for name in names if row.get(name) is not None), None)


def _linked(part: str, name: str) -> Reader:
    return lambda row: (row.get(part) or {}).get(name)


def _is_active(row: Mapping[str, Any]) -> bool:
    return bool(row.get("Active", row.get("Status", "Active") == "Active"))


def _contact_status(row: Mapping[str, Any]) -> str:
    return "Active" if _is_active(row) else "Inactive"


def _full_name(row: Mapping[str, Any]) -> str | None:
    if shown := row.get("DisplayName"):
        return str(shown)
    return " ".join(str(row[name]) for name in ("FirstName", "LastName") if row.get(name)) or None


_PERSON: dict[str, Reader] = {
    "Active": _is_active,
    "Status": _contact_status,
    "DisplayName": _full_name,
    "NoteID": _either("NoteID", "id"),
    "Synchronize": lambda row: row.get("Synchronize", True),
}
_DERIVED: dict[str, dict[str, Reader]] = {
    "Customer": {
        "Email": _linked("MainContact", "Email"),
        "PrimaryContactID": _linked("PrimaryContact", "ContactID"),
        "NoteID": _either("NoteID", "id"),
    },
    "Contact": _PERSON,
    "PrimaryContact": _PERSON,
    "ListedPerson": _PERSON,
    "SalesInvoice": {"LastModifiedDate": _either("LastModifiedDateTime")},
    "Invoice": {
        "Customer": _either("Customer", "CustomerID"),
        "CreatedDateTime": _either("CreatedDateTime", "CreatedDate"),
    },
    "InvoiceLine": {
        "TransactionDescription": _either("TransactionDescription", "TransactionDescr"),
        "ExtendedPrice": lambda row: row["ExtendedPrice"] if "ExtendedPrice" in row else _extended(row),
        "Branch": lambda row: row.get("Branch") or row.get("BranchID") or "MAIN",
    },
    "StockItem": {
        "LastModifiedDateTime": _either("LastModified"),
        "NoteID": _either("NoteID", "id"),
        "CurySpecificPrice": _either("CurySpecificPrice", "DefaultPrice"),
    },
    "NonStockItem": {
        "NoteID": _either("NoteID", "id"),
        "CurySpecificPrice": _either("CurySpecificPrice", "DefaultPrice"),
    },
    "SalesOrder": {"NoteID": _either("NoteID", "id")},
    "SalesLine": {"NoteID": _either("NoteID", "id")},
    "OrderLine": {"NoteID": _either("NoteID", "id")},
}


def _extended(row: Mapping[str, Any]) -> Any:
    quantity, price = row.get("Qty"), row.get("UnitPrice")
    return quantity * price if quantity is not None and price is not None else None


def read_field(shape: Shape, field: Field) -> Reader:
    """How to read a field off a record: the stored value, else what it is worked out from, else its default."""
    if derived := _DERIVED.get(shape.name, {}).get(field.name):
        return derived
    name, default = field.name, field.default
    return lambda row: row.get(name, default)


def nested_identity(identity: str, place: int) -> str:
    """A GUID for a linked record or detail row that has none of its own."""
    return f"{identity[:-4]}{(int(identity[-4:], 16) + place) & 0xFFFF:04x}"


def part_rows(records: Records, part: Part, shape: Shape) -> Callable[[Mapping[str, Any]], Any]:
    """How to find the linked record (or the list of detail rows) of a record."""
    name = part.name
    if part.shape == "CustomerContact":
        return lambda row: _listed_people(records, row)
    if shape.name == "Invoice" and name == "Details":
        return _stamped_lines
    if shape.name == "Invoice" and name == "BillToContact":
        return lambda row: row.get(name) or (row.get("BillingSettings") or {}).get(name)
    if part.shape == "SiteContact":
        return lambda row: row.get(name) or row.get("MainContact")
    if part.many:
        return lambda row: row.get(name) or []
    return lambda row: row.get(name)


def _listed_people(records: Records, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    account = row.get("CustomerID") or row.get("VendorID") or ""
    return [
        {
            "id": nested_identity(person["id"], 1),
            "ContactID": person["ContactID"],
            "LastModifiedDateTime": person.get("LastModifiedDateTime"),
            "Contact": person,
        }
        for person in records.contacts_of(account)
    ]


def _stamped_lines(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"LastModifiedDateTime": row.get("LastModifiedDateTime"), **line} for line in row.get("Details") or []]


def as_plain(records: Records, shape: Shape, row: Mapping[str, Any]) -> dict[str, Any]:
    """A record as plain values under the names of `shape`, parts included."""
    values = {name: read_field(shape, field)(row) for name, field in shape.fields.items()}
    for name, part in shape.parts.items():
        below = part_rows(records, part, shape)(row)
        inner = SHAPES[part.shape]
        if part.many:
            values[name] = [as_plain(records, inner, one) for one in below]
        elif below:
            values[name] = as_plain(records, inner, below)
    return values
