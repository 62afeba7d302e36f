"""Posting to a fake SYSPRO: invoices with their register lines, and sales orders with theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from ._syspro_data import LINES, Database, Row, stored_key

__all__ = ["Line", "post_invoice", "put_order", "put_stock"]

Line: TypeAlias = "tuple[str | None, str, Any, Any] | Mapping[str, Any]"
"""`(stock code, description, quantity, price)`, or columns of the detail table."""

_CENT = Decimal("0.01")
_FREIGHT = "_FRT"


def _amount(value: Any) -> Decimal:
    return value if type(value) is Decimal else Decimal(str(value))


def put_stock(base: Database, code: str, description: str, price: Any = 0) -> None:
    """Make sure that there is such a stock code."""
    if code not in base.stores["InvMaster"]:
        base.put("InvMaster", {"StockCode": code, "Description": description, "StockUom": "EA", "ListPriceCode": "A"})
        base.put("InvPrice", {"StockCode": code, "PriceCode": "A", "SellingPrice": _amount(price)})


def post_invoice(
    base: Database,
    customer: str,
    lines: Iterable[Line],
    *,
    number: str,
    kind: str,
    day: date | datetime,
    currency: str,
    rate: Decimal,
    tax: Any,
    freight: Any,
    more: Mapping[str, Any],
) -> Row:
    """Post a document: a header on the ledger and append-only lines in the register, in local and own currency.

    The lines of a credit note are negative.
    """
    register = len(base.stores["ArInvoice"]) // 20 + 1
    sign = -1 if kind == "C" else 1
    head = {"Customer": customer, "Invoice": number, "DocumentType": kind, "InvoiceDate": day, "PostCurrency": currency}
    shared: dict[str, Any] = {
        **{name: head[name] for name in ("Customer", "Invoice", "DocumentType", "InvoiceDate", "PostCurrency")},
        **{name: more[name] for name in ("SalesOrder", "CustomerPoNumber", "Branch", "Salesperson") if name in more},
        "TrnYear": day.year,
        "TrnMonth": day.month,
        "Register": register,
        "SummaryLine": 1,
        "PostConvRate": rate,
        "PostMulDiv": "M",
    }
    rows = [_register_line(base, line, sign, rate) for line in lines]
    if freight:
        value = sign * _amount(freight)
        rows.append({**_values(sign, value, rate), "LineType": "4", "ProductClass": _FREIGHT})
    if rows:
        rows[0] = {"TaxValue": (sign * _amount(tax) * rate).quantize(_CENT), **rows[0]}
    details = [{**shared, "DetailLine": place, **row} for place, row in enumerate(rows, 1)]
    total = sum((_amount(row.get("PostValue", 0)) for row in details), Decimal(0)) + sign * _amount(tax)
    values: dict[str, Any] = {"CurrencyValue": total, "InvoiceBal1": total, "TaxPortion": sign * _amount(tax)}
    values |= {"ConvRate": rate, "MulDiv": "M", "InvoiceYear": day.year, "InvoiceMonth": day.month}
    padded = [{name: stored_key(name, value) for name, value in row.items()} for row in details]
    return base.put("ArInvoice", {**head, **values, **more, LINES: padded})


def _values(quantity: Any, value: Decimal, rate: Decimal) -> dict[str, Any]:
    return {
        "QtyInvoiced": quantity,
        "NetSalesValue": (value * rate).quantize(_CENT),
        "PostValue": value.quantize(_CENT),
    }


def _register_line(base: Database, line: Line, sign: int, rate: Decimal) -> dict[str, Any]:
    if isinstance(line, Mapping):
        return dict(line)
    code, description, quantity, price = line
    row = _values(sign * _amount(quantity), sign * _amount(quantity) * _amount(price), rate)
    if code is None:
        # A miscellaneous charge has neither a stock code nor, in the register, a text.
        return {**row, "LineType": "5", "ProductClass": "_OTH"}
    put_stock(base, code, description, price)
    return {**row, "LineType": "1", "StockCode": code, "ProductClass": "SALE", "Warehouse": "FG"}


def put_order(
    base: Database, customer: str, lines: Iterable[Line], *, number: str, freight: Any, more: Mapping[str, Any]
) -> Row:
    """Store a sales order with its lines."""
    rows = [_order_line(base, line) for line in lines]
    if freight:
        charge = {"NComment": "Freight", "NMscChargeValue": _amount(freight), "NMscProductCls": _FREIGHT}
        rows.append({"LineType": "4", **charge})
    number = stored_key("SalesOrder", number)
    details = [{"SalesOrder": number, "SalesOrderLine": place, **row} for place, row in enumerate(rows, 1)]
    head = {"SalesOrder": number, "Customer": customer, "DocumentType": "O", "NextDetailLine": len(rows) + 1}
    return base.put("SorMaster", {**head, **more, LINES: details})


def _order_line(base: Database, line: Line) -> dict[str, Any]:
    if isinstance(line, Mapping):
        return dict(line)
    code, description, quantity, price = line
    if code is None:
        value = (_amount(quantity) * _amount(price)).quantize(_CENT)
        return {"LineType": "5", "NComment": description, "NMscChargeValue": value, "NMscProductCls": "_OTH"}
    put_stock(base, code, description, price)
    return {
        "LineType": "1",
        "MStockCode": code,
        "MStockDes": description,
        "MOrderQty": _amount(quantity),
        "MPrice": _amount(price),
        "MOrderUom": "EA",
        "MPriceUom": "EA",
        "MBackOrderQty": _amount(quantity),
    }
