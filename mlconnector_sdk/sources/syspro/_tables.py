"""The tables of a SYSPRO company database that are read, and how a question to one is put, whatever the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

import attrs

from ...models import StreamName
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._values import Row

__all__ = [
    "AP_SUPPLIER",
    "AP_SUPPLIER_ADDRESS",
    "AR_CUSTOMER",
    "AR_INVOICE",
    "AR_MULT_ADDRESS",
    "AR_TRN_DETAIL",
    "INV_MASTER",
    "SOR_CUSTOMER",
    "SOR_DETAIL",
    "SOR_MASTER",
    "SYSTEM",
    "Condition",
    "Connection",
    "Greeting",
    "Query",
    "Table",
    "Value",
    "form_of",
]

SYSTEM = "syspro"

Value: TypeAlias = str | int | Decimal | date | datetime
Operator: TypeAlias = Literal["eq", "gt", "ge", "le"]


@attrs.frozen(kw_only=True)
class Table:
    """A table as it is read.

    Attributes:
        key: its unique columns, in the order in which rows are asked for.
        needed: columns without which a row says nothing, or the wrong thing.
        welcome: columns that are left out where a site does not have or show them.
    """

    name: str
    key: tuple[str, ...]
    needed: tuple[str, ...] = ()
    welcome: tuple[str, ...] = ()

    def with_columns(self, *names: str) -> Table:
        """The same table with further columns that must be there."""
        new = tuple(name for name in dict.fromkeys(names) if name not in {*self.key, *self.needed})
        return attrs.evolve(self, needed=(*self.needed, *new), welcome=_without(self.welcome, new))

    def without(self, *names: str) -> Table:
        """The same table without some of its welcome columns."""
        return attrs.evolve(self, welcome=_without(self.welcome, names))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, the key first."""
        return tuple(dict.fromkeys((*self.key, *self.needed, *self.welcome)))


def _without(names: tuple[str, ...], gone: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in gone)


@attrs.frozen
class Condition:
    """`column operator value`."""

    column: str
    operator: Operator
    value: Value


@attrs.frozen(kw_only=True)
class Query:
    """One question: the first rows of a table that meet the conditions, in the order of its key.

    Conditions are met all together, or with `any_of` one of them; nothing ever needs a bracket, because how COMFND
    treats several brackets is not known.
    """

    table: Table
    conditions: tuple[Condition, ...] = ()
    any_of: bool = False
    rows: int


@attrs.frozen(kw_only=True)
class Greeting:
    """Something `check` tries before any table: `attempt` says what it found, `cure` serves errors without one."""

    what: str
    attempt: Callable[[RetryPolicy], str]
    cure: str = ""


class Connection(Protocol):
    """One company's tables through one of the APIs."""

    @property
    def address(self) -> str:
        """Where it is, for people; without secrets."""
        ...

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far."""
        ...

    @property
    def has_business_objects(self) -> bool:
        """Whether questions other than those to tables can be put."""
        ...

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes."""

    def session(self) -> AbstractContextManager[object]:
        """A context manager around all that is asked in one go."""
        ...

    def known_columns(self, table: str, *, retry: RetryPolicy | None = None) -> Mapping[str, str] | None:
        """Columns and their types where the API tells, else `None`."""
        ...

    def rows(self, query: Query, *, retry: RetryPolicy | None = None) -> list[Row]:
        """The rows."""
        ...

    def fits(self, query: Query) -> bool:
        """Whether the question is short enough to be sent."""
        ...

    def ask(self, business_object: str, xml: str, *, retry: RetryPolicy | None = None) -> bytes:
        """A business object's answer to a query, for APIs that have business objects."""
        ...

    def now(self, *, retry: RetryPolicy | None = None) -> datetime | None:
        """The server's clock, if it tells."""
        ...

    def greet(self) -> Iterator[Greeting]:
        """What `check` tries before any table."""
        ...

    def close(self) -> None:
        """Close connections; harmless when repeated."""


def _address(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{part}" for part in ("Addr1", "Addr2", "Addr3", "Addr3Loc", "Addr4", "Addr5"))


AR_CUSTOMER = Table(
    name="ArCustomer",
    key=("Customer",),
    needed=("Name", "Email", "CustomerOnHold", "CreditStatus"),
    welcome=(
        *("Contact", "Telephone", "Currency", "CustomerClass", "Branch", "Area", "Nationality", "LanguageCode"),
        *("IbtCustomer", "DateCustAdded", "DateLastSale", *_address("SoldTo"), "SoldPostalCode"),
    ),
)
AR_MULT_ADDRESS = Table(
    name="ArMultAddress",
    key=("Customer", "AddrCode"),
    welcome=("ShipToName", *_address("ShipTo"), "ShipPostalCode", "Nationality", "LanguageCode"),
)
AR_TRN_DETAIL = Table(
    # The number first, so that all lines of an invoice stand together, whatever registers they were posted in.
    name="ArTrnDetail",
    key=("Invoice", "TrnYear", "TrnMonth", "Register", "SummaryLine", "DetailLine"),
    needed=("InvoiceDate", "Customer", "DocumentType", "StockCode", "QtyInvoiced", "NetSalesValue", "TaxValue"),
    welcome=(
        *("DiscValue", "LineType", "InterBranchTrf", "SalesOrder", "CustomerPoNumber"),
        *("PostCurrency", "PostConvRate", "PostMulDiv"),
    ),
)
AR_INVOICE = Table(
    name="ArInvoice",
    key=("Invoice", "DocumentType", "Customer"),
    welcome=("InvoiceBal1", "CurrencyValue", "PostCurrency"),
)
SOR_MASTER = Table(
    name="SorMaster",
    key=("SalesOrder",),
    needed=("OrderStatus", "Customer", "OrderDate"),
    welcome=(
        *("CancelledFlag", "DocumentType", "CustomerPoNumber", "EntrySystemDate", "Currency", "CustomerName", "Email"),
        *("DiscPct1", "DiscPct2", "DiscPct3", "InterWhSale"),
        *("ShipAddress1", "ShipAddress2", "ShipAddress3", "ShipAddress3Loc", "ShipAddress4", "ShipAddress5"),
        "ShipPostalCode",
    ),
)
SOR_CUSTOMER = Table(name="SorMaster", key=("SalesOrder",), needed=("Email",), welcome=("CustomerName",))
SOR_DETAIL = Table(
    name="SorDetail",
    key=("SalesOrder", "SalesOrderLine"),
    needed=("LineType", "MStockCode", "MOrderQty", "MPrice", "NMscChargeValue"),
    welcome=(
        *("MStockDes", "MDiscPct1", "MDiscPct2", "MDiscPct3", "MDiscValFlag", "MDiscValue", "NComment"),
        *("NMscProductCls", "MOrderUom", "MPriceUom"),
    ),
)
INV_MASTER = Table(name="InvMaster", key=("StockCode",), needed=("Description",))
AP_SUPPLIER = Table(
    name="ApSupplier",
    key=("Supplier",),
    needed=("SupplierName", "Email"),
    welcome=(
        "Contact",
        "Telephone",
        "Currency",
        "SupplierClass",
        "OnHold",
        "Nationality",
        "LanguageCode",
        "LastPurchDate",
    ),
)
AP_SUPPLIER_ADDRESS = Table(
    name="ApSupplierAddr",
    key=("Supplier",),
    welcome=(*_address("Sup"), "SupPostalCode"),
)

_FORMS: Mapping[StreamName, tuple[Table, ...]] = {
    "customers": (Table(name="ArCustomer+", key=("Customer",)), Table(name="ArMultAddress+", key=AR_MULT_ADDRESS.key)),
    "suppliers": (Table(name="ApSupplier+", key=("Supplier",)), AP_SUPPLIER_ADDRESS),
    "orders": (Table(name="CusSorMaster+", key=("SalesOrder", "InvoiceNumber")), AR_INVOICE),
}


def form_of(stream: StreamName, name: str) -> Table | None:
    """The table that a name such as `ArCustomer+.OptIn` points to beside the stream's own."""
    return next((table for table in _FORMS.get(stream, ()) if table.name == name), None)
