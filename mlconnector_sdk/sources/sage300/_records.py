"""From a row of the Web API to our records. Pure.

Rows are plain already; the same kind of value comes in several forms (`"Yes"`, `true` and `"1"`; texts padded to the
width of their column; dates as midnights of no zone), and names without a member come as numbers in text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs

from ...cursors import CursorStep, CursorValue
from ...errors import MappingError
from ...models import Address, Contact, Customer, Order, OrderLine, Record, StreamName, Supplier
from .._settings import OptOut, PartyStatus
from .._values import ZERO, Row, amount_in, day_in, flag_in, key_in, number_in, parts_in, text_in, untouched_in
from ._fields import is_number
from ._listing import ship_to_key

__all__ = ["PARENT", "Reader", "optional_field"]

PARENT = "ARCustomers"
"""Where the row of a ship-to location keeps that of its customer."""

_COMPLETE = "Complete"


@attrs.frozen(kw_only=True)
class Reader:
    """Turns rows of one site into records. A function raises `MappingError`, naming the field and no value.

    Attributes:
        customer_email: `"company"` for the company's address, `"contact"` for that of its contact person; the other
            one serves where the first is empty.
        statuses: label to our status, for customers, contacts and suppliers.
        opt_outs: the site's own opt-out test for each stream.
        consent_field: the flag of a contact that allows mail; `None` for none.
        cursors: the names of each resource's cursors.
    """

    customer_email: Literal["company", "contact"] = "company"
    statuses: Mapping[str, PartyStatus]
    opt_outs: Mapping[StreamName, OptOut]
    consent_field: str | None
    cursors: Mapping[str, tuple[str, ...]]

    def customer(self, row: Row) -> Customer:
        """A row of `ARCustomers`."""
        return Customer(
            key=key_in(row, "CustomerNumber"),
            name=text_in(row, "CustomerName"),
            currency=text_in(row, "CurrencyCode"),
            group=text_in(row, "GroupCode"),
            status=self._status(row),
            opted_out=self._own_opt_out("customers", row),
            modified_at=self._modified(row, "ARCustomers"),
            **self._party(row),
        )

    def ship_to(self, row: Row) -> Customer:
        """A row of `ARShipToLocations` with that of its customer: whom we may not mail there, we may not mail here."""
        customer = row.get(PARENT)
        if not isinstance(customer, dict):
            raise MappingError(f"{PARENT}: missing", reason="no_customer")
        parent = self.customer(customer)
        key_in(row, "CustomerNumber")
        key_in(row, "ShipToLocationKey")
        own = self._status(row)
        stamps = [stamp for stamp in (self._modified(row, "ARShipToLocations"), parent.modified_at) if stamp]
        return Customer(
            key=ship_to_key(row),
            name=text_in(row, "Description") or parent.name,
            currency=parent.currency,
            group=parent.group,
            status="inactive" if "inactive" in {own, parent.status} else parent.status,
            opted_out=parent.opted_out or self._own_opt_out("customers", row),
            modified_at=max(stamps, default=None),
            **self._party(row),
        )

    def contact(self, row: Row) -> Contact:
        """A row of `MTContacts`: a person; which customers it belongs to, the resource does not say."""
        first, last = text_in(row, "FirstName"), text_in(row, "LastName")
        return Contact(
            key=key_in(row, "ContactCode"),
            name=f"{first} {last}".strip(),
            email=untouched_in(row, "Email"),
            first_name=first,
            last_name=last,
            phone=text_in(row, "PhoneNumber1"),
            address=_address(row),
            job_title=text_in(row, "Title"),
            status=self._status(row),
            opted_out=self._no_consent(row) or self._own_opt_out("contacts", row),
            modified_at=self._modified(row, "MTContacts"),
            raw=row,
        )

    def supplier(self, row: Row) -> Supplier:
        """A row of `APVendors`."""
        return Supplier(
            key=key_in(row, "VendorNumber"),
            name=text_in(row, "VendorName"),
            group=text_in(row, "GroupCode"),
            status=self._status(row),
            opted_out=self._own_opt_out("suppliers", row),
            modified_at=self._modified(row, "APVendors"),
            **self._party(row),
        )

    def order(self, row: Row) -> Order:
        """A row of `OEOrders`."""
        completed = text_in(row, "OrderCompleted")
        held = flag_in(row, "OnHold") and not completed.startswith(_COMPLETE)
        cancelled = _was_cancelled(row, completed)
        lines = tuple(_order_line(line) for line in parts_in(row, "OrderDetails"))
        discount = amount_in(row, "OrderDiscountAmount")
        added_tax = amount_in(row, "OrderExclTaxTotal")
        total = amount_in(row, "OrderTotal")
        if any(_has_shipped(line) for line in parts_in(row, "OrderDetails")):
            # The total falls as lines ship; what was sold does not.
            total = max(total, sum((line.amount for line in lines), ZERO) - discount + added_tax)
        return Order(
            key=key_in(row, "OrderUniquifier"),
            number=text_in(row, "OrderNumber"),
            kind="order",
            final=text_in(row, "OrderType") == "Active" and not held,
            status="OnHold" if held else completed,
            customer_key=text_in(row, "CustomerNumber"),
            email=_first_of(row, "BillToEmail", "BillToContactEmail"),
            name=text_in(row, "BillToName"),
            currency=text_in(row, "OrderSourceCurrency"),
            total=total,
            tax=added_tax + amount_in(row, "OrderInclTaxTotal"),
            discount=discount,
            placed_on=day_in(row, "OrderDate"),
            cancelled_on=(day_in(row, "OrderCompletionDate") or day_in(row, "OrderDate")) if cancelled else None,
            payment="cancelled" if cancelled else "",
            billing_address=_address(row, "BillToAddressLine", "BillTo"),
            lines=lines,
            modified_at=self._modified(row, "OEOrders"),
            raw=row,
        )

    def invoice(self, row: Row) -> Order:
        """A row of `OEInvoices`, which holds posted invoices only, with captions of its own."""
        details = parts_in(row, "InvoiceDetails")
        return Order(
            key=key_in(row, "InvoiceUniquifier"),
            number=text_in(row, "InvoiceNumber"),
            kind="invoice",
            status=text_in(row, "InvoiceStatus"),
            customer_key=text_in(row, "CustomerNumber"),
            email=_first_of(row, "BillToEmail", "BillToContactEmail"),
            name=text_in(row, "BillTo"),
            currency=text_in(row, "InvoiceSourceCurrency"),
            total=amount_in(row, "InvoiceTotalWithTax"),
            tax=sum((amount_in(line, f"TaxAmount{n}") for line in details for n in range(1, 6)), ZERO),
            discount=amount_in(row, "InvoiceDiscountAmount"),
            placed_on=day_in(row, "InvoiceDate"),
            billing_address=_address(row, "BillToAddress", "BillTo"),
            lines=tuple(_invoice_line(line, number) for number, line in enumerate(details, 1)),
            modified_at=self._modified(row, "OEInvoices"),
            raw=row,
        )

    def function_for(self, resource: str) -> Callable[[Row], Record]:
        """What reads a row of a resource."""
        functions: dict[str, Callable[[Row], Record]] = {
            "ARCustomers": self.customer,
            "ARShipToLocations": self.ship_to,
            "MTContacts": self.contact,
            "APVendors": self.supplier,
            "OEOrders": self.order,
            "OEInvoices": self.invoice,
        }
        return functions[resource]

    def modified(self, row: Row, resource: str) -> CursorValue | None:
        """The row's own change stamp; `None` where it cannot be read."""
        try:
            return self._modified(row, resource)
        except MappingError:
            return None

    def _party(self, row: Row) -> dict[str, Any]:
        names = ("Email", "ContactsEmail") if self.customer_email == "company" else ("ContactsEmail", "Email")
        return {
            "email": _first_of(row, *names),
            "phone": text_in(row, "PhoneNumber") or text_in(row, "ContactsPhone"),
            "address": _address(row),
            "last_activity": day_in(row, "DateOfLastActivity"),
            "raw": row,
        }

    def _status(self, row: Row) -> PartyStatus:
        value = row.get("Status")
        if isinstance(value, bool):
            # A status that comes as a boolean is the field "inactive" behind it.
            status: PartyStatus = "inactive" if value else "active"
        else:
            status = self.statuses.get(text_in(row, "Status").casefold(), "active")
        return "on_hold" if status == "active" and flag_in(row, "OnHold") else status

    def _no_consent(self, row: Row) -> bool:
        if self.consent_field is None or row.get(self.consent_field) is None:
            return False
        # Only a clear yes is a consent; a value without a name must not become one.
        try:
            return not flag_in(row, self.consent_field)
        except MappingError:
            return True

    def _own_opt_out(self, stream: StreamName, row: Row) -> bool:
        test = self.opt_outs.get(stream)
        return test is not None and test(row)

    def _modified(self, row: Row, resource: str) -> CursorValue | None:
        names = self.cursors[resource]
        if len(names) == 1:
            return _step(row, names[0])
        steps = tuple(_step(row, name) for name in names)
        return None if all(step is None for step in steps) else steps


def optional_field(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """What finds the value of a property, or of an optional field of that name, in a row."""

    def value(row: Mapping[str, Any]) -> Any:
        if name in row:
            return row[name]
        for field, entries in row.items():
            if "OptionalField" in field and isinstance(entries, list):
                for entry in entries:
                    if isinstance(entry, dict) and str(entry.get("OptionalField", "")).strip() == name:
                        return _typed_value(entry)
        return None

    return value


def _typed_value(entry: Mapping[str, Any]) -> Any:
    kind = next((value for field, value in entry.items() if field.endswith("ValueType")), "")
    typed = entry.get(f"{kind}Value") if kind else None
    return entry.get("Value") if typed is None else typed


def _step(row: Row, name: str) -> CursorStep | None:
    return number_in(row, name) if is_number(name) else day_in(row, name)


def _first_of(row: Row, *names: str) -> str:
    """The first that is not blank, untouched."""
    for name in names:
        value = untouched_in(row, name)
        if value.strip():
            return value
    return ""


def _address(row: Row, line: str = "AddressLine", rest: str = "") -> Address:
    """Orders and invoices spell region and postal code differently; one of the two names is there."""
    further = (text_in(row, line + "2"), text_in(row, line + "3"), text_in(row, line + "4"))
    return Address(
        line1=text_in(row, line + "1"),
        line2=", ".join(filter(None, further)),
        city=text_in(row, f"{rest}City"),
        region=text_in(row, f"{rest}StateProvince") or text_in(row, f"{rest}State"),
        postal_code=text_in(row, f"{rest}ZipPostalCode") or text_in(row, f"{rest}ZipCode"),
        country=text_in(row, f"{rest}Country"),
    )


def _was_cancelled(row: Row, completed: str) -> bool:
    """Completed, and nothing ever shipped or invoiced. There is no other sign; most cancelled orders are deleted."""
    traces = [row.get(name) for name in ("LastShipmentNumber", "LastInvoiceNumber")]
    return completed.startswith(_COMPLETE) and all(type(trace) is str and not trace.strip() for trace in traces)


def _has_shipped(line: Row) -> bool:
    return amount_in(line, "QuantityOrdered") < amount_in(line, "OriginalQuantityOrdered")


def _is_item(line: Row) -> bool:
    return text_in(line, "LineType") != "Miscellaneous"


def _order_line(line: Row) -> OrderLine:
    """The ordered quantity falls as a line ships, the original one does not."""
    discount = amount_in(line, "OrderDiscountAmount")
    if not _is_item(line):
        amount = amount_in(line, "ExtendedAmount") or amount_in(line, "ExtendedOrderAmount")
        return _charge(line, key_in(line, "LineNumber"), amount)
    quantity = amount_in(line, "OriginalQuantityOrdered") or amount_in(line, "QuantityOrdered")
    price = amount_in(line, "OrderUnitPrice")
    extended = amount_in(line, "ExtendedOrderAmount")
    return OrderLine(
        key=key_in(line, "LineNumber"),
        product_key=text_in(line, "Item"),
        title=text_in(line, "Description"),
        quantity=quantity,
        unit_price=price,
        discount=discount,
        amount=(quantity * price if _has_shipped(line) or not extended else extended) - discount,
    )


def _invoice_line(line: Row, number: int) -> OrderLine:
    """The price is told per pricing unit, which may be another than that of the quantity: the amount decides."""
    key = key_in(line, "LineNumber") if line.get("LineNumber") else str(number)
    amount = amount_in(line, "DiscountedExtendedAmount")
    quantity = amount_in(line, "QuantityShipped")
    if not _is_item(line) or not quantity:
        return _charge(line, key, amount)
    same_unit = text_in(line, "InvoiceUnitOfMeasure") == text_in(line, "PricingUnit")
    price = amount_in(line, "PricingUnitPrice") if same_unit else ZERO
    discount = max(ZERO, quantity * price - amount)
    return OrderLine(
        key=key,
        product_key=text_in(line, "Item"),
        title=text_in(line, "Description"),
        quantity=quantity,
        unit_price=price or amount / quantity,
        discount=discount,
        amount=amount,
    )


def _charge(line: Row, key: str, amount: Decimal) -> OrderLine:
    return OrderLine(key=key, title=text_in(line, "Description"), quantity=Decimal(1), unit_price=amount, amount=amount)
