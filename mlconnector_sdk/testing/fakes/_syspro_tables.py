"""Tables of a SYSPRO company database as this fake keeps them: columns, SQL types and keys.

A definition is a list of `Name:type`: `50` is varchar(50), `c2` char(2), `14.2` decimal(14,2), `d` datetime; a star
marks the columns of the key. Every table also has `TimeStamp`, SQL Server's rowversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

__all__ = ["CONTACT", "STAMP", "TABLES", "Column", "Kind", "Table", "column_of", "is_text"]

Kind: TypeAlias = Literal["varchar", "char", "decimal", "datetime", "timestamp", "bigint", "instant", "day"]
"""The SQL types, and those of a site's own change column: a counter, a moment and a day."""

STAMP = "TimeStamp"
CONTACT = "Contact"
"""The Contact Management System's records. Its table names are not known; business objects show them, or a view."""


@attrs.frozen
class Column:
    """One column: `size` is the length of a text or all digits of a number, `scale` the digits behind the point."""

    name: str
    kind: Kind
    size: int = 0
    scale: int = 0
    key: bool = False

    def stored(self, value: Any) -> Any:
        """The value as the database keeps it: texts in code page 1252 and cut to length, days as dates.

        What does not fit the type stays as it is, so that a test can make a malformed row.
        """
        if type(value) is str and self.kind in {"varchar", "char"}:
            text = value if value.isascii() else value.encode("cp1252", "replace").decode("cp1252")
            return text[: self.size]
        if self.kind == "datetime":
            return _as_day(value)
        if self.kind == "decimal" and type(value) in {int, float}:
            return Decimal(str(value))
        return value


def is_text(column: Column) -> bool:
    return column.kind in {"varchar", "char"}


def _as_day(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, str):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            return value
    return value


@attrs.frozen
class Table:
    """A table and its columns by name, in the database's order."""

    name: str
    columns: Mapping[str, Column]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(name for name, column in self.columns.items() if column.key)

    def with_columns(self, *more: Column) -> Table:
        """The same table with columns that the site added."""
        stamp = self.columns[STAMP]
        kept = {name: column for name, column in self.columns.items() if name != STAMP}
        return Table(self.name, {**kept, **{column.name: column for column in more}, STAMP: stamp})


def column_of(name: str, definition: str) -> Column:
    """A column from its short definition, for example `("OptIn", "c1")`."""
    key = definition.endswith("*")
    text = definition.rstrip("*")
    if text == "d":
        return Column(name, "datetime", key=key)
    if text.startswith("c"):
        return Column(name, "char", int(text[1:]), key=key)
    size, point, scale = text.partition(".")
    return Column(name, "decimal" if point else "varchar", int(size), int(scale or 0), key=key)


def _table(name: str, definition: str) -> Table:
    pairs = [part.split(":") for part in definition.split()]
    columns = {title: column_of(title, short) for title, short in pairs}
    return Table(name, {**columns, STAMP: Column(STAMP, "timestamp", 8)})


_ADDRESS = "{0}Addr1:40 {0}Addr2:40 {0}Addr3:40 {0}Addr3Loc:40 {0}Addr4:40 {0}Addr5:40"
_GPS = "{0}GpsLat:8.6 {0}GpsLong:9.6"

_CUSTOMER = f"""
Customer:15* Name:50 ShortName:20 ExemptFinChg:c1 MaintHistory:c1 CustomerType:c1 MasterAccount:15 StoreNumber:20
PrtMasterAdd:c1 CreditStatus:c1 CreditLimit:12.0 InvoiceCount:10.0 Salesperson:20 Salesperson1:20 Salesperson2:20
Salesperson3:20 PriceCode:10 CustomerClass:10 Branch:10 TermsCode:c2 InvDiscCode:10 BalanceType:c1 Area:10
LineDiscCode:10 TaxStatus:c1 TaxExemptNumber:30 SpecialInstrs:30 PriceCategoryTable:260 DateLastSale:d DateLastPay:d
OutstOrdVal:14.2 NumOutstOrd:10.0 Telephone:20 Contact:50 AddTelephone:20 Fax:20 Telex:10 TelephoneExtn:5 Currency:c3
UserField1:10 UserField2:14.2 GstExemptFlag:c1 GstExemptNum:15 GstLevel:c1 DetailMoveReqd:c1 InterfaceFlag:c1
ContractPrcReqd:c1 BuyingGroup1:10 BuyingGroup2:10 BuyingGroup3:10 BuyingGroup4:10 BuyingGroup5:10 StatementReqd:c1
BackOrdReqd:c1 ShippingInstrs:50 ShippingInstrsCod:6 StateCode:c3 DateCustAdded:d StockInterchange:c1
MaintLastPrcPaid:c1 IbtCustomer:c1 SoDefaultDoc:c2 CounterSlsOnly:c1 PaymentStatus:c1 Nationality:c3
HighestBalance:14.2 CustomerOnHold:c1 InvCommentCode:10 EdiSenderCode:40 RelOrdOsValue:14.2 EdiFlag:c1 SoDefaultType:c2
Email:255 ApplyOrdDisc:c1 ApplyLineDisc:c1 FaxInvoices:c1 FaxStatements:c1 HighInvDays:4.0 HighInv:20 DocFax:20
DocFaxContact:50 {_ADDRESS.format("SoldTo")} SoldPostalCode:10 {_GPS.format("SoldTo")} {_ADDRESS.format("ShipTo")}
ShipPostalCode:10 {_GPS.format("ShipTo")} State:c2 CountyZip:c5 City:c3 State1:c2 CountyZip1:c5 City1:c3
DefaultOrdType:c2 PoNumberMandatory:c1 CreditCheckFlag:c1 CompanyTaxNumber:15 DeliveryTerms:c3 TransactionNature:3.0
DeliveryTermsC:c3 TransactionNatureC:3.0 RouteCode:10 FaxQuotes:c1 RouteDistance:4.0 TpmCustomerFlag:c1
SalesWarehouse:10 TpmPricingFlag:c1 ArStatementNo:c2 TpmCreditCheck:c1 WholeOrderShipFlag:c1 MinimumOrderValue:10.0
MinimumOrderChgCod:6 UkVatFlag:c1 UkCurrency:c3 LanguageCode:c2 ShippingLocation:10 AltMethodFlag:c1 SalesAllowed:c1
UnappPayAllowed:c1 PaymentsAllowed:c1 QuotesAllowed:c1 CrNotesAllowed:c1 DrNotesAllowed:c1 QueryAllowed:c1
"""
_MULTIPLE = f"""
Customer:15* AddrCode:5* ShipToName:50 {_ADDRESS.format("ShipTo")} ShipPostalCode:10 {_GPS.format("ShipTo")} Area:10
State:c2 CountyZip:c5 City:c3 RouteCode:10 RouteDistance:4.0 Nationality:c3 GeographicArea:10 TaxRegnNum:20
LanguageCode:c2 ShippingLocation:10 DeliveryTerms:c3
"""
_INVOICE = """
Customer:15* Invoice:20* DocumentType:c1* NextPaymEntry:10.0 InvoiceDate:d SalesOrder:20 CustomerPoNumber:30
Salesperson:20 Branch:10 Area:10 TermsCode:c2 OrigDiscValue:14.2 InvoiceBal1:14.2 InvoiceBal2:14.2 InvoiceBal3:14.2
InvoiceYear:4.0 InvoiceMonth:2.0 YearInvBalZero:4.0 MonthInvBalZero:2.0 LastDelNote:20 StoreNumber:20
ProofOfDelivery:c1 PodEntryDate:d PodReference:30 CurrencyValue:14.2 PostCurrency:c3 ConvRate:12.6 MulDiv:c1
AccountCur:c3 AccConvRate:12.6 AccMulDiv:c1 TaxStatus:c1 TaxPortion:14.2 FixExchangeRate:c1 TaxCode:c3 DiscBal:14.2
OrigInvRate:12.6
"""
_TRANSACTION = """
TrnYear:4.0* TrnMonth:2.0* Register:10.0* Invoice:20* SummaryLine:10.0* DetailLine:10.0* InvoiceDate:d Branch:10
Salesperson:20 Customer:15 OrderType:c2 InterBranchTrf:c1 StockCode:30 Warehouse:10 Area:10 ProductClass:20 TaxCode:c3
TaxStatus:c1 HistoryReqd:c1 CustomerClass:10 QtyInvoiced:18.6 Mass:18.6 Volume:18.6 NetSalesValue:14.2 TaxValue:14.2
CostValue:14.2 DiscValue:14.2 LineType:c1 PriceCode:10 DocumentType:c1 GlYear:4.0 GlPeriod:2.0 TaxCodeFst:c3
TaxValueFst:14.2 SalesOrder:20 ContractPrcNum:20 Bin:20 LineInvoiceDisc:14.2 TaxableValue:14.2 CustomerPoNumber:30
BuyingGroup:10 PostValue:14.2 PostCurrency:c3 PostConvRate:12.6 PostMulDiv:c1 AccountCur:c3 Version:c5 Release:c5
Nationality:c3 SalesOrderLine:4.0
"""
_ORDER = """
SalesOrder:20* NextDetailLine:4.0 OrderStatus:c1 ActiveFlag:c1 CancelledFlag:c1 DocumentType:c1 Customer:15
Salesperson:20 CustomerPoNumber:30 OrderDate:d EntrySystemDate:d ReqShipDate:d DateLastDocPrt:d ShippingInstrs:50
ShippingInstrsCod:6 AltShipAddrFlag:c1 InvoiceCount:2.0 InvTermsOverride:c2 CreditAuthority:c3 Branch:10
SpecialInstrs:30 EntInvoice:20 EntInvoiceDate:d DiscPct1:5.2 DiscPct2:5.2 DiscPct3:5.2 OrderType:c2 TaxExemptFlag:c1
Area:10 Warehouse:10 LastInvoice:20 IbtFlag:c1 FixExchangeRate:c1 ExchangeRate:12.6 MulDiv:c1 Currency:c3
CreditedInvDate:d CounterSalesFlag:c1 Nationality:c3 AlternateKey:10 LastOperator:20 Operator:20 CaptureHh:2.0
CaptureMm:2.0 DateLastInvPrt:d InterWhSale:c1 CustomerName:50 ShipAddress1:40 ShipAddress2:40 ShipAddress3:40
ShipAddress3Loc:40 ShipAddress4:40 ShipAddress5:40 ShipPostalCode:10 MultiShipCode:5 WebCreated:c1 Quote:20 Email:255
CompanyTaxNo:15 DetailStatus:c1 SalesOrderSource:6 SalesOrderSrcDesc:50 LanguageCode:c2
"""
_ORDER_LINE = """
SalesOrder:20* SalesOrderLine:4.0* LineType:c1 MStockCode:30 MStockDes:50 MWarehouse:10 MBin:20 MOrderQty:18.6
MShipQty:18.6 MBackOrderQty:18.6 MUnitCost:15.5 MOrderUom:10 MPrice:15.5 MPriceUom:10 MDiscPct1:5.2 MDiscPct2:5.2
MDiscPct3:5.2 MDiscValFlag:c1 MDiscValue:14.2 MProductClass:20 MTaxCode:c3 MLineShipDate:d MCustRequestDat:d
QtyReserved:18.6 NComment:100 NMscChargeValue:14.2 NMscProductCls:20 NMscTaxCode:c3 SalesOrderInitLine:4.0
"""
_STOCK = """
StockCode:30* Description:50 LongDesc:100 AlternateKey1:20 AlternateKey2:20 StockUom:10 AlternateUom:10 Mass:18.6
Volume:18.6 Decimals:1.0 PriceCategory:c1 PriceMethod:c1 Supplier:15 ProductClass:20 TaxCode:c3 ListPriceCode:10
KitType:c1 PartCategory:c1 WarehouseToUse:10 StockOnHold:c1 StockOnHoldReason:6 SalesOnHold:c1 ProductGroup:10
UserField1:30 DateStkAdded:d
"""
# Suppliers: names and lengths after public introspections of real databases.
_SUPPLIER = """
Supplier:15* SupplierName:50 SupShortName:20 SupplierType:c1 SupplierClass:10 Bank:15 Branch:10 Telephone:20 Fax:20
Contact:50 Area:10 Email:255 FaxContact:50 UserField1:15 UserField2:c1 Currency:c3 CurrentBalance:14.2
LastPurchDate:d FirstPurchDate:d TermsCode:c2 MerchGlCode:35 PurchOrdAllowed:c1 MinPoVal:14.2 Nationality:c3
TaxRegnNum:20 DateSuppAdded:d OnHold:c1 RemitEmail:255 VoucherEmail:255 LanguageCode:c2
"""
_SUPPLIER_ADDRESS = f"""
Supplier:15* {_ADDRESS.format("Sup")} SupPostalCode:10 {_GPS.format("SupAdd")} RemitName:50 {_ADDRESS.format("Remit")}
RemitPostalCode:10 {_GPS.format("Remit")} FaxRemitContact:50 ShippingInstrs:50 LanguageCode:c2 LanguageCodeRem:c2
"""
_JOURNAL = "Customer:15* JnlDate:d* JnlTime:8.0* OperatorCode:20 ChangeFlag:c1 ColumnName:50* Before:255 After:255"
_PERSON = """
Contact:15* FullName:50 Title:10 FirstName:50 MiddleName:50 LastName:50 JobTitle:50 Department:50 ContactClass:10
ContactType:10 ContactCategory:10 ContactStatus:c1 Customer:15 Supplier:15 Telephone:20 Email:255 DoNotPhone:c1
DoNotEmail:c1 DoNotBulkEmail:c1 DoNotPost:c1 PreferredLanguage:2 CreatedDate:d LastChangedDate:d LastChangedTime:8.0
LastContactDate:d
"""

TABLES: Mapping[str, Table] = {
    name: _table(name, definition)
    for name, definition in (
        ("ArCustomer", _CUSTOMER),
        ("ArCustomer+", "Customer:15*"),
        ("ArMultAddress", _MULTIPLE),
        ("ArMultAddress+", "Customer:15* AddrCode:5*"),
        ("ArInvoice", _INVOICE),
        ("ArTrnDetail", _TRANSACTION),
        ("SorMaster", _ORDER),
        ("SorDetail", _ORDER_LINE),
        ("CusSorMaster+", "SalesOrder:20* InvoiceNumber:20*"),
        ("InvMaster", _STOCK),
        ("InvPrice", "StockCode:30* PriceCode:10* SellingPrice:15.5"),
        ("ApSupplier", _SUPPLIER),
        ("ApSupplier+", "Supplier:15*"),
        ("ApSupplierAddr", _SUPPLIER_ADDRESS),
        ("ArAmendmentJnl", _JOURNAL),
        (CONTACT, _PERSON),
    )
}
