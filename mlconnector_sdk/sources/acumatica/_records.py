"""From a row of the contract API to our records. Pure.

A row is unwrapped once (`{"CustomerID": {"value": "C1"}}` becomes `{"CustomerID": "C1"}`, empty values vanish) and that
plain row is what `raw` keeps and what can be read again later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

import attrs

from ...errors import MappingError
from ...models import Address, Contact, Customer, Order, OrderLine, Record, StreamName, Supplier

__all__ = ["OptOut", "Reader", "Row", "instant", "unwrapped", "value_at"]

Row: TypeAlias = dict[str, Any]
OptOut: TypeAlias = Callable[[Mapping[str, Any]], bool]
PartyStatus: TypeAlias = Literal["active", "inactive", "on_hold"]

_NOWHERE = Address()
_ZERO = Decimal(0)
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
            if "value" in node:
                if (value := node["value"]) is not None:
                    plain[name] = value
            elif node:
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


def value_at(row: Mapping[str, Any], path: Iterable[str]) -> Any:
    """The value below nested names, `None` where there is none."""
    value: Any = row
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


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
        main, person = _part(row, "MainContact"), _part(row, "PrimaryContact")
        return Customer(
            key=_key(row, "CustomerID"),
            name=_text(row, "CustomerName"),
            currency=_text(row, "CurrencyID"),
            group=_text(row, "CustomerClass"),
            **self._party(row, main, person, "customers"),
        )

    def supplier(self, row: Row) -> Supplier:
        """A row of `Vendor`."""
        main, person = _part(row, "MainContact"), _part(row, "PrimaryContact")
        return Supplier(
            key=_key(row, "VendorID"),
            name=_text(row, "VendorName"),
            group=_text(row, "VendorClass"),
            **self._party(row, main, person, "suppliers"),
        )

    def contact(self, row: Row) -> Contact:
        """A row of `Contact`: a person, who may belong to no account or to one of a supplier."""
        inactive = row.get("Active") is False or row.get("Status") == "Inactive"
        return Contact(
            key=_key(row, "ContactID"),
            name=_text(row, "DisplayName"),
            email=_untouched(row, "Email"),
            first_name=_text(row, "FirstName"),
            last_name=_text(row, "LastName"),
            phone=_text(row, "Phone1"),
            address=_address(row.get("Address")),
            language=_text(row, "LanguageOrLocale"),
            group=_text(row, "ContactClass"),
            job_title=_text(row, "JobTitle"),
            customer_key=_text(row, "BusinessAccount"),
            status="inactive" if inactive else "active",
            opted_out=_declined(row) or self._own_opt_out("contacts", row),
            modified_at=instant(row.get("LastModifiedDateTime"), "LastModifiedDateTime"),
            raw=row,
        )

    def sales_invoice(self, row: Row) -> Order:
        """A row of `SalesInvoice`."""
        settings = _part(row, "BillingSettings")
        lines = [(line, _text(line, "TransactionDescr"), "Qty") for line in _lines(row)]
        freight = [_amount(part, "TotalFreightAmount") for part in row.get("FreightDetails") or ()]
        return self._invoice(
            row,
            lines,
            bill_to=_part(settings, "BillToContact"),
            customer_key=_text(row, "CustomerID"),
            currency=_text(row, "Currency"),
            discount=_amount(row, "DiscountTotal"),
            # FreightPrice lacks the premium freight; the details have it.
            shipping=sum(freight, _ZERO) if freight else _amount(row, "FreightPrice"),
            corrects=_corrected(row),
            billing_address=_address(settings.get("BillToAddress")),
        )

    def invoice(self, row: Row) -> Order:
        """A row of `Invoice`: the endpoint shows neither freight nor discount, and the currency by a screen field."""
        lines = [(line, _text(line, "TransactionDescription"), "Qty") for line in _lines(row)]
        return self._invoice(
            row,
            lines,
            bill_to=_part(row, "BillToContact"),
            customer_key=_text(row, "Customer"),
            currency=str(value_at(row, ("custom", "Document", "CuryID")) or "").strip(),
        )

    def sales_order(self, row: Row) -> Order:
        """A row of `SalesOrder`; an order whose every line is a receipt is a return."""
        lines = _lines(row)
        status = _text(row, "Status")
        contact, totals = _part(row, "BillToContact"), _part(row, "Totals")
        returned = bool(lines) and all(line.get("Operation") == "Receipt" for line in lines)
        modified_at = instant(row.get("LastModified"), "LastModified")
        return Order(
            key=f"{_key(row, 'OrderType')}/{_key(row, 'OrderNbr')}",
            number=_text(row, "OrderNbr"),
            kind="credit" if returned else "order",
            final=status in _CONFIRMED,
            status=status,
            customer_key=_text(row, "CustomerID"),
            email=_untouched(contact, "Email"),
            name=_text(contact, "BusinessName"),
            currency=_text(row, "CurrencyID"),
            total=_amount(row, "OrderTotal"),
            tax=_amount(row, "TaxTotal"),
            shipping=_amount(totals, "Freight"),
            discount=_amount(totals, "DiscountTotal"),
            placed_on=_day(row, "Date"),
            cancelled_on=modified_at.date() if status == "Canceled" and modified_at else None,
            payment="cancelled" if status == "Canceled" else "",
            billing_address=_address(row.get("BillToAddress")),
            lines=tuple(_line(line, _text(line, "LineDescription"), "OrderQty") for line in lines),
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
        company = _untouched(row, "Email") or _untouched(main, "Email")
        personal = _untouched(person, "Email")
        first, second = (company, personal) if self.customer_email == "main" else (personal, company)
        return {
            "email": first if first.strip() else second,
            "first_name": _text(person, "FirstName"),
            "last_name": _text(person, "LastName"),
            "phone": _text(main, "Phone1") or _text(person, "Phone1"),
            "address": _address(main.get("Address")),
            "language": _text(person, "LanguageOrLocale"),
            "status": self.statuses.get(_text(row, "Status"), "active"),
            "opted_out": _declined(person) or self._own_opt_out(stream, row),
            "modified_at": _latest(row, person),
            "raw": row,
        }

    def _own_opt_out(self, stream: StreamName, row: Row) -> bool:
        test = self.opt_outs.get(stream)
        if test is None:
            return False
        try:
            return bool(test(row))
        except MappingError:
            raise
        except Exception as error:  # the caller's function, which must not stop the others' records
            raise MappingError(f"optout_field: the function failed ({type(error).__name__})", reason="optout_field")  # noqa: B904

    def _invoice(self, row: Row, lines: list[tuple[Row, str, str]], *, bill_to: Row, **more: Any) -> Order:
        kind, status = _key(row, "Type"), _text(row, "Status")
        modified_at = _modified(row)
        return Order(
            key=f"{kind}/{_key(row, 'ReferenceNbr')}",
            number=_text(row, "ReferenceNbr"),
            kind="credit" if kind in _CREDITS else "invoice",
            # Overdue charges, write-offs and prepayment requests are posted, but nobody bought anything.
            final=status in _POSTED and kind in _SALES,
            status=status,
            email=_untouched(bill_to, "Email"),
            name=_text(bill_to, "BusinessName"),
            total=_amount(row, "Amount"),
            tax=_amount(row, "TaxTotal"),
            placed_on=_day(row, "Date"),
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


def _key(row: Row, name: str) -> str:
    value = row.get(name)
    text = value.strip() if isinstance(value, str) else str(value) if type(value) is int else ""
    if not text:
        raise MappingError(f"{name}: missing", reason="no_key")
    return text


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if type(value) is str:
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise MappingError(f"{name}: expected text", reason="bad_type")
    return str(value)


def _untouched(row: Row, name: str) -> str:
    value = row.get(name)
    if type(value) is str:
        return value
    if value is not None:
        raise MappingError(f"{name}: expected text", reason="bad_type")
    return ""


def _part(row: Row, name: str) -> Row:
    part = row.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise MappingError(f"{name}: expected an entity", reason="bad_type")
    return part


def _lines(row: Row) -> list[Row]:
    lines = row.get("Details")
    if lines is None:
        return []
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise MappingError("Details: expected rows", reason="bad_type")
    return lines


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


def _amount(row: Row, name: str) -> Decimal:
    value = row.get(name)
    if value is None:
        return _ZERO
    if type(value) is Decimal:
        return value
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        return Decimal(str(value))
    except InvalidOperation:
        raise MappingError(f"{name}: not a number", reason="bad_type") from None


def _day(row: Row, name: str) -> date | None:
    """A business date: midnight with an offset of zero on the wire, yet no instant, so no zone may shift it."""
    value = row.get(name)
    if not value:
        return None
    try:
        return date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        raise MappingError(f"{name}: not a date", reason="bad_type") from None


def _address(part: Any) -> Address:
    if not part:
        return _NOWHERE
    return Address(
        line1=_text(part, "AddressLine1"),
        line2=_text(part, "AddressLine2"),
        city=_text(part, "City"),
        region=_text(part, "State"),
        postal_code=_text(part, "PostalCode"),
        country=_text(part, "Country"),
    )


def _line(line: Row, title: str, quantity: str) -> OrderLine:
    return OrderLine(
        key=_key(line, "LineNbr"),
        product_key=_text(line, "InventoryID"),
        title=title,
        quantity=_amount(line, quantity),
        unit_price=_amount(line, "UnitPrice"),
        discount=_amount(line, "DiscountAmount"),
        amount=_amount(line, "Amount"),
    )


def _corrected(row: Row) -> str:
    """The one invoice whose return the lines of a credit name; several, or none, are no answer."""
    if row.get("Type") not in _CREDITS:
        return ""
    named = {
        f"{_text(line, 'OrigInvType') or 'Invoice'}/{_text(line, 'OrigInvNbr')}"
        for line in _lines(row)
        if _text(line, "OrigInvNbr")
    }
    return named.pop() if len(named) == 1 else ""
