"""Rows of X3 as invoices, credit notes and sales orders. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from ...models import Address, Order, OrderLine
from .._values import ZERO, Row, amount_in, day_in, key_in, text_in
from ._api import INVOICES, SALES_ORDERS
from ._fields import first_text, occurrences
from ._records import Reader, postal_address, refuse_faulty

__all__ = ["DocumentReader"]

_CLOSED = frozenset({"2", "closed"})
_NOTHING_YET = frozenset({"1", "notdelivered", "notinvoiced"})
"""Values of X3's menus by number, and as GraphQL names them."""


@attrs.frozen(kw_only=True)
class DocumentReader:
    """Turns rows of one site into orders.

    Attributes:
        posted: values of INVSTA that mean posted; `None` for all.
        credit_types: values of INVTYP or SIVTYP that mean a credit note, besides a negative sign.
        corrects_field: where a credit note names the invoice that it corrects.
    """

    parties: Reader
    posted: frozenset[str] | None
    credit_types: frozenset[str]
    corrects_field: str

    def invoice(self, row: Row) -> Order:
        """A row of `SINVOICEV` with its lines."""
        refuse_faulty(row)
        total, net = amount_in(row, "INVATI"), amount_in(row, "INVNOT")
        credit = self._is_credit(row, total)
        # A site's credit notes may be negative; ours are not.
        sign = -1 if credit and total < 0 else 1
        status = text_in(row, "INVSTA")
        return Order(
            key=key_in(row, "NUM"),
            number=text_in(row, "NUM"),
            kind="credit" if credit else "invoice",
            corrects=text_in(row, self.corrects_field) if credit else "",
            final=self.posted is None or status.upper() in self.posted,
            status=status,
            customer_key=text_in(row, "BPCINV"),
            email=_first(row, "CONTACTCRM.CNTWEB", "CNTWEB"),
            name=_first(row, "BPINAM"),
            currency=text_in(row, "CUR"),
            total=sign * total,
            tax=sign * (total - net),
            placed_on=day_in(row, "INVDAT"),
            billing_address=self._address(row, "BPI"),
            lines=tuple(
                _turned(line, sign)
                for line in (_invoice_line(one, number) for number, one in enumerate(_lines(row, INVOICES.lines[0]), 1))
            ),
            modified_at=self.parties.modified(row),
            raw=row,
        )

    def sales_order(self, row: Row) -> Order:
        """A row of `SORDER` with its lines."""
        refuse_faulty(row)
        total, net = amount_in(row, "ORDATI"), amount_in(row, "ORDNOT")
        # Closed, and nothing ever delivered or invoiced: X3 has no other sign.
        states = [text_in(row, name) for name in ("ORDSTA", "DLVSTA", "INVSTA")]
        closed, *further = (state.casefold() for state in states)
        cancelled = closed in _CLOSED and all(state in _NOTHING_YET for state in further)
        return Order(
            key=key_in(row, "SOHNUM"),
            number=text_in(row, "SOHNUM"),
            kind="order",
            status=states[0],
            customer_key=text_in(row, "BPCORD"),
            email=_first(row, "CONTACTCRM.CNTWEB", "CNTWEB"),
            name=_first(row, "BPCNAM"),
            currency=text_in(row, "CUR"),
            total=total,
            tax=total - net,
            placed_on=day_in(row, "ORDDAT"),
            cancelled_on=day_in(row, "ORDDAT") if cancelled else None,
            payment="cancelled" if cancelled else "",
            billing_address=self._address(row, "BPC"),
            lines=tuple(_order_line(one, number) for number, one in enumerate(_lines(row, SALES_ORDERS.lines[0]), 1)),
            modified_at=self.parties.modified(row),
            raw=row,
        )

    def _is_credit(self, row: Row, total: Decimal) -> bool:
        kinds = {first_text(row, field, f"SINVOICE.{field}").upper() for field in ("INVTYP", "SIVTYP")}
        if kinds & self.credit_types or any("CREDIT" in kind for kind in kinds):
            return True
        # An invoice of a return may be negative as a whole: the sign of its kind decides, where there is one.
        sign = first_text(row, "SNS", "SINVOICE.SNS")
        return sign.startswith("-") if sign else total < 0

    def _address(self, row: Row, prefix: str) -> Address:
        return postal_address(
            occurrences(row, f"{prefix}ADDLIG"),
            city=text_in(row, f"{prefix}CTY"),
            region=text_in(row, f"{prefix}SAT"),
            postal_code=text_in(row, f"{prefix}POSCOD"),
            country=self.parties.country(text_in(row, f"{prefix}CRY")),
        )


def _lines(row: Mapping[str, Any], name: str) -> list[Row]:
    """The lines under their usual name, else whatever rows with items there are: collections are named by each site."""
    found = row.get(name)
    for rows in (found, *row.values()):
        if isinstance(rows, list) and rows and all(isinstance(one, dict) and "ITMREF" in one for one in rows):
            return rows
    return []


def _first(row: Row, *names: str) -> str:
    texts = occurrences(row, *names)
    return texts[0].strip() if texts else ""


def _invoice_line(line: Row, number: int) -> OrderLine:
    quantity = amount_in(line, "QTY")
    amount = amount_in(line, "AMTNOTLIN") or quantity * amount_in(line, "NETPRI")
    return _line(line, "SIDLIN", number, quantity, amount)


def _order_line(line: Row, number: int) -> OrderLine:
    quantity = amount_in(line, "QTY")
    return _line(
        line, "SOPLIN", number, quantity, quantity * (amount_in(line, "NETPRINOT") or amount_in(line, "NETPRI"))
    )


def _line(line: Row, key: str, number: int, quantity: Decimal, amount: Decimal) -> OrderLine:
    price = amount_in(line, "GROPRI") or amount_in(line, "NETPRI")
    discount = max(ZERO, quantity * price - amount) if price else ZERO
    return OrderLine(
        key=text_in(line, key) or str(number),
        product_key=text_in(line, "ITMREF"),
        title=_first(line, "ITMDES") or text_in(line, "ITMREF"),
        quantity=quantity,
        unit_price=price,
        discount=discount,
        amount=amount,
    )


def _turned(line: OrderLine, sign: int) -> OrderLine:
    if sign > 0:
        return line
    return attrs.evolve(line, quantity=abs(line.quantity), discount=abs(line.discount), amount=-line.amount)
