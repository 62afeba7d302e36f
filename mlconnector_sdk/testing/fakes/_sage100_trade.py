"""Sales orders of a fake Sage 100 company, what becomes of them in history, and invoices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from ._sage100_data import Key, Row, Table
from ._sage100_site import Company
from ._sage100_tables import CREATED, UPDATED

__all__ = ["HISTORY", "INVOICE", "LINES_OF", "ORDER", "Line", "Trade"]

Line: TypeAlias = "tuple[str | None, str, Any, Any] | Mapping[str, Any]"
"""`(item code, description, quantity, price)`, or columns of the detail table; without a code it is a charge."""

ORDER, ORDER_LINE = "SO_SalesOrderHeader", "SO_SalesOrderDetail"
HISTORY, HISTORY_LINE = "SO_SalesOrderHistoryHeader", "SO_SalesOrderHistoryDetail"
INVOICE, INVOICE_LINE = "AR_InvoiceHistoryHeader", "AR_InvoiceHistoryDetail"
LINES_OF: Mapping[str, str] = {ORDER: ORDER_LINE, HISTORY: HISTORY_LINE, INVOICE: INVOICE_LINE}
"""Detail table by header."""

_CENT = Decimal("0.01")
_COMMENT = "4"
_HISTORY_OF = {
    "QuantityOrdered": ("QuantityOrderedOriginal", "QuantityOrderedRevised"),
    "UnitPrice": ("OriginalUnitPrice", "LastUnitPrice"),
    "ExtensionAmt": ("LastExtensionAmt",),
}


@attrs.frozen
class Trade:
    """What Sales Order and Accounts Receivable do with documents of a company."""

    company: Company

    def table(self, name: str) -> Table:
        return self.company.tables[name]

    # -- orders -------------------------------------------------------------------------------------------------

    def put_order(
        self,
        number: str,
        values: Mapping[str, Any],
        lines: Iterable[Line],
        *,
        user: str = "",
        at: datetime | None = None,
    ) -> Row:
        """Store an open order with its lines, and its shadow in order history."""
        for place, line in enumerate(lines, 1):
            row = self.line_values(line)
            self.table(ORDER_LINE).put((number, f"{place:06d}"), {"LineSeqNo": f"{place:014d}", **row})
        totals = self.totals(self.lines(ORDER, number))
        row = self.table(ORDER).put((number,), {**totals, **values}, user, at=at)
        self.keep_history(number, "A", user, at)
        return row

    def put_item(self, code: str, description: str, price: Any = 0) -> None:
        """Make sure that there is such an item."""
        if self.table("CI_Item").get((code,)) is None:
            named = {"ItemCodeDesc": description, "ItemType": "1", "StandardUnitPrice": price, "InactiveItem": "N"}
            self.table("CI_Item").put((code,), {**named, "ProductLine": "WF&A", "SalesUnitOfMeasure": "EACH"})

    def line_values(self, line: Line) -> dict[str, Any]:
        """The columns of an order's line."""
        if isinstance(line, Mapping):
            values = dict(line)
        else:
            code, description, quantity, price = line
            kind = "1" if code is not None else "5"
            values = {"ItemCode": code or "/MISC", "ItemType": kind, "ItemCodeDesc": description}
            values |= {"QuantityOrdered": _amount(quantity), "UnitPrice": _amount(price), "UnitOfMeasure": "EACH"}
            if code is not None:
                self.put_item(code, description, price)
        if values.get("ItemType") != _COMMENT and "ExtensionAmt" not in values:
            values["ExtensionAmt"] = _extension(values.get("QuantityOrdered", 0), values.get("UnitPrice", 0))
        values.setdefault("TaxClass", "TX")
        return values

    def totals(self, lines: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
        """Taxable and not taxable amounts of an order's lines; tax class `NT` is not taxed."""
        sums = {"TaxableAmt": Decimal(0), "NonTaxableAmt": Decimal(0)}
        for line in lines:
            place = "NonTaxableAmt" if line.get("TaxClass") == "NT" else "TaxableAmt"
            sums[place] += _amount(line.get("ExtensionAmt") or 0)
        return sums

    def lines(self, header: str, *key: str) -> list[Row]:
        """The rows of a document's lines, in order."""
        return self.table(LINES_OF[header]).starting_with(*key)

    def save_order(self, number: str, user: str = "") -> None:
        """Work an order out anew after its lines changed; saving it stamps the header."""
        self.table(ORDER).put((number,), self.totals(self.lines(ORDER, number)), user)
        self.keep_history(number, "A", user)

    def end_order(self, number: str, status: str, user: str = "", at: datetime | None = None, **columns: Any) -> None:
        """Take an order from the open ones; history keeps it with that status."""
        self.keep_history(number, status, user, at, **columns)
        for line in self.lines(ORDER, number):
            self.table(ORDER_LINE).remove((number, line["LineKey"]))
        self.table(ORDER).remove((number,))

    def keep_history(
        self, number: str, status: str = "A", user: str = "", at: datetime | None = None, **columns: Any
    ) -> None:
        """Bring an order's shadow in history up to date, if the company keeps history."""
        if not self.company.retains_history:
            return
        header, history = self.table(ORDER).rows[number,], self.table(HISTORY)
        values = {name: header[name] for name in header if name in history.columns and name not in _STAMPS}
        if header["OrderType"] == "Q" and status == "A":
            status = "Q"
        history.put((number,), {**values, "OrderStatus": status, **columns}, user, at=at)
        for line in self.lines(ORDER, number):
            self._keep_line(number, line)

    def _keep_line(self, number: str, line: Row) -> None:
        history = self.table(HISTORY_LINE)
        values = {name: value for name, value in line.items() if name in history.columns}
        key = (number, line["LineSeqNo"])
        known = history.get(key)
        for name, targets in _HISTORY_OF.items():
            values |= {target: line[name] for target in targets if known is None or not target.endswith(_ONCE)}
        history.put(key, {**values, "OriginalLine": "Y", "CancelledLine": "N"})

    def cancel_line(self, number: str, line_key: str, user: str = "") -> None:
        """Delete a line of an open order; history keeps it as cancelled."""
        line = self.table(ORDER_LINE).rows[number, line_key]
        kept = (number, line["LineSeqNo"])
        if self.company.retains_history:
            self.table(HISTORY_LINE).put(kept, {"CancelledLine": "Y", "QuantityOrderedRevised": 0})
        self.table(ORDER_LINE).remove((number, line_key))
        self.save_order(number, user)

    # -- invoices -----------------------------------------------------------------------------------------------

    def complete_order(self, number: str, invoice: str, day: date, user: str = "", at: datetime | None = None) -> Key:
        """Ship and invoice a whole order: an invoice is posted, the order goes to history. Gives the invoice's key."""
        order = self.table(ORDER).rows[number,]
        lines = [dict(line) for line in self.lines(ORDER, number)]
        billed = _billed(order)
        shared = {name: order[name] for name in order if name in _CARRIED}
        values = {
            **shared,
            **_document_amounts(order),
            "ModuleCode": "S/O",
            "SalesOrderNo": number,
            "InvoiceType": "IN",
        }
        key = self.post_invoice(invoice, {**values, "OrderDate": order["OrderDate"]}, lines, day, user, at)
        done = {"InvoicedAmt": billed, "LastInvoiceNo": invoice, "LastInvoiceDate": day}
        self.end_order(number, "C", user, at, **done)
        for line in lines if self.company.retains_history else ():
            shipped = {"QuantityShipped": line.get("QuantityOrdered", 0)}
            self.table(HISTORY_LINE).put((number, line["LineSeqNo"]), shipped)
        return key

    def post_invoice(
        self,
        number: str,
        values: Mapping[str, Any],
        lines: Iterable[Line],
        day: date,
        user: str = "",
        at: datetime | None = None,
    ) -> Key:
        """Write an invoice to history; a number that was used before gets the next header sequence."""
        header, details = self.table(INVOICE), self.table(INVOICE_LINE)
        sequence = len(header.starting_with(number))
        key = (number, f"{sequence:06d}")
        rows = [self.line_values(line) for line in lines]
        for place, row in enumerate(rows, 1):
            known = {name: value for name, value in row.items() if name in details.columns}
            shipped = {"QuantityShipped": row.get("QuantityOrdered", row.get("QuantityShipped", 0))}
            details.put((*key, f"{place:06d}"), {**known, **shipped})
        sums = self.totals(rows)
        amounts = {"TaxableSalesAmt": sums["TaxableAmt"], "NonTaxableSalesAmt": sums["NonTaxableAmt"]}
        head = {
            "ModuleCode": "A/R",
            "InvoiceType": "IN",
            "InvoiceDate": day,
            "TransactionDate": day,
            "SourceJournal": "SO",
        }
        header.put(key, {**head, **amounts, **values}, user, at=at)
        return key


_STAMPS = frozenset((*CREATED, *UPDATED))
_ONCE = ("Original", "OriginalUnitPrice")
_CARRIED = frozenset(
    """ARDivisionNo CustomerNo CustomerPONo EmailAddress TermsCode TaxSchedule SalespersonDivisionNo SalespersonNo
    OrderType BillToName BillToAddress1 BillToAddress2 BillToAddress3 BillToCity BillToState BillToZipCode
    BillToCountryCode ShipToName ShipToAddress1 ShipToAddress2 ShipToAddress3 ShipToCity ShipToState ShipToZipCode
    ShipToCountryCode WarehouseCode PaymentType BillToDivisionNo BillToCustomerNo""".split()
)


def _document_amounts(order: Row) -> dict[str, Any]:
    return {
        "TaxableSalesAmt": order["TaxableAmt"],
        "NonTaxableSalesAmt": order["NonTaxableAmt"],
        **{name: order[name] for name in ("FreightAmt", "SalesTaxAmt", "DiscountAmt", "DepositAmt")},
    }


def _billed(order: Row) -> Decimal:
    """What an order comes to: amounts, freight and tax without the discount."""
    added = ("TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
    return sum((_amount(order[name]) for name in added), Decimal(0)) - _amount(order["DiscountAmt"])


def _amount(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _extension(quantity: Any, price: Any) -> Decimal:
    return (_amount(quantity) * _amount(price)).quantize(_CENT)
