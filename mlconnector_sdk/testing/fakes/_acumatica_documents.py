"""Sales invoices with totals that follow from their lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ._acumatica_data import Key, Records

__all__ = ["add_document"]


def add_document(
    records: Records,
    customer: str,
    lines: Iterable[Mapping[str, Any]],
    *,
    kind: str,
    status: str,
    more: Mapping[str, Any],
    discount: Decimal = Decimal(0),
    freight: Decimal = Decimal(0),
    tax: Decimal = Decimal(0),
) -> Key:
    """Store a sales invoice whose totals follow from its lines.

    The amount is the sum of the lines less discounts, plus freight and tax.
    """
    rows = [_numbered(line, number) for number, line in enumerate(lines, 1)]
    sold = sum((line["Qty"] * line["UnitPrice"] for line in rows), Decimal(0))
    amount = sum((line["Amount"] for line in rows), Decimal(0)) - discount + freight + tax
    account: Mapping[str, Any] = records.stores["Customer"].get(customer) or {}
    contact = account.get("MainContact") or {}
    values: dict[str, Any] = {
        "Type": kind,
        "Status": status,
        "CustomerID": customer,
        "Currency": account.get("CurrencyID") or "USD",
        "Amount": amount,
        "Balance": Decimal("0.0") if status in {"Closed", "Canceled"} else amount,
        "DetailTotal": sold,
        "DiscountTotal": discount,
        "FreightPrice": freight,
        "TaxTotal": tax,
        "Hold": status == "On Hold",
        "BillingSettings": {
            "BillToContact": {
                "BusinessName": account.get("CustomerName"),
                "Email": contact.get("Email"),
                "Phone1": contact.get("Phone1"),
            },
            "BillToAddress": dict(contact.get("Address") or {}),
        },
        "Details": rows,
        "TaxDetails": [{"TaxID": "VAT", "TaxableAmount": sold - discount, "TaxAmount": tax}] if tax else [],
        "FreightDetails": [{"FreightAmount": freight, "TotalFreightAmount": freight}] if freight else [],
        "DiscountDetails": [{"DiscountCode": "DOC", "DiscountAmount": discount}] if discount else [],
        **more,
    }
    values.setdefault("ReferenceNbr", None)
    values["ReferenceNbr"] = values["ReferenceNbr"] or records.next_key("SalesInvoice")
    return records.put("SalesInvoice", values)


def _numbered(line: Mapping[str, Any], number: int) -> dict[str, Any]:
    quantity, price = Decimal(str(line["Qty"])), Decimal(str(line["UnitPrice"]))
    off = Decimal(str(line.get("DiscountAmount", 0)))
    return {"LineNbr": number, "Amount": quantity * price - off, **line, "Qty": quantity, "UnitPrice": price}
