"""SORQRY: one sales order with its lines, as a document with codes in the short form that people see."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ._syspro_data import LINES, Database, Row, stored_key
from ._syspro_documents import children, document, read, text_of
from ._syspro_sessions import EnetError
from ._syspro_tables import Column, is_text
from ._syspro_text import element, padded

__all__ = ["STATUSES", "line_value", "sales_order"]

STATUSES = {
    "0": "In process",
    "1": "Open order",
    "2": "Open back order",
    "3": "Released back order",
    "4": "In warehouse",
    "8": "To be invoiced",
    "9": "Complete",
    "S": "In suspense",
    "F": "Forward order",
    "*": "Cancelled during entry",
    "\\": "Cancelled",
}
_HEAD = """OrderStatus CustomerPoNumber OrderDate ReqShipDate LastInvoice DateLastInvPrt Branch Currency ExchangeRate
Email DiscPct1 DiscPct2 DiscPct3 ShipAddress1 ShipAddress2 ShipAddress3 ShipAddress3Loc ShipAddress4 ShipAddress5
ShipPostalCode""".split()
_GOODS = """MStockCode MStockDes MWarehouse MOrderQty MShipQty MBackOrderQty MOrderUom MPrice MPriceUom MDiscPct1
MDiscPct2 MDiscPct3 MDiscValFlag MDiscValue MProductClass""".split()
_CHARGE = ["NComment", "NMscChargeValue", "NMscProductCls"]
_KINDS = {"1": "Merchandise", "7": "Merchandise", "4": "Freight", "5": "MiscCharge", "6": "CommentLine"}
_SPACES = '  xmlns:SALSLS="SALSLS" xmlns:TBLART="TBLART" '
_KINDS_OF_DOCUMENT = {"O": "Order", "B": "Billing", "C": "Credit note", "D": "Debit note"}
_CENT = Decimal("0.01")


def sales_order(base: Database, xml: str, release: str) -> str:
    """The order of a key; which lines come is for the options to say.

    Raises:
        EnetError: there is no such order.
    """
    asked = children(read(xml, "Query"), ("Key", "Option"))
    number = text_of(children(asked["Key"][0], ("SalesOrder",)), "SalesOrder") if "Key" in asked else ""
    order = base.stores["SorMaster"].get(stored_key("SalesOrder", number))
    if order is None:
        raise EnetError(f"Sales order '{number}' not found")
    options = {one.tag: one.text or "" for one in asked["Option"][0]} if "Option" in asked else {}
    parts = [*_head(base, order), "<SalesOrderLine>\n", *_lines(base, order, options), "</SalesOrderLine>\n"]
    return document("SorDetail", f"{release}.047", parts, spaces=_SPACES)


def _short(code: Any) -> str:
    text = str(code or "")
    return text.lstrip("0").zfill(6) if text.isdigit() else text


def _head(base: Database, order: Row) -> Iterable[str]:
    columns = base.tables["SorMaster"].columns
    customer = base.stores["ArCustomer"].get(order.get("Customer")) or order
    yield f"{element('SalesOrder', _short(order['SalesOrder']))}\n"
    kind = str(order.get("DocumentType") or "O")
    yield f"{element('DocumentType', kind)}\n"
    yield f"{element('DocumentTypeDesc', _KINDS_OF_DOCUMENT.get(kind, ''))}\n"
    yield f"{element('Customer', str(order.get('Customer') or ''))}\n"
    yield f"{element('CustomerName', str(order.get('CustomerName') or customer.get('Name') or '').rstrip())}\n"
    yield f"{element('SALSLS:Name', 'House account')}\n"
    for name in _HEAD:
        yield _field(columns[name], order)
        if name == "OrderStatus":
            yield f"{element('OrderStatusDesc', STATUSES.get(order.get(name, ''), ''))}\n"
        elif name == "ExchangeRate":
            yield f"{element('Edited_ExchangeRate', f'{order.get(name) or 0:,.6f}')}\n"


def _lines(base: Database, order: Row, options: dict[str, str]) -> Iterable[str]:
    columns = base.tables["SorDetail"].columns
    wanted = {
        "1": options.get("IncludeStockedLines", "Y"),
        "7": options.get("IncludeNonStockedLines", "Y"),
        "4": options.get("IncludeFreightLines", "Y"),
        "5": options.get("IncludeMiscLines", "Y"),
        "6": options.get("IncludeCommentLines", "Y"),
    }
    for line in order.get(LINES, ()):
        kind = str(line.get("LineType", "1"))
        if wanted.get(kind) != "Y":
            continue
        names = _GOODS if _KINDS[kind] == "Merchandise" else _CHARGE
        yield f"<{_KINDS[kind]}>\n<SalesOrderLine>{int(line['SalesOrderLine']):04d}</SalesOrderLine>\n"
        yield from (_field(columns[name], line) for name in names)
        if names is _GOODS:
            yield f"<OrderLineValue>{padded(line_value(line), 14, 2)}</OrderLineValue>\n"
        yield f"</{_KINDS[kind]}>\n"


def _field(column: Column, row: Row) -> str:
    value = row.get(column.name)
    if column.kind == "decimal":
        return f"<{column.name}>{padded(value, column.size, column.scale)}</{column.name}>\n"
    text = "" if value is None else str(value)
    return f"{element(column.name, text.rstrip() if is_text(column) else text)}\n"


def line_value(line: Row) -> Decimal:
    """Price less its discounts, times the quantity ordered; the database does not store it."""
    price = Decimal(str(line.get("MPrice") or 0))
    for name in ("MDiscPct1", "MDiscPct2", "MDiscPct3"):
        price -= price * Decimal(str(line.get(name) or 0)) / 100
    quantity, off = Decimal(str(line.get("MOrderQty") or 0)), Decimal(str(line.get("MDiscValue") or 0))
    if line.get("MDiscValFlag") == "U":
        price -= off
    value = price * quantity - (off if line.get("MDiscValFlag") == "V" else 0)
    return value.quantize(_CENT)
