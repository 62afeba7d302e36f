"""Which lists there are, and which business objects of Sage 100 stand behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

__all__ = ["COMPANY_OBJECT", "CUSTOMERS", "RESOURCES", "STAMP_COLUMNS", "Key", "Lines", "Resource"]

Key: TypeAlias = tuple[str, ...]
"""The parts of a record's key, without padding: `("01", "ABF")`."""

STAMP_COLUMNS = ("DateCreated", "TimeCreated", "UserCreatedKey", "DateUpdated", "TimeUpdated", "UserUpdatedKey")
"""Who created and changed a record, and when; always part of a record where its table has them."""

COMPANY_OBJECT = "SY_Company_svc"


@attrs.frozen(kw_only=True)
class Lines:
    """Where the detail rows of a document come from.

    Attributes:
        key: the key columns of a row; the first ones are the document's key.
        object: the business object of the rows, which finds them by the beginning of their key.
        parent: without such an object, the object of documents whose `oLines` has the rows.
    """

    table: str
    key: tuple[str, ...]
    object: str | None = None
    parent: str | None = None


@attrs.frozen(kw_only=True)
class Resource:
    """One list.

    Attributes:
        path: its name in the address.
        table: the name of the Sage 100 table.
        key: the key columns in their order; all of them are text.
        widths: how long each key column is in the file, which pads keys to their widths; needed where lines are
            found by the beginning of their key.
        object: the object that reads. A `_svc` object takes no locks. History is read through the inquiry objects,
            which are the ones seen in use.
        task: the menu task whose rights count; it also names the program in Sage 100's audit.
        module: the module the session works in meanwhile.
        editor: the object that changes records, where the agent offers that.
    """

    path: str
    table: str
    key: tuple[str, ...]
    object: str
    task: str
    module: str
    widths: tuple[int, ...] = ()
    lines: Lines | None = None
    editor: str | None = None

    def named(self, key: Key) -> dict[str, str]:
        """A key with the names of its columns."""
        return dict(zip(self.key, key, strict=True))


def _resource(
    path: str,
    table: str,
    key: str,
    obj: str,
    module: Literal["A/R", "A/P", "S/O", "C/I", "G/L"],
    *,
    task: str = "",
    widths: tuple[int, ...] = (),
    lines: Lines | None = None,
    editor: str | None = None,
) -> Resource:
    task = task or f"{obj.rpartition('_')[0]}_ui"
    return Resource(
        path=path,
        table=table,
        key=tuple(key.split()),
        object=obj,
        task=task,
        module=module,
        widths=widths,
        lines=lines,
        editor=editor,
    )


RESOURCES: Mapping[str, Resource] = {
    resource.path: resource
    for resource in (
        _resource(
            "customers", "AR_Customer", "ARDivisionNo CustomerNo", "AR_Customer_svc", "A/R", editor="AR_Customer_bus"
        ),
        _resource(
            "customer-contacts",
            "AR_CustomerContact",
            "ARDivisionNo CustomerNo ContactCode",
            "AR_CustomerContact_svc",
            "A/R",
        ),
        # Vendors and ledger accounts follow the naming of the others; no source shows them in use.
        _resource("vendors", "AP_Vendor", "APDivisionNo VendorNo", "AP_Vendor_svc", "A/P"),
        # The object is called after ItemCode, its table is not.
        _resource("items", "CI_Item", "ItemCode", "CI_ItemCode_svc", "C/I"),
        _resource(
            "sales-orders",
            "SO_SalesOrderHeader",
            "SalesOrderNo",
            "SO_SalesOrder_svc",
            "S/O",
            # Only the maintenance object has lines. It takes a document on SetKey alone, and reading does without that.
            lines=Lines(table="SO_SalesOrderDetail", key=("SalesOrderNo", "LineKey"), parent="SO_SalesOrder_bus"),
        ),
        _resource(
            "sales-order-history",
            "SO_SalesOrderHistoryHeader",
            "SalesOrderNo",
            "SO_SalesOrderHistoryInquiry_bus",
            "S/O",
            widths=(7,),
            lines=Lines(
                table="SO_SalesOrderHistoryDetail",
                key=("SalesOrderNo", "SequenceNo"),
                object="SO_SalesOrderHistoryInquiryDetail_bus",
            ),
        ),
        _resource(
            "invoice-history",
            "AR_InvoiceHistoryHeader",
            "InvoiceNo HeaderSeqNo",
            "AR_InvoiceHistoryInquiry_bus",
            "A/R",
            widths=(7, 6),
            lines=Lines(
                table="AR_InvoiceHistoryDetail",
                key=("InvoiceNo", "HeaderSeqNo", "DetailSeqNo"),
                object="AR_InvoiceHistoryInquiryDetail_bus",
            ),
        ),
        _resource("gl-accounts", "GL_Account", "AccountKey", "GL_Account_svc", "G/L"),
    )
}
"""Every list by its name in the address."""

CUSTOMERS = RESOURCES["customers"]
