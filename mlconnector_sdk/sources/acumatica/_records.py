"""From a row of the contract API to our records. Pure.

A row is unwrapped once (`{"CustomerID": {"value": "C1"}}` becomes `{"CustomerID": "C1"}`, empty values vanish) and that
plain row is what `raw` keeps and what can be read again later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from ...errors import MappingError
from ...models import Address, Contact, Customer, Order, OrderLine, Record, StreamName, Supplier
from .._settings import OptOut, PartyStatus
from .._values import (
    ZERO,
    AddressFields,
    Row,
    address_in,
    amount_in,
    day_in,
    key_in,
    part_in,
    parts_in,
    text_in,
    untouched_in,
    value_at,
)

__all__ = ["Reader", "instant", "unwrapped"]

_ADDRESS: AddressFields = ("AddressLine1", "AddressLine2", "City", "State", "PostalCode", "Country")
_BARE = frozenset({"rowNumber", "note", "_links", "files"})
_POSTED = frozenset({"Open", "Closed", "Reserved", "Canceled"})
_CONFIRMED = frozenset({"Open", "Shipping", "Back Order", "Completed", "Canceled"})
_SALES = frozenset({"Invoice", "Debit Memo", "Credit Memo", "Cash Sale", "Cash Return"})
_CREDITS = frozenset({"Credit Memo", "Cash Return"})
_PAYMENT: dict[str, Literal["open", "paid", "cancelled"]] = {
    "Open": "open",
    "Reserved": "open",
    "Closed": "paid",
    "Canceled": "cancelled",
}


def unwrapped(row: Mapping[str, Any]) -> Row:
    """A row with plain values; what is empty on the wire (`{}`, `null`) is absent."""
    plain: Row = {}
    for name, node in row.items():
        kind = type(node)
        if kind is dict:
            if (value := node.get("value")) is not None:
                plain[name] = value
            elif node and "value" not in node:
                plain[name] = unwrapped(node)
        elif kind is list:
            if name not in _BARE:
                plain[name] = [unwrapped(one) if type(one) is dict else one for one in node]
        elif node is not None and name not in _BARE:
            plain[name] = node
    # The note of a top-level row looks like a value.
    plain.pop("note", None)
    plain.pop("_links", None)
    return plain


def instant(value: Any, name: str) -> datetime | None:
    """A change stamp, aware UTC. The server writes true UTC with 0 to 7 digits of a second's fraction."""
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MappingError(f"{name}: not a date and time", reason="bad_stamp") from None
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@attrs.frozen(kw_only=True)
class Reader:
    """Turns unwrapped rows of one site into records.

    Attributes:
        customer_email: `"main"` for the company's address, `"primary"` for that of its primary contact; the other one
            serves where the first is empty.
        statuses: label to our status, for customers and suppliers.
        opt_outs: the site's own opt-out test for each stream.
    """

    customer_email: Literal["main", "primary"] = "main"
    statuses: Mapping[str, PartyStatus]
    opt_outs: Mapping[StreamName, OptOut]

    def customer(self, row: Row) -> Customer:
        """A row of `Customer`."""
        main, person = part_in(row, "MainContact"), part_in(row, "PrimaryContact")
        return Customer(
            key=key_in(row, "CustomerID"),
            name=text_in(row, "CustomerName"),
            currency=text_in(row, "CurrencyID"),
            group=text_in(row, "CustomerClass"),
            **self._party(row, main, person, "customers"),
        )

    def supplier(self, row: Row) -> Supplier:
        """A row of `Vendor`."""
        main, person = part_in(row, "MainContact"), part_in(row, "PrimaryContact")
        return Supplier(
            key=key_in(row, "VendorID"),
            name=text_in(row, "VendorName"),
            group=text_in(row, "VendorClass"),
            **self._party(row, main, person, "suppliers"),
        )

    def contact(self, row: Row) -> Contact:
        """A row of `Contact`: a person, who may belong to no account or to one of a supplier."""
        inactive = row.get("Active") is False or row.get("Status") == "Inactive"
        return Contact(
            key=key_in(row, "ContactID"),
            name=text_in(row, "DisplayName"),
            email=untouched_in(row, "Email"),
            first_name=text_in(row, "FirstName"),
            last_name=text_in(row, "LastName"),
            phone=text_in(row, "Phone1"),
            address=_address(row.get("Address")),
            language=text_in(row, "LanguageOrLocale"),
            group=text_in(row, "ContactClass"),
            job_title=text_in(row, "JobTitle"),
            customer_key=text_in(row, "BusinessAccount"),
            status="inactive" if inactive else "active",
            opted_out=_declined(row) or self._own_opt_out("contacts", row),
            modified_at=instant(row.get("LastModifiedDateTime"), "LastModifiedDateTime"),
            raw=row,
        )

    def sales_invoice(self, row: Row) -> Order:
        """A row of `SalesInvoice`."""
        settings = part_in(row, "BillingSettings")
        lines = [(line, text_in(line, "TransactionDescr"), "Qty") for line in parts_in(row, "Details")]
        freight = [amount_in(part, "TotalFreightAmount") for part in row.get("FreightDetails") or ()]
        return self._invoice(
            row,
            lines,
            bill_to=part_in(settings, "BillToContact"),
            customer_key=text_in(row, "CustomerID"),
            currency=text_in(row, "Currency"),
            discount=amount_in(row, "DiscountTotal"),
            # FreightPrice lacks the premium freight; the details have it.
            shipping=sum(freight, ZERO) if freight else amount_in(row, "FreightPrice"),
            corrects=_corrected(row),
            billing_address=_address(settings.get("BillToAddress")),
        )

    def invoice(self, row: Row) -> Order:
        """A row of `Invoice`: the endpoint shows neither freight nor discount, and the currency by a screen field."""
        lines = [(line, text_in(line, "TransactionDescription"), "Qty") for line in parts_in(row, "Details")]
        return self._invoice(
            row,
            lines,
            bill_to=part_in(row, "BillToContact"),
            customer_key=text_in(row, "Customer"),
            currency=str(value_at(row, ("custom", "Document", "CuryID")) or "").strip(),
        )

    def sales_order(self, row: Row) -> Order:
        """A row of `SalesOrder`; an order whose every line is a receipt is a return."""
        lines = parts_in(row, "Details")
        status = text_in(row, "Status")
        contact, totals = part_in(row, "BillToContact"), part_in(row, "Totals")
        returned = bool(lines) and all(line.get("Operation") == "Receipt" for line in lines)
        modified_at = instant(row.get("LastModified"), "LastModified")
        return Order(
            key=f"{key_in(row, 'OrderType')}/{key_in(row, 'OrderNbr')}",
            number=text_in(row, "OrderNbr"),
            kind="credit" if returned else "order",
            final=status in _CONFIRMED,
            status=status,
            customer_key=text_in(row, "CustomerID"),
            email=untouched_in(contact, "Email"),
            name=text_in(contact, "BusinessName"),
            currency=text_in(row, "CurrencyID"),
            total=amount_in(row, "OrderTotal"),
            tax=amount_in(row, "TaxTotal"),
            shipping=amount_in(totals, "Freight"),
            discount=amount_in(totals, "DiscountTotal"),
            placed_on=day_in(row, "Date"),
            cancelled_on=modified_at.date() if status == "Canceled" and modified_at else None,
            payment="cancelled" if status == "Canceled" else "",
            billing_address=_address(row.get("BillToAddress")),
            lines=tuple(_line(line, text_in(line, "LineDescription"), "OrderQty") for line in lines),
            modified_at=modified_at,
            raw=row,
        )

    def function_for(self, entity: str) -> Callable[[Row], Record]:
        """What reads a row of an entity; it raises `MappingError`, naming the field and no value."""
        functions: dict[str, Callable[[Row], Record]] = {
            "Customer": self.customer,
            "Contact": self.contact,
            "Vendor": self.supplier,
            "SalesInvoice": self.sales_invoice,
            "Invoice": self.invoice,
            "SalesOrder": self.sales_order,
        }
        return functions[entity]

    def _party(self, row: Row, main: Row, person: Row, stream: StreamName) -> dict[str, Any]:
        company = untouched_in(row, "Email") or untouched_in(main, "Email")
        personal = untouched_in(person, "Email")
        first, second = (company, personal) if self.customer_email == "main" else (personal, company)
        return {
            "email": first if first.strip() else second,
            "first_name": text_in(person, "FirstName"),
            "last_name": text_in(person, "LastName"),
            "phone": text_in(main, "Phone1") or text_in(person, "Phone1"),
            "address": _address(main.get("Address")),
            "language": text_in(person, "LanguageOrLocale"),
            "status": self.statuses.get(text_in(row, "Status"), "active"),
            "opted_out": _declined(person) or self._own_opt_out(stream, row),
            "modified_at": _latest(row, person),
            "raw": row,
        }

    def _own_opt_out(self, stream: StreamName, row: Row) -> bool:
        test = self.opt_outs.get(stream)
        return test is not None and test(row)

    def _invoice(self, row: Row, lines: list[tuple[Row, str, str]], *, bill_to: Row, **more: Any) -> Order:
        kind, status = key_in(row, "Type"), text_in(row, "Status")
        modified_at = _modified(row)
        return Order(
            key=f"{kind}/{key_in(row, 'ReferenceNbr')}",
            number=text_in(row, "ReferenceNbr"),
            kind="credit" if kind in _CREDITS else "invoice",
            # Overdue charges, write-offs and prepayment requests are posted, but nobody bought anything.
            final=status in _POSTED and kind in _SALES,
            status=status,
            email=untouched_in(bill_to, "Email"),
            name=text_in(bill_to, "BusinessName"),
            total=amount_in(row, "Amount"),
            tax=amount_in(row, "TaxTotal"),
            placed_on=day_in(row, "Date"),
            # The document itself is all we see of its cancellation; the change that cancelled it is its last.
            cancelled_on=modified_at.date() if status == "Canceled" and modified_at else None,
            payment=_PAYMENT.get(status, ""),
            lines=tuple(_line(*line) for line in lines),
            modified_at=modified_at,
            raw=row,
            **more,
        )


def _modified(row: Row) -> datetime | None:
    hidden = value_at(row, ("custom", "Document", "LastModifiedDateTime"))
    return instant(row.get("LastModifiedDateTime", hidden), "LastModifiedDateTime")


def _latest(row: Row, person: Row) -> datetime | None:
    """When what we read was changed last: saving the primary contact does not touch the account."""
    own = instant(row.get("LastModifiedDateTime"), "LastModifiedDateTime")
    other = instant(person.get("LastModifiedDateTime"), "PrimaryContact/LastModifiedDateTime")
    return max(own, other) if own and other else own


def _declined(person: Row) -> bool:
    """Any of the three boxes that speak against mailing. What is neither true nor false is not taken for false."""
    declined = False
    for name in ("DoNotEmail", "NoMassMail", "NoMarketing"):
        value = person.get(name)
        if value is True:
            declined = True
        elif value is not None and value is not False:
            raise MappingError(f"{name}: neither true nor false", reason="bad_type")
    return declined


def _address(part: Any) -> Address:
    return address_in(part, _ADDRESS)


def _line(line: Row, title: str, quantity: str) -> OrderLine:
    return OrderLine(
        key=key_in(line, "LineNbr"),
        product_key=text_in(line, "InventoryID"),
        title=title,
        quantity=amount_in(line, quantity),
        unit_price=amount_in(line, "UnitPrice"),
        discount=amount_in(line, "DiscountAmount"),
        amount=amount_in(line, "Amount"),
    )


def _corrected(row: Row) -> str:
    """The one invoice whose return the lines of a credit name; several, or none, are no answer."""
    if row.get("Type") not in _CREDITS:
        return ""
    named = {
        f"{text_in(line, 'OrigInvType') or 'Invoice'}/{text_in(line, 'OrigInvNbr')}"
        for line in parts_in(row, "Details")
        if text_in(line, "OrigInvNbr")
    }
    return named.pop() if len(named) == 1 else ""
