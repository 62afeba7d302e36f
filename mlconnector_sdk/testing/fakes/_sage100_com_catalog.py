"""Business objects, the tables behind them, and the tasks and modules under which they may be had.

The names do not follow from the tables: items are `CI_ItemCode`, and history is read through inquiry objects. Those of
vendors and accounts are made by the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["INDEXES", "MODULES", "NUMBERS", "OBJECTS", "TASKS", "BusinessObject"]

MODULES = frozenset({"A/R", "S/O", "C/I", "G/L", "A/P"})


@attrs.frozen
class BusinessObject:
    """One name `NewObject` takes.

    Attributes:
        edits: it maintains records, and takes them for that; others only read.
        lines: the table behind `oLines`.
        bus: it needs the session to stand in its module and program; a service needs any module.
    """

    name: str
    table: str
    task: str = ""
    module: str = ""
    edits: bool = False
    lines: str | None = None

    @property
    def bus(self) -> bool:
        return self.name.endswith("_bus")


def _family(
    name: str, table: str, module: str, *, task: str = "", kinds: str = "svc bus", lines: str | None = None
) -> list[BusinessObject]:
    """The objects of one name; `bus*` is one that only reads."""
    screen = task or f"{name}_ui"
    found = []
    for kind in kinds.split():
        ending, bus = kind.rstrip("*"), kind.startswith("bus")
        entry = BusinessObject(f"{name}_{ending}", table, screen, module, edits=kind == "bus")
        found.append(attrs.evolve(entry, lines=lines if bus else None))
    return found


_SALES_HISTORY, _INVOICE_HISTORY = "SO_SalesOrderHistoryInquiry", "AR_InvoiceHistoryInquiry"

OBJECTS: Mapping[str, BusinessObject] = {
    entry.name: entry
    for entry in [
        *_family("AR_Customer", "AR_Customer", "A/R"),
        *_family("AR_CustomerContact", "AR_CustomerContact", "A/R"),
        *_family("SO_SalesOrder", "SO_SalesOrderHeader", "S/O", lines="SO_SalesOrderDetail"),
        *_family(_SALES_HISTORY, "SO_SalesOrderHistoryHeader", "S/O", kinds="bus*", lines="SO_SalesOrderHistoryDetail"),
        *_family(
            f"{_SALES_HISTORY}Detail",
            "SO_SalesOrderHistoryDetail",
            "S/O",
            task=f"{_SALES_HISTORY}_ui",
            kinds="bus*",
        ),
        *_family("SO_SalesOrderHistory", "SO_SalesOrderHistoryHeader", "S/O", task=f"{_SALES_HISTORY}_ui", kinds="svc"),
        *_family(_INVOICE_HISTORY, "AR_InvoiceHistoryHeader", "A/R", kinds="svc bus*", lines="AR_InvoiceHistoryDetail"),
        *_family(
            f"{_INVOICE_HISTORY}Detail", "AR_InvoiceHistoryDetail", "A/R", task=f"{_INVOICE_HISTORY}_ui", kinds="bus*"
        ),
        *_family("CI_ItemCode", "CI_Item", "C/I"),
        *_family("AP_Vendor", "AP_Vendor", "A/P"),
        *_family("GL_Account", "GL_Account", "G/L", kinds="svc"),
        BusinessObject("SY_Company_svc", "SY_Company"),
    ]
}
"""By name."""

TASKS: Mapping[str, int] = {
    task: number for number, task in enumerate(sorted({entry.task for entry in OBJECTS.values()} - {""}), start=1)
}
"""What `nLookupTask` answers; the numbers mean nothing outside."""

INDEXES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "AR_Customer": {
        "KCUSTOMERNO": ("CustomerNo",),
        "KCUSTOMERNAME": ("CustomerName",),
    },
}
"""Index names tried in the field, by table, and what they sort by before the key; full lists are not known."""

NUMBERS: Mapping[str, str] = {"AR_Customer_bus": "nGetNextCustomerNo", "SO_SalesOrder_bus": "nGetNextSalesOrderNo"}
"""The method that hands out the next number, by object."""
