"""Orders and invoices of a fake Sage 300, worked out from their lines as Order Entry does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from ._sage300_data import Records

__all__ = ["Line", "add_invoice", "add_order", "order_lines", "retotal"]

Line = tuple[str | None, str, Any, Any] | Mapping[str, Any]
"""`(item, description, quantity, price)`, or the properties of a detail; without an item it is a charge."""

_ZERO = Decimal(0)
_ADDRESS = ("AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4", "City", "StateProvince", "ZipPostalCode",
            "Country")  # fmt: skip
_DOCUMENT_EMAIL = 50


def _amount(value: Any) -> Decimal:
    return value if type(value) is Decimal else Decimal(str(value))


def _number(value: Any) -> Any:
    """A number as given; text, as tests like to write prices, becomes exact."""
    return Decimal(value) if isinstance(value, str) else value


def _sum(lines: Iterable[Mapping[str, Any]], *names: str) -> Decimal:
    return sum((_amount(line.get(name, 0)) for line in lines for name in names), _ZERO)


def _buyer(records: Records, customer: str) -> Mapping[str, Any]:
    return records.stores["ARCustomers"].get(customer.upper(), {})


def _email(buyer: Mapping[str, Any], name: str) -> str:
    """An address as documents hold it: their column is shorter than the customer's."""
    return str(buyer.get(name) or "")[:_DOCUMENT_EMAIL]


# -- orders -----------------------------------------------------------------------------------------------------


def order_lines(number: int, lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Details of an order; line numbers go in steps of 32."""
    return [_order_line(number, place, line) for place, line in enumerate(lines, start=1)]


def _order_line(number: int, place: int, line: Line) -> dict[str, Any]:
    values = dict(line) if isinstance(line, Mapping) else _item_or_charge(*line)
    quantity, price = values.get("QuantityOrdered", 0), values.get("OrderUnitPrice", 0)
    is_item = values.get("LineType", "Item") == "Item"
    return {
        "OrderUniquifier": number,
        "LineNumber": 32 * place,
        "DetailNumber": place,
        "PriceList": "WHS",
        "Category": "A1",
        "Location": "1",
        "StockItem": is_item,
        "OriginalQuantityOrdered": quantity,
        "OrderUnitOfMeasure": "Ea." if is_item else "",
        "OrderUnitConversion": 1,
        "PricingUnitOfMeasure": "Ea." if is_item else "",
        "PricingUnitPrice": price,
        "PricingUnitConversion": 1,
        "ExtendedOrderAmount": _amount(quantity) * _amount(price),
        **values,
    }


def _item_or_charge(item: str | None, description: str, quantity: Any, price: Any) -> dict[str, Any]:
    if item:
        return {
            "LineType": "Item",
            "Item": item,
            "Description": description,
            "QuantityOrdered": _number(quantity),
            "OrderUnitPrice": _number(price),
        }
    # A charge has an amount and no quantity.
    return {
        "LineType": "Miscellaneous",
        "MiscellaneousChargesCode": "HC",
        "Description": description,
        "OrderUnitPrice": _number(price),
        "ExtendedAmount": _amount(quantity) * _amount(price),
    }


def add_order(
    records: Records,
    customer: str,
    lines: Iterable[Line],
    *,
    discount: Any = 0,
    tax: Any = 0,
    more: Mapping[str, Any],
) -> int:
    """Store an order and return its uniquifier."""
    number = more.get("OrderUniquifier") or records.next_number("OEOrders")
    kind = more.get("OrderType", "Active")
    day: date = more.get("OrderDate") or records.today()
    buyer = _buyer(records, customer)
    currency = buyer.get("CurrencyCode") or "USD"
    row = {
        "OrderUniquifier": number,
        "OrderNumber": f"QT{number:010d}" if kind == "Quote" else f"ORD{number:012d}",
        "CustomerNumber": customer.upper(),
        "CustomerGroupCode": buyer.get("GroupCode", ""),
        **_party("BillTo", buyer),
        **_party("ShipTo", buyer),
        "BillToPhoneNumber": buyer.get("PhoneNumber", ""),
        "BillToContact": buyer.get("ContactName", ""),
        "OrderDescription": "Order Entry",
        "OrderDate": day,
        "ExpectedShipDate": day,
        "OrderFiscalYear": str(day.year),
        "OrderFiscalPeriod": f"Num{day.month}",
        "OrderHomeCurrency": "USD",
        "OrderSourceCurrency": currency,
        "OrderRate": 1,
        "OrderDiscountAmount": discount,
        "OrderExclTaxTotal": tax,
        "OrderDetails": order_lines(number, lines),
        **more,
    }
    retotal("OEOrders", row, given=more)
    records.put("OEOrders", row)
    return int(number)


def _party(side: str, buyer: Mapping[str, Any]) -> dict[str, Any]:
    """Name, address and e-mail of one side of an order."""
    return {
        f"{side}Name": buyer.get("CustomerName", ""),
        **{f"{side}{name}": buyer.get(name, "") for name in _ADDRESS},
        f"{side}Email": _email(buyer, "Email") if side == "BillTo" else "",
        f"{side}ContactEmail": _email(buyer, "ContactsEmail") if side == "BillTo" else "",
    }


# -- invoices ---------------------------------------------------------------------------------------------------


def _invoice_line(line: Line) -> dict[str, Any]:
    values = dict(line) if isinstance(line, Mapping) else _invoiced(*line)
    quantity, price = values.get("QuantityShipped", 0), values.get("PricingUnitPrice", 0)
    is_item = values.get("LineType", "Item") == "Item"
    unit = "Ea." if is_item else ""
    return {
        "StockItem": is_item,
        "InvoiceUnitOfMeasure": unit,
        "PricingUnit": unit,
        "PricingUnitConversion": 1,
        "DiscountedExtendedAmount": _amount(quantity) * _amount(price),
        **values,
    }


def _invoiced(item: str | None, description: str, quantity: Any, price: Any) -> dict[str, Any]:
    values = {"LineType": "Item", "Item": item or "", "Description": description, "PricingUnitPrice": _number(price)}
    if item:
        return {**values, "QuantityShipped": _number(quantity)}
    return {
        **values,
        "LineType": "Miscellaneous",
        "DiscountedExtendedAmount": _amount(quantity) * _amount(price),
    }


def add_invoice(
    records: Records,
    customer: str,
    lines: Iterable[Line],
    *,
    discount: Any = 0,
    tax: Any = 0,
    more: Mapping[str, Any],
) -> int:
    """Store a posted invoice and return its uniquifier."""
    number = more.get("InvoiceUniquifier") or records.next_number("OEInvoices")
    day: date = more.get("InvoiceDate") or records.today()
    buyer = _buyer(records, customer)
    details = [_invoice_line(line) for line in lines]
    if details and tax:
        details[0].setdefault("TaxAmount1", tax)
    row = {
        "InvoiceUniquifier": number,
        "InvoiceNumber": f"IN{number:06d}",
        "CustomerNumber": customer.upper(),
        "BillTo": buyer.get("CustomerName", ""),
        **{f"BillToAddress{place}": buyer.get(f"AddressLine{place}", "") for place in range(1, 5)},
        "BillToCity": buyer.get("City", ""),
        "BillToState": buyer.get("StateProvince", ""),
        "BillToZipCode": buyer.get("ZipPostalCode", ""),
        "BillToCountry": buyer.get("Country", ""),
        "BillToPhone": buyer.get("PhoneNumber", ""),
        "BillToEmail": _email(buyer, "Email"),
        "BillToContactEmail": _email(buyer, "ContactsEmail"),
        "OrderDate": day,
        "ShipmentDate": day,
        "InvoiceDate": day,
        "InvoiceHomeCurrency": "USD",
        "InvoiceSourceCurrency": buyer.get("CurrencyCode") or "USD",
        "InvoiceRate": 1,
        "InvoiceDiscountAmount": discount,
        "InvoiceDetails": details,
        **more,
    }
    retotal("OEInvoices", row, given=more)
    records.put("OEInvoices", row)
    return int(number)


# -- totals -----------------------------------------------------------------------------------------------------


def retotal(resource: str, row: Any, *, given: Mapping[str, Any]) -> None:
    """Work out the totals of a document from its lines, except those that were given."""
    if resource == "OEOrders":
        lines = row["OrderDetails"]
        subtotal = _sum(lines, "ExtendedOrderAmount") + _sum(
            (line for line in lines if line.get("LineType") == "Miscellaneous"), "ExtendedAmount"
        )
        discount, tax = _amount(row.get("OrderDiscountAmount", 0)), _amount(row.get("OrderExclTaxTotal", 0))
        worked_out: dict[str, Any] = {
            "NumberOfLinesOnOrder": len(lines),
            "OrderSubtotalAmount": subtotal,
            "OrderTotal": subtotal - discount + tax,
        }
    else:
        lines = row["InvoiceDetails"]
        subtotal = _sum(lines, "DiscountedExtendedAmount")
        taxes = _sum(lines, *(f"TaxAmount{place}" for place in range(1, 6)))
        worked_out = {
            "InvoiceSubtotalAmount": subtotal,
            "InvoiceTotalWithTax": subtotal - _amount(row.get("InvoiceDiscountAmount", 0)) + taxes,
        }
    row.update({name: value for name, value in worked_out.items() if name not in given})
