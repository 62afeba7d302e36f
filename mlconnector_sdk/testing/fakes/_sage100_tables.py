"""Tables of a Sage 100 company: columns, widths and keys.

A definition is a list of `Name:type`: `20` is text of up to 20 characters, `t` text without limit, `13.2` a number of
13 digits, two of them behind the point, `d` a date, `Y/N` one of these letters; a star marks the columns of the key.
There are no nulls: a column that was never set holds blanks or zero. Lengths are those of releases from about 2022 on.

`AP_Vendor`, `GL_Account` and `SY_Company` follow the naming of their neighbours; their complete layouts are not
established.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

import attrs

__all__ = ["CREATED", "LAYOUTS", "SYSTEM_TABLES", "UPDATED", "Column", "Kind", "Layout", "column_of"]

Kind: TypeAlias = Literal["text", "number", "date"]

CREATED = ("DateCreated", "TimeCreated", "UserCreatedKey")
UPDATED = ("DateUpdated", "TimeUpdated", "UserUpdatedKey")

SYSTEM_TABLES = ("SY_Company", "SY_User")
"""Tables of the system database, which all companies share."""


@attrs.frozen
class Column:
    """One column: `width` is the length of a text (0 is without limit) or all digits of a number.

    A date is a text of eight digits, `YYYYMMDD`, or blank. `choices` are the only values a program takes, if any.
    """

    name: str
    kind: Kind
    width: int = 0
    scale: int = 0
    choices: tuple[str, ...] = ()

    @property
    def blank(self) -> str | Decimal:
        """What the column holds that nobody has filled in."""
        return _ZERO if self.kind == "number" else ""

    @property
    def addressed(self) -> str:
        """The name as business objects want it: texts and dates with a dollar sign."""
        return self.name if self.kind == "number" else f"{self.name}$"

    def stored(self, value: Any) -> Any:
        """The value as the file keeps it: texts in code page 1252 and cut to width, numbers to their scale.

        What does not fit the kind stays as it is, so that a test can make a malformed row.
        """
        if value is None:
            return self.blank
        if self.kind == "number":
            return self._number(value)
        if isinstance(value, date):
            return f"{value:%Y%m%d}"
        text = value if isinstance(value, str) else str(value)
        text = text if text.isascii() else text.encode("cp1252", "replace").decode("cp1252")
        return text[: self.width] if self.kind == "text" and self.width else text

    def _number(self, value: Any) -> Any:
        try:
            return Decimal(str(value)).quantize(Decimal(1).scaleb(-self.scale))
        except InvalidOperation:
            return value


_ZERO = Decimal(0)


@attrs.frozen
class Layout:
    """A table's columns in the file's order, and the names of its key columns. `stamped` tables have the six stamps."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]

    @property
    def stamped(self) -> bool:
        return CREATED[0] in self.columns

    def with_columns(self, *more: Column) -> Layout:
        """The same table with columns that the site added."""
        return attrs.evolve(self, columns={**self.columns, **{column.name: column for column in more}})


def column_of(name: str, definition: str) -> Column:
    """A column from its short definition, for example `("UDF_DO_NOT_EMAIL", "1")`."""
    if definition == "d":
        return Column(name, "date", 8)
    if definition == "t":
        return Column(name, "text")
    if "/" in definition:
        return Column(name, "text", 1, choices=tuple(definition.split("/")))
    size, point, scale = definition.partition(".")
    return Column(name, "number" if point else "text", int(size), int(scale or 0))


def _layout(name: str, definition: str, *, stamped: bool = True) -> Layout:
    parts = [part.partition(":") for part in f"{definition} {_STAMPS if stamped else ''}".split()]
    columns = {title: column_of(title, kind.rstrip("*")) for title, _, kind in parts}
    return Layout(name, columns, tuple(title for title, _, kind in parts if kind.endswith("*")))


_STAMPS = "DateCreated:d TimeCreated:8 UserCreatedKey:10 DateUpdated:d TimeUpdated:8 UserUpdatedKey:10"

_CUSTOMER = """
ARDivisionNo:2* CustomerNo:20* CustomerName:50 AddressLine1:40 AddressLine2:40 AddressLine3:40 City:30 State:2
ZipCode:10 CountryCode:3 TelephoneNo:20 TelephoneExt:6 FaxNo:20 EmailAddress:250 URLAddress:50 EBMEnabled:Y/N
EBMConsumerUserID:15 BatchFax:Y/N DefaultCreditCardPmtType:5 ContactCode:10 ShipMethod:15 TaxSchedule:9 TaxExemptNo:15
TermsCode:2 SalespersonDivisionNo:2 SalespersonNo:4 Comment:30 SortField:10 TemporaryCustomer:Y/N OpenItemCustomer:Y/N
ResidentialAddress:Y/N StatementCycle:1 PrintDunningMessage:1 CustomerType:4 PriceLevel:1 DateLastActivity:d
DateLastPayment:d DateLastStatement:d DateLastFinanceChrg:d DateLastAging:d DefaultItemCode:30 CreditHold:Y/N
PrimaryShipToCode:4 DateEstablished:d DefaultPaymentType:5 EmailStatements:Y/N NumberOfInvToUseInCalc:2.0
AvgDaysPaymentInvoice:3.0 AvgDaysOverDue:3.0 CustomerDiscountRate:12.3 ServiceChargeRate:12.3 CreditLimit:13.2
LastPaymentAmt:13.2 HighestStmntBalance:13.2 UnpaidServiceChrg:13.2 BalanceForward:13.2 CurrentBalance:13.2
AgingCategory1:13.2 AgingCategory2:13.2 AgingCategory3:13.2 AgingCategory4:13.2 OpenOrderAmt:13.2
RetentionCurrent:13.2 RetentionAging1:13.2 RetentionAging2:13.2 RetentionAging3:13.2 RetentionAging4:13.2
SalespersonDivisionNo2:2 SalespersonNo2:4 SalespersonDivisionNo3:2 SalespersonNo3:4 SalespersonDivisionNo4:2
SalespersonNo4:4 SalespersonDivisionNo5:2 SalespersonNo5:4 CustomerStatus:A/I/T InactiveReasonCode:5 DefaultCostCode:9
DefaultCostType:1 CreditCardGUID:32 SplitCommRate2:8.3 SplitCommRate3:8.3 SplitCommRate4:8.3 SplitCommRate5:8.3
UseSageCloudForInvPrinting:1 TelephoneType:1 EInvoicePayments:1 EInvoiceContactId:24 PIIEncryptedDate:d
EncryptedVals:t
"""
_CONTACT = """
ARDivisionNo:2* CustomerNo:20* ContactCode:10* ContactName:50 AddressLine1:40 AddressLine2:40 AddressLine3:40 City:30
State:2 ZipCode:10 CountryCode:3 Salutation:10 ContactTitle:15 TelephoneNo1:20 TelephoneExt1:6 TelephoneNo2:20
TelephoneExt2:6 FaxNo:20 EmailAddress:50 ContactNotes:t EBMUserID:15 TelephoneType1:1 PrimaryTelephone1:1
TelephoneType2:1 PrimaryTelephone2:1 EncryptedVals:t
"""
_ORDER = """
SalesOrderNo:7* OrderDate:d OrderType:1 OrderStatus:1 MasterRepeatingOrderNo:7 ShipExpireDate:d ARDivisionNo:2
CustomerNo:20 BillToName:50 BillToAddress1:40 BillToAddress2:40 BillToAddress3:40 BillToCity:30 BillToState:2
BillToZipCode:10 BillToCountryCode:3 ShipToCode:4 ShipToName:50 ShipToAddress1:40 ShipToAddress2:40 ShipToAddress3:40
ShipToCity:30 ShipToState:2 ShipToZipCode:10 ShipToCountryCode:3 ShipVia:15 ShipZone:5 ShipZoneActual:5 ShipWeight:5
CustomerPONo:30 FOB:15 WarehouseCode:3 ConfirmTo:50 Comment:30 TermsCode:2 TaxSchedule:9 TaxExemptNo:15
InvalidTaxCalc:Y/N PrintSalesOrders:Y/N PrintPickingSheets:Y/N LastInvoiceOrderDate:d LastInvoiceOrderNo:7
CurrentInvoiceNo:7 CheckNoForDeposit:10 CycleCode:2 FaxNo:20 BatchFax:Y/N BatchEmail:Y/N EmailAddress:250
FreightCalculationMethod:1 LotSerialLinesExist:Y/N SalespersonDivisionNo:2 SalespersonNo:4 SplitCommissions:Y/N
SalespersonDivisionNo2:2 SalespersonNo2:4 SalespersonDivisionNo3:2 SalespersonNo3:4 SalespersonDivisionNo4:2
SalespersonNo4:4 SalespersonDivisionNo5:2 SalespersonNo5:4 EBMUserType:1 EBMSubmissionType:1
EBMUserIDSubmittingThisOrder:15 PaymentType:5 OtherPaymentTypeRefNo:24 CancelReasonCode:5 PaymentTypeCategory:1
RMANo:7 JobNo:7 ResidentialAddress:Y/N TaxableSubjectToDiscount:12.2 NonTaxableSubjectToDiscount:12.2
TaxSubjToDiscPrcntOfTotSubjTo:6.2 DiscountRate:7.3 DiscountAmt:11.2 TaxableAmt:12.2 NonTaxableAmt:12.2
SalesTaxAmt:11.2 Weight:11.2 FreightAmt:11.2 DepositAmt:12.2 CommissionRate:8.3 SplitCommRate2:8.3 SplitCommRate3:8.3
SplitCommRate4:8.3 SplitCommRate5:8.3 NumberOfShippingLabels:3.0 LastNoOfShippingLabels:3.0 CRMUserID:11
CRMPersonID:11 CRMOpportunityID:11 CRMCompanyID:11 CRMProspectID:11 SalesOrderPrinted:Y/N PickingSheetPrinted:Y/N
BillToDivisionNo:2 BillToCustomerNo:20 PromotedDate:d PayBalance:1
"""
_ORDER_LINE = """
SalesOrderNo:7* LineKey:6* LineSeqNo:14 ItemCode:30 ItemType:1 ItemCodeDesc:30 ExtendedDescriptionKey:10 Discount:1
Commissionable:1 SubjectToExemption:1 WarehouseCode:3 PriceLevel:1 MasterOrderLineKey:6 UnitOfMeasure:4 DropShip:Y/N
PrintDropShipment:1 SalesKitLineKey:6 CostOfGoodsSoldAcctKey:9 SalesAcctKey:9 PriceOverridden:1 ExplodedKitItem:1
StandardKitBill:1 Revision:3 BillOption1:2 BillOption2:2 BillOption3:2 BillOption4:2 BillOption5:2 BillOption6:2
BillOption7:2 BillOption8:2 BillOption9:2 BackorderKitCompLine:1 SkipPrintCompLine:1 PromiseDate:d AliasItemNo:30
SOHistoryDetlSeqNo:14 TaxClass:2 CustomerAction:1 ItemAction:1 WarrantyCode:10 ExpirationDate:d ExpirationOverridden:1
CostOverridden:1 CostCode:9 CostType:1 CommentText:t QuantityOrdered:15.6 QuantityShipped:15.6
QuantityBackordered:15.6 MasterOriginalQty:15.6 MasterQtyBalance:15.6 MasterQtyOrderedToDate:15.6
RepeatingQtyShippedToDate:15.6 UnitPrice:15.6 UnitCost:15.6 ExtensionAmt:11.2 UnitOfMeasureConvFactor:11.4
QuantityPerBill:15.6 LineDiscountPercent:8.3 LineWeight:11.2 Valuation:1 LotSerialFullyDistributed:1 APDivisionNo:2
VendorNo:7 PurchaseOrderNo:7 PurchaseOrderRequiredDate:d CommodityCode:12 AlternateTaxIdentifier:15 TaxTypeApplied:4
NetGrossIndicator:1 DebitCreditIndicator:1 TaxAmt:11.2 TaxRate:10.6
"""
_HISTORY = """
SalesOrderNo:7* OrderDate:d OrderStatus:1 MasterRepeatingOrderNo:7 ARDivisionNo:2 CustomerNo:20 BillToName:50
BillToAddress1:40 BillToAddress2:40 BillToAddress3:40 BillToCity:30 BillToState:2 BillToZipCode:10 BillToCountryCode:3
ShipToCode:4 ShipToName:50 ShipToAddress1:40 ShipToAddress2:40 ShipToAddress3:40 ShipToCity:30 ShipToState:2
ShipToZipCode:10 ShipToCountryCode:3 ShipVia:15 CustomerPONo:30 EmailAddress:250 CancelReasonCode:5 WarehouseCode:3
ConfirmTo:50 Comment:30 TermsCode:2 LastInvoiceDate:d LastInvoiceNo:7 SalespersonDivisionNo:2 SalespersonNo:4
PaymentType:5 TaxableSubjectToDiscount:12.2 NonTaxableSubjectToDiscount:12.2 DiscountRate:8.3 DiscountAmt:11.2
TaxableAmt:12.2 NonTaxableAmt:12.2 SalesTaxAmt:11.2 FreightAmt:11.2 DepositAmt:12.2 BillToDivisionNo:2
BillToCustomerNo:20 InvoicedAmt:12.2 EncryptedVals:t
"""
_HISTORY_LINE = """
SalesOrderNo:7* SequenceNo:14* LineKey:6 OriginalLine:1 CancelledLine:Y/N CancelReasonCode:5 ItemCode:30 ItemType:1
ItemCodeDesc:30 WarehouseCode:3 PriceLevel:1 DropShip:Y/N UnitOfMeasure:4 SalesKitLineKey:6 CostOfGoodsSoldAcctKey:9
SalesAcctKey:9 ExplodedKitItem:1 PromiseDate:d CommentText:t QuantityOrderedOriginal:15.6 QuantityOrderedRevised:15.6
QuantityShipped:15.6 QuantityBackordered:15.6 OriginalUnitPrice:15.6 LastUnitPrice:15.6 LastExtensionAmt:11.2
UnitCost:15.6 LineDiscountPercent:8.3
"""
_INVOICE = """
InvoiceNo:7* HeaderSeqNo:6* ModuleCode:3 InvoiceType:2 InvoiceDate:d TransactionDate:d ARDivisionNo:2 CustomerNo:20
TermsCode:2 TaxSchedule:9 SalespersonDivisionNo:2 SalespersonNo:4 CustomerPONo:30 ApplyToInvoiceNo:7 Comment:30
InvoiceDueDate:d SourceJournal:2 JournalNoGLBatchNo:6 SalesOrderNo:7 OrderType:1 OrderDate:d BillToName:50
BillToAddress1:40 BillToAddress2:40 BillToAddress3:40 BillToCity:30 BillToState:2 BillToZipCode:10 BillToCountryCode:3
ShipToCode:4 ShipToName:50 ShipToAddress1:40 ShipToAddress2:40 ShipToAddress3:40 ShipToCity:30 ShipToState:2
ShipToZipCode:10 ShipToCountryCode:3 ShipDate:d ShipVia:15 ConfirmTo:50 PaymentType:5 WarehouseCode:3 EmailAddress:250
TaxableSalesAmt:12.2 NonTaxableSalesAmt:12.2 FreightAmt:11.2 SalesTaxAmt:11.2 CostOfSalesAmt:12.2 DiscountRate:8.3
DiscountAmt:11.2 DepositAmt:12.2 BillToDivisionNo:2 BillToCustomerNo:20 MultipleSalesOrdersApplied:Y/N
MultipleCustomerPONos:Y/N EncryptedVals:t
"""
_INVOICE_LINE = """
InvoiceNo:7* HeaderSeqNo:6* DetailSeqNo:6* ItemCode:30 ItemType:1 ItemCodeDesc:30 SalesAcctKey:9
CostOfGoodsSoldAcctKey:9 InventoryAcctKey:9 UnitOfMeasure:4 Discount:1 DropShip:Y/N WarehouseCode:3 PriceLevel:1
ProductLine:4 KitItem:1 ExplodedKitItem:1 CommentText:t QuantityShipped:15.6 QuantityOrdered:15.6
QuantityBackordered:15.6 UnitPrice:15.6 UnitCost:15.6 LineDiscountPercent:8.3 ExtensionAmt:11.2 AppliedSalesOrderNo:7
AppliedCustomerPONo:30
"""
_ITEM = """
ItemCode:30* ItemType:1 ItemCodeDesc:30 ExtendedDescriptionKey:10 UseInAR:Y/N UseInSO:Y/N EBMEnabled:Y/N PriceCode:4
SalesUnitOfMeasure:4 PurchaseUnitOfMeasure:4 StandardUnitOfMeasure:4 SalesAcctKey:9 CostOfGoodsSoldAcctKey:9
InventoryAcctKey:9 TaxClass:2 ProductLine:4 ProductType:1 Valuation:1 DefaultWarehouseCode:3 PrimaryAPDivisionNo:2
PrimaryVendorNo:7 ImageFile:30 Category1:10 Category2:10 Category3:10 Category4:10 ShipWeight:10 CommentText:t
StandardUnitCost:15.6 StandardUnitPrice:15.6 Volume:10.4 AllowBackOrders:Y/N LastSoldDate:d LastReceiptDate:d
LastTotalUnitCost:15.6 AverageUnitCost:15.6 SuggestedRetailPrice:15.6 TotalQuantityOnHand:15.6 InactiveItem:Y/N
"""
_USER = """
UserKey:10* UserCode:3 UserLogon:60 SecurityKey:10 FirstName:20 LastName:30 CustomizationCode:3 Active:Y/N
InactiveDate:d LastCompany:10 Locked:Y/N External:Y/N LockedDate:8.0 LockedTime:8.0 PasswordDate:8.0 EnableCSODBC:Y/N
EnableWebServicesForUser:Y/N EmailAddress:250
"""
_VENDOR = """
APDivisionNo:2* VendorNo:7* VendorName:50 AddressLine1:40 AddressLine2:40 AddressLine3:40 City:30 State:2 ZipCode:10
CountryCode:3 TelephoneNo:20 TelephoneExt:6 FaxNo:20 EmailAddress:250 URLAddress:50 ContactCode:10 TermsCode:2
VendorStatus:A/I/T InactiveReasonCode:5 TemporaryVendor:Y/N HoldPayment:Y/N VendorType:4 SortField:10 Reference:15
DateLastActivity:d DateLastPayment:d DateEstablished:d CreditLimit:13.2 CurrentBalance:13.2
"""
_ACCOUNT = """
AccountKey:9* RawAccount:32 FormattedAccount:46 AccountDesc:50 AccountType:2 AccountGroup:4 Status:1
"""
_COMPANY = """
CompanyCode:3* CompanyName:40
"""

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        _layout("AR_Customer", _CUSTOMER),
        _layout("AR_CustomerContact", _CONTACT),
        _layout("AP_Vendor", _VENDOR),
        _layout("SO_SalesOrderHeader", _ORDER),
        _layout("SO_SalesOrderDetail", _ORDER_LINE, stamped=False),
        _layout("SO_SalesOrderHistoryHeader", _HISTORY),
        _layout("SO_SalesOrderHistoryDetail", _HISTORY_LINE, stamped=False),
        _layout("AR_InvoiceHistoryHeader", _INVOICE),
        _layout("AR_InvoiceHistoryDetail", _INVOICE_LINE, stamped=False),
        _layout("CI_Item", _ITEM),
        _layout("GL_Account", _ACCOUNT),
        _layout("SY_Company", _COMPANY, stamped=False),
        _layout("SY_User", _USER, stamped=False),
    )
}
"""All tables by name. Detail tables have no stamps: a changed line shows in its header alone."""
