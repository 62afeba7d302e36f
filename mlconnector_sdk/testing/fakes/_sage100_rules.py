"""What Sage 100 refuses to have in a column, whichever way a value comes in, and its words for it."""

from __future__ import annotations

import re
from typing import Any

from ._sage100_site import Company
from ._sage100_tables import CREATED, UPDATED, Column

__all__ = ["SageRefusal", "business_object", "check_value", "label_of"]

_OBJECTS = {"SO_SalesOrderHeader": "SO_SalesOrder_bus", "CI_Item": "CI_ItemCode_bus"}
_LABELS = {"ZipCode": "ZIP Code", "URLAddress": "URL Address", "EmailAddress": "Email Address"}
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]+|[A-Z]+|\d+")

_POSTED = {
    "AR_Customer": """CurrentBalance AgingCategory1 AgingCategory2 AgingCategory3 AgingCategory4 BalanceForward
        OpenOrderAmt RetentionCurrent RetentionAging1 RetentionAging2 RetentionAging3 RetentionAging4 UnpaidServiceChrg
        HighestStmntBalance LastPaymentAmt AvgDaysPaymentInvoice AvgDaysOverDue DateLastActivity DateLastPayment
        DateLastStatement DateLastFinanceChrg DateLastAging CreditCardGUID PIIEncryptedDate EncryptedVals""",
    "SO_SalesOrderHeader": """TaxableAmt NonTaxableAmt TaxableSubjectToDiscount NonTaxableSubjectToDiscount
        LastInvoiceOrderNo LastInvoiceOrderDate CurrentInvoiceNo LotSerialLinesExist""",
    "SO_SalesOrderDetail": "LineWeight ExtensionAmt SOHistoryDetlSeqNo LineSeqNo QuantityBackordered",
}
"""Columns that programs fill in by themselves."""

_READ_ONLY = {table: frozenset([*names.split(), *CREATED, *UPDATED]) for table, names in _POSTED.items()}
_STAMPS_ONLY = frozenset([*CREATED, *UPDATED])


class SageRefusal(Exception):
    """A value that is not taken: `code` as the web service names the reason, blank where no code is known."""

    def __init__(self, code: str, reason: str, column: Column | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.column = column


def business_object(table: str) -> str:
    """The object that maintains a table."""
    return _OBJECTS.get(table, f"{table}_bus")


def label_of(column: str) -> str:
    """A column's name as messages write it: `The Default Payment Type …`."""
    return _LABELS.get(column) or " ".join(_WORDS.findall(column.removeprefix("UDF_"))) or column


def check_value(company: Company, table: str, column: Column, value: Any) -> None:
    """Refuse what the column's program does not take.

    Raises:
        SageRefusal: read-only, too long, none of the choices, or not on file in a validation table.
    """
    label = label_of(column.name)
    if column.name in _READ_ONLY.get(table, _STAMPS_ONLY):
        raise SageRefusal("", f"The {label} is read only.", column)
    if not isinstance(value, str) or column.kind != "text":
        return
    if column.width and len(value) > column.width:
        raise SageRefusal("CI_CharLength", f"The {label} is greater than {column.width} character(s).", column)
    if column.choices and value not in column.choices:
        raise SageRefusal("", f"The {label} failed validation on {','.join(column.choices)}.", column)
    known = company.codes.get(column.name)
    if value and known is not None and value not in known:
        raise SageRefusal("CI_NOF", f"The {label} is not on file.", column)
