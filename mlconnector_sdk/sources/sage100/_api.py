"""What `Sage100` needs of an API, in one vocabulary: the tables of Sage 100, their columns without `$`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from ...errors import MappingError
from ...models import CheckResult, StreamName
from ...network import Network
from ...retry import RetryPolicy
from .. import _base
from .._values import Row
from ._stamps import Stamp

__all__ = [
    "CUSTOMER",
    "CUSTOMER_CONTACT",
    "GL_ACCOUNT",
    "INVOICE_HISTORY",
    "LINES",
    "ORDER_HISTORY",
    "SALES_ORDER",
    "SYSTEM",
    "UNREAD",
    "VENDOR",
    "Api",
    "Connection",
    "Key",
    "KnownKeys",
    "Table",
]

SYSTEM = "sage100"

_DASH = "-"
_DIVISION_WIDTH = 2

LINES = "Lines"
"""Where the row of a document keeps the rows of its lines."""

UNREAD = "_unread"
"""In the place of a row that an API could not give: reason and message. Beside it stand the columns of its key."""

Key: TypeAlias = tuple[str, ...]
"""The parts of a row's key, as they stand in its columns: never padded, never stripped of zeros."""

KnownKeys: TypeAlias = Callable[[StreamName], Iterator[str]]
"""The keys of a stream's records that are known from earlier runs, as records bear them."""


@attrs.frozen(kw_only=True)
class Table:
    """A table of Sage 100 as it is read.

    Attributes:
        key: the columns that tell its rows apart.
        separators: what stands between the parts of a key when it is written as one text.
        columns: what we read besides key and stamps; a release may lack some of them.
        needed: columns of the site's own (UDFs) that must be there.
        lines: the table of a document's lines. `line_columns`: what we read of them.
    """

    name: str
    key: tuple[str, ...]
    separators: str = ""
    columns: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    lines: str = ""
    line_columns: tuple[str, ...] = ()
    _pattern: str = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda self: "%s".join(("", *self.separators, "")), takes_self=True),
    )

    def with_columns(self, *names: str) -> Table:
        """The same table with further columns that must be there."""
        return attrs.evolve(self, needed=tuple(dict.fromkeys((*self.needed, *names))))

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """The parts of a row's key; those that are missing are empty."""
        return tuple(str(row.get(name) or "").strip(" \0") for name in self.key)

    def key_in(self, row: Mapping[str, Any]) -> str:
        """A row's key as one text.

        Raises:
            MappingError: a part of it is missing, or the row could not be had.
        """
        if UNREAD in row:
            reason, message = row[UNREAD]
            raise MappingError(message, reason=reason)
        key = self.key_of(row)
        if "" in key:
            raise MappingError(f"{self.key[key.index('')]}: missing", reason="no_key")
        return self.text_of(key)

    def text_of(self, key: Key) -> str:
        """A key as one text: `01-ABF`, `01-ABF/A. BUYER`, `0100063/000001`."""
        return self._pattern % key

    def parts_of(self, text: str) -> Key | None:
        """The parts of such a text; `None` when it is no key of this table.

        A division is always two characters, and only the dash behind it separates: numbers may have dashes of their
        own, and codes of contacts slashes.
        """
        parts: list[str] = []
        for separator in self.separators:
            at = text.find(separator) if separator != _DASH else _DIVISION_WIDTH
            if at < 0 or text[at : at + 1] != separator:
                return None
            parts.append(text[:at])
            text = text[at + 1 :]
        return (*parts, text) if text and all(parts) else None


_BILL_TO = (
    *("BillToName", "BillToAddress1", "BillToAddress2", "BillToAddress3"),
    *("BillToCity", "BillToState", "BillToZipCode", "BillToCountryCode"),
)
_ADDRESS = ("AddressLine1", "AddressLine2", "AddressLine3", "City", "State", "ZipCode", "CountryCode")

_ITEM = ("ItemCode", "ItemType", "ItemCodeDesc", "CommentText", "UnitOfMeasure")

CUSTOMER = Table(
    name="AR_Customer",
    key=("ARDivisionNo", "CustomerNo"),
    separators=_DASH,
    columns=(
        *("CustomerName", *_ADDRESS, "TelephoneNo", "TelephoneExt", "EmailAddress", "URLAddress", "ContactCode"),
        *("CustomerStatus", "InactiveReasonCode", "CustomerType", "SortField", "PriceLevel", "CreditHold"),
        *("SalespersonDivisionNo", "SalespersonNo", "TermsCode", "DateEstablished", "DateLastActivity"),
        "PIIEncryptedDate",
    ),
)
CUSTOMER_CONTACT = Table(
    name="AR_CustomerContact",
    key=("ARDivisionNo", "CustomerNo", "ContactCode"),
    separators=_DASH + "/",
    columns=(
        *("ContactName", "ContactTitle", "Salutation", *_ADDRESS, "TelephoneNo1", "TelephoneExt1", "EmailAddress"),
        "EncryptedVals",
    ),
)
VENDOR = Table(
    name="AP_Vendor",
    key=("APDivisionNo", "VendorNo"),
    separators=_DASH,
    columns=(
        *("VendorName", *_ADDRESS, "TelephoneNo", "TelephoneExt", "EmailAddress", "URLAddress", "VendorType"),
        *("VendorStatus", "HoldPayment", "DateLastActivity"),
    ),
)
SALES_ORDER = Table(
    name="SO_SalesOrderHeader",
    key=("SalesOrderNo",),
    lines="SO_SalesOrderDetail",
    line_columns=("LineKey", *_ITEM, "QuantityOrdered", "UnitPrice", "ExtensionAmt"),
    columns=(
        *("OrderDate", "OrderType", "OrderStatus", "ARDivisionNo", "CustomerNo", *_BILL_TO, "CustomerPONo"),
        *("EmailAddress", "TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt", "DiscountAmt", "DepositAmt"),
        *("LastInvoiceOrderNo", "CurrentInvoiceNo", "CancelReasonCode"),
    ),
)
ORDER_HISTORY = Table(
    name="SO_SalesOrderHistoryHeader",
    key=("SalesOrderNo",),
    lines="SO_SalesOrderHistoryDetail",
    line_columns=(
        *("SequenceNo", *_ITEM, "QuantityOrderedOriginal", "QuantityOrderedRevised", "OriginalUnitPrice"),
        *("LastUnitPrice", "LastExtensionAmt", "CancelledLine"),
    ),
    columns=(
        *("OrderDate", "OrderStatus", "MasterRepeatingOrderNo", "ARDivisionNo", "CustomerNo", *_BILL_TO),
        *("CustomerPONo", "EmailAddress", "TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt", "DiscountAmt"),
        *("DepositAmt", "InvoicedAmt", "LastInvoiceNo", "LastInvoiceDate", "CancelReasonCode", "EncryptedVals"),
    ),
)
INVOICE_HISTORY = Table(
    name="AR_InvoiceHistoryHeader",
    key=("InvoiceNo", "HeaderSeqNo"),
    separators="/",
    lines="AR_InvoiceHistoryDetail",
    line_columns=("DetailSeqNo", *_ITEM, "QuantityShipped", "UnitPrice", "ExtensionAmt"),
    columns=(
        *("ModuleCode", "InvoiceType", "InvoiceDate", "TransactionDate", "ARDivisionNo", "CustomerNo", *_BILL_TO),
        *("SalesOrderNo", "OrderDate", "CustomerPONo", "ApplyToInvoiceNo", "EmailAddress", "TaxableSalesAmt"),
        *("NonTaxableSalesAmt", "FreightAmt", "SalesTaxAmt", "DiscountAmt", "EncryptedVals"),
    ),
)
GL_ACCOUNT = Table(name="GL_Account", key=("AccountKey",), columns=("Account", "RawAccount", "FormattedAccount"))


class Connection(_base.Connection, Protocol):
    """One company of Sage 100 through one of the APIs.

    Rows are plain: texts without padding (blanks and NUL), dates as `YYYYMMDD`, times as decimal hours in text, blanks
    as `""`, amounts as `Decimal`, columns named as in the tables and without `$`. UDFs are columns like others.
    """

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables that this API can read."""
        ...

    def now(self, *, retry: RetryPolicy | None = None) -> datetime | None:
        """The clock of the server, aware UTC, if it tells."""
        ...

    def greet(self) -> Iterator[CheckResult]:
        """What `check` tries before any table, a row each; nothing more is tried after one that is not ok."""
        ...

    def remarks(self) -> Iterator[CheckResult]:
        """What `check` says at last: what this API cannot see."""
        ...

    def pages(self, table: Table, since: Stamp | None) -> Iterator[list[Row]]:
        """Every row changed at `since` or later, or all of them, with their lines; each at least once."""
        ...

    def of(self, table: Table, keys: Sequence[Key]) -> Iterator[list[Row]]:
        """The rows with these keys as they are now; those that are gone are absent."""
        ...

    def try_out(self, table: Table, retry: RetryPolicy) -> str:
        """Read a row at most, to see whether that works; says what was found."""
        ...

    def set_column(self, customer: Key, column: str, value: str) -> bool:
        """Write one column of a customer, unless it holds the value already; says whether it was written.

        A change by somebody else between reading and writing is never written over.

        Raises:
            RecordNotFoundError: there is no such customer any more.
            RecordRejectedError: Sage 100 refuses to write this customer.
            ConfigurationError: the column is unknown, or must not be written.
            TransientError: somebody has the customer open, or it keeps changing.
        """
        ...

    def attach_keys(self, known: KnownKeys) -> None:
        """Take note of what tells the known keys; for APIs that cannot list, and nothing to others."""


class Api(Protocol):
    """Where and as whom to reach Sage 100: what callers construct."""

    @property
    def network(self) -> Network:
        """Whom to trust on the way, and how much of an answer is read."""
        ...

    def connect(self, *, company: str, zone: ZoneInfo, retry: RetryPolicy) -> Connection:
        """The live connection to one company; nothing is sent yet."""
        ...
